/* SPDX-License-Identifier: BSD-3-Clause */
/* The few macros that the C unit tests need: they print both values, never compile out,
 * and let the remaining checks of the program run. */
#ifndef NBP_TESTS_CHECK_H
#define NBP_TESTS_CHECK_H

#include <math.h>
#include <stdio.h>
#include <unistd.h>

static int check_failures = 0;

#define CHECK(condition)                                                               \
    do {                                                                               \
        if (!(condition)) {                                                            \
            check_failures++;                                                          \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);  \
        }                                                                              \
    } while (0)

#define CHECK_EQ(actual, expected)                                                     \
    do {                                                                               \
        long long actual_ = (long long)(actual), expected_ = (long long)(expected);    \
        if (actual_ != expected_) {                                                    \
            check_failures++;                                                          \
            fprintf(stderr, "%s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__,       \
                    #actual, actual_, expected_);                                      \
        }                                                                              \
    } while (0)

#define CHECK_NEAR(actual, expected, tolerance)                                        \
    do {                                                                               \
        double actual_ = (actual), expected_ = (expected);                             \
        if (!(fabs(actual_ - expected_) <= (tolerance))) {                             \
            check_failures++;                                                          \
            fprintf(stderr, "%s:%d: %s is %.17g, not %.17g\n", __FILE__, __LINE__,     \
                    #actual, actual_, expected_);                                      \
        }                                                                              \
    } while (0)

/* The exit code of a test program. */
#define CHECK_RESULT() (check_failures == 0 ? 0 : 1)

/* Ends a forked child with the test's result. By way of another program, because what a
 * child must leave alone is no leak, and valgrind would call it one. */
static inline void
check_end_child(int result)
{
    execl("/bin/sh", "sh", "-c", result == 0 ? "exit 0" : "exit 1", (char *)NULL);
    _exit(127);
}

#endif /* NBP_TESTS_CHECK_H */
