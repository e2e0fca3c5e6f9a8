/* SPDX-License-Identifier: BSD-3-Clause */
#include "doubles.h"

#include <Python.h>

#include <math.h>
#include <string.h>

static int
allocate(nbp_doubles *self, Py_ssize_t count)
{
    self->items = PyMem_New(double, count > 0 ? count : 1);
    if (self->items == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    self->count = count;
    return 0;
}

/* 1 when `object` was a one-dimensional buffer of doubles and is copied, 0 when it must
 * be read item by item, -1 with an exception set. */
static int
read_buffer(nbp_doubles *self, PyObject *object)
{
    Py_buffer view;
    if (!PyObject_CheckBuffer(object)) {
        return 0;
    }
    if (PyObject_GetBuffer(object, &view, PyBUF_FULL_RO) < 0) {
        /* Some exporters refuse what items can still be read from. */
        PyErr_Clear();
        return 0;
    }
    int result = 0;
    if (view.ndim == 1 && view.format != NULL && strcmp(view.format, "d") == 0) {
        result = allocate(self, view.len / (Py_ssize_t)sizeof(double));
        if (result == 0) {
            result =
                PyBuffer_ToContiguous(self->items, &view, view.len, 'C') < 0 ? -1 : 1;
        }
    }
    PyBuffer_Release(&view);
    return result;
}

/* Replaces the exception by a TypeError or ValueError that names the culprit; an index
 * below 0 means a single number. Exceptions of other kinds come from the user's own
 * __float__ and stay. Always returns -1. */
static int
fail(PyObject *object, const char *name, Py_ssize_t index)
{
    char where[100];
    if (index < 0) {
        PyOS_snprintf(where, sizeof(where), "%s", name);
    }
    else {
        PyOS_snprintf(where, sizeof(where), "%s[%zd]", name, index);
    }
    if (PyErr_ExceptionMatches(PyExc_OverflowError)) {
        PyErr_Format(PyExc_ValueError, "%s is too large for a float", where);
    }
    else if (PyErr_ExceptionMatches(PyExc_TypeError)) {
        PyErr_Format(PyExc_TypeError, "%s must be a real number, not %s", where,
                     Py_TYPE(object)->tp_name);
    }
    return -1;
}

static int
read_items(nbp_doubles *self, PyObject *object, const char *name)
{
    if (PyUnicode_Check(object) || PyBytes_Check(object) || PyByteArray_Check(object) ||
        PyDict_Check(object)) {
        PyErr_Format(PyExc_TypeError, "%s must be a sequence of numbers, not %s", name,
                     Py_TYPE(object)->tp_name);
        return -1;
    }
    /* A tuple of our own: a list could change while an item's __float__ runs. */
    PyObject *tuple = PySequence_Tuple(object); /* owned */
    if (tuple == NULL) {
        if (PyErr_ExceptionMatches(PyExc_TypeError)) {
            PyErr_Format(PyExc_TypeError, "%s must be a sequence of numbers, not %s",
                         name, Py_TYPE(object)->tp_name);
        }
        return -1;
    }
    int result = allocate(self, PyTuple_GET_SIZE(tuple));
    for (Py_ssize_t i = 0; result == 0 && i < self->count; i++) {
        PyObject *item = PyTuple_GET_ITEM(tuple, i); /* borrowed */
        self->items[i] = PyFloat_AsDouble(item);
        if (self->items[i] == -1.0 && PyErr_Occurred()) {
            result = fail(item, name, i);
        }
    }
    Py_DECREF(tuple);
    return result;
}

static int
check(const nbp_doubles *self, const char *name, Py_ssize_t minimum)
{
    if (self->count == 0) {
        PyErr_Format(PyExc_ValueError, "%s must not be empty", name);
        return -1;
    }
    if (self->count < minimum) {
        PyErr_Format(PyExc_ValueError, "%s must hold at least %zd numbers, not %zd",
                     name, minimum, self->count);
        return -1;
    }
    for (Py_ssize_t i = 0; i < self->count; i++) {
        if (!isfinite(self->items[i])) {
            PyErr_Format(PyExc_ValueError, "%s must be finite, but %s[%zd] is %s", name,
                         name, i, isnan(self->items[i]) ? "nan" : "infinite");
            return -1;
        }
    }
    return 0;
}

int
nbp_doubles_read(nbp_doubles *self, PyObject *object, const char *name,
                 Py_ssize_t minimum)
{
    *self = (nbp_doubles){NULL, 0};
    int result = read_buffer(self, object);
    if (result == 0) {
        result = read_items(self, object, name);
    }
    if (result < 0 || check(self, name, minimum) < 0) {
        nbp_doubles_clear(self);
        return -1;
    }
    return 0;
}

void
nbp_doubles_clear(nbp_doubles *self)
{
    PyMem_Free(self->items);
    *self = (nbp_doubles){NULL, 0};
}

int
nbp_double_read(double *value, PyObject *object, const char *name)
{
    *value = PyFloat_AsDouble(object);
    if (*value == -1.0 && PyErr_Occurred()) {
        return fail(object, name, -1);
    }
    return 0;
}
