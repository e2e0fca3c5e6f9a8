/* SPDX-License-Identifier: BSD-3-Clause */
/* The methods of Heap that put the objects of a set into classes, and that take or add
 * up those of some: by type, by what holds them, by circle. The classes of all objects
 * are bytes that consist of uint32_t. */
#define PY_SSIZE_T_CLEAN /* lengths in formats, which Python before 3.13 asks for */
#include "compat.h"
#include "cycles.h"
#include "heapmasks.h"
#include "state.h"

/* The classes of all objects; false with an exception set. */
static bool
read_classes(const nbp_heap_object *self, PyObject *classes, const uint32_t **numbers)
{
    if (!PyBytes_CheckExact(classes) ||
        (size_t)PyBytes_GET_SIZE(classes) != nbp_heap_count(self) * sizeof(**numbers)) {
        PyErr_SetString(PyExc_ValueError, "not classes of this heap");
        return false;
    }
    *numbers = (const uint32_t *)(const void *)PyBytes_AS_STRING(classes);
    return true;
}

PyObject *
nbp_heap_retained_by_type(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    nbp_heap_object *self = (nbp_heap_object *)op;
    Py_ssize_t types = PyTuple_GET_SIZE(self->names);
    uint64_t *bytes = calloc((size_t)types + 1, sizeof(*bytes)); /* owned */
    if (bytes == NULL || nbp_heap_analyse(self) < 0) {
        free(bytes);
        return PyErr_Occurred() ? NULL : PyErr_NoMemory();
    }
    PyObject *list = NULL; /* owned, returned */
    nbp_status status = nbp_types_retained(&self->image, self->dominators, bytes);
    if (status == NBP_OK) {
        list = PyList_New(types);
    }
    else {
        nbp_raise(status, "adding up what types retain");
    }
    for (Py_ssize_t i = 0; list != NULL && i < types; i++) {
        PyObject *number = PyLong_FromUnsignedLongLong(bytes[i]);
        if (number == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, i, number);
    }
    free(bytes);
    return list;
}

/* The keys of the classes as tuples of int. */
static PyObject *
key_list(const nbp_texts *keys)
{
    size_t count = nbp_texts_count(keys);
    PyObject *list = PyList_New((Py_ssize_t)count); /* owned, returned */
    for (size_t i = 0; list != NULL && i < count; i++) {
        size_t bytes;
        const char *text = nbp_texts_get(keys, (uint32_t)i, &bytes);
        size_t length = bytes / sizeof(uint32_t);
        PyObject *key = PyTuple_New((Py_ssize_t)length);
        for (size_t j = 0; key != NULL && j < length; j++) {
            uint32_t number;
            memcpy(&number, text + j * sizeof(number), sizeof(number));
            PyObject *item = PyLong_FromUnsignedLong(number);
            if (item == NULL) {
                Py_CLEAR(key);
                break;
            }
            PyTuple_SET_ITEM(key, (Py_ssize_t)j, item);
        }
        if (key == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, (Py_ssize_t)i, key);
    }
    return list;
}

PyObject *
nbp_heap_classes(PyObject *op, PyObject *args)
{
    nbp_heap_object *self = (nbp_heap_object *)op;
    PyObject *set; /* borrowed */
    const char *by;
    const uint8_t *bits;
    if (!PyArg_ParseTuple(args, "Os:classes", &set, &by) ||
        !nbp_mask_read(self, set, &bits)) {
        return NULL;
    }
    enum { BY_NAME = NBP_BY_SIZE + 1 };
    static const char *const words[] = {"type", "kind", "holders", "size", "name"};
    int which = 0;
    while (which <= BY_NAME && strcmp(by, words[which]) != 0) {
        which++;
    }
    if (which > BY_NAME) {
        PyErr_SetString(PyExc_ValueError,
                        "classes are by 'type', 'kind', 'holders', 'size' or 'name'");
        return NULL;
    }
    Py_ssize_t bytes = (Py_ssize_t)(nbp_heap_count(self) * sizeof(uint32_t));
    PyObject *classes = PyBytes_FromStringAndSize(NULL, bytes); /* owned */
    if (classes == NULL) {
        return NULL;
    }
    uint32_t *numbers = (uint32_t *)(void *)PyBytes_AS_STRING(classes);
    nbp_texts *keys = /* owned */
        which == BY_NAME
            ? nbp_set_classes_by_name(&self->image, bits, numbers)
            : nbp_set_classes(&self->image, bits, (nbp_class_key)which, numbers);
    PyObject *list = keys == NULL ? PyErr_NoMemory() : key_list(keys);
    nbp_texts_destroy(&keys);
    if (list == NULL) {
        Py_DECREF(classes);
        return NULL;
    }
    return Py_BuildValue("(NN)", classes, list);
}

PyObject *
nbp_heap_list_tally(const nbp_heap_object *self, const uint8_t *set,
                    const uint32_t *classes, Py_ssize_t count, PyObject *names)
{
    nbp_tally *rows = calloc((size_t)count + 1, sizeof(*rows)); /* owned */
    if (rows == NULL) {
        return PyErr_NoMemory();
    }
    nbp_set_tally(&self->image, set, classes, rows, (size_t)count);
    PyObject *list = PyList_New(count); /* owned, returned */
    for (Py_ssize_t i = 0; list != NULL && i < count; i++) {
        unsigned long long objects = rows[i].count, bytes = rows[i].bytes;
        PyObject *item =
            names == NULL
                ? Py_BuildValue("(KK)", objects, bytes)
                : Py_BuildValue("(OKK)", PyTuple_GET_ITEM(names, i), objects, bytes);
        if (item == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, i, item);
    }
    free(rows);
    return list;
}

PyObject *
nbp_heap_tally(PyObject *op, PyObject *args)
{
    nbp_heap_object *self = (nbp_heap_object *)op;
    PyObject *set, *classes; /* borrowed */
    Py_ssize_t count;
    const uint8_t *bits;
    const uint32_t *numbers;
    if (!PyArg_ParseTuple(args, "OOn:tally", &set, &classes, &count) ||
        !nbp_mask_read(self, set, &bits) || !read_classes(self, classes, &numbers)) {
        return NULL;
    }
    if (count < 0 || (size_t)count > nbp_heap_count(self)) {
        PyErr_SetString(PyExc_ValueError, "there are no so many classes");
        return NULL;
    }
    return nbp_heap_list_tally(self, bits, numbers, count, NULL);
}

PyObject *
nbp_heap_select(PyObject *op, PyObject *args)
{
    nbp_heap_object *self = (nbp_heap_object *)op;
    PyObject *set, *classes; /* borrowed */
    const char *wanted;      /* a byte for each class, 0 for those to leave out */
    Py_ssize_t count;
    const uint8_t *bits;
    const uint32_t *numbers;
    if (!PyArg_ParseTuple(args, "OOy#:select", &set, &classes, &wanted, &count) ||
        !nbp_mask_read(self, set, &bits) || !read_classes(self, classes, &numbers)) {
        return NULL;
    }
    uint8_t *found = NULL;
    PyObject *out = nbp_mask_new(self, &found);
    for (size_t node = 0; out != NULL && node < nbp_heap_count(self); node++) {
        if (nbp_has(bits, (nbp_node)node) && numbers[node] < (size_t)count &&
            wanted[numbers[node]] != 0) {
            nbp_put(found, (nbp_node)node);
        }
    }
    return out;
}

PyObject *
nbp_heap_cycles(PyObject *op, PyObject *set)
{
    nbp_heap_object *self = (nbp_heap_object *)op;
    const uint8_t *bits;
    if (!nbp_mask_read(self, set, &bits)) {
        return NULL;
    }
    Py_ssize_t bytes = (Py_ssize_t)(nbp_heap_count(self) * sizeof(uint32_t));
    PyObject *classes = PyBytes_FromStringAndSize(NULL, bytes); /* owned */
    if (classes == NULL) {
        return NULL;
    }
    uint32_t count = 0;
    nbp_status status =
        nbp_cycles_find(self->image.graph, bits,
                        (uint32_t *)(void *)PyBytes_AS_STRING(classes), &count);
    if (status != NBP_OK) {
        Py_DECREF(classes);
        return nbp_raise(status, "looking for circles");
    }
    return Py_BuildValue("(Nk)", classes, (unsigned long)count);
}

PyObject *
nbp_heap_entrances(PyObject *op, PyObject *set)
{
    nbp_heap_object *self = (nbp_heap_object *)op;
    const uint8_t *bits;
    if (!nbp_mask_read(self, set, &bits) || nbp_heap_find_ways(self) < 0) {
        return NULL;
    }
    size_t nodes = nbp_heap_count(self);
    nbp_node *found = malloc((nodes + 1) * sizeof(*found)); /* owned */
    PyObject *classes =
        PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(nodes * sizeof(uint32_t)));
    if (found == NULL || classes == NULL) {
        free(found);
        Py_XDECREF(classes);
        return PyErr_NoMemory();
    }
    size_t count =
        nbp_set_entrances(&self->image, bits, self->parents,
                          (uint32_t *)(void *)PyBytes_AS_STRING(classes), found);
    PyObject *list = PyList_New((Py_ssize_t)count); /* owned, given away */
    for (size_t i = 0; list != NULL && i < count; i++) {
        PyObject *number = PyLong_FromUnsignedLong(found[i]);
        if (number == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, (Py_ssize_t)i, number);
    }
    free(found);
    if (list == NULL) {
        Py_DECREF(classes);
        return NULL;
    }
    return Py_BuildValue("(NN)", classes, list);
}
