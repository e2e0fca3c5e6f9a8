/* SPDX-License-Identifier: BSD-3-Clause */
/* nbprobe._core.Counters: core/counters.h for Python. */
#include "counters.h"

#include <Python.h>

#include "state.h"

/* Not tracked by the collector: what it holds, a tuple of strings, makes no cycle. */
typedef struct {
    PyObject_HEAD
    nbp_counters_t *counters; /* owned; NULL when closed */
    PyObject *names;          /* owned tuple of str */
    PyObject *unavailable;    /* owned str */
} counters_object;

/* The names of the counters that count, as a tuple; NULL with an exception set. */
static PyObject *
available_names(const nbp_counters_t *counters)
{
    PyObject *names = PyList_New(0); /* owned */
    PyObject *tuple = NULL;          /* owned, returned */
    if (names == NULL) {
        return NULL;
    }
    for (int i = 0; i < NBP_COUNTER_COUNT; i++) {
        if (!nbp_counters_has(counters, (nbp_counter)i)) {
            continue;
        }
        PyObject *name = PyUnicode_FromString(nbp_counters_name((nbp_counter)i));
        if (name == NULL || PyList_Append(names, name) < 0) {
            Py_XDECREF(name);
            goto done;
        }
        Py_DECREF(name);
    }
    tuple = PyList_AsTuple(names);
done:
    Py_DECREF(names);
    return tuple;
}

static PyObject *
counters_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {NULL};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, ":Counters", keywords)) {
        return NULL;
    }
    counters_object *self = (counters_object *)type->tp_alloc(type, 0); /* owned */
    if (self == NULL) {
        return NULL;
    }
    self->counters = nbp_counters_new();
    if (self->counters == NULL) {
        PyErr_NoMemory();
        goto fail;
    }
    self->names = available_names(self->counters);
    self->unavailable = PyUnicode_FromString(nbp_counters_unavailable(self->counters));
    if (self->names == NULL || self->unavailable == NULL) {
        goto fail;
    }
    return (PyObject *)self;
fail:
    Py_DECREF(self);
    return NULL;
}

static void
counters_dealloc(counters_object *self)
{
    PyTypeObject *type = Py_TYPE(self);
    nbp_counters_destroy(&self->counters);
    Py_CLEAR(self->names);
    Py_CLEAR(self->unavailable);
    type->tp_free(self);
    Py_DECREF(type);
}

/* 0 while open, else -1 with an exception set. */
static int
check_open(const counters_object *self)
{
    if (self->counters == NULL) {
        PyErr_SetString(PyExc_ValueError, "the counters are closed");
        return -1;
    }
    return 0;
}

PyDoc_STRVAR(start_doc, "start($self, /)\n"
                        "--\n"
                        "\n"
                        "Start counting from 0, also when it was counting already.\n"
                        "\n"
                        "Raises\n"
                        "------\n"
                        "ValueError\n"
                        "    If the counters are closed.\n");

static PyObject *
counters_start(counters_object *self, PyObject *Py_UNUSED(ignored))
{
    if (check_open(self) < 0) {
        return NULL;
    }
    nbp_status status = nbp_counters_start(self->counters);
    if (status != NBP_OK) {
        return nbp_raise(status, "starting the counters");
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(stop_doc,
             "stop($self, /)\n"
             "--\n"
             "\n"
             "Stop, and say what was counted since :meth:`start`.\n"
             "\n"
             "Returns\n"
             "-------\n"
             "dict of str to int\n"
             "    By the names in :attr:`names`. Where the kernel let counters take\n"
             "    turns, the count is scaled up to the whole time; one that never got\n"
             "    its turn is left out.\n"
             "\n"
             "Raises\n"
             "------\n"
             "ValueError\n"
             "    If the counters are closed.\n"
             "RuntimeError\n"
             "    If they were not started.\n");

static PyObject *
counters_stop(counters_object *self, PyObject *Py_UNUSED(ignored))
{
    int64_t counts[NBP_COUNTER_COUNT];
    if (check_open(self) < 0) {
        return NULL;
    }
    nbp_status status = nbp_counters_stop(self->counters, counts);
    if (status == NBP_INVALID) {
        PyErr_SetString(PyExc_RuntimeError, "stop() without start()");
        return NULL;
    }
    if (status != NBP_OK) {
        return nbp_raise(status, "stopping the counters");
    }
    PyObject *result = PyDict_New(); /* owned */
    for (int i = 0; result != NULL && i < NBP_COUNTER_COUNT; i++) {
        if (counts[i] < 0) {
            continue;
        }
        PyObject *count = PyLong_FromLongLong(counts[i]); /* owned */
        const char *name = nbp_counters_name((nbp_counter)i);
        if (count == NULL || PyDict_SetItemString(result, name, count) < 0) {
            Py_CLEAR(result);
        }
        Py_XDECREF(count);
    }
    return result;
}

PyDoc_STRVAR(close_doc,
             "close($self, /)\n"
             "--\n"
             "\n"
             "Give the counters back to the kernel; once more does nothing.\n");

static PyObject *
counters_close(counters_object *self, PyObject *Py_UNUSED(ignored))
{
    nbp_counters_destroy(&self->counters);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(
    enter_doc,
    "__enter__($self, /)\n"
    "--\n"
    "\n"
    "These counters, to be closed at the end of the block; it starts nothing.\n");

static PyObject *
counters_enter(counters_object *self, PyObject *Py_UNUSED(ignored))
{
    if (check_open(self) < 0) {
        return NULL;
    }
    return Py_NewRef((PyObject *)self);
}

PyDoc_STRVAR(exit_doc, "__exit__($self, type, value, traceback, /)\n"
                       "--\n"
                       "\n"
                       "Close the counters.\n");

static PyObject *
counters_exit(counters_object *self, PyObject *Py_UNUSED(args))
{
    return counters_close(self, NULL);
}

static PyObject *
counters_names(counters_object *self, void *Py_UNUSED(closure))
{
    return Py_NewRef(self->names);
}

static PyObject *
counters_unavailable(counters_object *self, void *Py_UNUSED(closure))
{
    return Py_NewRef(self->unavailable);
}

PyDoc_STRVAR(counters_doc,
             "Counters()\n"
             "--\n"
             "\n"
             "Hardware and kernel counters of the thread that creates this object.\n"
             "\n"
             "Instructions, cycles, branches, branch-misses and cache-misses in user\n"
             "space, page-faults and context-switches, through Linux's\n"
             "perf_event_open(2). A counter that is missing raises nothing: it is not\n"
             "in :attr:`names`, and :attr:`unavailable` says why.\n"
             "\n"
             "Examples\n"
             "--------\n"
             ">>> with Counters() as counters:\n"
             "...     counters.start()\n"
             "...     total = sum(range(1000))\n"
             "...     counts = counters.stop()\n"
             ">>> set(counts) <= set(counters.names)\n"
             "True\n");

static PyMethodDef counters_methods[] = {
    {"start", (PyCFunction)counters_start, METH_NOARGS, start_doc},
    {"stop", (PyCFunction)counters_stop, METH_NOARGS, stop_doc},
    {"close", (PyCFunction)counters_close, METH_NOARGS, close_doc},
    {"__enter__", (PyCFunction)counters_enter, METH_NOARGS, enter_doc},
    {"__exit__", (PyCFunction)counters_exit, METH_VARARGS, exit_doc},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef counters_properties[] = {
    {"names", (getter)counters_names, NULL,
     PyDoc_STR("tuple of str: the counters that count here."), NULL},
     {"unavailable", (getter)counters_unavailable, NULL,
      PyDoc_STR("str: in one line, which counters are missing and why; '' if none."),
                NULL},
      {NULL, NULL, NULL, NULL, NULL},
    };

static PyType_Slot counters_slots[] = {
    {Py_tp_doc, (void *)counters_doc},   {Py_tp_new, counters_new},
    {Py_tp_dealloc, counters_dealloc},   {Py_tp_methods, counters_methods},
    {Py_tp_getset, counters_properties}, {0, NULL},
};

static PyType_Spec counters_spec = {
    .name = "nbprobe._core.Counters",
    .basicsize = sizeof(counters_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = counters_slots,
};

int
nbp_add_counters(PyObject *module)
{
    nbp_state *state = nbp_state_of(module);
    state->counters_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &counters_spec, NULL);
    if (state->counters_type == NULL) {
        return -1;
    }
    return PyModule_AddType(module, state->counters_type);
}
