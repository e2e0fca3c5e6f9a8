/* SPDX-License-Identifier: BSD-3-Clause */
/* Sets of a Heap's objects as bytes: a bit for each object, the lowest first. */
#ifndef NBP_HEAPMASKS_H
#define NBP_HEAPMASKS_H

#include "heapobject.h"

static inline size_t
nbp_heap_count(const nbp_heap_object *self)
{
    return nbp_heapgraph_nodes(self->image.graph);
}

/* The bits of a set, borrowed, NULL for None; false with an exception set. */
bool nbp_mask_read(const nbp_heap_object *self, PyObject *set, const uint8_t **bits);

/* An empty set and its bits; NULL with an exception set. */
PyObject *nbp_mask_new(const nbp_heap_object *self, uint8_t **bits);

#endif /* NBP_HEAPMASKS_H */
