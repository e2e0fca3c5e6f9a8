/* SPDX-License-Identifier: BSD-3-Clause */
#include "linetable.h"

#include <stdlib.h>
#include <string.h>

enum {
    FIRST_CAPACITY = 256,
    DEEPEST = 1 << 20, /* 32 MB of records: recursion beyond is counted as dropped */
    FIRST_FOLD = 64,
    /* How far below the top a frame is looked for. Only greenlets put it there, a
     * handful of switches deep; a throw into a generator looks in vain every time. */
    FARTHEST = 64,
};

/* ---- lines ---- */

nbp_lines *
nbp_lines_new(void)
{
    nbp_lines *self = calloc(1, sizeof(*self));
    if (self != NULL) {
        self->references = 1;
        self->has_counter = nbp_ticks_has_counter();
        self->fold_at = FIRST_FOLD;
    }
    return self;
}

static void
shadow_destroy(nbp_shadow **self_p)
{
    if (*self_p != NULL) {
        free((*self_p)->records);
        free((*self_p)->lines);
        free(*self_p);
        *self_p = NULL;
    }
}

void
nbp_lines_release(nbp_lines *self)
{
    if (--self->references > 0) {
        return;
    }
    for (size_t i = 0; i < self->n_shadows; i++) {
        shadow_destroy(&self->shadows[i]);
    }
    free(self->shadows);
    nbp_pointermap_clear(&self->suspended);
    free(self);
}

static nbp_shadow *
add_shadow(nbp_lines *self, uint64_t id, uint64_t thread)
{
    nbp_shadow **shadows =
        realloc(self->shadows, (self->n_shadows + 1) * sizeof(*shadows));
    if (shadows == NULL) {
        return NULL;
    }
    self->shadows = shadows;
    nbp_shadow *shadow = calloc(1, sizeof(*shadow));
    if (shadow != NULL) {
        shadow->owner = self;
        shadow->id = id;
        shadow->thread = thread;
        shadows[self->n_shadows++] = shadow;
    }
    return shadow;
}

nbp_shadow *
nbp_lines_shadow(nbp_lines *self, uint64_t id, uint64_t thread)
{
    nbp_shadow *shadow = NULL;
    for (size_t i = 0; i < self->n_shadows && shadow == NULL; i++) {
        if (self->shadows[i]->id == id) {
            shadow = self->shadows[i];
        }
    }
    if (shadow == NULL) {
        shadow = add_shadow(self, id, thread);
    }
    if (shadow != NULL) {
        self->recent_id = id;
        self->recent = shadow;
    }
    return shadow;
}

/* Room for the counters of `line`; false without memory. */
static bool
make_room(nbp_shadow *self, uint32_t line)
{
    uint32_t n = self->owner->slots;
    if (line >= n) {
        return false;
    }
    nbp_line *lines = realloc(self->lines, n * sizeof(*lines));
    if (lines == NULL) {
        return false;
    }
    memset(lines + self->n_lines, 0, (n - self->n_lines) * sizeof(*lines));
    self->lines = lines;
    self->n_lines = n;
    return true;
}

static void
add_counters(nbp_line *to, const nbp_line *from)
{
    to->hits += from->hits;
    to->inclusive += from->inclusive;
    to->own += from->own;
    to->suspended += from->suspended;
    to->inclusive_tool += from->inclusive_tool;
    to->own_tool += from->own_tool;
}

static bool
is_among(const uint64_t *ids, size_t n, uint64_t id)
{
    for (size_t i = 0; i < n; i++) {
        if (ids[i] == id) {
            return true;
        }
    }
    return false;
}

/* Adds the counters of `from` to `to`; false when there is no room for them. */
static bool
fold_into(nbp_shadow *to, const nbp_shadow *from)
{
    if (from->n_lines > to->n_lines && !make_room(to, from->n_lines - 1)) {
        return false;
    }
    for (uint32_t line = 0; line < from->n_lines; line++) {
        add_counters(&to->lines[line], &from->lines[line]);
    }
    to->dropped += from->dropped;
    to->moved += from->moved;
    return true;
}

void
nbp_lines_fold(nbp_lines *self, const uint64_t *alive, size_t n_alive)
{
    nbp_shadow *rest = nbp_lines_shadow(self, 0, 0);
    size_t kept = 0;
    for (size_t i = 0; rest != NULL && i < self->n_shadows; i++) {
        nbp_shadow *shadow = self->shadows[i];
        bool dead = shadow != rest && !is_among(alive, n_alive, shadow->id);
        if (dead && fold_into(rest, shadow)) {
            shadow_destroy(&shadow);
        }
        else {
            self->shadows[kept++] = shadow;
        }
    }
    if (rest != NULL) {
        self->n_shadows = kept;
    }
    self->recent = NULL;
    self->fold_at = self->n_shadows * 2 + FIRST_FOLD;
}

/* ---- the stack ---- */

/* Books the time since the last event as own time of the line on top, and starts the
 * next stretch. Half of what the event takes lies before the clock is read, half
 * behind. */
static int64_t
pass_time(nbp_shadow *self, int64_t cost)
{
    int64_t now = nbp_ticks_now(self->owner->has_counter);
    self->tool += cost / 2;
    if (self->depth > 0) {
        nbp_line *line = &self->lines[self->records[self->depth - 1].line];
        line->own += now - self->last;
        line->own_tool += self->tool - self->last_tool;
    }
    self->last = now;
    self->last_tool = self->tool;
    self->tool += cost - cost / 2;
    return now;
}

/* Ends the line of the record on top. */
static void
end_line(nbp_shadow *self, int64_t now)
{
    const nbp_record *top = &self->records[self->depth - 1];
    nbp_line *line = &self->lines[top->line];
    line->open--;
    if (line->open == 0) {
        line->inclusive += now - top->opened;
        line->inclusive_tool += self->last_tool - top->opened_tool;
    }
}

/* Starts `line` in the record on top. */
static nbp_line *
start_line(nbp_shadow *self, uint32_t slot, int64_t now)
{
    nbp_record *top = &self->records[self->depth - 1];
    nbp_line *line = &self->lines[slot];
    line->open++;
    top->line = slot;
    top->opened = now;
    top->opened_tool = self->last_tool;
    return line;
}

static bool
has_room(nbp_shadow *self, uint32_t line)
{
    if (line >= self->n_lines && !make_room(self, line)) {
        self->dropped++;
        return false;
    }
    return true;
}

/* A new record on top for `frame`, on `slot`; NULL when it had to be dropped. */
static nbp_line *
push(nbp_shadow *self, const void *frame, uint32_t slot)
{
    if (!has_room(self, slot)) {
        return NULL;
    }
    if (self->depth == self->capacity) {
        uint32_t capacity = self->capacity == 0 ? FIRST_CAPACITY : self->capacity * 2;
        nbp_record *records = NULL;
        if (capacity <= DEEPEST) {
            records = realloc(self->records, capacity * sizeof(*records));
        }
        if (records == NULL) {
            self->dropped++;
            return NULL;
        }
        self->records = records;
        self->capacity = capacity;
    }
    int64_t now = pass_time(self, self->owner->costs.frame);
    self->records[self->depth++].frame = frame;
    return start_line(self, slot, now);
}

/* Makes the record of `frame` the one on top; false when there is none. A record that
 * lies deeper is moved, never are those above it dropped: they are of frames of another
 * greenlet and will be needed again. */
static bool
bring_up(nbp_shadow *self, const void *frame)
{
    uint32_t depth = self->depth;
    if (depth == 0) {
        return false;
    }
    if (self->records[depth - 1].frame == frame) {
        return true;
    }
    uint32_t lowest = depth > FARTHEST ? depth - FARTHEST : 0;
    for (uint32_t i = depth - 1; i-- > lowest;) {
        if (self->records[i].frame == frame) {
            pass_time(self, 0);
            nbp_record found = self->records[i];
            memmove(&self->records[i], &self->records[i + 1],
                    (depth - 1 - i) * sizeof(found));
            self->records[depth - 1] = found;
            self->moved++;
            return true;
        }
    }
    return false;
}

/* Books how long `frame` was suspended. The line that it was suspended on, or -1 when
 * it was not. */
static int64_t
end_suspension(nbp_shadow *self, const void *frame)
{
    nbp_pointer_entry entry;
    if (!nbp_pointermap_take(&self->owner->suspended, frame, &entry) ||
        !has_room(self, entry.number)) {
        return -1;
    }
    int64_t now = nbp_ticks_now(self->owner->has_counter);
    self->lines[entry.number].suspended += now - entry.time;
    return entry.number;
}

void
nbp_shadow_enter(nbp_shadow *self, const void *frame, uint32_t line)
{
    nbp_line *opened = push(self, frame, line);
    if (opened != NULL) {
        opened->hits++;
    }
}

void
nbp_shadow_resume(nbp_shadow *self, const void *frame, uint32_t line)
{
    end_suspension(self, frame);
    push(self, frame, line);
}

void
nbp_shadow_line(nbp_shadow *self, const void *frame, uint32_t line)
{
    nbp_line *opened;
    if (bring_up(self, frame)) {
        if (self->records[self->depth - 1].line == line || !has_room(self, line)) {
            return;
        }
        int64_t now = pass_time(self, self->owner->costs.line);
        end_line(self, now);
        opened = start_line(self, line, now);
        opened->hits++;
        return;
    }
    /* A frame without a record goes on: an exception was thrown into it while it was
     * suspended, or it began before the probes were switched on. */
    int64_t was_on = end_suspension(self, frame);
    opened = push(self, frame, line);
    if (opened != NULL) {
        opened->hits += was_on != line;
    }
}

void
nbp_shadow_leave(nbp_shadow *self, const void *frame)
{
    if (!bring_up(self, frame)) {
        end_suspension(self, frame);
        return;
    }
    end_line(self, pass_time(self, self->owner->costs.frame));
    self->depth--;
}

void
nbp_shadow_suspend(nbp_shadow *self, const void *frame)
{
    if (bring_up(self, frame)) {
        uint32_t line = self->records[self->depth - 1].line;
        end_line(self, pass_time(self, self->owner->costs.frame));
        self->depth--;
        nbp_pointermap_put(&self->owner->suspended, frame, self->last, line);
    }
}

/* ---- all of them ---- */

void
nbp_lines_close(nbp_lines *self)
{
    for (size_t i = 0; i < self->n_shadows; i++) {
        nbp_shadow *shadow = self->shadows[i];
        while (shadow->depth > 0) {
            end_line(shadow, pass_time(shadow, 0));
            shadow->depth--;
        }
    }
    nbp_pointermap_clear(&self->suspended);
}

static void
reset_shadow(nbp_shadow *self)
{
    if (self->n_lines > 0) {
        memset(self->lines, 0, self->n_lines * sizeof(*self->lines));
    }
    self->tool = self->last_tool = self->dropped = self->moved = 0;
    self->last = nbp_ticks_now(self->owner->has_counter);
    for (uint32_t i = 0; i < self->depth; i++) {
        nbp_record *record = &self->records[i];
        self->lines[record->line].open++;
        record->opened = self->last;
        record->opened_tool = 0;
    }
}

void
nbp_lines_reset(nbp_lines *self, uint64_t survivor)
{
    size_t kept = 0;
    for (size_t i = 0; i < self->n_shadows; i++) {
        if (survivor != 0 && self->shadows[i]->id != survivor) {
            shadow_destroy(&self->shadows[i]);
            continue;
        }
        reset_shadow(self->shadows[i]);
        self->shadows[kept++] = self->shadows[i];
    }
    self->n_shadows = kept;
    self->recent = NULL;
    nbp_pointermap_clear(&self->suspended);
}
