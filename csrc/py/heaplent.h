/* SPDX-License-Identifier: BSD-3-Clause */
/* What objects hold beside what they report to the collector, as somebody said who
 * knows them. */
#ifndef NBP_HEAPLENT_H
#define NBP_HEAPLENT_H

#include <Python.h>

#include "pointermap.h"
#include "status.h"

typedef struct {
    PyObject *held; /* borrowed; a dict from addresses to tuples; those of no object are
                       ignored. NULL for nothing */
    PyObject *call; /* borrowed; what C alone holds `held` by: no root, as that is */
} nbp_lent;

typedef struct {
    nbp_lent lent;
    nbp_pointermap places; /* where in `lent` the tuple of an address is */
} nbp_lenders;

/* Notes where the tuple of each address is; NBP_INVALID when `held` is something else.
 */
nbp_status nbp_lenders_list(nbp_lenders *self);

/* Calls `visit` with what the object `op` holds. */
void nbp_lenders_visit(const nbp_lenders *self, PyObject *op, visitproc visit,
                       void *arg);

void nbp_lenders_clear(nbp_lenders *self);

#endif /* NBP_HEAPLENT_H */
