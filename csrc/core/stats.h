/* SPDX-License-Identifier: BSD-3-Clause */
/* Robust statistics of a series of measurements. Samples are any finite doubles, in any
 * unit; results have the same unit. Nothing here keeps state: every function is
 * thread-safe. NBP_INVALID means that an argument is out of the range that the function
 * states, and leaves the results unwritten. */
#ifndef NBP_STATS_H
#define NBP_STATS_H

#include <stddef.h>

#include "status.h"

/* Fewer samples than this are never searched for a warm-up: too few to tell one. */
#define NBP_STATS_STEADY_MINIMUM 20

/* Samples beyond Tukey's fences: quartiles -/+ 1.5 (mild) or 3 (severe) times the
 * distance between them. A severe outlier is not counted as mild. */
typedef struct {
    size_t mild;
    size_t severe;
} nbp_outliers;

/* A mean and the ends of its confidence interval. */
typedef struct {
    double mean;
    double low;
    double high;
} nbp_interval;

/* Sorts in place, ascending. */
void nbp_stats_sort(double *samples, size_t count);

/* Linear interpolation between the two nearest of `count` >= 1 ascending samples, for
 * 0 <= q <= 1: Hyndman and Fan's type 7, the default of numpy and R. */
double nbp_stats_quantile_sorted(const double *sorted, size_t count, double q);

/* The same for samples in any order, through a sorted copy. */
nbp_status nbp_stats_quantile(const double *samples, size_t count, double q,
                              double *quantile);

/* Counts over at least one ascending sample. */
nbp_outliers nbp_stats_outliers_sorted(const double *sorted, size_t count);

/* The same for samples in any order, through a sorted copy. */
nbp_status nbp_stats_outliers(const double *samples, size_t count,
                              nbp_outliers *outliers);

/* The t that a Student variable of `df` >= 1 degrees of freedom (INFINITY: a normal
 * one) stays within, -t to t, with probability 0 < `confidence` < 1. The relative error
 * is below 1e-10 from a confidence of 1e-6 on. Takes about 4 us. */
nbp_status nbp_stats_student_t(double df, double confidence, double *t);

/* The mean of at least two samples, and its t interval. It assumes that the samples are
 * independent; with outliers it is wide rather than wrong. */
nbp_status nbp_stats_mean_interval(const double *samples, size_t count,
                                   double confidence, nbp_interval *interval);

/* Writes the index of the first sample from which the series is steady: 0 when it is
 * from the start, at most count / 2. The later half is taken for steady; the samples
 * before it are a warm-up as long as they keep beyond its quartiles.
 *
 * Each sample of the first half gets its place in the later half's distribution, from
 * -1 (below all of it) to 1 (above all). A cumulative sum adds what that place exceeds
 * 1/2 by: it climbs during a slow start and, in a steady series, falls by 1/2 a sample
 * on average. Its highest point is the end of the warm-up, provided that it is higher
 * than 2. The same is done for a start that is faster than the rest.
 *
 * Places, not values, make it deaf to the size of outliers. A sum of uniform variables
 * with that fall ever reaches h with a probability below exp(-4.3 h) (Lundberg's
 * inequality); as the later half is a sample itself, short series do worse. Simulated
 * steady series (normal, lognormal, 15 % Pareto outliers, a coarse clock) are cut in
 * 1.4 % of the cases at 20 samples, 0.5 % at 50 and 0.1 % at 300; the end of a
 * ramp of 15 samples or more is found within 4 samples in 19 of 20. It needs four
 * samples to see a warm-up, takes a drift that never ends for one of count / 2 samples,
 * and an exponential decay ends for it when the excess is about two thirds of the
 * noise's standard deviation. */
nbp_status nbp_stats_steady_from(const double *samples, size_t count, size_t *first);

#endif /* NBP_STATS_H */
