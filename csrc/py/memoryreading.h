/* SPDX-License-Identifier: BSD-3-Clause */
/* The running thread's allocation counters, as the events of lines take them. The
 * allocators' hooks must be in (allochooks.h). */
#ifndef NBP_MEMORYREADING_H
#define NBP_MEMORYREADING_H

#include "allochooks.h"
#include "linememory.h"

typedef struct {
    nbp_alloc_thread *thread; /* borrowed */
    nbp_memory memory;
} nbp_memory_reading;

/* Reads the counters; the result lies in `self`. `with_resident`: and what is resident,
 * which takes a microsecond now and then. */
static inline nbp_memory *
nbp_memory_read(nbp_memory_reading *self, bool with_resident)
{
    nbp_alloc_thread *thread = self->thread = nbp_alloc_self();
    self->memory = (nbp_memory){
        .traffic =
            {
                .allocated_bytes = thread->allocated_bytes,
                .allocated_blocks = thread->allocated_blocks,
                .freed_bytes = thread->freed_bytes,
                .freed_blocks = thread->freed_blocks,
            },
        .peak_bytes = thread->peak_bytes,
        .resident_bytes = with_resident ? nbp_alloc_resident_bytes(thread) : 0,
    };
    return &self->memory;
}

/* After the event: where it has booked the peak, the next one starts from here. */
static inline void
nbp_memory_done(const nbp_memory_reading *self)
{
    self->thread->peak_bytes = self->memory.peak_bytes;
}

#endif /* NBP_MEMORYREADING_H */
