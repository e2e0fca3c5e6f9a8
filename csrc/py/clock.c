/* SPDX-License-Identifier: BSD-3-Clause */
/* The core's clocks, by number and with their resolution. */
#include "clock.h"

#include <Python.h>

#include "state.h"

PyDoc_STRVAR(resolution_doc,
             "clock_resolution_ns($module, clock, /)\n"
             "--\n"
             "\n"
             "The smallest step of a clock, in ns, by clock_getres().\n");

static PyObject *
clock_resolution_ns(PyObject *module, PyObject *arg)
{
    long clock = PyLong_AsLong(arg);
    if (clock == -1 && PyErr_Occurred()) {
        return NULL;
    }
    if (clock < 0 || clock >= NBP_CLOCK_COUNT) {
        PyErr_Format(PyExc_ValueError, "clock must be one of _core.CLOCK_*, not %ld",
                     clock);
        return NULL;
    }
    return PyLong_FromLongLong(nbp_clock_resolution_ns((nbp_clock)clock));
}

static PyMethodDef clock_methods[] = {
    {"clock_resolution_ns", clock_resolution_ns, METH_O, resolution_doc},
    {NULL, NULL, 0, NULL},
};

int
nbp_add_clock(PyObject *module)
{
    if (PyModule_AddIntConstant(module, "CLOCK_WALL", NBP_CLOCK_WALL) < 0 ||
        PyModule_AddIntConstant(module, "CLOCK_REAL", NBP_CLOCK_REAL) < 0 ||
        PyModule_AddIntConstant(module, "CLOCK_PROCESS_CPU", NBP_CLOCK_PROCESS_CPU) <
            0 ||
        PyModule_AddIntConstant(module, "CLOCK_THREAD_CPU", NBP_CLOCK_THREAD_CPU) < 0) {
        return -1;
    }
    return PyModule_AddFunctions(module, clock_methods);
}
