/* SPDX-License-Identifier: BSD-3-Clause */
/* Lines of code without probes from sys.monitoring, for these code objects only. */
#include "compat.h"
#include "fallback.h"
#include "shadow.h"
#include "toolid.h"

#if NBP_HAS_MONITORING

static PyObject *
line_callback(PyObject *capsule, PyObject *const *args, Py_ssize_t n_args)
{
    nbp_event at;
    if (n_args == 2 && nbp_event_begin(capsule, args[0], &at)) {
        nbp_event_line(&at, (int)PyLong_AsLong(args[1]));
        nbp_event_end(&at);
    }
    Py_RETURN_NONE;
}

static PyObject *
start_callback(PyObject *capsule, PyObject *const *args, Py_ssize_t n_args)
{
    nbp_event at;
    if (n_args == 2 && nbp_event_begin(capsule, args[0], &at)) {
        nbp_event_start(&at);
        nbp_event_end(&at);
    }
    Py_RETURN_NONE;
}

static PyObject *
resume_callback(PyObject *capsule, PyObject *const *args, Py_ssize_t n_args)
{
    nbp_event at;
    if (n_args == 2 && nbp_event_begin(capsule, args[0], &at)) {
        int offset = (int)PyLong_AsLong(args[1]);
        nbp_event_resume(&at, PyCode_Addr2Line((PyCodeObject *)args[0], offset));
        nbp_event_end(&at);
    }
    Py_RETURN_NONE;
}

static PyObject *
leave_callback(PyObject *capsule, PyObject *const *args, Py_ssize_t n_args)
{
    nbp_event at;
    if (n_args == 3 && nbp_event_begin(capsule, args[0], &at)) {
        nbp_shadow_leave(at.shadow, at.frame, at.memory);
        nbp_event_end(&at);
    }
    Py_RETURN_NONE;
}

static PyObject *
suspend_callback(PyObject *capsule, PyObject *const *args, Py_ssize_t n_args)
{
    nbp_event at;
    if (n_args == 3 && nbp_event_begin(capsule, args[0], &at)) {
        nbp_shadow_suspend(at.shadow, at.frame, at.memory);
        nbp_event_end(&at);
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

/* A tool id that nobody uses, those without a meaning of their own first; -1 when all
 * are taken. */
static int
take_tool(void)
{
    static const int wanted[] = {4, 3, 5, 1, 2, 0};
    int tool =
        nbp_toolid_take(wanted, sizeof(wanted) / sizeof(*wanted), "nbprobe lines");
    PyErr_Clear();
    return tool;
}

static int
register_callbacks(int tool, PyObject *capsule)
{
    int everywhere = 0;
    for (int i = 0; i < N_EVENTS; i++) {
        int mask = nbp_monitoring_event(events[i].name);
        PyObject *callback =
            mask < 0 ? NULL : PyCFunction_New(events[i].method, capsule);
        if (callback == NULL || nbp_monitoring_call("register_callback", "(iiO)", tool,
                                                    mask, callback) < 0) {
            Py_XDECREF(callback);
            return -1;
        }
        Py_DECREF(callback);
        everywhere |= events[i].local ? 0 : mask;
    }
    return nbp_monitoring_call("set_events", "(ii)", tool, everywhere);
}

static int
local_mask(void)
{
    int all = 0;
    for (int i = 0; i < N_EVENTS; i++) {
        int mask = nbp_monitoring_event(events[i].name);
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
    if (nbp_monitoring_call("set_local_events", "(iOi)", tool, function->original,
                            mask) < 0) {
        return -1;
    }
    if (function->has_probes || function->instrumented == function->original) {
        return 0;
    }
    return nbp_monitoring_call("set_local_events", "(iOi)", tool,
                               function->instrumented, mask);
}

int
nbp_fallback_start(nbp_engine *self)
{
    if (!nbp_fallback_is_needed(self)) {
        return 0;
    }
    if (self->events == NULL) {
        int tool = take_tool();
        if (tool < 0) {
            nbp_fallback_drop(self);
            return 0;
        }
        self->events = nbp_fallback_new_receiver(self);
        if (self->events == NULL) {
            nbp_monitoring_call("free_tool_id", "(i)", tool);
            return -1;
        }
        nbp_fallback_receiver(self->events)->tool = tool;
        if (register_callbacks(tool, self->events) < 0) {
            return -1;
        }
    }
    int mask = local_mask();
    int tool = nbp_fallback_receiver(self->events)->tool;
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
    nbp_receiver *to = nbp_fallback_receiver(self->events);
    to->engine = NULL;
    for (Py_ssize_t i = 0; i < self->n_functions; i++) {
        const nbp_function *function = &self->functions[i];
        if (function->how & NBP_HOW_EVENTS) {
            set_local_events(function, to->tool, 0);
            PyErr_Clear();
        }
    }
    if (nbp_toolid_release(to->tool) < 0) {
        PyErr_Clear();
    }
    Py_CLEAR(self->events);
}

#endif
