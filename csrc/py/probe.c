/* SPDX-License-Identifier: BSD-3-Clause */
/* Probe types, one a kind of event. `~probe` is the cheapest call from bytecode into C
 * that no version of CPython specialises: no arguments, no callable, no frame.
 *
 * A probe holds C memory only (but for the code it replaced, which cannot refer back):
 * code objects are not tracked by the garbage collector, so a reference to the engine
 * would never be freed. */
#include "probe.h"

#include "compat.h"
#include "shadow.h"

typedef struct {
    PyObject_HEAD
    nbp_lines *lines;   /* one reference */
    PyObject *original; /* owned; NULL but for LEAVE */
    uint32_t slot;
} Probe;

/* ---- threads ---- */

/* Makes the shadow of a thread seen for the first time, or not lately. */
static nbp_shadow *
find_shadow(nbp_lines *lines, PyThreadState *thread)
{
    if (lines->n_shadows >= lines->fold_at) {
        uint64_t alive[1024];
        size_t n = 0;
        PyThreadState *other = PyInterpreterState_ThreadHead(thread->interp);
        for (; other != NULL && n < 1024; other = PyThreadState_Next(other)) {
            alive[n++] = other->id;
        }
        if (other == NULL) {
            nbp_lines_fold(lines, alive, n);
        }
    }
    return nbp_lines_shadow(lines, thread->id, thread->thread_id);
}

nbp_shadow *
nbp_probe_shadow(nbp_lines *lines, PyThreadState *thread)
{
    if (lines->recent_id == thread->id) {
        return lines->recent;
    }
    return lines->on ? find_shadow(lines, thread) : NULL;
}

/* ---- events ---- */

typedef void (*frame_event)(nbp_shadow *self, const void *frame);
typedef void (*line_event)(nbp_shadow *self, const void *frame, uint32_t slot);

/* An event as the interpreter calls it; `event` is known to the compiler and inlined,
 * one of the two is given. */
static inline PyObject *
run_event(PyObject *op, line_event on_line, frame_event on_frame)
{
    const Probe *self = (const Probe *)op;
    PyThreadState *thread = nbp_thread_state();
    const void *frame = nbp_running_frame(thread);
    nbp_shadow *shadow = nbp_probe_shadow(self->lines, thread);
    if (shadow == NULL) {
        Py_RETURN_NONE;
    }
    if (on_line != NULL) {
        on_line(shadow, frame, self->slot);
    }
    else {
        on_frame(shadow, frame);
    }
    Py_RETURN_NONE;
}

static PyObject *
probe_enter(PyObject *op)
{
    return run_event(op, nbp_shadow_enter, NULL);
}

static PyObject *
probe_line(PyObject *op)
{
    return run_event(op, nbp_shadow_line, NULL);
}

static PyObject *
probe_resume(PyObject *op)
{
    return run_event(op, nbp_shadow_resume, NULL);
}

static PyObject *
probe_leave(PyObject *op)
{
    return run_event(op, NULL, nbp_shadow_leave);
}

static PyObject *
probe_suspend(PyObject *op)
{
    return run_event(op, NULL, nbp_shadow_suspend);
}

static PyObject *
probe_last(PyObject *op)
{
    return run_event(op, nbp_shadow_last, NULL);
}

static PyObject *
probe_pause(PyObject *op)
{
    return run_event(op, nbp_shadow_pause, NULL);
}

/* ---- the types ---- */

PyObject *
nbp_probe_new(nbp_state *state, nbp_probe_kind kind, nbp_lines *lines, uint32_t slot,
              PyObject *original)
{
    PyTypeObject *type = state->probe_types[kind];
    Probe *self = (Probe *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    lines->references++;
    self->lines = lines;
    self->slot = slot;
    self->original = Py_XNewRef(original);
    return (PyObject *)self;
}

static void
probe_dealloc(PyObject *op)
{
    Probe *self = (Probe *)op;
    PyTypeObject *type = Py_TYPE(op);
    nbp_lines_release(self->lines);
    Py_XDECREF(self->original);
    type->tp_free(op);
    Py_DECREF(type);
}

PyDoc_STRVAR(reduce_doc,
             "__reduce__($self, /)\n"
             "--\n"
             "\n"
             "A probe is pickled as the number 0, which can be inverted as well: a\n"
             "function sent to another process while it is profiled runs there as it\n"
             "always did.\n");

static PyObject *
probe_reduce(PyObject *Py_UNUSED(op), PyObject *Py_UNUSED(ignored))
{
    return Py_BuildValue("(O())", (PyObject *)&PyLong_Type);
}

static PyMethodDef probe_methods[] = {
    {"__reduce__", probe_reduce, METH_NOARGS, reduce_doc},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject *
make_type(PyObject *module, const char *name, unaryfunc event)
{
    PyType_Slot slots[] = {
        {Py_tp_dealloc, probe_dealloc},
        {Py_tp_methods, probe_methods},
        {Py_tp_doc, "A line of profiled code. `~probe` is an event of that line."},
        {Py_nb_invert, (void *)event},
        {0, NULL},
    };
    PyType_Spec spec = {
        .name = name,
        .basicsize = sizeof(Probe),
        .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE |
                 Py_TPFLAGS_DISALLOW_INSTANTIATION,
        .slots = slots,
    };
    return (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, NULL);
}

int
nbp_add_probes(PyObject *module)
{
    static const struct {
        const char *name;
        unaryfunc event;
    } kinds[NBP_PROBE_KINDS] = {
        [NBP_PROBE_ENTER] = {"nbprobe._core.EnterProbe", probe_enter},
        [NBP_PROBE_LINE] = {"nbprobe._core.LineProbe", probe_line},
        [NBP_PROBE_RESUME] = {"nbprobe._core.ResumeProbe", probe_resume},
        [NBP_PROBE_LEAVE] = {"nbprobe._core.LeaveProbe", probe_leave},
        [NBP_PROBE_SUSPEND] = {"nbprobe._core.SuspendProbe", probe_suspend},
        [NBP_PROBE_LAST] = {"nbprobe._core.LastProbe", probe_last},
        [NBP_PROBE_PAUSE] = {"nbprobe._core.PauseProbe", probe_pause},
    };
    nbp_state *state = nbp_state_of(module);
    for (int kind = 0; kind < NBP_PROBE_KINDS; kind++) {
        state->probe_types[kind] =
            make_type(module, kinds[kind].name, kinds[kind].event);
        if (state->probe_types[kind] == NULL) {
            return -1;
        }
    }
    return 0;
}

/* ---- the way back ---- */

/* The last LEAVE probe among the constants: that of the latest instrumentation. */
static const Probe *
leave_probe(nbp_state *state, PyObject *code)
{
    PyObject *constants = ((PyCodeObject *)code)->co_consts;
    for (Py_ssize_t i = PyTuple_GET_SIZE(constants) - 1; i >= 0; i--) {
        PyObject *constant = PyTuple_GET_ITEM(constants, i);
        if (Py_IS_TYPE(constant, state->probe_types[NBP_PROBE_LEAVE])) {
            return (const Probe *)constant;
        }
    }
    return NULL;
}

PyObject *
nbp_probe_original(nbp_state *state, PyObject *code)
{
    const Probe *leave = leave_probe(state, code);
    while (leave != NULL && !leave->lines->on) {
        code = leave->original;
        leave = leave_probe(state, code);
    }
    return Py_NewRef(code);
}
