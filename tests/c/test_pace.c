/* SPDX-License-Identifier: BSD-3-Clause */
#include "check.h"
#include "pace.h"

static int runs;

static void
spin(const void *material)
{
    runs++;
    volatile int left = *(const int *)material;
    while (left > 0) {
        left--;
    }
}

static const int little = 100, much = 10000;

static void
test_more_work_takes_longer(void)
{
    bool has_counter = nbp_ticks_has_counter();
    /* The least of several: each may be interrupted. */
    int64_t less = INT64_MAX, more = INT64_MAX;
    for (int i = 0; i < 20; i++) {
        int64_t now = nbp_pace_now((nbp_pace_work){spin, &little}, has_counter);
        less = now < less ? now : less;
        now = nbp_pace_now((nbp_pace_work){spin, &much}, has_counter);
        more = now < more ? now : more;
    }
    CHECK(less >= 0);
    CHECK(more > less);
}

static void
test_readings_have_a_mean(void)
{
    bool has_counter = nbp_ticks_has_counter();
    nbp_pace pace = {.work = {spin, &much}};
    CHECK_EQ(nbp_pace_mean(&pace), 0);
    int64_t least = INT64_MAX, largest = 0;
    for (int i = 0; i < 20; i++) {
        int64_t before = nbp_ticks_now(has_counter);
        int64_t reading = nbp_pace_take(&pace, has_counter);
        CHECK(pace.due > before);
        least = reading < least ? reading : least;
        largest = reading > largest ? reading : largest;
    }
    CHECK(nbp_pace_mean(&pace) >= (double)least * 0.999999);
    CHECK(nbp_pace_mean(&pace) <= (double)largest * 1.000001);
    nbp_pace_clear(&pace);
    CHECK_EQ(nbp_pace_mean(&pace), 0);
}

static void
test_readings_become_rare(void)
{
    bool has_counter = nbp_ticks_has_counter();
    nbp_pace pace = {.work = {spin, &little}};
    nbp_pace_take(&pace, has_counter);
    int64_t at_first = pace.due - pace.last;
    /* As after a long recording. */
    pace.weight = 1e12;
    pace.sum = 1e12;
    nbp_pace_take(&pace, has_counter);
    CHECK(pace.due - pace.last > at_first);
}

static void
test_costs_go_with_the_pace_within_bounds(void)
{
    CHECK_NEAR(nbp_pace_ratio(700.0, 700.0), 1.0, 1e-12);
    CHECK(nbp_pace_ratio(1300.0, 700.0) > 1.5);
    CHECK(nbp_pace_ratio(700.0, 1300.0) < 0.7);
    CHECK_NEAR(nbp_pace_ratio(700.0, 1300.0) * nbp_pace_ratio(1300.0, 700.0), 1.0,
               1e-12);
    CHECK(nbp_pace_ratio(1e9, 1.0) <= 3.0);
    CHECK(nbp_pace_ratio(1.0, 1e9) > 0.0);
    /* Not known. */
    CHECK_NEAR(nbp_pace_ratio(0.0, 700.0), 1.0, 0.0);
    CHECK_NEAR(nbp_pace_ratio(700.0, 0.0), 1.0, 0.0);
}

int
main(void)
{
    test_more_work_takes_longer();
    test_readings_have_a_mean();
    test_readings_become_rare();
    test_costs_go_with_the_pace_within_bounds();
    CHECK(runs > 0);
    return CHECK_RESULT();
}
