/* SPDX-License-Identifier: BSD-3-Clause */
#include "objectlist.h"

void
nbp_objects_append(nbp_objects *self, PyObject *op)
{
    if (Py_REFCNT(op) <= 0) {
        return;
    }
    if (self->count == self->capacity) {
        size_t capacity = self->capacity == 0 ? 64 : 2 * self->capacity;
        PyObject **items = realloc(self->items, capacity * sizeof(PyObject *));
        if (items == NULL) {
            self->failed = true;
            return;
        }
        self->items = items;
        self->capacity = capacity;
    }
    self->items[self->count++] = op;
}

void
nbp_objects_keep(const nbp_objects *self)
{
    for (size_t i = 0; i < self->count; i++) {
        Py_INCREF(self->items[i]);
    }
}

PyObject *
nbp_objects_into_list(nbp_objects *self)
{
    PyObject *list =
        self->failed ? PyErr_NoMemory() : PyList_New((Py_ssize_t)self->count);
    for (size_t i = 0; i < self->count; i++) {
        if (list != NULL) {
            PyList_SET_ITEM(list, (Py_ssize_t)i, self->items[i]);
        }
        else {
            Py_DECREF(self->items[i]);
        }
    }
    free(self->items);
    *self = (nbp_objects){0};
    return list;
}

int
nbp_objects_append_visited(PyObject *op, void *arg)
{
    nbp_objects_append(arg, op);
    return 0;
}
