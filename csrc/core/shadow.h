/* SPDX-License-Identifier: BSD-3-Clause */
/* The events of one thread: a profiled frame starts, goes over to another line, is
 * suspended, goes on, ends. What happens 50 million times a second is inline here; all
 * that is rare is in shadow.c. Locks and failures: see linetable.h. */
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

/* Books the time since the last event as own time of the line on top, and starts the
 * next stretch. The event's cost is booked there as well: the part of it that lies
 * behind the clock's reading falls into the next stretch, but so did that of the event
 * before into this one. */
static inline int64_t
nbp_shadow_pass(nbp_shadow *self, int64_t cost)
{
    int64_t now = nbp_ticks_now(self->owner->has_counter);
    nbp_line *line = self->top->line;
    line->own += now - self->last;
    line->own_tool += cost;
    self->last = now;
    self->tool += cost;
    return now;
}

/* Ends the line of the record on top. */
static inline void
nbp_shadow_end(nbp_shadow *self, int64_t now)
{
    const nbp_record *top = self->top;
    nbp_line *line = top->line;
    if (--line->open == 0) {
        line->inclusive += now - top->opened;
        line->inclusive_tool += self->tool - top->opened_tool;
    }
}

/* Starts `line` in the record on top. */
static inline void
nbp_shadow_begin(nbp_shadow *self, nbp_line *line, int64_t now)
{
    nbp_record *top = self->top;
    line->open++;
    top->line = line;
    top->opened = now;
    top->opened_tool = self->tool;
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
void nbp_shadow_line_elsewhere(nbp_shadow *self, const void *frame, uint32_t slot);
void nbp_shadow_leave_elsewhere(nbp_shadow *self, const void *frame);
void nbp_shadow_suspend_elsewhere(nbp_shadow *self, const void *frame);

/* ---- events: `slot` is a line, `frame` the running frame ---- */

static inline void
nbp_shadow_enter(nbp_shadow *self, const void *frame, uint32_t slot)
{
    if (!nbp_shadow_has_room(self, slot) && !nbp_shadow_grow(self, slot)) {
        return;
    }
    int64_t now = nbp_shadow_pass(self, self->owner->costs.frame);
    nbp_line *line = &self->lines[slot];
    line->hits++;
    self->top++;
    self->top->frame = frame;
    nbp_shadow_begin(self, line, now);
}

/* The line that the frame is on already is not hit again. */
static inline void
nbp_shadow_line(nbp_shadow *self, const void *frame, uint32_t slot)
{
    if (self->top->frame != frame || slot >= self->n_lines) {
        nbp_shadow_line_elsewhere(self, frame, slot);
        return;
    }
    nbp_line *line = &self->lines[slot];
    if (self->top->line == line) {
        line->own_tool += self->owner->costs.same;
        self->tool += self->owner->costs.same;
        return;
    }
    int64_t now = nbp_shadow_pass(self, self->owner->costs.line);
    nbp_shadow_end(self, now);
    line->hits++;
    nbp_shadow_begin(self, line, now);
}

static inline void
nbp_shadow_leave(nbp_shadow *self, const void *frame)
{
    if (self->top->frame != frame) {
        nbp_shadow_leave_elsewhere(self, frame);
        return;
    }
    nbp_shadow_end(self, nbp_shadow_pass(self, self->owner->costs.frame));
    self->top--;
}

/* A line that leaves at once: it is hit, and takes no time of its own. */
static inline void
nbp_shadow_last(nbp_shadow *self, const void *frame, uint32_t slot)
{
    if (self->top->frame != frame || slot >= self->n_lines) {
        nbp_shadow_line_elsewhere(self, frame, slot);
    }
    else {
        self->lines[slot].hits += self->top->line != &self->lines[slot];
    }
    nbp_shadow_leave(self, frame);
}

static inline void
nbp_shadow_suspend_on(nbp_shadow *self, const void *frame, uint32_t slot)
{
    nbp_shadow_end(self, nbp_shadow_pass(self, self->owner->costs.frame));
    self->top--;
    nbp_pointermap_put(&self->owner->suspended, frame, self->last, slot);
}

static inline void
nbp_shadow_suspend(nbp_shadow *self, const void *frame)
{
    if (self->top->frame != frame) {
        nbp_shadow_suspend_elsewhere(self, frame);
        return;
    }
    nbp_shadow_suspend_on(self, frame, (uint32_t)(self->top->line - self->lines));
}

/* As nbp_shadow_last. */
static inline void
nbp_shadow_pause(nbp_shadow *self, const void *frame, uint32_t slot)
{
    if (self->top->frame != frame || slot >= self->n_lines) {
        nbp_shadow_line_elsewhere(self, frame, slot);
        nbp_shadow_suspend(self, frame);
        return;
    }
    self->lines[slot].hits += self->top->line != &self->lines[slot];
    nbp_shadow_suspend_on(self, frame, slot);
}

/* Goes on with the line that it was suspended on, without a hit. */
void nbp_shadow_resume(nbp_shadow *self, const void *frame, uint32_t slot);

#endif /* NBP_SHADOW_H */
