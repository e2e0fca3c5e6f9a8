/* SPDX-License-Identifier: BSD-3-Clause */
/* The events of one thread: a profiled frame starts, goes over to another line, is
 * suspended, goes on, ends. What happens 50 million times a second is inline here; all
 * that is rare is in shadow.c. Locks and failures: see linetable.h.
 *
 * `memory` is what the thread has allocated until now, NULL when nobody asks: a
 * constant where it is inlined, so that memory costs nothing then. */
#ifndef NBP_SHADOW_H
#define NBP_SHADOW_H

#include "linetable.h"

/* Profiled frames that are running. */
static inline size_t
nbp_shadow_depth(const nbp_shadow *self)
{
    return (size_t)(self->top - self->records);
}

/* ---- parts of events ---- */

/* Books what was allocated since the last event to the line on top. */
static inline void
nbp_shadow_pass_memory(nbp_shadow *self, nbp_memory *memory)
{
    size_t depth = nbp_shadow_depth(self);
    if (depth > 0) {
        nbp_line_memory *line = &self->line_memory[self->top->line - self->lines];
        nbp_record_memory *record = &self->record_memory[depth];
        nbp_traffic_add(&line->own, &self->traffic, &memory->traffic);
        record->own_high_bytes = nbp_higher(record->own_high_bytes, memory->peak_bytes);
        record->high_bytes = nbp_higher(record->high_bytes, memory->peak_bytes);
    }
    self->traffic = memory->traffic;
    self->resident_bytes = memory->resident_bytes;
    memory->peak_bytes = nbp_traffic_net_bytes(&memory->traffic);
}

/* Books the time since the last event as own time of the line on top, and starts the
 * next stretch. The event's cost is booked there as well: the part of it that lies
 * behind the clock's reading falls into the next stretch, but so did that of the event
 * before into this one. */
static inline void
nbp_shadow_book(nbp_shadow *self, int64_t now, int64_t cost)
{
    nbp_line *line = self->top->line;
    line->own += now - self->last;
    line->own_tool += cost;
    self->last = now;
    self->tool += cost;
}

/* The same as of now, which is returned. */
static inline int64_t
nbp_shadow_pass(nbp_shadow *self, int64_t cost, nbp_memory *memory)
{
    if (memory != NULL) {
        nbp_shadow_pass_memory(self, memory);
    }
    int64_t now = nbp_ticks_now(self->owner->has_counter);
    if (now >= self->owner->pace.due) {
        int64_t later = nbp_lines_take_pace(self->owner);
        cost += later - now;
        now = later;
    }
    nbp_shadow_book(self, now, cost);
    return now;
}

/* What the line of the record on top, which has just ended, has allocated. */
static inline void
nbp_shadow_end_memory(nbp_shadow *self)
{
    const nbp_line *line = self->top->line;
    nbp_line_memory *memory = &self->line_memory[line - self->lines];
    nbp_record_memory *record = &self->record_memory[nbp_shadow_depth(self)];
    int64_t began = nbp_traffic_net_bytes(&record->opened);
    if (line->open == 0) {
        nbp_traffic_add(&memory->inclusive, &record->opened, &self->traffic);
        memory->peak_bytes = nbp_higher(memory->peak_bytes, record->high_bytes - began);
    }
    memory->own_peak_bytes =
        nbp_higher(memory->own_peak_bytes, record->own_high_bytes - began);
    memory->resident_bytes = nbp_higher(memory->resident_bytes, self->resident_bytes);
    /* The caller's line was as high; that of the ground is never read. */
    record[-1].high_bytes = nbp_higher(record[-1].high_bytes, record->high_bytes);
}

/* Ends the line of the record on top. */
static inline void
nbp_shadow_end(nbp_shadow *self, int64_t now, bool with_memory)
{
    const nbp_record *top = self->top;
    nbp_line *line = top->line;
    if (--line->open == 0) {
        line->inclusive += now - top->opened;
        line->inclusive_tool += self->tool - top->opened_tool;
    }
    if (with_memory) {
        nbp_shadow_end_memory(self);
    }
}

/* Starts `line` in the record on top. */
static inline void
nbp_shadow_begin(nbp_shadow *self, nbp_line *line, int64_t now, bool with_memory)
{
    nbp_record *top = self->top;
    line->open++;
    top->line = line;
    top->opened = now;
    top->opened_tool = self->tool;
    if (with_memory) {
        int64_t bytes = nbp_traffic_net_bytes(&self->traffic);
        self->record_memory[nbp_shadow_depth(self)] = (nbp_record_memory){
            .opened = self->traffic,
            .high_bytes = bytes,
            .own_high_bytes = bytes,
        };
    }
}

/* Whether there is room for `slot` and for one more record; makes some, else counts the
 * frame as dropped. */
bool nbp_shadow_grow(nbp_shadow *self, uint32_t slot);

static inline bool
nbp_shadow_has_room(const nbp_shadow *self, uint32_t slot)
{
    return slot < self->n_lines && nbp_shadow_depth(self) + 1 < self->capacity;
}

/* The same events when the record of the frame is not the one on top. */
void nbp_shadow_line_elsewhere(nbp_shadow *self, const void *frame, uint32_t slot,
                               nbp_memory *memory);
void nbp_shadow_leave_elsewhere(nbp_shadow *self, const void *frame,
                                nbp_memory *memory);
void nbp_shadow_suspend_elsewhere(nbp_shadow *self, const void *frame,
                                  nbp_memory *memory);

/* ---- events: `slot` is a line, `frame` the running frame ---- */

static inline void
nbp_shadow_enter(nbp_shadow *self, const void *frame, uint32_t slot, nbp_memory *memory)
{
    if (!nbp_shadow_has_room(self, slot) && !nbp_shadow_grow(self, slot)) {
        return;
    }
    int64_t now = nbp_shadow_pass(self, self->owner->costs.frame, memory);
    nbp_line *line = &self->lines[slot];
    line->hits++;
    if (memory != NULL) {
        self->line_memory[slot].entered++;
    }
    self->top++;
    self->top->frame = frame;
    nbp_shadow_begin(self, line, now, memory != NULL);
}

/* The record on top goes over to `line`. */
static inline void
nbp_shadow_go_on(nbp_shadow *self, nbp_line *line, int64_t now, bool with_memory)
{
    nbp_shadow_end(self, now, with_memory);
    line->hits++;
    nbp_shadow_begin(self, line, now, with_memory);
}

/* A probe that finds the frame on its line already: the line is not hit again. */
static inline void
nbp_shadow_stay(nbp_shadow *self, nbp_line *line)
{
    line->own_tool += self->owner->costs.same;
    self->tool += self->owner->costs.same;
}

/* What nbp_shadow_line does as a rule, without memory; false, and nothing is done, when
 * it takes more. It calls nothing, so that no register has to be saved for it. */
static inline bool
nbp_shadow_line_at_once(nbp_shadow *self, const void *frame, uint32_t slot)
{
    const nbp_lines *owner = self->owner;
    if (self->top->frame != frame || slot >= self->n_lines || !owner->has_counter) {
        return false;
    }
    nbp_line *line = &self->lines[slot];
    if (self->top->line == line) {
        nbp_shadow_stay(self, line);
        return true;
    }
    int64_t now = nbp_ticks_now(true);
    if (now >= owner->pace.due) {
        return false;
    }
    nbp_shadow_book(self, now, owner->costs.line);
    nbp_shadow_go_on(self, line, now, false);
    return true;
}

static inline void
nbp_shadow_line(nbp_shadow *self, const void *frame, uint32_t slot, nbp_memory *memory)
{
    if (self->top->frame != frame || slot >= self->n_lines) {
        nbp_shadow_line_elsewhere(self, frame, slot, memory);
        return;
    }
    nbp_line *line = &self->lines[slot];
    if (self->top->line == line) {
        nbp_shadow_stay(self, line);
        return;
    }
    int64_t now = nbp_shadow_pass(self, self->owner->costs.line, memory);
    nbp_shadow_go_on(self, line, now, memory != NULL);
}

static inline void
nbp_shadow_leave(nbp_shadow *self, const void *frame, nbp_memory *memory)
{
    if (self->top->frame != frame) {
        nbp_shadow_leave_elsewhere(self, frame, memory);
        return;
    }
    int64_t now = nbp_shadow_pass(self, self->owner->costs.frame, memory);
    nbp_shadow_end(self, now, memory != NULL);
    self->top--;
}

/* A line that begins and ends with the event. */
static inline void
nbp_shadow_touch(nbp_shadow *self, uint32_t slot, const nbp_memory *memory)
{
    self->lines[slot].hits += self->top->line != &self->lines[slot];
    if (memory != NULL) {
        nbp_line_memory *line = &self->line_memory[slot];
        line->resident_bytes = nbp_higher(line->resident_bytes, memory->resident_bytes);
    }
}

/* A line that leaves at once: it is hit, and takes no time of its own. */
static inline void
nbp_shadow_last(nbp_shadow *self, const void *frame, uint32_t slot, nbp_memory *memory)
{
    if (self->top->frame != frame || slot >= self->n_lines) {
        nbp_shadow_line_elsewhere(self, frame, slot, memory);
    }
    else {
        nbp_shadow_touch(self, slot, memory);
    }
    nbp_shadow_leave(self, frame, memory);
}

static inline void
nbp_shadow_suspend_on(nbp_shadow *self, const void *frame, uint32_t slot,
                      nbp_memory *memory)
{
    int64_t now = nbp_shadow_pass(self, self->owner->costs.frame, memory);
    nbp_shadow_end(self, now, memory != NULL);
    self->top--;
    nbp_pointermap_put(&self->owner->suspended, frame, self->last, slot);
}

static inline void
nbp_shadow_suspend(nbp_shadow *self, const void *frame, nbp_memory *memory)
{
    if (self->top->frame != frame) {
        nbp_shadow_suspend_elsewhere(self, frame, memory);
        return;
    }
    nbp_shadow_suspend_on(self, frame, (uint32_t)(self->top->line - self->lines),
                          memory);
}

/* As nbp_shadow_last. */
static inline void
nbp_shadow_pause(nbp_shadow *self, const void *frame, uint32_t slot, nbp_memory *memory)
{
    if (self->top->frame != frame || slot >= self->n_lines) {
        nbp_shadow_line_elsewhere(self, frame, slot, memory);
        nbp_shadow_suspend(self, frame, memory);
        return;
    }
    nbp_shadow_touch(self, slot, memory);
    nbp_shadow_suspend_on(self, frame, slot, memory);
}

/* Goes on with the line that it was suspended on, without a hit. */
void nbp_shadow_resume(nbp_shadow *self, const void *frame, uint32_t slot,
                       nbp_memory *memory);

#endif /* NBP_SHADOW_H */
