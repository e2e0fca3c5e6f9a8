/* SPDX-License-Identifier: BSD-3-Clause */
#include "heapscan.h"

#include "arrays.h"
#include "compat.h"
#include "heapframes.h"
#include "heapwalk.h"
#include "state.h"

static inline size_t
bit_of(PyObject *op)
{
    uint64_t product = ((uintptr_t)op >> 4) * UINT64_C(0x9E3779B97F4A7C15);
    return (size_t)(product >> (64 - NBP_FILTER_BITS));
}

static void
match(nbp_scan *self, PyObject *op)
{
    size_t slot = bit_of(op) & self->mask;
    while (self->table[slot] != UINT32_MAX) {
        nbp_objects *found = &self->found[self->table[slot]];
        if (self->targets[self->table[slot]] == op) {
            /* References of one source come one after the other. */
            if (found->count == 0 || found->items[found->count - 1] != self->source) {
                nbp_objects_append(found, self->source);
            }
        }
        slot = (slot + 1) & self->mask;
    }
}

static void
admit(nbp_scan *self, PyObject *op)
{
    if (op != NULL && self->status == NBP_OK &&
        (nbp_walk_is_unlisted(op) || (self->frozen && PyObject_IS_GC(op)))) {
        nbp_node node;
        self->status = nbp_heapgraph_add(self->unlisted, (uintptr_t)op, &node);
    }
}

static int
look_at(PyObject *op, void *arg)
{
    nbp_scan *self = arg;
    size_t bit = bit_of(op);
    if (self->filter[bit / 64] >> (bit % 64) & 1) {
        match(self, op);
    }
    if (self->thorough) {
        PyObject **place = &self->ring[self->turn++ % NBP_SCAN_RING];
        admit(self, *place);
        *place = op;
        __builtin_prefetch(op);
    }
    return 0;
}

/* The same for few targets, with which a reference is compared sooner than it is
 * hashed.
 */
static int
look_at_few(PyObject *op, void *arg)
{
    nbp_scan *self = arg;
    for (size_t i = 0; i < self->count; i++) {
        if (self->targets[i] == op) {
            match(self, op);
            break;
        }
    }
    return 0;
}

static void
flush(nbp_scan *self)
{
    for (size_t i = 0; i < NBP_SCAN_RING; i++) {
        PyObject *op = self->ring[i];
        self->ring[i] = NULL;
        admit(self, op);
    }
}

static int
look_into(PyObject *op, void *arg)
{
    nbp_scan *self = arg;
    self->source = op;
    nbp_walk_references(op, self->visit, self);
    return self->status == NBP_OK ? 0 : -1;
}

/* True when a code object or a type may hold a tuple: of constants, or of types. */
static bool
may_be_of_a_program(PyObject *tuple)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(tuple); i++) {
        PyObject *item = PyTuple_GET_ITEM(tuple, i); /* NULL while it is being built */
        if (item != NULL && item != Py_None && item != Py_Ellipsis &&
            !PyLong_Check(item) && !PyFloat_Check(item) && !PyComplex_Check(item) &&
            !PyUnicode_Check(item) && !PyBytes_Check(item) && !PyTuple_Check(item) &&
            !PyFrozenSet_Check(item) && !PySlice_Check(item) && !PyCode_Check(item) &&
            !PyType_Check(item)) {
            return false;
        }
    }
    return true;
}

/* True when something unlisted may hold `op`. Looking for that costs more than the
 * rest, for every object has to be touched, and is mostly in vain: the collector leaves
 * only such tuples and dictionaries untracked as hold nothing tracked. What code
 * objects and static types hold beside is tuples, untracked constants, and the types'
 * dictionaries, for which see type_of_dict(). */
static bool
needs_thorough(PyObject *op)
{
    if (!PyObject_IS_GC(op) || !PyObject_GC_IsTracked(op)) {
        return true;
    }
    return PyTuple_CheckExact(op) && may_be_of_a_program(op);
}

/* The static type whose dictionary `op` is, as its descriptors tell; borrowed, or NULL.
 */
static PyObject *
type_of_dict(PyObject *op)
{
    PyObject *key, *value; /* borrowed */
    Py_ssize_t at = 0;
    while (PyDict_CheckExact(op) && PyDict_Next(op, &at, &key, &value)) {
        PyTypeObject *kind = Py_TYPE(value);
        if (kind != &PyWrapperDescr_Type && kind != &PyMethodDescr_Type &&
            kind != &PyGetSetDescr_Type && kind != &PyMemberDescr_Type) {
            continue;
        }
        PyTypeObject *type = PyDescr_TYPE(value);
        if (type->tp_flags & Py_TPFLAGS_HEAPTYPE) {
            return NULL;
        }
        PyObject *dict = NBP_TYPE_DICT(type); /* owned, but the type keeps it too */
        Py_XDECREF(dict);
        return dict == op ? (PyObject *)type : NULL;
    }
    return NULL;
}

nbp_status
nbp_scan_start(nbp_scan *self, PyObject *const *targets, size_t count)
{
    memset(self, 0, sizeof(*self));
    self->targets = targets;
    self->count = count;
    self->mask = 15;
    while (self->mask + 1 < 2 * count + 2) {
        self->mask = 2 * self->mask + 1;
    }
    self->table = malloc((self->mask + 1) * sizeof(*self->table));
    self->found = calloc(count + 1, sizeof(*self->found));
    self->unlisted = nbp_heapgraph_new(0);
    if (self->table == NULL || self->found == NULL || self->unlisted == NULL) {
        return NBP_NO_MEMORY;
    }
    memset(self->table, 0xFF, (self->mask + 1) * sizeof(*self->table));
    for (size_t i = 0; i < count; i++) {
        size_t bit = bit_of(targets[i]);
        self->filter[bit / 64] |= UINT64_C(1) << (bit % 64);
        size_t slot = bit & self->mask;
        while (self->table[slot] != UINT32_MAX) {
            slot = (slot + 1) & self->mask;
        }
        self->table[slot] = (uint32_t)i;
        self->thorough = self->thorough || needs_thorough(targets[i]);
    }
    return NBP_OK;
}

/* After gc.freeze() most objects are on no list that can be asked for. They are found
 * by following references from where the interpreter keeps its own: from the modules
 * and the running frames. */
static int
admit_one(PyObject *op, void *arg)
{
    admit(arg, op);
    return 0;
}

static int
admit_frame(nbp_frame *frame, void *arg)
{
    nbp_walk_frame(frame, admit_one, arg);
    return 0;
}

nbp_status
nbp_scan_heap(nbp_scan *self, PyObject *prepared)
{
    enum { FEW = 4 };
    for (size_t i = 0; i < self->count; i++) {
        self->found[i].count = 0;
    }
    self->visit =
        self->count <= FEW && !self->thorough && !self->frozen ? look_at_few : look_at;
    if (self->frozen) {
        self->thorough = true;
        nbp_walk_tracked(prepared, admit_one, self);
        admit(self, PyImport_GetModuleDict());
    }
    else {
        nbp_walk_tracked_ahead(prepared, look_into, self);
    }
    if (self->thorough) {
        nbp_frames_visit(admit_frame, self);
    }
    flush(self);
    for (size_t i = 0; !self->thorough && i < self->count; i++) {
        PyObject *type = type_of_dict(self->targets[i]);
        if (type != NULL) {
            nbp_objects_append(&self->found[i], type);
        }
    }
    nbp_node node;
    int more = 0;
    while (self->status == NBP_OK &&
           (more = nbp_heapgraph_next(self->unlisted, &node)) == 1) {
        look_into((PyObject *)nbp_heapgraph_address(self->unlisted, node), self);
        if (node + 1 == nbp_heapgraph_nodes(self->unlisted)) {
            flush(self);
        }
    }
    return more < 0 ? (nbp_status)more : self->status;
}

void
nbp_scan_free(nbp_scan *self)
{
    for (size_t i = 0; self->found != NULL && i < self->count; i++) {
        free(self->found[i].items);
    }
    free(self->found);
    free(self->table);
    nbp_heapgraph_destroy(&self->unlisted);
}
