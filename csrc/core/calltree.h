/* SPDX-License-Identifier: BSD-3-Clause */
/* The exact calling-context tree of one thread: a node is a function called along one
 * path of callers, so nothing about deeper callers has to be guessed afterwards.
 *
 * The tree keeps a shadow stack of the calls that run. A call is known by its
 * *activation*, an address that no other running call has (its frame's), and by that
 * alone: a call may end out of turn, because a greenlet switched stacks or an event was
 * lost, and the calls above it are then set aside as a *strand* that goes on when one
 * of its own calls is heard of again. Time set aside is nobody's.
 *
 * Times are ticks of the caller's clock, which gives them to every function: the tree
 * never reads a clock. What passes between two events is the own time of the call that
 * ran meanwhile; time with callees is summed up afterwards. Keys and activations are
 * compared, never followed. One tree belongs to one thread at a time: it has no lock.
 *
 * The common case of an event is inline, here: profiling costs what it costs. */
#ifndef NBP_CALLTREE_H
#define NBP_CALLTREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

typedef enum {
    NBP_CALL_PYTHON,
    NBP_CALL_NATIVE, /* a function in C */
    NBP_CALL_TASK,   /* no call: what stands for a task above its coroutine */
    NBP_CALL_KINDS,
} nbp_call_kind;

typedef struct nbp_call_node {
    struct nbp_call_node *parent;   /* borrowed; NULL for the root */
    struct nbp_call_node *recent;   /* borrowed: the child that was entered last */
    struct nbp_call_node *follower; /* borrowed: the sibling entered after this, once */
    const void *key;                /* the function; NULL for the root */
    uint64_t calls;                 /* calls that began */
    uint64_t resumes;               /* times that a suspended call went on */
    uint64_t others;                /* events while it ran that made no node */
    int64_t inclusive;   /* ticks, callees included: as nbp_calltree_sum() left it */
    int64_t self;        /* ticks, callees excluded */
    uint64_t metered[2]; /* what the meters counted meanwhile, likewise */
    uint32_t index;      /* its place among the nodes; a parent's is lower */
    nbp_call_kind kind;
} nbp_call_node;

typedef enum {
    NBP_ENTER_START,  /* a call begins */
    NBP_ENTER_RESUME, /* a generator or coroutine goes on */
} nbp_enter_how;

/* What could not be recorded as it was. All zero: the tree is exact. */
typedef struct {
    uint64_t crowded;   /* calls that have a flat node because the tree is full; what
                         * they take is not among the time with callees of others */
    uint64_t dropped;   /* calls not recorded at all: too deep, or no memory */
    uint64_t unmatched; /* ends of calls that began before the recording */
    uint64_t switched;  /* times that calls were set aside or went on again */
} nbp_calltree_loss;

/* Cost of the recording, in ticks per event pair: `inner` falls between the two clock
 * readings of a call and so into its own time, `outer` into its caller's. */
typedef struct {
    double inner;
    double outer;
} nbp_call_cost;

typedef struct {
    nbp_call_cost call[NBP_CALL_KINDS];
    nbp_call_cost resume;
    double other; /* an event that made no node, in its caller's own time */
} nbp_call_costs;

/* A call that runs. */
typedef struct {
    const void *activation;
    nbp_call_node *node; /* borrowed from the tree */
} nbp_call_record;

/* What every event touches; calltree.c has the rest. */
typedef struct nbp_calltree {
    nbp_call_record *top;   /* the call that runs; the lowest record is the root's */
    nbp_call_record *limit; /* from here up, a call must take the long way */
    int64_t last;           /* until when time is booked */
    uint64_t beyond;        /* calls that run and were dropped, all above the top */
    const volatile uint64_t *meters; /* borrowed: two counters of the thread; or NULL */
    uint64_t last_metered[2];        /* what they said when it was booked last */
} nbp_calltree;

/* An empty tree. `room` counts the nodes that may
 * still be made, is shared by the trees of a recording and outlives them (borrowed).
 * NULL when memory is short. */
nbp_calltree *nbp_calltree_new(size_t *room);

/* Frees the tree and sets the pointer to NULL; NULL is allowed. */
void nbp_calltree_destroy(nbp_calltree **self);

/* The long ways of the two functions below. */
int nbp_calltree_enter_anew(nbp_calltree *self, const void *activation, const void *key,
                            nbp_call_kind kind, nbp_enter_how how, int64_t now);
void nbp_calltree_leave_out_of_turn(nbp_calltree *self, const void *activation,
                                    int64_t now);

static inline void
nbp_calltree_book_meters(nbp_calltree *self)
{
    for (int i = 0; i < 2; i++) {
        uint64_t counted = self->meters[i];
        self->top->node->metered[i] += counted - self->last_metered[i];
        self->last_metered[i] = counted;
    }
}

/* Gives the time since the last event to the call that ran. */
static inline void
nbp_calltree_book(nbp_calltree *self, int64_t now)
{
    self->top->node->self += now - self->last;
    self->last = now;
    if (self->meters != NULL) {
        nbp_calltree_book_meters(self);
    }
}

/* Whether nbp_calltree_enter of this function, or nbp_calltree_leave of this
 * activation, is the common case, which is done by the function below it and calls
 * nothing. */
static inline bool
nbp_calltree_is_again(const nbp_calltree *self, const void *key)
{
    return self->top->node->recent->key == key && self->top < self->limit;
}

static inline void
nbp_calltree_enter_again(nbp_calltree *self, const void *activation, nbp_enter_how how,
                         int64_t now)
{
    nbp_call_record *top = self->top;
    nbp_call_node *node = top->node->recent;
    nbp_calltree_book(self, now);
    if (how == NBP_ENTER_START) {
        node->calls++;
    }
    else {
        node->resumes++;
    }
    top[1].activation = activation;
    top[1].node = node;
    self->top = top + 1;
}

static inline bool
nbp_calltree_is_turn(const nbp_calltree *self, const void *activation)
{
    return self->top->activation == activation && self->beyond == 0;
}

static inline void
nbp_calltree_leave_in_turn(nbp_calltree *self, int64_t now)
{
    nbp_calltree_book(self, now);
    self->top--;
}

/* A call of `key` begins or goes on at `now`, under the call that runs. Returns 1 when
 * its node is new, 0 when it is not, -1 when the call is not recorded. */
static inline int
nbp_calltree_enter(nbp_calltree *self, const void *activation, const void *key,
                   nbp_call_kind kind, nbp_enter_how how, int64_t now)
{
    if (!nbp_calltree_is_again(self, key)) {
        return nbp_calltree_enter_anew(self, activation, key, kind, how, now);
    }
    nbp_calltree_enter_again(self, activation, how, now);
    return 0;
}

/* The call with this activation ends or is suspended at `now`. Unknown ones are counted
 * and otherwise ignored. */
static inline void
nbp_calltree_leave(nbp_calltree *self, const void *activation, int64_t now)
{
    if (!nbp_calltree_is_turn(self, activation)) {
        nbp_calltree_leave_out_of_turn(self, activation, now);
        return;
    }
    nbp_calltree_leave_in_turn(self, now);
}

/* An event that makes no node, for the subtraction of its cost. */
static inline void
nbp_calltree_other(nbp_calltree *self)
{
    self->top->node->others++;
}

/* Of the time since the last event, `ticks` are nobody's. */
static inline void
nbp_calltree_skip(nbp_calltree *self, int64_t ticks)
{
    self->last += ticks;
}

/* The last `ticks` are nobody's: time of the recording itself. Neither is what the
 * meters counted since the last event. */
static inline void
nbp_calltree_pause(nbp_calltree *self, int64_t ticks)
{
    nbp_calltree_skip(self, ticks);
    for (int i = 0; self->meters != NULL && i < 2; i++) {
        self->last_metered[i] = self->meters[i];
    }
}

/* So much of what the meters count next is the recording's own. */
static inline void
nbp_calltree_discount(nbp_calltree *self, uint64_t first, uint64_t second)
{
    self->last_metered[0] += first;
    self->last_metered[1] += second;
}

/* Ends every call that still runs, and forgets those set aside: the recording stops. */
void nbp_calltree_finish(nbp_calltree *self, int64_t now);

/* Fills `inclusive` of every node: for the reader, after the events. The root has no
 * own time: what passes while no call runs is nobody's. */
void nbp_calltree_sum(nbp_calltree *self);

/* Nodes, the root among them, which is at 0. */
size_t nbp_calltree_count(const nbp_calltree *self);

/* Borrowed, for as long as the tree lives. `index` < count. */
const nbp_call_node *nbp_calltree_at(const nbp_calltree *self, size_t index);

/* The node below which calls without a place are flat; NULL when there are none. */
const nbp_call_node *nbp_calltree_crowd(const nbp_calltree *self);

/* Calls that run now, as far as they are recorded. */
size_t nbp_calltree_depth(const nbp_calltree *self);

nbp_calltree_loss nbp_calltree_losses(const nbp_calltree *self);

/* Times with the cost of recording taken out, of node i at [i]: a node's own time less
 * what its events and its callees' cost it, never below 0, and the sum over its
 * subtree. Both arrays hold count doubles and belong to the caller. */
void nbp_calltree_correct(const nbp_calltree *self, const nbp_call_costs *costs,
                          double *inclusive, double *self_time);

#endif /* NBP_CALLTREE_H */
