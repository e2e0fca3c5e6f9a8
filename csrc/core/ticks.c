/* SPDX-License-Identifier: BSD-3-Clause */
#include "ticks.h"

#include <stdio.h>
#include <string.h>

#if defined(__x86_64__)
#    include <cpuid.h>
#endif

enum {
    SHORTEST_BASE_NS = 2000000,
    READINGS = 5,
};

#if defined(__x86_64__)
/* The kernel watches the counter and changes over to one of these when it jumps. */
static bool
kernel_distrusts_counter(void)
{
    FILE *file =
        fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource", "re");
    if (file == NULL) {
        return true;
    }
    char name[32] = "";
    if (fscanf(file, "%31s", name) != 1) {
        name[0] = '\0';
    }
    fclose(file);
    return strcmp(name, "tsc") != 0 && strcmp(name, "kvm-clock") != 0;
}
#endif

bool
nbp_ticks_has_counter(void)
{
#if defined(__x86_64__)
    unsigned a, b, c, d;
    const unsigned invariant = 1u << 8;
    return __get_cpuid(0x80000007, &a, &b, &c, &d) && (d & invariant) &&
           !kernel_distrusts_counter();
#else
    return false;
#endif
}

/* Of several readings the one that took least: in it the two clocks are closest. */
nbp_moment
nbp_ticks_moment(bool has_counter)
{
    nbp_moment best = {0};
    int64_t shortest = INT64_MAX;
    for (int i = 0; i < READINGS; i++) {
        int64_t before = nbp_ticks_now(has_counter);
        int64_t ns = nbp_clock_now_ns(NBP_CLOCK_WALL);
        int64_t took = nbp_ticks_now(has_counter) - before;
        if (took < shortest) {
            shortest = took;
            best = (nbp_moment){.ticks = before + took / 2, .ns = ns};
        }
    }
    return best;
}

double
nbp_ticks_length_ns(bool has_counter, nbp_moment origin)
{
    if (!has_counter) {
        return 1.0;
    }
    nbp_moment now;
    do {
        now = nbp_ticks_moment(has_counter);
    } while (now.ns - origin.ns < SHORTEST_BASE_NS || now.ticks <= origin.ticks);
    return (double)(now.ns - origin.ns) / (double)(now.ticks - origin.ticks);
}
