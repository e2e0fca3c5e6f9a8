/* SPDX-License-Identifier: BSD-3-Clause */
/* The objects that lie in the blocks of an open measurement. */
#ifndef NBP_ALLOCOBJECTS_H
#define NBP_ALLOCOBJECTS_H

#include <Python.h>

#include "alloctable.h"

/* A new list of them, in no order: what the collector tracks and what such objects hold
 * directly or through containers that it does not track. Blocks with no object at their
 * beginning (the items of a list, an array's data) stand for themselves nowhere. NULL
 * with an exception set. */
PyObject *nbp_alloc_objects(const nbp_measure *measure);

/* The same by type: a new list of tuples (type, how many, bytes with what belongs to
 * them alone, such as the items of a list). */
PyObject *nbp_alloc_types(const nbp_measure *measure);

#endif /* NBP_ALLOCOBJECTS_H */
