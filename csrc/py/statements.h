/* SPDX-License-Identifier: BSD-3-Clause */
/* Which lines belong to one statement, as Python code says it: {line: first line of its
 * statement}. */
#ifndef NBP_STATEMENTS_H
#define NBP_STATEMENTS_H

#include <Python.h>

#include "rewrite.h"

/* Reads `mapping` (NULL or None: every line is a statement) into `*out`, to be cleared
 * by the caller: 0, or -1 with an exception set. */
int nbp_statements_read(PyObject *mapping, nbp_statements *out);

/* A copy to be cleared as well: 0, or -1 with an exception set and nothing to clear. */
int nbp_statements_copy(const nbp_statements *from, nbp_statements *to);

void nbp_statements_clear(nbp_statements *self);

#endif /* NBP_STATEMENTS_H */
