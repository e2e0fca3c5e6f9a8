/* SPDX-License-Identifier: BSD-3-Clause */
#include "dominators.h"

#include <assert.h>
#include <stdlib.h>

/* Inside, a vertex is named by its number in the depth-first order, and 0 is a root
 * above the roots, so that there is one tree. */
enum { ABOVE = 0 };

/* Of one vertex; together, because they are needed together and a miss costs more than
 * all the arithmetic. */
typedef struct {
    uint32_t parent; /* in the depth-first tree, then the end of a compressed path */
    uint32_t semi;   /* semidominator */
    uint32_t label;  /* the vertex of least semidominator on the compressed path */
} vertex;

/* What the search works with; all owned. */
typedef struct {
    uint32_t *number;    /* of each node, 0 while it is not reached */
    nbp_node *node;      /* of each vertex */
    vertex *vertices;    /* of each vertex */
    uint32_t *stack;     /* of vertices */
    uint32_t *next_edge; /* of each vertex on the stack, where it is in its row */
    uint32_t count;      /* of vertices, ABOVE included */
} search;

struct nbp_dominators {
    nbp_node *dominator; /* owned; of each node; the node itself when not reached */
    uint64_t *retained;  /* owned; of each node */
    size_t count;
};

static void
free_search(search *self)
{
    free(self->number);
    free(self->node);
    free(self->vertices);
    free(self->stack);
    free(self->next_edge);
}

static nbp_status
start_search(search *self, size_t nodes)
{
    self->number = calloc(nodes + 1, sizeof(*self->number));
    self->node = malloc((nodes + 1) * sizeof(*self->node));
    self->vertices = malloc((nodes + 1) * sizeof(*self->vertices));
    self->stack = malloc((nodes + 1) * sizeof(*self->stack));
    self->next_edge = malloc((nodes + 1) * sizeof(*self->next_edge));
    if (self->number == NULL || self->node == NULL || self->vertices == NULL ||
        self->stack == NULL || self->next_edge == NULL) {
        return NBP_NO_MEMORY;
    }
    self->vertices[ABOVE] = (vertex){ABOVE, ABOVE, ABOVE};
    self->count = 1;
    return NBP_OK;
}

static uint32_t
discover(search *self, nbp_node node, uint32_t parent)
{
    uint32_t number = self->count++;
    self->number[node] = number;
    self->node[number] = node;
    self->vertices[number] = (vertex){parent, number, number};
    return number;
}

/* Numbers everything that `root` reaches, depth first. */
static void
descend(search *self, const nbp_heapgraph *graph, nbp_node root)
{
    if (self->number[root] != 0) {
        return;
    }
    size_t depth = 0;
    self->stack[0] = discover(self, root, ABOVE);
    self->next_edge[0] = 0;
    for (;;) {
        uint32_t top = self->stack[depth];
        nbp_row row = nbp_heapgraph_targets(graph, self->node[top]);
        uint32_t edge = self->next_edge[depth];
        while (edge < row.count && self->number[row.nodes[edge]] != 0) {
            edge++;
        }
        self->next_edge[depth] = edge + 1;
        if (edge < row.count) {
            depth++;
            self->stack[depth] = discover(self, row.nodes[edge], top);
            self->next_edge[depth] = 0;
        }
        else if (depth-- == 0) {
            return;
        }
    }
}

/* The vertex of least semidominator among `v` and its ancestors numbered `linked` or
 * more; shortens the path for the next time. The stack is free after descend(). */
static uint32_t
least(search *self, uint32_t v, uint32_t linked)
{
    vertex *vertices = self->vertices;
    if (vertices[v].parent < linked) {
        return vertices[v].label;
    }
    size_t depth = 0;
    do {
        self->stack[depth++] = v;
        v = vertices[v].parent;
    } while (vertices[v].parent >= linked);
    uint32_t above = v, best = vertices[v].label;
    while (depth > 0) {
        v = self->stack[--depth];
        vertices[v].parent = vertices[above].parent;
        if (vertices[best].semi < vertices[vertices[v].label].semi) {
            vertices[v].label = best;
        }
        else {
            best = vertices[v].label;
        }
        above = v;
    }
    return best;
}

/* `above` is a vertex right above each: its parent, but ABOVE of a root, which hangs
 * there by an edge that no row has, also when the search met it on its way. */
static void
find_semidominators(search *self, const nbp_heapgraph *graph, const uint32_t *above)
{
    for (uint32_t v = self->count - 1; v > ABOVE; v--) {
        uint32_t semi = above[v];
        nbp_row row = nbp_heapgraph_sources(graph, self->node[v]);
        for (size_t i = 0; i < row.count && semi != ABOVE; i++) {
            uint32_t source = self->number[row.nodes[i]];
            if (source == 0) {
                continue; /* not reached: keeps nothing alive */
            }
            uint32_t candidate = self->vertices[least(self, source, v + 1)].semi;
            if (candidate < semi) {
                semi = candidate;
            }
        }
        self->vertices[v].semi = semi;
    }
}

/* Turns what is right above each vertex into its dominator: the nearest common
 * ancestor, in the tree of dominators so far, of that and the semidominator. */
static void
find_dominators(const search *self, uint32_t *idom)
{
    for (uint32_t v = 1; v < self->count; v++) {
        uint32_t candidate = idom[v];
        while (candidate > self->vertices[v].semi) {
            candidate = idom[candidate];
        }
        idom[v] = candidate;
    }
}

/* Numbers by number, back into nodes by node; sums the sizes from the leaves up. */
static void
conclude(nbp_dominators *self, const search *found, const uint32_t *idom,
         const uint64_t *sizes)
{
    for (size_t node = 0; node < self->count; node++) {
        bool reached = found->number[node] != 0;
        self->dominator[node] = (nbp_node)node;
        self->retained[node] = reached ? sizes[node] : 0;
    }
    for (uint32_t v = found->count - 1; v > ABOVE; v--) {
        nbp_node node = found->node[v];
        self->dominator[node] = idom[v] == ABOVE ? NBP_NO_NODE : found->node[idom[v]];
        if (idom[v] != ABOVE) {
            self->retained[found->node[idom[v]]] += self->retained[node];
        }
    }
}

nbp_dominators *
nbp_dominators_new(const nbp_heapgraph *graph, const nbp_node *roots, size_t count,
                   const uint64_t *sizes)
{
    size_t nodes = nbp_heapgraph_nodes(graph);
    search found = {0};
    uint32_t *idom = NULL; /* owned */
    nbp_dominators *self = calloc(1, sizeof(*self));
    if (self == NULL || start_search(&found, nodes) != NBP_OK) {
        goto fail;
    }
    for (size_t i = 0; i < count; i++) {
        descend(&found, graph, roots[i]);
    }
    free(found.next_edge);
    found.next_edge = NULL;
    idom = malloc(found.count * sizeof(*idom));
    if (idom == NULL) {
        goto fail;
    }
    for (uint32_t v = 0; v < found.count; v++) {
        idom[v] = found.vertices[v].parent;
    }
    for (size_t i = 0; i < count; i++) {
        idom[found.number[roots[i]]] = ABOVE;
    }
    find_semidominators(&found, graph, idom);
    find_dominators(&found, idom);

    self->count = nodes;
    self->dominator = malloc((nodes + 1) * sizeof(*self->dominator));
    self->retained = malloc((nodes + 1) * sizeof(*self->retained));
    if (self->dominator == NULL || self->retained == NULL) {
        goto fail;
    }
    conclude(self, &found, idom, sizes);
    free(idom);
    free_search(&found);
    return self;

fail:
    free(idom);
    free_search(&found);
    nbp_dominators_destroy(&self);
    return NULL;
}

void
nbp_dominators_destroy(nbp_dominators **self)
{
    if (*self != NULL) {
        free((*self)->dominator);
        free((*self)->retained);
        free(*self);
        *self = NULL;
    }
}

nbp_node
nbp_dominators_of(const nbp_dominators *self, nbp_node node)
{
    assert(node < self->count);
    return self->dominator[node] == node ? NBP_NO_NODE : self->dominator[node];
}

bool
nbp_dominators_reached(const nbp_dominators *self, nbp_node node)
{
    assert(node < self->count);
    return self->dominator[node] != node;
}

uint64_t
nbp_dominators_retained_bytes(const nbp_dominators *self, nbp_node node)
{
    assert(node < self->count);
    return self->retained[node];
}
