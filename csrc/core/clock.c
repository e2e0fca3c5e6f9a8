/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE /* RUSAGE_THREAD */
#endif
#include "clock.h"

#include <assert.h>
#include <sys/resource.h>

static const clockid_t clock_ids[NBP_CLOCK_COUNT] = {
    [NBP_CLOCK_WALL] = CLOCK_MONOTONIC,
    [NBP_CLOCK_REAL] = CLOCK_REALTIME,
    [NBP_CLOCK_PROCESS_CPU] = CLOCK_PROCESS_CPUTIME_ID,
    [NBP_CLOCK_THREAD_CPU] = CLOCK_THREAD_CPUTIME_ID,
};

static int64_t
nanoseconds(struct timespec t)
{
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t
nbp_clock_now_ns(nbp_clock clock)
{
    assert(clock >= 0 && clock < NBP_CLOCK_COUNT);
    struct timespec t;
    clock_gettime(clock_ids[clock], &t);
    return nanoseconds(t);
}

int64_t
nbp_clock_resolution_ns(nbp_clock clock)
{
    assert(clock >= 0 && clock < NBP_CLOCK_COUNT);
    struct timespec t;
    if (clock_getres(clock_ids[clock], &t) != 0) {
        return 1;
    }
    int64_t resolution = nanoseconds(t);
    return resolution > 0 ? resolution : 1;
}

nbp_switches
nbp_clock_switches(void)
{
    struct rusage usage;
#ifdef RUSAGE_THREAD
    getrusage(RUSAGE_THREAD, &usage);
#else
    getrusage(RUSAGE_SELF, &usage);
#endif
    return (nbp_switches){
        .involuntary_switches = usage.ru_nivcsw,
        .voluntary_switches = usage.ru_nvcsw,
    };
}
