/* SPDX-License-Identifier: BSD-3-Clause */
#include "fit.h"

#include <float.h>
#include <math.h>

#include "stats.h"

/* Residuals below this are rounding, not evidence: classes this close are equal. */
static const double exact = 1e-9;

static const struct {
    char name[16];   /* not a pointer: the table stays in read-only memory */
    double smallest; /* the size from which the class is positive and grows */
} classes[NBP_GROWTH_COUNT] = {
    [NBP_GROWTH_CONSTANT] = {"O(1)", -INFINITY},
    [NBP_GROWTH_LOG] = {"O(log n)", 1},
    [NBP_GROWTH_LINEAR] = {"O(n)", 0},
    [NBP_GROWTH_LINEAR_LOG] = {"O(n log n)", 1},
    [NBP_GROWTH_QUADRATIC] = {"O(n²)", 0},
    [NBP_GROWTH_QUADRATIC_LOG] = {"O(n² log n)", 1},
    [NBP_GROWTH_CUBIC] = {"O(n³)", 0},
    [NBP_GROWTH_EXPONENTIAL] = {"O(2ⁿ)", -INFINITY},
};

const char *
nbp_fit_name(nbp_growth growth)
{
    return classes[growth].name;
}

/* f(n) of the class; not finite where it overflows. */
static double
work(nbp_growth growth, double n)
{
    switch (growth) {
    case NBP_GROWTH_LOG:
        return log2(n);
    case NBP_GROWTH_LINEAR:
        return n;
    case NBP_GROWTH_LINEAR_LOG:
        return n * log2(n);
    case NBP_GROWTH_QUADRATIC:
        return n * n;
    case NBP_GROWTH_QUADRATIC_LOG:
        return n * n * log2(n);
    case NBP_GROWTH_CUBIC:
        return n * n * n;
    case NBP_GROWTH_EXPONENTIAL:
        return exp2(n);
    case NBP_GROWTH_CONSTANT:
    case NBP_GROWTH_COUNT:
        break;
    }
    return 1;
}

double
nbp_fit_time(const nbp_fit *fit, double size)
{
    return fit->offset + fit->coefficient * work(fit->growth, size);
}

nbp_status
nbp_fit_power(const double *sizes, const double *times, size_t count, double *exponent,
              double *standard_error)
{
    if (count < 3) {
        return NBP_INVALID;
    }
    double n = (double)count, x_mean = 0, y_mean = 0;
    for (size_t i = 0; i < count; i++) {
        if (!(sizes[i] > 0) || !(times[i] > 0)) {
            return NBP_INVALID;
        }
        x_mean += log(sizes[i]) / n;
        y_mean += log(times[i]) / n;
    }
    double xx = 0, xy = 0, residuals = 0;
    for (size_t i = 0; i < count; i++) {
        double x = log(sizes[i]) - x_mean;
        xx += x * x;
        xy += x * (log(times[i]) - y_mean);
    }
    /* Equal sizes leave a spread of rounding errors, not exactly 0. */
    if (!(xx > n * DBL_EPSILON * DBL_EPSILON * (1 + x_mean * x_mean) * 16)) {
        return NBP_INVALID;
    }
    double slope = xy / xx;
    for (size_t i = 0; i < count; i++) {
        double residual = log(times[i]) - y_mean - slope * (log(sizes[i]) - x_mean);
        residuals += residual * residual;
    }
    *exponent = slope;
    *standard_error = sqrt(residuals / (n - 2) / xx);
    return NBP_OK;
}

/* Three different sizes, and times that can be divided by? */
static bool
can_fit(const double *sizes, const double *times, size_t count)
{
    size_t different = 0;
    double seen[2] = {0, 0};
    for (size_t i = 0; i < count; i++) {
        if (!(times[i] > 0) || !isfinite(times[i]) || !isfinite(sizes[i])) {
            return false;
        }
        bool known = (different > 0 && sizes[i] == seen[0]) ||
                     (different > 1 && sizes[i] == seen[1]);
        if (!known && different < 3) {
            if (different < 2) {
                seen[different] = sizes[i];
            }
            different++;
        }
    }
    return different == 3;
}

/* The sum of squared relative residuals. */
static double
squared_residuals(const nbp_fit *fit, const double *sizes, const double *times,
                  size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        double residual = 1 - nbp_fit_time(fit, sizes[i]) / times[i];
        sum += residual * residual;
    }
    return sum;
}

/* The largest f(n) and the smallest time: the units of the sums in fit_class(), which
 * keep them from overflowing. False where the class is not defined at some size. */
static bool
find_units(nbp_growth growth, const double *sizes, const double *times, size_t count,
           double *work_unit, double *time_unit)
{
    *work_unit = 0;
    *time_unit = INFINITY;
    for (size_t i = 0; i < count; i++) {
        double f = work(growth, sizes[i]);
        if (sizes[i] < classes[growth].smallest || !isfinite(f)) {
            return false;
        }
        *work_unit = fmax(*work_unit, f);
        *time_unit = fmin(*time_unit, times[i]);
    }
    return *work_unit > 0;
}

/* Least squares of 1 = offset * u + coefficient * v with u = 1 / time, v = f / time; v
 * is first made orthogonal to u, since the two can be nearly parallel. False when the
 * class cannot be fitted with offset >= 0 and coefficient > 0. */
static bool
fit_class(nbp_growth growth, const double *sizes, const double *times, size_t count,
          nbp_fit *fit)
{
    double work_unit, time_unit, uu = 0, uv = 0, vv = 0, u_sum = 0, v_sum = 0;
    if (!find_units(growth, sizes, times, count, &work_unit, &time_unit)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        double u = time_unit / times[i], v = work(growth, sizes[i]) / work_unit * u;
        uu += u * u;
        uv += u * v;
        vv += v * v;
        u_sum += u;
        v_sum += v;
    }
    double offset = 0, coefficient = v_sum / vv;
    if (growth != NBP_GROWTH_CONSTANT) {
        double ww = 0, w_sum = 0;
        for (size_t i = 0; i < count; i++) {
            double u = time_unit / times[i];
            double w = (work(growth, sizes[i]) / work_unit - uv / uu) * u;
            ww += w * w;
            w_sum += w;
        }
        if (!(ww > vv * 1e-24) || !(w_sum > 0)) {
            return false; /* flat over these sizes, or falling */
        }
        offset = (u_sum - w_sum / ww * uv) / uu;
        if (offset > 0) {
            coefficient = w_sum / ww;
        }
        else {
            offset = 0;
        }
    }
    *fit = (nbp_fit){
        .growth = growth,
        .coefficient = coefficient * time_unit / work_unit,
        .offset = offset * time_unit,
    };
    double squares = squared_residuals(fit, sizes, times, count);
    fit->error = sqrt(squares / (double)count);
    return fit->coefficient > 0 && isfinite(fit->coefficient) && isfinite(fit->error);
}

/* The standard deviation of the times' logarithms: what the constant leaves
 * unexplained. Its relative residuals cannot be more than about 1, however far apart
 * the times are: with three points and some noise they would let it stand for times
 * from 1 to 1000. */
static double
logarithmic_spread(const double *times, size_t count)
{
    double n = (double)count, mean = 0, squares = 0;
    for (size_t i = 0; i < count; i++) {
        mean += log(times[i]) / n;
    }
    for (size_t i = 0; i < count; i++) {
        squares += (log(times[i]) - mean) * (log(times[i]) - mean) / n;
    }
    return sqrt(squares);
}

/* The place in `fits` of the class to believe; fits[0] is the constant. */
static size_t
choose(const nbp_fit *fits, size_t fit_count, const double *times, size_t count)
{
    double n = (double)count, best = INFINITY, t = INFINITY;
    for (size_t i = 1; i < fit_count; i++) {
        best = fmin(best, fmax(fits[i].error, exact));
    }
    double spread = logarithmic_spread(times, count);
    if (nbp_stats_student_t(n - 2, 0.95, &t) != NBP_OK ||
        spread <= best * sqrt(1 + t * t / (n - 2))) {
        return 0;
    }
    size_t chosen = 1;
    while (fits[chosen].error > best * exp(1 / n)) {
        chosen++; /* the Akaike criterion is 2 n log(error) plus a constant */
    }
    return chosen;
}

nbp_status
nbp_fit_complexity(const double *sizes, const double *times, size_t count,
                   nbp_fit fits[NBP_GROWTH_COUNT], size_t *fit_count)
{
    if (!can_fit(sizes, times, count)) {
        return NBP_INVALID;
    }
    size_t found = 0;
    for (int growth = 0; growth < NBP_GROWTH_COUNT; growth++) {
        if (fit_class((nbp_growth)growth, sizes, times, count, &fits[found])) {
            found++;
        }
        else if (growth == NBP_GROWTH_CONSTANT) {
            return NBP_INVALID; /* times too far apart for a double */
        }
    }
    size_t chosen = choose(fits, found, times, count);
    nbp_fit first = fits[chosen];
    for (size_t i = chosen; i > 0; i--) {
        fits[i] = fits[i - 1];
    }
    fits[0] = first;
    for (size_t i = 2; i < found; i++) { /* insertion sort of the rest by error */
        nbp_fit fit = fits[i];
        size_t j = i;
        for (; j > 1 && fits[j - 1].error > fit.error; j--) {
            fits[j] = fits[j - 1];
        }
        fits[j] = fit;
    }
    *fit_count = found;
    return NBP_OK;
}
