/* SPDX-License-Identifier: BSD-3-Clause */
/* Lines of code without probes from a C trace function, before sys.monitoring. */
#include "compat.h"
#include "fallback.h"
#include "shadow.h"

#if !NBP_HAS_MONITORING

/* Opcode and argument of the instruction that `frame` is at, as (opcode, argument). */
static void
instruction_at(PyFrameObject *frame, PyCodeObject *code, int *op, int *argument)
{
    *op = *argument = -1;
    PyObject *bytes = PyCode_GetCode(code);
    int at = PyFrame_GetLasti(frame);
    if (bytes == NULL) {
        PyErr_Clear();
    }
    else if (at >= 0 && at + 1 < PyBytes_GET_SIZE(bytes)) {
        *op = (uint8_t)PyBytes_AS_STRING(bytes)[at];
        *argument = (uint8_t)PyBytes_AS_STRING(bytes)[at + 1];
    }
    Py_XDECREF(bytes);
}

/* A call event is a start, or the resumption of a generator; a return event is the end
 * of the frame, or a yield. */
static void
on_trace(const nbp_event *at, PyFrameObject *frame, PyCodeObject *code, int what,
         PyObject *value)
{
    const nbp_opcode *opcodes = nbp_opcodes_of(NBP_MINOR_VERSION)->opcode;
    int op, argument;
    switch (what) {
    case PyTrace_LINE:
        nbp_event_line(at, PyFrame_GetLineNumber(frame));
        break;
    case PyTrace_CALL:
        instruction_at(frame, code, &op, &argument);
        if (op >= 0 && opcodes[op].traits & NBP_OP_RESUMES && argument > 0) {
            nbp_event_resume(at, PyFrame_GetLineNumber(frame));
        }
        else {
            nbp_event_start(at);
        }
        break;
    case PyTrace_RETURN:
        instruction_at(frame, code, &op, &argument);
        if (value != NULL && op >= 0 && opcodes[op].traits & NBP_OP_YIELDS) {
            nbp_shadow_suspend(at->shadow, at->frame, at->memory);
        }
        else {
            nbp_shadow_leave(at->shadow, at->frame, at->memory);
        }
        break;
    default:
        break;
    }
}

static int
trace(PyObject *capsule, PyFrameObject *frame, int what, PyObject *value)
{
    nbp_event at;
    PyCodeObject *code = PyFrame_GetCode(frame);
    if (nbp_event_begin(capsule, (PyObject *)code, &at)) {
        on_trace(&at, frame, code, what, value);
        nbp_event_end(&at);
    }
    Py_DECREF(code);
    return 0;
}

/* The first thread that is traced by `function` with `argument`. */
static PyThreadState *
find_thread(Py_tracefunc function, PyObject *argument)
{
    PyThreadState *thread = PyInterpreterState_ThreadHead(PyInterpreterState_Get());
    while (thread != NULL &&
           (thread->c_tracefunc != function || thread->c_traceobj != argument)) {
        thread = PyThreadState_Next(thread);
    }
    return thread;
}

/* ---- threads that start later ---- */

/* The trace function that threading gives to a new thread puts ours in its place. */
static PyObject *
start_thread(PyObject *capsule, PyObject *const *args, Py_ssize_t n_args)
{
    if (n_args == 3 && PyFrame_Check(args[0]) &&
        nbp_fallback_receiver(capsule)->engine != NULL) {
        if (_PyEval_SetTrace(PyThreadState_Get(), trace, capsule) < 0) {
            return NULL;
        }
        trace(capsule, (PyFrameObject *)args[0], PyTrace_CALL, Py_None);
    }
    Py_RETURN_NONE;
}

static PyMethodDef start_thread_method = {
    "start_thread", (PyCFunction)(void (*)(void))start_thread, METH_FASTCALL, NULL};

/* threading.gettrace(), or NULL with an exception set; `*threading` is the module, or
 * NULL when nobody has imported it: then it starts no threads. Owned both. */
static PyObject *
hook_of_threads(PyObject **threading)
{
    PyObject *name = PyUnicode_FromString("threading");
    *threading = name == NULL ? NULL : PyImport_GetModule(name);
    Py_XDECREF(name);
    if (*threading == NULL) {
        return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
    }
    return PyObject_CallMethod(*threading, "gettrace", NULL);
}

static bool
is_our_hook(PyObject *hook, PyObject *capsule)
{
    return PyCFunction_Check(hook) && PyCFunction_GET_SELF(hook) == capsule &&
           PyCFunction_GET_FUNCTION(hook) == start_thread_method.ml_meth;
}

/* From now on new threads are traced, unless another tool traces them: 0, or -1 with an
 * exception set. */
static int
trace_new_threads(PyObject *capsule)
{
    PyObject *threading;
    PyObject *hook = hook_of_threads(&threading);
    int status = hook == NULL ? -1 : 0;
    if (hook == Py_None && threading != NULL) {
        PyObject *ours = PyCFunction_New(&start_thread_method, capsule);
        PyObject *result =
            ours == NULL ? NULL : PyObject_CallMethod(threading, "settrace", "O", ours);
        status = result == NULL ? -1 : 0;
        Py_XDECREF(result);
        Py_XDECREF(ours);
    }
    Py_XDECREF(hook);
    Py_XDECREF(threading);
    return status;
}

/* Ends that; clears an exception of its own. */
static void
leave_new_threads(PyObject *capsule)
{
    PyObject *threading;
    PyObject *hook = hook_of_threads(&threading);
    if (hook != NULL && is_our_hook(hook, capsule)) {
        PyObject *result = PyObject_CallMethod(threading, "settrace", "O", Py_None);
        Py_XDECREF(result);
    }
    PyErr_Clear();
    Py_XDECREF(hook);
    Py_XDECREF(threading);
}

/* ---- start and stop ---- */

/* Threads that another tool traces are left to it. */
int
nbp_fallback_start(nbp_engine *self)
{
    if (!nbp_fallback_is_needed(self)) {
        return 0;
    }
    if (self->events == NULL) {
        self->events = nbp_fallback_new_receiver(self);
        if (self->events == NULL) {
            return -1;
        }
    }
    if (PySys_Audit("sys.settrace", NULL) < 0) {
        return -1;
    }
    PyThreadState *thread;
    while ((thread = find_thread(NULL, NULL)) != NULL) {
        nbp_set_trace(thread, trace, self->events);
    }
    if (find_thread(trace, self->events) == NULL) {
        nbp_fallback_drop(self);
    }
    return trace_new_threads(self->events);
}

void
nbp_fallback_stop(nbp_engine *self)
{
    if (self->events == NULL) {
        return;
    }
    nbp_fallback_receiver(self->events)->engine = NULL;
    leave_new_threads(self->events);
    PyThreadState *thread;
    while ((thread = find_thread(trace, self->events)) != NULL) {
        nbp_set_trace(thread, NULL, NULL);
    }
    Py_CLEAR(self->events);
}

#endif
