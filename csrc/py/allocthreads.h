/* SPDX-License-Identifier: BSD-3-Clause */
/* What every thread has allocated: numbers that a probe reads in place.
 *
 *     nbp_alloc_thread *thread = nbp_alloc_self();   // once an event; never NULL
 *     uint64_t allocated = thread->allocated_bytes - line->allocated_bytes;
 *     int64_t above = thread->peak_bytes - line->current_bytes;  // peak in this line
 *     nbp_alloc_restart_peak(thread);                // the next line begins
 */
#ifndef NBP_ALLOCTHREADS_H
#define NBP_ALLOCTHREADS_H

#include <stdbool.h>
#include <stdint.h>

#include "alloctable.h"
#include "rss.h"

enum { NBP_ALLOC_RECENT = 4 };

/* What one thread has done while hooks were in; it never goes back, so differences
 * count. Written by that thread alone; another one may read a value that is about to
 * change. Bytes as they were asked for; a realloc is a free and an allocation. Frees
 * are those of blocks that were allocated while EXACT hooks were in, by any thread. */
typedef struct nbp_alloc_thread {
    uint64_t allocated_bytes, allocated_blocks;
    uint64_t freed_bytes, freed_blocks; /* from EXACT on */
    int64_t peak_bytes; /* the highest (allocated - freed) since restart_peak() */
    /* The hooks' own, beside what they count with. */
    bool inside;  /* an allocator is at work: what it does below is its own affair */
    bool loading; /* a library was opened: its imports have to be looked through */
    bool reached; /* an allocation came by: set for nbp_alloc_use_open() to see */
    bool in_use;  /* by a thread that lives, or for one that has not allocated yet */
    /* Not 0: what it allocates is not counted; frees of what others did are. */
    uint32_t unseen;                      /* nbp_alloc_unseen */
    uint64_t native_bytes, native_blocks; /* of what was allocated: by libraries */
    const void *recent[NBP_ALLOC_RECENT]; /* the blocks that were allocated last */
    uint32_t n_recent;
    bool is_awaited; /* the thread has not been here yet */
    uint64_t ident;  /* of the thread: pthread_self(); 0: of none */
    nbp_rss_reading resident;
    struct nbp_alloc_thread *next;
} nbp_alloc_thread;

/* Who has asked that a thread is left out: added up. */
enum nbp_alloc_unseen {
    NBP_UNSEEN_BY_ITSELF = 1,
    NBP_UNSEEN_BY_OTHERS = 2, /* once for each time */
};

/* Of the running thread; NULL before its first allocation under hooks. In the static
 * block, where reading it is one instruction: it is 8 bytes. */
extern _Thread_local nbp_alloc_thread *nbp_alloc_running
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* Gives the thread its counters, or the shared one of the threads that got none for
 * want of memory: never NULL. */
nbp_alloc_thread *nbp_alloc_attach(void);

static inline nbp_alloc_thread *
nbp_alloc_self(void)
{
    nbp_alloc_thread *thread = nbp_alloc_running;
    return thread != NULL ? thread : nbp_alloc_attach();
}

/* Allocated and not freed by this thread; below 0 when it frees what others have
 * allocated. */
static inline int64_t
nbp_alloc_current_bytes(const nbp_alloc_thread *self)
{
    return (int64_t)(self->allocated_bytes - self->freed_bytes);
}

static inline void
nbp_alloc_restart_peak(nbp_alloc_thread *self)
{
    self->peak_bytes = nbp_alloc_current_bytes(self);
}

/* Sees to it that counters are given on when their thread ends: false when the system
 * has no room for that. Once, before the first thread counts. */
bool nbp_alloc_threads_ready(void);

/* Nothing is to count what another thread allocates, by its threading.get_ident(), or
 * that is taken back: as often as it was asked for. Whether it has allocated anything
 * yet does not matter. False without memory. Under the GIL, after threads_ready(). */
bool nbp_alloc_threads_leave_out(uint64_t ident, bool leave_out);

/* Whether the thread is one that got no counters of its own. */
bool nbp_alloc_is_nobody(const nbp_alloc_thread *thread);

/* What all threads have allocated, with those that have ended; frees and peaks are 0.
 */
nbp_alloc_totals nbp_alloc_threads_sum(void);

#endif /* NBP_ALLOCTHREADS_H */
