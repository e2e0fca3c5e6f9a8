/* SPDX-License-Identifier: BSD-3-Clause */
#include "opcodes.h"

#include <stddef.h>

#include "opcodelist.h"

/* Short, for the list only. */
enum {
    FORTH = NBP_OP_FORTH,
    BACK = NBP_OP_BACK,
    PREFIX = NBP_OP_PREFIX,
    BARRED = NBP_OP_BARRED,
    RESUMES = NBP_OP_RESUMES,
    RETURNS = NBP_OP_RETURNS,
    YIELDS = NBP_OP_YIELDS,
    SENDS = NBP_OP_SENDS,
    ENDS_FOR = NBP_OP_ENDS_FOR,
    POPS = NBP_OP_POPS,
    PAIRED = NBP_OP_PAIRED,
    LIGHT = NBP_OP_LIGHT,
    ALWAYS = NBP_OP_ALWAYS,
};

/* The rows of the list that one version takes, and the two columns of each; the names
 * are for the reader only. */
#define NONE(...)
#define ONE(name, flags, number, units)                                                \
    [number] = {.traits = NBP_OP_KNOWN | (flags), .caches = (units)},
#define FIRST_OF_TWO(name, flags, number, units, n2, u2) ONE(name, flags, number, units)
#define SECOND_OF_TWO(name, flags, n1, u1, number, units)                              \
    ONE(name, flags, number, units)
#define FIRST(name, flags, number, units, n2, u2, n3, u3)                              \
    ONE(name, flags, number, units)
#define SECOND(name, flags, n1, u1, number, units, n3, u3)                             \
    ONE(name, flags, number, units)
#define THIRD(name, flags, n1, u1, n2, u2, number, units)                              \
    ONE(name, flags, number, units)

static const nbp_opcodes opcodes_311 = {
    .minor = 11,
    .load_const = 100,
    .unary_invert = 15,
    .pop_top = 1,
    .reraise = 119,
    .extended_arg = 144,
    .jump_forward = 110,
    .send_before_yield = true,
    .pop_after_end_for = false,
    .opcode = {NBP_OPCODES(FIRST, FIRST_OF_TWO, NONE, ONE, NONE)},
};

static const nbp_opcodes opcodes_312 = {
    .minor = 12,
    .load_const = 100,
    .unary_invert = 15,
    .pop_top = 1,
    .reraise = 119,
    .extended_arg = 144,
    .jump_forward = 110,
    .send_before_yield = false,
    .pop_after_end_for = false,
    .opcode = {NBP_OPCODES(SECOND, SECOND_OF_TWO, FIRST_OF_TWO, NONE, NONE)},
};

static const nbp_opcodes opcodes_313 = {
    .minor = 13,
    .load_const = 83,
    .unary_invert = 41,
    .pop_top = 32,
    .reraise = 102,
    .extended_arg = 71,
    .jump_forward = 79,
    .send_before_yield = false,
    .pop_after_end_for = true,
    .opcode = {NBP_OPCODES(THIRD, NONE, SECOND_OF_TWO, NONE, ONE)},
};

const nbp_opcodes *
nbp_opcodes_of(int minor)
{
    switch (minor) {
    case 11:
        return &opcodes_311;
    case 12:
        return &opcodes_312;
    case 13:
        return &opcodes_313;
    default:
        return NULL;
    }
}
