/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks of code objects that somebody else has put together. */
#ifndef NBP_SOUNDNESS_H
#define NBP_SOUNDNESS_H

#include "rewrite.h"

/* The highest constant that LOAD_CONST loads in `size` bytes of code; -1 for none. */
int64_t nbp_code_highest_constant(const nbp_opcodes *opcodes, const uint8_t *code,
                                  size_t size);

/* Whether all constants are there, and all handlers lie within the code: else to run it
 * would crash the interpreter. */
bool nbp_code_is_sound(const nbp_opcodes *opcodes, const nbp_code *code);

#endif /* NBP_SOUNDNESS_H */
