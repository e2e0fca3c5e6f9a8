/* SPDX-License-Identifier: BSD-3-Clause */
/* Our functions in the place of those of Python's three allocators, and back. The GIL
 * is held, in all of these. */
#ifndef NBP_ALLOCATORS_H
#define NBP_ALLOCATORS_H

#include <stdbool.h>

/* Sees to it that allocations of all domains come by our functions: 0, or -1 with an
 * exception set, and some maybe in. */
int nbp_allocators_put_in(void);

/* Takes ours out where they are on top; under another tool's they hand through. */
void nbp_allocators_take_out(void);

/* Where ours are no longer reached, another tool has put back what was before them. */
bool nbp_allocators_are_displaced(void);

#endif /* NBP_ALLOCATORS_H */
