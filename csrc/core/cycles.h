/* SPDX-License-Identifier: BSD-3-Clause */
/* Which nodes hold each other in a circle. */
#ifndef NBP_CYCLES_H
#define NBP_CYCLES_H

#include "heapgraph.h"

/* Numbers the strongly connected components of the part of a graph whose bits are set
 * in `mask` (NULL: all of it), by Tarjan's algorithm without recursion. `component` has
 * an entry a node and gets NBP_NO_NODE for nodes that are in no circle, one that holds
 * itself included in one; `count` gets how many there are. */
nbp_status nbp_cycles_find(const nbp_heapgraph *graph, const uint8_t *mask,
                           uint32_t *component, uint32_t *count);

#endif /* NBP_CYCLES_H */
