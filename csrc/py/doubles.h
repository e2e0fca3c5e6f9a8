/* SPDX-License-Identifier: BSD-3-Clause */
/* A Python argument that stands for a series of measurements, as the core wants it. */
#ifndef NBP_DOUBLES_H
#define NBP_DOUBLES_H

#include <Python.h>

typedef struct {
    double *items; /* owned; never NULL after a successful read */
    Py_ssize_t count;
} nbp_doubles;

/* Copies `object`, a buffer of C doubles or an iterable of real numbers, into `self`:
 * 0, or -1 with an exception set and `self` empty: TypeError for what is no series of
 * numbers, ValueError for fewer than `minimum` (at least 1) or one that is not finite.
 * `name` is the argument's, for the message. */
int nbp_doubles_read(nbp_doubles *self, PyObject *object, const char *name,
                     Py_ssize_t minimum);

/* Frees the items; once more does nothing. */
void nbp_doubles_clear(nbp_doubles *self);

/* Reads one real number, nan and inf included: 0, or -1 with an exception set that
 * names it. */
int nbp_double_read(double *value, PyObject *object, const char *name);

#endif /* NBP_DOUBLES_H */
