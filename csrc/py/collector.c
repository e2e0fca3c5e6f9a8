/* SPDX-License-Identifier: BSD-3-Clause */
/* nbprobe._core.Collector: the receiving end of core/collector.h for Python. */
#define PY_SSIZE_T_CLEAN /* "y#" takes a Py_ssize_t: needed until 3.12 */
#include <Python.h>

#include "clock.h"
#include "keys.h"
#include "state.h"

/* Holds no reference, so it is not tracked by the collector of garbage. */
typedef struct {
    PyObject_HEAD
    nbp_collector *collector; /* owned; NULL when closed */
} collector_object;

static PyObject *
collector_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"endpoint", "session", "keys", NULL};
    const char *endpoint; /* borrowed */
    unsigned long long session;
    PyObject *keys = Py_None; /* borrowed */
    nbp_lock lock;
    const nbp_lock *used;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "sK|O:Collector", keywords,
                                     &endpoint, &session, &keys) ||
        nbp_read_lock(keys, &lock, &used) < 0) {
        return NULL;
    }
    collector_object *self = (collector_object *)type->tp_alloc(type, 0); /* owned */
    if (self == NULL) {
        return NULL;
    }
    nbp_status status = nbp_collector_open(&self->collector, endpoint, session, used);
    if (nbp_raise_open(status, endpoint) < 0) {
        Py_CLEAR(self);
    }
    return (PyObject *)self;
}

static void
close_collector(collector_object *self)
{
    nbp_collector *collector = self->collector; /* owned now */
    self->collector = NULL;
    Py_BEGIN_ALLOW_THREADS
    nbp_collector_close(&collector);
    Py_END_ALLOW_THREADS
}

static void
collector_dealloc(collector_object *self)
{
    PyTypeObject *type = Py_TYPE(self);
    close_collector(self);
    type->tp_free(self);
    Py_DECREF(type);
}

PyDoc_STRVAR(collector_close_doc,
             "close($self, /)\n"
             "--\n"
             "\n"
             "Stop receiving and forget everything; once more does nothing.\n");

static PyObject *
collector_close(collector_object *self, PyObject *Py_UNUSED(ignored))
{
    close_collector(self);
    Py_RETURN_NONE;
}

/* The collector, or NULL with an exception set. */
static nbp_collector *
opened(const collector_object *self)
{
    if (self->collector == NULL) {
        PyErr_SetString(PyExc_ValueError, "the collector is closed");
    }
    return self->collector;
}

PyDoc_STRVAR(
    counts_doc,
    "counts($self, /)\n"
    "--\n"
    "\n"
    "What has arrived.\n"
    "\n"
    "Returns\n"
    "-------\n"
    "dict of str to int\n"
    "    ``received`` (snapshots), ``foreign`` (of other sessions),\n"
    "    ``refused`` (no room), ``faulty`` (messages that are no snapshots),\n"
    "    ``denied`` (connections without the right key, or that were none).\n");

static PyObject *
collector_counts(collector_object *self, PyObject *Py_UNUSED(ignored))
{
    if (opened(self) == NULL) {
        return NULL;
    }
    nbp_collector_counts counts = nbp_collector_count(self->collector);
    unsigned long long faulty = 0;
    for (int fault = 0; fault < NBP_SNAPSHOT_FAULTS; fault++) {
        faulty += counts.faulty[fault];
    }
    return Py_BuildValue("{s:K, s:K, s:K, s:K, s:K}", "received",
                         (unsigned long long)counts.received, "foreign",
                         (unsigned long long)counts.foreign, "refused",
                         (unsigned long long)counts.refused, "faulty", faulty, "denied",
                         (unsigned long long)counts.denied);
}

PyDoc_STRVAR(
    peers_doc,
    "peers($self, /)\n"
    "--\n"
    "\n"
    "What every process sent last, in the order of their first messages.\n"
    "\n"
    "Returns\n"
    "-------\n"
    "list of tuple\n"
    "    Sequence number of the first snapshot that arrived, how many\n"
    "    arrived, the latest one as bytes, which `read_snapshot` reads, for how\n"
    "    many ns nothing has arrived, and whether its connection is there.\n");

static PyObject *
collector_peers(collector_object *self, PyObject *Py_UNUSED(ignored))
{
    if (opened(self) == NULL) {
        return NULL;
    }
    nbp_peer *peers = NULL;
    size_t count = 0;
    nbp_status status = nbp_collector_peers(self->collector, &peers, &count);
    if (status != NBP_OK) {
        return nbp_raise(status, "copying snapshots");
    }
    const int64_t now_ns = nbp_clock_now_ns(NBP_CLOCK_WALL);
    PyObject *result = PyList_New((Py_ssize_t)count); /* owned */
    for (size_t i = 0; result != NULL && i < count; i++) {
        PyObject *row = Py_BuildValue(
            "(KKy#LO)", (unsigned long long)peers[i].first,
            (unsigned long long)peers[i].received, (const char *)peers[i].message,
            (Py_ssize_t)peers[i].size, (long long)(now_ns - peers[i].heard_ns),
            peers[i].connection < 0 ? Py_False : Py_True);
        if (row == NULL) {
            Py_CLEAR(result);
            break;
        }
        PyList_SET_ITEM(result, (Py_ssize_t)i, row);
    }
    nbp_peers_free(peers, count);
    return result;
}

static PyObject *
collector_endpoint(collector_object *self, void *Py_UNUSED(closure))
{
    if (opened(self) == NULL) {
        return NULL;
    }
    return PyUnicode_DecodeFSDefault(nbp_collector_endpoint(self->collector));
}

PyDoc_STRVAR(collector_doc,
             "Collector(endpoint, session, keys=None)\n"
             "--\n"
             "\n"
             "Receives the snapshots of other processes, in a thread without the GIL.\n"
             "\n"
             "Parameters\n"
             "----------\n"
             "endpoint : str\n"
             "    ``ipc://`` and a path in a private directory, or ``tcp://``.\n"
             "session : int\n"
             "    Snapshots of another session are counted and not kept.\n"
             "keys : tuple of str, optional\n"
             "    Of `make_keys`; needed for TCP.\n"
             "\n"
             "Raises\n"
             "------\n"
             "OSError\n"
             "    If the address cannot be bound.\n"
             "ValueError\n"
             "    If an address of TCP has no keys.\n");

static PyMethodDef collector_methods[] = {
    {"close", (PyCFunction)collector_close, METH_NOARGS, collector_close_doc},
    {"counts", (PyCFunction)collector_counts, METH_NOARGS, counts_doc},
    {"peers", (PyCFunction)collector_peers, METH_NOARGS, peers_doc},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef collector_properties[] = {
    {"endpoint", (getter)collector_endpoint, NULL,
     PyDoc_STR("str: the address, with wildcards resolved."), NULL},
     {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot collector_slots[] = {
    {Py_tp_doc, (void *)collector_doc},   {Py_tp_new, collector_new},
    {Py_tp_dealloc, collector_dealloc},   {Py_tp_methods, collector_methods},
    {Py_tp_getset, collector_properties}, {0, NULL},
};

static PyType_Spec collector_spec = {
    .name = "nbprobe._core.Collector",
    .basicsize = sizeof(collector_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = collector_slots,
};

int
nbp_add_collector(PyObject *module)
{
    nbp_state *state = nbp_state_of(module);
    state->collector_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &collector_spec, NULL);
    if (state->collector_type == NULL) {
        return -1;
    }
    return PyModule_AddType(module, state->collector_type);
}
