/* SPDX-License-Identifier: BSD-3-Clause */
/* Heap: the objects of the interpreter at one moment, as figures. It holds none of
 * them: addresses in it are keys, compared and never followed. */
#include "compat.h"
#include "heapobject.h"
#include "heaptake.h"
#include "state.h"

PyObject *
nbp_heap_object_new(PyTypeObject *type, nbp_heapimage *image, PyObject *names,
                    PyObject *about)
{
    nbp_heap_object *self = NULL; /* owned, returned */
    if (names != NULL && about != NULL) {
        self = (nbp_heap_object *)type->tp_alloc(type, 0);
    }
    if (self == NULL) {
        nbp_heapimage_clear(image);
        return NULL;
    }
    self->image = *image;
    self->names = Py_NewRef(names);
    self->about = Py_NewRef(about);
    return (PyObject *)self;
}

static PyObject *
heap_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"hidden", "named", "lent", NULL};
    PyObject *hidden = NULL; /* borrowed */
    nbp_lent lent = {NULL, args};
    int named = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!|pO!:Heap", keywords,
                                     &PyTuple_Type, &hidden, &named, &PyDict_Type,
                                     &lent.held)) {
        return NULL;
    }
    nbp_heap heap;
    if (nbp_heap_take(&heap, hidden, &lent, named) < 0) {
        return NULL;
    }
    if (nbp_heap_name_types(&heap) < 0) {
        nbp_heap_free(&heap);
        return NULL;
    }
    nbp_heapimage image = heap.image;
    heap.image = (nbp_heapimage){0};
    nbp_heap_free(&heap);
    PyObject *names = nbp_heap_names(image.type_names); /* owned */
    PyObject *about = PyUnicode_FromString("");         /* owned */
    PyObject *self = nbp_heap_object_new(type, &image, names, about);
    Py_XDECREF(names);
    Py_XDECREF(about);
    return self;
}

/* Only for those who look at the heap: it can be in no circle. */
static int
heap_traverse(PyObject *op, visitproc visit, void *arg)
{
    nbp_heap_object *self = (nbp_heap_object *)op;
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(self->names);
    Py_VISIT(self->about);
    return 0;
}

static void
heap_dealloc(PyObject *op)
{
    nbp_heap_object *self = (nbp_heap_object *)op;
    PyTypeObject *type = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    nbp_heapimage_clear(&self->image);
    nbp_dominators_destroy(&self->dominators);
    free(self->parents);
    free(self->origins);
    Py_XDECREF(self->names);
    Py_XDECREF(self->about);
    type->tp_free(op);
    Py_DECREF(type);
}

int
nbp_heap_analyse(nbp_heap_object *self)
{
    if (self->dominators == NULL) {
        const nbp_heapimage *image = &self->image;
        nbp_dominators *found = nbp_dominators_new(image->graph, image->roots,
                                                   image->root_count, &image->sizes);
        if (found == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        self->dominators = found;
    }
    return 0;
}

nbp_node
nbp_heap_node(const nbp_heap_object *self, PyObject *arg)
{
    Py_ssize_t number = PyLong_AsSsize_t(arg);
    if (number == -1 && PyErr_Occurred()) {
        return NBP_NO_NODE;
    }
    if (number < 0 || (size_t)number >= nbp_heapgraph_nodes(self->image.graph)) {
        PyErr_Format(PyExc_IndexError, "the heap has no object number %zd", number);
        return NBP_NO_NODE;
    }
    return (nbp_node)number;
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
    nbp_heap_object *self = (nbp_heap_object *)op;
    Py_ssize_t types = PyTuple_GET_SIZE(self->names);
    return nbp_heap_list_tally(self, NULL, self->image.types, types, self->names);
}

PyDoc_STRVAR(find_doc, "find($self, object, /)\n"
                       "--\n"
                       "\n"
                       "The number of an object, or None when the heap has none at its "
                       "address.\n");

static PyObject *
heap_find(PyObject *op, PyObject *arg)
{
    nbp_heap_object *self = (nbp_heap_object *)op;
    nbp_node node = nbp_heapgraph_find(self->image.graph, (uintptr_t)arg);
    return node == NBP_NO_NODE ? Py_NewRef(Py_None) : PyLong_FromUnsignedLong(node);
}

PyDoc_STRVAR(find_address_doc, "find_address($self, address, /)\n"
                               "--\n"
                               "\n"
                               "The number of the object at an address, or None.\n");

static PyObject *
heap_find_address(PyObject *op, PyObject *arg)
{
    nbp_heap_object *self = (nbp_heap_object *)op;
    unsigned long long address = PyLong_AsUnsignedLongLong(arg);
    if (address == (unsigned long long)-1 && PyErr_Occurred()) {
        if (!PyErr_ExceptionMatches(PyExc_OverflowError)) {
            return NULL;
        }
        PyErr_Clear(); /* no address is so large, or negative */
        Py_RETURN_NONE;
    }
    nbp_node node = nbp_heapgraph_find(self->image.graph, (uintptr_t)address);
    return node == NBP_NO_NODE ? Py_NewRef(Py_None) : PyLong_FromUnsignedLong(node);
}

/* The node of `op`; NBP_NO_NODE with a LookupError set when the heap has none. */
static nbp_node
find_node(nbp_heap_object *self, PyObject *op)
{
    nbp_node node = nbp_heapgraph_find(self->image.graph, (uintptr_t)op);
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
    nbp_heap_object *self = (nbp_heap_object *)op;
    nbp_node node = find_node(self, arg);
    return node == NBP_NO_NODE
               ? NULL
               : PyLong_FromUnsignedLongLong(nbp_sizes_get(&self->image.sizes, node));
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
    nbp_heap_object *self = (nbp_heap_object *)op;
    nbp_node node = find_node(self, arg);
    if (node == NBP_NO_NODE || nbp_heap_analyse(self) < 0) {
        return NULL;
    }
    return PyLong_FromUnsignedLongLong(
        nbp_dominators_retained_bytes(self->dominators, node));
}

PyDoc_STRVAR(node_doc,
             "node($self, number, /)\n"
             "--\n"
             "\n"
             "What is known of an object.\n"
             "\n"
             "Returns\n"
             "-------\n"
             "tuple of (int, str, int, str, int, int)\n"
             "    Address, type, own bytes, label, number of references to it and of\n"
             "    those that it holds. Only classes, functions, code, frames and\n"
             "    modules have labels; of others it is empty.\n");

static PyObject *
heap_node(PyObject *op, PyObject *arg)
{
    nbp_heap_object *self = (nbp_heap_object *)op;
    const nbp_heapimage *image = &self->image;
    nbp_node node = nbp_heap_node(self, arg);
    if (node == NBP_NO_NODE) {
        return NULL;
    }
    uint32_t text = nbp_heapimage_label(image, node);
    PyObject *label = text == NBP_NO_TEXT ? PyUnicode_FromString("")
                                          : nbp_heap_text(image->names, text);
    if (label == NULL) {
        return NULL;
    }
    return Py_BuildValue("(KOKNnn)",
                         (unsigned long long)nbp_heapgraph_address(image->graph, node),
                         PyTuple_GET_ITEM(self->names, (Py_ssize_t)image->types[node]),
                         (unsigned long long)nbp_sizes_get(&image->sizes, node), label,
                         (Py_ssize_t)nbp_heapgraph_sources(image->graph, node).count,
                         (Py_ssize_t)nbp_heapgraph_targets(image->graph, node).count);
}

PyDoc_STRVAR(dominator_doc,
             "dominator($self, number, /)\n"
             "--\n"
             "\n"
             "What alone keeps an object alive, and what would go with the object.\n"
             "\n"
             "Returns\n"
             "-------\n"
             "tuple of (int or None, int)\n"
             "    The nearest object that every way from a root leads through, None\n"
             "    when there is none or nothing leads to the object; and the bytes\n"
             "    that the object retains.\n");

static PyObject *
heap_dominator(PyObject *op, PyObject *arg)
{
    nbp_heap_object *self = (nbp_heap_object *)op;
    nbp_node node = nbp_heap_node(self, arg);
    if (node == NBP_NO_NODE || nbp_heap_analyse(self) < 0) {
        return NULL;
    }
    unsigned long long bytes = nbp_dominators_retained_bytes(self->dominators, node);
    nbp_node above = nbp_dominators_of(self->dominators, node);
    return above == NBP_NO_NODE ? Py_BuildValue("(OK)", Py_None, bytes)
                                : Py_BuildValue("(kK)", (unsigned long)above, bytes);
}

PyDoc_STRVAR(
    references_doc,
    "references_of($self, number, backwards, /)\n"
    "--\n"
    "\n"
    "What an object holds, or what holds it.\n"
    "\n"
    "Returns\n"
    "-------\n"
    "list of tuple of (int, str)\n"
    "    The other object, and the name of the reference as code writes it.\n");

PyDoc_STRVAR(path_doc,
             "path($self, number, /)\n"
             "--\n"
             "\n"
             "The shortest way to an object.\n"
             "\n"
             "Returns\n"
             "-------\n"
             "tuple of (str, list of tuple of (int, str))\n"
             "    Where it begins: ``'module'``, ``'frame'``, ``'outside'``, or\n"
             "    ``'garbage'`` when there is none; and its objects, each with the\n"
             "    name of the reference that leads to it, empty of the first.\n");

static PyObject *
heap_get_objects(PyObject *op, void *Py_UNUSED(closure))
{
    return PyLong_FromSize_t(nbp_heapgraph_nodes(((nbp_heap_object *)op)->image.graph));
}

static PyObject *
heap_get_references(PyObject *op, void *Py_UNUSED(closure))
{
    return PyLong_FromSize_t(nbp_heapgraph_edges(((nbp_heap_object *)op)->image.graph));
}

static PyObject *
heap_get_roots(PyObject *op, void *Py_UNUSED(closure))
{
    return PyLong_FromSize_t(((nbp_heap_object *)op)->image.root_count);
}

static PyObject *
heap_get_named(PyObject *op, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(((nbp_heap_object *)op)->image.names != NULL);
}

static PyObject *
heap_get_about(PyObject *op, void *Py_UNUSED(closure))
{
    return Py_NewRef(((nbp_heap_object *)op)->about);
}

static PyObject *
heap_get_bytes(PyObject *op, void *Py_UNUSED(closure))
{
    return PyLong_FromSize_t(nbp_heapimage_bytes(&((nbp_heap_object *)op)->image));
}

static PyObject *
heap_get_type_names(PyObject *op, void *Py_UNUSED(closure))
{
    return Py_NewRef(((nbp_heap_object *)op)->names);
}

static PyObject *
heap_get_unreached(PyObject *op, void *Py_UNUSED(closure))
{
    nbp_heap_object *self = (nbp_heap_object *)op;
    size_t nodes = nbp_heapgraph_nodes(self->image.graph), unreached = 0;
    uint8_t *bits = calloc(nbp_set_bytes(nodes) + 1, 1); /* owned */
    nbp_status status = NBP_NO_MEMORY;
    if (bits != NULL) {
        status = nbp_set_unreached(&self->image, false, bits);
    }
    for (size_t node = 0; status == NBP_OK && node < nodes; node++) {
        unreached += nbp_has(bits, (nbp_node)node);
    }
    free(bits);
    return status == NBP_OK ? PyLong_FromSize_t(unreached)
                            : nbp_raise(status, "looking for garbage");
}

static PyMethodDef heap_methods[] = {
    {"types", heap_types, METH_NOARGS, types_doc},
    {"find", heap_find, METH_O, find_doc},
    {"find_address", heap_find_address, METH_O, find_address_doc},
    {"size", heap_size, METH_O, size_doc},
    {"retained", heap_retained, METH_O, retained_doc},
    {"node", heap_node, METH_O, node_doc},
    {"dominator", heap_dominator, METH_O, dominator_doc},
    {"references_of", nbp_heap_references_of, METH_VARARGS, references_doc},
    {"path", nbp_heap_path, METH_O, path_doc},
    {"name_of", nbp_heap_name_of, METH_O,
     "name_of($self, number, /)\n--\n\nA name of a key of classes(), as code writes "
     "it."},
    {"write", nbp_heap_write, METH_VARARGS,
     "write($self, fd, about, /)\n--\n\nWrite the heap to an open file."},
    {"read", nbp_heap_read, METH_O | METH_CLASS,
     "read($type, content, /)\n--\n\nThe heap that write() wrote, from its bytes."},
    {"new_since", nbp_heap_new_since, METH_O,
     "new_since($self, mark, /)\n--\n\nThe set of what was not there at a mark."},
    {"common", nbp_heap_common, METH_VARARGS,
     "common($self, other, set, /)\n--\n\nThe set of what another heap of this "
     "process has in a set of its own."},
    {"alive", nbp_heap_alive, METH_VARARGS,
     "alive($self, set, hidden, /)\n--\n\nThe members that are still alive, as "
     "objects."},
    {"unreached_set", nbp_heap_unreached, METH_VARARGS,
     "unreached_set($self, concealed=False, /)\n--\n\nThe set of garbage that waits "
     "for "
     "the collector, or what only hidden functions hold."},
    {"around", nbp_heap_around, METH_VARARGS,
     "around($self, set, addresses, /)\n--\n\n"
     "The members in whose bytes one of some addresses is."},
    {"total", nbp_heap_total, METH_O,
     "total($self, set, /)\n--\n\nHow many members, and their own bytes."},
    {"nodes", nbp_heap_nodes, METH_VARARGS,
     "nodes($self, set, limit, /)\n--\n\nThe numbers of the first members."},
    {"set_of", nbp_heap_set_of, METH_O,
     "set_of($self, numbers, /)\n--\n\nThe set of some objects."},
    {"neighbours", nbp_heap_neighbours, METH_VARARGS,
     "neighbours($self, set, backwards, /)\n--\n\nWhat members hold, or what holds "
     "them."},
    {"reach", nbp_heap_reach, METH_VARARGS,
     "reach($self, set, data, /)\n--\n\nAll that members lead to, themselves "
     "included."},
    {"retained_set", nbp_heap_retained_set, METH_O,
     "retained_set($self, set, /)\n--\n\nWhat would be freed with the members."},
    {"retained_by_type", nbp_heap_retained_by_type, METH_NOARGS,
     "retained_by_type($self, /)\n--\n\nBytes that go with all objects of each type."},
    {"classes", nbp_heap_classes, METH_VARARGS,
     "classes($self, set, by, /)\n--\n\nThe class of each object, and the keys."},
    {"tally", nbp_heap_tally, METH_VARARGS,
     "tally($self, set, classes, count, /)\n--\n\nCount and bytes of each class."},
    {"select", nbp_heap_select, METH_VARARGS,
     "select($self, set, classes, wanted, /)\n--\n\nThe members of some classes."},
    {"largest", nbp_heap_largest, METH_VARARGS,
     "largest($self, set, retained, limit, /)\n--\n\nThe largest members first."},
    {"entrances", nbp_heap_entrances, METH_O,
     "entrances($self, set, /)\n--\n\nThe members through which the shortest ways "
     "enter."},
    {"cycles", nbp_heap_cycles, METH_O,
     "cycles($self, set, /)\n--\n\nCircles among the members: their classes, and how "
     "many."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef heap_getset[] = {
    {"objects", heap_get_objects, NULL, "Objects, running frames included.", NULL},
    {"references", heap_get_references, NULL, "References between them.", NULL},
    {"roots", heap_get_roots, NULL, "Objects held by something outside.", NULL},
    {"named", heap_get_named, NULL, "Whether references have names.", NULL},
    {"about", heap_get_about, NULL, "The text that came with a file.", NULL},
    {"bytes", heap_get_bytes, NULL, "Memory that this takes.", NULL},
    {"type_names", heap_get_type_names, NULL, "Of each type by number.", NULL},
    {"unreached", heap_get_unreached, NULL,
     "Objects that no root leads to: garbage that waits for the collector.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(
    heap_doc,
    "Heap(hidden, named=False, lent={})\n"
    "--\n"
    "\n"
    "The objects of the interpreter at this moment, as figures.\n"
    "\n"
    "Parameters\n"
    "----------\n"
    "hidden : tuple of str\n"
    "    Packages whose running functions hold nothing.\n"
    "named : bool\n"
    "    With the names of references, for path() and references_of().\n"
    "lent : dict of int to tuple\n"
    "    What the object at an address holds beside what it tells the collector.\n"
    "\n"
    "Notes\n"
    "-----\n"
    "One pass of tp_traverse, which makes no object, runs no code and forces no\n"
    "collection; afterwards nothing is held, so objects are looked up by address:\n"
    "ask only for those that have been alive since. Roots are what has more\n"
    "references than the pass found, immortal objects, and running frames. A set is\n"
    "bytes with a bit for each object by number, or None for all of them.\n");

static PyType_Slot heap_slots[] = {
    {Py_tp_doc, (void *)heap_doc},
    {Py_tp_new, heap_new},
    {Py_tp_dealloc, heap_dealloc},
    {Py_tp_traverse, heap_traverse},
    {Py_tp_methods, heap_methods},
    {Py_tp_getset, heap_getset},
    {0, NULL},
};

static PyType_Spec heap_spec = {
    .name = "nbprobe._core.Heap",
    .basicsize = sizeof(nbp_heap_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = heap_slots,
};

int
nbp_add_heap(PyObject *module)
{
    nbp_state *state = nbp_state_of(module);
    state->heap_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &heap_spec, NULL);
    if (state->heap_type == NULL || nbp_add_heap_marks(module) < 0) {
        return -1;
    }
    return PyModule_AddType(module, state->heap_type);
}
