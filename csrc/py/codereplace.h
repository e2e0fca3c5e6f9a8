/* SPDX-License-Identifier: BSD-3-Clause */
/* code.replace() while probes are in. What a program changes is its own code: of a code
 * object with probes, that which it was made from is changed, so that a new body never
 * meets the handlers and constants of the instrumented one, which would crash. */
#ifndef NBP_CODEREPLACE_H
#define NBP_CODEREPLACE_H

#include "state.h"

/* Has the code type replace like that until end() is called: 0, or -1 with an exception
 * set. Does nothing when it does already. */
int nbp_codereplace_begin(nbp_state *state, PyObject *module);

/* Gives the type its own method back; cannot fail. */
void nbp_codereplace_end(nbp_state *state);

#endif /* NBP_CODEREPLACE_H */
