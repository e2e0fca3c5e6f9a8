/* SPDX-License-Identifier: BSD-3-Clause */
/* How many objects of each type there are. */
#include "heapwalk.h"
#include "state.h"

typedef struct {
    nbp_typetable table;
    uint64_t *counts; /* owned */
    uint32_t capacity;
    bool failed;
} census;

static int
count_one(PyObject *op, void *arg)
{
    census *self = arg;
    uint32_t number = nbp_typetable_number(&self->table, Py_TYPE(op));
    if (number == UINT32_MAX) {
        self->failed = true;
        return -1;
    }
    if (number >= self->capacity) {
        uint32_t capacity = 2 * number + 1024;
        uint64_t *counts = realloc(self->counts, capacity * sizeof(*counts));
        if (counts == NULL) {
            self->failed = true;
            return -1;
        }
        memset(counts + self->capacity, 0,
               (capacity - self->capacity) * sizeof(*counts));
        self->counts = counts;
        self->capacity = capacity;
    }
    self->counts[number]++;
    return 0;
}

PyDoc_STRVAR(count_doc, "count_types($module, /)\n"
                        "--\n"
                        "\n"
                        "How many objects of each type the collector tracks.\n"
                        "\n"
                        "Returns\n"
                        "-------\n"
                        "list of tuple of (type, int)\n");

static PyObject *
count_types(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    census self = {0};
    PyObject *prepared = nbp_walk_prepare(); /* owned */
    if (prepared == NULL) {
        return NULL;
    }
    if (nbp_typetable_init(&self.table) != NBP_OK) {
        Py_DECREF(prepared);
        return PyErr_NoMemory();
    }
    nbp_walk_tracked(prepared, count_one, &self);
    for (uint32_t i = 0; i < self.table.count; i++) {
        Py_INCREF(self.table.types[i]);
    }
    Py_DECREF(prepared);
    PyObject *list = self.failed ? PyErr_NoMemory() : PyList_New(self.table.count);
    for (uint32_t i = 0; i < self.table.count; i++) {
        PyObject *item = NULL;
        if (list != NULL) {
            item = Py_BuildValue("(OK)", self.table.types[i],
                                 (unsigned long long)self.counts[i]);
        }
        if (item == NULL) {
            Py_CLEAR(list);
        }
        else {
            PyList_SET_ITEM(list, (Py_ssize_t)i, item);
        }
        Py_DECREF(self.table.types[i]);
    }
    free(self.counts);
    nbp_typetable_free(&self.table);
    return list;
}

static PyMethodDef census_methods[] = {
    {"count_types", count_types, METH_NOARGS, count_doc},
    {NULL, NULL, 0, NULL},
};

int
nbp_add_census(PyObject *module)
{
    return PyModule_AddFunctions(module, census_methods);
}
