/* SPDX-License-Identifier: BSD-3-Clause */
#include "soundness.h"

#include <stdlib.h>

#include "codetables.h"

int64_t
nbp_code_highest_constant(const nbp_opcodes *opcodes, const uint8_t *code, size_t size)
{
    int64_t highest = -1;
    uint32_t prefix = 0;
    for (size_t at = 0; at + 1 < size; at += 2) {
        uint8_t op = code[at];
        uint32_t argument = prefix << 8 | code[at + 1];
        prefix = op == opcodes->extended_arg ? argument : 0;
        if (op == opcodes->load_const && (int64_t)argument > highest) {
            highest = argument;
        }
        at += 2 * (size_t)opcodes->opcode[op].caches;
    }
    return highest;
}

bool
nbp_code_is_sound(const nbp_opcodes *opcodes, const nbp_code *code)
{
    if (nbp_code_highest_constant(opcodes, code->code, code->code_size) >=
        (int64_t)code->constants) {
        return false;
    }
    nbp_handler *handlers;
    size_t count;
    if (nbp_handlers_read(code->handlers, code->handlers_size, &handlers, &count) !=
        NBP_OK) {
        return false;
    }
    bool sound = true;
    size_t units = code->code_size / 2;
    for (size_t i = 0; i < count; i++) {
        sound = sound && handlers[i].end <= units && handlers[i].target < units;
    }
    free(handlers);
    return sound;
}
