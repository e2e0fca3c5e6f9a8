/* SPDX-License-Identifier: BSD-3-Clause */
#include "stats.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* math.h has it only outside strict C11. */
static const double pi = 3.14159265358979323846;

static int
compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

void
nbp_stats_sort(double *samples, size_t count)
{
    /* A selection would find one quantile in linear time, but quartiles, outliers and
     * a histogram all want the whole order, and 10,000 samples take about 1 ms. */
    qsort(samples, count, sizeof(*samples), compare_doubles);
}

/* An ascending copy, owned by the caller; NULL without memory. */
static double *
sorted_copy(const double *samples, size_t count)
{
    assert(count > 0);
    if (count > SIZE_MAX / sizeof(*samples)) {
        return NULL;
    }
    double *sorted = malloc(count * sizeof(*samples));
    if (sorted != NULL) {
        memcpy(sorted, samples, count * sizeof(*samples));
        nbp_stats_sort(sorted, count);
    }
    return sorted;
}

double
nbp_stats_quantile_sorted(const double *sorted, size_t count, double q)
{
    assert(count > 0 && q >= 0 && q <= 1);
    double position = q * (double)(count - 1);
    size_t index = (size_t)position;
    if (index >= count - 1) {
        return sorted[count - 1];
    }
    double low = sorted[index], high = sorted[index + 1];
    double part = position - (double)index;
    if ((low < 0) != (high < 0)) {
        return low * (1 - part) + high * part; /* high - low might overflow */
    }
    return low + (high - low) * part;
}

nbp_status
nbp_stats_quantile(const double *samples, size_t count, double q, double *quantile)
{
    if (count == 0 || !(q >= 0 && q <= 1)) {
        return NBP_INVALID;
    }
    double *sorted = sorted_copy(samples, count); /* owned */
    if (sorted == NULL) {
        return NBP_NO_MEMORY;
    }
    *quantile = nbp_stats_quantile_sorted(sorted, count, q);
    free(sorted);
    return NBP_OK;
}

nbp_outliers
nbp_stats_outliers_sorted(const double *sorted, size_t count)
{
    double q1 = nbp_stats_quantile_sorted(sorted, count, 0.25);
    double q3 = nbp_stats_quantile_sorted(sorted, count, 0.75);
    double range = q3 - q1; /* infinite for huge samples: then nothing is outside */
    nbp_outliers outliers = {0, 0};
    for (size_t i = 0; i < count; i++) {
        if (sorted[i] < q1 - 3 * range || sorted[i] > q3 + 3 * range) {
            outliers.severe++;
        }
        else if (sorted[i] < q1 - 1.5 * range || sorted[i] > q3 + 1.5 * range) {
            outliers.mild++;
        }
    }
    return outliers;
}

nbp_status
nbp_stats_outliers(const double *samples, size_t count, nbp_outliers *outliers)
{
    if (count == 0) {
        return NBP_INVALID;
    }
    double *sorted = sorted_copy(samples, count); /* owned */
    if (sorted == NULL) {
        return NBP_NO_MEMORY;
    }
    *outliers = nbp_stats_outliers_sorted(sorted, count);
    free(sorted);
    return NBP_OK;
}

/* Gamma(a + 1/2) / Gamma(a). The difference of two lgamma() loses six digits at a =
 * 5e5; the asymptotic series (NIST DLMF 5.11.13) loses none, and the recurrence of the
 * gamma function leads to it from small a. */
static double
gamma_ratio(double a)
{
    double factor = 1;
    for (; a < 100; a += 1) {
        factor *= a / (a + 0.5);
    }
    double r = 1 / a;
    double series = 5. / 1024 + r * (-21. / 32768 + r * (-399. / 262144));
    return factor * sqrt(a) * (1 + r * (-1. / 8 + r * (1. / 128 + r * series)));
}

/* The regularised incomplete beta function I_x(a, b) for x < (a + 1) / (a + b + 2),
 * without its factor x^a (1-x)^b / (a B(a, b)): the continued fraction of NIST DLMF
 * 8.17.22 by Lentz's method (Thompson and Barnett 1986). Takes about sqrt(a) turns. */
static double
beta_fraction(double x, double a, double b)
{
    double numerator = 1, denominator = 1 / (1 - (a + b) * x / (a + 1));
    double fraction = denominator;
    for (int m = 1; m < 10000; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        denominator = 1 / (1 + even * denominator);
        numerator = 1 + even / numerator;
        fraction *= numerator * denominator;
        denominator = 1 / (1 + odd * denominator);
        numerator = 1 + odd / numerator;
        double change = numerator * denominator;
        fraction *= change;
        if (fabs(change - 1) < DBL_EPSILON) {
            break;
        }
    }
    return fraction;
}

/* The probability that a Student variable is beyond -t..t. */
static double
student_tails(double t, double df)
{
    double a = df / 2, x = 1 / (1 + t * t / df), y = t * t / (df + t * t);
    double power = exp(-a * log1p(t * t / df)); /* x^a, also where x rounds to 1 */
    double scale = power * sqrt(y) * gamma_ratio(a) / sqrt(pi);
    if (x < (a + 1) / (a + 2.5)) {
        return scale / a * beta_fraction(x, a, 0.5);
    }
    return 1 - 2 * scale * beta_fraction(y, 0.5, a);
}

static double
student_density(double t, double df)
{
    double power = exp(-(df + 1) / 2 * log1p(t * t / df));
    return power * gamma_ratio(df / 2) / sqrt(df * pi);
}

/* The probability that a standard normal variable is beyond -z..z. */
static double
normal_tails(double z)
{
    return erfc(z / sqrt(2));
}

static double
normal_density(double z)
{
    return exp(-z * z / 2) / sqrt(2 * pi);
}

/* Solves tails(t) = 1 - confidence for t by Newton's method on the logarithms of both t
 * and the probability: in these the curve of either distribution is concave, so that
 * every iterate that is right of the solution is followed by one between the two. An
 * infinite `df` stands for the normal distribution. */
static double
invert_tails(double df, double confidence)
{
    double u = 0, goal = log1p(-confidence);
    for (int turn = 0; turn < 100; turn++) {
        double t = exp(u);
        double tails = isinf(df) ? normal_tails(t) : student_tails(t, df);
        double density = isinf(df) ? normal_density(t) : student_density(t, df);
        double step = (log(tails) - goal) * tails / (2 * density * t);
        step = fmin(step, 1); /* the first might land where tails() underflows */
        u += step;
        if (!(fabs(step) > 1e-9)) {
            break; /* the error is about the square of the last step */
        }
    }
    return exp(u);
}

nbp_status
nbp_stats_student_t(double df, double confidence, double *t)
{
    if (!(df >= 1) || !(confidence > 0 && confidence < 1)) {
        return NBP_INVALID;
    }
    if (df <= 1e4) {
        *t = invert_tails(df, confidence);
        return NBP_OK;
    }
    /* Fisher's expansion about the normal quantile (Abramowitz and Stegun 26.7.5): the
     * first term left out is below 1e-11 here. */
    double z = invert_tails(INFINITY, confidence), s = z * z;
    double first = z * (s + 1) / 4;
    double second = z * ((5 * s + 16) * s + 3) / 96;
    double third = z * (((3 * s + 19) * s + 17) * s - 15) / 384;
    *t = z + (first + (second + third / df) / df) / df;
    return NBP_OK;
}

nbp_status
nbp_stats_mean_interval(const double *samples, size_t count, double confidence,
                        nbp_interval *interval)
{
    if (count < 2) {
        return NBP_INVALID;
    }
    double t;
    nbp_status status = nbp_stats_student_t((double)count - 1, confidence, &t);
    if (status != NBP_OK) {
        return status;
    }
    /* In units of the largest sample, so that neither sum overflows. */
    double largest = 0;
    for (size_t i = 0; i < count; i++) {
        largest = fmax(largest, fabs(samples[i]));
    }
    if (largest == 0) {
        *interval = (nbp_interval){0, 0, 0};
        return NBP_OK;
    }
    double n = (double)count, sum = 0, squares = 0, rest = 0;
    for (size_t i = 0; i < count; i++) {
        sum += samples[i] / largest;
    }
    double mean = sum / n;
    for (size_t i = 0; i < count; i++) {
        double deviation = samples[i] / largest - mean;
        squares += deviation * deviation;
        rest += deviation; /* what rounding left: 0 with exact arithmetic */
    }
    mean += rest / n;
    squares = fmax(0, squares - rest * rest / n);
    double half = t * sqrt(squares / (n - 1) / n);
    *interval = (nbp_interval){
        .mean = mean * largest,
        .low = (mean - half) * largest,
        .high = (mean + half) * largest,
    };
    return NBP_OK;
}

/* Where `sample` lies in the distribution, from -1 (below all) to 1 (above all); equal
 * samples count half, so that a coarse clock leans to neither side. */
static double
place(double sample, const double *sorted, size_t count)
{
    size_t below = 0, end = count; /* the first that is not below */
    while (below < end) {
        size_t middle = below + (end - below) / 2;
        if (sorted[middle] < sample) {
            below = middle + 1;
        }
        else {
            end = middle;
        }
    }
    size_t above = below; /* the first that is above */
    end = count;
    while (above < end) {
        size_t middle = above + (end - above) / 2;
        if (sorted[middle] <= sample) {
            above = middle + 1;
        }
        else {
            end = middle;
        }
    }
    return ((double)below + (double)above) / (double)count - 1;
}

nbp_status
nbp_stats_steady_from(const double *samples, size_t count, size_t *first)
{
    *first = 0;
    if (count < NBP_STATS_STEADY_MINIMUM) {
        return NBP_OK;
    }
    size_t half = count / 2, later = count - half;
    double *sorted = sorted_copy(samples + half, later); /* owned */
    if (sorted == NULL) {
        return NBP_NO_MEMORY;
    }
    double slow = 0, fast = 0, highest = 2;
    for (size_t i = 0; i < half; i++) {
        double where = place(samples[i], sorted, later);
        slow += where - 0.5;
        fast += -where - 0.5;
        if (fmax(slow, fast) > highest) {
            highest = fmax(slow, fast);
            *first = i + 1;
        }
    }
    free(sorted);
    return NBP_OK;
}
