/* SPDX-License-Identifier: BSD-3-Clause */
#include "sites.h"

#include <stdlib.h>
#include <string.h>

#include "blocks.h" /* NBP_SITES_MOST */

enum {
    FEWEST = 256,
};

typedef struct {
    size_t start; /* of its frames in the arena */
    uint32_t hash;
    uint32_t count : 31;
    uint32_t native : 1;
} site;

struct nbp_sites {
    uint32_t owners;
    site *sites; /* owned; the first stands for the unknown place */
    uint32_t count;
    uint32_t capacity;
    nbp_site_frame *frames; /* owned: those of all places, one after the other */
    size_t n_frames;
    size_t frame_capacity;
    uint32_t *table; /* owned; open addressing over the numbers, 0 free */
    uint32_t table_mask;
};

nbp_sites *
nbp_sites_new(void)
{
    nbp_sites *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return NULL;
    }
    self->sites = calloc(FEWEST, sizeof(*self->sites));
    self->frames = calloc(FEWEST, sizeof(*self->frames));
    self->table = calloc(2 * FEWEST, sizeof(*self->table));
    if (self->sites == NULL || self->frames == NULL || self->table == NULL) {
        nbp_sites_destroy(&self);
        return NULL;
    }
    self->owners = 1;
    self->count = 1;
    self->capacity = FEWEST;
    self->frame_capacity = FEWEST;
    self->table_mask = 2 * FEWEST - 1;
    return self;
}

void
nbp_sites_share(nbp_sites *self)
{
    self->owners++;
}

bool
nbp_sites_leave(nbp_sites *self)
{
    return --self->owners == 0;
}

void
nbp_sites_destroy(nbp_sites **self_p)
{
    nbp_sites *self = *self_p;
    if (self == NULL) {
        return;
    }
    free(self->sites);
    free(self->frames);
    free(self->table);
    free(self);
    *self_p = NULL;
}

bool
nbp_sites_is_full(const nbp_sites *self, uint32_t count)
{
    return self->count == self->capacity ||
           self->n_frames + count > self->frame_capacity;
}

/* The comparison goes by fields: a frame has bytes of no meaning. */
static bool
is_same(const nbp_sites *self, uint32_t number, const nbp_stack *stack)
{
    const site *known = &self->sites[number];
    if (known->hash != stack->hash || known->count != stack->count ||
        known->native != stack->native) {
        return false;
    }
    const nbp_site_frame *frames = self->frames + known->start;
    for (uint32_t i = 0; i < stack->count; i++) {
        if (frames[i].code != stack->frames[i].code ||
            frames[i].offset != stack->frames[i].offset) {
            return false;
        }
    }
    return true;
}

/* Room for one more place of `count` frames; false without memory. */
static bool
reserve(nbp_sites *self, uint32_t count)
{
    if (self->n_frames + count > self->frame_capacity) {
        size_t capacity = self->frame_capacity * 2 + count;
        nbp_site_frame *frames = realloc(self->frames, capacity * sizeof(*frames));
        if (frames == NULL) {
            return false;
        }
        self->frames = frames;
        self->frame_capacity = capacity;
    }
    if (self->count < self->capacity) {
        return true;
    }
    if (self->capacity >= NBP_SITES_MOST) {
        return false;
    }
    uint32_t capacity = self->capacity * 2;
    uint32_t table_mask = 2 * capacity - 1;
    uint32_t *table = calloc((size_t)table_mask + 1, sizeof(*table));
    site *sites = realloc(self->sites, capacity * sizeof(*sites));
    if (sites != NULL) {
        self->sites = sites;
    }
    if (table == NULL || sites == NULL) {
        free(table);
        return false;
    }
    for (uint32_t number = 1; number < self->count; number++) {
        uint32_t at = sites[number].hash & table_mask;
        while (table[at] != 0) {
            at = (at + 1) & table_mask;
        }
        table[at] = number;
    }
    free(self->table);
    self->table = table;
    self->table_mask = table_mask;
    self->capacity = capacity;
    return true;
}

uint32_t
nbp_sites_number(nbp_sites *self, const nbp_stack *stack, bool *is_new)
{
    uint32_t at = stack->hash & self->table_mask;
    *is_new = false;
    for (; self->table[at] != 0; at = (at + 1) & self->table_mask) {
        if (is_same(self, self->table[at], stack)) {
            return self->table[at];
        }
    }
    if (!reserve(self, stack->count)) {
        return 0;
    }
    at = stack->hash & self->table_mask;
    while (self->table[at] != 0) {
        at = (at + 1) & self->table_mask;
    }
    uint32_t number = self->count++;
    self->table[at] = number;
    self->sites[number] = (site){
        .start = self->n_frames,
        .hash = stack->hash,
        .count = stack->count,
        .native = stack->native,
    };
    memcpy(self->frames + self->n_frames, stack->frames,
           stack->count * sizeof(*stack->frames));
    self->n_frames += stack->count;
    *is_new = true;
    return number;
}

uint32_t
nbp_sites_count(const nbp_sites *self)
{
    return self->count;
}

const nbp_site_frame *
nbp_sites_frames(const nbp_sites *self, uint32_t number, uint32_t *count, bool *native)
{
    const site *known = &self->sites[number];
    *count = known->count;
    *native = known->native;
    return self->frames + known->start;
}

size_t
nbp_sites_own_bytes(const nbp_sites *self)
{
    return sizeof(*self) + self->capacity * sizeof(*self->sites) +
           self->frame_capacity * sizeof(*self->frames) +
           ((size_t)self->table_mask + 1) * sizeof(*self->table);
}
