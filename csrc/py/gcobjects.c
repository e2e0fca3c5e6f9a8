/* SPDX-License-Identifier: BSD-3-Clause */
#include "gcobjects.h"

PyObject *
nbp_gc_objects(void)
{
    PyObject *gc = PyImport_ImportModule("gc");
    PyObject *objects =
        gc == NULL ? NULL : PyObject_CallMethod(gc, "get_objects", NULL);
    Py_XDECREF(gc);
    if (objects != NULL && !PyList_CheckExact(objects)) {
        PyErr_Format(PyExc_RuntimeError,
                     "gc.get_objects() gives a %.100s: somebody has replaced it",
                     Py_TYPE(objects)->tp_name);
        Py_CLEAR(objects);
    }
    return objects;
}
