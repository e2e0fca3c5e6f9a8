/* SPDX-License-Identifier: BSD-3-Clause */
/* What alloctable.c (the blocks) and measure.c (what is said about them) share. */
#ifndef NBP_ALLOCTABLE_INTERNAL_H
#define NBP_ALLOCTABLE_INTERNAL_H

#include <stdatomic.h>

#include "alloctable.h"
#include "regions.h"

struct nbp_alloctable {
    atomic_bool locked;
    void (*resizing)(void *arg, int64_t more);
    void *arg;
    nbp_measure *open; /* borrowed */
    nbp_sites *sites;  /* borrowed from the open measurements; NULL: none by place */
    nbp_blocks blocks;
    nbp_regions regions;
    /* Of the blocks that are allocated now. It goes on from one measurement to the
     * next: a block that a thread holds while both change must not be taken for a new
     * one. */
    uint16_t epoch;
    size_t costs_bytes; /* of all measurements that are not released */
    size_t sites_bytes;
};

/* Before the tables take more or less memory, and after: `before` is how much it was.
 */
static inline void
nbp_alloctable_is_resizing(nbp_alloctable_t *self)
{
    self->resizing(self->arg, 0);
}

static inline void
nbp_alloctable_was_resized(nbp_alloctable_t *self, size_t before)
{
    self->resizing(self->arg,
                   (int64_t)nbp_alloctable_own_bytes(self) - (int64_t)before);
}

/* Before the cost changes: what it was at the peak, if there was one since it last did.
 */
static inline void
nbp_measure_settle(const nbp_measure *m, nbp_site_cost *cost)
{
    if (cost->peak_number != m->peak_number) {
        cost->peak_number = m->peak_number;
        cost->peak_bytes = cost->alive_bytes;
        cost->peak_blocks = cost->alive_blocks;
    }
}

#endif /* NBP_ALLOCTABLE_INTERNAL_H */
