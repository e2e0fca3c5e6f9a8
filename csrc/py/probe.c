/* SPDX-License-Identifier: BSD-3-Clause */
/* Probe types, one a kind of event. `~probe` is the cheapest call from bytecode into C
 * that no version of CPython specialises: no arguments, no callable, no frame.
 *
 * A probe holds C memory only (but for the code it replaced, which cannot refer back):
 * code objects are not tracked by the garbage collector, so a reference to the engine
 * would never be freed. */
#include "probe.h"

#include "compat.h"
#include "holder.h"
#include "memoryreading.h"
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

typedef void (*frame_event)(nbp_shadow *self, const void *frame, nbp_memory *memory);
typedef void (*line_event)(nbp_shadow *self, const void *frame, uint32_t slot,
                           nbp_memory *memory);

/* An event as the interpreter calls it. All but `op` is known to the compiler, which
 * puts the event in line; one of the two events is given. */
static inline PyObject *
run_event(PyObject *op, line_event on_line, frame_event on_frame, bool with_memory)
{
    const Probe *self = (const Probe *)op;
    PyThreadState *thread = nbp_thread_of_event();
    const void *frame = nbp_running_frame(thread);
    nbp_shadow *shadow = nbp_probe_shadow(self->lines, thread);
    if (shadow == NULL) {
        Py_RETURN_NONE;
    }
    nbp_memory_reading reading;
    nbp_memory *memory =
        with_memory ? nbp_memory_read(&reading, self->lines->with_resident) : NULL;
    if (on_line != NULL) {
        on_line(shadow, frame, self->slot, memory);
    }
    else {
        on_frame(shadow, frame, memory);
    }
    if (with_memory) {
        nbp_memory_done(&reading);
    }
    Py_RETURN_NONE;
}

#define EVENT(name, on_line, on_frame)                                                 \
    static PyObject *probe_##name(PyObject *op)                                        \
    {                                                                                  \
        return run_event(op, on_line, on_frame, false);                                \
    }                                                                                  \
    static PyObject *probe_##name##_memory(PyObject *op)                               \
    {                                                                                  \
        return run_event(op, on_line, on_frame, true);                                 \
    }

/* Kept apart from its short way, which need not save the registers that this needs. */
static PyObject *probe_any_line(PyObject *op) __attribute__((noinline));

EVENT(enter, nbp_shadow_enter, NULL)
EVENT(any_line, nbp_shadow_line, NULL)
EVENT(resume, nbp_shadow_resume, NULL)
EVENT(leave, NULL, nbp_shadow_leave)
EVENT(suspend, NULL, nbp_shadow_suspend)
EVENT(last, nbp_shadow_last, NULL)
EVENT(pause, nbp_shadow_pause, NULL)

/* The most frequent event takes a short way when it can. */
static PyObject *
probe_line(PyObject *op)
{
    const Probe *self = (const Probe *)op;
    const nbp_lines *lines = self->lines;
    const PyThreadState *thread = nbp_thread_at_once();
    if (thread != NULL && lines->recent_id == thread->id &&
        nbp_shadow_line_at_once(lines->recent, nbp_running_frame(thread), self->slot)) {
        Py_RETURN_NONE;
    }
    return probe_any_line(op);
}

#define probe_line_memory probe_any_line_memory

/* ---- the types ---- */

/* Index of a type in the module's state. */
static int
type_of(nbp_probe_kind kind, bool with_memory)
{
    return (int)kind + (with_memory ? NBP_PROBE_KINDS : 0);
}

PyObject *
nbp_probe_new(nbp_state *state, nbp_probe_kind kind, nbp_lines *lines, uint32_t slot,
              PyObject *original)
{
    PyTypeObject *type = state->probe_types[type_of(kind, lines->with_memory)];
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
        unaryfunc events[2]; /* without memory, and with it */
    } kinds[NBP_PROBE_KINDS] = {
#define KIND(name, event) {"nbprobe._core." name, {event, event##_memory}}
        [NBP_PROBE_ENTER] = KIND("EnterProbe", probe_enter),
        [NBP_PROBE_LINE] = KIND("LineProbe", probe_line),
        [NBP_PROBE_RESUME] = KIND("ResumeProbe", probe_resume),
        [NBP_PROBE_LEAVE] = KIND("LeaveProbe", probe_leave),
        [NBP_PROBE_SUSPEND] = KIND("SuspendProbe", probe_suspend),
        [NBP_PROBE_LAST] = KIND("LastProbe", probe_last),
        [NBP_PROBE_PAUSE] = KIND("PauseProbe", probe_pause),
#undef KIND
    };
    nbp_state *state = nbp_state_of(module);
    for (int i = 0; i < NBP_PROBE_TYPES; i++) {
        int kind = i % NBP_PROBE_KINDS, memory = i / NBP_PROBE_KINDS;
        state->probe_types[i] =
            make_type(module, kinds[kind].name, kinds[kind].events[memory]);
        if (state->probe_types[i] == NULL) {
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
        if (Py_IS_TYPE(constant, state->probe_types[type_of(NBP_PROBE_LEAVE, false)]) ||
            Py_IS_TYPE(constant, state->probe_types[type_of(NBP_PROBE_LEAVE, true)])) {
            return (const Probe *)constant;
        }
    }
    return NULL;
}

PyObject *
nbp_probe_original(nbp_state *state, PyObject *code)
{
    const Probe *leave = leave_probe(state, code);
    while (leave != NULL && !leave->lines->on && !leave->lines->paused) {
        code = leave->original;
        leave = leave_probe(state, code);
    }
    return Py_NewRef(code);
}

PyObject *
nbp_probe_source(nbp_state *state, PyObject *code)
{
    const Probe *leave;
    while ((leave = leave_probe(state, code)) != NULL) {
        code = leave->original;
    }
    return Py_NewRef(code);
}
