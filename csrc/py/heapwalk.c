/* SPDX-License-Identifier: BSD-3-Clause */
#include "heapwalk.h"

#include "arrays.h"
#include "compat.h"
#include "state.h"

#if NBP_GC_IN_PLACE

typedef struct {
    visitproc visit;
    void *arg;
} listing;

static int
list_one(PyObject *op, void *arg)
{
    listing *it = arg;
    return it->visit(op, it->arg) == 0;
}

PyObject *
nbp_walk_prepare(void)
{
    nbp_arrays_prepare();
    return Py_NewRef(Py_None);
}

void
nbp_walk_tracked(PyObject *Py_UNUSED(prepared), visitproc visit, void *arg)
{
    listing it = {visit, arg};
    PyUnstable_GC_VisitObjects(list_one, &it);
}

#else

PyObject *
nbp_walk_prepare(void)
{
    nbp_arrays_prepare();
    PyObject *gc = PyImport_ImportModule("gc"); /* owned */
    if (gc == NULL) {
        return NULL;
    }
    PyObject *objects = PyObject_CallMethod(gc, "get_objects", NULL); /* owned */
    Py_DECREF(gc);
    return objects;
}

void
nbp_walk_tracked(PyObject *prepared, visitproc visit, void *arg)
{
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(prepared); i++) {
        if (visit(PyList_GET_ITEM(prepared, i), arg) != 0) {
            return;
        }
    }
}

#endif

static bool
is_static_type(PyObject *op)
{
    return PyType_Check(op) && !(((PyTypeObject *)op)->tp_flags & Py_TPFLAGS_HEAPTYPE);
}

bool
nbp_walk_is_unlisted(PyObject *op)
{
    if (Py_TYPE(op)->tp_flags & Py_TPFLAGS_HAVE_GC) {
        return is_static_type(op) || (PyObject_IS_GC(op) && !PyObject_GC_IsTracked(op));
    }
    return PyCode_Check(op) || nbp_arrays_is(op);
}

static void
walk_code(PyCodeObject *code, visitproc visit, void *arg)
{
#define VISIT(op)                                                                      \
    do {                                                                               \
        if ((op) != NULL) {                                                            \
            visit((PyObject *)(op), arg);                                              \
        }                                                                              \
    } while (0)
    VISIT(code->co_consts);
    VISIT(code->co_names);
    VISIT(code->co_localsplusnames);
    VISIT(code->co_localspluskinds);
    VISIT(code->co_filename);
    VISIT(code->co_name);
    VISIT(code->co_qualname);
    VISIT(code->co_linetable);
    VISIT(code->co_exceptiontable);
    NBP_CODE_CACHES(code, VISIT);
}

static void
walk_static_type(PyTypeObject *type, visitproc visit, void *arg)
{
    PyObject *dict = NBP_TYPE_DICT(type); /* owned, but the type keeps it too */
    VISIT(dict);
    Py_XDECREF(dict);
    VISIT(type->tp_mro);
    VISIT(type->tp_bases);
    VISIT(type->tp_base);
}

void
nbp_walk_references(PyObject *op, visitproc visit, void *arg)
{
    if (PyObject_IS_GC(op)) {
        if (Py_TYPE(op)->tp_traverse != NULL) {
            Py_TYPE(op)->tp_traverse(op, visit, arg);
        }
        if (Py_TYPE(op)->tp_flags & Py_TPFLAGS_MANAGED_DICT &&
            nbp_layout_hides_dict(op)) {
            visit(nbp_layout_dict(op), arg);
        }
    }
    else if (PyCode_Check(op)) {
        walk_code((PyCodeObject *)op, visit, arg);
    }
    else if (is_static_type(op)) {
        walk_static_type((PyTypeObject *)op, visit, arg);
    }
    if (nbp_arrays_is(op)) {
        nbp_arrays_visit(op, visit, arg);
    }
}

void
nbp_walk_keys(PyObject *op, visitproc visit, void *arg)
{
    PyObject *key; /* borrowed */
    Py_ssize_t at = 0;
    if (PyDict_Check(op) && nbp_layout_dict_hides_keys(op)) {
        while (PyDict_Next(op, &at, &key, NULL)) {
            visit(key, arg);
        }
    }
}

void
nbp_walk_frame(nbp_frame *frame, visitproc visit, void *arg)
{
    PyCodeObject *code = nbp_layout_frame_code(frame);
    PyObject *const *variables = nbp_layout_frame_variables(frame);
    for (int i = 0; i < code->co_nlocalsplus; i++) {
        VISIT(variables[i]);
    }
    if (!nbp_layout_frame_is_held(frame)) {
        /* The generator that holds a frame reports these itself. */
        VISIT(nbp_layout_frame_mapping(frame));
        VISIT(nbp_layout_frame_function(frame));
        VISIT(nbp_layout_frame_object(frame));
        visit((PyObject *)code, arg);
    }
#undef VISIT
}

bool
nbp_walk_frame_belongs(nbp_frame *frame, PyObject *names)
{
    PyObject *globals = nbp_layout_frame_globals(frame);
    if (globals == NULL || !PyDict_CheckExact(globals)) {
        return false;
    }
    /* Iterated rather than looked up: a look-up can run a stranger's __eq__. */
    PyObject *key, *name = NULL; /* borrowed */
    Py_ssize_t at = 0;
    while (PyDict_Next(globals, &at, &key, &name)) {
        if (PyUnicode_CheckExact(key) &&
            PyUnicode_CompareWithASCIIString(key, "__name__") == 0) {
            break;
        }
        name = NULL;
    }
    if (name == NULL || !PyUnicode_CheckExact(name)) {
        return false;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(names); i++) {
        PyObject *package = PyTuple_GET_ITEM(names, i);
        Py_ssize_t length = PyUnicode_GET_LENGTH(package);
        if (PyUnicode_Tailmatch(name, package, 0, PY_SSIZE_T_MAX, -1) == 1 &&
            (PyUnicode_GET_LENGTH(name) == length ||
             PyUnicode_READ_CHAR(name, length) == '.')) {
            return true;
        }
    }
    return false;
}

enum { FIRST_TYPES = 1024 };

nbp_status
nbp_typetable_init(nbp_typetable *self)
{
    self->count = 0;
    self->mask = 2 * FIRST_TYPES - 1;
    self->types = malloc(FIRST_TYPES * sizeof(*self->types));
    self->methods = malloc(FIRST_TYPES * sizeof(*self->methods));
    self->table = malloc(2 * FIRST_TYPES * sizeof(*self->table));
    if (self->types == NULL || self->methods == NULL || self->table == NULL) {
        nbp_typetable_free(self);
        return NBP_NO_MEMORY;
    }
    memset(self->table, 0xFF, 2 * FIRST_TYPES * sizeof(*self->table));
    return NBP_OK;
}

void
nbp_typetable_free(nbp_typetable *self)
{
    free(self->types);
    free(self->methods);
    free(self->table);
    self->types = NULL;
    self->methods = NULL;
    self->table = NULL;
}

static inline uint32_t
type_slot(const nbp_typetable *self, PyTypeObject *type)
{
    uint64_t product = ((uintptr_t)type >> 4) * UINT64_C(0x9E3779B97F4A7C15);
    return (uint32_t)(product >> 32) & self->mask;
}

static nbp_status
grow_types(nbp_typetable *self)
{
    uint32_t capacity = self->mask + 1; /* twice as many types as fit now */
    PyTypeObject **types = realloc(self->types, capacity * sizeof(*types));
    if (types == NULL) {
        return NBP_NO_MEMORY;
    }
    self->types = types;
    PyMethodDef **methods = realloc(self->methods, capacity * sizeof(*methods));
    if (methods == NULL) {
        return NBP_NO_MEMORY;
    }
    self->methods = methods;
    uint32_t *table = malloc(2 * (size_t)capacity * sizeof(*table));
    if (table == NULL) {
        return NBP_NO_MEMORY;
    }
    free(self->table);
    self->table = table;
    self->mask = 2 * capacity - 1;
    memset(table, 0xFF, 2 * (size_t)capacity * sizeof(*table));
    for (uint32_t i = 0; i < self->count; i++) {
        uint32_t slot = type_slot(self, types[i]);
        while (table[slot] != UINT32_MAX) {
            slot = (slot + 1) & self->mask;
        }
        table[slot] = i;
    }
    return NBP_OK;
}

uint32_t
nbp_typetable_number(nbp_typetable *self, PyTypeObject *type)
{
    uint32_t slot = type_slot(self, type);
    while (self->table[slot] != UINT32_MAX) {
        if (self->types[self->table[slot]] == type) {
            return self->table[slot];
        }
        slot = (slot + 1) & self->mask;
    }
    if (2 * self->count > self->mask) {
        if (grow_types(self) != NBP_OK) {
            return UINT32_MAX;
        }
        return nbp_typetable_number(self, type);
    }
    self->types[self->count] = type;
    self->methods[self->count] = nbp_walk_size_method(type);
    self->table[slot] = self->count;
    return self->count++;
}

/* How far ahead objects are brought into the cache. */
enum { AHEAD = 12 };

/* What a pass works with beside the heap. */
typedef struct {
    nbp_heapgraph *graph; /* borrowed */
    nbp_status status;
} adding;

static int
count_tracked(PyObject *Py_UNUSED(op), void *arg)
{
    ++*(size_t *)arg;
    return 0;
}

static int
add_one(PyObject *op, void *arg)
{
    adding *it = arg;
    nbp_node node;
    it->status = nbp_heapgraph_add(it->graph, (uintptr_t)op, &node);
    return it->status == NBP_OK ? 0 : -1;
}

static int
point_to(PyObject *op, void *arg)
{
    nbp_heapgraph_point(arg, (uintptr_t)op);
    return 0;
}

/* Lists the running frames of all threads: first those to show, then the hidden ones,
 * of which only the number counts. */
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
                self->frames[self->frame_count++] = frame;
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
add_frames(nbp_heap *self)
{
    for (size_t i = 0; i < self->frame_count; i++) {
        nbp_node node;
        nbp_status status =
            nbp_heapgraph_add(self->graph, frame_key(self->frames[i]), &node);
        if (status != NBP_OK) {
            return status;
        }
    }
    return NBP_OK;
}

static nbp_status
make_columns(nbp_heap *self, size_t *capacity)
{
    size_t wanted = nbp_heapgraph_nodes(self->graph) + 1;
    if (wanted <= *capacity) {
        return NBP_OK;
    }
    wanted += wanted / 2;
    uint64_t *sizes = realloc(self->sizes, wanted * sizeof(*sizes));
    if (sizes == NULL) {
        return NBP_NO_MEMORY;
    }
    self->sizes = sizes;
    uint32_t *types = realloc(self->types, wanted * sizeof(*types));
    if (types == NULL) {
        return NBP_NO_MEMORY;
    }
    self->types = types;
    *capacity = wanted;
    return NBP_OK;
}

/* Fills the row and the columns of one node. */
static nbp_status
examine(nbp_heap *self, nbp_node node)
{
    bool running = node < self->frame_count;
    if (running) {
        nbp_walk_frame(self->frames[node], point_to, self->graph);
        if (nbp_layout_frame_object(self->frames[node]) == NULL) {
            self->sizes[node] = 0;
            self->types[node] = nbp_typetable_number(&self->table, &PyFrame_Type);
            return self->types[node] == UINT32_MAX ? NBP_NO_MEMORY : NBP_OK;
        }
    }
    PyObject *op = (PyObject *)nbp_heapgraph_address(self->graph, node);
    uint32_t type = nbp_typetable_number(&self->table, Py_TYPE(op));
    if (type == UINT32_MAX) {
        return NBP_NO_MEMORY;
    }
    self->types[node] = type;
    self->sizes[node] = nbp_walk_size(op, self->table.methods[type]);
    nbp_walk_references(op, point_to, self->graph);
    return NBP_OK;
}

static nbp_status
sweep(nbp_heap *self)
{
    size_t capacity = 0;
    nbp_node node;
    int more;
    while ((more = nbp_heapgraph_next(self->graph, &node)) == 1) {
        if (node + AHEAD < nbp_heapgraph_nodes(self->graph)) {
            uintptr_t next = nbp_heapgraph_address(self->graph, node + AHEAD);
            __builtin_prefetch((void *)next);
        }
        nbp_status status = make_columns(self, &capacity);
        if (status == NBP_OK) {
            status = examine(self, node);
        }
        if (status != NBP_OK) {
            return status;
        }
    }
    return more == 0 ? nbp_heapgraph_finish(self->graph) : (nbp_status)more;
}

typedef struct {
    const nbp_heapgraph *graph; /* borrowed */
    uint32_t *held;             /* borrowed; of each node, references to leave out */
} discount;

static int
discount_one(PyObject *op, void *arg)
{
    discount *it = arg;
    nbp_node node = nbp_heapgraph_find(it->graph, (uintptr_t)op);
    if (node != NBP_NO_NODE) {
        it->held[node]++;
    }
    return 0;
}

/* Roots: what has more references than the graph has edges to it. */
static nbp_status
find_roots(nbp_heap *self, nbp_frame **concealed, size_t count)
{
    size_t nodes = nbp_heapgraph_nodes(self->graph);
    uint32_t *held = calloc(nodes + 1, sizeof(*held)); /* owned */
    self->roots = malloc((nodes + 1) * sizeof(*self->roots));
    if (held == NULL || self->roots == NULL) {
        free(held);
        return NBP_NO_MEMORY;
    }
    discount it = {self->graph, held};
    for (size_t i = 0; i < count; i++) {
        nbp_walk_frame(concealed[i], discount_one, &it);
    }
    for (size_t node = 0; node < nodes; node++) {
        if (node + AHEAD < nodes) {
            __builtin_prefetch(
                (void *)nbp_heapgraph_address(self->graph, (nbp_node)(node + AHEAD)));
        }
        bool root = node < self->frame_count;
        if (!root) {
            PyObject *op =
                (PyObject *)nbp_heapgraph_address(self->graph, (nbp_node)node);
            size_t inside =
                nbp_heapgraph_sources(self->graph, (nbp_node)node).count + held[node];
            root = NBP_IS_IMMORTAL(op) || (size_t)Py_REFCNT(op) > inside;
        }
        if (root) {
            self->roots[self->root_count++] = (nbp_node)node;
        }
    }
    free(held);
    return NBP_OK;
}

int
nbp_heap_take(nbp_heap *self, PyObject *hidden)
{
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
    size_t tracked = 0;
    nbp_walk_tracked(prepared, count_tracked, &tracked);
    /* Strings, numbers and the like come to about half as many again. */
    self->graph = nbp_heapgraph_new(tracked + tracked / 2);
    nbp_status status = self->graph == NULL ? NBP_NO_MEMORY : NBP_OK;
    if (status == NBP_OK) {
        status = nbp_typetable_init(&self->table);
    }
    if (status == NBP_OK) {
        status = list_frames(self, hidden, &concealed, &count);
    }
    if (status == NBP_OK) {
        status = add_frames(self);
    }
    if (status == NBP_OK) {
        adding it = {self->graph, NBP_OK};
        nbp_walk_tracked(prepared, add_one, &it);
        status = it.status;
    }
    /* What it lists stays alive, because no code has run, and its references must not
     * be taken for roots. */
    Py_DECREF(prepared);
    if (status == NBP_OK) {
        status = sweep(self);
    }
    if (status == NBP_OK) {
        status = find_roots(self, concealed, count);
    }
    free(concealed);
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
    nbp_heapgraph_destroy(&self->graph);
    nbp_typetable_free(&self->table);
    free(self->sizes);
    free(self->types);
    free(self->roots);
    free(self->frames);
    *self = (nbp_heap){0};
}
