/* SPDX-License-Identifier: BSD-3-Clause */
/* The methods of Heap that take and give sets. */
#include "heapmasks.h"

#include "compat.h"
#include "state.h"

bool
nbp_mask_read(const nbp_heap_object *self, PyObject *set, const uint8_t **bits)
{
    *bits = NULL;
    if (Py_IsNone(set)) {
        return true;
    }
    if (!PyBytes_CheckExact(set) ||
        (size_t)PyBytes_GET_SIZE(set) != nbp_set_bytes(nbp_heap_count(self))) {
        PyErr_SetString(PyExc_ValueError, "not a set of this heap");
        return false;
    }
    *bits = (const uint8_t *)PyBytes_AS_STRING(set);
    return true;
}

PyObject *
nbp_mask_new(const nbp_heap_object *self, uint8_t **bits)
{
    size_t bytes = nbp_set_bytes(nbp_heap_count(self));
    PyObject *set = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)bytes);
    if (set != NULL) {
        *bits = (uint8_t *)PyBytes_AS_STRING(set);
        memset(*bits, 0, bytes);
    }
    return set;
}

/* `set` when `status` is good; else its reference is given up. */
static PyObject *
checked(PyObject *set, nbp_status status)
{
    if (status != NBP_OK) {
        Py_DECREF(set);
        return nbp_raise(status, "looking through the heap");
    }
    return set;
}

PyObject *
nbp_heap_unreached(PyObject *op, PyObject *args)
{
    nbp_heap_object *self = (nbp_heap_object *)op;
    int concealed = 0;
    uint8_t *bits = NULL;
    if (!PyArg_ParseTuple(args, "|p:unreached_set", &concealed)) {
        return NULL;
    }
    PyObject *set = nbp_mask_new(self, &bits);
    return set == NULL ? NULL
                       : checked(set, nbp_set_unreached(&self->image, concealed, bits));
}

PyObject *
nbp_heap_total(PyObject *op, PyObject *set)
{
    nbp_heap_object *self = (nbp_heap_object *)op;
    const uint8_t *bits;
    if (!nbp_mask_read(self, set, &bits)) {
        return NULL;
    }
    unsigned long long count = 0, bytes = 0;
    for (size_t node = 0; node < nbp_heap_count(self); node++) {
        if (nbp_has(bits, (nbp_node)node)) {
            count++;
            bytes += nbp_sizes_get(&self->image.sizes, (nbp_node)node);
        }
    }
    return Py_BuildValue("(KK)", count, bytes);
}

PyObject *
nbp_heap_nodes(PyObject *op, PyObject *args)
{
    nbp_heap_object *self = (nbp_heap_object *)op;
    PyObject *set; /* borrowed */
    Py_ssize_t limit;
    const uint8_t *bits;
    if (!PyArg_ParseTuple(args, "On:nodes", &set, &limit) ||
        !nbp_mask_read(self, set, &bits)) {
        return NULL;
    }
    PyObject *list = PyList_New(0); /* owned, returned */
    size_t nodes = nbp_heap_count(self);
    for (size_t node = 0; list != NULL && node < nodes && limit > 0; node++) {
        if (!nbp_has(bits, (nbp_node)node)) {
            continue;
        }
        PyObject *number = PyLong_FromSize_t(node); /* owned */
        if (number == NULL || PyList_Append(list, number) < 0) {
            Py_CLEAR(list);
        }
        Py_XDECREF(number);
        limit--;
    }
    return list;
}

PyObject *
nbp_heap_set_of(PyObject *op, PyObject *numbers)
{
    nbp_heap_object *self = (nbp_heap_object *)op;
    uint8_t *bits = NULL;
    if (!PyList_CheckExact(numbers)) {
        PyErr_SetString(PyExc_TypeError, "set_of takes a list");
        return NULL;
    }
    PyObject *set = nbp_mask_new(self, &bits);
    for (Py_ssize_t i = 0; set != NULL && i < PyList_GET_SIZE(numbers); i++) {
        nbp_node node = nbp_heap_node(self, PyList_GET_ITEM(numbers, i));
        if (node == NBP_NO_NODE) {
            Py_CLEAR(set);
            break;
        }
        nbp_put(bits, node);
    }
    return set;
}

PyObject *
nbp_heap_neighbours(PyObject *op, PyObject *args)
{
    nbp_heap_object *self = (nbp_heap_object *)op;
    PyObject *set; /* borrowed */
    int backwards;
    const uint8_t *bits;
    uint8_t *found = NULL;
    if (!PyArg_ParseTuple(args, "Op:neighbours", &set, &backwards) ||
        !nbp_mask_read(self, set, &bits)) {
        return NULL;
    }
    PyObject *out = nbp_mask_new(self, &found);
    if (out != NULL) {
        nbp_set_neighbours(&self->image, bits, backwards, found);
    }
    return out;
}

PyObject *
nbp_heap_reach(PyObject *op, PyObject *args)
{
    nbp_heap_object *self = (nbp_heap_object *)op;
    PyObject *set; /* borrowed */
    int data;
    const uint8_t *bits;
    uint8_t *found = NULL;
    if (!PyArg_ParseTuple(args, "Op:reach", &set, &data) ||
        !nbp_mask_read(self, set, &bits)) {
        return NULL;
    }
    PyObject *out = nbp_mask_new(self, &found);
    return out == NULL ? NULL
                       : checked(out, nbp_set_reach(&self->image, bits, data, found));
}

PyObject *
nbp_heap_retained_set(PyObject *op, PyObject *set)
{
    nbp_heap_object *self = (nbp_heap_object *)op;
    const uint8_t *bits;
    uint8_t *found = NULL;
    if (!nbp_mask_read(self, set, &bits)) {
        return NULL;
    }
    PyObject *out = nbp_mask_new(self, &found);
    return out == NULL ? NULL
                       : checked(out, nbp_set_retained(&self->image, bits, found));
}

static int
compare_addresses(const void *left, const void *right)
{
    uintptr_t a = *(const uintptr_t *)left, b = *(const uintptr_t *)right;
    return (a > b) - (a < b);
}

/* The addresses of a list; owned, NULL with an exception set. */
static uintptr_t *
read_addresses(PyObject *list)
{
    Py_ssize_t count = PyList_GET_SIZE(list);
    uintptr_t *addresses = malloc(((size_t)count + 1) * sizeof(*addresses));
    if (addresses == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        addresses[i] = (uintptr_t)PyLong_AsVoidPtr(PyList_GET_ITEM(list, i));
        if (PyErr_Occurred()) {
            free(addresses);
            return NULL;
        }
    }
    qsort(addresses, (size_t)count, sizeof(*addresses), compare_addresses);
    return addresses;
}

/* True when one of `count` ascending addresses is within `bytes` from `start` on. */
static bool
any_within(const uintptr_t *addresses, size_t count, uintptr_t start, uint64_t bytes)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (addresses[middle] < start) {
            low = middle + 1;
        }
        else {
            high = middle;
        }
    }
    return low < count && addresses[low] - start < bytes;
}

PyObject *
nbp_heap_around(PyObject *op, PyObject *args)
{
    nbp_heap_object *self = (nbp_heap_object *)op;
    PyObject *set, *list; /* borrowed */
    const uint8_t *bits;
    uint8_t *found = NULL;
    if (!PyArg_ParseTuple(args, "OO!:around", &set, &PyList_Type, &list) ||
        !nbp_mask_read(self, set, &bits)) {
        return NULL;
    }
    size_t count = (size_t)PyList_GET_SIZE(list);
    uintptr_t *addresses = read_addresses(list); /* owned */
    PyObject *out = addresses == NULL ? NULL : nbp_mask_new(self, &found);
    for (size_t node = 0; out != NULL && node < nbp_heap_count(self); node++) {
        if (nbp_has(bits, (nbp_node)node) &&
            any_within(addresses, count,
                       nbp_heapgraph_address(self->image.graph, (nbp_node)node),
                       nbp_sizes_get(&self->image.sizes, (nbp_node)node))) {
            nbp_put(found, (nbp_node)node);
        }
    }
    free(addresses);
    return out;
}
