/* SPDX-License-Identifier: BSD-3-Clause */
/* Lines of code without probes, from the interpreter's own events: code that cannot be
 * rewritten, and frames that were running when the probes were put in and go on with
 * the code that they began with. sys.monitoring on 3.12 and later, for these code
 * objects only; a C trace function on 3.11. The events end in the same counters. */
#include "compat.h"
#include "engine.h"
#include "probe.h"
#include "shadow.h"

/* What a callback is given: the engine may be gone before the last callback is. */
typedef struct {
    nbp_engine *engine; /* borrowed; NULL once stopped */
    int tool;           /* id in sys.monitoring */
} receiver;

static void
free_receiver(PyObject *capsule)
{
    free(PyCapsule_GetPointer(capsule, NULL));
}

static receiver *
receiver_of(PyObject *capsule)
{
    return (receiver *)PyCapsule_GetPointer(capsule, NULL);
}

static PyObject *
new_receiver(nbp_engine *engine)
{
    receiver *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return PyErr_NoMemory();
    }
    self->engine = engine;
    PyObject *capsule = PyCapsule_New(self, NULL, free_receiver);
    if (capsule == NULL) {
        free(self);
    }
    return capsule;
}

/* ---- one event ---- */

typedef struct {
    const nbp_function *function;
    nbp_shadow *shadow;
    const void *frame;
} event;

/* False when the event is of no concern. */
static bool
begin_event(PyObject *capsule, PyObject *code, event *out)
{
    nbp_engine *engine = receiver_of(capsule)->engine;
    if (engine == NULL || !engine->lines->on) {
        return false;
    }
    const nbp_function *function = nbp_engine_find(engine, code);
    if (function == NULL || !(function->how & NBP_HOW_EVENTS) ||
        (function->has_probes && code != function->original)) {
        return false;
    }
    PyThreadState *thread = nbp_thread_state();
    out->function = function;
    out->frame = nbp_running_frame(thread);
    out->shadow = nbp_probe_shadow(engine->lines, thread);
    return out->shadow != NULL;
}

static int64_t
slot_of(const nbp_function *function, int line)
{
    int64_t at = (int64_t)line - function->statements.from;
    if (at >= 0 && at < function->statements.count) {
        line = function->statements.first[at];
    }
    return nbp_code_lines_slot(&function->table, line);
}

static void
on_line(const event *at, int line)
{
    int64_t slot = slot_of(at->function, line);
    if (slot >= 0) {
        nbp_shadow_line(at->shadow, at->frame, (uint32_t)slot);
    }
}

/* A body on the line of its `def` gets no line event on 3.13. */
static void
on_start(const event *at)
{
    if (at->function->table.n_lines == 1) {
        nbp_shadow_enter(at->shadow, at->frame, at->function->table.first_slot);
    }
}

static void
on_resume(const event *at, int line)
{
    int64_t slot = slot_of(at->function, line);
    if (slot >= 0) {
        nbp_shadow_resume(at->shadow, at->frame, (uint32_t)slot);
    }
}

static bool
has_events(const nbp_engine *engine)
{
    for (Py_ssize_t i = 0; i < engine->n_functions; i++) {
        if (engine->functions[i].how & NBP_HOW_EVENTS) {
            return true;
        }
    }
    return false;
}

static void
drop_events(nbp_engine *engine)
{
    for (Py_ssize_t i = 0; i < engine->n_functions; i++) {
        engine->functions[i].how &= ~NBP_HOW_EVENTS;
    }
}

#if NBP_HAS_MONITORING

/* ---- sys.monitoring ---- */

static PyObject *
line_callback(PyObject *capsule, PyObject *const *args, Py_ssize_t n_args)
{
    event at;
    if (n_args == 2 && begin_event(capsule, args[0], &at)) {
        on_line(&at, (int)PyLong_AsLong(args[1]));
    }
    Py_RETURN_NONE;
}

static PyObject *
start_callback(PyObject *capsule, PyObject *const *args, Py_ssize_t n_args)
{
    event at;
    if (n_args == 2 && begin_event(capsule, args[0], &at)) {
        on_start(&at);
    }
    Py_RETURN_NONE;
}

static PyObject *
resume_callback(PyObject *capsule, PyObject *const *args, Py_ssize_t n_args)
{
    event at;
    if (n_args == 2 && begin_event(capsule, args[0], &at)) {
        int offset = (int)PyLong_AsLong(args[1]);
        on_resume(&at, PyCode_Addr2Line((PyCodeObject *)args[0], offset));
    }
    Py_RETURN_NONE;
}

static PyObject *
leave_callback(PyObject *capsule, PyObject *const *args, Py_ssize_t n_args)
{
    event at;
    if (n_args == 3 && begin_event(capsule, args[0], &at)) {
        nbp_shadow_leave(at.shadow, at.frame);
    }
    Py_RETURN_NONE;
}

static PyObject *
suspend_callback(PyObject *capsule, PyObject *const *args, Py_ssize_t n_args)
{
    event at;
    if (n_args == 3 && begin_event(capsule, args[0], &at)) {
        nbp_shadow_suspend(at.shadow, at.frame);
    }
    Py_RETURN_NONE;
}

#    define FAST(function) ((PyCFunction)(void (*)(void))(function))

static PyMethodDef line_method = {"line", FAST(line_callback), METH_FASTCALL, NULL};
static PyMethodDef start_method = {"start", FAST(start_callback), METH_FASTCALL, NULL};
static PyMethodDef resume_method = {"resume", FAST(resume_callback), METH_FASTCALL,
                                    NULL};
static PyMethodDef leave_method = {"leave", FAST(leave_callback), METH_FASTCALL, NULL};
static PyMethodDef suspend_method = {"suspend", FAST(suspend_callback), METH_FASTCALL,
                                     NULL};

/* Unwinding is no local event: it is asked for everywhere, and fires on exceptions
 * only. */
static const struct {
    const char *name;
    PyMethodDef *method;
    bool local;
} events[] = {
    {"LINE", &line_method, true},        {"PY_START", &start_method, true},
    {"PY_RESUME", &resume_method, true}, {"PY_RETURN", &leave_method, true},
    {"PY_YIELD", &suspend_method, true}, {"PY_UNWIND", &leave_method, false},
};

enum { N_EVENTS = sizeof(events) / sizeof(events[0]) };

/* sys.monitoring.events.<name>, or -1 with an exception set. */
static int
event_mask(PyObject *monitoring, const char *name)
{
    PyObject *names = PyObject_GetAttrString(monitoring, "events");
    PyObject *value = names == NULL ? NULL : PyObject_GetAttrString(names, name);
    int mask = value == NULL ? -1 : (int)PyLong_AsLong(value);
    Py_XDECREF(value);
    Py_XDECREF(names);
    return mask;
}

/* Calls a function of sys.monitoring for its effect. */
static int
call(const char *name, const char *format, ...)
{
    PyObject *monitoring = PySys_GetObject("monitoring"); /* borrowed */
    if (monitoring == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "lost sys.monitoring");
        return -1;
    }
    va_list arguments;
    va_start(arguments, format);
    PyObject *tuple = Py_VaBuildValue(format, arguments);
    va_end(arguments);
    PyObject *function =
        tuple == NULL ? NULL : PyObject_GetAttrString(monitoring, name);
    PyObject *result = function == NULL ? NULL : PyObject_CallObject(function, tuple);
    Py_XDECREF(function);
    Py_XDECREF(tuple);
    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}

/* A tool id that nobody uses, those without a meaning of their own first; -1 when all
 * are taken. */
static int
take_tool(void)
{
    static const int wanted[] = {4, 3, 5, 1, 2, 0};
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        if (call("use_tool_id", "(is)", wanted[i], "nbprobe lines") == 0) {
            return wanted[i];
        }
        PyErr_Clear();
    }
    return -1;
}

static int
register_callbacks(PyObject *monitoring, int tool, PyObject *capsule)
{
    int everywhere = 0;
    for (int i = 0; i < N_EVENTS; i++) {
        int mask = event_mask(monitoring, events[i].name);
        PyObject *callback =
            mask < 0 ? NULL : PyCFunction_New(events[i].method, capsule);
        if (callback == NULL ||
            call("register_callback", "(iiO)", tool, mask, callback) < 0) {
            Py_XDECREF(callback);
            return -1;
        }
        Py_DECREF(callback);
        everywhere |= events[i].local ? 0 : mask;
    }
    return call("set_events", "(ii)", tool, everywhere);
}

static int
local_mask(PyObject *monitoring)
{
    int all = 0;
    for (int i = 0; i < N_EVENTS; i++) {
        int mask = event_mask(monitoring, events[i].name);
        if (mask < 0) {
            return -1;
        }
        all |= events[i].local ? mask : 0;
    }
    return all;
}

/* Asks for the local events `mask` of a function's code. */
static int
set_local_events(const nbp_function *function, int tool, int mask)
{
    if (call("set_local_events", "(iOi)", tool, function->original, mask) < 0) {
        return -1;
    }
    if (function->has_probes || function->instrumented == function->original) {
        return 0;
    }
    return call("set_local_events", "(iOi)", tool, function->instrumented, mask);
}

int
nbp_fallback_start(nbp_engine *self)
{
    PyObject *monitoring = PySys_GetObject("monitoring"); /* borrowed */
    if (!has_events(self)) {
        return 0;
    }
    if (monitoring == NULL) {
        drop_events(self);
        return 0;
    }
    if (self->events == NULL) {
        int tool = take_tool();
        if (tool < 0) {
            drop_events(self);
            return 0;
        }
        self->events = new_receiver(self);
        if (self->events == NULL) {
            call("free_tool_id", "(i)", tool);
            return -1;
        }
        receiver_of(self->events)->tool = tool;
        if (register_callbacks(monitoring, tool, self->events) < 0) {
            return -1;
        }
    }
    int mask = local_mask(monitoring);
    int tool = receiver_of(self->events)->tool;
    for (Py_ssize_t i = 0; mask > 0 && i < self->n_functions; i++) {
        nbp_function *function = &self->functions[i];
        if (function->how & NBP_HOW_EVENTS &&
            set_local_events(function, tool, mask) < 0) {
            PyErr_Clear(); /* SystemError: code that the interpreter cannot instrument
                            */
            function->how &= ~NBP_HOW_EVENTS;
        }
    }
    return mask < 0 ? -1 : 0;
}

void
nbp_fallback_stop(nbp_engine *self)
{
    if (self->events == NULL) {
        return;
    }
    receiver *to = receiver_of(self->events);
    to->engine = NULL;
    for (Py_ssize_t i = 0; i < self->n_functions; i++) {
        const nbp_function *function = &self->functions[i];
        if (function->how & NBP_HOW_EVENTS) {
            set_local_events(function, to->tool, 0);
            PyErr_Clear();
        }
    }
    PyObject *monitoring = PySys_GetObject("monitoring"); /* borrowed */
    call("set_events", "(ii)", to->tool, 0);
    PyErr_Clear();
    for (int i = 0; monitoring != NULL && i < N_EVENTS; i++) {
        int mask = event_mask(monitoring, events[i].name);
        call("register_callback", "(iiO)", to->tool, mask, Py_None);
        PyErr_Clear();
    }
    call("free_tool_id", "(i)", to->tool);
    PyErr_Clear();
    Py_CLEAR(self->events);
}

#else

/* ---- trace function ---- */

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
on_trace(const event *at, PyFrameObject *frame, PyCodeObject *code, int what,
         PyObject *value)
{
    const nbp_opcode *opcodes = nbp_opcodes_of(NBP_MINOR_VERSION)->opcode;
    int op, argument;
    switch (what) {
    case PyTrace_LINE:
        on_line(at, PyFrame_GetLineNumber(frame));
        break;
    case PyTrace_CALL:
        instruction_at(frame, code, &op, &argument);
        if (op >= 0 && opcodes[op].traits & NBP_OP_RESUMES && argument > 0) {
            on_resume(at, PyFrame_GetLineNumber(frame));
        }
        else {
            on_start(at);
        }
        break;
    case PyTrace_RETURN:
        instruction_at(frame, code, &op, &argument);
        if (value != NULL && op >= 0 && opcodes[op].traits & NBP_OP_YIELDS) {
            nbp_shadow_suspend(at->shadow, at->frame);
        }
        else {
            nbp_shadow_leave(at->shadow, at->frame);
        }
        break;
    default:
        break;
    }
}

static int
trace(PyObject *capsule, PyFrameObject *frame, int what, PyObject *value)
{
    event at;
    PyCodeObject *code = PyFrame_GetCode(frame);
    if (begin_event(capsule, (PyObject *)code, &at)) {
        on_trace(&at, frame, code, what, value);
    }
    Py_DECREF(code);
    return 0;
}

/* The first thread that is traced by `function` with `argument`. Asked again from the
 * start for each thread, as audit hooks may run while one is changed, and threads end.
 */
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

/* Threads that another tool traces are left to it. */
int
nbp_fallback_start(nbp_engine *self)
{
    if (!has_events(self)) {
        return 0;
    }
    if (self->events == NULL) {
        self->events = new_receiver(self);
        if (self->events == NULL) {
            return -1;
        }
    }
    PyThreadState *thread;
    while ((thread = find_thread(NULL, NULL)) != NULL) {
        if (_PyEval_SetTrace(thread, trace, self->events) < 0) {
            return -1;
        }
    }
    if (find_thread(trace, self->events) == NULL) {
        drop_events(self);
    }
    return 0;
}

void
nbp_fallback_stop(nbp_engine *self)
{
    if (self->events == NULL) {
        return;
    }
    receiver_of(self->events)->engine = NULL;
    PyThreadState *thread;
    while ((thread = find_thread(trace, self->events)) != NULL) {
        if (_PyEval_SetTrace(thread, NULL, NULL) < 0) {
            PyErr_Clear(); /* an audit hook forbids it: the function does nothing now */
            break;
        }
    }
    Py_CLEAR(self->events);
}

#endif
