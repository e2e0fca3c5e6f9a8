/* SPDX-License-Identifier: BSD-3-Clause */
#include <float.h>
#include <stdint.h>

#include "check.h"
#include "stats.h"

/* Uniform over (0, 1): the same series on every platform (xorshift64*). */
static double
uniform(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return ((double)(*state * 2685821657736338717u >> 11) + 0.5) / 9007199254740992.0;
}

static double
normal(uint64_t *state)
{
    double radius = sqrt(-2 * log(uniform(state)));
    return radius * cos(2 * 3.14159265358979323846 * uniform(state));
}

/* 100 with noise, and now and then a sample that is far slower. */
static double
noisy_time(uint64_t *state)
{
    double outlier = uniform(state) < 0.15 ? 5 / uniform(state) : 0;
    return 100 + normal(state) + outlier;
}

static void
test_quantile_interpolates(void)
{
    const double samples[] = {4, 1, 3, 2};
    double result = 0;
    CHECK_EQ(nbp_stats_quantile(samples, 4, 0.25, &result), NBP_OK);
    CHECK_NEAR(result, 1.75, 0);
    CHECK_EQ(nbp_stats_quantile(samples, 4, 0, &result), NBP_OK);
    CHECK_NEAR(result, 1, 0);
    CHECK_EQ(nbp_stats_quantile(samples, 4, 1, &result), NBP_OK);
    CHECK_NEAR(result, 4, 0);
    CHECK_NEAR(samples[0], 4, 0); /* the caller's order is kept */
    CHECK_EQ(nbp_stats_quantile(samples, 1, 0.3, &result), NBP_OK);
    CHECK_NEAR(result, 4, 0);
}

static void
test_quantile_of_huge_samples_does_not_overflow(void)
{
    const double samples[] = {-DBL_MAX, DBL_MAX};
    CHECK_NEAR(nbp_stats_quantile_sorted(samples, 2, 0.5), 0, 0);
}

static void
test_arguments_out_of_range_are_refused(void)
{
    const double samples[] = {1, 2};
    double result = 7;
    nbp_outliers outliers;
    nbp_interval interval;
    CHECK_EQ(nbp_stats_quantile(samples, 0, 0.5, &result), NBP_INVALID);
    CHECK_EQ(nbp_stats_quantile(samples, 2, 1.01, &result), NBP_INVALID);
    CHECK_EQ(nbp_stats_quantile(samples, 2, NAN, &result), NBP_INVALID);
    CHECK_EQ(nbp_stats_quantile(samples, SIZE_MAX, 0.5, &result), NBP_NO_MEMORY);
    CHECK_EQ(nbp_stats_outliers(samples, 0, &outliers), NBP_INVALID);
    CHECK_EQ(nbp_stats_outliers(samples, SIZE_MAX, &outliers), NBP_NO_MEMORY);
    CHECK_EQ(nbp_stats_student_t(0.5, 0.95, &result), NBP_INVALID);
    CHECK_EQ(nbp_stats_student_t(NAN, 0.95, &result), NBP_INVALID);
    CHECK_EQ(nbp_stats_student_t(3, 0, &result), NBP_INVALID);
    CHECK_EQ(nbp_stats_student_t(3, 1, &result), NBP_INVALID);
    CHECK_EQ(nbp_stats_mean_interval(samples, 1, 0.95, &interval), NBP_INVALID);
    CHECK_EQ(nbp_stats_mean_interval(samples, 2, 1.5, &interval), NBP_INVALID);
    CHECK_NEAR(result, 7, 0); /* left unwritten */
}

static void
test_outliers_are_mild_or_severe(void)
{
    /* Quartiles 2 and 4: fences at -1, 7 (mild) and -4, 10 (severe). */
    const double samples[] = {3, 2, 4, 2, 4, 3, 3, -1.5, 8, 11, 3, 2, 4};
    nbp_outliers outliers;
    CHECK_EQ(nbp_stats_outliers(samples, 13, &outliers), NBP_OK);
    CHECK_EQ(outliers.mild, 2);
    CHECK_EQ(outliers.severe, 1);
}

static void
test_student_t_agrees_with_published_tables(void)
{
    /* NIST/SEMATECH e-Handbook 1.3.6.7.2, two-sided, three decimals. */
    static const struct {
        double df, at_90, at_95, at_99;
    } rows[] = {
        {1, 6.314, 12.706, 63.657},      {2, 2.920, 4.303, 9.925},
        {5, 2.015, 2.571, 4.032},        {10, 1.812, 2.228, 3.169},
        {30, 1.697, 2.042, 2.750},       {100, 1.660, 1.984, 2.626},
        {INFINITY, 1.645, 1.960, 2.576},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        double t = 0;
        CHECK_EQ(nbp_stats_student_t(rows[i].df, 0.90, &t), NBP_OK);
        CHECK_NEAR(t, rows[i].at_90, 0.0005);
        CHECK_EQ(nbp_stats_student_t(rows[i].df, 0.95, &t), NBP_OK);
        CHECK_NEAR(t, rows[i].at_95, 0.0005);
        CHECK_EQ(nbp_stats_student_t(rows[i].df, 0.99, &t), NBP_OK);
        CHECK_NEAR(t, rows[i].at_99, 0.0005);
    }
}

static void
test_student_t_is_exact_where_a_closed_form_exists(void)
{
    static const double confidences[] = {0.01, 0.5, 0.9, 0.95, 0.999, 1 - 1e-9};
    for (size_t i = 0; i < sizeof(confidences) / sizeof(confidences[0]); i++) {
        double p = confidences[i], t = 0;
        double cauchy = 1 / tan((1 - p) * 3.14159265358979323846 / 2);
        CHECK_EQ(nbp_stats_student_t(1, p, &t), NBP_OK);
        CHECK_NEAR(t / cauchy, 1, 1e-10);
        CHECK_EQ(nbp_stats_student_t(2, p, &t), NBP_OK);
        CHECK_NEAR(t / (p * sqrt(2 / ((1 - p) * (1 + p)))), 1, 1e-10);
    }
}

static void
test_student_t_has_no_step_between_its_two_methods(void)
{
    static const double confidences[] = {0.1, 0.95, 0.999999};
    for (size_t i = 0; i < 3; i++) {
        double below = 0, above = 0;
        CHECK_EQ(nbp_stats_student_t(10000, confidences[i], &below), NBP_OK);
        CHECK_EQ(nbp_stats_student_t(10000 * (1 + 1e-12), confidences[i], &above),
                 NBP_OK);
        CHECK_NEAR(above / below, 1, 1e-10);
    }
}

static void
test_mean_interval_of_a_textbook_sample(void)
{
    const double samples[] = {1, 2, 3, 4, 5};
    nbp_interval interval;
    CHECK_EQ(nbp_stats_mean_interval(samples, 5, 0.95, &interval), NBP_OK);
    /* 3 -/+ t(4) * sqrt(2.5 / 5) */
    CHECK_NEAR(interval.mean, 3, 1e-15);
    CHECK_NEAR(interval.high - 3, 2.7764451051977987 * sqrt(0.5), 1e-9);
    CHECK_NEAR(3 - interval.low, interval.high - 3, 1e-12);
}

static void
test_mean_interval_of_extreme_samples(void)
{
    const double huge[] = {DBL_MAX, DBL_MAX, DBL_MAX}, zeros[] = {0, 0};
    nbp_interval interval;
    CHECK_EQ(nbp_stats_mean_interval(huge, 3, 0.95, &interval), NBP_OK);
    CHECK_NEAR(interval.mean / DBL_MAX, 1, 1e-15);
    CHECK_EQ(nbp_stats_mean_interval(zeros, 2, 0.95, &interval), NBP_OK);
    CHECK_NEAR(interval.high, 0, 0);
}

static void
test_steady_noise_is_rarely_cut(void)
{
    enum { SERIES = 1000, SAMPLES = 100 };
    uint64_t state = 42;
    int cut = 0;
    for (int series = 0; series < SERIES; series++) {
        double samples[SAMPLES];
        for (int i = 0; i < SAMPLES; i++) {
            samples[i] = noisy_time(&state);
        }
        size_t first = 99;
        CHECK_EQ(nbp_stats_steady_from(samples, SAMPLES, &first), NBP_OK);
        cut += first > 0;
    }
    CHECK(cut <= SERIES / 100);
}

static void
test_the_end_of_a_warm_up_is_found(void)
{
    enum { SERIES = 200, SAMPLES = 300, WARM_UP = 60 };
    uint64_t state = 7;
    int found = 0;
    for (int series = 0; series < SERIES; series++) {
        double samples[SAMPLES];
        for (int i = 0; i < SAMPLES; i++) {
            double rest = i < WARM_UP ? 1 - (double)i / WARM_UP : 0;
            samples[i] = noisy_time(&state) + (i < WARM_UP ? 5 + 30 * rest : 0);
        }
        size_t first = 0;
        CHECK_EQ(nbp_stats_steady_from(samples, SAMPLES, &first), NBP_OK);
        found += first >= WARM_UP * 0.9 && first <= WARM_UP * 1.1;
    }
    CHECK(found >= SERIES * 95 / 100);
}

static void
test_a_fast_start_is_a_warm_up_too(void)
{
    double samples[60];
    for (int i = 0; i < 60; i++) {
        samples[i] = (i < 12 ? 50 : 100) + (i + 1) % 3;
    }
    size_t first = 0;
    CHECK_EQ(nbp_stats_steady_from(samples, 60, &first), NBP_OK);
    CHECK_EQ(first, 12);
}

static void
test_a_drift_leaves_at_least_half(void)
{
    double samples[101];
    for (int i = 0; i < 101; i++) {
        samples[i] = 1000 - i;
    }
    size_t first = 0;
    CHECK_EQ(nbp_stats_steady_from(samples, 101, &first), NBP_OK);
    CHECK_EQ(first, 50);
}

static void
test_equal_and_few_samples_are_steady(void)
{
    double samples[40] = {9, 9, 9, 9, 9, 9};
    size_t first = 99;
    CHECK_EQ(nbp_stats_steady_from(samples, NBP_STATS_STEADY_MINIMUM - 1, &first),
             NBP_OK);
    CHECK_EQ(first, 0);
    CHECK_EQ(nbp_stats_steady_from(samples + 6, 34, &first), NBP_OK);
    CHECK_EQ(first, 0);
}

int
main(void)
{
    test_quantile_interpolates();
    test_quantile_of_huge_samples_does_not_overflow();
    test_arguments_out_of_range_are_refused();
    test_outliers_are_mild_or_severe();
    test_student_t_agrees_with_published_tables();
    test_student_t_is_exact_where_a_closed_form_exists();
    test_student_t_has_no_step_between_its_two_methods();
    test_mean_interval_of_a_textbook_sample();
    test_mean_interval_of_extreme_samples();
    test_steady_noise_is_rarely_cut();
    test_the_end_of_a_warm_up_is_found();
    test_a_fast_start_is_a_warm_up_too();
    test_a_drift_leaves_at_least_half();
    test_equal_and_few_samples_are_steady();
    return CHECK_RESULT();
}
