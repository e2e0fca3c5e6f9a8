/* SPDX-License-Identifier: BSD-3-Clause */
#include "pace.h"

#include <math.h>

enum {
    CLOSE = 1 << 19, /* ticks between readings, at first and at most: for a */
    APART = 1 << 22, /* processor's counter some 0.2 and 1.5 ms */
    PART = 32,       /* of the time until now is the time to the next one */
};

static const double least_ratio = 0.3, largest_ratio = 3.0;

/* Events slow down a little more than the work does: of the interpreter's code they
 * meet more. Measured as 1.14 for calls in Python and 1.09 for calls in C where a
 * neighbour made the work 1.75 times as long. */
static const double exponent = 1.1;

static double
within(double least, double value, double largest)
{
    return value < least ? least : value > largest ? largest : value;
}

static int64_t
timed(nbp_pace_work work, bool has_counter)
{
    int64_t began = nbp_ticks_now(has_counter);
    work.run(work.material);
    return nbp_ticks_now(has_counter) - began;
}

int64_t
nbp_pace_now(nbp_pace_work work, bool has_counter)
{
    work.run(work.material); /* finds the caches cold */
    int64_t a = timed(work, has_counter), b = timed(work, has_counter),
            c = timed(work, has_counter);
    int64_t low = a < b ? a : b, high = a < b ? b : a;
    return c < low ? low : c > high ? high : c;
}

int64_t
nbp_pace_take(nbp_pace *self, bool has_counter)
{
    int64_t pace = nbp_pace_now(self->work, has_counter);
    int64_t now = nbp_ticks_now(has_counter);
    /* While nothing is recorded, as in a long call in C, the pace does not matter. */
    double passed = self->weight > 0 ? within(CLOSE, (double)(now - self->last), APART)
                                     : (double)CLOSE;
    self->sum += (double)pace * passed;
    self->weight += passed;
    self->last = now;
    self->due = now + (int64_t)within(CLOSE, self->weight / PART, APART);
    return pace;
}

double
nbp_pace_ratio(double now, double then)
{
    if (!(now > 0 && then > 0)) {
        return 1.0;
    }
    return within(least_ratio, pow(now / then, exponent), largest_ratio);
}
