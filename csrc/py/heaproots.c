/* SPDX-License-Identifier: BSD-3-Clause */
#include "heaproots.h"

typedef struct {
    nbp_heapimage *image; /* borrowed */
    uint32_t *counts;     /* borrowed */
    size_t capacity;      /* of the image's list */
    nbp_status status;
} discount;

static int
discount_one(PyObject *op, void *arg)
{
    discount *it = arg;
    nbp_heapimage *image = it->image;
    nbp_node node = nbp_heapgraph_find(image->graph, (uintptr_t)op);
    if (node == NBP_NO_NODE || it->counts[node] == NBP_IMMORTAL ||
        it->counts[node] == 0) {
        return 0;
    }
    it->counts[node]--;
    if (image->concealed_count == it->capacity) {
        size_t capacity = 2 * it->capacity + 64;
        nbp_node *nodes = realloc(image->concealed, capacity * sizeof(*nodes));
        if (nodes == NULL) {
            it->status = NBP_NO_MEMORY;
            return -1;
        }
        image->concealed = nodes;
        it->capacity = capacity;
    }
    image->concealed[image->concealed_count++] = node;
    return 0;
}

/* Makes no root of an object that only we hold, by whatever means. */
static void
hide(PyObject *op, discount *it)
{
    discount_one(op, it);
    nbp_node node = nbp_heapgraph_find(it->image->graph, (uintptr_t)op);
    if (node != NBP_NO_NODE) {
        it->counts[node] = 0;
    }
}

nbp_status
nbp_heap_find_roots(nbp_heap *self, uint32_t *counts, const nbp_lent *lent,
                    nbp_frame *const *concealed, size_t count)
{
    nbp_heapgraph *graph = self->image.graph;
    size_t nodes = nbp_heapgraph_nodes(graph);
    discount it = {&self->image, counts, 0, NBP_OK};
    for (size_t i = 0; i < count; i++) {
        nbp_walk_frame(concealed[i], discount_one, &it);
    }
    if (lent->held != NULL) {
        hide(lent->held, &it);
        hide(lent->call, &it);
    }
    if (it.status != NBP_OK) {
        return it.status;
    }
    self->image.roots = malloc((nodes + 1) * sizeof(*self->image.roots));
    if (self->image.roots == NULL) {
        return NBP_NO_MEMORY;
    }
    for (size_t node = 0; node < nodes; node++) {
        if (counts[node] > nbp_heapgraph_sources(graph, (nbp_node)node).count) {
            self->image.roots[self->image.root_count++] = (nbp_node)node;
        }
    }
    return NBP_OK;
}
