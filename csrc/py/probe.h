/* SPDX-License-Identifier: BSD-3-Clause */
/* The constants that instrumented code inverts: each stands for one line of one code
 * object, and inverting it is the event. */
#ifndef NBP_PROBE_H
#define NBP_PROBE_H

#include "linetable.h"
#include "state.h"

/* A new probe of `kind` for `slot` of `lines`. A LEAVE probe keeps `original`, the code
 * that its own code was made from; the others are given NULL. */
PyObject *nbp_probe_new(nbp_state *state, nbp_probe_kind kind, nbp_lines *lines,
                        uint32_t slot, PyObject *original);

/* The code that `code` was made from, if it has probes and those are switched off, and
 * so on until one has none or is in use; a new reference. */
PyObject *nbp_probe_original(nbp_state *state, PyObject *code);

/* The code without probes that `code` was made from, itself if it has none; a new
 * reference. */
PyObject *nbp_probe_source(nbp_state *state, PyObject *code);

/* The shadow of the running thread; NULL when events do not count, or without memory.
 */
nbp_shadow *nbp_probe_shadow(nbp_lines *lines, PyThreadState *thread);

#endif /* NBP_PROBE_H */
