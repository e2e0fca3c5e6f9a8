/* SPDX-License-Identifier: BSD-3-Clause */
/* References of single objects: what they hold, what holds them, and what holds those,
 * up to where the interpreter itself does. Each function finishes looking, and takes a
 * reference to everything that it found, before it makes the first object. */
#include <Python.h>

#include "arrays.h"
#include "compat.h"
#include "heapframes.h"
#include "heapwalk.h"
#include "state.h"

/* A growing array of objects. */
typedef struct {
    PyObject **items; /* owned; owned references once keep() has run */
    size_t count;
    size_t capacity;
    bool failed; /* memory was short */
} objects;

/* A dead object is passed over: _asyncio of CPython 3.12 shows the collector those that
 * it keeps for reuse, and a reference taken and given up would free one a second time.
 */
static void
append(objects *self, PyObject *op)
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

static void
keep(const objects *self)
{
    for (size_t i = 0; i < self->count; i++) {
        Py_INCREF(self->items[i]);
    }
}

/* Gives the references to a new list, and frees the array either way. */
static PyObject *
into_list(objects *self)
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
    *self = (objects){0};
    return list;
}

static int
append_visited(PyObject *op, void *arg)
{
    append(arg, op);
    return 0;
}

PyDoc_STRVAR(
    referents_doc,
    "referents($module, object, /)\n"
    "--\n"
    "\n"
    "The objects that an object holds, each as often as it holds it.\n"
    "\n"
    "Like gc.get_referents, and also of code objects, of static types, and of\n"
    "instances whose ``__dict__`` was made after their attributes.\n");

static PyObject *
referents(PyObject *Py_UNUSED(module), PyObject *op)
{
    objects found = {0};
    nbp_arrays_prepare();
    nbp_walk_references(op, append_visited, &found);
    keep(&found);
    return into_list(&found);
}

enum {
    FILTER_BITS = 16, /* of addresses: 8 KiB stay in the nearest cache */
    RING = 32,
};

/* One look through the heap for a set of targets. */
typedef struct {
    PyObject *const *targets; /* borrowed */
    size_t count;
    uint64_t filter[(1 << FILTER_BITS) / 64]; /* a bit set for each target's address */
    uint32_t *table; /* owned; of the targets, open addressing, UINT32_MAX empty */
    size_t mask;
    objects *found;          /* owned; for each target, what holds it */
    PyObject *source;        /* whose references are being looked at */
    bool thorough;           /* look also into what no list of objects has */
    bool frozen;             /* even objects of the collector may be on no list */
    nbp_heapgraph *unlisted; /* owned; as a set: that */
    nbp_status status;
    PyObject *ring[RING]; /* waiting for their type to come into the cache */
    size_t turn;
} scan;

static inline size_t
bit_of(PyObject *op)
{
    uint64_t product = ((uintptr_t)op >> 4) * UINT64_C(0x9E3779B97F4A7C15);
    return (size_t)(product >> (64 - FILTER_BITS));
}

static void
match(scan *self, PyObject *op)
{
    size_t slot = bit_of(op) & self->mask;
    while (self->table[slot] != UINT32_MAX) {
        objects *found = &self->found[self->table[slot]];
        if (self->targets[self->table[slot]] == op) {
            /* References of one source come one after the other. */
            if (found->count == 0 || found->items[found->count - 1] != self->source) {
                append(found, self->source);
            }
        }
        slot = (slot + 1) & self->mask;
    }
}

static void
admit(scan *self, PyObject *op)
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
    scan *self = arg;
    size_t bit = bit_of(op);
    if (self->filter[bit / 64] >> (bit % 64) & 1) {
        match(self, op);
    }
    if (self->thorough) {
        PyObject **place = &self->ring[self->turn++ % RING];
        admit(self, *place);
        *place = op;
        __builtin_prefetch(op);
    }
    return 0;
}

static void
flush(scan *self)
{
    for (size_t i = 0; i < RING; i++) {
        PyObject *op = self->ring[i];
        self->ring[i] = NULL;
        admit(self, op);
    }
}

static int
look_into(PyObject *op, void *arg)
{
    scan *self = arg;
    self->source = op;
    nbp_walk_references(op, look_at, self);
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

static nbp_status
scan_start(scan *self, PyObject *const *targets, size_t count)
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

static nbp_status
scan_heap(scan *self, PyObject *prepared)
{
    for (size_t i = 0; i < self->count; i++) {
        self->found[i].count = 0;
    }
    if (self->frozen) {
        self->thorough = true;
        nbp_walk_tracked(prepared, admit_one, self);
        admit(self, PyImport_GetModuleDict());
    }
    else {
        nbp_walk_tracked(prepared, look_into, self);
    }
    if (self->thorough) {
        nbp_frames_visit(admit_frame, self);
    }
    flush(self);
    for (size_t i = 0; !self->thorough && i < self->count; i++) {
        PyObject *type = type_of_dict(self->targets[i]);
        if (type != NULL) {
            append(&self->found[i], type);
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

/* 1 after gc.freeze(), 0 otherwise, -1 with an exception set. */
static int
is_frozen(void)
{
    PyObject *gc = PyImport_ImportModule("gc"); /* owned */
    PyObject *count = NULL;                     /* owned */
    if (gc != NULL) {
        count = PyObject_CallMethod(gc, "get_freeze_count", NULL);
    }
    int frozen = count == NULL ? -1 : PyObject_IsTrue(count);
    Py_XDECREF(gc);
    Py_XDECREF(count);
    return frozen;
}

static PyObject *
scan_result(scan *self)
{
    for (size_t i = 0; i < self->count; i++) {
        keep(&self->found[i]);
    }
    PyObject *result = PyList_New((Py_ssize_t)self->count); /* owned, returned */
    for (size_t i = 0; i < self->count; i++) {
        PyObject *list = into_list(&self->found[i]);
        if (list == NULL || result == NULL) {
            Py_XDECREF(list);
            Py_CLEAR(result);
        }
        else {
            PyList_SET_ITEM(result, (Py_ssize_t)i, list);
        }
    }
    return result;
}

/* Takes the list of targets and that of all objects away from what was found: they are
 * ours, not the user's. False when there is a target that nobody holds. */
static bool
leave_out_ours(scan *self, const PyObject *targets, const PyObject *prepared)
{
    bool all_held = true;
    for (size_t i = 0; i < self->count; i++) {
        objects *found = &self->found[i];
        size_t left = 0;
        for (size_t j = 0; j < found->count; j++) {
            if (found->items[j] != targets && found->items[j] != prepared) {
                found->items[left++] = found->items[j];
            }
        }
        found->count = left;
        all_held = all_held && left > 0;
    }
    return all_held;
}

PyDoc_STRVAR(
    referrers_doc,
    "referrers($module, targets, search=None, /)\n"
    "--\n"
    "\n"
    "The objects that hold each of some objects.\n"
    "\n"
    "Parameters\n"
    "----------\n"
    "targets : list\n"
    "    However many there are, the heap is looked through once.\n"
    "search : list, optional\n"
    "    What start_search() gave: objects made since are not looked into.\n"
    "\n"
    "Returns\n"
    "-------\n"
    "list of list\n"
    "    For each target its holders, `targets` itself left out; also untracked\n"
    "    containers, code objects and static types. Running frames are not\n"
    "    objects and are not among them.\n");

/* `given`: what start_search() gave, or NULL. */
static PyObject *
look_for(PyObject *targets, bool tracked_only, PyObject *given)
{
    if (!PyList_CheckExact(targets)) {
        PyErr_SetString(PyExc_TypeError, "referrers takes a list");
        return NULL;
    }
    int frozen = is_frozen();
    PyObject *prepared = NULL; /* owned */
    if (frozen >= 0) {
        nbp_arrays_prepare();
        prepared = given == NULL ? nbp_walk_prepare() : Py_NewRef(given);
    }
    if (prepared == NULL) {
        return NULL;
    }
    scan *self = malloc(sizeof(*self)); /* owned; too large for the stack */
    PyObject *result = NULL;            /* owned, returned */
    nbp_status status = NBP_NO_MEMORY;
    if (self != NULL) {
        status = scan_start(self, ((PyListObject *)targets)->ob_item,
                            (size_t)PyList_GET_SIZE(targets));
        if (status == NBP_OK) {
            self->frozen = frozen;
            self->thorough = self->thorough && !tracked_only;
            status = scan_heap(self, prepared);
        }
        if (status == NBP_OK && !leave_out_ours(self, targets, prepared) &&
            !self->thorough && nbp_arrays_are_known()) {
            /* Something that nobody holds may be in an array of objects. */
            self->thorough = true;
            status = scan_heap(self, prepared);
            leave_out_ours(self, targets, prepared);
        }
    }
    if (status == NBP_OK) {
        result = scan_result(self);
    }
    else {
        nbp_raise(status, "looking for references");
    }
    if (self != NULL) {
        for (size_t i = 0; self->found != NULL && status != NBP_OK && i < self->count;
             i++) {
            free(self->found[i].items);
        }
        free(self->found);
        free(self->table);
        nbp_heapgraph_destroy(&self->unlisted);
        free(self);
    }
    Py_DECREF(prepared);
    return result;
}

static PyObject *
read_and_look(PyObject *args, bool tracked_only)
{
    PyObject *targets, *search = Py_None; /* borrowed */
    if (!PyArg_ParseTuple(args, "O|O:referrers", &targets, &search)) {
        return NULL;
    }
    if (search != Py_None && !PyList_CheckExact(search)) {
        PyErr_SetString(PyExc_TypeError, "search must be what start_search() gave");
        return NULL;
    }
    return look_for(targets, tracked_only, search == Py_None ? NULL : search);
}

static PyObject *
referrers(PyObject *Py_UNUSED(module), PyObject *args)
{
    return read_and_look(args, false);
}

PyDoc_STRVAR(start_search_doc,
             "start_search($module, /)\n"
             "--\n"
             "\n"
             "What several calls of referrers() would make each, to be given up soon.\n"
             "\n"
             "On Python 3.11 a list of all objects, each of which it holds; None from\n"
             "3.12 on, where the interpreter lets them be visited.\n");

static PyObject *
start_search(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    return nbp_walk_prepare();
}

PyDoc_STRVAR(tracked_referrers_doc,
             "tracked_referrers($module, targets, search=None, /)\n"
             "--\n"
             "\n"
             "Like referrers(), without holders that the collector does not track.\n"
             "\n"
             "A third of the time where a target is untracked itself or a tuple.\n");

static PyObject *
tracked_referrers(PyObject *Py_UNUSED(module), PyObject *args)
{
    return read_and_look(args, true);
}

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

static PyMethodDef refs_methods[] = {
    {"referents", referents, METH_O, referents_doc},
    {"referrers", referrers, METH_VARARGS, referrers_doc},
    {"start_search", start_search, METH_NOARGS, start_search_doc},
    {"tracked_referrers", tracked_referrers, METH_VARARGS, tracked_referrers_doc},
    {"count_types", count_types, METH_NOARGS, count_doc},
    {NULL, NULL, 0, NULL},
};

int
nbp_add_refs(PyObject *module)
{
    return PyModule_AddFunctions(module, refs_methods);
}
