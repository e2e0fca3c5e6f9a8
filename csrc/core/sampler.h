/* SPDX-License-Identifier: BSD-3-Clause */
/* A thread that looks at the stacks of an interpreter's threads at random moments, on
 * average `hz` times a second, without stopping them or holding the interpreter.
 *
 * Its own cost is bounded: where a look takes long (many threads, deep stacks, a
 * machine whose processors are all busy) it looks less often, so that it never takes
 * more than a fiftieth of a processor, and 5 ms to begin with.
 *
 * Every function may be called from any thread. In a child of fork() there is no such
 * thread, and its lock may be taken for ever: there the sampler is stopped and empty,
 * and what it held stays unfreed. */
#ifndef NBP_SAMPLER_H
#define NBP_SAMPLER_H

#include "sampletree.h"

typedef struct nbp_sampler nbp_sampler;

typedef struct {
    uint64_t rounds;  /* looks at all threads */
    uint64_t skipped; /* looks that were due while the sampler had no processor */
    uint64_t torn;    /* lists of threads that changed while they were read */
    int64_t cost_ns;  /* processor time of the sampler */
    int64_t ran_ns;   /* how long it was on */
    bool slowed;      /* it looked less often than it was asked to, to keep its bound */
} nbp_sampler_stats;

/* `interpreter` is the address of its structure. NBP_UNAVAILABLE when memory cannot be
 * read safely here. 0.01 <= hz <= 100000. `share` is the most of a processor that it
 * may take, up to 1; 0: a fiftieth. */
nbp_status nbp_sampler_new(nbp_sampler **out, const nbp_interpreter_layout *layout,
                           uintptr_t interpreter, double hz, double share);

/* Stops it first. */
void nbp_sampler_destroy(nbp_sampler **self);

/* Begins to look. Of the thread `thread` (nbp_thread_view.id) only what is called from
 * the frame at `base` is taken down; 0 for both: everything is. NBP_INVALID when it was
 * started before. */
nbp_status nbp_sampler_start(nbp_sampler *self, uint64_t thread, uintptr_t base);

/* Ends the thread, and waits until it has. Again does nothing. */
void nbp_sampler_stop(nbp_sampler *self);

bool nbp_sampler_is_running(nbp_sampler *self);

/* Between these two the sampler stands, and the readers below may be called: what they
 * give is valid until the second. lock() is false in a child of fork(). */
bool nbp_sampler_lock(nbp_sampler *self);
void nbp_sampler_unlock(nbp_sampler *self);

const nbp_sampletree *nbp_sampler_tree(const nbp_sampler *self);
const nbp_codebook *nbp_sampler_book(const nbp_sampler *self);
nbp_sampler_stats nbp_sampler_statistics(const nbp_sampler *self);

#endif /* NBP_SAMPLER_H */
