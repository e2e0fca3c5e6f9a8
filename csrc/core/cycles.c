/* SPDX-License-Identifier: BSD-3-Clause */
#include "cycles.h"

#include <stdlib.h>

#include "heapsets.h"

/* A node whose row is being followed. */
typedef struct {
    nbp_node node;
    uint32_t edge; /* the next one in its row */
} step;

/* All owned. Numbers count from 1 in the order of discovery. */
typedef struct {
    uint32_t *number;
    uint32_t *lowest; /* number that the node leads back to */
    nbp_node *open;   /* found, and in no component yet */
    step *path;
    size_t open_count;
    size_t depth;
    uint32_t found;
} search;

static void
enter(search *self, nbp_node node)
{
    self->number[node] = self->lowest[node] = ++self->found;
    self->open[self->open_count++] = node;
    self->path[self->depth++] = (step){node, 0};
}

static bool
holds_itself(const nbp_heapgraph *graph, nbp_node node)
{
    nbp_row row = nbp_heapgraph_targets(graph, node);
    for (size_t i = 0; i < row.count; i++) {
        if (row.nodes[i] == node) {
            return true;
        }
    }
    return false;
}

/* Takes the component of which `node` was found first from the open nodes. */
static void
close_component(search *self, const nbp_heapgraph *graph, nbp_node node,
                uint32_t *component, uint32_t *count)
{
    bool circle = self->open[self->open_count - 1] != node || holds_itself(graph, node);
    nbp_node member;
    do {
        member = self->open[--self->open_count];
        component[member] = circle ? *count : NBP_NO_NODE;
        self->lowest[member] = UINT32_MAX; /* closed */
    } while (member != node);
    *count += circle;
}

static void
search_from(search *self, const nbp_heapgraph *graph, const uint8_t *mask,
            nbp_node start, uint32_t *component, uint32_t *count)
{
    enter(self, start);
    while (self->depth > 0) {
        step *top = &self->path[self->depth - 1];
        nbp_node node = top->node;
        nbp_row row = nbp_heapgraph_targets(graph, node);
        if (top->edge == row.count) {
            self->depth--;
            uint32_t lowest = self->lowest[node];
            if (lowest == self->number[node]) {
                close_component(self, graph, node, component, count);
            }
            else {
                nbp_node above = self->path[self->depth - 1].node;
                if (lowest < self->lowest[above]) {
                    self->lowest[above] = lowest;
                }
            }
            continue;
        }
        nbp_node target = row.nodes[top->edge++];
        if (!nbp_has(mask, target)) {
            continue;
        }
        if (self->number[target] == 0) {
            enter(self, target);
        }
        else if (self->lowest[target] != UINT32_MAX &&
                 self->number[target] < self->lowest[node]) {
            self->lowest[node] = self->number[target];
        }
    }
}

nbp_status
nbp_cycles_find(const nbp_heapgraph *graph, const uint8_t *mask, uint32_t *component,
                uint32_t *count)
{
    size_t nodes = nbp_heapgraph_nodes(graph);
    search self = {
        .number = calloc(nodes + 1, sizeof(*self.number)),
        .lowest = malloc((nodes + 1) * sizeof(*self.lowest)),
        .open = malloc((nodes + 1) * sizeof(*self.open)),
        .path = malloc((nodes + 1) * sizeof(*self.path)),
    };
    bool ready = self.number != NULL && self.lowest != NULL && self.open != NULL &&
                 self.path != NULL;
    *count = 0;
    for (size_t node = 0; ready && node < nodes; node++) {
        if (!nbp_has(mask, (nbp_node)node)) {
            component[node] = NBP_NO_NODE;
        }
        else if (self.number[node] == 0) {
            search_from(&self, graph, mask, (nbp_node)node, component, count);
        }
    }
    free(self.number);
    free(self.lowest);
    free(self.open);
    free(self.path);
    return ready ? NBP_OK : NBP_NO_MEMORY;
}
