/* SPDX-License-Identifier: BSD-3-Clause */
#include "heapwalk.h"

#include "arrays.h"
#include "compat.h"
#include "gcobjects.h"
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
    if (nbp_layout_finds_tracked()) {
        Py_RETURN_NONE;
    }
    return nbp_gc_objects();
}

void
nbp_walk_tracked(PyObject *prepared, visitproc visit, void *arg)
{
    if (Py_IsNone(prepared)) {
        nbp_layout_visit_tracked(visit, arg);
        return;
    }
    enum { AHEAD = 8 };
    Py_ssize_t count = PyList_GET_SIZE(prepared);
    for (Py_ssize_t i = 0; i < count; i++) {
        if (i + AHEAD < count) {
            __builtin_prefetch(PyList_GET_ITEM(prepared, i + AHEAD));
        }
        if (visit(PyList_GET_ITEM(prepared, i), arg) != 0) {
            return;
        }
    }
}

#endif

enum { WAITING = 16 };

/* Objects that wait for their turn; NULL where there is none. */
typedef struct {
    visitproc visit;
    void *arg;
    PyObject *ring[WAITING];
    size_t turn;
} queue;

static int
queue_one(PyObject *op, void *arg)
{
    queue *self = arg;
    PyObject **place = &self->ring[self->turn % WAITING], *oldest = *place;
    const PyObject *near = self->ring[(self->turn + WAITING / 2) % WAITING];
    *place = op;
    self->turn++;
    if (near != NULL) {
        nbp_layout_prefetch((PyObject *)near);
    }
    return oldest == NULL ? 0 : self->visit(oldest, self->arg);
}

void
nbp_walk_tracked_ahead(PyObject *prepared, visitproc visit, void *arg)
{
    queue self = {.visit = visit, .arg = arg};
    nbp_walk_tracked(prepared, queue_one, &self);
    for (size_t i = 0; i < WAITING; i++) {
        PyObject *op = self.ring[(self.turn + i) % WAITING];
        if (op != NULL && visit(op, arg) != 0) {
            return;
        }
    }
}

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
    PyTypeObject *type = Py_TYPE(op);
    if (type == &PyDict_Type || type == &PyList_Type || type == &PyTuple_Type) {
        type->tp_traverse(op, visit, arg); /* most objects, and this is all of them */
        return;
    }
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
