/* SPDX-License-Identifier: BSD-3-Clause */
#include "statements.h"

enum {
    MAX_LINE = 1 << 24,
};

/* What logical_lines() gave; anybody may have written other bytes. */
static int
read_bytes(PyObject *bytes, nbp_statement_map *out)
{
    const int32_t *first = (const int32_t *)(const void *)PyBytes_AS_STRING(bytes);
    Py_ssize_t count = PyBytes_GET_SIZE(bytes) / (Py_ssize_t)sizeof(*first);
    if (count > MAX_LINE) {
        PyErr_SetString(PyExc_ValueError, "statements: too many lines");
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        if (first[i] < 1 || first[i] > i + 1) {
            PyErr_SetString(PyExc_ValueError, "statements: a line is out of range");
            return -1;
        }
    }
    *out = (nbp_statement_map){
        .view = {.first = first, .from = 1, .count = (int32_t)count},
        .bytes = Py_NewRef(bytes),
    };
    return 0;
}

static int
read_dict(PyObject *mapping, nbp_statement_map *out)
{
    PyObject *key, *value; /* borrowed */
    Py_ssize_t at = 0;
    long lowest = LONG_MAX, highest = LONG_MIN;
    while (PyDict_Next(mapping, &at, &key, &value)) {
        if (!PyLong_Check(key) || !PyLong_Check(value)) {
            PyErr_SetString(PyExc_TypeError, "statements: lines must be int");
            return -1;
        }
        long line = PyLong_AsLong(key), first = PyLong_AsLong(value);
        if (PyErr_Occurred()) {
            return -1;
        }
        if (line < 0 || first < 0 || line > MAX_LINE || first > MAX_LINE) {
            PyErr_SetString(PyExc_ValueError, "statements: a line is out of range");
            return -1;
        }
        lowest = line < lowest ? line : lowest;
        highest = line > highest ? line : highest;
    }
    if (lowest > highest) {
        return 0;
    }
    int32_t count = (int32_t)(highest - lowest + 1);
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)count *
                                                          (Py_ssize_t)sizeof(int32_t));
    if (bytes == NULL) {
        return -1;
    }
    int32_t *first = (int32_t *)(void *)PyBytes_AS_STRING(bytes);
    for (int32_t i = 0; i < count; i++) {
        first[i] = (int32_t)lowest + i;
    }
    at = 0;
    while (PyDict_Next(mapping, &at, &key, &value)) {
        first[PyLong_AsLong(key) - lowest] = (int32_t)PyLong_AsLong(value);
    }
    *out = (nbp_statement_map){
        .view = {.first = first, .from = (int32_t)lowest, .count = count},
        .bytes = bytes,
    };
    return 0;
}

int
nbp_statements_read(PyObject *lines, nbp_statement_map *out)
{
    *out = (nbp_statement_map){.bytes = NULL};
    if (lines == NULL || lines == Py_None) {
        return 0;
    }
    if (PyBytes_Check(lines)) {
        return read_bytes(lines, out);
    }
    if (PyDict_Check(lines)) {
        return read_dict(lines, out);
    }
    PyErr_Format(PyExc_TypeError, "statements must be a dict of lines, not %.100s",
                 Py_TYPE(lines)->tp_name);
    return -1;
}

nbp_statement_map
nbp_statements_share(const nbp_statement_map *self)
{
    Py_XINCREF(self->bytes);
    return *self;
}

void
nbp_statements_clear(nbp_statement_map *self)
{
    Py_CLEAR(self->bytes);
    *self = (nbp_statement_map){.bytes = NULL};
}
