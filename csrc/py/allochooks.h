/* SPDX-License-Identifier: BSD-3-Clause */
/* The hooks in Python's three allocators, and what every thread has allocated: numbers
 * that a probe reads in place.
 *
 * Hooks are in while at least one nbp_alloc_use is open; what they do is what the most
 * demanding one asks for (4 ns an allocation to count, 20 to 50 with sizes of what is
 * freed and the peak, some 30 more by place). They are the process's, as the allocators
 * are: any number of uses may be open at once. Under another tool's hooks (tracemalloc)
 * they stay in place when the last use is closed, and hand everything through.
 *
 * A line engine reads its thread's counters like this:
 *
 *     nbp_alloc_thread *thread = nbp_alloc_self();   // once an event; never NULL
 *     uint64_t allocated = thread->allocated_bytes - line->allocated_bytes;
 *     int64_t above = thread->peak_bytes - line->current_bytes;  // peak in this line
 *     nbp_alloc_restart_peak(thread);                // the next line begins
 */
#ifndef NBP_ALLOCHOOKS_H
#define NBP_ALLOCHOOKS_H

#include <Python.h>

#include <stdbool.h>
#include <stdint.h>

#include "alloctable.h"
#include "rss.h"

typedef enum {
    NBP_ALLOC_OFF,
    NBP_ALLOC_COUNTS, /* what is allocated; frees are not seen, and there is no peak */
    NBP_ALLOC_EXACT,  /* and what of it is freed, and the peak */
    NBP_ALLOC_SITES,  /* and where */
} nbp_alloc_level;

/* What one thread has done while hooks were in; it never goes back, so differences
 * count. Written by that thread alone; another one may read a value that is about to
 * change. Bytes as they were asked for; a realloc is a free and an allocation. Frees
 * are those of blocks that were allocated while EXACT hooks were in, by any thread. */
typedef struct nbp_alloc_thread {
    uint64_t allocated_bytes, allocated_blocks;
    uint64_t freed_bytes, freed_blocks; /* from EXACT on */
    int64_t peak_bytes; /* the highest (allocated - freed) since restart_peak() */
    uint64_t native_bytes, native_blocks; /* of what was allocated: by libraries */
    /* The rest is the hooks' own. */
    const void *recent[4]; /* the blocks that were allocated last */
    uint32_t n_recent;
    bool inside;  /* an allocator is at work: what it does below is its own affair */
    bool loading; /* a library was opened: its imports have to be looked through */
    bool reached; /* an allocation came by: set for nbp_alloc_use_open() to see */
    bool in_use;  /* by a thread that lives */
    bool unseen;  /* what it allocates is not counted; frees of what others did are */
    struct nbp_alloc_thread *next;
} nbp_alloc_thread;

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

/* From here on nothing counts what the running thread allocates, until it ends or this
 * is taken back: it works for whoever measures. Blocks of other threads that it frees
 * are freed for everybody. 0, or -1 with an exception set. */
int nbp_alloc_leave_out(bool leave_out);

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

/* One use of the hooks; part of its owner. All zero is a closed one. */
typedef struct nbp_alloc_use {
    struct nbp_alloc_use *next; /* borrowed: the other open ones */
    nbp_alloc_level level;
    uint32_t frames; /* of each place, with SITES */
    bool native;     /* libraries too, see native.h */
    bool open;
    bool displaced;      /* another tool has taken the hooks out meanwhile */
    nbp_measure measure; /* from EXACT on */
    nbp_alloc_totals at_open, at_close; /* of all threads, with COUNTS */
} nbp_alloc_use;

/* Opens `use` with the level, frames and native that are set in it, everything at 0.
 * 0, or -1 with an exception set. The GIL is held, here and below. */
int nbp_alloc_use_open(nbp_alloc_use *use);

/* Closes it; what it has counted stays. Cannot fail; does nothing to a closed one. */
void nbp_alloc_use_close(nbp_alloc_use *use);

/* Closes it and frees what it has counted. */
void nbp_alloc_use_free(nbp_alloc_use *use);

/* What it has counted until now, or until it was closed. */
nbp_alloc_totals nbp_alloc_use_totals(nbp_alloc_use *use);

/* Where all uses are counted together. */
nbp_alloctable_t *nbp_alloc_table(void);

/* Whose peaks are not to contain our tables; NULL for nobody's. */
void nbp_alloc_discount_from(nbp_rss_t *rss);

/* Resident now, as it says, in bytes; 0 where there is none or it is not known. */
int64_t nbp_alloc_resident_bytes(void);

/* --- For native.c ------------------------------------------------------------------
 */

/* What is asked for by the uses that are open. */
nbp_alloc_level nbp_alloc_level_now(void);

/* A library has allocated a block, which was `was` before a realloc (else NULL); frees
 * one; has freed one that was held: as in alloctable.h, with the thread's counters, and
 * the place. `thread` may be NULL where memory is given back. */
void nbp_alloc_note(nbp_alloc_thread *thread, nbp_alloc_level level,
                    const nbp_block *was, const void *address, size_t bytes);
void nbp_alloc_note_free(nbp_alloc_thread *thread, nbp_alloc_level level,
                         const void *address);
void nbp_alloc_note_gone(nbp_alloc_thread *thread, const nbp_block *was);

/* A library has mapped pages; unmaps some. */
void nbp_alloc_note_map(nbp_alloc_thread *thread, nbp_alloc_level level,
                        const void *address, size_t bytes);
void nbp_alloc_note_unmap(nbp_alloc_thread *thread, const void *address, size_t bytes);

#endif /* NBP_ALLOCHOOKS_H */
