/* SPDX-License-Identifier: BSD-3-Clause */
/* Heap: the objects of the interpreter at one moment, as figures. It holds none of
 * them: addresses in it are keys, compared and never followed. */
#include <Python.h>

#include "compat.h"
#include "dominators.h"
#include "heapwalk.h"
#include "state.h"

typedef struct {
    PyObject_HEAD
    nbp_heap heap;              /* its addresses and types are not valid any more */
    PyObject *names;            /* owned; tuple of str, of each type by number */
    nbp_dominators *dominators; /* owned; NULL until asked for */
} Heap;

/* The name of a type with its module, without running the code of a metaclass. */
static PyObject *
full_name(PyTypeObject *type)
{
    if (!(type->tp_flags & Py_TPFLAGS_HEAPTYPE)) {
        return PyUnicode_FromString(type->tp_name);
    }
    PyObject *name = PyType_GetName(type); /* owned */
    PyObject *key, *module = NULL;         /* borrowed */
    PyObject *dict = NBP_TYPE_DICT(type);  /* owned */
    Py_ssize_t at = 0;
    while (dict != NULL && PyDict_Next(dict, &at, &key, &module)) {
        if (PyUnicode_CheckExact(key) &&
            PyUnicode_CompareWithASCIIString(key, "__module__") == 0) {
            break;
        }
        module = NULL;
    }
    PyObject *full = NULL; /* owned, returned */
    if (name != NULL && module != NULL && PyUnicode_Check(module) &&
        PyUnicode_CompareWithASCIIString(module, "builtins") != 0) {
        full = PyUnicode_FromFormat("%U.%U", module, name);
        Py_DECREF(name);
    }
    else {
        full = name;
    }
    Py_XDECREF(dict);
    return full;
}

/* Keeps the types alive while their names are made: that may start a collection. */
static PyObject *
names_of(const nbp_typetable *table)
{
    for (uint32_t i = 0; i < table->count; i++) {
        Py_INCREF(table->types[i]);
    }
    PyObject *names = PyTuple_New((Py_ssize_t)table->count); /* owned, returned */
    for (uint32_t i = 0; i < table->count; i++) {
        PyObject *name = names == NULL ? NULL : full_name(table->types[i]);
        if (name == NULL) {
            Py_CLEAR(names);
        }
        else {
            PyTuple_SET_ITEM(names, (Py_ssize_t)i, name);
        }
    }
    for (uint32_t i = 0; i < table->count; i++) {
        Py_DECREF(table->types[i]);
    }
    return names;
}

static PyObject *
heap_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"hidden", NULL};
    PyObject *hidden = NULL; /* borrowed */
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!:Heap", keywords, &PyTuple_Type,
                                     &hidden)) {
        return NULL;
    }
    nbp_heap heap;
    if (nbp_heap_take(&heap, hidden) < 0) {
        return NULL;
    }
    PyObject *names = names_of(&heap.table); /* owned, given to self */
    Heap *self = names == NULL ? NULL : (Heap *)type->tp_alloc(type, 0);
    if (self == NULL) {
        Py_XDECREF(names);
        nbp_heap_free(&heap);
        return NULL;
    }
    self->heap = heap;
    self->names = names;
    return (PyObject *)self;
}

static void
heap_dealloc(PyObject *op)
{
    Heap *self = (Heap *)op;
    PyTypeObject *type = Py_TYPE(op);
    nbp_heap_free(&self->heap);
    nbp_dominators_destroy(&self->dominators);
    Py_XDECREF(self->names);
    type->tp_free(op);
    Py_DECREF(type);
}

/* Makes the analysis on first use; -1 with an exception set. */
static int
analyse(Heap *self)
{
    if (self->dominators == NULL) {
        const nbp_heap *heap = &self->heap;
        nbp_dominators *found =
            nbp_dominators_new(heap->graph, heap->roots, heap->root_count, heap->sizes);
        if (found == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        self->dominators = found;
    }
    return 0;
}

PyDoc_STRVAR(types_doc,
             "types($self, /)\n"
             "--\n"
             "\n"
             "Objects by type.\n"
             "\n"
             "Returns\n"
             "-------\n"
             "list of tuple of (str, int, int)\n"
             "    Name with module, number of objects, their own bytes; in no order.\n"
             "    Untracked objects that tracked ones lead to are included.\n");

static PyObject *
heap_types(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Heap *self = (Heap *)op;
    size_t types = self->heap.table.count;
    struct row {
        unsigned long long count, bytes;
    } *rows = calloc(types + 1, sizeof(*rows)); /* owned */
    if (rows == NULL) {
        return PyErr_NoMemory();
    }
    for (size_t node = 0; node < nbp_heapgraph_nodes(self->heap.graph); node++) {
        rows[self->heap.types[node]].count++;
        rows[self->heap.types[node]].bytes += self->heap.sizes[node];
    }
    PyObject *list = PyList_New((Py_ssize_t)types); /* owned, returned */
    for (size_t i = 0; list != NULL && i < types; i++) {
        PyObject *item =
            Py_BuildValue("(OKK)", PyTuple_GET_ITEM(self->names, (Py_ssize_t)i),
                          rows[i].count, rows[i].bytes);
        if (item == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, (Py_ssize_t)i, item);
    }
    free(rows);
    return list;
}

/* The node of `op`; NBP_NO_NODE with a LookupError set when the heap has none. */
static nbp_node
find_node(Heap *self, PyObject *op)
{
    nbp_node node = nbp_heapgraph_find(self->heap.graph, (uintptr_t)op);
    if (node == NBP_NO_NODE) {
        PyErr_SetString(PyExc_LookupError,
                        "the object was not in the heap when it was taken");
    }
    return node;
}

PyDoc_STRVAR(size_doc, "size($self, object, /)\n"
                       "--\n"
                       "\n"
                       "Bytes of an object itself, headers included.\n");

static PyObject *
heap_size(PyObject *op, PyObject *arg)
{
    Heap *self = (Heap *)op;
    nbp_node node = find_node(self, arg);
    return node == NBP_NO_NODE ? NULL
                               : PyLong_FromUnsignedLongLong(self->heap.sizes[node]);
}

PyDoc_STRVAR(retained_doc,
             "retained($self, object, /)\n"
             "--\n"
             "\n"
             "Bytes that would be freed if the last references to an object went.\n"
             "\n"
             "The object itself is included; 0 for garbage that waits for the\n"
             "collector. The first call for a heap analyses the whole of it.\n");

static PyObject *
heap_retained(PyObject *op, PyObject *arg)
{
    Heap *self = (Heap *)op;
    nbp_node node = find_node(self, arg);
    if (node == NBP_NO_NODE || analyse(self) < 0) {
        return NULL;
    }
    return PyLong_FromUnsignedLongLong(
        nbp_dominators_retained_bytes(self->dominators, node));
}

static PyObject *
heap_get_objects(PyObject *op, void *Py_UNUSED(closure))
{
    return PyLong_FromSize_t(nbp_heapgraph_nodes(((Heap *)op)->heap.graph));
}

static PyObject *
heap_get_references(PyObject *op, void *Py_UNUSED(closure))
{
    return PyLong_FromSize_t(nbp_heapgraph_edges(((Heap *)op)->heap.graph));
}

static PyObject *
heap_get_roots(PyObject *op, void *Py_UNUSED(closure))
{
    return PyLong_FromSize_t(((Heap *)op)->heap.root_count);
}

static PyObject *
heap_get_unreached(PyObject *op, void *Py_UNUSED(closure))
{
    Heap *self = (Heap *)op;
    if (analyse(self) < 0) {
        return NULL;
    }
    size_t unreached = 0;
    for (size_t node = 0; node < nbp_heapgraph_nodes(self->heap.graph); node++) {
        unreached += !nbp_dominators_reached(self->dominators, (nbp_node)node);
    }
    return PyLong_FromSize_t(unreached);
}

static PyMethodDef heap_methods[] = {
    {"types", heap_types, METH_NOARGS, types_doc},
    {"size", heap_size, METH_O, size_doc},
    {"retained", heap_retained, METH_O, retained_doc},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef heap_getset[] = {
    {"objects", heap_get_objects, NULL, "Objects, running frames included.", NULL},
    {"references", heap_get_references, NULL, "References between them.", NULL},
    {"roots", heap_get_roots, NULL, "Objects held by something outside.", NULL},
    {"unreached", heap_get_unreached, NULL,
     "Objects that no root leads to: garbage that waits for the collector.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(
    heap_doc,
    "Heap(hidden)\n"
    "--\n"
    "\n"
    "The objects of the interpreter at this moment, as figures.\n"
    "\n"
    "Parameters\n"
    "----------\n"
    "hidden : tuple of str\n"
    "    Packages whose running functions hold nothing.\n"
    "\n"
    "Notes\n"
    "-----\n"
    "One pass of tp_traverse, which makes no object, runs no code and forces no\n"
    "collection; afterwards nothing is held, so objects are looked up by address:\n"
    "ask only for those that have been alive since. Roots are what has more\n"
    "references than the pass found, immortal objects, and running frames.\n");

static PyType_Slot heap_slots[] = {
    {Py_tp_doc, (void *)heap_doc}, {Py_tp_new, heap_new},
    {Py_tp_dealloc, heap_dealloc}, {Py_tp_methods, heap_methods},
    {Py_tp_getset, heap_getset},   {0, NULL},
};

static PyType_Spec heap_spec = {
    .name = "nbprobe._core.Heap",
    .basicsize = sizeof(Heap),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = heap_slots,
};

int
nbp_add_heap(PyObject *module)
{
    nbp_state *state = nbp_state_of(module);
    state->heap_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &heap_spec, NULL);
    if (state->heap_type == NULL) {
        return -1;
    }
    return PyModule_AddType(module, state->heap_type);
}
