/* SPDX-License-Identifier: BSD-3-Clause */
/* nbprobe._core.Courier: the sending end of core/collector.h for Python. */
#include <Python.h>

#include "keys.h"
#include "state.h"

/* Holds no reference, so it is not tracked by the collector of garbage. */
typedef struct {
    PyObject_HEAD
    nbp_courier *courier; /* owned; NULL when closed, or while it is used or closed by
                           * another thread without the GIL */
} courier_object;

static PyObject *
courier_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"endpoint", "keys", NULL};
    const char *endpoint;     /* borrowed */
    PyObject *keys = Py_None; /* borrowed */
    nbp_lock lock;
    const nbp_lock *used;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "s|O:Courier", keywords, &endpoint,
                                     &keys) ||
        nbp_read_lock(keys, &lock, &used) < 0) {
        return NULL;
    }
    courier_object *self = (courier_object *)type->tp_alloc(type, 0); /* owned */
    if (self == NULL) {
        return NULL;
    }
    if (nbp_raise_open(nbp_courier_open(&self->courier, endpoint, used), endpoint) <
        0) {
        Py_CLEAR(self);
    }
    return (PyObject *)self;
}

static void
close_courier(courier_object *self, int patience_ms)
{
    nbp_courier *courier = self->courier; /* owned now */
    self->courier = NULL;
    Py_BEGIN_ALLOW_THREADS
    nbp_courier_close(&courier, patience_ms);
    Py_END_ALLOW_THREADS
}

static void
courier_dealloc(courier_object *self)
{
    PyTypeObject *type = Py_TYPE(self);
    close_courier(self, 0);
    type->tp_free(self);
    Py_DECREF(type);
}

/* Reads the one argument of send() and close(), ms; -1 with an exception set. */
static int
patience_of(PyObject *value)
{
    long patience = PyLong_AsLong(value);
    if (patience == -1 && PyErr_Occurred()) {
        return -1;
    }
    if (patience < 0 || patience > 60000) {
        PyErr_SetString(PyExc_ValueError, "the patience must be 0 to 60000 ms");
        return -1;
    }
    return (int)patience;
}

PyDoc_STRVAR(courier_close_doc,
             "close($self, patience_ms, /)\n"
             "--\n"
             "\n"
             "Wait at most so long for what is queued to leave, and disconnect; once\n"
             "more does nothing.\n");

static PyObject *
courier_close(courier_object *self, PyObject *arg)
{
    int patience_ms = patience_of(arg);
    if (patience_ms < 0) {
        return NULL;
    }
    close_courier(self, patience_ms);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(
    send_doc,
    "send($self, message, patience_ms, /)\n"
    "--\n"
    "\n"
    "Hand a message over, waiting at most so long for room in the queue.\n"
    "\n"
    "Returns\n"
    "-------\n"
    "bool\n"
    "    False: it was not sent; also when closed, in use by another thread, or\n"
    "    opened by another process.\n");

static PyObject *
courier_send(courier_object *self, PyObject *args)
{
    PyObject *message, *patience; /* borrowed */
    if (!PyArg_ParseTuple(args, "SO:send", &message, &patience)) {
        return NULL;
    }
    int patience_ms = patience_of(patience);
    if (patience_ms < 0) {
        return NULL;
    }
    nbp_courier *courier = self->courier;
    bool sent = false;
    if (courier != NULL) {
        self->courier = NULL; /* nobody else may use or close it meanwhile */
        Py_BEGIN_ALLOW_THREADS
        sent = nbp_courier_send(courier, (const uint8_t *)PyBytes_AS_STRING(message),
                                (size_t)PyBytes_GET_SIZE(message), patience_ms);
        Py_END_ALLOW_THREADS
        self->courier = courier;
    }
    return PyBool_FromLong(sent);
}

PyDoc_STRVAR(courier_doc,
             "Courier(endpoint, keys=None)\n"
             "--\n"
             "\n"
             "Sends the snapshots of this process to a `Collector`, which need not be\n"
             "there yet. After a fork the child needs one of its own.\n");

static PyMethodDef courier_methods[] = {
    {"close", (PyCFunction)courier_close, METH_O, courier_close_doc},
    {"send", (PyCFunction)courier_send, METH_VARARGS, send_doc},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot courier_slots[] = {
    {Py_tp_doc, (void *)courier_doc},
    {Py_tp_new, courier_new},
    {Py_tp_dealloc, courier_dealloc},
    {Py_tp_methods, courier_methods},
    {0, NULL},
};

static PyType_Spec courier_spec = {
    .name = "nbprobe._core.Courier",
    .basicsize = sizeof(courier_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = courier_slots,
};

int
nbp_add_courier(PyObject *module)
{
    nbp_state *state = nbp_state_of(module);
    state->courier_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &courier_spec, NULL);
    if (state->courier_type == NULL) {
        return -1;
    }
    return PyModule_AddType(module, state->courier_type);
}
