/* SPDX-License-Identifier: BSD-3-Clause */
/* The interpreter's objects as a graph: one pass of tp_traverse, with what CPython does
 * not traverse added.
 *
 * While it looks, nothing is made, no code runs, no collection is forced: addresses are
 * good from the start of a call to its end and no longer. Whoever needs an object
 * afterwards takes a reference before code can run. */
#ifndef NBP_HEAPWALK_H
#define NBP_HEAPWALK_H

#include <Python.h>

#include "heapgraph.h"
#include "layout.h"

/* Readies nbp_walk_tracked(): the only step that may run code, so it comes first. Gives
 * a new reference for it, to be given up as soon as it is done because it may hold
 * every object; NULL with an exception set. */
PyObject *nbp_walk_prepare(void);

/* Calls `visit` with each object that the collector tracks. `visit` runs no code and
 * returns 0 to go on. */
void nbp_walk_tracked(PyObject *prepared, visitproc visit, void *arg);

/* The same, some objects later: what each has outside of itself is on its way into the
 * cache when its turn comes. For a `visit` that reads it. */
void nbp_walk_tracked_ahead(PyObject *prepared, visitproc visit, void *arg);

/* Calls `visit` with each reference that `op` holds: those of tp_traverse, and of code
 * objects, static types and dictionaries beside attributes, which it leaves out. */
void nbp_walk_references(PyObject *op, visitproc visit, void *arg);

/* Calls `visit` with the keys of a dictionary that are str and nothing else, which
 * tp_traverse leaves out because they lead nowhere. Nothing for other objects. */
void nbp_walk_keys(PyObject *op, visitproc visit, void *arg);

/* Calls `visit` with each reference that a running frame holds. */
void nbp_walk_frame(nbp_frame *frame, visitproc visit, void *arg);

/* True when `op` holds references that nobody who lists the tracked objects would meet:
 * an untracked container, a code object, a static type. */
bool nbp_walk_is_unlisted(PyObject *op);

/* True when the code that `frame` runs belongs to one of the packages in `names`, a
 * tuple of str. */
bool nbp_walk_frame_belongs(nbp_frame *frame, PyObject *names);

/* The method of `type` that has to be asked for the size of its instances and that runs
 * no code; borrowed, NULL for most types. */
PyMethodDef *nbp_walk_size_method(PyTypeObject *type);

/* Bytes of `op` itself: headers, attributes without a dictionary, tables. `method` is
 * the one of its type. */
size_t nbp_walk_size(PyObject *op, PyMethodDef *method);

/* Bytes before an object of `type`, which the collector may track, in its block. */
size_t nbp_walk_headers(PyTypeObject *type);

/* Types by number, in the order in which they were met. */
typedef struct {
    PyTypeObject **types;  /* owned; borrowed types */
    PyMethodDef **methods; /* owned; nbp_walk_size_method() of each */
    uint32_t *table;       /* owned; open addressing, UINT32_MAX empty */
    uint32_t count;
    uint32_t mask;
} nbp_typetable;

nbp_status nbp_typetable_init(nbp_typetable *self);
void nbp_typetable_free(nbp_typetable *self);

/* The number of `type`; UINT32_MAX when memory is short. */
uint32_t nbp_typetable_number(nbp_typetable *self, PyTypeObject *type);

#endif /* NBP_HEAPWALK_H */
