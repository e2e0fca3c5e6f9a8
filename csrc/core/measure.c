/* SPDX-License-Identifier: BSD-3-Clause */
#include "measure.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "alloctable_internal.h"

enum { FEWEST_COSTS = 256 };

/* --- Open and close ----------------------------------------------------------------
 */

/* How many of the open measurements are not younger than `epoch`. */
static uint16_t
rank(void *arg, uint16_t epoch)
{
    const nbp_alloctable_t *self = arg;
    uint16_t older = 0;
    for (const nbp_measure *m = self->open; m != NULL; m = m->next) {
        older += m->epoch <= epoch;
    }
    return older;
}

/* Epochs have run out: numbers them anew, with the same order. The chain of the open
 * measurements begins with the youngest. */
static void
renumber(nbp_alloctable_t *self)
{
    uint16_t count = rank(self, UINT16_MAX);
    nbp_blocks_renumber(&self->blocks, rank, self);
    nbp_regions_renumber(&self->regions, rank, self);
    self->epoch = count;
    for (nbp_measure *m = self->open; m != NULL; m = m->next) {
        m->epoch = count--;
    }
}

nbp_status
nbp_alloctable_open(nbp_alloctable_t *self, nbp_measure *measure, bool by_site)
{
    nbp_sites *fresh = by_site ? nbp_sites_new() : NULL;
    nbp_site_cost *costs = by_site ? calloc(FEWEST_COSTS, sizeof(*costs)) : NULL;
    nbp_status status = NBP_OK;
    nbp_alloctable_lock(self);
    if (measure->open) {
        status = NBP_INVALID;
    }
    else if (by_site && (fresh == NULL || costs == NULL)) {
        status = NBP_NO_MEMORY;
    }
    else {
        assert(measure->sites == NULL && measure->costs == NULL);
        if (self->epoch == UINT16_MAX) {
            renumber(self);
        }
        *measure = (nbp_measure){
            .next = self->open,
            .epoch = ++self->epoch,
            .open = true,
        };
        self->open = measure;
    }
    if (status == NBP_OK && by_site) {
        size_t before = nbp_alloctable_own_bytes(self);
        nbp_alloctable_is_resizing(self);
        if (self->sites == NULL) {
            self->sites = fresh;
            fresh = NULL;
            self->sites_bytes += nbp_sites_own_bytes(self->sites);
        }
        else {
            nbp_sites_share(self->sites);
        }
        measure->sites = self->sites;
        measure->costs = costs;
        measure->n_costs = FEWEST_COSTS;
        self->costs_bytes += FEWEST_COSTS * sizeof(*costs);
        costs = NULL;
        nbp_alloctable_was_resized(self, before);
    }
    nbp_alloctable_unlock(self);
    nbp_sites_destroy(&fresh);
    free(costs);
    return status;
}

void
nbp_alloctable_close(nbp_alloctable_t *self, nbp_measure *measure)
{
    nbp_alloctable_lock(self);
    if (!measure->open) {
        nbp_alloctable_unlock(self);
        return;
    }
    nbp_measure **place = &self->open;
    while (*place != measure) {
        place = &(*place)->next;
    }
    *place = measure->next;
    measure->next = NULL;
    measure->open = false;
    bool any_by_site = false;
    for (nbp_measure *m = self->open; m != NULL; m = m->next) {
        any_by_site |= m->sites != NULL;
    }
    if (!any_by_site) {
        self->sites = NULL;
    }
    if (self->open == NULL) {
        size_t before = nbp_alloctable_own_bytes(self);
        nbp_alloctable_is_resizing(self);
        nbp_blocks_clear(&self->blocks);
        nbp_regions_clear(&self->regions);
        nbp_alloctable_was_resized(self, before);
    }
    nbp_alloctable_unlock(self);
}

nbp_sites *
nbp_alloctable_release(nbp_alloctable_t *self, nbp_measure *measure)
{
    nbp_sites *last = NULL;
    nbp_alloctable_lock(self);
    assert(!measure->open);
    size_t before = nbp_alloctable_own_bytes(self);
    nbp_alloctable_is_resizing(self);
    if (measure->sites != NULL && nbp_sites_leave(measure->sites)) {
        last = measure->sites;
        self->sites_bytes -= nbp_sites_own_bytes(last);
    }
    self->costs_bytes -= measure->n_costs * sizeof(*measure->costs);
    free(measure->costs);
    measure->costs = NULL;
    measure->n_costs = 0;
    measure->sites = NULL;
    nbp_alloctable_was_resized(self, before);
    nbp_alloctable_unlock(self);
    return last;
}

/* --- Reading -----------------------------------------------------------------------
 */

nbp_alloc_totals
nbp_alloctable_totals(nbp_alloctable_t *self, const nbp_measure *measure)
{
    nbp_alloctable_lock(self);
    nbp_alloc_totals totals = measure->totals;
    nbp_alloctable_unlock(self);
    return totals;
}

void
nbp_alloctable_reset_peak(nbp_alloctable_t *self, nbp_measure *measure)
{
    nbp_alloctable_lock(self);
    measure->totals.peak_bytes = measure->totals.current_bytes;
    measure->totals.peak_blocks = measure->totals.current_blocks;
    measure->peak_number++;
    nbp_alloctable_unlock(self);
}

nbp_site_cost *
nbp_alloctable_costs(nbp_alloctable_t *self, nbp_measure *measure, uint32_t *count)
{
    nbp_site_cost *costs = NULL;
    *count = 0;
    nbp_alloctable_lock(self);
    if (measure->sites != NULL) {
        uint32_t n_sites = nbp_sites_count(measure->sites);
        uint32_t known = n_sites < measure->n_costs ? n_sites : measure->n_costs;
        costs = malloc(known * sizeof(*costs));
        if (costs != NULL) {
            for (uint32_t i = 0; i < known; i++) {
                nbp_measure_settle(measure, &measure->costs[i]);
            }
            memcpy(costs, measure->costs, known * sizeof(*costs));
            *count = known;
        }
    }
    nbp_alloctable_unlock(self);
    return costs;
}

bool
nbp_alloctable_frames(nbp_alloctable_t *self, const nbp_measure *measure, uint32_t site,
                      nbp_site_frame *frames, uint32_t *count)
{
    bool native;
    nbp_alloctable_lock(self);
    bool known = measure->sites != NULL && site < nbp_sites_count(measure->sites);
    if (known) {
        const nbp_site_frame *there =
            nbp_sites_frames(measure->sites, site, count, &native);
        if (*count > 0) {
            memcpy(frames, there, *count * sizeof(*frames));
        }
    }
    nbp_alloctable_unlock(self);
    return known;
}

/* Where alive blocks are copied to. */
typedef struct {
    nbp_alive_block *blocks;
    size_t count;
    uint16_t epoch;
} copying;

static void
copy_alive(void *arg, const void *address, nbp_block block)
{
    copying *copy = arg;
    if (block.epoch >= copy->epoch) {
        copy->blocks[copy->count++] =
            (nbp_alive_block){address, block.bytes, block.site};
    }
}

nbp_alive_block *
nbp_alloctable_alive(nbp_alloctable_t *self, const nbp_measure *measure, size_t *count)
{
    copying copy = {.epoch = measure->epoch};
    nbp_alloctable_lock(self);
    size_t room = nbp_blocks_count(&self->blocks);
    copy.blocks = room == 0 ? NULL : malloc(room * sizeof(*copy.blocks));
    if (copy.blocks != NULL) {
        nbp_blocks_each(&self->blocks, copy_alive, &copy);
    }
    nbp_alloctable_unlock(self);
    *count = copy.count;
    return copy.blocks;
}

bool
nbp_alloctable_find(nbp_alloctable_t *self, const nbp_measure *measure,
                    const void *address, nbp_alive_block *found)
{
    nbp_block block;
    bool is_ours = false;
    nbp_alloctable_lock(self);
    if (nbp_blocks_take(&self->blocks, address, &block)) {
        (void)nbp_blocks_put(&self->blocks, address, block); /* there is its place */
        is_ours = block.epoch >= measure->epoch;
        *found = (nbp_alive_block){address, block.bytes, block.site};
    }
    nbp_alloctable_unlock(self);
    return is_ours;
}
