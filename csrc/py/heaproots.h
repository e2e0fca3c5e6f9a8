/* SPDX-License-Identifier: BSD-3-Clause */
/* Which objects something holds that is none: C code, the interpreter, a running
 * expression. */
#ifndef NBP_HEAPROOTS_H
#define NBP_HEAPROOTS_H

#include "heaptake.h"

/* As a count of references: they are not counted. */
#define NBP_IMMORTAL UINT32_MAX

/* Lists the roots of the image: what has more references than the graph has edges to
 * it. `counts` has those of each node; what the `count` frames `concealed` hold does
 * not count, and neither do `lent` and what is done with it. Changes `counts`. */
nbp_status nbp_heap_find_roots(nbp_heap *self, uint32_t *counts, const nbp_lent *lent,
                               nbp_frame *const *concealed, size_t count);

#endif /* NBP_HEAPROOTS_H */
