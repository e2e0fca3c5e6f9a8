/* SPDX-License-Identifier: BSD-3-Clause */
#include "heaptake.h"

#include "compat.h"
#include "heapedges.h"
#include "heaproots.h"
#include "state.h"

enum {
    AHEAD = 12,               /* how far ahead objects are brought into the cache */
    MOST_TEXT = 64 * 1 << 20, /* bytes of names; what comes later has none */
};

/* What a pass works with beside the heap; all owned. */
typedef struct {
    uint32_t
        *counts; /* of each node, references to it; NBP_IMMORTAL where not counted */
    size_t capacity;  /* of the columns of nodes */
    nbp_namer *namer; /* NULL when names are not asked for, as the next */
    PyObject **row;   /* the references of the node that has its turn; borrowed */
    size_t row_count;
    size_t row_capacity;
    size_t edges; /* that have names */
    size_t edge_capacity;
    size_t label_capacity;
    nbp_lenders lenders;
    nbp_status status;
} pass;

static void
free_pass(pass *self)
{
    free(self->counts);
    free(self->row);
    nbp_namer_destroy(&self->namer);
    nbp_lenders_clear(&self->lenders);
}

typedef struct {
    nbp_heap *heap;
    nbp_status status;
} listing;

static int
append_one(PyObject *op, void *arg)
{
    listing *it = arg;
    nbp_heapgraph *graph = it->heap->image.graph;
    /* The running frames come first and are there already. */
    if (!PyFrame_Check(op) || nbp_heapgraph_find(graph, (uintptr_t)op) == NBP_NO_NODE) {
        it->status = nbp_heapgraph_append(graph, (uintptr_t)op);
    }
    return it->status == NBP_OK ? 0 : -1;
}

static int
point_to(PyObject *op, void *arg)
{
    nbp_heapgraph_point(arg, (uintptr_t)op);
    return 0;
}

static int
put_in_row(PyObject *op, void *arg)
{
    pass *self = arg;
    if (self->row_count == self->row_capacity) {
        size_t capacity = 2 * self->row_capacity + 1024;
        PyObject **row = realloc(self->row, capacity * sizeof(PyObject *));
        if (row == NULL) {
            self->status = NBP_NO_MEMORY;
            return 0;
        }
        self->row = row;
        self->row_capacity = capacity;
    }
    self->row[self->row_count++] = op;
    return 0;
}

/* Lists the running frames of all threads: first those to show, then the hidden ones,
 * of which only what they hold counts. */
static nbp_status
list_frames(nbp_heap *self, PyObject *hidden, nbp_frame ***concealed, size_t *count)
{
    size_t capacity = 0;
    PyInterpreterState *interpreter = PyInterpreterState_Get();
    for (PyThreadState *thread = PyInterpreterState_ThreadHead(interpreter);
         thread != NULL; thread = PyThreadState_Next(thread)) {
        for (nbp_frame *frame = nbp_layout_innermost(thread); frame != NULL;
             frame = nbp_layout_caller(frame)) {
            capacity++;
        }
    }
    self->frames = malloc((capacity + 1) * sizeof(*self->frames));
    *concealed = malloc((capacity + 1) * sizeof(**concealed));
    if (self->frames == NULL || *concealed == NULL) {
        return NBP_NO_MEMORY;
    }
    for (PyThreadState *thread = PyInterpreterState_ThreadHead(interpreter);
         thread != NULL; thread = PyThreadState_Next(thread)) {
        for (nbp_frame *frame = nbp_layout_innermost(thread); frame != NULL;
             frame = nbp_layout_caller(frame)) {
            if (nbp_walk_frame_belongs(frame, hidden)) {
                (*concealed)[(*count)++] = frame;
            }
            else {
                self->frames[self->image.frame_count++] = frame;
            }
        }
    }
    return NBP_OK;
}

/* A frame is known by its frame object where there is one, else by its own address. */
static uintptr_t
frame_key(nbp_frame *frame)
{
    PyObject *op = nbp_layout_frame_object(frame);
    return op == NULL ? (uintptr_t)frame : (uintptr_t)op;
}

static nbp_status
add_nodes(nbp_heap *self, PyObject *prepared)
{
    for (size_t i = 0; i < self->image.frame_count; i++) {
        nbp_node node;
        nbp_status status =
            nbp_heapgraph_add(self->image.graph, frame_key(self->frames[i]), &node);
        if (status != NBP_OK) {
            return status;
        }
    }
    listing it = {self, NBP_OK};
    nbp_walk_tracked(prepared, append_one, &it);
    return it.status == NBP_OK ? nbp_heapgraph_hash(self->image.graph) : it.status;
}

static nbp_status
make_columns(nbp_heap *self, pass *with)
{
    size_t wanted = nbp_heapgraph_nodes(self->image.graph) + 1;
    if (wanted <= with->capacity) {
        return NBP_OK;
    }
    wanted += wanted / 2;
    if (nbp_sizes_reserve(&self->image.sizes, wanted) != NBP_OK) {
        return NBP_NO_MEMORY;
    }
    uint32_t *types = realloc(self->image.types, wanted * sizeof(*types));
    if (types == NULL) {
        return NBP_NO_MEMORY;
    }
    self->image.types = types;
    uint32_t *counts = realloc(with->counts, wanted * sizeof(*counts));
    if (counts == NULL) {
        return NBP_NO_MEMORY;
    }
    with->counts = counts;
    with->capacity = wanted;
    return NBP_OK;
}

static nbp_status
add_label(nbp_heapimage *image, pass *with, nbp_node node, uint32_t text)
{
    if (text == NBP_NO_TEXT) {
        return NBP_OK;
    }
    if (image->label_count == with->label_capacity) {
        size_t capacity = 2 * with->label_capacity + 1024;
        nbp_label *labels = realloc(image->labels, capacity * sizeof(*labels));
        if (labels == NULL) {
            return NBP_NO_MEMORY;
        }
        image->labels = labels;
        with->label_capacity = capacity;
    }
    image->labels[image->label_count++] = (nbp_label){node, text};
    return NBP_OK;
}

/* Gives the references in the row to the graph; the place of their names, or NULL when
 * memory is short. */
static uint32_t *
give_row(nbp_heap *self, pass *with)
{
    for (size_t i = 0; i < with->row_count; i++) {
        nbp_heapgraph_point(self->image.graph, (uintptr_t)with->row[i]);
    }
    if (with->edges + with->row_count > with->edge_capacity) {
        size_t capacity = with->edge_capacity + with->edge_capacity / 2 + 4096;
        capacity += with->row_count;
        uint32_t *names = realloc(self->image.edge_names, capacity * sizeof(*names));
        if (names == NULL) {
            with->status = NBP_NO_MEMORY;
            return NULL;
        }
        self->image.edge_names = names;
        with->edge_capacity = capacity;
    }
    with->edges += with->row_count;
    return self->image.edge_names + with->edges - with->row_count;
}

/* The keys that tp_traverse leaves out because they are strings. */
static void
walk_keys(PyObject *dict, visitproc visit, void *arg)
{
    PyObject *key, *value; /* borrowed */
    Py_ssize_t at = 0;
    while (PyDict_Next(dict, &at, &key, &value)) {
        visit(key, arg);
    }
}

static void
walk_all(const pass *with, PyObject *op, visitproc visit, void *arg)
{
    nbp_walk_references(op, visit, arg);
    nbp_lenders_visit(&with->lenders, op, visit, arg);
    if (PyDict_Check(op) && nbp_layout_dict_hides_keys(op) &&
        nbp_layout_dict_owns_keys(op)) {
        walk_keys(op, visit, arg);
    }
}

/* Fills the row of a running frame, and the columns if it is no object. 1: done. */
static int
examine_frame(nbp_heap *self, pass *with, nbp_node node)
{
    nbp_frame *frame = self->frames[node];
    if (with->namer == NULL) {
        nbp_walk_frame(frame, point_to, self->image.graph);
    }
    else {
        with->row_count = 0;
        nbp_walk_frame(frame, put_in_row, with);
        uint32_t *names = give_row(self, with);
        uint32_t label = nbp_namer_frame_label(with->namer, frame);
        if (names == NULL || add_label(&self->image, with, node, label) != NBP_OK) {
            return (int)NBP_NO_MEMORY;
        }
        nbp_namer_frame(with->namer, frame, with->row, with->row_count, names);
    }
    with->counts[node] = NBP_IMMORTAL;
    if (nbp_layout_frame_object(frame) != NULL) {
        return 0;
    }
    self->image.sizes.small[node] = 0;
    self->image.types[node] = nbp_typetable_number(&self->table, &PyFrame_Type);
    return self->image.types[node] == UINT32_MAX ? (int)NBP_NO_MEMORY : 1;
}

/* Fills the row and the columns of one node. */
static nbp_status
examine(nbp_heap *self, pass *with, nbp_node node)
{
    bool running = node < self->image.frame_count;
    if (running) {
        int done = examine_frame(self, with, node);
        if (done != 0) {
            return done < 0 ? (nbp_status)done : NBP_OK;
        }
    }
    PyObject *op = (PyObject *)nbp_heapgraph_address(self->image.graph, node);
    uint32_t type = nbp_typetable_number(&self->table, Py_TYPE(op));
    if (type == UINT32_MAX) {
        return NBP_NO_MEMORY;
    }
    self->image.types[node] = type;
    if (!running) {
        with->counts[node] = NBP_IS_IMMORTAL(op)           ? NBP_IMMORTAL
                             : Py_REFCNT(op) >= UINT32_MAX ? NBP_IMMORTAL - 1
                                                           : (uint32_t)Py_REFCNT(op);
    }
    if (with->namer == NULL) {
        walk_all(with, op, point_to, self->image.graph);
    }
    else {
        with->row_count = 0;
        walk_all(with, op, put_in_row, with);
        /* What a running frame holds has been reported before its object's own. */
        uint32_t *names = give_row(self, with);
        if (names == NULL) {
            return NBP_NO_MEMORY;
        }
        nbp_namer_row(with->namer, op, type, with->row, with->row_count, names);
        if (!running) {
            uint32_t label = nbp_namer_label(with->namer, op);
            nbp_status status = add_label(&self->image, with, node, label);
            if (status != NBP_OK) {
                return status;
            }
        }
    }
    return nbp_sizes_set(&self->image.sizes, node,
                         nbp_walk_size(op, self->table.methods[type]));
}

/* Brings into the cache the nodes that are next, and what they have outside. A running
 * frame may have no object at its address, and frames come first. */
static inline void
look_ahead(const nbp_heap *self, nbp_node node)
{
    const nbp_heapgraph *graph = self->image.graph;
    size_t nodes = nbp_heapgraph_nodes(graph);
    if (node + AHEAD < nodes) {
        __builtin_prefetch((void *)nbp_heapgraph_address(graph, node + AHEAD));
    }
    nbp_node near = node + AHEAD / 2;
    if (near < nodes && near >= self->image.frame_count) {
        nbp_layout_prefetch((PyObject *)nbp_heapgraph_address(graph, near));
    }
}

static nbp_status
sweep(nbp_heap *self, pass *with)
{
    nbp_heapgraph *graph = self->image.graph;
    nbp_node node;
    int more;
    while ((more = nbp_heapgraph_next(graph, &node)) == 1) {
        look_ahead(self, node);
        nbp_status status = make_columns(self, with);
        if (status == NBP_OK) {
            status = examine(self, with, node);
        }
        if (status == NBP_OK) {
            status = with->status;
        }
        if (status != NBP_OK) {
            return status;
        }
    }
    return more == 0 ? nbp_heapgraph_finish(graph) : (nbp_status)more;
}

size_t
nbp_heap_modules(const nbp_heapgraph *graph, nbp_node *nodes, size_t most)
{
    PyObject *key, *module;                       /* borrowed */
    PyObject *modules = PyImport_GetModuleDict(); /* borrowed */
    Py_ssize_t at = 0;
    size_t count = 0;
    while (count < most && PyDict_Next(modules, &at, &key, &module)) {
        nbp_node node = nbp_heapgraph_find(graph, (uintptr_t)module);
        if (node != NBP_NO_NODE) {
            nodes[count++] = node;
        }
    }
    return count;
}

static int
compare_labels(const void *left, const void *right)
{
    nbp_node a = ((const nbp_label *)left)->node, b = ((const nbp_label *)right)->node;
    return (a > b) - (a < b);
}

/* Labels the modules, which sys.modules knows by name, and puts the labels in order. */
static nbp_status
label_modules(nbp_heap *self, pass *with)
{
    nbp_heapimage *image = &self->image;
    PyObject *key, *module;                       /* borrowed */
    PyObject *modules = PyImport_GetModuleDict(); /* borrowed */
    Py_ssize_t at = 0;
    while (PyDict_Next(modules, &at, &key, &module)) {
        nbp_node node = nbp_heapgraph_find(image->graph, (uintptr_t)module);
        if (node != NBP_NO_NODE && PyModule_Check(module) && PyUnicode_Check(key)) {
            uint32_t text = nbp_namer_text(with->namer, key);
            if (add_label(image, with, node, text) != NBP_OK) {
                return NBP_NO_MEMORY;
            }
        }
    }
    qsort(image->labels, image->label_count, sizeof(*image->labels), compare_labels);
    size_t left = 0; /* a module may be there by several names */
    for (size_t i = 0; i < image->label_count; i++) {
        if (left == 0 || image->labels[left - 1].node != image->labels[i].node) {
            image->labels[left++] = image->labels[i];
        }
    }
    image->label_count = left;
    return NBP_OK;
}

static nbp_status
list_modules(nbp_heapimage *image)
{
    size_t most = (size_t)PyDict_GET_SIZE(PyImport_GetModuleDict());
    image->modules = malloc((most + 1) * sizeof(*image->modules));
    if (image->modules == NULL) {
        return NBP_NO_MEMORY;
    }
    image->module_count = nbp_heap_modules(image->graph, image->modules, most);
    return NBP_OK;
}

static nbp_status
judge_types(nbp_heap *self)
{
    self->image.type_kinds = malloc(self->table.count + 1);
    if (self->image.type_kinds == NULL) {
        return NBP_NO_MEMORY;
    }
    for (uint32_t i = 0; i < self->table.count; i++) {
        PyTypeObject *type = self->table.types[i];
        bool program = PyType_FastSubclass(type, Py_TPFLAGS_TYPE_SUBCLASS) ||
                       PyType_IsSubtype(type, &PyModule_Type) ||
                       type == &PyFunction_Type || type == &PyCFunction_Type ||
                       type == &PyCode_Type || type == &PyFrame_Type;
        self->image.type_kinds[i] = program ? NBP_PROGRAM : NBP_DATA;
    }
    return NBP_OK;
}

static nbp_status
start_names(nbp_heap *self, pass *with)
{
    self->image.names = nbp_texts_new(MOST_TEXT);
    if (self->image.names != NULL) {
        with->namer = nbp_namer_new(self->image.names);
    }
    return with->namer == NULL ? NBP_NO_MEMORY : NBP_OK;
}

int
nbp_heap_take(nbp_heap *self, PyObject *hidden, const nbp_lent *lent, bool named)
{
    pass with = {.lenders.lent = lent == NULL ? (nbp_lent){0} : *lent};
    nbp_frame **concealed = NULL; /* owned */
    size_t count = 0;
    *self = (nbp_heap){0};
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(hidden); i++) {
        if (!PyUnicode_CheckExact(PyTuple_GET_ITEM(hidden, i))) {
            PyErr_SetString(PyExc_TypeError, "hidden packages must be str");
            return -1;
        }
    }
    PyObject *prepared = nbp_walk_prepare(); /* owned */
    if (prepared == NULL) {
        return -1;
    }
    self->image.graph = nbp_heapgraph_new(0);
    nbp_status status = self->image.graph == NULL ? NBP_NO_MEMORY : NBP_OK;
    if (status == NBP_OK) {
        status = nbp_typetable_init(&self->table);
    }
    if (status == NBP_OK && named) {
        status = start_names(self, &with);
    }
    if (status == NBP_OK) {
        status = nbp_lenders_list(&with.lenders);
    }
    if (status == NBP_OK) {
        status = list_frames(self, hidden, &concealed, &count);
    }
    if (status == NBP_OK) {
        status = add_nodes(self, prepared);
    }
    /* What it lists stays alive, because no code has run, and its references must not
     * be taken for roots. */
    Py_DECREF(prepared);
    if (status == NBP_OK) {
        status = sweep(self, &with);
    }
    if (status == NBP_OK) {
        status = nbp_heap_find_roots(self, with.counts, &with.lenders.lent, concealed,
                                     count);
    }
    if (status == NBP_OK) {
        status = list_modules(&self->image);
    }
    if (status == NBP_OK) {
        status = judge_types(self);
    }
    if (status == NBP_OK && named) {
        status = label_modules(self, &with);
    }
    free(concealed);
    free_pass(&with);
    if (status != NBP_OK) {
        nbp_heap_free(self);
        nbp_raise(status, "taking the heap apart");
        return -1;
    }
    return 0;
}

void
nbp_heap_free(nbp_heap *self)
{
    nbp_heapimage_clear(&self->image);
    nbp_typetable_free(&self->table);
    free(self->frames);
    self->frames = NULL;
}
