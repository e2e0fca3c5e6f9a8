/* SPDX-License-Identifier: BSD-3-Clause */
/* What a measurement of allocations says by place, as a dictionary. */
#ifndef NBP_ALLOCROWS_H
#define NBP_ALLOCROWS_H

#include <Python.h>

#include "alloctable.h"

/* Costs of `measure` added up by what `by` says: a str as described at
 * Allocations.table(), NULL for lines. A new reference, or NULL with an exception set.
 */
PyObject *nbp_allocrows(nbp_measure *measure, PyObject *by);

/* Where the block of an object was allocated: a tuple as table("traceback") has it, or
 * None when it is none of `measure`'s. A new reference, or NULL with an exception set.
 */
PyObject *nbp_allocrows_place(nbp_measure *measure, PyObject *op);

#endif /* NBP_ALLOCROWS_H */
