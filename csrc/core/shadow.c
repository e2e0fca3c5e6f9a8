/* SPDX-License-Identifier: BSD-3-Clause */
#include "shadow.h"

#include <stdlib.h>
#include <string.h>

enum {
    DEEPEST = 1 << 20, /* 32 MB of records: recursion beyond is counted as dropped */
    /* How far below the top a frame is looked for. Only greenlets put it there, a
     * handful of switches deep. */
    FARTHEST = 64,
};

static bool
has_line(nbp_shadow *self, uint32_t slot)
{
    return slot < self->n_lines ||
           (slot < self->owner->slots && nbp_shadow_make_room(self));
}

static bool
grow_records(nbp_shadow *self)
{
    uint32_t capacity = self->capacity * 2;
    if (capacity > DEEPEST) {
        return false;
    }
    if (self->owner->with_memory) {
        nbp_record_memory *memory =
            realloc(self->record_memory, capacity * sizeof(*memory));
        if (memory == NULL) {
            return false;
        }
        self->record_memory = memory;
    }
    size_t depth = nbp_shadow_depth(self);
    nbp_record *records = realloc(self->records, capacity * sizeof(*records));
    if (records == NULL) {
        return false;
    }
    self->records = records;
    self->top = records + depth;
    self->capacity = capacity;
    return true;
}

bool
nbp_shadow_grow(nbp_shadow *self, uint32_t slot)
{
    if (!has_line(self, slot)) {
        self->dropped++;
        return false;
    }
    if (nbp_shadow_depth(self) + 1 < self->capacity) {
        return true;
    }
    if (!grow_records(self)) {
        self->dropped++;
        return false;
    }
    return true;
}

/* A record for `frame`, which goes on with `slot`; NULL when it was dropped. */
static nbp_line *
push(nbp_shadow *self, const void *frame, uint32_t slot, nbp_memory *memory)
{
    if (!nbp_shadow_has_room(self, slot) && !nbp_shadow_grow(self, slot)) {
        return NULL;
    }
    int64_t now = nbp_shadow_pass(self, self->owner->costs.frame, memory);
    nbp_line *line = &self->lines[slot];
    self->top++;
    self->top->frame = frame;
    nbp_shadow_begin(self, line, now, memory != NULL);
    return line;
}

static void
move_to_top(nbp_shadow *self, size_t i)
{
    size_t above = nbp_shadow_depth(self) - i;
    nbp_record found = self->records[i];
    memmove(&self->records[i], &self->records[i + 1], above * sizeof(found));
    *self->top = found;
    if (self->owner->with_memory) {
        nbp_record_memory *memory = &self->record_memory[i];
        nbp_record_memory found_memory = *memory;
        memmove(memory, memory + 1, above * sizeof(*memory));
        memory[above] = found_memory;
    }
}

/* Makes the record of `frame` the one on top; false when there is none. A record that
 * lies deeper is moved, never are those above it dropped: they are of frames of another
 * greenlet and will be needed again. */
static bool
bring_up(nbp_shadow *self, const void *frame, nbp_memory *memory)
{
    size_t depth = nbp_shadow_depth(self);
    size_t lowest = depth > FARTHEST ? depth - FARTHEST : 0;
    for (size_t i = depth; i > lowest; i--) {
        if (self->records[i].frame != frame) {
            continue;
        }
        if (i < depth) {
            nbp_shadow_pass(self, 0, memory);
            move_to_top(self, i);
            self->moved++;
        }
        return true;
    }
    return false;
}

/* Takes out the suspension of `frame`; false when there is none. Asked before the stack
 * is searched: an exception that is thrown into a generator needs no search then. */
static inline bool
take_suspension(nbp_shadow *self, const void *frame, nbp_pointer_entry *entry)
{
    return nbp_pointermap_take(&self->owner->suspended, frame, entry);
}

/* Books what `entry` says as of the last event. */
static void
book_suspension(nbp_shadow *self, const nbp_pointer_entry *entry)
{
    if (entry->number < self->n_lines) {
        self->lines[entry->number].suspended += self->last - entry->time;
    }
}

void
nbp_shadow_resume(nbp_shadow *self, const void *frame, uint32_t slot,
                  nbp_memory *memory)
{
    nbp_pointer_entry entry;
    bool was_suspended = take_suspension(self, frame, &entry);
    if (push(self, frame, slot, memory) != NULL && was_suspended) {
        book_suspension(self, &entry);
    }
}

void
nbp_shadow_line_elsewhere(nbp_shadow *self, const void *frame, uint32_t slot,
                          nbp_memory *memory)
{
    nbp_pointer_entry entry;
    if (take_suspension(self, frame, &entry)) {
        /* An exception was thrown into it: a hit unless it goes on where it was. */
        nbp_line *line = push(self, frame, slot, memory);
        if (line != NULL) {
            line->hits += entry.number != slot;
            book_suspension(self, &entry);
        }
        return;
    }
    if (!bring_up(self, frame, memory)) {
        /* It began before the probes were switched on. */
        nbp_shadow_enter(self, frame, slot, memory);
        return;
    }
    if (has_line(self, slot)) {
        nbp_shadow_line(self, frame, slot, memory);
    }
}

void
nbp_shadow_leave_elsewhere(nbp_shadow *self, const void *frame, nbp_memory *memory)
{
    nbp_pointer_entry entry;
    if (take_suspension(self, frame, &entry)) {
        nbp_shadow_pass(self, 0, memory);
        book_suspension(self, &entry);
    }
    else if (bring_up(self, frame, memory)) {
        nbp_shadow_leave(self, frame, memory);
    }
}

void
nbp_shadow_suspend_elsewhere(nbp_shadow *self, const void *frame, nbp_memory *memory)
{
    if (bring_up(self, frame, memory)) {
        nbp_shadow_suspend(self, frame, memory);
    }
}
