/* SPDX-License-Identifier: BSD-3-Clause */
#include "toolid.h"

#include <stdbool.h>

#if NBP_HAS_MONITORING

/* sys.monitoring, borrowed, or NULL with an exception set. */
static PyObject *
monitoring(void)
{
    PyObject *found = PySys_GetObject("monitoring");
    if (found == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "sys.monitoring is gone");
    }
    return found;
}

int
nbp_monitoring_call(const char *name, const char *format, ...)
{
    PyObject *module = monitoring();
    if (module == NULL) {
        return -1;
    }
    va_list arguments;
    va_start(arguments, format);
    PyObject *tuple = Py_VaBuildValue(format, arguments);
    va_end(arguments);
    PyObject *function = tuple == NULL ? NULL : PyObject_GetAttrString(module, name);
    PyObject *result = function == NULL ? NULL : PyObject_CallObject(function, tuple);
    Py_XDECREF(function);
    Py_XDECREF(tuple);
    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}

int
nbp_monitoring_event(const char *name)
{
    PyObject *module = monitoring();
    PyObject *names = module == NULL ? NULL : PyObject_GetAttrString(module, "events");
    PyObject *value = names == NULL ? NULL : PyObject_GetAttrString(names, name);
    int mask = value == NULL ? -1 : (int)PyLong_AsLong(value);
    Py_XDECREF(value);
    Py_XDECREF(names);
    return mask;
}

int
nbp_toolid_take(const int *wanted, size_t n_wanted, const char *who)
{
    for (size_t i = 0; i < n_wanted; i++) {
        if (nbp_monitoring_call("use_tool_id", "(is)", wanted[i], who) == 0) {
            return wanted[i];
        }
        if (!PyErr_ExceptionMatches(PyExc_ValueError)) {
            return -1;
        }
        PyErr_Clear();
    }
    return -1;
}

int
nbp_toolid_release(int tool)
{
    /* All that any of us registers: before 3.14 an id that is given back keeps them. */
    static const char *const names[] = {
        "LINE",     "PY_START",  "PY_RESUME", "PY_THROW", "PY_RETURN",
        "PY_YIELD", "PY_UNWIND", "CALL",      "C_RETURN", "C_RAISE",
    };
    bool whole = nbp_monitoring_call("set_events", "(ii)", tool, 0) == 0;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        PyErr_Clear();
        int mask = nbp_monitoring_event(names[i]);
        if (mask < 0 || nbp_monitoring_call("register_callback", "(iiO)", tool, mask,
                                            Py_None) < 0) {
            whole = false;
        }
    }
    PyErr_Clear();
    if (nbp_monitoring_call("free_tool_id", "(i)", tool) < 0) {
        return -1;
    }
    if (!whole) {
        PyErr_SetString(PyExc_RuntimeError,
                        "sys.monitoring did not let go of all callbacks");
    }
    return whole ? 0 : -1;
}

#else

typedef int nbp_no_toolid; /* C wants something in every file */

#endif
