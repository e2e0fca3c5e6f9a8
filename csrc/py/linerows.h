/* SPDX-License-Identifier: BSD-3-Clause */
/* What an engine has counted, as Python objects: each function returns a new reference,
 * or NULL with an exception set. */
#ifndef NBP_LINEROWS_H
#define NBP_LINEROWS_H

#include "engine.h"

/* [(code, how, [(line, hits, total_ns, self_ns, suspended_ns, total_tool_ns,
 * self_tool_ns)])], of all threads, or of the one whose number is `*thread`. */
PyObject *nbp_linerows_of(const nbp_engine *self, const uint64_t *thread);

/* [(code, how, [(line, inclusive, own, peak_bytes, own_peak_bytes)])], inclusive and
 * own being (allocated_bytes, allocated_blocks, freed_bytes, freed_blocks). */
PyObject *nbp_linerows_memory(const nbp_engine *self, const uint64_t *thread);

/* [(code, how, [(line, resident_bytes)])]: the most as the line ended, 0 when it was
 * not read. */
PyObject *nbp_linerows_resident(const nbp_engine *self, const uint64_t *thread);

/* The sorted numbers of the threads that ran measured code. */
PyObject *nbp_linerows_threads(const nbp_engine *self);

#endif /* NBP_LINEROWS_H */
