/* SPDX-License-Identifier: BSD-3-Clause */
#include "alloctable.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "alloctable_internal.h"

enum { SPINS = 100 /* before the processor is given to whoever holds the lock */ };

void
nbp_alloctable_lock(nbp_alloctable_t *self)
{
    int spins = 0;
    while (atomic_exchange_explicit(&self->locked, true, memory_order_acquire)) {
        while (atomic_load_explicit(&self->locked, memory_order_relaxed)) {
            if (++spins > SPINS) {
                sched_yield();
            }
        }
    }
}

void
nbp_alloctable_unlock(nbp_alloctable_t *self)
{
    atomic_store_explicit(&self->locked, false, memory_order_release);
}

nbp_alloctable_t *
nbp_alloctable_new(void (*resizing)(void *arg, int64_t more), void *arg)
{
    nbp_alloctable_t *self = calloc(1, sizeof(*self));
    if (self != NULL) {
        self->resizing = resizing;
        self->arg = arg;
    }
    return self;
}

void
nbp_alloctable_destroy(nbp_alloctable_t **self_p)
{
    nbp_alloctable_t *self = *self_p;
    if (self == NULL) {
        return;
    }
    nbp_blocks_clear(&self->blocks);
    nbp_regions_clear(&self->regions);
    free(self);
    *self_p = NULL;
}

size_t
nbp_alloctable_own_bytes(const nbp_alloctable_t *self)
{
    return self->blocks.own_bytes + self->costs_bytes + self->sites_bytes;
}

/* --- What happens to blocks --------------------------------------------------------
 */

/* The cost of `site`, made room for; NULL without memory. */
static nbp_site_cost *
cost_of(nbp_alloctable_t *self, nbp_measure *m, uint32_t site)
{
    if (site < m->n_costs) {
        return &m->costs[site];
    }
    uint32_t count = m->n_costs;
    while (count <= site) {
        count *= 2;
    }
    size_t before = nbp_alloctable_own_bytes(self);
    nbp_alloctable_is_resizing(self);
    nbp_site_cost *costs = realloc(m->costs, count * sizeof(*costs));
    if (costs != NULL) {
        memset(costs + m->n_costs, 0, (count - m->n_costs) * sizeof(*costs));
        self->costs_bytes += (count - m->n_costs) * sizeof(*costs);
        m->costs = costs;
        m->n_costs = count;
    }
    else {
        m->incomplete = true;
    }
    nbp_alloctable_was_resized(self, before);
    return costs == NULL ? NULL : &m->costs[site];
}

static inline void
count_allocated(nbp_alloctable_t *self, uint64_t bytes, uint32_t site, bool native)
{
    for (nbp_measure *m = self->open; m != NULL; m = m->next) {
        nbp_alloc_totals *totals = &m->totals;
        totals->allocated_bytes += bytes;
        totals->allocated_blocks++;
        totals->current_bytes += bytes;
        totals->current_blocks++;
        if (native) {
            totals->native_bytes += bytes;
            totals->native_blocks++;
        }
        nbp_site_cost *cost = m->sites == NULL ? NULL : cost_of(self, m, site);
        if (cost != NULL) {
            nbp_measure_settle(m, cost);
            cost->allocated_bytes += bytes;
            cost->allocated_blocks++;
            cost->alive_bytes += bytes;
            cost->alive_blocks++;
        }
        if (totals->current_bytes > totals->peak_bytes) {
            totals->peak_bytes = totals->current_bytes;
            totals->peak_blocks = totals->current_blocks;
            m->peak_number++;
        }
    }
}

/* `bytes` of a block are gone, and with `whole` the block too. */
static inline void
count_freed(nbp_alloctable_t *self, const nbp_block *block, uint64_t bytes, bool whole,
            bool temporary)
{
    for (nbp_measure *m = self->open; m != NULL; m = m->next) {
        /* The second, when the ages were numbered anew while a thread held the block.
         */
        if (m->epoch > block->epoch || m->totals.current_bytes < bytes) {
            continue;
        }
        m->totals.freed_bytes += bytes;
        m->totals.freed_blocks += whole;
        m->totals.current_bytes -= bytes;
        m->totals.current_blocks -= whole;
        if (m->sites != NULL && block->site < m->n_costs) {
            nbp_site_cost *cost = &m->costs[block->site];
            nbp_measure_settle(m, cost);
            cost->alive_bytes -= bytes;
            cost->alive_blocks -= whole;
            if (temporary) {
                cost->temporary_bytes += bytes;
                cost->temporary_blocks += whole;
            }
        }
    }
}

static void
miss(nbp_alloctable_t *self)
{
    for (nbp_measure *m = self->open; m != NULL; m = m->next) {
        m->incomplete = true;
    }
}

static bool
make_room(nbp_alloctable_t *self, const void *address, nbp_block block)
{
    size_t before = nbp_alloctable_own_bytes(self);
    nbp_alloctable_is_resizing(self);
    bool grown = nbp_blocks_grow(&self->blocks, address, block);
    nbp_alloctable_was_resized(self, before);
    return grown;
}

/* What is known at this address was freed unseen. */
static void
drop_unseen(nbp_alloctable_t *self, const void *address)
{
    nbp_block unseen;
    if (nbp_blocks_take(&self->blocks, address, &unseen)) {
        count_freed(self, &unseen, unseen.bytes, true, false);
    }
}

static __attribute__((noinline)) bool
put_with_effort(nbp_alloctable_t *self, const void *address, nbp_block block)
{
    for (;;) {
        switch (nbp_blocks_put(&self->blocks, address, block)) {
        case NBP_BLOCKS_IN:
            return true;
        case NBP_BLOCKS_TWICE:
            drop_unseen(self, address);
            break;
        case NBP_BLOCKS_FULL:
            if (!make_room(self, address, block)) {
                miss(self);
                return false;
            }
            break;
        }
    }
}

/* Puts a block in, in the place of one that was freed unseen. */
static inline bool
put(nbp_alloctable_t *self, const void *address, nbp_block block)
{
    return nbp_blocks_put(&self->blocks, address, block) == NBP_BLOCKS_IN ||
           put_with_effort(self, address, block);
}

/* The number of the place; `*is_new` as for add(). */
static inline uint32_t
site_of(nbp_alloctable_t *self, const nbp_stack *stack, bool *is_new)
{
    *is_new = false;
    if (stack == NULL || self->sites == NULL) {
        return 0;
    }
    if (!nbp_sites_is_full(self->sites, stack->count)) {
        return nbp_sites_number(self->sites, stack, is_new);
    }
    size_t before = nbp_alloctable_own_bytes(self);
    self->sites_bytes -= nbp_sites_own_bytes(self->sites);
    nbp_alloctable_is_resizing(self);
    uint32_t site = nbp_sites_number(self->sites, stack, is_new);
    self->sites_bytes += nbp_sites_own_bytes(self->sites);
    nbp_alloctable_was_resized(self, before);
    return site;
}

static inline bool
add(nbp_alloctable_t *self, const void *address, size_t bytes, const nbp_stack *stack,
    bool native)
{
    bool is_new;
    nbp_block block = {
        .bytes = bytes,
        .site = site_of(self, stack, &is_new),
        .epoch = self->epoch,
    };
    if (put(self, address, block)) {
        count_allocated(self, bytes, block.site, native);
    }
    return is_new;
}

bool
nbp_alloctable_add(nbp_alloctable_t *self, const void *address, size_t bytes,
                   const nbp_stack *stack, bool native)
{
    bool is_new = false;
    nbp_alloctable_lock(self);
    if (self->open != NULL) {
        is_new = add(self, address, bytes, stack, native);
    }
    nbp_alloctable_unlock(self);
    return is_new;
}

bool
nbp_alloctable_remove(nbp_alloctable_t *self, const void *address, bool temporary,
                      nbp_block *was)
{
    nbp_alloctable_lock(self);
    bool known = nbp_blocks_take(&self->blocks, address, was);
    if (known) {
        count_freed(self, was, was->bytes, true, temporary);
    }
    nbp_alloctable_unlock(self);
    return known;
}

bool
nbp_alloctable_hold(nbp_alloctable_t *self, const void *address, nbp_block *was)
{
    nbp_alloctable_lock(self);
    bool known = nbp_blocks_take(&self->blocks, address, was);
    nbp_alloctable_unlock(self);
    return known;
}

bool
nbp_alloctable_moved(nbp_alloctable_t *self, const nbp_block *was, const void *address,
                     size_t bytes, const nbp_stack *stack, bool native)
{
    bool is_new = false;
    nbp_alloctable_lock(self);
    if (self->open != NULL) {
        if (was != NULL) {
            count_freed(self, was, was->bytes, true, false);
        }
        if (address != NULL) {
            is_new = add(self, address, bytes, stack, native);
        }
    }
    nbp_alloctable_unlock(self);
    return is_new;
}

void
nbp_alloctable_kept(nbp_alloctable_t *self, const nbp_block *was, const void *address)
{
    nbp_alloctable_lock(self);
    if (self->open != NULL) {
        (void)put(self, address, *was);
    }
    nbp_alloctable_unlock(self);
}

/* --- Pages -------------------------------------------------------------------------
 */

/* Who unmaps, and how much that is. */
typedef struct {
    nbp_alloctable_t *table;
    uint64_t bytes;
} unmapping;

static void
part_is_gone(void *arg, const nbp_region *region, size_t bytes, bool whole)
{
    unmapping *work = arg;
    nbp_block block = {.site = region->site, .epoch = region->epoch};
    count_freed(work->table, &block, bytes, whole, false);
    work->bytes += bytes;
}

static uint64_t
unmap(nbp_alloctable_t *self, uintptr_t start, uintptr_t end)
{
    unmapping work = {.table = self};
    if (!nbp_regions_remove(&self->regions, start, end, part_is_gone, &work)) {
        miss(self);
    }
    return work.bytes;
}

bool
nbp_alloctable_map(nbp_alloctable_t *self, const void *address, size_t bytes,
                   const nbp_stack *stack)
{
    bool is_new = false;
    nbp_alloctable_lock(self);
    if (self->open != NULL) {
        nbp_region region = {
            .start = (uintptr_t)address,
            .end = (uintptr_t)address + bytes,
            .site = site_of(self, stack, &is_new),
            .epoch = self->epoch,
        };
        /* A mapping takes the place of those that were there. */
        (void)unmap(self, region.start, region.end);
        if (nbp_regions_add(&self->regions, region)) {
            count_allocated(self, bytes, region.site, true);
        }
        else {
            miss(self);
        }
    }
    nbp_alloctable_unlock(self);
    return is_new;
}

uint64_t
nbp_alloctable_unmap(nbp_alloctable_t *self, const void *address, size_t bytes)
{
    nbp_alloctable_lock(self);
    uint64_t gone = unmap(self, (uintptr_t)address, (uintptr_t)address + bytes);
    nbp_alloctable_unlock(self);
    return gone;
}
