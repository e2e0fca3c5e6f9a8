/* SPDX-License-Identifier: BSD-3-Clause */
#include "spans.h"

#include <stdlib.h>

nbp_status
nbp_spans_add(nbp_spans *self, nbp_span span)
{
    if (self->count == self->capacity) {
        size_t capacity = 2 * self->capacity + 64;
        nbp_span *items = realloc(self->items, capacity * sizeof(*items));
        if (items == NULL) {
            return NBP_NO_MEMORY;
        }
        self->items = items;
        self->capacity = capacity;
    }
    self->items[self->count++] = span;
    return NBP_OK;
}

/* The first of `pieces` that ends behind `address`. */
static size_t
first_behind(const nbp_spans *pieces, uintptr_t address)
{
    size_t low = 0, high = pieces->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (pieces->items[middle].end <= address) {
            low = middle + 1;
        }
        else {
            high = middle;
        }
    }
    return low;
}

uint64_t
nbp_spans_shared(const nbp_spans *self, const nbp_spans *pieces)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < self->count; i++) {
        nbp_span span = self->items[i];
        size_t at = first_behind(pieces, span.start);
        for (; at < pieces->count && pieces->items[at].start < span.end; at++) {
            nbp_span piece = pieces->items[at];
            uintptr_t start = piece.start > span.start ? piece.start : span.start;
            bytes += (piece.end < span.end ? piece.end : span.end) - start;
        }
    }
    return bytes;
}

void
nbp_spans_clear(nbp_spans *self)
{
    free(self->items);
    *self = (nbp_spans){0};
}
