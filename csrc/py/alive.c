/* SPDX-License-Identifier: BSD-3-Clause */
/* The Python functions that are alive. */
#include "compat.h"
#include "gcobjects.h"
#include "state.h"

/* Appends `function` to the list of its code's file in `files`. */
static int
append_function(PyObject *files, PyObject *function)
{
    PyObject *file = ((PyCodeObject *)PyFunction_GET_CODE(function))->co_filename;
    PyObject *list = PyDict_GetItemWithError(files, file); /* borrowed */
    if (list == NULL) {
        if (PyErr_Occurred()) {
            return -1;
        }
        list = PyList_New(0);
        int status = list == NULL ? -1 : PyDict_SetItem(files, file, list);
        Py_XDECREF(list); /* `files` has it */
        if (status < 0) {
            return -1;
        }
    }
    return PyList_Append(list, function);
}

PyDoc_STRVAR(functions_by_file_doc, "functions_by_file($module, /)\n"
                                    "--\n"
                                    "\n"
                                    "Find all Python functions that are alive.\n"
                                    "\n"
                                    "Returns\n"
                                    "-------\n"
                                    "dict of str to list of function\n"
                                    "    By the file that their code names.\n");

static PyObject *
functions_by_file(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    PyObject *objects = nbp_gc_objects();
    PyObject *files = objects == NULL ? NULL : PyDict_New();
    for (Py_ssize_t i = 0; files != NULL && i < PyList_GET_SIZE(objects); i++) {
        PyObject *object = PyList_GET_ITEM(objects, i);
        if (PyFunction_Check(object) && append_function(files, object) < 0) {
            Py_CLEAR(files);
        }
    }
    Py_XDECREF(objects);
    return files;
}

static PyMethodDef methods[] = {
    {"functions_by_file", functions_by_file, METH_NOARGS, functions_by_file_doc},
    {NULL, NULL, 0, NULL},
};

int
nbp_add_alive(PyObject *module)
{
    return PyModule_AddFunctions(module, methods);
}
