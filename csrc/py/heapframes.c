/* SPDX-License-Identifier: BSD-3-Clause */
#include "heapframes.h"

#include "heapwalk.h"
#include "state.h"

void
nbp_frames_visit(int (*visit)(nbp_frame *frame, void *arg), void *arg)
{
    PyInterpreterState *interpreter = PyInterpreterState_Get();
    for (PyThreadState *thread = PyInterpreterState_ThreadHead(interpreter);
         thread != NULL; thread = PyThreadState_Next(thread)) {
        for (nbp_frame *frame = nbp_layout_innermost(thread); frame != NULL;
             frame = nbp_layout_caller(frame)) {
            if (visit(frame, arg) != 0) {
                return;
            }
        }
    }
}

/* A variable of a running frame that is one of the targets. */
typedef struct {
    size_t target;
    const nbp_frame *frame;
    PyObject *code, *name; /* owned */
} held;

typedef struct {
    PyObject *targets; /* borrowed; list */
    PyObject *hidden;  /* borrowed; tuple of str */
    held *rows;        /* owned */
    size_t count, capacity;
    bool failed; /* memory was short */
} frame_search;

static void
note(frame_search *it, size_t target, const nbp_frame *frame, PyObject *code,
     PyObject *name)
{
    if (it->count == it->capacity) {
        size_t capacity = 2 * it->capacity + 16;
        held *rows = realloc(it->rows, capacity * sizeof(*rows));
        if (rows == NULL) {
            it->failed = true;
            return;
        }
        it->rows = rows;
        it->capacity = capacity;
    }
    it->rows[it->count++] = (held){target, frame, Py_NewRef(code), Py_NewRef(name)};
}

static int
look_into(nbp_frame *frame, void *arg)
{
    frame_search *it = arg;
    if (nbp_walk_frame_belongs(frame, it->hidden)) {
        return 0;
    }
    PyCodeObject *code = nbp_layout_frame_code(frame);
    PyObject *const *variables = nbp_layout_frame_variables(frame);
    for (int i = 0; i < code->co_nlocalsplus; i++) {
        for (Py_ssize_t j = 0; j < PyList_GET_SIZE(it->targets); j++) {
            if (variables[i] == PyList_GET_ITEM(it->targets, j)) {
                note(it, (size_t)j, frame, (PyObject *)code,
                     PyTuple_GET_ITEM(code->co_localsplusnames, i));
            }
        }
    }
    return it->failed;
}

PyDoc_STRVAR(
    holders_doc,
    "running_holders($module, targets, hidden, /)\n"
    "--\n"
    "\n"
    "Variables of running functions that hold one of some objects.\n"
    "\n"
    "Parameters\n"
    "----------\n"
    "targets : list\n"
    "hidden : tuple of str\n"
    "    Packages whose functions are left out.\n"
    "\n"
    "Returns\n"
    "-------\n"
    "list of tuple of (int, int, code, str)\n"
    "    Place in `targets`, a number that is the same for the same frame, what\n"
    "    it runs, and the name of the variable; of all threads.\n");

static PyObject *
running_holders(PyObject *Py_UNUSED(module), PyObject *args)
{
    frame_search it = {0};
    if (!PyArg_ParseTuple(args, "O!O!:running_holders", &PyList_Type, &it.targets,
                          &PyTuple_Type, &it.hidden)) {
        return NULL;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(it.hidden); i++) {
        if (!PyUnicode_CheckExact(PyTuple_GET_ITEM(it.hidden, i))) {
            PyErr_SetString(PyExc_TypeError, "hidden packages must be str");
            return NULL;
        }
    }
    nbp_frames_visit(look_into, &it);
    PyObject *list = it.failed ? PyErr_NoMemory() : PyList_New((Py_ssize_t)it.count);
    for (size_t i = 0; i < it.count; i++) {
        const held *row = &it.rows[i];
        PyObject *item = NULL; /* owned, given to the list */
        if (list != NULL) {
            item = Py_BuildValue("(nKOO)", (Py_ssize_t)row->target,
                                 (unsigned long long)(uintptr_t)row->frame, row->code,
                                 row->name);
        }
        Py_DECREF(row->code);
        Py_DECREF(row->name);
        if (item == NULL) {
            Py_CLEAR(list);
        }
        else {
            PyList_SET_ITEM(list, (Py_ssize_t)i, item);
        }
    }
    free(it.rows);
    return list;
}

static PyMethodDef frames_methods[] = {
    {"running_holders", running_holders, METH_VARARGS, holders_doc},
    {NULL, NULL, 0, NULL},
};

int
nbp_add_frames(PyObject *module)
{
    return PyModule_AddFunctions(module, frames_methods);
}
