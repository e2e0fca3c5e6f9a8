/* SPDX-License-Identifier: BSD-3-Clause */
/* Samples of stacks, added up: a tree of calls for each thread, counts for each place
 * in the code, and *spans*, stretches of samples that found a thread at the same line,
 * in a ring of the latest. Bounded: what does not fit in is counted where it fits. Not
 * thread-safe; all that is returned is borrowed until the next change. */
#ifndef NBP_SAMPLETREE_H
#define NBP_SAMPLETREE_H

#include "codebook.h"
#include "pointermap.h"

enum {
    NBP_SPANS = 4096,
};

/* A function called along one path of callers. */
typedef struct {
    uint32_t parent; /* its place among the nodes, lower than this one's; of a thread's
                        first node: NBP_NO_FUNCTION */
    uint32_t function; /* NBP_NO_FUNCTION for a thread's first node and for what stands
                          for frames that a stack too deep has lost */
    uint32_t thread;   /* its place among the threads */
    uint64_t samples;  /* that found it innermost */
} nbp_sample_node;

typedef struct {
    uint64_t ident;     /* as threading.get_ident() */
    uint64_t samples;   /* in its tree */
    uint64_t torn;      /* that changed while they were read, and are in no tree */
    uint64_t crowded;   /* that belong deeper, where the tree had no more room */
    uint64_t preempted; /* that found it ready to run, and waiting for a processor since
                           the sample before; they are in no tree */
    int64_t first_ns, last_ns; /* when it was first and last met, CLOCK_MONOTONIC */
    int64_t cpu_ns;            /* processor time between them, as far as known */
    bool moved;                /* it was met at two places at least */
    bool stood,
        queued; /* it has not run since the last look; it waits for a processor */
    /* For the next look: */
    uint32_t root;       /* its first node */
    uintptr_t outermost; /* frame */
    uint64_t place;      /* of the innermost frame: address and instruction, mixed */
    uint64_t span;       /* number of its latest span; 0: none */
    int64_t cpu_first;   /* processor time when it was first met; -1: not known */
    int64_t cpu_last;    /* and when it was last met */
    uint32_t
        last_node; /* where its last sample was counted; NBP_NO_FUNCTION: nowhere */
    uint32_t last_place; /* and among the places */
} nbp_sampled_thread;

/* Samples of one place in a function, wherever it was called from. */
typedef struct {
    uint32_t function;
    int32_t unit; /* of its code */
    int32_t line; /* 0: none */
    uint64_t samples;
} nbp_sampled_place;

/* Samples in a row that found a thread at one line. */
typedef struct {
    uint32_t thread; /* its place among the threads */
    uint32_t function;
    int32_t line;
    uint32_t samples;
    int64_t first_ns, last_ns; /* CLOCK_MONOTONIC */
    uint64_t number;           /* from 1 on, each span another */
} nbp_span;

typedef struct {
    nbp_sample_node *nodes; /* owned */
    size_t n_nodes, nodes_room;
    nbp_pointermap by_path;      /* nodes by parent and function */
    nbp_sampled_thread *threads; /* owned */
    size_t n_threads, threads_room;
    nbp_pointermap by_id;      /* threads by their interpreter's number */
    nbp_sampled_place *places; /* owned */
    size_t n_places, places_room;
    nbp_pointermap by_unit;    /* places by function and unit */
    nbp_span spans[NBP_SPANS]; /* span n is at n % NBP_SPANS */
    uint64_t n_spans;
} nbp_sampletree;

/* All zero is an empty tree. */
void nbp_sampletree_clear(nbp_sampletree *self);

/* The place of a thread, added if it is new; NBP_NO_FUNCTION when there is no room. */
uint32_t nbp_sampletree_thread(nbp_sampletree *self, const nbp_thread_view *view,
                               int64_t now);

/* Adds one sample of a thread: `depth` functions, the innermost first; `cut` when there
 * were more. `unit` is where the innermost is, a function of `book`. */
void nbp_sampletree_add(nbp_sampletree *self, uint32_t thread, const nbp_codebook *book,
                        const uint32_t *functions, size_t depth, bool cut, int32_t unit,
                        int64_t now);

/* Adds a sample to where the thread's last one was: it has not run since. */
void nbp_sampletree_repeat(nbp_sampletree *self, uint32_t thread, int64_t now);

/* The spans with a number above `after` that are still in the ring, and each thread's
 * latest, which may have grown; copies at most `room`, the oldest first. */
size_t nbp_sampletree_spans(const nbp_sampletree *self, uint64_t after, nbp_span *out,
                            size_t room);

#endif /* NBP_SAMPLETREE_H */
