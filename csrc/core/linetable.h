/* SPDX-License-Identifier: BSD-3-Clause */
/* What the probes write: the lines' counters, one table a thread, and each thread's
 * stack of profiled frames that are running, with the line that each of them is on.
 * The events that write them are in shadow.h.
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

#include "linememory.h"
#include "pace.h"
#include "pointermap.h"
#include "status.h"
#include "ticks.h"

enum {
    NBP_CACHE_LINE = 64, /* bytes */
};

/* One line of one code object; times are ticks. What it allocates (linememory.h) is in
 * an array of its own beside it, not in here: a line event touches one cache line. */
typedef struct {
    _Alignas(NBP_CACHE_LINE) int64_t hits;
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
    nbp_line *line; /* borrowed from the shadow */
    int64_t opened; /* when its line started */
    int64_t opened_tool;
} nbp_record;

typedef struct nbp_lines nbp_lines;

/* One thread's stack and table. */
typedef struct nbp_shadow {
    nbp_line ground;     /* takes what passes while no profiled frame runs */
    nbp_lines *owner;    /* borrowed */
    nbp_record *top;     /* borrowed from `records` */
    nbp_line *lines;     /* owned; by slot */
    int64_t last;        /* time of the last event */
    int64_t tool;        /* the ledger */
    uint32_t n_lines;    /* that there are counters for */
    uint32_t capacity;   /* of `records` */
    nbp_record *records; /* owned; the first, of no frame, is on the ground */
    /* With memory only: */
    nbp_line_memory *line_memory;     /* owned; by slot */
    nbp_record_memory *record_memory; /* owned; one for each of `records` */
    nbp_traffic traffic;              /* as of the last event */
    int64_t resident_bytes;           /* the same */
    /* Rare: */
    uint64_t id;     /* of the thread state: never used again by another */
    uint64_t thread; /* threading.get_ident() */
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
    uint64_t recent_id; /* the thread of the last event, to find it at once; 0: none */
    nbp_shadow *recent; /* borrowed from `shadows`; only with `recent_id` */
    nbp_costs costs;    /* at the present pace */
    nbp_pace pace;      /* of the events that count */
    bool has_counter;
    bool with_memory;     /* set before the first event */
    bool with_resident;   /* the same; what is resident is read at each event too */
    bool on;              /* else events are not counted; `recent_id` is 0 then */
    bool paused;          /* off for a while only: the probes stay in the code */
    uint32_t slots;       /* lines given out */
    int64_t references;   /* of the engine and of each probe */
    nbp_shadow **shadows; /* owned, each owned */
    size_t n_shadows;
    size_t fold_at;           /* number of shadows from which dead threads are folded */
    nbp_pointermap suspended; /* frame -> when, and on which line */
    nbp_costs measured;       /* what events took at the pace that follows */
    double measured_pace;     /* ticks; 0 when it is not known: costs stay the same */
};

/* With one reference; NULL without memory. */
nbp_lines *nbp_lines_new(void);
/* Drops one reference. */
void nbp_lines_release(nbp_lines *self);

/* Sets what events take, as measured at a pace (ticks; 0 when that is not known). */
void nbp_lines_set_costs(nbp_lines *self, nbp_costs costs, double pace);

/* `measured` at another pace. */
nbp_costs nbp_lines_costs_at(const nbp_lines *self, double pace);

/* Takes a reading of the pace, and goes on with the costs at it: the time afterwards.
 */
int64_t nbp_lines_take_pace(nbp_lines *self);

/* A slot for one more line. */
static inline uint32_t
nbp_lines_add(nbp_lines *self)
{
    return self->slots++;
}

/* Whether events count from now on. */
void nbp_lines_switch(nbp_lines *self, bool on);

/* The shadow of thread state `id` (not 0), made when it is not there, and remembered as
 * the recent one; NULL without memory. */
nbp_shadow *nbp_lines_shadow(nbp_lines *self, uint64_t id, uint64_t thread);

/* Puts the tables of threads that are not among the `alive` into one, that of thread 0,
 * so that a program of many short threads does not fill the memory. */
void nbp_lines_fold(nbp_lines *self, const uint64_t *alive, size_t n_alive);

/* Ends every open line as of now (memory: as of its thread's last event) and forgets
 * the frames that run; the tables stay. Frames that are suspended may be resumed when
 * events count again: how long they waited is known then. */
void nbp_lines_pause(nbp_lines *self);

/* The same for good: suspended frames are forgotten too. */
void nbp_lines_close(nbp_lines *self);

/* Sets all counters to 0; open lines start again now. `survivor`, if not 0, is the only
 * thread that is still there, as in the child of a fork. */
void nbp_lines_reset(nbp_lines *self, uint64_t survivor);

/* Room in the table of a thread for all slots given out; false without memory. The
 * lines move: pointers to them that are kept elsewhere than in `records` are void. */
bool nbp_shadow_make_room(nbp_shadow *self);

#endif /* NBP_LINETABLE_H */
