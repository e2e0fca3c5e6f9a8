/* SPDX-License-Identifier: BSD-3-Clause */
/* The functions that are running, of all threads: they hold objects and are none. */
#ifndef NBP_HEAPFRAMES_H
#define NBP_HEAPFRAMES_H

#include "layout.h"

/* Calls `visit` with each running frame, each thread's innermost first, until one call
 * gives something other than 0. `visit` runs no code. */
void nbp_frames_visit(int (*visit)(nbp_frame *frame, void *arg), void *arg);

#endif /* NBP_HEAPFRAMES_H */
