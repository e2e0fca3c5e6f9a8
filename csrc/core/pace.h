/* SPDX-License-Identifier: BSD-3-Clause */
/* How fast the processor runs at a moment: how long a fixed piece of work takes that
 * slows down as events do. Where a core is shared with another hyperthread, or its
 * clock changes, all code takes up to twice as long for milliseconds or minutes. So
 * what an event costs is kept together with the pace at which it was measured, and is
 * scaled by the pace of the moment at which it is subtracted.
 *
 * All times are ticks of nbp_ticks_now. Not thread-safe; nothing fails. */
#ifndef NBP_PACE_H
#define NBP_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "ticks.h"

/* About 1 us of work, always the same. */
typedef struct {
    void (*run)(const void *material);
    const void *material; /* borrowed */
} nbp_pace_work;

/* The readings of a recording. */
typedef struct {
    nbp_pace_work work;
    int64_t due;   /* the time from which on the next reading is wanted */
    int64_t last;  /* that of the last one */
    double sum;    /* of readings, each times the ticks that it stands for */
    double weight; /* of those ticks; 0: there is no reading */
} nbp_pace;

/* Ticks that the work takes now: the median of three times, for an interrupt may fall
 * into one; the least would be that of a moment in which the other hyperthread waited.
 */
int64_t nbp_pace_now(nbp_pace_work work, bool has_counter);

/* Takes a reading and returns it. The next is due soon at first, so that a recording of
 * a few ms has enough of them, and once in 1 or 2 ms later on. */
int64_t nbp_pace_take(nbp_pace *self, bool has_counter);

/* Forgets the readings. */
static inline void
nbp_pace_clear(nbp_pace *self)
{
    self->sum = self->weight = 0;
}

/* Their mean; 0 when there is none. */
static inline double
nbp_pace_mean(const nbp_pace *self)
{
    return self->weight > 0 ? self->sum / self->weight : 0.0;
}

/* By how much an event costs more at pace `now` than at `then`, within bounds beyond
 * which something else was the reason; 1 when one of them is 0, and so not known. */
double nbp_pace_ratio(double now, double then);

#endif /* NBP_PACE_H */
