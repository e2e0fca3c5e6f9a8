/* SPDX-License-Identifier: BSD-3-Clause */
/* What is booked when memory is allocated and freed, by Python's allocators
 * (allocators.c) and by libraries (native.c): in the thread's counters, and in the
 * table of blocks. */
#ifndef NBP_ALLOCNOTES_H
#define NBP_ALLOCNOTES_H

#include <Python.h>

#include <stdatomic.h>

#include "alloctable.h"
#include "allocthreads.h"

typedef enum {
    NBP_ALLOC_OFF,
    NBP_ALLOC_COUNTS, /* what is allocated; frees are not seen, and there is no peak */
    NBP_ALLOC_EXACT,  /* and what of it is freed, and the peak */
    NBP_ALLOC_SITES,  /* and where */
} nbp_alloc_level;

/* What is asked for. Set under the GIL while threads without it may read; static,
 * because allocators get no argument of ours. */
typedef struct {
    atomic_int level; /* an nbp_alloc_level, maybe with NBP_ALLOC_PROBING */
    atomic_uint frames;
    nbp_alloctable_t *table;         /* made by the first use, and never destroyed */
    PyInterpreterState *interpreter; /* the one whose code may be kept */
} nbp_alloc_orders;

extern nbp_alloc_orders nbp_alloc_booking __attribute__((visibility("hidden")));

/* Added to the level while somebody looks whether allocations come by. */
enum { NBP_ALLOC_PROBING = 8 };

/* The level without it. */
static inline nbp_alloc_level
nbp_alloc_level_now(void)
{
    int level = atomic_load_explicit(&nbp_alloc_booking.level, memory_order_relaxed);
    return (nbp_alloc_level)(level & ~NBP_ALLOC_PROBING);
}

/* Books a block with the place that the thread is at. */
void nbp_alloc_note_place(nbp_alloc_thread *thread, const nbp_block *was,
                          const void *address, size_t bytes, bool native);

/* One thread writes, any may read: no tearing, no order. */
static inline void
nbp_alloc_bump(uint64_t *counter, uint64_t by)
{
    __atomic_store_n(counter, *counter + by, __ATOMIC_RELAXED);
}

static inline void
nbp_alloc_count(nbp_alloc_thread *thread, size_t bytes, bool native)
{
    nbp_alloc_bump(&thread->allocated_bytes, bytes);
    nbp_alloc_bump(&thread->allocated_blocks, 1);
    if (native) {
        nbp_alloc_bump(&thread->native_bytes, bytes);
        nbp_alloc_bump(&thread->native_blocks, 1);
    }
}

static inline void
nbp_alloc_count_freed(nbp_alloc_thread *thread, uint64_t bytes, uint64_t blocks)
{
    nbp_alloc_bump(&thread->freed_bytes, bytes);
    nbp_alloc_bump(&thread->freed_blocks, blocks);
}

static inline void
nbp_alloc_raise_peak(nbp_alloc_thread *thread)
{
    int64_t current = nbp_alloc_current_bytes(thread);
    if (current > thread->peak_bytes) {
        thread->peak_bytes = current;
    }
}

static inline void
nbp_alloc_book(nbp_alloc_thread *thread, int level, const nbp_block *was,
               const void *address, size_t bytes, bool native)
{
    if (thread->unseen && was == NULL) {
        return;
    }
    nbp_alloc_count(thread, bytes, native);
    if (level == NBP_ALLOC_COUNTS) {
        return;
    }
    nbp_alloc_raise_peak(thread);
    if (level == NBP_ALLOC_EXACT) {
        (void)nbp_alloctable_moved(nbp_alloc_booking.table, was, address, bytes, NULL,
                                   native);
    }
    else {
        nbp_alloc_note_place(thread, was, address, bytes, native);
    }
}

static inline bool
nbp_alloc_is_recent(const nbp_alloc_thread *thread, const void *address)
{
    bool is = false;
    for (int i = 0; i < NBP_ALLOC_RECENT; i++) {
        is |= thread->recent[i] == address;
    }
    return is;
}

static inline void
nbp_alloc_book_free(nbp_alloc_thread *thread, int level, const void *address)
{
    nbp_block block;
    bool temporary = level == NBP_ALLOC_SITES && thread != NULL &&
                     nbp_alloc_is_recent(thread, address);
    if (nbp_alloctable_remove(nbp_alloc_booking.table, address, temporary, &block) &&
        thread != NULL) {
        nbp_alloc_count_freed(thread, block.bytes, 1);
    }
}

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

#endif /* NBP_ALLOCNOTES_H */
