/* SPDX-License-Identifier: BSD-3-Clause */
#include <sched.h>
#include <time.h>

#include "check.h"
#include "clock.h"

static void
test_every_clock_moves_forward(void)
{
    for (int clock = 0; clock < NBP_CLOCK_COUNT; clock++) {
        int64_t before = nbp_clock_now_ns((nbp_clock)clock);
        volatile double work = 0;
        for (int i = 0; i < 2000000; i++) {
            work += i;
        }
        CHECK(nbp_clock_now_ns((nbp_clock)clock) > before);
        CHECK(nbp_clock_resolution_ns((nbp_clock)clock) >= 1);
    }
}

static void
test_sleep_takes_wall_time_but_no_cpu_time(void)
{
    int64_t wall = nbp_clock_now_ns(NBP_CLOCK_WALL);
    int64_t cpu = nbp_clock_now_ns(NBP_CLOCK_THREAD_CPU);
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    CHECK(nbp_clock_now_ns(NBP_CLOCK_WALL) - wall >= 20000000);
    CHECK(nbp_clock_now_ns(NBP_CLOCK_THREAD_CPU) - cpu < 10000000);
}

static void
test_a_wait_is_a_voluntary_switch(void)
{
    nbp_switches before = nbp_clock_switches();
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    CHECK(nbp_clock_switches().voluntary_switches > before.voluntary_switches);
    CHECK(nbp_clock_switches().involuntary_switches >= before.involuntary_switches);
}

int
main(void)
{
    test_every_clock_moves_forward();
    test_sleep_takes_wall_time_but_no_cpu_time();
    test_a_wait_is_a_voluntary_switch();
    return CHECK_RESULT();
}
