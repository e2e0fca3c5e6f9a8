/* SPDX-License-Identifier: BSD-3-Clause */
/* The work that tells the processor's pace. It needs the GIL and nothing else: it runs
 * within events, so it allocates nothing, runs no Python, looks at no limit of
 * recursion and sets no exception. */
#ifndef NBP_PY_PACEWORK_H
#define NBP_PY_PACEWORK_H

#include <Python.h>

#include "pace.h"
#include "state.h"

/* The state must outlive what it is given to. */
nbp_pace_work nbp_pacework_of(const nbp_state *state);

#endif /* NBP_PY_PACEWORK_H */
