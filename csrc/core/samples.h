/* SPDX-License-Identifier: BSD-3-Clause */
/* A growing table of timed stretches of work, each with what the kernel did meanwhile.
 *
 * begin() reads the thread's counters first and the clock last, end() the clock first,
 * so that the reading of the counters (two system calls, about 0.5 us) is outside of
 * the measured time. One table belongs to one thread: it has no lock. */
#ifndef NBP_SAMPLES_H
#define NBP_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

#include "clock.h"
#include "status.h"

typedef struct {
    int64_t time_ns;    /* by the table's clock */
    int64_t cpu_ns;     /* user and system time of this thread; about 0.5 us too much */
    int64_t iterations; /* how much work it was, as told to end() */
    int64_t involuntary_switches; /* times the core was taken from this thread */
} nbp_sample;

typedef struct nbp_samples nbp_samples;

/* An empty table that times by `clock`; NULL when memory is short. */
nbp_samples *nbp_samples_new(nbp_clock clock);

/* Frees the table and sets the pointer to NULL; NULL is allowed. */
void nbp_samples_destroy(nbp_samples **self);

/* Starts a stretch; one that was started and not ended is forgotten. Makes the room for
 * the sample here, so that nothing can fail or allocate while the clock runs.
 * NBP_NO_MEMORY: nothing was started. */
nbp_status nbp_samples_begin(nbp_samples *self);

/* Ends the stretch and keeps it. NBP_INVALID: none was started. */
nbp_status nbp_samples_end(nbp_samples *self, int64_t iterations);

size_t nbp_samples_count(const nbp_samples *self);

/* Borrowed from the table, valid until its next begin(). `index` < count. */
const nbp_sample *nbp_samples_at(const nbp_samples *self, size_t index);

/* Forgets all samples and keeps the memory for the next ones. */
void nbp_samples_clear(nbp_samples *self);

#endif /* NBP_SAMPLES_H */
