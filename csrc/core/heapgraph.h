/* SPDX-License-Identifier: BSD-3-Clause */
/* A directed graph of things at addresses, as two sets of compressed rows: what each
 * node points to, and what points to it.
 *
 * It is filled in one sweep that is also the search: nodes are numbered in the order in
 * which they are met, next() gives them out in that order, and point() both adds an
 * edge and meets what it leads to. So there is no stack, and a list of a million links
 * is no deeper than any other graph. An address is a key and is never followed. One
 * graph belongs to one thread: it has no lock. */
#ifndef NBP_HEAPGRAPH_H
#define NBP_HEAPGRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

typedef uint32_t nbp_node;

#define NBP_NO_NODE UINT32_MAX

typedef struct nbp_heapgraph nbp_heapgraph;

/* A row of a graph: `count` nodes, borrowed from the graph. An edge that is there twice
 * is listed twice. */
typedef struct {
    const nbp_node *nodes;
    size_t count;
} nbp_row;

/* An empty graph with room for about `nodes` and three times as many edges, 0 for no
 * idea; it grows as needed. NULL when memory is short. */
nbp_heapgraph *nbp_heapgraph_new(size_t nodes);

/* Frees the graph and sets the pointer to NULL; NULL is allowed. */
void nbp_heapgraph_destroy(nbp_heapgraph **self);

/* The node of `address`, made when there is none. NBP_NO_MEMORY: the graph is as it
 * was, NBP_INVALID: it has 2^32 - 2 nodes, or is finished. */
nbp_status nbp_heapgraph_add(nbp_heapgraph *self, uintptr_t address, nbp_node *node);

/* Brings into the cache what add() will need: first where an address is looked up, and
 * in a second call some time later what is found there. */
void nbp_heapgraph_prefetch_place(const nbp_heapgraph *self, uintptr_t address);
void nbp_heapgraph_prefetch_found(const nbp_heapgraph *self, uintptr_t address);

/* Adds the node of an address that is known to be new, without looking; only before
 * the first add(), next() or find(), and hash() comes in between. As add(). */
nbp_status nbp_heapgraph_append(nbp_heapgraph *self, uintptr_t address);
nbp_status nbp_heapgraph_hash(nbp_heapgraph *self);

/* Opens the row of the next node that has not had its turn. 1: `node` is that one, 0:
 * every node has had its turn, negative: an nbp_status, also of point() calls before,
 * which is why those return nothing. */
int nbp_heapgraph_next(nbp_heapgraph *self, nbp_node *node);

/* Adds an edge from the open row's node to whatever is at `address`. */
void nbp_heapgraph_point(nbp_heapgraph *self, uintptr_t address);

/* Ends the sweep after next() gave 0, and makes the rows of what points to each node.
 */
nbp_status nbp_heapgraph_finish(nbp_heapgraph *self);

size_t nbp_heapgraph_nodes(const nbp_heapgraph *self);
size_t nbp_heapgraph_edges(const nbp_heapgraph *self);

/* `node` < nodes(), here and below. */
uintptr_t nbp_heapgraph_address(const nbp_heapgraph *self, nbp_node node);

/* The node of `address`, or NBP_NO_NODE. */
nbp_node nbp_heapgraph_find(const nbp_heapgraph *self, uintptr_t address);

/* What `node` points to, in the order of the point() calls, and what points to it, in
 * the order of the nodes. Of a finished graph only. */
nbp_row nbp_heapgraph_targets(const nbp_heapgraph *self, nbp_node node);
nbp_row nbp_heapgraph_sources(const nbp_heapgraph *self, nbp_node node);

/* Bring where the row of what points to `node` begins, and then the row, into the
 * cache. */
void nbp_heapgraph_prefetch_start(const nbp_heapgraph *self, nbp_node node);
void nbp_heapgraph_prefetch_row(const nbp_heapgraph *self, nbp_node node);

/* Searches breadth first from those of `starts` that have no parent yet, and carries on
 * in the tree that earlier searches left in `parents` (one entry a node, all
 * NBP_NO_NODE before the first). A start becomes its own parent, every node that is met
 * gets the node it was met from. `barrier` is given a parent and not searched on from,
 * so that no path leads through it; NBP_NO_NODE for none. */
nbp_status nbp_heapgraph_grow_tree(const nbp_heapgraph *self, const nbp_node *starts,
                                   size_t count, nbp_node barrier, nbp_node *parents);

/* Where the row of `node` begins among all edges; of nodes() it is edges(). Whoever
 * keeps a column of the edges finds by it what belongs to a row. */
size_t nbp_heapgraph_first_edge(const nbp_heapgraph *self, nbp_node node);

/* The columns of a finished graph, for a file: nodes(), nodes() + 1 and edges()
 * entries; borrowed. copy() makes a finished graph of such columns, which have been
 * checked; NULL when memory is short. */
typedef struct {
    const uintptr_t *addresses;
    const uint32_t *starts;
    const nbp_node *targets;
} nbp_heapgraph_columns;

nbp_heapgraph_columns nbp_heapgraph_borrow(const nbp_heapgraph *self);
nbp_heapgraph *nbp_heapgraph_copy(nbp_heapgraph_columns columns, size_t nodes);

/* Memory that the graph takes. */
size_t nbp_heapgraph_bytes(const nbp_heapgraph *self);

#endif /* NBP_HEAPGRAPH_H */
