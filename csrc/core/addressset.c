/* SPDX-License-Identifier: BSD-3-Clause */
#include "addressset.h"

#include <stdlib.h>

enum { FIRST_REGIONS = 64 };

/* Where the region of that number is, or the free place where it belongs. */
static nbp_region *
place_of(nbp_region *regions, size_t mask, uintptr_t number)
{
    uint64_t product = (uint64_t)number * UINT64_C(0x9E3779B97F4A7C15);
    size_t at = (size_t)(product >> 32) & mask;
    while (regions[at].bits != NULL && regions[at].number != number) {
        at = (at + 1) & mask;
    }
    return &regions[at];
}

static nbp_status
grow(nbp_addressset *self)
{
    size_t length = self->regions == NULL ? FIRST_REGIONS : 2 * (self->mask + 1);
    nbp_region *regions = calloc(length, sizeof(*regions));
    if (regions == NULL) {
        return NBP_NO_MEMORY;
    }
    for (size_t i = 0; self->regions != NULL && i <= self->mask; i++) {
        if (self->regions[i].bits != NULL) {
            *place_of(regions, length - 1, self->regions[i].number) = self->regions[i];
        }
    }
    free(self->regions);
    self->regions = regions;
    self->mask = length - 1;
    return NBP_OK;
}

nbp_status
nbp_addressset_reserve(nbp_addressset *self, uintptr_t address)
{
    if (self->regions == NULL || 2 * self->count > self->mask) {
        nbp_status status = grow(self);
        if (status != NBP_OK) {
            return status;
        }
    }
    uintptr_t number = address >> NBP_REGION_SHIFT;
    nbp_region *region = place_of(self->regions, self->mask, number);
    if (region->bits != NULL) {
        return NBP_OK;
    }
    region->bits = calloc(NBP_REGION_WORDS, sizeof(*region->bits));
    if (region->bits == NULL) {
        return NBP_NO_MEMORY;
    }
    region->number = number;
    self->count++;
    return NBP_OK;
}

void
nbp_addressset_clear(nbp_addressset *self)
{
    for (size_t i = 0; self->regions != NULL && i <= self->mask; i++) {
        free(self->regions[i].bits);
    }
    free(self->regions);
    *self = (nbp_addressset){0};
}
