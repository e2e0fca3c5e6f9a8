/* SPDX-License-Identifier: BSD-3-Clause */
/* One measurement of what a program allocates: what it says, place by place if it is
 * to. The blocks that all of them share are in an alloctable. */
#ifndef NBP_MEASURE_H
#define NBP_MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sites.h"
#include "status.h"

/* Bytes as they were asked for. A realloc is a free and an allocation. */
typedef struct {
    uint64_t allocated_bytes, allocated_blocks;
    uint64_t freed_bytes, freed_blocks;
    uint64_t native_bytes, native_blocks;   /* of what was allocated: by libraries */
    uint64_t current_bytes, current_blocks; /* allocated and not freed */
    uint64_t peak_bytes, peak_blocks;       /* when the most bytes were current */
} nbp_alloc_totals;

/* The same of one place. */
typedef struct {
    uint64_t allocated_bytes, allocated_blocks;
    uint64_t alive_bytes, alive_blocks;
    uint64_t peak_bytes, peak_blocks; /* when the whole measurement had its peak */
    uint64_t temporary_bytes, temporary_blocks; /* freed almost at once */
    uint64_t peak_number;                       /* ours */
} nbp_site_cost;

/* One measurement: part of its owner, who only reads it, and only when it is closed. */
typedef struct nbp_measure {
    struct nbp_measure *next; /* borrowed: the other open ones */
    nbp_alloc_totals totals;
    nbp_sites *sites;     /* one share; NULL: not by place */
    nbp_site_cost *costs; /* owned; by number of the place */
    uint32_t n_costs;
    uint16_t epoch;
    bool open;
    bool incomplete; /* memory ran out: some blocks were not counted */
    uint64_t peak_number;
} nbp_measure;

typedef struct nbp_alloctable nbp_alloctable_t;

/* Opens a measurement, with everything at 0. NBP_NO_MEMORY, NBP_INVALID: it is open. */
nbp_status nbp_alloctable_open(nbp_alloctable_t *self, nbp_measure *measure,
                               bool by_site);

/* Closes it: what it says stays until it is opened again or freed. Does nothing to one
 * that is closed. */
void nbp_alloctable_close(nbp_alloctable_t *self, nbp_measure *measure);

/* Frees what a closed measurement holds. When nobody else knows the places any more,
 * gives them to the caller to be destroyed, else NULL. */
nbp_sites *nbp_alloctable_release(nbp_alloctable_t *self, nbp_measure *measure);

/* The totals now, of an open measurement or a closed one. */
nbp_alloc_totals nbp_alloctable_totals(nbp_alloctable_t *self,
                                       const nbp_measure *measure);

/* From here on the peak starts with what is current. */
void nbp_alloctable_reset_peak(nbp_alloctable_t *self, nbp_measure *measure);

/* A copy of the costs by place, owned by the caller, with `*count` the number of them;
 * their peaks are settled. NULL when there are none or no memory. */
nbp_site_cost *nbp_alloctable_costs(nbp_alloctable_t *self, nbp_measure *measure,
                                    uint32_t *count);

/* Copies the frames of one of its places, at most NBP_SITE_FRAMES_MOST, and how many
 * they are; false when the measurement has been released meanwhile. */
bool nbp_alloctable_frames(nbp_alloctable_t *self, const nbp_measure *measure,
                           uint32_t site, nbp_site_frame *frames, uint32_t *count);

/* The blocks of a measurement that are alive, copied: owned by the caller, `*count` of
 * them. NULL when there are none or no memory. Mapped pages are not among them. */
typedef struct {
    const void *address;
    uint64_t bytes;
    uint32_t site;
} nbp_alive_block;

nbp_alive_block *nbp_alloctable_alive(nbp_alloctable_t *self,
                                      const nbp_measure *measure, size_t *count);

/* The block at `address`, if it is one of those: true, and `*block`. */
bool nbp_alloctable_find(nbp_alloctable_t *self, const nbp_measure *measure,
                         const void *address, nbp_alive_block *block);

#endif /* NBP_MEASURE_H */
