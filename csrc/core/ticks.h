/* SPDX-License-Identifier: BSD-3-Clause */
/* The cheapest clock of the machine, for probes that run every 20 ns: the time stamp
 * counter where it runs evenly and the kernel trusts it, else CLOCK_MONOTONIC in ns.
 * Thread-safe, no lock. A tick's length is found by reading both clocks twice, far
 * apart. */
#ifndef NBP_TICKS_H
#define NBP_TICKS_H

#include <stdbool.h>
#include <stdint.h>

#include "clock.h"

#if defined(__x86_64__)
#    include <x86intrin.h>
#endif

/* Both clocks at one moment. */
typedef struct {
    int64_t ticks;
    int64_t ns;
} nbp_moment;

/* Whether the time stamp counter can be used here; asks the processor and the kernel,
 * so ask once and pass the answer to nbp_ticks_now. */
bool nbp_ticks_has_counter(void);

static inline int64_t
nbp_ticks_now(bool has_counter)
{
#if defined(__x86_64__)
    if (has_counter) {
        return (int64_t)__rdtsc();
    }
#endif
    return nbp_clock_now_ns(NBP_CLOCK_WALL);
}

nbp_moment nbp_ticks_moment(bool has_counter);

/* Length of a tick in ns since `origin`, waiting if need be until that is 2 ms ago;
 * then it is right to 1 in 10,000 and better with more time. */
double nbp_ticks_length_ns(bool has_counter, nbp_moment origin);

#endif /* NBP_TICKS_H */
