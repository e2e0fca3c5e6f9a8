/* SPDX-License-Identifier: BSD-3-Clause */
/* What the rewriter must know of each instruction, one constant table for each CPython
 * version: the numbers of <opcode.h> change with every minor version. tests/lines
 * checks the tables against the running interpreter's own. */
#ifndef NBP_OPCODES_H
#define NBP_OPCODES_H

#include <stdbool.h>
#include <stdint.h>

enum {
    NBP_OP_KNOWN = 1 << 0,    /* code that holds any other opcode is left alone */
    NBP_OP_FORTH = 1 << 1,    /* its argument is a jump forward, in units */
    NBP_OP_BACK = 1 << 2,     /* its argument is a jump back, in units */
    NBP_OP_PREFIX = 1 << 3,   /* EXTENDED_ARG: belongs to the instruction behind it */
    NBP_OP_BARRED = 1 << 4,   /* nothing may be put in front of it */
    NBP_OP_RESUMES = 1 << 5,  /* the frame starts or goes on here */
    NBP_OP_RETURNS = 1 << 6,  /* the frame ends here */
    NBP_OP_YIELDS = 1 << 7,   /* the frame is suspended here */
    NBP_OP_SENDS = 1 << 8,    /* SEND */
    NBP_OP_ENDS_FOR = 1 << 9, /* END_FOR: FOR_ITER jumps past it by counting units */
    NBP_OP_POPS = 1 << 10,    /* POP_TOP */
    NBP_OP_PAIRED = 1 << 11,  /* nothing may come between it and its successor */
    NBP_OP_LIGHT = 1 << 12,   /* runs no code of the user, takes less than a probe */
    NBP_OP_ALWAYS = 1 << 13,  /* a light jump without a condition */
};

typedef struct {
    uint16_t traits; /* of NBP_OP_*; 0 when no compiler emits this number */
    uint8_t caches;  /* units of inline cache behind it */
} nbp_opcode;

typedef struct {
    int minor; /* of CPython 3.x */
    uint8_t load_const;
    uint8_t unary_invert;
    uint8_t pop_top;
    uint8_t reraise;
    uint8_t extended_arg;
    uint8_t jump_forward;
    /* gen.throw() reads the argument of the SEND from the unit before YIELD_VALUE. */
    bool send_before_yield;
    /* FOR_ITER skips the POP_TOP behind END_FOR as well. */
    bool pop_after_end_for;
    nbp_opcode opcode[256];
} nbp_opcodes;

/* The table of CPython 3.`minor`, or NULL for a version that nobody has tested. */
const nbp_opcodes *nbp_opcodes_of(int minor);

#endif /* NBP_OPCODES_H */
