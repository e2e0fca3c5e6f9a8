/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of blocks knows addresses, not what lies there, and most blocks are no
 * objects at all. So nothing is looked up in memory: the heap is walked as the
 * collector does, and each object on the way is looked for among the blocks. */
#include "allocobjects.h"

#include <Python.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "allochooks.h"
#include "heapwalk.h"
#include "pointermap.h"

typedef struct {
    const void **alive; /* owned; addresses by their hash, NULL free */
    size_t mask;        /* of the places, which are at least twice as many */
    PyObject **found;   /* owned; borrowed objects, good until code runs */
    size_t n_found;
    size_t room;
    PyObject **ahead; /* owned; untracked containers that are still to be looked into */
    size_t n_ahead;
    size_t ahead_room;
    nbp_pointermap seen; /* untracked ones */
    bool failed;         /* for want of memory */
} search;

static size_t
hash(const void *address)
{
    return (size_t)(((uint64_t)(uintptr_t)address >> 4) * 0x9E3779B97F4A7C15u >> 20);
}

/* Takes the addresses of the blocks that are alive; false for want of memory. */
static bool
take_alive(search *self, const nbp_measure *measure)
{
    size_t count;
    nbp_alive_block *blocks =
        nbp_alloctable_alive(nbp_alloc_table(), measure, &count); /* owned */
    size_t places = 16;
    while (places < 2 * count) {
        places *= 2;
    }
    self->mask = places - 1;
    self->alive = calloc(places, sizeof(*self->alive));
    for (size_t i = 0; self->alive != NULL && i < count; i++) {
        size_t at = hash(blocks[i].address) & self->mask;
        while (self->alive[at] != NULL) {
            at = (at + 1) & self->mask;
        }
        self->alive[at] = blocks[i].address;
    }
    free(blocks);
    return self->alive != NULL;
}

/* True when the block that `op` begins in, behind its headers, is alive. */
static bool
is_alive(const search *self, PyObject *op)
{
    size_t before = PyObject_IS_GC(op) ? nbp_walk_headers(Py_TYPE(op)) : 0;
    const void *address = (const char *)op - before;
    size_t at = hash(address) & self->mask;
    while (self->alive[at] != NULL && self->alive[at] != address) {
        at = (at + 1) & self->mask;
    }
    return self->alive[at] != NULL;
}

/* A dead object is passed over, see heaprefs.c. */
static bool
append(PyObject ***items, size_t *count, size_t *room, PyObject *op)
{
    if (Py_REFCNT(op) <= 0) {
        return true;
    }
    if (*count == *room) {
        size_t more = *room == 0 ? 1024 : 2 * *room;
        PyObject **larger = realloc(*items, more * sizeof(**items));
        if (larger == NULL) {
            return false;
        }
        *items = larger;
        *room = more;
    }
    (*items)[(*count)++] = op;
    return true;
}

/* What an object holds: what the collector tracks comes by itself. */
static int
meet_reference(PyObject *op, void *arg)
{
    search *self = arg;
    if (op == NULL || self->failed ||
        (PyObject_IS_GC(op) && PyObject_GC_IsTracked(op))) {
        return 0;
    }
    bool alive = is_alive(self, op), unlisted = nbp_walk_is_unlisted(op);
    if (!unlisted && !alive) {
        return 0; /* so that the map does not hold every name and number */
    }
    if (nbp_pointermap_get(&self->seen, op) != NULL) {
        return 0;
    }
    if (!nbp_pointermap_put(&self->seen, op, 0, 0)) {
        self->failed = true;
        return 0;
    }
    if (alive && !append(&self->found, &self->n_found, &self->room, op)) {
        self->failed = true;
    }
    if (unlisted && !append(&self->ahead, &self->n_ahead, &self->ahead_room, op)) {
        self->failed = true;
    }
    return 0;
}

static int
meet_tracked(PyObject *op, void *arg)
{
    search *self = arg;
    if (is_alive(self, op) && !append(&self->found, &self->n_found, &self->room, op)) {
        self->failed = true;
    }
    nbp_walk_references(op, meet_reference, self);
    while (self->n_ahead > 0 && !self->failed) {
        nbp_walk_references(self->ahead[--self->n_ahead], meet_reference, self);
    }
    return self->failed ? -1 : 0;
}

/* The objects found, as a list; what is ours is left out. */
static PyObject *
listed(const search *self, PyObject *prepared)
{
    /* References first: making the list may run code, by way of the collector. */
    for (size_t i = 0; i < self->n_found; i++) {
        Py_INCREF(self->found[i]);
    }
    PyObject *list = PyList_New((Py_ssize_t)self->n_found); /* owned, returned */
    Py_ssize_t count = 0;
    for (size_t i = 0; i < self->n_found; i++) {
        if (list == NULL || self->found[i] == prepared) {
            Py_DECREF(self->found[i]);
        }
        else {
            PyList_SET_ITEM(list, count++, self->found[i]);
        }
    }
    if (list != NULL && PyList_SetSlice(list, count, PyList_GET_SIZE(list), NULL) < 0) {
        Py_CLEAR(list);
    }
    return list;
}

/* By type: (type, how many, bytes) each. No code runs until the sums are done. */
static PyObject *
counted(const search *self, PyObject *prepared)
{
    typedef struct {
        uint64_t objects;
        uint64_t bytes;
    } sum;
    nbp_typetable table;
    PyObject *list = NULL; /* owned, returned */
    sum *sums = NULL;      /* owned; by number of the type */
    size_t room = 0;
    if (nbp_typetable_init(&table) != NBP_OK) {
        return PyErr_NoMemory();
    }
    for (size_t i = 0; i < self->n_found; i++) {
        PyObject *op = self->found[i];
        uint32_t number = nbp_typetable_number(&table, Py_TYPE(op));
        if (number != UINT32_MAX && number >= room) {
            size_t more = 2 * (size_t)number + 256;
            sum *larger = realloc(sums, more * sizeof(*sums));
            if (larger != NULL) {
                memset(larger + room, 0, (more - room) * sizeof(*larger));
                sums = larger;
                room = more;
            }
        }
        if (number == UINT32_MAX || number >= room) {
            PyErr_NoMemory();
            goto done;
        }
        if (op != prepared) {
            sums[number].objects++;
            sums[number].bytes += nbp_walk_size(op, table.methods[number]);
        }
    }
    for (uint32_t i = 0; i < table.count; i++) {
        Py_INCREF(table.types[i]);
    }
    list = PyList_New(table.count);
    for (uint32_t i = 0; i < table.count; i++) {
        PyObject *item = NULL;
        if (list != NULL) {
            item = Py_BuildValue("(OKK)", table.types[i],
                                 (unsigned long long)sums[i].objects,
                                 (unsigned long long)sums[i].bytes);
        }
        if (item == NULL) {
            Py_CLEAR(list);
        }
        else {
            PyList_SET_ITEM(list, (Py_ssize_t)i, item);
        }
        Py_DECREF(table.types[i]);
    }
done:
    free(sums);
    nbp_typetable_free(&table);
    return list;
}

/* Finds the objects and gives them, or how many of each type there are. */
static PyObject *
find(const nbp_measure *measure, bool by_type)
{
    PyObject *prepared = nbp_walk_prepare(); /* owned */
    if (prepared == NULL) {
        return NULL;
    }
    search self = {0};
    PyObject *list = NULL; /* owned, returned */
    if (take_alive(&self, measure)) {
        nbp_walk_tracked(prepared, meet_tracked, &self);
    }
    else {
        self.failed = true;
    }
    if (self.failed) {
        PyErr_NoMemory();
    }
    else {
        list = by_type ? counted(&self, prepared) : listed(&self, prepared);
    }
    nbp_pointermap_clear(&self.seen);
    free(self.alive);
    free(self.ahead);
    free(self.found);
    Py_DECREF(prepared);
    return list;
}

PyObject *
nbp_alloc_objects(const nbp_measure *measure)
{
    return find(measure, false);
}

PyObject *
nbp_alloc_types(const nbp_measure *measure)
{
    return find(measure, true);
}
