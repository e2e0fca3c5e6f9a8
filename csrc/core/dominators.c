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
    uint32_t above;  /* what is right above it, then its immediate dominator */
} vertex;

/* Of one node while it is looked for: where its row is, and its vertex. The two stand
 * together for the same reason. */
typedef struct {
    uint32_t start;  /* its row ends where the next node's begins */
    uint32_t number; /* 0 while it is not reached */
} place;

/* A node that waits for its turn. */
typedef struct {
    nbp_node node;
    uint32_t parent;
} pending;

/* What the search works with; all owned. */
typedef struct {
    place *places;    /* of each node, and one more */
    uint32_t *number; /* of each node, once all are found */
    nbp_node *node;   /* of each vertex */
    vertex *vertices; /* of each vertex */
    pending *stack;
    size_t depth;
    size_t capacity; /* of the stack */
    uint32_t count;  /* of vertices, ABOVE included */
} search;

struct nbp_dominators {
    nbp_node *dominator; /* owned; of each node; the node itself when not reached */
    uint64_t *retained;  /* owned; of each node */
    nbp_node *order;     /* owned; reached nodes, each after its dominator */
    size_t reached;
    size_t count;
};

static void
free_search(search *self)
{
    free(self->places);
    free(self->number);
    free(self->node);
    free(self->vertices);
    free(self->stack);
}

static nbp_status
start_search(search *self, const nbp_heapgraph *graph)
{
    size_t nodes = nbp_heapgraph_nodes(graph);
    self->capacity = 1024;
    self->places = malloc((nodes + 1) * sizeof(*self->places));
    self->node = malloc((nodes + 1) * sizeof(*self->node));
    self->vertices = malloc((nodes + 1) * sizeof(*self->vertices));
    self->stack = malloc(self->capacity * sizeof(*self->stack));
    if (self->places == NULL || self->node == NULL || self->vertices == NULL ||
        self->stack == NULL) {
        return NBP_NO_MEMORY;
    }
    for (size_t node = 0; node <= nodes; node++) {
        size_t start = nbp_heapgraph_first_edge(graph, (nbp_node)node);
        self->places[node] = (place){(uint32_t)start, 0};
    }
    self->vertices[ABOVE] = (vertex){ABOVE, ABOVE, ABOVE, ABOVE};
    self->count = 1;
    return NBP_OK;
}

static inline uint32_t
discover(search *self, nbp_node node, uint32_t parent)
{
    uint32_t number = self->count++;
    self->places[node].number = number;
    self->node[number] = node;
    self->vertices[number] = (vertex){parent, number, number, parent};
    return number;
}

static nbp_status
push(search *self, nbp_node node, uint32_t parent)
{
    if (self->depth == self->capacity) {
        pending *stack = realloc(self->stack, 2 * self->capacity * sizeof(*stack));
        if (stack == NULL) {
            return NBP_NO_MEMORY;
        }
        self->stack = stack;
        self->capacity *= 2;
    }
    self->stack[self->depth++] = (pending){node, parent};
    return NBP_OK;
}

/* Numbers everything that `root` reaches, depth first. A node is numbered when its turn
 * comes, not when it is met, and what has no row gets its number at once: both are
 * orders in which a recursive search could have gone, and neither ever comes back to a
 * row that has left the cache. */
static nbp_status
descend(search *self, const nbp_node *targets, nbp_node root)
{
    if (push(self, root, ABOVE) != NBP_OK) {
        return NBP_NO_MEMORY;
    }
    while (self->depth > 0) {
        pending next = self->stack[--self->depth];
        if (self->places[next.node].number != 0) {
            continue;
        }
        uint32_t number = discover(self, next.node, next.parent);
        uint32_t end = self->places[next.node + 1].start;
        for (uint32_t edge = self->places[next.node].start; edge < end; edge++) {
            nbp_node target = targets[edge];
            if (edge + 8 < end) {
                __builtin_prefetch(&self->places[targets[edge + 8]]);
            }
            const place *it = &self->places[target];
            if (it->number != 0) {
                continue;
            }
            if (it[0].start == it[1].start) {
                discover(self, target, number);
                continue;
            }
            __builtin_prefetch(&targets[it->start]);
            if (push(self, target, number) != NBP_OK) {
                return NBP_NO_MEMORY;
            }
        }
    }
    return NBP_OK;
}

/* The vertex of least semidominator among `v` and its ancestors numbered `linked` or
 * more; shortens the path for the next time. On the way up each vertex is turned to
 * point down, so that the way back needs no stack. */
static uint32_t
least(vertex *vertices, uint32_t v, uint32_t linked)
{
    if (vertices[v].parent < linked) {
        return vertices[v].label;
    }
    uint32_t below = UINT32_MAX;
    while (vertices[v].parent >= linked) {
        uint32_t up = vertices[v].parent;
        vertices[v].parent = below;
        below = v;
        v = up;
    }
    uint32_t top = vertices[v].parent, best = vertices[v].label;
    while (below != UINT32_MAX) {
        v = below;
        below = vertices[v].parent;
        vertices[v].parent = top;
        if (vertices[best].semi < vertices[vertices[v].label].semi) {
            vertices[v].label = best;
        }
        else {
            best = vertices[v].label;
        }
    }
    return best;
}

/* Brings what the vertices after `v` will need into the cache, each thing in time for
 * the next one that depends on it. */
static inline void
look_ahead(const search *self, const nbp_heapgraph *graph, uint32_t v)
{
    enum { STARTS = 24, ROWS = 16, NUMBERS = 10, VERTICES = 5, FIRST = 4 };
    if (v <= STARTS) {
        return;
    }
    nbp_heapgraph_prefetch_start(graph, self->node[v - STARTS]);
    nbp_heapgraph_prefetch_row(graph, self->node[v - ROWS]);
    nbp_row row = nbp_heapgraph_sources(graph, self->node[v - NUMBERS]);
    for (size_t i = 0; i < row.count && i < FIRST; i++) {
        __builtin_prefetch(&self->number[row.nodes[i]]);
    }
    row = nbp_heapgraph_sources(graph, self->node[v - VERTICES]);
    for (size_t i = 0; i < row.count && i < FIRST; i++) {
        __builtin_prefetch(&self->vertices[self->number[row.nodes[i]]]);
    }
}

/* What is right above a vertex is its parent, but ABOVE of a root, which hangs there by
 * an edge that no row has, also when the search met it on its way. */
static void
find_semidominators(search *self, const nbp_heapgraph *graph)
{
    vertex *vertices = self->vertices;
    for (uint32_t v = self->count - 1; v > ABOVE; v--) {
        look_ahead(self, graph, v);
        uint32_t semi = vertices[v].above;
        nbp_row row = nbp_heapgraph_sources(graph, self->node[v]);
        for (size_t i = 0; i < row.count && semi != ABOVE; i++) {
            uint32_t source = self->number[row.nodes[i]];
            if (source == 0) {
                continue; /* not reached: keeps nothing alive */
            }
            uint32_t candidate = vertices[least(vertices, source, v + 1)].semi;
            if (candidate < semi) {
                semi = candidate;
            }
        }
        vertices[v].semi = semi;
    }
}

/* Turns what is right above each vertex into its dominator: the nearest common
 * ancestor, in the tree of dominators so far, of that and the semidominator. */
static void
find_dominators(const search *self)
{
    vertex *vertices = self->vertices;
    for (uint32_t v = 1; v < self->count; v++) {
        uint32_t candidate = vertices[v].above;
        while (candidate > vertices[v].semi) {
            candidate = vertices[candidate].above;
        }
        vertices[v].above = candidate;
    }
}

/* Takes the numbers out of the places, which are twice as large. */
static nbp_status
settle(search *self, size_t nodes)
{
    free(self->stack);
    self->stack = NULL;
    self->number = malloc((nodes + 1) * sizeof(*self->number));
    if (self->number == NULL) {
        return NBP_NO_MEMORY;
    }
    for (size_t node = 0; node < nodes; node++) {
        self->number[node] = self->places[node].number;
    }
    free(self->places);
    self->places = NULL;
    return NBP_OK;
}

/* Numbers by number, back into nodes by node; sums the sizes from the leaves up. Each
 * array takes the place of one that is not needed any more. */
static nbp_status
conclude(nbp_dominators *self, search *found, const nbp_sizes *sizes)
{
    enum { AHEAD = 16 };
    nbp_node *dominator = self->dominator = found->number;
    found->number = NULL;
    for (size_t node = 0; node < self->count; node++) {
        if (dominator[node] == 0) {
            dominator[node] = (nbp_node)node;
        }
    }
    for (uint32_t v = 1; v < found->count; v++) {
        if (v + AHEAD < found->count) {
            __builtin_prefetch(&dominator[found->node[v + AHEAD]], 1);
        }
        uint32_t idom = found->vertices[v].above;
        dominator[found->node[v]] = idom == ABOVE ? NBP_NO_NODE : found->node[idom];
    }
    free(found->vertices);
    found->vertices = NULL;
    uint64_t *retained = self->retained = calloc(self->count + 1, sizeof(*retained));
    if (retained == NULL) {
        return NBP_NO_MEMORY;
    }
    for (uint32_t v = found->count - 1; v > ABOVE; v--) {
        if (v > AHEAD) {
            nbp_node ahead = found->node[v - AHEAD];
            __builtin_prefetch(&retained[ahead], 1);
            __builtin_prefetch(&dominator[ahead]);
        }
        nbp_node node = found->node[v];
        retained[node] += nbp_sizes_get(sizes, node);
        if (dominator[node] != NBP_NO_NODE) {
            retained[dominator[node]] += retained[node];
        }
    }
    self->reached = found->count - 1;
    self->order = found->node;
    found->node = NULL;
    return NBP_OK;
}

nbp_dominators *
nbp_dominators_new(const nbp_heapgraph *graph, const nbp_node *roots, size_t count,
                   const nbp_sizes *sizes)
{
    size_t nodes = nbp_heapgraph_nodes(graph);
    search found = {0};
    nbp_dominators *self = calloc(1, sizeof(*self));
    if (self == NULL || start_search(&found, graph) != NBP_OK) {
        goto fail;
    }
    self->count = nodes;
    const nbp_node *targets = nodes > 0 ? nbp_heapgraph_targets(graph, 0).nodes : NULL;
    for (size_t i = 0; i < count; i++) {
        if (descend(&found, targets, roots[i]) != NBP_OK) {
            goto fail;
        }
    }
    if (settle(&found, nodes) != NBP_OK) {
        goto fail;
    }
    for (size_t i = 0; i < count; i++) {
        found.vertices[found.number[roots[i]]].above = ABOVE;
    }
    find_semidominators(&found, graph);
    find_dominators(&found);
    if (conclude(self, &found, sizes) != NBP_OK) {
        goto fail;
    }
    free_search(&found);
    return self;

fail:
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
        free((*self)->order);
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

nbp_row
nbp_dominators_order(const nbp_dominators *self)
{
    return (nbp_row){self->order + 1, self->reached};
}
