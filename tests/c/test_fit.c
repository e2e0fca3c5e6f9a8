/* SPDX-License-Identifier: BSD-3-Clause */
#include <float.h>

#include "check.h"
#include "fit.h"

/* Noise of a fixed pattern and +-1 %, so that the outcome is the same everywhere. */
static const double wobble[] = {1.007, 0.994, 1.009, 0.992, 1.003, 0.998, 1.01};

static void
fill_times(double *times, const double *sizes, size_t count, nbp_fit law)
{
    for (size_t i = 0; i < count; i++) {
        times[i] = nbp_fit_time(&law, sizes[i]) * wobble[i % 7];
    }
}

static void
test_power_law_is_recovered(void)
{
    const double sizes[] = {1, 10, 100, 1000}, times[] = {3, 300, 30000, 3e6};
    double exponent = 0, error = -1;
    CHECK_EQ(nbp_fit_power(sizes, times, 4, &exponent, &error), NBP_OK);
    CHECK_NEAR(exponent, 2, 1e-12);
    CHECK_NEAR(error, 0, 1e-12);
}

static void
test_power_law_states_its_error(void)
{
    /* In logarithms to base e: x 0, 1, 2, y 0, 2, 2; slope 1, residuals -1/3, 2/3,
     * -1/3. */
    const double sizes[] = {1, exp(1), exp(2)}, times[] = {1, exp(2), exp(2)};
    double exponent = 0, error = 0;
    CHECK_EQ(nbp_fit_power(sizes, times, 3, &exponent, &error), NBP_OK);
    CHECK_NEAR(exponent, 1, 1e-12);
    CHECK_NEAR(error, sqrt((6. / 9) / 1 / 2), 1e-12);
}

static void
test_power_law_refuses_what_has_no_logarithm_or_slope(void)
{
    const double good[] = {1, 2, 3}, zero[] = {1, 0, 3}, equal[] = {0.1, 0.1, 0.1};
    double exponent, error;
    CHECK_EQ(nbp_fit_power(good, good, 2, &exponent, &error), NBP_INVALID);
    CHECK_EQ(nbp_fit_power(zero, good, 3, &exponent, &error), NBP_INVALID);
    CHECK_EQ(nbp_fit_power(good, zero, 3, &exponent, &error), NBP_INVALID);
    CHECK_EQ(nbp_fit_power(equal, good, 3, &exponent, &error), NBP_INVALID);
}

static void
test_each_class_is_recognised(void)
{
    const double wide[] = {10, 100, 1000, 10000}, narrow[] = {4, 8, 12, 16, 20};
    static const double coefficients[NBP_GROWTH_COUNT] = {
        40, 25, 3, 1, 0.5, 0.1, 0.01, 0.002,
    };
    for (int growth = 0; growth < NBP_GROWTH_COUNT; growth++) {
        for (int with_offset = 0; with_offset < 2; with_offset++) {
            nbp_fit law = {
                .growth = (nbp_growth)growth,
                .coefficient = coefficients[growth],
                .offset = with_offset && growth > 0 ? 200 : 0,
            };
            const double *sizes = growth == NBP_GROWTH_EXPONENTIAL ? narrow : wide;
            size_t count = growth == NBP_GROWTH_EXPONENTIAL ? 5 : 4;
            double times[5];
            nbp_fit fits[NBP_GROWTH_COUNT];
            size_t fit_count = 0;
            fill_times(times, sizes, count, law);
            CHECK_EQ(nbp_fit_complexity(sizes, times, count, fits, &fit_count), NBP_OK);
            CHECK_EQ(fits[0].growth, growth);
            CHECK_NEAR(fits[0].coefficient / law.coefficient, 1, 0.03);
            CHECK(fits[0].error < 0.02);
            for (size_t i = 0; i < fit_count; i++) {
                CHECK(fits[i].coefficient > 0);
                CHECK(fits[i].offset >= 0);
                CHECK(i < 2 || fits[i].error >= fits[i - 1].error);
            }
        }
    }
}

static void
test_exact_data_is_fitted_exactly(void)
{
    const double sizes[] = {10, 100, 1000, 10000};
    const double times[] = {230, 500, 3200, 30200};
    nbp_fit fits[NBP_GROWTH_COUNT];
    size_t fit_count = 0;
    CHECK_EQ(nbp_fit_complexity(sizes, times, 4, fits, &fit_count), NBP_OK);
    CHECK_EQ(fits[0].growth, NBP_GROWTH_LINEAR);
    CHECK_NEAR(fits[0].coefficient, 3, 1e-9);
    CHECK_NEAR(fits[0].offset, 200, 1e-9);
    CHECK_NEAR(fits[0].error, 0, 1e-12);
    CHECK_NEAR(nbp_fit_time(&fits[0], 50), 350, 1e-9);
}

static void
test_equal_and_falling_times_are_constant(void)
{
    const double sizes[] = {1, 10, 100}, equal[] = {7, 7, 7}, falling[] = {9, 6, 3};
    nbp_fit fits[NBP_GROWTH_COUNT];
    size_t fit_count = 0;
    CHECK_EQ(nbp_fit_complexity(sizes, equal, 3, fits, &fit_count), NBP_OK);
    CHECK_EQ(fits[0].growth, NBP_GROWTH_CONSTANT);
    CHECK_NEAR(fits[0].coefficient, 7, 1e-12);
    CHECK_EQ(nbp_fit_complexity(sizes, falling, 3, fits, &fit_count), NBP_OK);
    CHECK_EQ(fit_count, 1);
    CHECK_EQ(fits[0].growth, NBP_GROWTH_CONSTANT);
}

static int
has(const nbp_fit *fits, size_t fit_count, nbp_growth growth)
{
    int found = 0;
    for (size_t i = 0; i < fit_count; i++) {
        found += fits[i].growth == growth;
    }
    return found;
}

static void
test_classes_that_the_sizes_forbid_are_left_out(void)
{
    const double times[] = {1, 2, 3, 4.1};
    const double large[] = {10, 100, 1000, 1024}, zero[] = {0, 1, 2, 3};
    const double negative[] = {-3, -2, -1, 0}, huge[] = {1e150, 2e150, 3e150, 4e150};
    nbp_fit fits[NBP_GROWTH_COUNT];
    size_t count = 0;
    CHECK_EQ(nbp_fit_complexity(large, times, 4, fits, &count), NBP_OK);
    CHECK_EQ(has(fits, count, NBP_GROWTH_EXPONENTIAL), 0);
    CHECK_EQ(has(fits, count, NBP_GROWTH_CUBIC), 1);
    CHECK_EQ(nbp_fit_complexity(zero, times, 4, fits, &count), NBP_OK);
    CHECK_EQ(has(fits, count, NBP_GROWTH_LOG), 0);
    CHECK_EQ(has(fits, count, NBP_GROWTH_LINEAR_LOG), 0);
    CHECK_EQ(has(fits, count, NBP_GROWTH_QUADRATIC_LOG), 0);
    CHECK_EQ(fits[0].growth, NBP_GROWTH_LINEAR);
    CHECK_EQ(nbp_fit_complexity(negative, times, 4, fits, &count), NBP_OK);
    CHECK_EQ(has(fits, count, NBP_GROWTH_LINEAR), 0);
    CHECK_EQ(has(fits, count, NBP_GROWTH_EXPONENTIAL), 1);
    CHECK_EQ(nbp_fit_complexity(huge, times, 4, fits, &count), NBP_OK);
    CHECK_EQ(has(fits, count, NBP_GROWTH_CUBIC), 0);
    CHECK_EQ(fits[0].growth, NBP_GROWTH_LINEAR);
}

static void
test_points_that_tell_nothing_are_refused(void)
{
    const double sizes[] = {10, 100, 1000, 10}, pairs[] = {10, 10, 100, 100};
    const double times[] = {1, 2, 3, 1}, zero[] = {1, 0, 2, 3}, bad[] = {1, NAN, 2, 3};
    nbp_fit fits[NBP_GROWTH_COUNT];
    size_t fit_count;
    CHECK_EQ(nbp_fit_complexity(sizes, times, 0, fits, &fit_count), NBP_INVALID);
    CHECK_EQ(nbp_fit_complexity(sizes, times, 2, fits, &fit_count), NBP_INVALID);
    CHECK_EQ(nbp_fit_complexity(sizes, times, 3, fits, &fit_count), NBP_OK);
    CHECK_EQ(nbp_fit_complexity(pairs, times, 4, fits, &fit_count), NBP_INVALID);
    CHECK_EQ(nbp_fit_complexity(sizes, zero, 4, fits, &fit_count), NBP_INVALID);
    CHECK_EQ(nbp_fit_complexity(sizes, bad, 4, fits, &fit_count), NBP_INVALID);
    CHECK_EQ(nbp_fit_complexity(bad, times, 4, fits, &fit_count), NBP_INVALID);
}

static void
test_extreme_times_do_not_overflow(void)
{
    const double sizes[] = {1, 2, 3};
    const double huge[] = {DBL_MAX / 3, DBL_MAX / 2, DBL_MAX};
    const double tiny[] = {DBL_MIN, 2 * DBL_MIN, 3 * DBL_MIN};
    nbp_fit fits[NBP_GROWTH_COUNT];
    size_t fit_count = 0;
    CHECK_EQ(nbp_fit_complexity(sizes, huge, 3, fits, &fit_count), NBP_OK);
    CHECK(isfinite(fits[0].error));
    CHECK_EQ(nbp_fit_complexity(sizes, tiny, 3, fits, &fit_count), NBP_OK);
    CHECK_EQ(fits[0].growth, NBP_GROWTH_LINEAR);
}

int
main(void)
{
    test_power_law_is_recovered();
    test_power_law_states_its_error();
    test_power_law_refuses_what_has_no_logarithm_or_slope();
    test_each_class_is_recognised();
    test_exact_data_is_fitted_exactly();
    test_equal_and_falling_times_are_constant();
    test_classes_that_the_sizes_forbid_are_left_out();
    test_points_that_tell_nothing_are_refused();
    test_extreme_times_do_not_overflow();
    return CHECK_RESULT();
}
