/* SPDX-License-Identifier: BSD-3-Clause */
#include "stacks.h"

#include <string.h>

static uint64_t
word(const unsigned char *head, uint32_t offset)
{
    uint64_t value;
    memcpy(&value, head + offset, sizeof(value));
    return value;
}

static bool
is_aligned(uintptr_t address)
{
    return address % sizeof(void *) == 0;
}

uintptr_t
nbp_stacks_first(nbp_peek *peek, const nbp_interpreter_layout *layout,
                 uintptr_t interpreter)
{
    uintptr_t first = 0;
    if (!nbp_peek_read(peek, interpreter + layout->threads, &first, sizeof(first))) {
        return 0;
    }
    return first;
}

int
nbp_stacks_thread(nbp_peek *peek, const nbp_interpreter_layout *layout,
                  uintptr_t interpreter, uintptr_t address, nbp_thread_view *out)
{
    unsigned char head[NBP_LAYOUT_HEAD];
    if (!is_aligned(address) ||
        !nbp_peek_read(peek, address, head, layout->thread_size)) {
        return -1;
    }
    return nbp_stacks_thread_of(peek, layout, interpreter, address, head, out);
}

size_t
nbp_stacks_heads(nbp_peek *peek, const nbp_interpreter_layout *layout,
                 const uintptr_t *addresses, size_t count, unsigned char *heads)
{
    enum {
        BATCH = 32,
    };
    nbp_piece pieces[BATCH];
    for (size_t first = 0; first < count; first += BATCH) {
        size_t size = count - first < BATCH ? count - first : BATCH;
        for (size_t i = 0; i < size; i++) {
            unsigned char *head = heads + (first + i) * NBP_LAYOUT_HEAD;
            pieces[i] = (nbp_piece){addresses[first + i], head, layout->thread_size};
        }
        size_t got = nbp_peek_pieces(peek, pieces, size);
        if (got < size) {
            return first + got;
        }
    }
    return count;
}

int
nbp_stacks_thread_of(nbp_peek *peek, const nbp_interpreter_layout *layout,
                     uintptr_t interpreter, uintptr_t address,
                     const unsigned char *head, nbp_thread_view *out)
{
    if (word(head, layout->owner) != interpreter) {
        return -1;
    }
    *out = (nbp_thread_view){
        .address = address,
        .next = word(head, layout->next),
        .frame = word(head, layout->frame),
        .id = word(head, layout->id),
        .ident = word(head, layout->ident),
        .tid = word(head, layout->tid),
    };
    if (layout->frame_is_indirect && out->frame != 0) {
        uintptr_t frame = 0;
        if (!nbp_peek_near(peek, out->frame + layout->inner_frame, &frame,
                           sizeof(frame))) {
            return -1;
        }
        out->frame = frame;
    }
    return 0;
}

int
nbp_stacks_read(nbp_peek *peek, const nbp_interpreter_layout *layout, uintptr_t frame,
                uintptr_t base, nbp_stack_view *out)
{
    out->depth = 0;
    out->cut = out->based = out->adrift = false;
    /* Frames that run no code are not kept, but a ring of them has to end, too. */
    for (size_t steps = 0; frame != 0; steps++) {
        unsigned char head[NBP_LAYOUT_HEAD];
        if (frame == base) {
            out->based = true;
            return 0;
        }
        if (steps == 2 * NBP_STACK_DEPTH || out->depth == NBP_STACK_DEPTH) {
            out->cut = true;
            return 0;
        }
        if (!is_aligned(frame) ||
            !nbp_peek_near(peek, frame, head, layout->frame_size)) {
            return -1;
        }
        if (head[layout->kind] != layout->marker) {
            out->frames[out->depth++] = (nbp_frame_view){
                .address = frame,
                .code = word(head, layout->code),
                .instruction = word(head, layout->instruction),
                .is_generator = head[layout->kind] == layout->generator,
            };
        }
        uintptr_t caller = word(head, layout->caller);
        out->adrift = caller == 0 && head[layout->kind] == layout->generator;
        if (caller == frame) {
            return -1;
        }
        frame = caller;
    }
    return 0;
}

int
nbp_stacks_moor(nbp_stack_view *adrift, const nbp_stack_view *later)
{
    if (later->adrift || later->cut || adrift->depth + later->depth > NBP_STACK_DEPTH) {
        return -1;
    }
    const nbp_frame_view *generator = &adrift->frames[adrift->depth - 1];
    size_t from = 0;
    if (later->depth > 0 && later->frames[0].code == generator->code) {
        from = 1; /* the next of its kind */
    }
    for (size_t i = 0; i < later->depth; i++) {
        if (later->frames[i].address == generator->address) {
            from = i + 1; /* it goes on again */
        }
    }
    memcpy(adrift->frames + adrift->depth, later->frames + from,
           (later->depth - from) * sizeof(later->frames[0]));
    adrift->depth += later->depth - from;
    adrift->based = later->based;
    adrift->adrift = false;
    return 0;
}
