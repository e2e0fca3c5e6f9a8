/* SPDX-License-Identifier: BSD-3-Clause */
/* nbprobe._core.write_snapshot and read_snapshot: core/snapshot.h for Python. */
#include "snapshot.h"

#define PY_SSIZE_T_CLEAN /* "s#" and its like take a Py_ssize_t: needed until 3.12 */
#include <Python.h>

#include <stdlib.h>

#include "state.h"

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

static PyMethodDef functions[] = {
    {"read_snapshot", read_snapshot, METH_O, read_doc},
    {"write_snapshot", write_snapshot, METH_VARARGS, write_doc},
    {NULL, NULL, 0, NULL},
};

int
nbp_add_snapshots(PyObject *module)
{
    return PyModule_AddFunctions(module, functions);
}
