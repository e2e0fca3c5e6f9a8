/* SPDX-License-Identifier: BSD-3-Clause */
/* Hardware and kernel counters of one thread, through perf_event_open(2). Where the
 * kernel, the processor or the platform lacks some or all of them, the object holds the
 * rest and says in words what is missing and why. Not thread-safe: one caller at a
 * time; whoever starts and stops, it counts the thread that created it. */
#ifndef NBP_COUNTERS_H
#define NBP_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

typedef enum {
    NBP_COUNTER_INSTRUCTIONS, /* these five: hardware, in user space only */
    NBP_COUNTER_CYCLES,
    NBP_COUNTER_BRANCHES,
    NBP_COUNTER_BRANCH_MISSES,
    NBP_COUNTER_CACHE_MISSES,
    NBP_COUNTER_PAGE_FAULTS,      /* of code in user space */
    NBP_COUNTER_CONTEXT_SWITCHES, /* they happen inside the kernel, and need its leave
                                   */
    NBP_COUNTER_COUNT,
} nbp_counter;

typedef struct nbp_counters nbp_counters_t;

/* "branch-misses" and the like: the names that `perf list` uses. */
const char *nbp_counters_name(nbp_counter counter);

/* Opens what can be opened for the calling thread; owned by the caller. NULL only
 * without memory. */
nbp_counters_t *nbp_counters_new(void);

/* Closes and frees; NULL-safe, and sets the pointer to NULL. */
void nbp_counters_destroy(nbp_counters_t **self_p);

/* True when this counter counts. */
bool nbp_counters_has(const nbp_counters_t *self, nbp_counter counter);

/* One line: which counters are missing and why; "" when none is. Borrowed from `self`.
 */
const char *nbp_counters_unavailable(const nbp_counters_t *self);

/* Starts counting from 0, also when it was counting already. NBP_UNAVAILABLE when the
 * kernel refuses what it has allowed to open. About 2 us for each counter. */
nbp_status nbp_counters_start(nbp_counters_t *self);

/* Stops, and writes what was counted since nbp_counters_start(): -1 for a counter that
 * is missing, or that never got its turn on the processor. Where the kernel has let
 * counters take turns, the count is scaled up to the whole time. NBP_INVALID, and
 * nothing written, when it was not counting. */
nbp_status nbp_counters_stop(nbp_counters_t *self, int64_t counts[NBP_COUNTER_COUNT]);

/* Writes why perf_event_open(2) failed with `error` (an errno) to `text`: a clause
 * without a full stop, cut at `size`. `in_kernel`: the counter counts inside the
 * kernel, which needs more permission. */
void nbp_counters_explain(int error, bool in_kernel, char *text, size_t size);

/* `count`, taken during `running_ns` of the `enabled_ns` that were asked for, scaled to
 * all of them, rounded; -1 when it never ran. */
int64_t nbp_counters_scale(uint64_t count, uint64_t enabled_ns, uint64_t running_ns);

#endif /* NBP_COUNTERS_H */
