/* SPDX-License-Identifier: BSD-3-Clause */
/* The methods of Heap that take and give sets: bytes with a bit for each object. */
#define PY_SSIZE_T_CLEAN /* lengths in formats, which Python before 3.13 asks for */
#include "compat.h"
#include "cycles.h"
#include "heapobject.h"
#include "state.h"

static size_t
node_count(const nbp_heap_object *self)
{
    return nbp_heapgraph_nodes(self->image.graph);
}

/* The bits of a set, NULL for None; false with an exception set. */
static bool
read_set(const nbp_heap_object *self, PyObject *set, const uint8_t **bits)
{
    *bits = NULL;
    if (Py_IsNone(set)) {
        return true;
    }
    if (!PyBytes_CheckExact(set) ||
        (size_t)PyBytes_GET_SIZE(set) != nbp_set_bytes(node_count(self))) {
        PyErr_SetString(PyExc_ValueError, "not a set of this heap");
        return false;
    }
    *bits = (const uint8_t *)PyBytes_AS_STRING(set);
    return true;
}

/* The classes of all objects; false with an exception set. */
static bool
read_classes(const nbp_heap_object *self, PyObject *classes, const uint32_t **numbers)
{
    if (!PyBytes_CheckExact(classes) ||
        (size_t)PyBytes_GET_SIZE(classes) != node_count(self) * sizeof(**numbers)) {
        PyErr_SetString(PyExc_ValueError, "not classes of this heap");
        return false;
    }
    *numbers = (const uint32_t *)(const void *)PyBytes_AS_STRING(classes);
    return true;
}

/* An empty set and its bits; NULL with an exception set. */
static PyObject *
empty_set(const nbp_heap_object *self, uint8_t **bits)
{
    size_t bytes = nbp_set_bytes(node_count(self));
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
    PyObject *set = empty_set(self, &bits);
    return set == NULL ? NULL
                       : checked(set, nbp_set_unreached(&self->image, concealed, bits));
}

PyObject *
nbp_heap_total(PyObject *op, PyObject *set)
{
    nbp_heap_object *self = (nbp_heap_object *)op;
    const uint8_t *bits;
    if (!read_set(self, set, &bits)) {
        return NULL;
    }
    unsigned long long count = 0, bytes = 0;
    for (size_t node = 0; node < node_count(self); node++) {
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
        !read_set(self, set, &bits)) {
        return NULL;
    }
    PyObject *list = PyList_New(0); /* owned, returned */
    size_t nodes = node_count(self);
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
    PyObject *set = empty_set(self, &bits);
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
        !read_set(self, set, &bits)) {
        return NULL;
    }
    PyObject *out = empty_set(self, &found);
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
        !read_set(self, set, &bits)) {
        return NULL;
    }
    PyObject *out = empty_set(self, &found);
    return out == NULL ? NULL
                       : checked(out, nbp_set_reach(&self->image, bits, data, found));
}

PyObject *
nbp_heap_retained_set(PyObject *op, PyObject *set)
{
    nbp_heap_object *self = (nbp_heap_object *)op;
    const uint8_t *bits;
    uint8_t *found = NULL;
    if (!read_set(self, set, &bits)) {
        return NULL;
    }
    PyObject *out = empty_set(self, &found);
    return out == NULL ? NULL
                       : checked(out, nbp_set_retained(&self->image, bits, found));
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
        !read_set(self, set, &bits)) {
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
    Py_ssize_t bytes = (Py_ssize_t)(node_count(self) * sizeof(uint32_t));
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
nbp_heap_tally(PyObject *op, PyObject *args)
{
    nbp_heap_object *self = (nbp_heap_object *)op;
    PyObject *set, *classes; /* borrowed */
    Py_ssize_t count;
    const uint8_t *bits;
    const uint32_t *numbers;
    if (!PyArg_ParseTuple(args, "OOn:tally", &set, &classes, &count) ||
        !read_set(self, set, &bits) || !read_classes(self, classes, &numbers)) {
        return NULL;
    }
    if (count < 0 || (size_t)count > node_count(self)) {
        PyErr_SetString(PyExc_ValueError, "there are no so many classes");
        return NULL;
    }
    nbp_tally *rows = calloc((size_t)count + 1, sizeof(*rows)); /* owned */
    if (rows == NULL) {
        return PyErr_NoMemory();
    }
    nbp_set_tally(&self->image, bits, numbers, rows, (size_t)count);
    PyObject *list = PyList_New(count); /* owned, returned */
    for (Py_ssize_t i = 0; list != NULL && i < count; i++) {
        PyObject *item = Py_BuildValue("(KK)", (unsigned long long)rows[i].count,
                                       (unsigned long long)rows[i].bytes);
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
nbp_heap_select(PyObject *op, PyObject *args)
{
    nbp_heap_object *self = (nbp_heap_object *)op;
    PyObject *set, *classes; /* borrowed */
    const char *wanted;      /* a byte for each class, 0 for those to leave out */
    Py_ssize_t count;
    const uint8_t *bits;
    const uint32_t *numbers;
    if (!PyArg_ParseTuple(args, "OOy#:select", &set, &classes, &wanted, &count) ||
        !read_set(self, set, &bits) || !read_classes(self, classes, &numbers)) {
        return NULL;
    }
    uint8_t *found = NULL;
    PyObject *out = empty_set(self, &found);
    for (size_t node = 0; out != NULL && node < node_count(self); node++) {
        if (nbp_has(bits, (nbp_node)node) && numbers[node] < (size_t)count &&
            wanted[numbers[node]] != 0) {
            nbp_put(found, (nbp_node)node);
        }
    }
    return out;
}

typedef struct {
    uint64_t bytes;
    nbp_node node;
} sized;

/* Smaller, or as large and later. */
static bool
comes_after(sized a, sized b)
{
    return a.bytes != b.bytes ? a.bytes < b.bytes : a.node > b.node;
}

/* Moves the first of a heap down to where it belongs; the least important is on top. */
static void
sift(sized *items, size_t count)
{
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= count) {
            return;
        }
        if (child + 1 < count && comes_after(items[child + 1], items[child])) {
            child++;
        }
        if (!comes_after(items[child], items[at])) {
            return;
        }
        sized moved = items[at];
        items[at] = items[child];
        items[child] = moved;
        at = child;
    }
}

static int
compare_sized(const void *left, const void *right)
{
    return comes_after(*(const sized *)left, *(const sized *)right) ? 1 : -1;
}

/* The `limit` largest members in order; how many there are. */
static size_t
pick_largest(nbp_heap_object *self, const uint8_t *bits, bool retained, sized *items,
             size_t limit)
{
    size_t count = 0;
    for (size_t node = 0; node < node_count(self); node++) {
        if (!nbp_has(bits, (nbp_node)node)) {
            continue;
        }
        sized it = {.node = (nbp_node)node};
        it.bytes = retained ? nbp_dominators_retained_bytes(self->dominators, it.node)
                            : nbp_sizes_get(&self->image.sizes, it.node);
        if (count < limit) {
            size_t at = count++;
            for (; at > 0 && comes_after(it, items[(at - 1) / 2]); at = (at - 1) / 2) {
                items[at] = items[(at - 1) / 2];
            }
            items[at] = it;
        }
        else if (comes_after(items[0], it)) {
            items[0] = it;
            sift(items, count);
        }
    }
    qsort(items, count, sizeof(*items), compare_sized);
    return count;
}

PyObject *
nbp_heap_largest(PyObject *op, PyObject *args)
{
    nbp_heap_object *self = (nbp_heap_object *)op;
    PyObject *set; /* borrowed */
    int retained;
    Py_ssize_t limit;
    const uint8_t *bits;
    if (!PyArg_ParseTuple(args, "Opn:largest", &set, &retained, &limit) ||
        !read_set(self, set, &bits)) {
        return NULL;
    }
    if (limit < 1 || (size_t)limit > node_count(self)) {
        limit = limit < 1 ? 1 : (Py_ssize_t)node_count(self);
    }
    sized *items = malloc(((size_t)limit + 1) * sizeof(*items)); /* owned */
    if (items == NULL || (retained && nbp_heap_analyse(self) < 0)) {
        free(items);
        return PyErr_Occurred() ? NULL : PyErr_NoMemory();
    }
    size_t count = pick_largest(self, bits, retained, items, (size_t)limit);
    PyObject *list = PyList_New((Py_ssize_t)count); /* owned, returned */
    for (size_t i = 0; list != NULL && i < count; i++) {
        PyObject *item = Py_BuildValue("(kK)", (unsigned long)items[i].node,
                                       (unsigned long long)items[i].bytes);
        if (item == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, (Py_ssize_t)i, item);
    }
    free(items);
    return list;
}

PyObject *
nbp_heap_cycles(PyObject *op, PyObject *set)
{
    nbp_heap_object *self = (nbp_heap_object *)op;
    const uint8_t *bits;
    if (!read_set(self, set, &bits)) {
        return NULL;
    }
    Py_ssize_t bytes = (Py_ssize_t)(node_count(self) * sizeof(uint32_t));
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
    if (!read_set(self, set, &bits) || nbp_heap_find_ways(self) < 0) {
        return NULL;
    }
    size_t nodes = node_count(self);
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
