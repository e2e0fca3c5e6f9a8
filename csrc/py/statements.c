/* SPDX-License-Identifier: BSD-3-Clause */
#include "statements.h"

int
nbp_statements_read(PyObject *mapping, nbp_statements *out)
{
    *out = (nbp_statements){0};
    if (mapping == NULL || mapping == Py_None) {
        return 0;
    }
    if (!PyDict_Check(mapping)) {
        PyErr_Format(PyExc_TypeError, "statements must be a dict of lines, not %.100s",
                     Py_TYPE(mapping)->tp_name);
        return -1;
    }
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
        if (line < 0 || first < 0 || line > (1 << 24) || first > (1 << 24)) {
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
    int32_t *first = malloc((size_t)count * sizeof(*first));
    if (first == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (int32_t i = 0; i < count; i++) {
        first[i] = (int32_t)lowest + i;
    }
    at = 0;
    while (PyDict_Next(mapping, &at, &key, &value)) {
        first[PyLong_AsLong(key) - lowest] = (int32_t)PyLong_AsLong(value);
    }
    *out = (nbp_statements){.first = first, .from = (int32_t)lowest, .count = count};
    return 0;
}

int
nbp_statements_copy(const nbp_statements *from, nbp_statements *to)
{
    *to = *from;
    if (from->first != NULL) {
        size_t bytes = (size_t)from->count * sizeof(*from->first);
        int32_t *first = malloc(bytes);
        if (first == NULL) {
            *to = (nbp_statements){0};
            PyErr_NoMemory();
            return -1;
        }
        memcpy(first, from->first, bytes);
        to->first = first;
    }
    return 0;
}

void
nbp_statements_clear(nbp_statements *self)
{
    free((void *)self->first);
    *self = (nbp_statements){0};
}
