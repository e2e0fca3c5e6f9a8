/* SPDX-License-Identifier: BSD-3-Clause */
#include "heapgraph.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIRST_NODES = 1024,
    FIRST_EDGES = 4096,
    /* Edges wait until there are this many: each costs two cache misses, one in the
     * table and one in the addresses, and in a batch the misses overlap. */
    BATCH = 1024,
    /* Edges ahead of which a count is brought into the cache. */
    FAR = 24,
};

struct nbp_heapgraph {
    uintptr_t *addresses; /* owned; of each node */
    size_t count;
    size_t capacity;
    nbp_node *table; /* owned; open addressing, NBP_NO_NODE empty */
    size_t mask;     /* its length - 1; it is at most three quarters full */

    nbp_node *targets; /* owned; the rows one after the other */
    size_t edges;      /* with those that wait */
    size_t edge_capacity;
    uint32_t
        *starts;   /* owned; where each node's row begins in `targets`, and the end */
    size_t opened; /* rows begun, the open one included */

    nbp_node *sources;       /* owned; NULL until finished */
    uint32_t *source_starts; /* owned; NULL until finished */

    nbp_status failed; /* of a point(), for the next next() */
    size_t waiting;
    uintptr_t batch[BATCH];
};

static inline size_t
slot_of(const nbp_heapgraph *self, uintptr_t address)
{
    /* Fibonacci hashing; the low bits are always 0 and the high half of the product is
     * the well mixed one. */
    uint64_t product = (uint64_t)(address >> 3) * UINT64_C(0x9E3779B97F4A7C15);
    return (size_t)(product >> 24) & self->mask;
}

/* The mask of the smallest table that has room for so many. */
static size_t
mask_for(size_t nodes)
{
    size_t length = 2 * FIRST_NODES;
    while (length / 4 * 3 < nodes) {
        length *= 2;
    }
    return length - 1;
}

nbp_heapgraph *
nbp_heapgraph_new(size_t nodes)
{
    nbp_heapgraph *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return NULL;
    }
    self->capacity = nodes < FIRST_NODES ? FIRST_NODES : nodes;
    self->mask = mask_for(self->capacity);
    self->edge_capacity = FIRST_EDGES + 3 * nodes;
    self->addresses = malloc(self->capacity * sizeof(*self->addresses));
    self->starts = malloc((self->capacity + 1) * sizeof(*self->starts));
    self->table = malloc((self->mask + 1) * sizeof(*self->table));
    self->targets = malloc(self->edge_capacity * sizeof(*self->targets));
    if (self->addresses == NULL || self->starts == NULL || self->table == NULL ||
        self->targets == NULL) {
        nbp_heapgraph_destroy(&self);
        return NULL;
    }
    memset(self->table, 0xFF, (self->mask + 1) * sizeof(*self->table));
    return self;
}

void
nbp_heapgraph_destroy(nbp_heapgraph **self)
{
    if (*self != NULL) {
        free((*self)->addresses);
        free((*self)->table);
        free((*self)->targets);
        free((*self)->starts);
        free((*self)->sources);
        free((*self)->source_starts);
        free(*self);
        *self = NULL;
    }
}

/* The slot that holds `address`, or the empty one where it belongs. */
static inline size_t
probe(const nbp_heapgraph *self, uintptr_t address)
{
    size_t slot = slot_of(self, address);
    for (;;) {
        nbp_node node = self->table[slot];
        if (node == NBP_NO_NODE || self->addresses[node] == address) {
            return slot;
        }
        slot = (slot + 1) & self->mask;
    }
}

static void
fill_table(nbp_heapgraph *self)
{
    enum { AHEAD = 16 };
    memset(self->table, 0xFF, (self->mask + 1) * sizeof(*self->table));
    for (size_t node = 0; node < self->count; node++) {
        if (node + AHEAD < self->count) {
            __builtin_prefetch(
                &self->table[slot_of(self, self->addresses[node + AHEAD])]);
        }
        size_t slot = slot_of(self, self->addresses[node]);
        while (self->table[slot] != NBP_NO_NODE) {
            slot = (slot + 1) & self->mask;
        }
        self->table[slot] = (nbp_node)node;
    }
}

static nbp_status
grow_nodes(nbp_heapgraph *self)
{
    size_t capacity = self->capacity + self->capacity / 2;
    uintptr_t *addresses =
        realloc(self->addresses, capacity * sizeof(*self->addresses));
    if (addresses == NULL) {
        return NBP_NO_MEMORY;
    }
    self->addresses = addresses;
    uint32_t *starts = realloc(self->starts, (capacity + 1) * sizeof(*self->starts));
    if (starts == NULL) {
        return NBP_NO_MEMORY;
    }
    self->starts = starts;
    size_t mask = mask_for(capacity);
    if (mask > self->mask) {
        nbp_node *table = malloc((mask + 1) * sizeof(*table));
        if (table == NULL) {
            return NBP_NO_MEMORY;
        }
        free(self->table);
        self->table = table;
        self->mask = mask;
        fill_table(self);
    }
    self->capacity = capacity;
    return NBP_OK;
}

nbp_status
nbp_heapgraph_append(nbp_heapgraph *self, uintptr_t address)
{
    if (self->count >= NBP_NO_NODE - 1) {
        return NBP_INVALID;
    }
    if (self->count == self->capacity) {
        size_t capacity = 2 * self->capacity;
        uintptr_t *addresses =
            realloc(self->addresses, capacity * sizeof(*self->addresses));
        if (addresses == NULL) {
            return NBP_NO_MEMORY;
        }
        self->addresses = addresses;
        self->capacity = capacity;
    }
    self->addresses[self->count++] = address;
    return NBP_OK;
}

nbp_status
nbp_heapgraph_hash(nbp_heapgraph *self)
{
    /* Strings, numbers and the like come to some more. The capacity is what the table
     * has room for, not what the array grew to. */
    size_t capacity = self->count + self->count / 4 + FIRST_NODES;
    uintptr_t *addresses =
        realloc(self->addresses, capacity * sizeof(*self->addresses));
    if (addresses == NULL) {
        return NBP_NO_MEMORY;
    }
    self->addresses = addresses;
    self->capacity = capacity;
    size_t mask = mask_for(capacity);
    nbp_node *table = malloc((mask + 1) * sizeof(*table));
    uint32_t *starts = malloc((self->capacity + 1) * sizeof(*starts));
    if (table == NULL || starts == NULL) {
        free(table);
        free(starts);
        return NBP_NO_MEMORY;
    }
    free(self->table);
    free(self->starts);
    self->table = table;
    self->starts = starts;
    self->mask = mask;
    fill_table(self);
    return NBP_OK;
}

nbp_status
nbp_heapgraph_add(nbp_heapgraph *self, uintptr_t address, nbp_node *node)
{
    size_t slot = probe(self, address);
    if (self->table[slot] != NBP_NO_NODE) {
        *node = self->table[slot];
        return NBP_OK;
    }
    if (self->count >= NBP_NO_NODE - 1 || self->sources != NULL) {
        return NBP_INVALID;
    }
    if (self->count == self->capacity) {
        nbp_status status = grow_nodes(self);
        if (status != NBP_OK) {
            return status;
        }
        slot = probe(self, address);
    }
    self->addresses[self->count] = address;
    *node = self->table[slot] = (nbp_node)self->count++;
    return NBP_OK;
}

void
nbp_heapgraph_prefetch_place(const nbp_heapgraph *self, uintptr_t address)
{
    __builtin_prefetch(&self->table[slot_of(self, address)]);
}

void
nbp_heapgraph_prefetch_found(const nbp_heapgraph *self, uintptr_t address)
{
    nbp_node node = self->table[slot_of(self, address)];
    if (node != NBP_NO_NODE) {
        __builtin_prefetch(&self->addresses[node]);
    }
}

/* Turns the addresses that wait into edges, and meets the new ones. */
static nbp_status
resolve(nbp_heapgraph *self)
{
    size_t done = self->edges - self->waiting;
    if (self->edges >= UINT32_MAX) {
        return NBP_INVALID;
    }
    if (self->edges > self->edge_capacity) {
        size_t capacity = self->edge_capacity + self->edge_capacity / 2 + BATCH;
        nbp_node *targets = realloc(self->targets, capacity * sizeof(*targets));
        if (targets == NULL) {
            return NBP_NO_MEMORY;
        }
        self->targets = targets;
        self->edge_capacity = capacity;
    }
    for (size_t i = 0; i < self->waiting; i++) {
        nbp_heapgraph_prefetch_place(self, self->batch[i]);
    }
    for (size_t i = 0; i < self->waiting; i++) {
        nbp_heapgraph_prefetch_found(self, self->batch[i]);
    }
    for (size_t i = 0; i < self->waiting; i++) {
        nbp_status status =
            nbp_heapgraph_add(self, self->batch[i], &self->targets[done + i]);
        if (status != NBP_OK) {
            return status;
        }
    }
    self->waiting = 0;
    return NBP_OK;
}

void
nbp_heapgraph_point(nbp_heapgraph *self, uintptr_t address)
{
    assert(self->opened > 0 && self->sources == NULL);
    if (self->failed != NBP_OK) {
        return;
    }
    if (self->waiting == BATCH) {
        self->failed = resolve(self);
        if (self->failed != NBP_OK) {
            return;
        }
    }
    self->batch[self->waiting++] = address;
    self->edges++;
}

int
nbp_heapgraph_next(nbp_heapgraph *self, nbp_node *node)
{
    assert(self->sources == NULL);
    if (self->failed == NBP_OK && self->opened == self->count && self->waiting > 0) {
        self->failed = resolve(self);
    }
    if (self->failed != NBP_OK) {
        return (int)self->failed;
    }
    if (self->opened == self->count) {
        return 0;
    }
    self->starts[self->opened] = (uint32_t)self->edges;
    *node = (nbp_node)self->opened++;
    return 1;
}

/* Makes the rows of what points to each node. */
static nbp_status
turn_round(nbp_heapgraph *self)
{
    uint32_t *starts = calloc(self->count + 2, sizeof(*starts));
    nbp_node *sources = malloc((self->edges + 1) * sizeof(*sources));
    if (starts == NULL || sources == NULL) {
        free(starts);
        free(sources);
        return NBP_NO_MEMORY;
    }
    /* A counting sort. Counts are kept two places ahead, so that filling the rows
     * leaves each entry at the beginning of its own row. */
    for (size_t edge = 0; edge < self->edges; edge++) {
        if (edge + FAR < self->edges) {
            __builtin_prefetch(&starts[self->targets[edge + FAR] + 2], 1);
        }
        starts[self->targets[edge] + 2]++;
    }
    for (size_t node = 2; node < self->count + 2; node++) {
        starts[node] += starts[node - 1];
    }
    for (size_t node = 0; node < self->count; node++) {
        for (size_t edge = self->starts[node]; edge < self->starts[node + 1]; edge++) {
            if (edge + FAR < self->edges) {
                __builtin_prefetch(&starts[self->targets[edge + FAR] + 1], 1);
            }
            sources[starts[self->targets[edge] + 1]++] = (nbp_node)node;
        }
    }
    self->sources = sources;
    self->source_starts = starts;
    return NBP_OK;
}

nbp_status
nbp_heapgraph_finish(nbp_heapgraph *self)
{
    if (self->failed != NBP_OK || self->waiting > 0 || self->opened < self->count) {
        return NBP_INVALID;
    }
    self->starts[self->count] = (uint32_t)self->edges;
    return turn_round(self);
}

nbp_heapgraph_columns
nbp_heapgraph_borrow(const nbp_heapgraph *self)
{
    return (nbp_heapgraph_columns){self->addresses, self->starts, self->targets};
}

nbp_heapgraph *
nbp_heapgraph_copy(nbp_heapgraph_columns columns, size_t nodes)
{
    nbp_heapgraph *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return NULL;
    }
    self->count = self->capacity = self->opened = nodes;
    self->edges = self->edge_capacity = columns.starts[nodes];
    self->mask = mask_for(nodes);
    self->addresses = malloc((nodes + 1) * sizeof(*self->addresses));
    self->starts = malloc((nodes + 1) * sizeof(*self->starts));
    self->targets = malloc((self->edges + 1) * sizeof(*self->targets));
    self->table = malloc((self->mask + 1) * sizeof(*self->table));
    if (self->addresses == NULL || self->starts == NULL || self->targets == NULL ||
        self->table == NULL) {
        nbp_heapgraph_destroy(&self);
        return NULL;
    }
    memcpy(self->addresses, columns.addresses, nodes * sizeof(*self->addresses));
    memcpy(self->starts, columns.starts, (nodes + 1) * sizeof(*self->starts));
    memcpy(self->targets, columns.targets, self->edges * sizeof(*self->targets));
    fill_table(self);
    if (turn_round(self) != NBP_OK) {
        nbp_heapgraph_destroy(&self);
    }
    return self;
}

size_t
nbp_heapgraph_nodes(const nbp_heapgraph *self)
{
    return self->count;
}

size_t
nbp_heapgraph_edges(const nbp_heapgraph *self)
{
    return self->edges;
}

uintptr_t
nbp_heapgraph_address(const nbp_heapgraph *self, nbp_node node)
{
    assert(node < self->count);
    return self->addresses[node];
}

nbp_node
nbp_heapgraph_find(const nbp_heapgraph *self, uintptr_t address)
{
    return self->table[probe(self, address)];
}

size_t
nbp_heapgraph_first_edge(const nbp_heapgraph *self, nbp_node node)
{
    assert(node <= self->count);
    return self->starts[node];
}

nbp_row
nbp_heapgraph_targets(const nbp_heapgraph *self, nbp_node node)
{
    assert(self->sources != NULL && node < self->count);
    size_t start = self->starts[node];
    return (nbp_row){self->targets + start, self->starts[node + 1] - start};
}

nbp_row
nbp_heapgraph_sources(const nbp_heapgraph *self, nbp_node node)
{
    assert(self->sources != NULL && node < self->count);
    size_t start = self->source_starts[node];
    return (nbp_row){self->sources + start, self->source_starts[node + 1] - start};
}

void
nbp_heapgraph_prefetch_start(const nbp_heapgraph *self, nbp_node node)
{
    __builtin_prefetch(&self->source_starts[node]);
}

void
nbp_heapgraph_prefetch_row(const nbp_heapgraph *self, nbp_node node)
{
    __builtin_prefetch(&self->sources[self->source_starts[node]]);
}

nbp_status
nbp_heapgraph_grow_tree(const nbp_heapgraph *self, const nbp_node *starts, size_t count,
                        nbp_node barrier, nbp_node *parents)
{
    nbp_node *queue = malloc((self->count + 1) * sizeof(*queue)); /* owned */
    if (queue == NULL) {
        return NBP_NO_MEMORY;
    }
    size_t first = 0, last = 0;
    for (size_t i = 0; i < count; i++) {
        if (parents[starts[i]] == NBP_NO_NODE) {
            parents[starts[i]] = starts[i];
            queue[last++] = starts[i];
        }
    }
    while (first < last) {
        nbp_node node = queue[first++];
        if (node == barrier) {
            continue;
        }
        nbp_row row = nbp_heapgraph_targets(self, node);
        for (size_t i = 0; i < row.count; i++) {
            if (parents[row.nodes[i]] == NBP_NO_NODE) {
                parents[row.nodes[i]] = node;
                queue[last++] = row.nodes[i];
            }
        }
    }
    free(queue);
    return NBP_OK;
}

size_t
nbp_heapgraph_bytes(const nbp_heapgraph *self)
{
    size_t bytes = sizeof(*self);
    bytes += self->capacity * sizeof(*self->addresses);
    bytes += (self->capacity + 1) * sizeof(*self->starts);
    bytes += (self->mask + 1) * sizeof(*self->table);
    bytes += self->edge_capacity * sizeof(*self->targets);
    if (self->sources != NULL) {
        bytes += (self->count + 2) * sizeof(*self->source_starts);
        bytes += (self->edges + 1) * sizeof(*self->sources);
    }
    return bytes;
}
