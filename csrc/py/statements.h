/* SPDX-License-Identifier: BSD-3-Clause */
/* Which lines belong to one statement, as Python code says it: {line: first line of its
 * statement}, or the bytes that logical_lines() gave. */
#ifndef NBP_STATEMENTS_H
#define NBP_STATEMENTS_H

#include <Python.h>

#include "rewrite.h"

/* One for all codes of a file: those that keep it have a reference to `bytes`. */
typedef struct {
    nbp_statements view; /* into `bytes` */
    PyObject *bytes;     /* owned; NULL: every line is a statement */
} nbp_statement_map;

/* Reads `lines` (NULL or None: every line is a statement) into `*out`, to be cleared by
 * the caller: 0, or -1 with an exception set. */
int nbp_statements_read(PyObject *lines, nbp_statement_map *out);

/* Another reference to the same, to be cleared as well. */
nbp_statement_map nbp_statements_share(const nbp_statement_map *self);

void nbp_statements_clear(nbp_statement_map *self);

#endif /* NBP_STATEMENTS_H */
