/* SPDX-License-Identifier: BSD-3-Clause */
/* How time grows with the size of the input: a power law, and the complexity class that
 * explains the measurements best. Sizes and times are finite doubles. Nothing here
 * keeps state or allocates: every function is thread-safe. */
#ifndef NBP_FIT_H
#define NBP_FIT_H

#include <stdbool.h>
#include <stddef.h>

#include "status.h"

/* Simplest first; an earlier class wins where the data cannot tell. */
typedef enum {
    NBP_GROWTH_CONSTANT,
    NBP_GROWTH_LOG,
    NBP_GROWTH_LINEAR,
    NBP_GROWTH_LINEAR_LOG,
    NBP_GROWTH_QUADRATIC,
    NBP_GROWTH_QUADRATIC_LOG,
    NBP_GROWTH_CUBIC,
    NBP_GROWTH_EXPONENTIAL,
    NBP_GROWTH_COUNT,
} nbp_growth;

/* time = offset + coefficient * f(size), with logarithms to base 2. */
typedef struct {
    nbp_growth growth;
    double coefficient; /* > 0; for NBP_GROWTH_CONSTANT the time itself */
    double offset;      /* >= 0; for NBP_GROWTH_CONSTANT 0 */
    double error;       /* root mean square of (time - fit) / time over the points */
} nbp_fit;

/* "O(n log n)" and the like, in UTF-8. */
const char *nbp_fit_name(nbp_growth growth);

/* The time that `fit` expects at `size`. */
double nbp_fit_time(const nbp_fit *fit, double size);

/* Least squares of log(time) on log(size): the exponent of a power law, and its
 * standard error. NBP_INVALID unless there are at least 3 points, all sizes and times
 * are positive, and the sizes are not all equal. */
nbp_status nbp_fit_power(const double *sizes, const double *times, size_t count,
                         double *exponent, double *standard_error);

/* Fits every class that the sizes allow and writes them to `fits`, best first, and
 * their number, at least 1, to `fit_count`. Left out are a class that is not finite at
 * some size (2^n beyond 1023), the logarithmic ones below size 1, the powers below 0,
 * and whatever would have to shrink as sizes grow. NBP_INVALID unless all times are
 * positive and there are at least 3 different sizes: with fewer every class fits.
 *
 * Each is a least-squares fit of relative residuals, because timing noise is relative.
 * Then the constant stands, unless the slope of the class that fits best differs from 0
 * with 95 % confidence (t test); else the simplest class wins whose Akaike criterion is
 * within 2 of the best. All these have the same number of parameters, so that the
 * criterion's correction for few points cancels. The others follow by their error.
 * Leave-one-out prediction was tried instead and was right less often: with sizes in
 * powers of ten it is decided by how each class extrapolates to the largest. */
nbp_status nbp_fit_complexity(const double *sizes, const double *times, size_t count,
                              nbp_fit fits[NBP_GROWTH_COUNT], size_t *fit_count);

#endif /* NBP_FIT_H */
