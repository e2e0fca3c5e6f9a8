/* SPDX-License-Identifier: BSD-3-Clause */
/* The shortest ways from what the interpreter holds to one object: why it is alive. */
#include <Python.h>

#include "compat.h"
#include "heaptake.h"
#include "state.h"

/* Where a way begins, best known first. */
typedef enum { FROM_MODULE, FROM_FRAME, FROM_OUTSIDE, ORIGINS } origin;

static const char *const origin_names[] = {"module", "frame", "outside"};

/* What reaches a direct holder of the object, and over how many references. */
typedef struct {
    nbp_node holder;
    uint32_t length;
    origin from;
} way;

/* All owned. */
typedef struct {
    nbp_heap heap;
    nbp_node *parents; /* of each node, in the trees grown from all origins */
    uint8_t *origins;  /* of each node that is the start of a tree */
    way *ways;
    size_t way_count;
} paths;

static void
free_paths(paths *self)
{
    nbp_heap_free(&self->heap);
    free(self->parents);
    free(self->origins);
    free(self->ways);
}

static nbp_status
grow_from(paths *self, const nbp_node *starts, size_t count, origin from,
          nbp_node target)
{
    for (size_t i = 0; i < count; i++) {
        if (self->parents[starts[i]] == NBP_NO_NODE) {
            self->origins[starts[i]] = (uint8_t)from;
        }
    }
    return nbp_heapgraph_grow_tree(self->heap.image.graph, starts, count, target,
                                   self->parents);
}

/* Grows the trees one after the other, so that what a module holds is never explained
 * by an origin that has no name. No tree goes on through the target: a way must not
 * lead through what it leads to. */
static nbp_status
grow_trees(paths *self, nbp_node target)
{
    nbp_heap *heap = &self->heap;
    size_t nodes = nbp_heapgraph_nodes(heap->image.graph);
    nbp_node *starts = malloc((nodes + 1) * sizeof(*starts)); /* owned */
    self->parents = malloc((nodes + 1) * sizeof(*self->parents));
    self->origins = calloc(nodes + 1, sizeof(*self->origins));
    nbp_status status = NBP_NO_MEMORY;
    if (starts != NULL && self->parents != NULL && self->origins != NULL) {
        memset(self->parents, 0xFF, (nodes + 1) * sizeof(*self->parents));
        size_t count = nbp_heap_modules(heap->image.graph, starts, nodes);
        status = grow_from(self, starts, count, FROM_MODULE, target);
    }
    if (status == NBP_OK) {
        for (size_t i = 0; i < heap->image.frame_count; i++) {
            starts[i] = (nbp_node)i;
        }
        status = grow_from(self, starts, heap->image.frame_count, FROM_FRAME, target);
    }
    if (status == NBP_OK) {
        status = grow_from(self, heap->image.roots, heap->image.root_count,
                           FROM_OUTSIDE, target);
    }
    free(starts);
    return status;
}

static int
compare_ways(const void *left, const void *right)
{
    const way *a = left, *b = right;
    if (a->from != b->from) {
        return a->from < b->from ? -1 : 1;
    }
    if (a->length != b->length) {
        return a->length < b->length ? -1 : 1;
    }
    return (a->holder > b->holder) - (a->holder < b->holder);
}

/* One way through each object that holds the target and is itself held. */
static nbp_status
list_ways(paths *self, nbp_node target)
{
    nbp_row row = nbp_heapgraph_sources(self->heap.image.graph, target);
    self->ways = malloc((row.count + 1) * sizeof(*self->ways));
    if (self->ways == NULL) {
        return NBP_NO_MEMORY;
    }
    nbp_node last = NBP_NO_NODE;
    for (size_t i = 0; i < row.count; i++) {
        nbp_node node = row.nodes[i];
        if (node == last || node == target || self->parents[node] == NBP_NO_NODE) {
            continue; /* said already, or alive only through the target */
        }
        last = node;
        way it = {.holder = node, .length = 1};
        for (; self->parents[node] != node; node = self->parents[node]) {
            it.length++;
        }
        it.from = (origin)self->origins[node];
        self->ways[self->way_count++] = it;
    }
    qsort(self->ways, self->way_count, sizeof(*self->ways), compare_ways);
    return NBP_OK;
}

/* The object that stands for a node: of a running frame without one, its code. */
static PyObject *
object_of(const nbp_heap *heap, nbp_node node)
{
    if (node < heap->image.frame_count) {
        return (PyObject *)nbp_layout_frame_code(heap->frames[node]);
    }
    return (PyObject *)nbp_heapgraph_address(heap->image.graph, node);
}

/* The variable of a running frame that holds what is at `address`; borrowed, or NULL.
 */
static PyObject *
variable_of(nbp_frame *frame, uintptr_t address)
{
    PyCodeObject *code = nbp_layout_frame_code(frame);
    PyObject *const *variables = nbp_layout_frame_variables(frame);
    for (int i = 0; i < code->co_nlocalsplus; i++) {
        if ((uintptr_t)variables[i] == address) {
            return PyTuple_GET_ITEM(code->co_localsplusnames, i);
        }
    }
    return NULL;
}

/* A way with its objects held, ready to be turned into Python's. */
typedef struct {
    origin from;
    PyObject *variable; /* owned; NULL when the way begins at no variable */
    PyObject **objects; /* owned, with references; from the origin to the holder */
    size_t count;
} chain;

static nbp_status
take_chain(const paths *self, const way *it, nbp_node target, chain *out)
{
    *out = (chain){.from = it->from, .count = it->length};
    out->objects = malloc(it->length * sizeof(PyObject *));
    if (out->objects == NULL) {
        out->count = 0;
        return NBP_NO_MEMORY;
    }
    nbp_node node = it->holder, next = target;
    for (size_t i = it->length; i-- > 0;) {
        out->objects[i] = Py_NewRef(object_of(&self->heap, node));
        if (node < self->heap.image.frame_count) {
            uintptr_t held = nbp_heapgraph_address(self->heap.image.graph, next);
            Py_XSETREF(out->variable,
                       Py_XNewRef(variable_of(self->heap.frames[node], held)));
        }
        next = node;
        node = self->parents[node];
    }
    return NBP_OK;
}

static void
free_chain(chain *it)
{
    for (size_t i = 0; i < it->count; i++) {
        Py_DECREF(it->objects[i]);
    }
    free(it->objects);
    Py_XDECREF(it->variable);
}

static PyObject *
chain_object(const chain *it)
{
    PyObject *list = PyList_New((Py_ssize_t)it->count); /* owned, given away */
    if (list == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < it->count; i++) {
        PyList_SET_ITEM(list, (Py_ssize_t)i, Py_NewRef(it->objects[i]));
    }
    return Py_BuildValue("(sON)", origin_names[it->from],
                         it->variable == NULL ? Py_None : it->variable, list);
}

static PyObject *
chains_object(const chain *chains, size_t count, size_t holders)
{
    PyObject *list = PyList_New((Py_ssize_t)count); /* owned, given away */
    for (size_t i = 0; list != NULL && i < count; i++) {
        PyObject *item = chain_object(&chains[i]);
        if (item == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, (Py_ssize_t)i, item);
    }
    return list == NULL ? NULL : Py_BuildValue("(nN)", (Py_ssize_t)holders, list);
}

PyDoc_STRVAR(
    paths_doc,
    "paths_to($module, object, hidden, limit, /)\n"
    "--\n"
    "\n"
    "The shortest ways from what the interpreter holds to an object.\n"
    "\n"
    "Parameters\n"
    "----------\n"
    "object : object\n"
    "hidden : tuple of str\n"
    "    Packages whose running functions hold nothing.\n"
    "limit : int\n"
    "    How many ways to give at most.\n"
    "\n"
    "Returns\n"
    "-------\n"
    "int\n"
    "    How many objects hold it and are themselves held.\n"
    "list of tuple of (str, str or None, list)\n"
    "    One way through each: where it begins, ``'module'`` of sys.modules,\n"
    "    ``'frame'`` that is running or ``'outside'``, held by C code or by the\n"
    "    interpreter; the variable of the frame; and the objects from there to the\n"
    "    holder. A running frame is given as its code object.\n");

/* Takes no tuple of arguments: it would be found among the holders. */
static PyObject *
paths_to(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t nargs)
{
    if (nargs != 3 || !PyTuple_CheckExact(args[1])) {
        PyErr_SetString(PyExc_TypeError,
                        "paths_to takes an object, a tuple of str and a limit");
        return NULL;
    }
    PyObject *op = args[0], *hidden = args[1]; /* borrowed */
    Py_ssize_t limit = PyLong_AsSsize_t(args[2]);
    if (limit == -1 && PyErr_Occurred()) {
        return NULL;
    }
    if (limit < 0) {
        PyErr_SetString(PyExc_ValueError, "limit must not be negative");
        return NULL;
    }
    paths self = {0};
    if (nbp_heap_take(&self.heap, hidden, NULL, false) < 0) {
        return NULL;
    }
    nbp_node target = nbp_heapgraph_find(self.heap.image.graph, (uintptr_t)op);
    chain *chains = NULL; /* owned */
    size_t count = 0, holders = 0;
    nbp_status status = NBP_OK;
    if (target != NBP_NO_NODE) {
        status = grow_trees(&self, target);
        if (status == NBP_OK) {
            status = list_ways(&self, target);
        }
        holders = self.way_count;
        size_t wanted = holders < (size_t)limit ? holders : (size_t)limit;
        if (status == NBP_OK) {
            chains = calloc(wanted + 1, sizeof(*chains));
            status = chains == NULL ? NBP_NO_MEMORY : NBP_OK;
        }
        while (status == NBP_OK && count < wanted) {
            status = take_chain(&self, &self.ways[count], target, &chains[count]);
            count++;
        }
    }
    free_paths(&self);
    PyObject *result = status == NBP_OK ? chains_object(chains, count, holders)
                                        : nbp_raise(status, "looking for paths");
    for (size_t i = 0; i < count; i++) {
        free_chain(&chains[i]);
    }
    free(chains);
    return result;
}

static PyMethodDef paths_methods[] = {
    {"paths_to", (PyCFunction)(void (*)(void))paths_to, METH_FASTCALL, paths_doc},
    {NULL, NULL, 0, NULL},
};

int
nbp_add_paths(PyObject *module)
{
    return PyModule_AddFunctions(module, paths_methods);
}
