/* SPDX-License-Identifier: BSD-3-Clause */
#include <time.h>

#include "check.h"
#include "clock.h"
#include "samples.h"

static void
wait_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

static void
test_a_sample_holds_what_passed_between_begin_and_end(void)
{
    nbp_samples *samples = nbp_samples_new(NBP_CLOCK_WALL);
    CHECK_EQ(nbp_samples_begin(samples), NBP_OK);
    wait_ms(5);
    CHECK_EQ(nbp_samples_end(samples, 42), NBP_OK);

    CHECK_EQ(nbp_samples_count(samples), 1);
    const nbp_sample *sample = nbp_samples_at(samples, 0);
    CHECK_EQ(sample->iterations, 42);
    CHECK(sample->time_ns >= 5000000);
    CHECK(sample->cpu_ns >= 0 && sample->cpu_ns < sample->time_ns);
    CHECK(sample->involuntary_switches >= 0);
    nbp_samples_destroy(&samples);
}

static void
test_end_without_begin_is_refused_and_keeps_nothing(void)
{
    nbp_samples *samples = nbp_samples_new(NBP_CLOCK_WALL);
    CHECK_EQ(nbp_samples_end(samples, 1), NBP_INVALID);
    CHECK_EQ(nbp_samples_begin(samples), NBP_OK);
    CHECK_EQ(nbp_samples_end(samples, 1), NBP_OK);
    CHECK_EQ(nbp_samples_end(samples, 1), NBP_INVALID);
    CHECK_EQ(nbp_samples_count(samples), 1);
    nbp_samples_destroy(&samples);
}

static void
test_a_second_begin_forgets_the_first(void)
{
    nbp_samples *samples = nbp_samples_new(NBP_CLOCK_WALL);
    CHECK_EQ(nbp_samples_begin(samples), NBP_OK);
    wait_ms(20);
    int64_t again = nbp_clock_now_ns(NBP_CLOCK_WALL);
    CHECK_EQ(nbp_samples_begin(samples), NBP_OK);
    CHECK_EQ(nbp_samples_end(samples, 1), NBP_OK);
    int64_t passed = nbp_clock_now_ns(NBP_CLOCK_WALL) - again;
    CHECK_EQ(nbp_samples_count(samples), 1);
    CHECK(nbp_samples_at(samples, 0)->time_ns <= passed);
    nbp_samples_destroy(&samples);
}

static void
test_the_table_grows_and_keeps_its_order(void)
{
    enum { MANY = 1000 };
    nbp_samples *samples = nbp_samples_new(NBP_CLOCK_THREAD_CPU);
    for (int i = 0; i < MANY; i++) {
        CHECK_EQ(nbp_samples_begin(samples), NBP_OK);
        CHECK_EQ(nbp_samples_end(samples, i), NBP_OK);
    }
    CHECK_EQ(nbp_samples_count(samples), MANY);
    for (int i = 0; i < MANY; i++) {
        CHECK_EQ(nbp_samples_at(samples, (size_t)i)->iterations, i);
    }
    nbp_samples_clear(samples);
    CHECK_EQ(nbp_samples_count(samples), 0);
    nbp_samples_destroy(&samples);
}

static void
test_destroy_sets_null_and_accepts_it(void)
{
    nbp_samples *samples = nbp_samples_new(NBP_CLOCK_REAL);
    nbp_samples_destroy(&samples);
    CHECK(samples == NULL);
    nbp_samples_destroy(&samples);
}

int
main(void)
{
    test_a_sample_holds_what_passed_between_begin_and_end();
    test_end_without_begin_is_refused_and_keeps_nothing();
    test_a_second_begin_forgets_the_first();
    test_the_table_grows_and_keeps_its_order();
    test_destroy_sets_null_and_accepts_it();
    return CHECK_RESULT();
}
