/* SPDX-License-Identifier: BSD-3-Clause */
/* The clocks that the engines read. All times are nanoseconds; every function here is
 * thread-safe, takes no lock and cannot fail for the clocks that it names. */
#ifndef NBP_CLOCK_H
#define NBP_CLOCK_H

#include <stdint.h>
#include <time.h>

typedef enum {
    NBP_CLOCK_WALL,        /* CLOCK_MONOTONIC: time.perf_counter */
    NBP_CLOCK_REAL,        /* CLOCK_REALTIME: time.time */
    NBP_CLOCK_PROCESS_CPU, /* user and system time of every thread of the process */
    NBP_CLOCK_THREAD_CPU,  /* user and system time of the calling thread */
    NBP_CLOCK_COUNT,
} nbp_clock;

/* What the kernel did to the calling thread so far: take one before and one after. */
typedef struct {
    int64_t involuntary_switches; /* times another task was given this thread's core */
    int64_t voluntary_switches;   /* times the thread waited: sleep, lock, I/O */
} nbp_switches;

/* Now, in ns since that clock's own epoch. About 20 ns through the vDSO for WALL and
 * REAL, 200 ns (a system call) for the CPU clocks. */
int64_t nbp_clock_now_ns(nbp_clock clock);

/* The smallest step that the clock claims (clock_getres), in ns; at least 1. */
int64_t nbp_clock_resolution_ns(nbp_clock clock);

/* Context switches of the calling thread (getrusage(RUSAGE_THREAD), about 300 ns).
 * Where the platform counts only for the process, it is the process's count. */
nbp_switches nbp_clock_switches(void);

#endif /* NBP_CLOCK_H */
