/* SPDX-License-Identifier: BSD-3-Clause */
/* The largest objects of a heap, by what they take or by what they retain. */
#include "heapmasks.h"

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
    for (size_t node = 0; node < nbp_heap_count(self); node++) {
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
        !nbp_mask_read(self, set, &bits)) {
        return NULL;
    }
    if (limit < 1 || (size_t)limit > nbp_heap_count(self)) {
        limit = limit < 1 ? 1 : (Py_ssize_t)nbp_heap_count(self);
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
