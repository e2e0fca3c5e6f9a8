/* SPDX-License-Identifier: BSD-3-Clause */
/* Who keeps whom alive alone, and how much goes with it.
 *
 * A node dominates another when every path from the roots to the other leads through
 * it; the nearest such is the immediate dominator. What would be freed with a node, its
 * retained size, is the sum of the sizes of all that it dominates. Found by the
 * semi-NCA algorithm (Georgiadis 2005), without recursion, in 24 bytes a node
 * while it runs and 16 that stay. */
#ifndef NBP_DOMINATORS_H
#define NBP_DOMINATORS_H

#include "heapgraph.h"
#include "sizes.h"

typedef struct nbp_dominators nbp_dominators;

/* Analyses a finished graph from `roots` (any order, repeated or not); `sizes` has one
 * entry a node. Keeps nothing of its arguments. NULL when memory is short. */
nbp_dominators *nbp_dominators_new(const nbp_heapgraph *graph, const nbp_node *roots,
                                   size_t count, const nbp_sizes *sizes);

/* Frees the analysis and sets the pointer to NULL; NULL is allowed. */
void nbp_dominators_destroy(nbp_dominators **self);

/* The immediate dominator of `node`; NBP_NO_NODE for a root, for what several roots
 * hold between them, and for what no root reaches. */
nbp_node nbp_dominators_of(const nbp_dominators *self, nbp_node node);

/* False: garbage that waits for the collector. */
bool nbp_dominators_reached(const nbp_dominators *self, nbp_node node);

/* Bytes that would be freed with `node`, itself included; 0 when it is not reached. */
uint64_t nbp_dominators_retained_bytes(const nbp_dominators *self, nbp_node node);

/* The nodes that are reached, each after its dominator; borrowed. */
nbp_row nbp_dominators_order(const nbp_dominators *self);

#endif /* NBP_DOMINATORS_H */
