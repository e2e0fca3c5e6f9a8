/* SPDX-License-Identifier: BSD-3-Clause */
/* Mark: which objects there were at one moment, in about ten bytes each, to tell later
 * what is new. And the way back from numbers to objects. */
#include "compat.h"
#include "heapmasks.h"
#include "heapobject.h"
#include "heaptake.h"
#include "state.h"

/* An open table of addresses, each with 16 bits of its type's name above it: an object
 * of another type at the same place is another object. 0: free. */
typedef struct {
    PyObject_HEAD
    uint64_t *table; /* owned */
    uint64_t length;
    uint64_t count;
} Mark;

enum { ADDRESS_BITS = 48 };

/* What an object is known by. */
static uint64_t
key_of(const nbp_heapimage *image, const uint64_t *hashes, nbp_node node)
{
    uint64_t address = nbp_heapgraph_address(image->graph, node);
    return (address & ((UINT64_C(1) << ADDRESS_BITS) - 1)) | hashes[image->types[node]];
}

/* The upper bits of each type's objects; owned by the caller, NULL when memory is
 * short. */
static uint64_t *
hash_types(const nbp_heapimage *image)
{
    size_t count = nbp_texts_count(image->type_names);
    uint64_t *hashes = malloc((count + 1) * sizeof(*hashes));
    for (size_t i = 0; hashes != NULL && i < count; i++) {
        size_t length;
        const char *text = nbp_texts_get(image->type_names, (uint32_t)i, &length);
        uint64_t hash = 0;
        for (size_t j = 0; j < length; j++) {
            hash = (hash ^ (uint8_t)text[j]) * UINT64_C(0x9E3779B97F4A7C15);
        }
        hashes[i] = (hash >> ADDRESS_BITS | 1) << ADDRESS_BITS; /* never 0 */
    }
    return hashes;
}

static uint64_t
slot_of(const Mark *self, uint64_t key)
{
    uint64_t product = key * UINT64_C(0x9E3779B97F4A7C15);
    return ((product >> 32) * self->length) >> 32;
}

static bool
has(const Mark *self, uint64_t key)
{
    uint64_t slot = slot_of(self, key);
    while (self->table[slot] != 0) {
        if (self->table[slot] == key) {
            return true;
        }
        slot = slot + 1 == self->length ? 0 : slot + 1;
    }
    return false;
}

static void
put(Mark *self, uint64_t key)
{
    uint64_t slot = slot_of(self, key);
    while (self->table[slot] != 0 && self->table[slot] != key) {
        slot = slot + 1 == self->length ? 0 : slot + 1;
    }
    self->count += self->table[slot] == 0;
    self->table[slot] = key;
}

enum { AHEAD = 16 };

static PyObject *
mark_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"heap", NULL};
    nbp_state *state = nbp_state_of_type(type);
    PyObject *heap = NULL; /* borrowed */
    if (state == NULL || !PyArg_ParseTupleAndKeywords(args, kwargs, "O!:Mark", keywords,
                                                      state->heap_type, &heap)) {
        return NULL;
    }
    const nbp_heapimage *image = &((nbp_heap_object *)heap)->image;
    size_t nodes = nbp_heapgraph_nodes(image->graph);
    Mark *self = (Mark *)type->tp_alloc(type, 0); /* owned, returned */
    if (self == NULL) {
        return NULL;
    }
    uint64_t *hashes = hash_types(image); /* owned */
    self->length = nodes + nodes / 4 + 16;
    self->table = calloc(self->length, sizeof(*self->table));
    if (hashes == NULL || self->table == NULL) {
        free(hashes);
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    for (size_t node = 0; node < nodes; node++) {
        if (node + AHEAD < nodes) {
            uint64_t key = key_of(image, hashes, (nbp_node)(node + AHEAD));
            __builtin_prefetch(&self->table[slot_of(self, key)], 1);
        }
        put(self, key_of(image, hashes, (nbp_node)node));
    }
    free(hashes);
    return (PyObject *)self;
}

static void
mark_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);
    free(((Mark *)op)->table);
    type->tp_free(op);
    Py_DECREF(type);
}

PyObject *
nbp_heap_new_since(PyObject *op, PyObject *arg)
{
    const nbp_heapimage *image = &((nbp_heap_object *)op)->image;
    if (Py_TYPE(arg)->tp_dealloc != mark_dealloc) {
        PyErr_SetString(PyExc_TypeError, "new_since takes a Mark");
        return NULL;
    }
    const Mark *mark = (Mark *)arg;
    size_t nodes = nbp_heapgraph_nodes(image->graph);
    uint64_t *hashes = hash_types(image); /* owned */
    PyObject *set =
        PyBytes_FromStringAndSize(NULL, (Py_ssize_t)nbp_set_bytes(nodes)); /* owned */
    if (hashes == NULL || set == NULL) {
        free(hashes);
        Py_XDECREF(set);
        return PyErr_NoMemory();
    }
    uint8_t *bits = (uint8_t *)PyBytes_AS_STRING(set);
    memset(bits, 0, nbp_set_bytes(nodes));
    for (size_t node = 0; node < nodes; node++) {
        if (node + AHEAD < nodes) {
            uint64_t key = key_of(image, hashes, (nbp_node)(node + AHEAD));
            __builtin_prefetch(&mark->table[slot_of(mark, key)]);
        }
        if (!has(mark, key_of(image, hashes, (nbp_node)node))) {
            nbp_put(bits, (nbp_node)node);
        }
    }
    free(hashes);
    return set;
}

PyObject *
nbp_heap_common(PyObject *op, PyObject *args)
{
    nbp_heap_object *self = (nbp_heap_object *)op;
    PyObject *other, *members; /* borrowed */
    const uint8_t *there;      /* borrowed */
    if (!PyArg_ParseTuple(args, "O!O:common", Py_TYPE(op), &other, &members) ||
        !nbp_mask_read((nbp_heap_object *)other, members, &there)) {
        return NULL;
    }
    const nbp_heapimage *image = &self->image;
    const nbp_heapimage *from = &((nbp_heap_object *)other)->image;
    uint8_t *bits;                             /* borrowed */
    PyObject *set = nbp_mask_new(self, &bits); /* owned, returned */
    uint64_t *here_types = hash_types(image);  /* owned */
    uint64_t *there_types = hash_types(from);  /* owned */
    if (set != NULL && (here_types == NULL || there_types == NULL)) {
        Py_CLEAR(set);
        PyErr_NoMemory();
    }
    size_t nodes = set == NULL ? 0 : nbp_heapgraph_nodes(image->graph);
    for (size_t node = 0; node < nodes; node++) {
        uintptr_t address = nbp_heapgraph_address(image->graph, (nbp_node)node);
        nbp_node same = nbp_heapgraph_find(from->graph, address);
        if (same != NBP_NO_NODE && (there == NULL || nbp_has(there, same)) &&
            here_types[image->types[node]] == there_types[from->types[same]]) {
            nbp_put(bits, (nbp_node)node);
        }
    }
    free(here_types);
    free(there_types);
    return set;
}

static PyObject *
mark_get_objects(PyObject *op, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLongLong(((Mark *)op)->count);
}

static PyObject *
mark_get_bytes(PyObject *op, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLongLong(((Mark *)op)->length * sizeof(uint64_t));
}

static PyGetSetDef mark_getset[] = {
    {"objects", mark_get_objects, NULL, "Objects that it knows.", NULL},
    {"bytes", mark_get_bytes, NULL, "Memory that it takes.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(mark_doc, "Mark(heap)\n"
                       "--\n"
                       "\n"
                       "Which objects there were, to tell later what is new.\n"
                       "\n"
                       "Ten bytes an object. An object of the same type at the place\n"
                       "of one that died meanwhile is taken for that one.\n");

static PyType_Slot mark_slots[] = {
    {Py_tp_doc, (void *)mark_doc},
    {Py_tp_new, mark_new},
    {Py_tp_dealloc, mark_dealloc},
    {Py_tp_getset, mark_getset},
    {0, NULL},
};

static PyType_Spec mark_spec = {
    .name = "nbprobe._core.Mark",
    .basicsize = sizeof(Mark),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = mark_slots,
};

/* The objects of a heap that was just taken and of which no code has run since; those
 * in `set` of an earlier one, or all. Takes a reference to each before it makes any. */
static PyObject *
list_objects(const nbp_heap *heap, const nbp_heapimage *earlier, const uint8_t *set)
{
    const nbp_heapgraph *from = earlier == NULL ? heap->image.graph : earlier->graph;
    size_t nodes = nbp_heapgraph_nodes(from), count = 0;
    PyObject **found = malloc((nodes + 1) * sizeof(PyObject *)); /* owned */
    if (found == NULL) {
        return PyErr_NoMemory();
    }
    for (size_t node = 0; node < nodes; node++) {
        uintptr_t address = nbp_heapgraph_address(from, (nbp_node)node);
        nbp_node now = (nbp_node)node;
        if (earlier != NULL) {
            now = nbp_has(set, (nbp_node)node)
                      ? nbp_heapgraph_find(heap->image.graph, address)
                      : NBP_NO_NODE;
        }
        /* A running frame may be no object, and a dead one may be kept for reuse. */
        if (now == NBP_NO_NODE || now < heap->image.frame_count ||
            Py_REFCNT((PyObject *)address) <= 0) {
            continue;
        }
        found[count++] = Py_NewRef((PyObject *)address);
    }
    PyObject *list = PyList_New((Py_ssize_t)count); /* owned, returned */
    for (size_t i = 0; i < count; i++) {
        if (list == NULL) {
            Py_DECREF(found[i]);
        }
        else {
            PyList_SET_ITEM(list, (Py_ssize_t)i, found[i]);
        }
    }
    free(found);
    return list;
}

PyObject *
nbp_heap_alive(PyObject *op, PyObject *args)
{
    const nbp_heapimage *image = &((nbp_heap_object *)op)->image;
    PyObject *set, *hidden; /* borrowed */
    if (!PyArg_ParseTuple(args, "OO!:alive", &set, &PyTuple_Type, &hidden)) {
        return NULL;
    }
    size_t bytes = nbp_set_bytes(nbp_heapgraph_nodes(image->graph));
    if (!PyBytes_CheckExact(set) || (size_t)PyBytes_GET_SIZE(set) != bytes) {
        PyErr_SetString(PyExc_ValueError, "not a set of this heap");
        return NULL;
    }
    nbp_heap now;
    if (nbp_heap_take(&now, hidden, NULL, false) < 0) {
        return NULL;
    }
    PyObject *list = list_objects(&now, image, (const uint8_t *)PyBytes_AS_STRING(set));
    nbp_heap_free(&now);
    return list;
}

PyDoc_STRVAR(objects_doc, "all_objects($module, hidden, /)\n"
                          "--\n"
                          "\n"
                          "All objects of the interpreter, untracked ones included.\n");

static PyObject *
all_objects(PyObject *Py_UNUSED(module), PyObject *hidden)
{
    if (!PyTuple_CheckExact(hidden)) {
        PyErr_SetString(PyExc_TypeError, "all_objects takes a tuple of str");
        return NULL;
    }
    nbp_heap now;
    if (nbp_heap_take(&now, hidden, NULL, false) < 0) {
        return NULL;
    }
    PyObject *list = list_objects(&now, NULL, NULL);
    nbp_heap_free(&now);
    return list;
}

static PyMethodDef mark_functions[] = {
    {"all_objects", all_objects, METH_O, objects_doc},
    {NULL, NULL, 0, NULL},
};

int
nbp_add_heap_marks(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &mark_spec, NULL); /* owned */
    if (type == NULL) {
        return -1;
    }
    int result = PyModule_AddType(module, (PyTypeObject *)type);
    Py_DECREF(type);
    return result < 0 ? result : PyModule_AddFunctions(module, mark_functions);
}
