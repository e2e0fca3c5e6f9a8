/* SPDX-License-Identifier: BSD-3-Clause */
/* Puts probes into the bytes of a code object: `LOAD_CONST probe; UNARY_INVERT;
 * POP_TOP` at the start of each statement, behind each RESUME, before each return and
 * yield, and in a handler round the whole body. Everything else keeps its meaning, its
 * line and its columns.
 *
 * Works on co_code, co_linetable and co_exceptiontable alone. One object serves one
 * code object and one thread at a time. */
#ifndef NBP_REWRITE_H
#define NBP_REWRITE_H

#include <stddef.h>
#include <stdint.h>

#include "opcodes.h"
#include "status.h"

typedef enum {
    NBP_PROBE_ENTER,   /* the frame starts, on this line */
    NBP_PROBE_LINE,    /* this line starts, unless the frame is on it already */
    NBP_PROBE_RESUME,  /* the frame goes on, on this line */
    NBP_PROBE_LEAVE,   /* the frame ends */
    NBP_PROBE_SUSPEND, /* the frame is suspended */
    NBP_PROBE_LAST,    /* LINE and LEAVE: a line that does nothing but return */
    NBP_PROBE_PAUSE,   /* LINE and SUSPEND: a line that does nothing but yield */
    NBP_PROBE_KINDS,
} nbp_probe_kind;

/* One probe of a code object. Several places share it. */
typedef struct {
    nbp_probe_kind kind;
    int32_t line; /* first line of the statement; -1 for LEAVE and SUSPEND */
} nbp_probe;

/* The parts of a code object that matter here; all pointers are borrowed. */
typedef struct {
    const uint8_t *code;      /* co_code: two bytes a unit, not specialised */
    size_t code_size;         /* in bytes, as are the other sizes */
    const uint8_t *locations; /* co_linetable */
    size_t locations_size;
    const uint8_t *handlers; /* co_exceptiontable */
    size_t handlers_size;
    int32_t first_line;
    uint32_t constants; /* length of co_consts: the probes are appended to it */
    uint32_t stack_size;
} nbp_code;

/* Which line a statement starts on: `first[line - from]`, for `count` lines. A line
 * outside starts its own statement. */
typedef struct {
    const int32_t *first; /* borrowed */
    int32_t from;
    int32_t count;
} nbp_statements;

typedef struct nbp_rewrite nbp_rewrite;

/* Reads `code` (which must outlive the result) into `*out`, owned by the caller.
 * NBP_INVALID when it holds anything unknown, or when writing it again unchanged would
 * not give the same bytes: such code must not be touched. */
nbp_status nbp_rewrite_new(nbp_rewrite **out, const nbp_opcodes *opcodes,
                           const nbp_code *code);
void nbp_rewrite_destroy(nbp_rewrite **self_p);

/* Chooses the places of all probes; to be called once at most. NBP_INVALID when the
 * code has no place to start from. */
nbp_status nbp_rewrite_plan(nbp_rewrite *self, const nbp_statements *statements);

/* The probes of the plan, in the order in which they must be appended to co_consts;
 * borrowed. Their number goes to `*count`, 0 before a plan. */
const nbp_probe *nbp_rewrite_probes(const nbp_rewrite *self, size_t *count);

/* Writes the code with the planned probes in; `*out` borrows from `self`. */
nbp_status nbp_rewrite_emit(nbp_rewrite *self, nbp_code *out);

#endif /* NBP_REWRITE_H */
