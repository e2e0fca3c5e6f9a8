/* SPDX-License-Identifier: BSD-3-Clause */
/* A set of addresses of objects, one bit for each 16 bytes of the memory that they are
 * in: no two objects begin within the same 16 bytes, for each is as large. So a million
 * objects take two megabytes, which stay in the cache where a hash table of them would
 * not. The addresses are never followed. Not thread-safe. */
#ifndef NBP_ADDRESSSET_H
#define NBP_ADDRESSSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

enum {
    NBP_REGION_SHIFT = 20, /* memory is known by the megabyte */
    NBP_REGION_WORDS = 1 << (NBP_REGION_SHIFT - 4 - 6),
};

typedef struct {
    uintptr_t number; /* address >> NBP_REGION_SHIFT */
    uint64_t *bits;   /* owned; NULL: the place is free */
} nbp_region;

/* All zero is an empty set. */
typedef struct {
    nbp_region *regions; /* owned; open addressing, at most half full */
    size_t mask;         /* its length - 1 */
    size_t count;        /* of regions */
} nbp_addressset;

/* The word that has the bit of `address`; NULL when no address near it is there. */
static inline uint64_t *
nbp_addressset_word(const nbp_addressset *self, uintptr_t address)
{
    uintptr_t number = address >> NBP_REGION_SHIFT;
    uint64_t product = (uint64_t)number * UINT64_C(0x9E3779B97F4A7C15);
    if (self->regions == NULL) {
        return NULL;
    }
    for (size_t at = (size_t)(product >> 32) & self->mask;;
         at = (at + 1) & self->mask) {
        const nbp_region *region = &self->regions[at];
        if (region->number == number || region->bits == NULL) {
            size_t word = (address >> 10) & (NBP_REGION_WORDS - 1);
            return region->bits == NULL ? NULL : region->bits + word;
        }
    }
}

static inline bool
nbp_addressset_has(const nbp_addressset *self, uintptr_t address)
{
    const uint64_t *word = nbp_addressset_word(self, address);
    return word != NULL && (*word >> (address >> 4 & 63) & 1);
}

/* Brings the place of `address` into the cache. */
static inline void
nbp_addressset_prefetch(const nbp_addressset *self, uintptr_t address)
{
    __builtin_prefetch(nbp_addressset_word(self, address), 1);
}

/* Makes room for the addresses near `address`. */
nbp_status nbp_addressset_reserve(nbp_addressset *self, uintptr_t address);

/* Adds `address`. 1: it is new, 0: it was there, negative: an nbp_status. */
static inline int
nbp_addressset_add(nbp_addressset *self, uintptr_t address)
{
    uint64_t *word = nbp_addressset_word(self, address);
    if (word == NULL) {
        nbp_status status = nbp_addressset_reserve(self, address);
        if (status != NBP_OK) {
            return (int)status;
        }
        word = nbp_addressset_word(self, address);
    }
    uint64_t bit = UINT64_C(1) << (address >> 4 & 63);
    int fresh = (*word & bit) == 0;
    *word |= bit;
    return fresh;
}

/* Takes `address` out; false when it is not there. */
static inline bool
nbp_addressset_take(nbp_addressset *self, uintptr_t address)
{
    bool there = nbp_addressset_has(self, address);
    if (there) {
        *nbp_addressset_word(self, address) &= ~(UINT64_C(1) << (address >> 4 & 63));
    }
    return there;
}

/* Empties it and frees its memory. */
void nbp_addressset_clear(nbp_addressset *self);

#endif /* NBP_ADDRESSSET_H */
