/* SPDX-License-Identifier: BSD-3-Clause */
/* core/logicallines.h for Python. */
#include "logicallines.h"

#include <Python.h>

#include "state.h"

PyDoc_STRVAR(
    logical_lines_doc,
    "logical_lines($module, text, /)\n"
    "--\n"
    "\n"
    "Say which lines of Python source make one logical line, without parsing it.\n"
    "\n"
    "Parameters\n"
    "----------\n"
    "text : str\n"
    "    With line feeds only.\n"
    "\n"
    "Returns\n"
    "-------\n"
    "bytes\n"
    "    An int32 for each line, from the first on: the number (from 1) of the line\n"
    "    that its logical line begins on. LineEngine.add() takes it as statements.\n"
    "\n"
    "Raises\n"
    "------\n"
    "ValueError\n"
    "    If it cannot be Python.\n");

static PyObject *
logical_lines(PyObject *Py_UNUSED(module), PyObject *text)
{
    Py_ssize_t size;
    const char *bytes = PyUnicode_AsUTF8AndSize(text, &size);
    if (bytes == NULL) {
        return NULL;
    }
    size_t count = nbp_lines_in(bytes, (size_t)size);
    PyObject *result =
        PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(count * sizeof(int32_t)));
    if (result == NULL) {
        return NULL;
    }
    nbp_status status = nbp_logical_lines(bytes, (size_t)size,
                                          (int32_t *)(void *)PyBytes_AS_STRING(result));
    if (status != NBP_OK) {
        Py_DECREF(result);
        PyErr_SetString(PyExc_ValueError, "logical_lines(): not Python source");
        return NULL;
    }
    return result;
}

static PyMethodDef methods[] = {
    {"logical_lines", logical_lines, METH_O, logical_lines_doc},
    {NULL, NULL, 0, NULL},
};

int
nbp_add_logicallines(PyObject *module)
{
    return PyModule_AddFunctions(module, methods);
}
