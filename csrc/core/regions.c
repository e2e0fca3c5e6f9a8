/* SPDX-License-Identifier: BSD-3-Clause */
#include "regions.h"

#include <stdlib.h>
#include <string.h>

/* The first region that ends behind `address`. */
static size_t
first_after(const nbp_regions *self, uintptr_t address)
{
    size_t low = 0, high = self->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (self->regions[middle].end > address) {
            high = middle;
        }
        else {
            low = middle + 1;
        }
    }
    return low;
}

static bool
insert(nbp_regions *self, size_t at, nbp_region region)
{
    if (self->count == self->capacity) {
        size_t capacity = self->capacity * 2 + 16;
        nbp_region *regions = realloc(self->regions, capacity * sizeof(*regions));
        if (regions == NULL) {
            return false;
        }
        self->regions = regions;
        self->capacity = capacity;
    }
    memmove(self->regions + at + 1, self->regions + at,
            (self->count - at) * sizeof(*self->regions));
    self->regions[at] = region;
    self->count++;
    return true;
}

bool
nbp_regions_add(nbp_regions *self, nbp_region region)
{
    return insert(self, first_after(self, region.start), region);
}

bool
nbp_regions_remove(nbp_regions *self, uintptr_t start, uintptr_t end,
                   void (*gone)(void *arg, const nbp_region *region, size_t bytes,
                                bool whole),
                   void *arg)
{
    size_t at = first_after(self, start);
    while (at < self->count && self->regions[at].start < end) {
        nbp_region *region = &self->regions[at];
        nbp_region was = *region;
        uintptr_t from = was.start > start ? was.start : start;
        uintptr_t to = was.end < end ? was.end : end;
        bool has_head = was.start < from, has_tail = to < was.end;
        if (has_head && has_tail) {
            nbp_region tail = was;
            tail.start = to;
            tail.is_rest = true;
            region->end = from;
            bool split = insert(self, at + 1, tail);
            gone(arg, &was, (split ? to : was.end) - from, false);
            return split;
        }
        gone(arg, &was, to - from, !has_head && !has_tail && !was.is_rest);
        if (has_head) {
            region->end = from;
            at++;
        }
        else if (has_tail) {
            region->start = to;
            at++;
        }
        else {
            self->count--;
            memmove(region, region + 1, (self->count - at) * sizeof(*region));
        }
    }
    return true;
}

void
nbp_regions_renumber(nbp_regions *self, uint16_t (*number)(void *arg, uint16_t),
                     void *arg)
{
    for (size_t i = 0; i < self->count; i++) {
        self->regions[i].epoch = number(arg, self->regions[i].epoch);
    }
}

void
nbp_regions_clear(nbp_regions *self)
{
    free(self->regions);
    *self = (nbp_regions){0};
}
