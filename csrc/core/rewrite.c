/* SPDX-License-Identifier: BSD-3-Clause */
/* Decoding and writing. Where the probes go is decided in plan.c. */
#include "rewrite.h"

#include <assert.h>

#include "rewrite_internal.h"

/* ---- reading ---- */

static nbp_status
read_instructions(nbp_rewrite *self)
{
    const uint8_t *code = self->in.code;
    size_t units = self->in.code_size / 2;
    if (self->in.code_size % 2 != 0 || units == 0 || units > INT32_MAX / 16) {
        return NBP_INVALID;
    }
    self->instructions = calloc(units, sizeof(*self->instructions));
    self->index_of = malloc((units + 1) * sizeof(*self->index_of));
    if (self->instructions == NULL || self->index_of == NULL) {
        return NBP_NO_MEMORY;
    }
    memset(self->index_of, 0xff, (units + 1) * sizeof(*self->index_of));
    size_t unit = 0;
    while (unit < units) {
        instruction *it = &self->instructions[self->count];
        it->unit = (uint32_t)unit;
        it->target = it->after_resume = it->on_line = it->leaving = -1;
        self->index_of[unit] = (int32_t)self->count++;
        uint32_t argument = 0;
        do {
            if (unit == units || it->prefixes > 3) {
                return NBP_INVALID;
            }
            it->op = code[2 * unit];
            argument = argument << 8 | code[2 * unit + 1];
            it->traits = self->opcodes->opcode[it->op].traits;
            it->prefixes++;
            unit++;
        } while (it->traits & NBP_OP_PREFIX);
        it->prefixes--;
        it->argument = argument;
        it->caches = self->opcodes->opcode[it->op].caches;
        if (!(it->traits & NBP_OP_KNOWN) || it->caches > units - unit) {
            return NBP_INVALID;
        }
        unit += it->caches;
    }
    self->index_of[units] = (int32_t)self->count;
    return NBP_OK;
}

/* The instruction that starts at `unit`, the end of the code included; -1 when none
 * does. */
static int32_t
index_at(const nbp_rewrite *self, int64_t unit)
{
    if (unit < 0 || unit > (int64_t)(self->in.code_size / 2)) {
        return -1;
    }
    return self->index_of[unit];
}

static nbp_status
read_jumps(nbp_rewrite *self)
{
    for (size_t i = 0; i < self->count; i++) {
        instruction *it = &self->instructions[i];
        if (!(it->traits & (NBP_OP_FORTH | NBP_OP_BACK))) {
            continue;
        }
        int64_t next = (int64_t)it->unit + it->prefixes + 1 + it->caches;
        bool back = it->traits & NBP_OP_BACK;
        int32_t target =
            index_at(self, back ? next - it->argument : next + it->argument);
        if (target < 0 || (size_t)target >= self->count) {
            return NBP_INVALID;
        }
        it->target = target;
        self->instructions[target].is_target = true;
    }
    return NBP_OK;
}

static nbp_status
read_locations(nbp_rewrite *self)
{
    nbp_status status =
        nbp_locations_read(self->in.locations, self->in.locations_size,
                           self->in.first_line, &self->locations, &self->n_locations);
    if (status != NBP_OK) {
        return status;
    }
    size_t entry = 0;
    for (size_t i = 0; i < self->count; i++) {
        instruction *it = &self->instructions[i];
        while (entry < self->n_locations &&
               it->unit >= self->locations[entry].unit + self->locations[entry].units) {
            entry++;
        }
        if (entry == self->n_locations) {
            return NBP_INVALID;
        }
        it->location = (uint32_t)entry;
        it->line = self->locations[entry].line;
    }
    const nbp_location *last = &self->locations[self->n_locations - 1];
    return last->unit + last->units == self->in.code_size / 2 ? NBP_OK : NBP_INVALID;
}

static nbp_status
read_handlers(nbp_rewrite *self)
{
    nbp_status status = nbp_handlers_read(self->in.handlers, self->in.handlers_size,
                                          &self->handlers, &self->n_handlers);
    if (status != NBP_OK) {
        return status;
    }
    uint32_t covered = 0;
    for (size_t i = 0; i < self->n_handlers; i++) {
        nbp_handler *handler = &self->handlers[i];
        int32_t start = index_at(self, handler->start);
        int32_t end = index_at(self, handler->end);
        int32_t target = index_at(self, handler->target);
        if (start < 0 || end <= start || target < 0 || (size_t)target >= self->count ||
            handler->start < covered) {
            return NBP_INVALID;
        }
        covered = handler->end;
        self->instructions[target].is_target = true;
        /* From here on in instructions, not in units. */
        *handler = (nbp_handler){
            .start = (uint32_t)start,
            .end = (uint32_t)end,
            .target = (uint32_t)target,
            .depth_lasti = handler->depth_lasti,
        };
    }
    return NBP_OK;
}

static nbp_status
check_identity(nbp_rewrite *self)
{
    nbp_code same;
    nbp_status status = nbp_rewrite_emit(self, &same);
    if (status != NBP_OK) {
        return status;
    }
    bool equal = nbp_bytes_equal(&self->code, self->in.code, self->in.code_size) &&
                 nbp_bytes_equal(&self->location_bytes, self->in.locations,
                                 self->in.locations_size) &&
                 nbp_bytes_equal(&self->handler_bytes, self->in.handlers,
                                 self->in.handlers_size);
    return equal ? NBP_OK : NBP_INVALID;
}

nbp_status
nbp_rewrite_new(nbp_rewrite **out, const nbp_opcodes *opcodes, const nbp_code *code)
{
    *out = NULL;
    nbp_rewrite *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return NBP_NO_MEMORY;
    }
    self->opcodes = opcodes;
    self->in = *code;
    nbp_status status = read_instructions(self);
    if (status == NBP_OK) {
        status = read_jumps(self);
    }
    if (status == NBP_OK) {
        status = read_locations(self);
    }
    if (status == NBP_OK) {
        status = read_handlers(self);
    }
    if (status == NBP_OK) {
        status = check_identity(self);
    }
    if (status != NBP_OK) {
        nbp_rewrite_destroy(&self);
        return status;
    }
    *out = self;
    return NBP_OK;
}

void
nbp_rewrite_destroy(nbp_rewrite **self_p)
{
    nbp_rewrite *self = *self_p;
    if (self == NULL) {
        return;
    }
    free(self->instructions);
    free(self->index_of);
    free(self->locations);
    free(self->handlers);
    free(self->probes);
    nbp_bytes_clear(&self->code);
    nbp_bytes_clear(&self->location_bytes);
    nbp_bytes_clear(&self->handler_bytes);
    free(self);
    *self_p = NULL;
}

const nbp_probe *
nbp_rewrite_probes(const nbp_rewrite *self, size_t *count)
{
    *count = self->n_probes;
    return self->probes;
}

/* ---- laying out ---- */

/* EXTENDED_ARG units that `argument` needs. */
static uint32_t
prefixes_of(uint32_t argument)
{
    return (argument > 0xff) + (argument > 0xffff) + (argument > 0xffffff);
}

static uint32_t
probe_units(const nbp_rewrite *self, int32_t probe)
{
    return probe < 0 ? 0 : 3 + prefixes_of(self->in.constants + (uint32_t)probe);
}

/* gen.throw() on 3.11 finds its jump in the unit before YIELD_VALUE, so that a probe
 * between the two is followed by a jump over a second, never executed SEND. */
static bool
needs_second_send(const nbp_rewrite *self, size_t i)
{
    const instruction *it = &self->instructions[i];
    return self->opcodes->send_before_yield && i > 0 && (it->traits & NBP_OP_YIELDS) &&
           (self->instructions[i - 1].traits & NBP_OP_SENDS) &&
           (it->on_line >= 0 || it->leaving >= 0);
}

/* Puts the instructions one behind the other, by their present widths. */
static uint32_t
place(nbp_rewrite *self)
{
    uint32_t at = 0;
    for (size_t i = 0; i < self->count; i++) {
        instruction *it = &self->instructions[i];
        it->start = at;
        at += probe_units(self, it->after_resume);
        it->label = at;
        at += probe_units(self, it->on_line) + probe_units(self, it->leaving);
        at += needs_second_send(self, i) ? 2 : 0;
        it->at = at;
        at += it->new_prefixes + 1u + it->caches;
    }
    return at;
}

/* The argument of the jump `it`, were it the instruction that ends at unit `next`. */
static int64_t
jump_argument(const nbp_rewrite *self, const instruction *it, uint32_t next)
{
    int64_t label = self->instructions[it->target].label;
    return it->traits & NBP_OP_BACK ? (int64_t)next - label : label - (int64_t)next;
}

/* Widens jumps until all reach their targets; none ever gets narrower, so this ends. */
static nbp_status
lay_out(nbp_rewrite *self)
{
    for (size_t i = 0; i < self->count; i++) {
        self->instructions[i].new_prefixes = self->instructions[i].prefixes;
    }
    bool grown = true;
    while (grown) {
        grown = false;
        self->end = place(self);
        for (size_t i = 0; i < self->count; i++) {
            instruction *it = &self->instructions[i];
            if (it->target < 0) {
                continue;
            }
            uint32_t next = it->at + it->new_prefixes + 1u + it->caches;
            int64_t argument = jump_argument(self, it, next);
            if (argument < 0) {
                return NBP_INVALID;
            }
            uint32_t prefixes = prefixes_of((uint32_t)argument);
            it->new_argument = (uint32_t)argument;
            if (prefixes > it->new_prefixes) {
                it->new_prefixes = (uint8_t)prefixes;
                grown = true;
            }
        }
    }
    return NBP_OK;
}

/* ---- writing ---- */

static void
write_instruction(nbp_rewrite *self, uint8_t op, uint32_t argument, uint32_t prefixes)
{
    for (uint32_t left = prefixes; left > 0; left--) {
        nbp_bytes_push(&self->code, self->opcodes->extended_arg);
        nbp_bytes_push(&self->code, (uint8_t)(argument >> 8 * left));
    }
    nbp_bytes_push(&self->code, op);
    nbp_bytes_push(&self->code, (uint8_t)argument);
}

static void
write_probe(nbp_rewrite *self, int32_t probe)
{
    if (probe < 0) {
        return;
    }
    uint32_t constant = self->in.constants + (uint32_t)probe;
    write_instruction(self, self->opcodes->load_const, constant, prefixes_of(constant));
    write_instruction(self, self->opcodes->unary_invert, 0, 0);
    write_instruction(self, self->opcodes->pop_top, 0, 0);
}

static nbp_status
write_second_send(nbp_rewrite *self, size_t i)
{
    const instruction *send = &self->instructions[i - 1];
    int64_t argument = jump_argument(self, send, self->instructions[i].at);
    if (argument < 0 || argument > 0xff) {
        return NBP_INVALID;
    }
    write_instruction(self, self->opcodes->jump_forward, 1, 0);
    write_instruction(self, send->op, (uint32_t)argument, 0);
    return NBP_OK;
}

static nbp_status
write_code(nbp_rewrite *self)
{
    self->code.size = 0;
    for (size_t i = 0; i < self->count; i++) {
        const instruction *it = &self->instructions[i];
        write_probe(self, it->after_resume);
        write_probe(self, it->on_line);
        write_probe(self, it->leaving);
        if (needs_second_send(self, i)) {
            nbp_status status = write_second_send(self, i);
            if (status != NBP_OK) {
                return status;
            }
        }
        uint32_t argument = it->target < 0 ? it->argument : it->new_argument;
        write_instruction(self, it->op, argument, it->new_prefixes);
        for (uint8_t cache = 0; cache < it->caches; cache++) {
            nbp_bytes_push(&self->code, 0);
            nbp_bytes_push(&self->code, 0);
        }
    }
    if (self->n_probes > 0) {
        write_probe(self, self->leave_probe);
        write_instruction(self, self->opcodes->reraise, 1, 0);
    }
    return NBP_OK;
}

/* Probes and wider jumps take the location of the instruction that they precede. */
static void
write_locations(nbp_rewrite *self)
{
    for (size_t i = 0; i < self->n_locations; i++) {
        self->locations[i].extra = 0;
    }
    for (size_t i = 0; i < self->count; i++) {
        const instruction *it = &self->instructions[i];
        self->locations[it->location].extra +=
            it->at - it->start + it->new_prefixes - it->prefixes;
    }
    self->location_bytes.size = 0;
    nbp_locations_write(&self->location_bytes, self->in.locations, self->locations,
                        self->n_locations);
    nbp_locations_write_none(&self->location_bytes,
                             (uint32_t)(self->code.size / 2) - self->end);
}

static uint32_t
start_of(const nbp_rewrite *self, uint32_t index)
{
    return index == self->count ? self->end : self->instructions[index].start;
}

/* The handlers as they were, and the gaps between them filled with one that makes the
 * frame leave: depth 0, and the offset pushed so that the traceback keeps its line. */
static nbp_status
write_handlers(nbp_rewrite *self)
{
    bool fill = self->n_probes > 0;
    nbp_handler *handlers = malloc((2 * self->n_handlers + 1) * sizeof(*handlers));
    if (handlers == NULL) {
        return NBP_NO_MEMORY;
    }
    size_t n = 0;
    uint32_t covered = fill ? start_of(self, self->first_resume) : self->end;
    const nbp_handler leave = {.target = self->end, .depth_lasti = 1};
    for (size_t i = 0; i < self->n_handlers; i++) {
        const nbp_handler *handler = &self->handlers[i];
        uint32_t start = start_of(self, handler->start);
        uint32_t end = start_of(self, handler->end);
        if (start > covered) {
            handlers[n] = leave;
            handlers[n].start = covered;
            handlers[n++].end = start;
        }
        handlers[n++] = (nbp_handler){
            .start = start,
            .end = end,
            .target = self->instructions[handler->target].label,
            .depth_lasti = handler->depth_lasti,
        };
        covered = covered > end ? covered : end;
    }
    if (covered < self->end) {
        handlers[n] = leave;
        handlers[n].start = covered;
        handlers[n++].end = self->end;
    }
    self->handler_bytes.size = 0;
    nbp_handlers_write(&self->handler_bytes, handlers, n);
    free(handlers);
    return NBP_OK;
}

nbp_status
nbp_rewrite_emit(nbp_rewrite *self, nbp_code *out)
{
    nbp_status status = lay_out(self);
    if (status == NBP_OK) {
        status = write_code(self);
    }
    if (status == NBP_OK) {
        write_locations(self);
        status = write_handlers(self);
    }
    if (status != NBP_OK) {
        return status;
    }
    if (self->code.failed || self->location_bytes.failed ||
        self->handler_bytes.failed) {
        return NBP_NO_MEMORY;
    }
    *out = self->in;
    out->code = self->code.data;
    out->code_size = self->code.size;
    out->locations = self->location_bytes.data;
    out->locations_size = self->location_bytes.size;
    out->handlers = self->handler_bytes.data;
    out->handlers_size = self->handler_bytes.size;
    out->constants += (uint32_t)self->n_probes;
    if (self->n_probes > 0) {
        /* A probe takes one slot; the leave handler takes three: offset, exception and
         * probe. */
        out->stack_size = self->in.stack_size < 2 ? 3 : self->in.stack_size + 1;
    }
    return NBP_OK;
}
