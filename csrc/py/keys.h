/* SPDX-License-Identifier: BSD-3-Clause */
/* What the two ends of a connection between processes share: their keys, and what is
 * raised when one cannot be opened. */
#ifndef NBP_KEYS_H
#define NBP_KEYS_H

#include <Python.h>

#include "collector.h"

/* Reads a tuple of four keys into `*lock` and points `*out` at it, or at NULL for None;
 * 0, or -1 with an exception set. */
int nbp_read_lock(PyObject *keys, nbp_lock *lock, const nbp_lock **out);

/* What opening `endpoint` gave, as an exception: 0 for NBP_OK, else -1 with one set. */
int nbp_raise_open(nbp_status status, const char *endpoint);

#endif /* NBP_KEYS_H */
