/* SPDX-License-Identifier: BSD-3-Clause */
/* What the probes write: the lines' counters, one table a thread, and each thread's
 * stack of profiled frames that are running, with the line that each of them is on.
 *
 * Time is charged as it passes: from one event of a thread to the next it is the *own*
 * time of the line that the topmost frame is on, whatever frame was entered or left in
 * between. *Inclusive* time is taken from a line's start to its end, once however often
 * the line is on the stack. A frame is known by its address; it is an opaque number
 * here.
 *
 * The time that the tool itself takes is kept in a ledger of its own, by the cost of an
 * event measured beforehand, and booked beside each time, so that it can be subtracted.
 *
 * Not thread-safe: the caller holds the GIL. Nothing here fails loudly: what finds no
 * memory is dropped and counted. */
#ifndef NBP_LINETABLE_H
#define NBP_LINETABLE_H

#include "pointermap.h"
#include "status.h"
#include "ticks.h"

/* One line of one code object; times are ticks. Other engines' figures for the same
 * slots (memory) go into arrays of their own beside it, not in here: a line event
 * touches one cache line. */
typedef struct {
    int64_t hits;
    int64_t inclusive;
    int64_t own;
    int64_t suspended; /* from yields and awaits on this line to their resumption */
    int64_t inclusive_tool; /* of `inclusive`, what the tool took */
    int64_t own_tool;
    int64_t open; /* frames that are on this line now: recursion, generators */
} nbp_line;

/* A profiled frame that is running. */
typedef struct {
    const void *frame;
    int64_t opened; /* when its line started */
    int64_t opened_tool;
    uint32_t line;
} nbp_record;

typedef struct nbp_lines nbp_lines;

/* One thread's stack and table. */
typedef struct nbp_shadow {
    nbp_lines *owner;    /* borrowed */
    uint64_t id;         /* of the thread state: never used again by another */
    uint64_t thread;     /* threading.get_ident() */
    nbp_record *records; /* owned */
    uint32_t depth;
    uint32_t capacity;
    uint32_t n_lines;
    nbp_line *lines; /* owned; by slot */
    int64_t last;    /* time of the last event */
    int64_t tool;    /* the ledger */
    int64_t last_tool;
    int64_t dropped; /* frames not recorded: no memory, or the stack too deep */
    int64_t moved;   /* frames found below the top: greenlets were switched */
} nbp_shadow;

/* What an event takes, in ticks. */
typedef struct {
    int64_t line;  /* a line starts */
    int64_t frame; /* a frame is entered or resumed, or left or suspended */
    int64_t same;  /* a line probe that finds the frame on its line already */
} nbp_costs;

struct nbp_lines {
    int64_t references; /* of the engine and of each probe */
    bool on;            /* every probe looks here first */
    bool has_counter;
    uint32_t slots; /* lines given out */
    nbp_costs costs;
    uint64_t recent_id;   /* the thread of the last event, to find it at once */
    nbp_shadow *recent;   /* borrowed from `shadows` */
    nbp_shadow **shadows; /* owned, each owned */
    size_t n_shadows;
    size_t fold_at;           /* number of shadows from which dead threads are folded */
    nbp_pointermap suspended; /* frame -> when, and on which line */
};

/* With one reference; NULL without memory. */
nbp_lines *nbp_lines_new(void);
/* Drops one reference. */
void nbp_lines_release(nbp_lines *self);

/* A slot for one more line. */
static inline uint32_t
nbp_lines_add(nbp_lines *self)
{
    return self->slots++;
}

/* The shadow of thread state `id`, made when it is not there; NULL without memory. */
nbp_shadow *nbp_lines_shadow(nbp_lines *self, uint64_t id, uint64_t thread);

/* Puts the tables of threads that are not among the `alive` into one, that of thread 0,
 * so that a program of many short threads does not fill the memory. */
void nbp_lines_fold(nbp_lines *self, const uint64_t *alive, size_t n_alive);

/* Ends every open line as of now and forgets all frames; the tables stay. */
void nbp_lines_close(nbp_lines *self);

/* Sets all counters to 0; open lines start again now. `survivor`, if not 0, is the only
 * thread that is still there, as in the child of a fork. */
void nbp_lines_reset(nbp_lines *self, uint64_t survivor);

/* The events. `line` is a slot, `frame` the running frame. */
void nbp_shadow_enter(nbp_shadow *self, const void *frame, uint32_t line);
void nbp_shadow_line(nbp_shadow *self, const void *frame, uint32_t line);
void nbp_shadow_resume(nbp_shadow *self, const void *frame, uint32_t line);
void nbp_shadow_leave(nbp_shadow *self, const void *frame);
void nbp_shadow_suspend(nbp_shadow *self, const void *frame);

/* Whether `frame` is on `line` already, as far as the top of the stack shows: then a
 * line event has nothing to do. */
static inline bool
nbp_shadow_is_on(nbp_shadow *self, const void *frame, uint32_t line)
{
    if (self->depth == 0) {
        return false;
    }
    const nbp_record *top = &self->records[self->depth - 1];
    if (top->frame != frame || top->line != line) {
        return false;
    }
    self->tool += self->owner->costs.same;
    return true;
}

#endif /* NBP_LINETABLE_H */
