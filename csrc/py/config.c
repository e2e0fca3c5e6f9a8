/* SPDX-License-Identifier: BSD-3-Clause */
/* What was built and against what: the part of nbprobe.build_config() that only C
 * knows. */
#include <Python.h>

#include "collector.h"
#include "drawing.h"
#include "state.h"

static PyObject *
graphviz_version(void)
{
    char text[64];
    nbp_status status;
    Py_BEGIN_ALLOW_THREADS
    status = nbp_drawing_version(text, sizeof(text));
    Py_END_ALLOW_THREADS
    if (status != NBP_OK) {
        return nbp_raise(status, "drawing with Graphviz");
    }
    return PyUnicode_FromString(text);
}

PyDoc_STRVAR(config_doc,
             "build_config($module, /)\n"
             "--\n"
             "\n"
             "What this extension was built with, and the libraries it runs with.\n"
             "\n"
             "Returns\n"
             "-------\n"
             "dict of str to str or bool\n"
             "    ``compiler``, ``options`` and ``headers`` (the CPython it was\n"
             "    compiled for); ``graphviz`` and ``zeromq`` (the versions loaded);\n"
             "    ``graphviz_plugins`` (``'built in'`` or ``'loaded at run time'``).\n"
             "\n"
             "Raises\n"
             "------\n"
             "RuntimeError\n"
             "    If the Graphviz that is loaded cannot draw one node.\n");

static PyObject *
config(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    int major, minor, patch;
    nbp_collector_zmq_version(&major, &minor, &patch);
    PyObject *graphviz = graphviz_version(); /* owned, given to the dict below */
    if (graphviz == NULL) {
        return NULL;
    }
    return Py_BuildValue(
        "{s:s, s:s, s:s, s:N, s:s, s:N}", "compiler", NBP_COMPILER, "options",
        NBP_BUILD_OPTIONS, "headers", PY_VERSION, "graphviz", graphviz,
        "graphviz_plugins",
        nbp_drawing_has_builtin_plugins() ? "built in" : "loaded at run time", "zeromq",
        PyUnicode_FromFormat("%d.%d.%d", major, minor, patch));
}

static PyMethodDef config_methods[] = {
    {"build_config", config, METH_NOARGS, config_doc},
    {NULL, NULL, 0, NULL},
};

int
nbp_add_config(PyObject *module)
{
    if (PyModule_AddStringConstant(module, "__version__", NBP_VERSION) < 0) {
        return -1;
    }
    return PyModule_AddFunctions(module, config_methods);
}
