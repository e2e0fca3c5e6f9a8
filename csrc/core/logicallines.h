/* SPDX-License-Identifier: BSD-3-Clause */
/* Which physical lines of Python source make one logical line: a simple statement, or
 * the head of a compound one up to its colon. Found from brackets, strings and
 * backslashes alone, some hundred times as fast as parsing.
 *
 * Pure functions; any thread. */
#ifndef NBP_LOGICALLINES_H
#define NBP_LOGICALLINES_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

/* Lines of `text`: one more than it has line feeds. */
size_t nbp_lines_in(const char *text, size_t size);

/* Sets first[i] to the number of the first physical line of the logical line that
 * physical line i + 1 is part of, for all nbp_lines_in(text). `text` is UTF-8 with line
 * feeds only. NBP_INVALID when it cannot be Python, or is nested deeper than Python
 * allows. */
nbp_status nbp_logical_lines(const char *text, size_t size, int32_t *first);

#endif /* NBP_LOGICALLINES_H */
