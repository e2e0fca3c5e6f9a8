/* SPDX-License-Identifier: BSD-3-Clause */
/* Calls as sys.monitoring reports them (3.12 and later), under an id of our own, so
 * that cProfile, coverage and debuggers go on. */
#include <Python.h>

#include <structmember.h>

#include "calls.h"
#include "holder.h"
#include "toolid.h"

#if NBP_HAS_MONITORING

enum { LARGEST_SHARED_INT = 256 }; /* of the ints that are there anyway */

/* What sys.monitoring calls back: an object with a vectorcall slot is reached with
 * less between than a method is. */
typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    nbp_calls *calls; /* owned */
} hook;

static inline nbp_calls *
calls_of(PyObject *op)
{
    return ((hook *)op)->calls;
}

/* A reference for an event that may ask a timer of the user's, which may end the
 * recording: the hook is gone then, and must not be looked at again. */
static inline nbp_calls *
hold(PyObject *op)
{
    return (nbp_calls *)Py_NewRef(calls_of(op));
}

/* Every event begins with a code object. Users can get hold of a hook and call it. */
static inline bool
is_event(PyObject *const *args, size_t nargsf, Py_ssize_t at_least)
{
    return PyVectorcall_NARGS(nargsf) >= at_least && PyCode_Check(args[0]);
}

/* The offset that comes with an event is an int of its own when it is no small one. */
static void
discount_offset(nbp_calls *self, PyObject *const *args, size_t nargsf)
{
    int overflow;
    if (PyVectorcall_NARGS(nargsf) >= 2 && PyLong_CheckExact(args[1]) &&
        PyLong_AsLongAndOverflow(args[1], &overflow) > LARGEST_SHARED_INT) {
        nbp_calls_discount(self, nbp_thread_state(), NBP_OFFSET_BYTES);
    }
}

static PyObject *
refuse(void)
{
    PyErr_SetString(PyExc_TypeError, "only sys.monitoring calls this");
    return NULL;
}

/* The running thread where an event may take a short way; else NULL. */
static inline const PyThreadState *
thread_at_once(const nbp_calls *self)
{
    return self->wants_memory || self->tasks ? NULL : nbp_thread_at_once();
}

/* The long ways are kept apart: they need registers that a short one need not save. */
static __attribute__((noinline)) PyObject *
on_any_enter(PyObject *op, PyObject *const *args, size_t nargsf, nbp_enter_how how)
{
    if (!is_event(args, nargsf, 2)) {
        return refuse();
    }
    nbp_calls *self = hold(op);
    PyThreadState *thread = nbp_thread_of_event();
    const void *frame = nbp_running_frame(thread);
    if (self->wants_memory) {
        discount_offset(self, args, nargsf);
    }
    if (self->tasks) {
        nbp_calls_enter_task(self, thread, frame, (PyCodeObject *)args[0], how);
    }
    nbp_calls_enter(self, thread, frame, args[0], NULL, how);
    Py_DECREF(self);
    return NBP_IMMORTAL_NONE;
}

static inline PyObject *
on_enter(PyObject *op, PyObject *const *args, size_t nargsf, nbp_enter_how how)
{
    nbp_calls *self = calls_of(op);
    const PyThreadState *thread = thread_at_once(self);
    if (thread != NULL && PyVectorcall_NARGS(nargsf) >= 1 &&
        nbp_calls_enter_at_once(self, thread, nbp_running_frame(thread), args[0],
                                how)) {
        return NBP_IMMORTAL_NONE;
    }
    return on_any_enter(op, args, nargsf, how);
}

static PyObject *
on_start(PyObject *op, PyObject *const *args, size_t nargsf, PyObject *Py_UNUSED(names))
{
    return on_enter(op, args, nargsf, NBP_ENTER_START);
}

/* PY_RESUME, and PY_THROW, which resumes by raising. */
static PyObject *
on_resume(PyObject *op, PyObject *const *args, size_t nargsf,
          PyObject *Py_UNUSED(names))
{
    return on_enter(op, args, nargsf, NBP_ENTER_RESUME);
}

static __attribute__((noinline)) PyObject *
on_any_leave(PyObject *op, PyObject *const *args, size_t nargsf)
{
    nbp_calls *self = hold(op);
    PyThreadState *thread = nbp_thread_of_event();
    const void *frame = nbp_running_frame(thread);
    if (self->wants_memory) {
        discount_offset(self, args, nargsf);
    }
    nbp_calls_leave(self, thread, frame);
    if (self->tasks) {
        nbp_calls_leave_task(self, thread, frame);
    }
    Py_DECREF(self);
    return NBP_IMMORTAL_NONE;
}

/* PY_RETURN, PY_YIELD and PY_UNWIND. */
static PyObject *
on_leave(PyObject *op, PyObject *const *args, size_t nargsf, PyObject *Py_UNUSED(names))
{
    nbp_calls *self = calls_of(op);
    const PyThreadState *thread = thread_at_once(self);
    if (thread != NULL &&
        nbp_calls_leave_at_once(self, thread, nbp_running_frame(thread))) {
        return NBP_IMMORTAL_NONE;
    }
    return on_any_leave(op, args, nargsf);
}

/* Borrowed: what a method that is bound is a method of. The interpreter unpacks it
 * between the call and its end. */
static inline PyObject *
function_of(PyObject *callable)
{
    return PyMethod_Check(callable) ? PyMethod_GET_FUNCTION(callable) : callable;
}

static void
record_call(nbp_calls *self, PyObject *const *args, size_t nargsf)
{
    if (self->wants_memory) {
        discount_offset(self, args, nargsf);
    }
    PyObject *callable = function_of(args[2]);
    if (PyFunction_Check(callable)) {
        /* PY_START follows. */
        return;
    }
    PyThreadState *thread = nbp_thread_of_event();
    const void *key = nbp_native_key(callable);
    if (key == NULL) {
        nbp_calls_other(self, thread);
    }
    else if (!nbp_calls_is_own(key)) {
        nbp_calls_enter(self, thread, nbp_native_activation(nbp_running_frame(thread)),
                        key, callable, NBP_ENTER_START);
    }
}

static __attribute__((noinline)) PyObject *
on_any_call(PyObject *op, PyObject *const *args, size_t nargsf)
{
    if (PyVectorcall_NARGS(nargsf) < 3) {
        return refuse();
    }
    nbp_calls *self = hold(op);
    record_call(self, args, nargsf);
    Py_DECREF(self);
    return NBP_IMMORTAL_NONE;
}

static PyObject *
on_call(PyObject *op, PyObject *const *args, size_t nargsf, PyObject *Py_UNUSED(names))
{
    if (PyVectorcall_NARGS(nargsf) >= 3 && PyFunction_Check(args[2]) &&
        !calls_of(op)->wants_memory) {
        /* PY_START follows. */
        return NBP_IMMORTAL_NONE;
    }
    return on_any_call(op, args, nargsf);
}

/* C_RETURN and C_RAISE. */
static PyObject *
on_native_leave(PyObject *op, PyObject *const *args, size_t nargsf,
                PyObject *Py_UNUSED(names))
{
    if (!is_event(args, nargsf, 3)) {
        return refuse();
    }
    nbp_calls *self = hold(op);
    if (self->wants_memory) {
        discount_offset(self, args, nargsf);
    }
    const void *key = nbp_native_key(function_of(args[2]));
    if (key != NULL && !nbp_calls_is_own(key)) {
        PyThreadState *thread = nbp_thread_of_event();
        nbp_calls_leave(self, thread, nbp_native_activation(nbp_running_frame(thread)));
    }
    Py_DECREF(self);
    return NBP_IMMORTAL_NONE;
}

static const struct {
    const char *name;
    vectorcallfunc callback;
    bool native;  /* only for a recording of functions in C */
    bool implied; /* comes with CALL and cannot be asked for */
} events[] = {
    {"PY_START", on_start, false, false},     {"PY_RESUME", on_resume, false, false},
    {"PY_THROW", on_resume, false, false},    {"PY_RETURN", on_leave, false, false},
    {"PY_YIELD", on_leave, false, false},     {"PY_UNWIND", on_leave, false, false},
    {"CALL", on_call, true, false},           {"C_RETURN", on_native_leave, true, true},
    {"C_RAISE", on_native_leave, true, true},
};

enum { N_EVENTS = sizeof(events) / sizeof(events[0]) };

static void
hook_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);
    Py_XDECREF(((hook *)op)->calls);
    type->tp_free(op);
    Py_DECREF(type);
}

static PyMemberDef hook_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(hook, vectorcall), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot hook_slots[] = {
    {Py_tp_doc, (void *)"Records one kind of event; called by sys.monitoring only."},
    {Py_tp_dealloc, hook_dealloc},
    {Py_tp_members, hook_members},
    {Py_tp_call, PyVectorcall_Call},
    {0, NULL},
};

static PyType_Spec hook_spec = {
    .name = "nbprobe._core.CallHook",
    .basicsize = sizeof(hook),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_HAVE_VECTORCALL,
    .slots = hook_slots,
};

static PyObject *
new_hook(nbp_calls *self, vectorcallfunc callback)
{
    nbp_state *state = nbp_state_of_type(Py_TYPE(self));
    PyTypeObject *type = state == NULL ? NULL : state->call_hook_type;
    hook *made = type == NULL ? NULL : (hook *)type->tp_alloc(type, 0);
    if (made != NULL) {
        made->vectorcall = callback;
        made->calls = (nbp_calls *)Py_NewRef(self);
    }
    return (PyObject *)made;
}

/* An id that nobody uses: those without a meaning of their own. The ids of
 * profilers, coverage and debuggers are left to them. */
static int
take_tool(nbp_calls *self)
{
    static const int wanted[] = {3, 4, 5}; /* an event of 3 takes a little less */
    int tool =
        nbp_toolid_take(wanted, sizeof(wanted) / sizeof(*wanted), "nbprobe calls");
    if (tool >= 0) {
        self->tool = (char)tool;
        return 0;
    }
    if (!PyErr_Occurred()) {
        PyErr_SetString(PyExc_RuntimeError,
                        "no free id in sys.monitoring: other tools hold 3, 4 and 5"
                        " (sys.monitoring.get_tool names them)");
    }
    return -1;
}

/* The events that the recording wants, with their callbacks registered. */
static int
register_callbacks(nbp_calls *self)
{
    int wanted = 0;
    for (size_t i = 0; i < N_EVENTS; i++) {
        if (events[i].native && !self->builtins) {
            continue;
        }
        int mask = nbp_monitoring_event(events[i].name);
        PyObject *callback = mask < 0 ? NULL : new_hook(self, events[i].callback);
        if (callback == NULL) {
            return -1;
        }
        int status = nbp_monitoring_call("register_callback", "(iiO)", self->tool, mask,
                                         callback);
        Py_DECREF(callback);
        if (status < 0) {
            return -1;
        }
        wanted |= events[i].implied ? 0 : mask;
    }
    return wanted;
}

int
nbp_calls_connect(nbp_calls *self)
{
    if (take_tool(self) < 0) {
        return -1;
    }
    int wanted = register_callbacks(self);
    if (wanted >= 0 &&
        nbp_monitoring_call("set_events", "(ii)", self->tool, wanted) == 0) {
        return 0;
    }
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    if (nbp_toolid_release(self->tool) < 0) {
        PyErr_Clear();
    }
    PyErr_Restore(type, value, traceback);
    return -1;
}

int
nbp_calls_disconnect(nbp_calls *self)
{
    return nbp_toolid_release(self->tool);
}

int
nbp_add_call_source(PyObject *module)
{
    nbp_state *state = nbp_state_of(module);
    state->call_hook_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &hook_spec, NULL);
    return state->call_hook_type == NULL ? -1 : 0;
}

#endif /* NBP_HAS_MONITORING */
