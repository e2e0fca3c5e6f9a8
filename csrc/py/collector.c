/* SPDX-License-Identifier: BSD-3-Clause */
/* nbprobe._core.Collector and Courier: core/collector.h for Python. */
#include "collector.h"

#define PY_SSIZE_T_CLEAN /* "y#" takes a Py_ssize_t: needed until 3.12 */
#include <Python.h>

#include <errno.h>
#include <string.h>

#include "state.h"

/* Neither holds a reference, so neither is tracked by the collector of garbage. */
typedef struct {
    PyObject_HEAD
    nbp_collector *collector; /* owned; NULL when closed */
} collector_object;

typedef struct {
    PyObject_HEAD
    nbp_courier *courier; /* owned; NULL when closed, or while it is used or closed by
                           * another thread without the GIL */
} courier_object;

/* ---- keys ---- */

static int
copy_key(const char *text, char key[NBP_KEY_SIZE])
{
    if (strlen(text) != NBP_KEY_SIZE - 1) {
        PyErr_SetString(PyExc_ValueError, "a key has 40 characters");
        return -1;
    }
    memcpy(key, text, NBP_KEY_SIZE);
    return 0;
}

/* Reads the four keys into `*lock` and points `*out` at it, or at NULL for None. */
static int
read_lock(PyObject *keys, nbp_lock *lock, const nbp_lock **out)
{
    const char *texts[4]; /* borrowed */
    *out = NULL;
    if (keys == Py_None) {
        return 0;
    }
    if (!PyTuple_Check(keys)) {
        PyErr_SetString(PyExc_TypeError, "the keys must be a tuple or None");
        return -1;
    }
    if (!PyArg_ParseTuple(keys, "ssss;the keys are four strings", &texts[0], &texts[1],
                          &texts[2], &texts[3]) ||
        copy_key(texts[0], lock->server.open) < 0 ||
        copy_key(texts[1], lock->server.secret) < 0 ||
        copy_key(texts[2], lock->client.open) < 0 ||
        copy_key(texts[3], lock->client.secret) < 0) {
        return -1;
    }
    *out = lock;
    return 0;
}

PyDoc_STRVAR(make_keys_doc,
             "make_keys($module, /)\n"
             "--\n"
             "\n"
             "Make the keys of a connection over TCP.\n"
             "\n"
             "Returns\n"
             "-------\n"
             "tuple of str\n"
             "    Open and secret key of the collector, open and secret key of its\n"
             "    couriers (CURVE, Z85).\n"
             "\n"
             "Raises\n"
             "------\n"
             "RuntimeError\n"
             "    If libzmq was built without CURVE.\n");

static PyObject *
make_keys(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    nbp_lock lock;
    nbp_status status = nbp_keys_make(&lock.server);
    if (status == NBP_OK) {
        status = nbp_keys_make(&lock.client);
    }
    if (status != NBP_OK) {
        return nbp_raise(status, "encryption with this libzmq");
    }
    return Py_BuildValue("(ssss)", lock.server.open, lock.server.secret,
                         lock.client.open, lock.client.secret);
}

/* What opening gave, as an exception. */
static int
raise_open(nbp_status status, const char *endpoint)
{
    if (status == NBP_UNAVAILABLE) {
        PyErr_SetFromErrnoWithFilename(PyExc_OSError, endpoint);
    }
    else if (status == NBP_INVALID) {
        PyErr_SetString(PyExc_ValueError, "an address of TCP needs keys");
    }
    else if (status != NBP_OK) {
        nbp_raise(status, "opening a socket");
    }
    return status == NBP_OK ? 0 : -1;
}

/* ---- snapshots ---- */

PyDoc_STRVAR(write_doc,
             "write_snapshot($module, header, records, /)\n"
             "--\n"
             "\n"
             "Make a message of what was measured.\n"
             "\n"
             "Parameters\n"
             "----------\n"
             "header : tuple of int\n"
             "    Session; pid; pid of the parent; start of the process, ns;\n"
             "    sequence number; messages dropped before; stage (1: it is there,\n"
             "    2: it goes on, 3: it ends).\n"
             "records : list of bytes\n"
             "    At most 65,536, 256 MiB together.\n"
             "\n"
             "Raises\n"
             "------\n"
             "ValueError\n"
             "    If a figure is out of its range, or the records are too many.\n");

/* Borrows the data of `records`, a list of bytes; the caller frees. */
static nbp_record *
borrow_records(PyObject *records)
{
    Py_ssize_t count = PyList_GET_SIZE(records);
    nbp_record *rows = PyMem_Calloc((size_t)count + 1, sizeof(*rows));
    if (rows == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *record = PyList_GET_ITEM(records, i);
        if (!PyBytes_Check(record)) {
            PyErr_SetString(PyExc_TypeError, "a record must be bytes");
            PyMem_Free(rows);
            return NULL;
        }
        rows[i] = (nbp_record){(const uint8_t *)PyBytes_AS_STRING(record),
                               (size_t)PyBytes_GET_SIZE(record)};
    }
    return rows;
}

static PyObject *
write_snapshot(PyObject *Py_UNUSED(module), PyObject *args)
{
    unsigned long long session, started, sequence, dropped;
    unsigned int pid, parent, stage;
    PyObject *records; /* borrowed */
    if (!PyArg_ParseTuple(args, "(KIIKKKI)O!:write_snapshot", &session, &pid, &parent,
                          &started, &sequence, &dropped, &stage, &PyList_Type,
                          &records)) {
        return NULL;
    }
    if (PyList_GET_SIZE(records) > NBP_SNAPSHOT_MOST_RECORDS) {
        return nbp_raise(NBP_INVALID, "the number of records");
    }
    nbp_record *rows = borrow_records(records);
    if (rows == NULL) {
        return NULL;
    }
    const nbp_snapshot header = {
        .session = session,
        .pid = pid,
        .parent = parent,
        .started = started,
        .sequence = sequence,
        .dropped = dropped,
        .stage = stage,
        .records = (uint32_t)PyList_GET_SIZE(records),
    };
    uint8_t *message = NULL;
    size_t size = 0;
    nbp_status status = nbp_snapshot_write(&header, rows, &message, &size);
    PyMem_Free(rows);
    if (status != NBP_OK) {
        return nbp_raise(status, "writing a snapshot");
    }
    PyObject *result = PyBytes_FromStringAndSize((char *)message, (Py_ssize_t)size);
    free(message);
    return result;
}

PyDoc_STRVAR(read_doc, "read_snapshot($module, message, /)\n"
                       "--\n"
                       "\n"
                       "Give the header and the records of a message, as they were\n"
                       "written.\n"
                       "\n"
                       "Raises\n"
                       "------\n"
                       "ValueError\n"
                       "    If the message is damaged or no snapshot; says which.\n");

static PyObject *
read_snapshot(PyObject *Py_UNUSED(module), PyObject *arg)
{
    Py_buffer buffer;
    if (PyObject_GetBuffer(arg, &buffer, PyBUF_SIMPLE) < 0) {
        return NULL;
    }
    PyObject *records = NULL, *result = NULL; /* owned */
    const uint8_t *message = buffer.buf;
    size_t size = (size_t)buffer.len, at = 0;
    nbp_snapshot header;
    nbp_record row;
    nbp_snapshot_fault fault = nbp_snapshot_read(message, size, &header);
    if (fault != NBP_SNAPSHOT_FINE) {
        PyErr_SetString(PyExc_ValueError, nbp_snapshot_fault_text(fault));
        goto done;
    }
    records = PyList_New(0);
    while (records != NULL && nbp_snapshot_next(message, size, &at, &row)) {
        PyObject *record = PyBytes_FromStringAndSize((const char *)row.data,
                                                     (Py_ssize_t)row.size); /* owned */
        if (record == NULL || PyList_Append(records, record) < 0) {
            Py_CLEAR(records);
        }
        Py_XDECREF(record);
    }
    if (records != NULL) {
        result = Py_BuildValue(
            "(KIIKKKI)O", (unsigned long long)header.session, header.pid, header.parent,
            (unsigned long long)header.started, (unsigned long long)header.sequence,
            (unsigned long long)header.dropped, header.stage, records);
    }
done:
    Py_XDECREF(records);
    PyBuffer_Release(&buffer);
    return result;
}

/* ---- Collector ---- */

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
        read_lock(keys, &lock, &used) < 0) {
        return NULL;
    }
    collector_object *self = (collector_object *)type->tp_alloc(type, 0); /* owned */
    if (self == NULL) {
        return NULL;
    }
    nbp_status status = nbp_collector_open(&self->collector, endpoint, session, used);
    if (raise_open(status, endpoint) < 0) {
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
    "    arrived, and the latest one as bytes, which `read_snapshot` reads.\n");

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
    PyObject *result = PyList_New((Py_ssize_t)count); /* owned */
    for (size_t i = 0; result != NULL && i < count; i++) {
        PyObject *row =
            Py_BuildValue("(KKy#)", (unsigned long long)peers[i].first,
                          (unsigned long long)peers[i].received,
                          (const char *)peers[i].message, (Py_ssize_t)peers[i].size);
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

/* ---- Courier ---- */

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
        read_lock(keys, &lock, &used) < 0) {
        return NULL;
    }
    courier_object *self = (courier_object *)type->tp_alloc(type, 0); /* owned */
    if (self == NULL) {
        return NULL;
    }
    if (raise_open(nbp_courier_open(&self->courier, endpoint, used), endpoint) < 0) {
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

static PyMethodDef functions[] = {
    {"make_keys", make_keys, METH_NOARGS, make_keys_doc},
    {"read_snapshot", read_snapshot, METH_O, read_doc},
    {"write_snapshot", write_snapshot, METH_VARARGS, write_doc},
    {NULL, NULL, 0, NULL},
};

int
nbp_add_collector(PyObject *module)
{
    nbp_state *state = nbp_state_of(module);
    state->collector_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &collector_spec, NULL);
    state->courier_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &courier_spec, NULL);
    if (state->collector_type == NULL || state->courier_type == NULL ||
        PyModule_AddType(module, state->collector_type) < 0 ||
        PyModule_AddType(module, state->courier_type) < 0) {
        return -1;
    }
    return PyModule_AddFunctions(module, functions);
}
