/* SPDX-License-Identifier: BSD-3-Clause */
/* What numpy's arrays hold, which they do not report to the collector: the object whose
 * memory a view shows, and the items of arrays of objects. */
#ifndef NBP_ARRAYS_H
#define NBP_ARRAYS_H

#include <Python.h>

#include <stdbool.h>

#include "spans.h"

/* Learns where arrays keep this, once numpy has been imported; may run code. Never
 * fails and never imports numpy: as long as it is not there, nothing is an array. */
void nbp_arrays_prepare(void);

/* True when there may be arrays. */
bool nbp_arrays_are_known(void);

/* True for an array, of a subclass too. Runs no code, as do the next two. */
bool nbp_arrays_is(PyObject *op);

/* Calls `visit` with each object that the array `op` holds, but for its data type. */
void nbp_arrays_visit(PyObject *op, visitproc visit, void *arg);

/* The object whose memory the array `op` shows; borrowed, NULL when it is its own. */
PyObject *nbp_arrays_base(PyObject *op);

/* The items of the array `op` where it owns them and they are objects, any of which may
 * be NULL; borrowed. `count` is 0 otherwise. */
PyObject *const *nbp_arrays_items(PyObject *op, Py_ssize_t *count);

/* The memory of the array `op` where it is its own, else an empty piece. */
nbp_span nbp_arrays_memory(PyObject *op);

#endif /* NBP_ARRAYS_H */
