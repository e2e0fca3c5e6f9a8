/* SPDX-License-Identifier: BSD-3-Clause */
/* core/lastword.h for Python. */
#include "lastword.h"

#include <Python.h>

#include "state.h"

PyDoc_STRVAR(
    take_doc,
    "take_sigterm($module, fd, patience_ms, /)\n"
    "--\n"
    "\n"
    "Let SIGTERM write a byte to a pipe first, and end the process so much later\n"
    "unless somebody raises it again before.\n"
    "\n"
    "Returns\n"
    "-------\n"
    "bool\n"
    "    False: somebody else handles or ignores it, or the platform cannot;\n"
    "    nothing was changed.\n");

static PyObject *
take_sigterm(PyObject *Py_UNUSED(module), PyObject *args)
{
    int fd, patience_ms;
    if (!PyArg_ParseTuple(args, "ii:take_sigterm", &fd, &patience_ms)) {
        return NULL;
    }
    if (fd < 0 || patience_ms < 0) {
        return nbp_raise(NBP_INVALID, "take_sigterm()");
    }
    return PyBool_FromLong(nbp_lastword_take(fd, patience_ms) == NBP_OK);
}

PyDoc_STRVAR(release_doc, "release_sigterm($module, /)\n"
                          "--\n"
                          "\n"
                          "Undo `take_sigterm`; also from another thread.\n");

static PyObject *
release_sigterm(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    nbp_lastword_release();
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"release_sigterm", release_sigterm, METH_NOARGS, release_doc},
    {"take_sigterm", take_sigterm, METH_VARARGS, take_doc},
    {NULL, NULL, 0, NULL},
};

int
nbp_add_lastword(PyObject *module)
{
    return PyModule_AddFunctions(module, functions);
}
