/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory and children of any process for Python: core/process.h. */
#include "processes.h"

#include <Python.h>

#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "process.h"
#include "state.h"

PyObject *
nbp_raise_for_process(pid_t pid, int error)
{
    if (error == ENOMEM) {
        return PyErr_NoMemory();
    }
    const char *what = error == ESRCH    ? "there is no process %ld"
                       : error == ENOSYS ? "process %ld: there is no /proc here"
                                         : "process %ld belongs to somebody else";
    PyObject *text = PyUnicode_FromFormat(what, (long)pid); /* owned */
    PyObject *args = text == NULL ? NULL : Py_BuildValue("(iN)", error, text);
    if (args != NULL) {
        PyErr_SetObject(PyExc_OSError, args); /* of the subclass that is due */
        Py_DECREF(args);
    }
    return NULL;
}

int
nbp_process_number(PyObject *arg, pid_t *pid)
{
    long number = PyLong_AsLong(arg);
    if (number == -1 && PyErr_Occurred()) {
        return -1;
    }
    if (number < 0 || number > INT_MAX) {
        PyErr_Format(PyExc_ValueError, "a process number is positive, not %ld", number);
        return -1;
    }
    *pid = number == 0 ? getpid() : (pid_t)number;
    return 0;
}

PyDoc_STRVAR(memory_doc,
             "process_memory($module, pid=0, /)\n"
             "--\n"
             "\n"
             "What a process holds, by four measures: (rss, pss, uss, swap), bytes.\n"
             "\n"
             "Resident (shared pages in full), proportional (a page that n processes\n"
             "share counts as 1/n of it: the one that adds up), unique, and swapped\n"
             "out. The kernel walks the process's page tables: about 2 ms for 300 MB,\n"
             "without the GIL.\n"
             "\n"
             "Raises\n"
             "------\n"
             "ProcessLookupError\n"
             "    If there is no such process, or it has ended.\n"
             "PermissionError\n"
             "    If it belongs to somebody else.\n");

static PyObject *
process_memory(PyObject *module, PyObject *args)
{
    PyObject *number = NULL; /* borrowed */
    pid_t pid = getpid();
    nbp_memory memory;
    int error;
    if (!PyArg_ParseTuple(args, "|O:process_memory", &number) ||
        (number != NULL && nbp_process_number(number, &pid) < 0)) {
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    error = nbp_process_memory(pid, &memory);
    Py_END_ALLOW_THREADS
    if (error != 0) {
        return nbp_raise_for_process(pid, error);
    }
    return Py_BuildValue("(LLLL)", (long long)memory.rss, (long long)memory.pss,
                         (long long)memory.uss, (long long)memory.swap);
}

PyDoc_STRVAR(children_doc,
             "process_children($module, pid=0, all=True, /)\n"
             "--\n"
             "\n"
             "The numbers of the processes that a process has started.\n"
             "\n"
             "Those that run; with `all` also what they have started, the nearest\n"
             "first.\n"
             "\n"
             "Raises\n"
             "------\n"
             "ProcessLookupError\n"
             "    If there is no such process.\n");

static PyObject *
process_children(PyObject *module, PyObject *args)
{
    PyObject *number = NULL; /* borrowed */
    pid_t pid = getpid();
    int all = 1;
    pid_t *pids = NULL; /* owned */
    size_t count = 0;
    int error;
    if (!PyArg_ParseTuple(args, "|Op:process_children", &number, &all) ||
        (number != NULL && nbp_process_number(number, &pid) < 0)) {
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    error = nbp_process_children(pid, all, &pids, &count);
    Py_END_ALLOW_THREADS
    if (error != 0) {
        return nbp_raise_for_process(pid, error);
    }
    PyObject *list = PyList_New((Py_ssize_t)count); /* owned, returned */
    for (size_t i = 0; list != NULL && i < count; i++) {
        PyObject *child = PyLong_FromLong((long)pids[i]);
        if (child == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, (Py_ssize_t)i, child);
    }
    free(pids);
    return list;
}

PyDoc_STRVAR(tree_doc,
             "process_tree($module, pid=0, /)\n"
             "--\n"
             "\n"
             "A process with all its descendants: (bytes, processes).\n"
             "\n"
             "The sum of the proportional sizes, in which no page counts twice, and\n"
             "how many processes could be read. Takes what :func:`process_memory`\n"
             "takes for each of them.\n");

static PyObject *
process_tree(PyObject *module, PyObject *args)
{
    PyObject *number = NULL; /* borrowed */
    pid_t pid = getpid();
    int64_t bytes;
    size_t processes;
    int error;
    if (!PyArg_ParseTuple(args, "|O:process_tree", &number) ||
        (number != NULL && nbp_process_number(number, &pid) < 0)) {
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    error = nbp_process_tree_pss(pid, &bytes, &processes);
    Py_END_ALLOW_THREADS
    if (error != 0) {
        return nbp_raise_for_process(pid, error);
    }
    return Py_BuildValue("(Ln)", (long long)bytes, (Py_ssize_t)processes);
}

static PyMethodDef functions[] = {
    {"process_memory", process_memory, METH_VARARGS, memory_doc},
    {"process_children", process_children, METH_VARARGS, children_doc},
    {"process_tree", process_tree, METH_VARARGS, tree_doc},
    {NULL, NULL, 0, NULL},
};

int
nbp_add_processes(PyObject *module)
{
    return PyModule_AddFunctions(module, functions);
}
