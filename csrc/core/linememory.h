/* SPDX-License-Identifier: BSD-3-Clause */
/* What lines allocate and free, and how high the memory rises above their start: plain
 * data that lies beside the times of the same lines and frames, in arrays of its own.
 * *Own*, *inclusive* and recursion are as for time (linetable.h). All figures are of
 * one thread; bytes are as they were asked for. */
#ifndef NBP_LINEMEMORY_H
#define NBP_LINEMEMORY_H

#include <stdbool.h>
#include <stdint.h>

/* What came and went. */
typedef struct {
    uint64_t allocated_bytes;
    uint64_t allocated_blocks;
    uint64_t freed_bytes;
    uint64_t freed_blocks;
} nbp_traffic;

/* A thread's counters at an event. */
typedef struct {
    nbp_traffic traffic;    /* never goes back */
    int64_t peak_bytes;     /* the highest allocated - freed since the last event */
    int64_t resident_bytes; /* of the whole process; 0: nobody asks */
} nbp_memory;

/* Of one line. */
typedef struct {
    nbp_traffic inclusive;
    nbp_traffic own;
    int64_t peak_bytes; /* above what there was as the line began, callees included */
    int64_t own_peak_bytes; /* the same, not looking while profiled callees run */
    int64_t resident_bytes; /* of the process as the line ended, at the most */
    uint64_t entered;       /* how many frames began here */
} nbp_line_memory;

/* Of the line that a running frame is on. */
typedef struct {
    nbp_traffic opened; /* as it began */
    int64_t high_bytes; /* the highest allocated - freed since, and without callees */
    int64_t own_high_bytes;
} nbp_record_memory;

/* Allocated and not freed; below 0 when others' blocks were freed. */
static inline int64_t
nbp_traffic_net_bytes(const nbp_traffic *self)
{
    return (int64_t)(self->allocated_bytes - self->freed_bytes);
}

/* Adds what happened from `begin` to `end`. */
static inline void
nbp_traffic_add(nbp_traffic *self, const nbp_traffic *begin, const nbp_traffic *end)
{
    self->allocated_bytes += end->allocated_bytes - begin->allocated_bytes;
    self->allocated_blocks += end->allocated_blocks - begin->allocated_blocks;
    self->freed_bytes += end->freed_bytes - begin->freed_bytes;
    self->freed_blocks += end->freed_blocks - begin->freed_blocks;
}

static inline int64_t
nbp_higher(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Adds the figures of the same line in another thread. */
static inline void
nbp_line_memory_merge(nbp_line_memory *self, const nbp_line_memory *other)
{
    static const nbp_traffic nothing = {0};
    nbp_traffic_add(&self->inclusive, &nothing, &other->inclusive);
    nbp_traffic_add(&self->own, &nothing, &other->own);
    self->peak_bytes = nbp_higher(self->peak_bytes, other->peak_bytes);
    self->own_peak_bytes = nbp_higher(self->own_peak_bytes, other->own_peak_bytes);
    self->resident_bytes = nbp_higher(self->resident_bytes, other->resident_bytes);
    self->entered += other->entered;
}

#endif /* NBP_LINEMEMORY_H */
