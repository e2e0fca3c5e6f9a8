/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether stacks that are read from outside are those that the interpreter has: offsets
 * come from headers, and the interpreter that runs may have been built from others. */
#ifndef NBP_LAYOUTCHECK_H
#define NBP_LAYOUTCHECK_H

/* Reads the stack of the calling thread both ways; it holds the GIL, so the stack stays
 * as it is. 0, or -1 with a RuntimeError set that says why it cannot be done here. */
int nbp_layout_check(void);

#endif /* NBP_LAYOUTCHECK_H */
