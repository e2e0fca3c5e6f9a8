/* SPDX-License-Identifier: BSD-3-Clause */
/* The fields of kinds of objects that describe them nowhere. */
#ifndef NBP_HEAPFIELDS_H
#define NBP_HEAPFIELDS_H

#include <Python.h>

#include "layout.h"

typedef struct {
    PyObject *value;  /* borrowed; may be NULL */
    const char *name; /* as an attribute */
} nbp_field;

enum { NBP_MOST_FIELDS = 12 };

/* Fills `fields`, of NBP_MOST_FIELDS entries; how many `op` has, 0 for most. */
size_t nbp_fields_of(PyObject *op, nbp_field *fields);

/* The same for what a frame holds beside its variables. */
size_t nbp_fields_of_frame(nbp_frame *frame, nbp_field *fields);

/* Calls `visit` with each field that the type of `op` describes and that holds an
 * object: __slots__, and members of types written in C. `place` is where in the object
 * it is, `name` a str. */
typedef void (*nbp_member_visit)(PyObject *name, Py_ssize_t place, void *arg);
void nbp_visit_members(PyTypeObject *type, nbp_member_visit visit, void *arg);

#endif /* NBP_HEAPFIELDS_H */
