/* SPDX-License-Identifier: BSD-3-Clause */
/* sys.monitoring (3.12 and later) as C asks for it: by calls of its Python functions,
 * for there are no others. All need the GIL. */
#ifndef NBP_PY_TOOLID_H
#define NBP_PY_TOOLID_H

#include <Python.h>

#include "compat.h"

#if NBP_HAS_MONITORING

/* Calls a function of sys.monitoring for its effect, the arguments as a tuple's for
 * Py_BuildValue. 0, or -1 with an exception set. */
int nbp_monitoring_call(const char *name, const char *format, ...);

/* sys.monitoring.events.<name>, or -1 with an exception set. */
int nbp_monitoring_event(const char *name);

/* Takes the first of these ids that nobody uses, under the name `who`. -1 with an
 * exception set, or without one when all are taken. */
int nbp_toolid_take(const int *wanted, size_t n_wanted, const char *who);

/* Gives an id back, with no events and no callbacks, as far as it goes: an error does
 * not stop the rest. 0, or -1 with an exception set. */
int nbp_toolid_release(int tool);

#endif

#endif /* NBP_PY_TOOLID_H */
