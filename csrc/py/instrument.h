/* SPDX-License-Identifier: BSD-3-Clause */
/* From a code object to the same code with probes. */
#ifndef NBP_INSTRUMENT_H
#define NBP_INSTRUMENT_H

#include "linetable.h"
#include "state.h"

/* The lines of one code object and the slots of their counters. */
typedef struct {
    int32_t *lines;   /* owned; ascending: statements' first lines */
    uint32_t n_lines; /* the slot of lines[i] is first_slot + i */
    uint32_t first_slot;
} nbp_code_lines;

/* The slot of `line`; -1 when the code has no such statement. */
int64_t nbp_code_lines_slot(const nbp_code_lines *self, int32_t line);

/* The parts of `code` as the rewriter takes them; borrowed from it, from `bytes` (its
 * co_code) and with as many constants as `constants` has. */
nbp_code nbp_code_parts(PyCodeObject *code, PyObject *bytes, PyObject *constants);

/* A copy of `code` with `constants` (of the same length as its own) and probes that
 * write to new slots of `lines`, which are described in `*table`. Returns a new
 * reference; NULL with an exception set, or without one when `code` must not be
 * touched. */
PyObject *nbp_instrument(nbp_state *state, PyCodeObject *code, PyObject *constants,
                         const nbp_statements *statements, nbp_lines *lines,
                         nbp_code_lines *table);

/* The same slots, for code without probes whose lines are reported by the interpreter:
 * 0, or -1 with an exception set. */
int nbp_code_lines_of(PyCodeObject *code, const nbp_statements *statements,
                      nbp_lines *lines, nbp_code_lines *table);

/* The code type's own replace method, which codereplace.h hides while profiles run: a
 * new reference, NULL with an exception set. */
PyObject *nbp_own_replace(nbp_state *state);

/* code.replace(co_consts=constants): a new reference. */
PyObject *nbp_replace_constants(nbp_state *state, PyCodeObject *code,
                                PyObject *constants);

#endif /* NBP_INSTRUMENT_H */
