/* SPDX-License-Identifier: BSD-3-Clause */
/* Sizes in bytes, one a node, in four bytes each: the few that do not fit stand in a
 * list of their own. Not thread-safe. */
#ifndef NBP_SIZES_H
#define NBP_SIZES_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "status.h"

#define NBP_LARGE UINT32_MAX

typedef struct {
    uint64_t bytes;
    uint32_t node;
    uint32_t zero; /* fills the entry up: it is written to files */
} nbp_large_size;

/* All zero is an empty column. */
typedef struct {
    uint32_t *small; /* owned; NBP_LARGE: see `large` */
    size_t capacity;
    nbp_large_size *large; /* owned; by node, ascending */
    size_t large_count;
    size_t large_capacity;
} nbp_sizes;

static inline void
nbp_sizes_clear(nbp_sizes *self)
{
    free(self->small);
    free(self->large);
    *self = (nbp_sizes){0};
}

/* Room for `count` nodes. */
static inline nbp_status
nbp_sizes_reserve(nbp_sizes *self, size_t count)
{
    if (count > self->capacity) {
        size_t capacity = count + count / 2;
        uint32_t *small = (uint32_t *)realloc(self->small, capacity * sizeof(*small));
        if (small == NULL) {
            return NBP_NO_MEMORY;
        }
        self->small = small;
        self->capacity = capacity;
    }
    return NBP_OK;
}

/* Sets the size of `node`, for which there is room; nodes come in ascending order. */
static inline nbp_status
nbp_sizes_set(nbp_sizes *self, uint32_t node, uint64_t bytes)
{
    if (bytes < NBP_LARGE) {
        self->small[node] = (uint32_t)bytes;
        return NBP_OK;
    }
    if (self->large_count == self->large_capacity) {
        size_t capacity = self->large_capacity * 2 + 16;
        nbp_large_size *large =
            (nbp_large_size *)realloc(self->large, capacity * sizeof(*large));
        if (large == NULL) {
            return NBP_NO_MEMORY;
        }
        self->large = large;
        self->large_capacity = capacity;
    }
    self->small[node] = NBP_LARGE;
    self->large[self->large_count++] = (nbp_large_size){bytes, node, 0};
    return NBP_OK;
}

static inline uint64_t
nbp_sizes_get(const nbp_sizes *self, uint32_t node)
{
    if (self->small[node] != NBP_LARGE) {
        return self->small[node];
    }
    size_t low = 0, high = self->large_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (self->large[middle].node < node) {
            low = middle + 1;
        }
        else {
            high = middle;
        }
    }
    return low < self->large_count && self->large[low].node == node
               ? self->large[low].bytes
               : NBP_LARGE;
}

#endif /* NBP_SIZES_H */
