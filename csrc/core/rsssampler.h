/* SPDX-License-Identifier: BSD-3-Clause */
/* A thread that reads how much memory is resident, again and again, into a table of
 * bounded size: a full table keeps every second time span, so that it always reaches
 * from the start to now. It needs no GIL. What it allocates is allocated at the start.
 *
 * A sampler belongs to one caller at a time; its own thread is its own affair. After a
 * fork it is dead in the child: stop and destroy are allowed there, and do the right
 * thing. */
#ifndef NBP_RSSSAMPLER_H
#define NBP_RSSSAMPLER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "status.h"

typedef struct {
    int64_t time_ns; /* when the most was resident, since the start */
    int64_t bytes;   /* the most in this time span */
} nbp_rss_sample;

typedef struct nbp_rsssampler nbp_rsssampler_t;

typedef struct {
    pid_t pid;           /* whose memory; 0: this process */
    int children;        /* with all its descendants, proportional sizes added up */
    int64_t interval_ns; /* between two readings, at least 100'000 */
    size_t capacity;     /* samples kept at most, at least 2 */
} nbp_rsssampler_options;

/* Starts sampling; owned by the caller. NULL with `*status` NBP_INVALID (options out of
 * range), NBP_UNAVAILABLE (the first reading failed: `*error` is the errno, see
 * process.h) or NBP_NO_MEMORY (also when no thread could be started). */
nbp_rsssampler_t *nbp_rsssampler_new(const nbp_rsssampler_options *options,
                                     nbp_status *status, int *error);

/* Takes a last reading, ends the thread and waits for it: at most one reading long.
 * Once more does nothing. */
void nbp_rsssampler_stop(nbp_rsssampler_t *self);

/* Stops and frees; NULL-safe, and sets the pointer to NULL. */
void nbp_rsssampler_destroy(nbp_rsssampler_t **self_p);

/* The most seen so far, bytes; with `clear`, since the last call with it. Any thread.
 */
int64_t nbp_rsssampler_peak(nbp_rsssampler_t *self, int clear);

/* Copies up to `room` samples, in order of time, and returns how many. Any thread. */
size_t nbp_rsssampler_samples(nbp_rsssampler_t *self, nbp_rss_sample *samples,
                              size_t room);

/* How many readings were taken, and how many failed (the process has ended). */
void nbp_rsssampler_readings(nbp_rsssampler_t *self, uint64_t *taken, uint64_t *failed);

#endif /* NBP_RSSSAMPLER_H */
