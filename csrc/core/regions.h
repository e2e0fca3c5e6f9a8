/* SPDX-License-Identifier: BSD-3-Clause */
/* Mapped pages, as ranges of addresses that do not overlap, in order. For hundreds of
 * them: adding and removing moves the rest along. Not thread-safe. */
#ifndef NBP_REGIONS_H
#define NBP_REGIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uintptr_t start, end;
    uint32_t site;
    uint16_t epoch;
    bool is_rest; /* the end of one that lost its middle: not a mapping of its own */
} nbp_region;

/* All zero is an empty one. */
typedef struct {
    nbp_region *regions; /* owned */
    size_t count;
    size_t capacity;
} nbp_regions;

/* Adds a region that overlaps none; false without memory. */
bool nbp_regions_add(nbp_regions *self, nbp_region region);

/* Takes out what lies from `start` to `end`; a region may lose its beginning, its end,
 * its middle or all of it. `gone` is told of each region how many bytes it has lost and
 * whether that ended a mapping. False when the two rests of one need memory that there
 * is not: its end is lost then, and told to be. */
bool nbp_regions_remove(nbp_regions *self, uintptr_t start, uintptr_t end,
                        void (*gone)(void *arg, const nbp_region *region, size_t bytes,
                                     bool whole),
                        void *arg);

/* As nbp_blocks_renumber(). */
void nbp_regions_renumber(nbp_regions *self, uint16_t (*number)(void *arg, uint16_t),
                          void *arg);

void nbp_regions_clear(nbp_regions *self);

#endif /* NBP_REGIONS_H */
