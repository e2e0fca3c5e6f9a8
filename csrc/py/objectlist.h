/* SPDX-License-Identifier: BSD-3-Clause */
/* A growing array of objects that were met while nothing may be made and no code may
 * run. Until keep() its references are borrowed, then its own. */
#ifndef NBP_OBJECTLIST_H
#define NBP_OBJECTLIST_H

#include <Python.h>

#include <stdbool.h>

/* All zero is an empty one. */
typedef struct {
    PyObject **items; /* owned; owned references once nbp_objects_keep() has run */
    size_t count;
    size_t capacity;
    bool failed; /* memory was short */
} nbp_objects;

/* Adds `op`, unless it is dead: _asyncio of CPython 3.12 shows the collector objects
 * that it keeps for reuse, and a reference taken and given up would free one a second
 * time.
 */
void nbp_objects_append(nbp_objects *self, PyObject *op);

/* The same, for functions that visit; `arg` is the array. */
int nbp_objects_append_visited(PyObject *op, void *arg);

/* Takes a reference to each. */
void nbp_objects_keep(const nbp_objects *self);

/* Gives those references to a new list, and frees the array either way. NULL with an
 * exception set. */
PyObject *nbp_objects_into_list(nbp_objects *self);

#endif /* NBP_OBJECTLIST_H */
