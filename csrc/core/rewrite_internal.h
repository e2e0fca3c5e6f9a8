/* SPDX-License-Identifier: BSD-3-Clause */
/* What rewrite.c (reads and writes) and plan.c (places the probes) share. */
#ifndef NBP_REWRITE_INTERNAL_H
#define NBP_REWRITE_INTERNAL_H

#include "codetables.h"
#include "rewrite.h"

typedef struct {
    /* As read */
    uint32_t unit;     /* where it starts, its prefixes included */
    uint32_t argument; /* all bytes of it */
    int32_t target;    /* instruction that it jumps to, or -1 */
    int32_t line;      /* -1 when it has none */
    uint32_t location; /* index of the entry with its first unit */
    uint16_t traits;
    uint8_t op;
    uint8_t prefixes; /* EXTENDED_ARG units */
    uint8_t caches;
    bool is_target; /* of a jump or of a handler */
    /* As planned: indices of probes, or -1 */
    int32_t after_resume; /* before the label: a jump to this instruction skips it */
    int32_t on_line;      /* from here on behind the label */
    int32_t leaving;
    /* As laid out, in units */
    uint32_t start; /* of everything that was put in front of it */
    uint32_t label; /* where jumps to it arrive */
    uint32_t at;    /* the instruction itself */
    uint32_t new_argument;
    uint8_t new_prefixes;
} instruction;

struct nbp_rewrite {
    const nbp_opcodes *opcodes; /* borrowed, constant */
    nbp_code in;                /* its pointers are borrowed */
    instruction *instructions;  /* owned */
    size_t count;
    int32_t *index_of;       /* owned; instruction that starts at a unit, or -1 */
    nbp_location *locations; /* owned */
    size_t n_locations;
    nbp_handler *handlers; /* owned; start, end and target are instructions */
    size_t n_handlers;
    nbp_probe *probes; /* owned; NULL before the plan */
    size_t n_probes;
    int32_t leave_probe; /* index, in effect with a plan only */
    uint32_t first_resume;
    uint32_t end; /* of the laid out code without its tail, in units */
    nbp_bytes code;
    nbp_bytes location_bytes;
    nbp_bytes handler_bytes;
};

#endif /* NBP_REWRITE_INTERNAL_H */
