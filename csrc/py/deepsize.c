/* SPDX-License-Identifier: BSD-3-Clause */
/* DeepSize: how large objects are together with all that they lead to, each object
 * counted once. Code is left out, because everything leads to it and it leads
 * everywhere: classes, modules, functions, frames. */
#include <Python.h>

#include "addressset.h"
#include "arrays.h"
#include "compat.h"
#include "heapwalk.h"
#include "layout.h"
#include "spans.h"
#include "state.h"

enum {
    NEAR = 16, /* objects that wait until what they have outside is there */
    RING = 32, /* references that wait until it is there whether they are known */
    SMALLEST_SPAN = 512, /* of memory that others may show too */
};

/* What is done with the instances of a type. */
enum { UNDECIDED, COUNTED, IGNORED, HANDED_OUT };

typedef struct {
    PyObject_HEAD
    size_t mask;            /* sizes are rounded up to a multiple of mask + 1 */
    Py_ssize_t limit;       /* references followed from each object; -1: all */
    int code, frames;       /* count these too */
    PyObject *excluded;     /* owned; tuple of types */
    PyObject *special;      /* owned; tuple of types to hand out as well */
    PyObject *found;        /* owned; list of instances of those */
    nbp_addressset known;   /* objects that are counted, or will be */
    nbp_addressset skipped; /* of them, those to be counted when they are given */
    nbp_spans spans;        /* of objects counted, bytes that others may show too */
} DeepSize;

/* One search, which runs no code. */
typedef struct {
    DeepSize *owner; /* borrowed */
    nbp_typetable table;
    unsigned char *kinds; /* owned; of each type by number */
    uint32_t kind_count;
    PyObject **queue; /* owned; borrowed objects that were met */
    size_t first;     /* that has not had its turn, where they go level by level */
    size_t last, capacity;
    PyObject **special; /* owned; borrowed objects, in the order of the search */
    size_t special_count, special_capacity;
    PyObject *ring[RING]; /* borrowed; NULL where there is none */
    size_t turn;
    uint64_t bytes;
    bool failed; /* memory was short */
} search;

static bool
is_instance_of_any(PyTypeObject *type, PyObject *types)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(types); i++) {
        if (PyType_IsSubtype(type, (PyTypeObject *)PyTuple_GET_ITEM(types, i))) {
            return true;
        }
    }
    return false;
}

static bool
is_code(PyTypeObject *type)
{
    return PyType_FastSubclass(type, Py_TPFLAGS_TYPE_SUBCLASS) ||
           PyType_IsSubtype(type, &PyModule_Type) || type == &PyFunction_Type ||
           PyType_IsSubtype(type, &PyCFunction_Type) || type == &PyMethod_Type ||
           type == &PyCode_Type || type == &PyClassMethod_Type ||
           type == &PyStaticMethod_Type || type == &PyWrapperDescr_Type ||
           type == &PyMethodDescr_Type || type == &PyClassMethodDescr_Type ||
           type == &PySuper_Type;
}

static unsigned char
decide(const DeepSize *self, PyTypeObject *type)
{
    if (is_instance_of_any(type, self->excluded) ||
        PyType_IsSubtype(type, &PyModule_Type) || (is_code(type) && !self->code) ||
        (type == &PyFrame_Type && !self->frames)) {
        return IGNORED;
    }
    return is_instance_of_any(type, self->special) ? HANDED_OUT : COUNTED;
}

/* What is done with `type`, and its number. */
static unsigned char
kind_of(search *it, PyTypeObject *type, uint32_t *number)
{
    *number = nbp_typetable_number(&it->table, type);
    if (*number == UINT32_MAX) {
        it->failed = true;
        return IGNORED;
    }
    if (*number >= it->kind_count) {
        uint32_t count = 2 * *number + 256;
        unsigned char *kinds = realloc(it->kinds, count);
        if (kinds == NULL) {
            it->failed = true;
            return IGNORED;
        }
        memset(kinds + it->kind_count, UNDECIDED, count - it->kind_count);
        it->kinds = kinds;
        it->kind_count = count;
    }
    if (it->kinds[*number] == UNDECIDED) {
        it->kinds[*number] = decide(it->owner, type);
    }
    return it->kinds[*number];
}

static bool
append(PyObject ***items, size_t *count, size_t *capacity, PyObject *op)
{
    if (*count == *capacity) {
        size_t more = *capacity == 0 ? 256 : 2 * *capacity;
        PyObject **grown = realloc(*items, more * sizeof(PyObject *));
        if (grown == NULL) {
            return false;
        }
        *items = grown;
        *capacity = more;
    }
    (*items)[(*count)++] = op;
    return true;
}

/* The object itself is not touched yet: most references lead to what is known. */
static void
take_in(search *it, PyObject *op)
{
    int fresh = nbp_addressset_add(&it->owner->known, (uintptr_t)op);
    if (fresh < 0 || (fresh && !append(&it->queue, &it->last, &it->capacity, op))) {
        it->failed = true;
    }
}

static int
meet(PyObject *op, void *arg)
{
    search *it = arg;
    PyObject **place = &it->ring[it->turn % RING];
    PyObject *oldest = *place;
    nbp_addressset_prefetch(&it->owner->known, (uintptr_t)op);
    *place = op;
    it->turn++;
    if (oldest != NULL) {
        take_in(it, oldest);
    }
    return 0;
}

static void
flush(search *it)
{
    for (size_t i = 0; i < RING; i++) {
        PyObject **place = &it->ring[(it->turn + i) % RING];
        PyObject *op = *place;
        *place = NULL;
        if (op != NULL) {
            take_in(it, op);
        }
    }
}

/* Remembers where the bytes of `op` are, if it is one that others may show them of. */
static void
note_span(search *it, PyObject *op)
{
    nbp_span span = {0, 0};
    if (PyBytes_Check(op)) {
        span.start = (uintptr_t)PyBytes_AS_STRING(op);
        span.end = span.start + (size_t)PyBytes_GET_SIZE(op);
    }
    else if (PyByteArray_Check(op)) {
        span.start = (uintptr_t)PyByteArray_AS_STRING(op);
        span.end = span.start + (size_t)PyByteArray_GET_SIZE(op);
    }
    else if (nbp_arrays_is(op)) {
        span = nbp_arrays_memory(op);
    }
    if (span.end - span.start >= SMALLEST_SPAN &&
        nbp_spans_add(&it->owner->spans, span) != NBP_OK) {
        it->failed = true;
    }
}

static void
count(search *it, PyObject *op, bool follow)
{
    uint32_t number;
    if (Py_REFCNT(op) <= 0) {
        return; /* see objectlist.h for what has no references and is met all the same
                 */
    }
    unsigned char kind = kind_of(it, Py_TYPE(op), &number);
    if (kind == IGNORED) {
        return;
    }
    size_t mask = it->owner->mask;
    it->bytes += (nbp_walk_size(op, it->table.methods[number]) + mask) & ~mask;
    if (PyTuple_GET_SIZE(it->owner->special) > 0) {
        note_span(it, op);
    }
    if (kind == HANDED_OUT &&
        !append(&it->special, &it->special_count, &it->special_capacity, op)) {
        it->failed = true;
    }
    if (follow) {
        nbp_walk_references(op, meet, it);
        nbp_walk_keys(op, meet, it);
    }
}

/* The last that was met first: what an object holds is mostly next to it in memory, and
 * comes while that is in the cache. Some wait on the way until they are there. */
static void
run_all(search *it)
{
    PyObject *waiting[NEAR] = {NULL};
    size_t idle = 0;
    for (size_t turn = 0; !it->failed && idle <= NEAR; turn++) {
        if (it->last == 0) {
            flush(it);
        }
        PyObject *op = it->last == 0 ? NULL : it->queue[--it->last];
        PyObject **place = &waiting[turn % NEAR], *oldest = *place;
        PyObject *near = waiting[(turn + NEAR / 2) % NEAR];
        __builtin_prefetch(op);
        *place = op;
        if (near != NULL) {
            nbp_layout_prefetch(near);
        }
        if (oldest != NULL) {
            count(it, oldest, true);
        }
        idle = op == NULL && oldest == NULL ? idle + 1 : 0;
    }
}

/* Level by level, to know how far away each is. */
static void
run_levels(search *it)
{
    size_t level_end = it->last;
    Py_ssize_t depth = 0;
    while (!it->failed) {
        if (it->first == level_end) {
            flush(it);
            level_end = it->last;
            depth++;
        }
        if (it->first == it->last) {
            break;
        }
        count(it, it->queue[it->first++], depth < it->owner->limit);
    }
}

/* Without a stack of calls: a list of a million links is no deeper than any other
 * graph.
 */
static void
run(search *it, PyObject *start)
{
    if (!append(&it->queue, &it->last, &it->capacity, start)) {
        it->failed = true;
        return;
    }
    if (it->owner->limit < 0) {
        run_all(it);
    }
    else {
        run_levels(it);
    }
}

/* Hands the special objects over; -1 with an exception set. */
static int
hand_out(DeepSize *self, const search *it)
{
    for (size_t i = 0; i < it->special_count; i++) {
        if (PyList_Append(self->found, it->special[i]) < 0) {
            return -1;
        }
    }
    return 0;
}

PyDoc_STRVAR(add_doc,
             "add($self, object, /)\n"
             "--\n"
             "\n"
             "Bytes of an object and of what it leads to.\n"
             "\n"
             "What was counted before is left out, as is what `skip` was told.\n");

static PyObject *
deepsize_add(PyObject *op, PyObject *object)
{
    DeepSize *self = (DeepSize *)op;
    search it = {.owner = self};
    nbp_arrays_prepare();
    int fresh = nbp_addressset_take(&self->skipped, (uintptr_t)object)
                    ? 1
                    : nbp_addressset_add(&self->known, (uintptr_t)object);
    if (fresh == 0) {
        return PyLong_FromLong(0);
    }
    if (fresh < 0 || nbp_typetable_init(&it.table) != NBP_OK) {
        return PyErr_NoMemory();
    }
    run(&it, object);
    /* What was found stays alive meanwhile: it is in the queue of a heap that stands
     * still until here, and the list below makes no room for code before it is full. */
    for (size_t i = 0; i < it.special_count; i++) {
        Py_INCREF(it.special[i]);
    }
    int failed = it.failed ? -1 : hand_out(self, &it);
    for (size_t i = 0; i < it.special_count; i++) {
        Py_DECREF(it.special[i]);
    }
    nbp_typetable_free(&it.table);
    free(it.kinds);
    free(it.queue);
    free(it.special);
    if (it.failed) {
        return PyErr_NoMemory();
    }
    return failed < 0 ? NULL : PyLong_FromUnsignedLongLong(it.bytes);
}

PyDoc_STRVAR(flat_doc, "flat($self, object, /)\n"
                       "--\n"
                       "\n"
                       "Bytes of an object alone; 0 when it was counted before.\n");

static PyObject *
deepsize_flat(PyObject *op, PyObject *object)
{
    DeepSize *self = (DeepSize *)op;
    Py_ssize_t limit = self->limit;
    self->limit = 0;
    PyObject *bytes = deepsize_add(op, object);
    self->limit = limit;
    return bytes;
}

PyDoc_STRVAR(skip_doc, "skip($self, objects, /)\n"
                       "--\n"
                       "\n"
                       "Count these only when they are given to `add` themselves.\n");

static PyObject *
deepsize_skip(PyObject *op, PyObject *objects)
{
    if (!PyTuple_CheckExact(objects)) {
        PyErr_SetString(PyExc_TypeError, "skip takes a tuple");
        return NULL;
    }
    DeepSize *self = (DeepSize *)op;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(objects); i++) {
        uintptr_t address = (uintptr_t)PyTuple_GET_ITEM(objects, i);
        int fresh = nbp_addressset_add(&self->known, address);
        if (fresh < 0 || (fresh && nbp_addressset_add(&self->skipped, address) < 0)) {
            return PyErr_NoMemory();
        }
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(overlap_doc,
             "overlap($self, pieces, /)\n"
             "--\n"
             "\n"
             "Bytes of the objects counted that lie in some memory.\n"
             "\n"
             "Parameters\n"
             "----------\n"
             "pieces : list of tuple of (int, int)\n"
             "    Where each begins and ends; ascending and apart.\n"
             "\n"
             "Notes\n"
             "-----\n"
             "Objects are bytes, bytearray and arrays that own their memory,\n"
             "from 512 bytes on, and only those of a search with `special`\n"
             "types.\n");

static PyObject *
deepsize_overlap(PyObject *op, PyObject *list)
{
    if (!PyList_CheckExact(list)) {
        PyErr_SetString(PyExc_TypeError, "overlap takes a list");
        return NULL;
    }
    nbp_spans pieces = {0}; /* owned */
    PyObject *bytes = NULL; /* owned, returned */
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); i++) {
        unsigned long long start, end;
        if (!PyArg_ParseTuple(PyList_GET_ITEM(list, i), "KK", &start, &end)) {
            goto done;
        }
        nbp_span piece = {(uintptr_t)start, (uintptr_t)end};
        if (nbp_spans_add(&pieces, piece) != NBP_OK) {
            PyErr_NoMemory();
            goto done;
        }
    }
    bytes = PyLong_FromUnsignedLongLong(
        nbp_spans_shared(&((DeepSize *)op)->spans, &pieces));
done:
    nbp_spans_clear(&pieces);
    return bytes;
}

PyDoc_STRVAR(found_doc, "found($self, /)\n"
                        "--\n"
                        "\n"
                        "Instances of the special types met since the last call.\n");

static PyObject *
deepsize_found(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    DeepSize *self = (DeepSize *)op;
    PyObject *fresh = PyList_New(0); /* owned, given to self */
    if (fresh == NULL) {
        return NULL;
    }
    PyObject *found = self->found; /* owned, returned */
    self->found = fresh;
    return found;
}

static int
check_types(PyObject *types, const char *name)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(types); i++) {
        if (!PyType_Check(PyTuple_GET_ITEM(types, i))) {
            PyErr_Format(PyExc_TypeError, "%s must be types", name);
            return -1;
        }
    }
    return 0;
}

static PyObject *
deepsize_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"align",    "limit",   "code", "frames",
                               "excluded", "special", NULL};
    Py_ssize_t align = 8, limit = -1;
    int code = 0, frames = 0;
    PyObject *excluded = NULL, *special = NULL; /* borrowed */
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$nnppO!O!:DeepSize", keywords,
                                     &align, &limit, &code, &frames, &PyTuple_Type,
                                     &excluded, &PyTuple_Type, &special)) {
        return NULL;
    }
    if (align > 1 && (align & (align - 1)) != 0) {
        return PyErr_Format(PyExc_ValueError, "align must be a power of 2, and is %zd",
                            align);
    }
    if ((excluded != NULL && check_types(excluded, "excluded") < 0) ||
        (special != NULL && check_types(special, "special") < 0)) {
        return NULL;
    }
    DeepSize *self = (DeepSize *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->mask = align > 1 ? (size_t)align - 1 : 0;
    self->limit = limit;
    self->code = code;
    self->frames = frames;
    self->excluded = excluded == NULL ? PyTuple_New(0) : Py_NewRef(excluded);
    self->special = special == NULL ? PyTuple_New(0) : Py_NewRef(special);
    self->found = PyList_New(0);
    if (self->excluded == NULL || self->special == NULL || self->found == NULL) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    return (PyObject *)self;
}

static int
deepsize_traverse(PyObject *op, visitproc visit, void *arg)
{
    DeepSize *self = (DeepSize *)op;
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(self->excluded);
    Py_VISIT(self->special);
    Py_VISIT(self->found);
    return 0;
}

static int
deepsize_clear(PyObject *op)
{
    DeepSize *self = (DeepSize *)op;
    Py_CLEAR(self->found);
    return 0;
}

static void
deepsize_dealloc(PyObject *op)
{
    DeepSize *self = (DeepSize *)op;
    PyTypeObject *type = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    deepsize_clear(op);
    Py_CLEAR(self->excluded);
    Py_CLEAR(self->special);
    nbp_addressset_clear(&self->known);
    nbp_addressset_clear(&self->skipped);
    nbp_spans_clear(&self->spans);
    type->tp_free(op);
    Py_DECREF(type);
}

static PyMethodDef deepsize_methods[] = {
    {"add", deepsize_add, METH_O, add_doc},
    {"flat", deepsize_flat, METH_O, flat_doc},
    {"skip", deepsize_skip, METH_O, skip_doc},
    {"overlap", deepsize_overlap, METH_O, overlap_doc},
    {"found", deepsize_found, METH_NOARGS, found_doc},
    {NULL, NULL, 0, NULL},
};

PyDoc_STRVAR(
    deepsize_doc,
    "DeepSize(*, align=8, limit=-1, code=False, frames=False, excluded=(),\n"
    "         special=())\n"
    "--\n"
    "\n"
    "How large objects are together with what they lead to, each counted once.\n"
    "\n"
    "Parameters\n"
    "----------\n"
    "align : int\n"
    "    Sizes are rounded up to a multiple of it, a power of 2; 1 for none.\n"
    "limit : int\n"
    "    How many references to follow from an object; negative for all.\n"
    "code : bool\n"
    "    Count classes, functions and their code too.\n"
    "frames : bool\n"
    "    Count frames too.\n"
    "excluded : tuple of type\n"
    "    Instances of these are not counted, nor what only they lead to.\n"
    "special : tuple of type\n"
    "    Instances of these are given by `found` as well.\n"
    "\n"
    "Notes\n"
    "-----\n"
    "Runs no code of the objects and makes none. Addresses are remembered from one\n"
    "call to the next: the objects have to stay alive until the last.\n");

static PyType_Slot deepsize_slots[] = {
    {Py_tp_doc, (void *)deepsize_doc},
    {Py_tp_new, deepsize_new},
    {Py_tp_traverse, deepsize_traverse},
    {Py_tp_clear, deepsize_clear},
    {Py_tp_dealloc, deepsize_dealloc},
    {Py_tp_methods, deepsize_methods},
    {0, NULL},
};

static PyType_Spec deepsize_spec = {
    .name = "nbprobe._core.DeepSize",
    .basicsize = sizeof(DeepSize),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = deepsize_slots,
};

int
nbp_add_deepsize(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &deepsize_spec, NULL); /* owned */
    if (type == NULL) {
        return -1;
    }
    int failed = PyModule_AddType(module, (PyTypeObject *)type);
    Py_DECREF(type); /* the module keeps it */
    return failed;
}
