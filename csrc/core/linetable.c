/* SPDX-License-Identifier: BSD-3-Clause */
#include "linetable.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "shadow.h"

enum {
    FIRST_CAPACITY = 256, /* records */
    FIRST_FOLD = 64,
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
        self->pace.due = INT64_MAX;
    }
    return self;
}

void
nbp_lines_set_costs(nbp_lines *self, nbp_costs costs, double pace)
{
    self->measured = self->costs = costs;
    self->measured_pace = pace;
    nbp_pace_clear(&self->pace);
    self->pace.due = pace > 0 ? INT64_MIN : INT64_MAX;
}

nbp_costs
nbp_lines_costs_at(const nbp_lines *self, double pace)
{
    double ratio = nbp_pace_ratio(pace, self->measured_pace);
    return (nbp_costs){
        .line = llround((double)self->measured.line * ratio),
        .frame = llround((double)self->measured.frame * ratio),
        .same = llround((double)self->measured.same * ratio),
    };
}

int64_t
nbp_lines_take_pace(nbp_lines *self)
{
    int64_t pace = nbp_pace_take(&self->pace, self->has_counter);
    self->costs = nbp_lines_costs_at(self, (double)pace);
    return nbp_ticks_now(self->has_counter);
}

static void
shadow_destroy(nbp_shadow **self_p)
{
    if (*self_p != NULL) {
        nbp_shadow *self = *self_p;
        free(self->records);
        free(self->record_memory);
        free(self->lines);
        free(self->line_memory);
        free(self);
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

/* Zeroed, on a border of cache lines; size must be a multiple of one. */
static void *
allocate(size_t bytes)
{
    void *memory = aligned_alloc(NBP_CACHE_LINE, bytes);
    if (memory != NULL) {
        memset(memory, 0, bytes);
    }
    return memory;
}

static nbp_shadow *
new_shadow(nbp_lines *owner, uint64_t id, uint64_t thread)
{
    nbp_shadow *self = allocate(sizeof(*self));
    nbp_record *records = calloc(FIRST_CAPACITY, sizeof(*records));
    nbp_record_memory *memory =
        owner->with_memory ? calloc(FIRST_CAPACITY, sizeof(*memory)) : NULL;
    if (self == NULL || records == NULL || (owner->with_memory && memory == NULL)) {
        free(self);
        free(records);
        free(memory);
        return NULL;
    }
    self->record_memory = memory;
    self->owner = owner;
    self->id = id;
    self->thread = thread;
    self->records = self->top = records;
    self->capacity = FIRST_CAPACITY;
    records[0].line = &self->ground;
    return self;
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
    nbp_shadow *shadow = new_shadow(self, id, thread);
    if (shadow != NULL) {
        shadows[self->n_shadows++] = shadow;
    }
    return shadow;
}

static nbp_shadow *
find_shadow(nbp_lines *self, uint64_t id, uint64_t thread)
{
    for (size_t i = 0; i < self->n_shadows; i++) {
        if (self->shadows[i]->id == id) {
            return self->shadows[i];
        }
    }
    return add_shadow(self, id, thread);
}

nbp_shadow *
nbp_lines_shadow(nbp_lines *self, uint64_t id, uint64_t thread)
{
    nbp_shadow *shadow = find_shadow(self, id, thread);
    self->recent_id = shadow == NULL || !self->on ? 0 : id;
    self->recent = shadow;
    return shadow;
}

void
nbp_lines_switch(nbp_lines *self, bool on)
{
    self->on = on;
    self->recent_id = 0;
    if (on && self->measured_pace > 0) {
        self->pace.due = INT64_MIN; /* it may be another by now */
    }
}

static bool
make_room_for_memory(nbp_shadow *self, uint32_t n)
{
    nbp_line_memory *memory = realloc(self->line_memory, n * sizeof(*memory));
    if (memory == NULL) {
        return false;
    }
    memset(memory + self->n_lines, 0, (n - self->n_lines) * sizeof(*memory));
    self->line_memory = memory;
    return true;
}

bool
nbp_shadow_make_room(nbp_shadow *self)
{
    uint32_t n = self->owner->slots;
    if (self->owner->with_memory && !make_room_for_memory(self, n)) {
        return false;
    }
    nbp_line *lines = allocate(n * sizeof(*lines));
    if (lines == NULL) {
        return false;
    }
    if (self->n_lines > 0) {
        memcpy(lines, self->lines, self->n_lines * sizeof(*lines));
    }
    for (nbp_record *record = self->records + 1; record <= self->top; record++) {
        record->line = lines + (record->line - self->lines);
    }
    free(self->lines);
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
    if (from->n_lines > to->n_lines && !nbp_shadow_make_room(to)) {
        return false;
    }
    for (uint32_t line = 0; line < from->n_lines; line++) {
        add_counters(&to->lines[line], &from->lines[line]);
        if (to->owner->with_memory) {
            nbp_line_memory_merge(&to->line_memory[line], &from->line_memory[line]);
        }
    }
    to->dropped += from->dropped;
    to->moved += from->moved;
    return true;
}

void
nbp_lines_fold(nbp_lines *self, const uint64_t *alive, size_t n_alive)
{
    nbp_shadow *rest = find_shadow(self, 0, 0);
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
    self->recent_id = 0;
    self->fold_at = self->n_shadows * 2 + FIRST_FOLD;
}

/* ---- all of them ---- */

void
nbp_lines_pause(nbp_lines *self)
{
    for (size_t i = 0; i < self->n_shadows; i++) {
        nbp_shadow *shadow = self->shadows[i];
        while (nbp_shadow_depth(shadow) > 0) {
            int64_t now = nbp_shadow_pass(shadow, 0, NULL);
            nbp_shadow_end(shadow, now, self->with_memory);
            shadow->top--;
        }
    }
}

void
nbp_lines_close(nbp_lines *self)
{
    nbp_lines_pause(self);
    nbp_pointermap_clear(&self->suspended);
}

static void
reset_shadow(nbp_shadow *self)
{
    if (self->n_lines > 0) {
        memset(self->lines, 0, self->n_lines * sizeof(*self->lines));
    }
    if (self->n_lines > 0 && self->owner->with_memory) {
        memset(self->line_memory, 0, self->n_lines * sizeof(*self->line_memory));
    }
    self->tool = self->dropped = self->moved = 0;
    self->last = nbp_ticks_now(self->owner->has_counter);
    nbp_record *top = self->top;
    self->top = self->records;
    while (self->top < top) {
        self->top++;
        nbp_shadow_begin(self, self->top->line, self->last, self->owner->with_memory);
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
    self->recent_id = 0;
    nbp_pace_clear(&self->pace);
    nbp_pointermap_clear(&self->suspended);
}
