/* SPDX-License-Identifier: BSD-3-Clause */
/* The memory blocks that a program allocates while somebody measures, and what the
 * measurements say about them. Any number of measurements may overlap: each counts
 * blocks that are younger than itself, and the frees of those; the others are ignored.
 *
 * Thread-safe by one spinlock: a call takes 10 to 60 ns, but for those that double a
 * table. It calls no allocator but the C library's own and the kernel. */
#ifndef NBP_ALLOCTABLE_H
#define NBP_ALLOCTABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "blocks.h"
#include "sites.h"
#include "status.h"

/* Bytes as they were asked for. A realloc is a free and an allocation. */
typedef struct {
    uint64_t allocated_bytes, allocated_blocks;
    uint64_t freed_bytes, freed_blocks;
    uint64_t native_bytes, native_blocks;   /* of what was allocated: by libraries */
    uint64_t current_bytes, current_blocks; /* allocated and not freed */
    uint64_t peak_bytes, peak_blocks;       /* when the most bytes were current */
} nbp_alloc_totals;

/* The same of one place. */
typedef struct {
    uint64_t allocated_bytes, allocated_blocks;
    uint64_t alive_bytes, alive_blocks;
    uint64_t peak_bytes, peak_blocks; /* when the whole measurement had its peak */
    uint64_t temporary_bytes, temporary_blocks; /* freed almost at once */
    uint64_t peak_number;                       /* ours */
} nbp_site_cost;

/* One measurement: part of its owner, who only reads it, and only when it is closed. */
typedef struct nbp_measure {
    struct nbp_measure *next; /* borrowed: the other open ones */
    nbp_alloc_totals totals;
    nbp_sites *sites;     /* one share; NULL: not by place */
    nbp_site_cost *costs; /* owned; by number of the place */
    uint32_t n_costs;
    uint16_t epoch;
    bool open;
    bool incomplete; /* memory ran out: some blocks were not counted */
    uint64_t peak_number;
} nbp_measure;

typedef struct nbp_alloctable nbp_alloctable_t;

/* `resizing` is called with 0 before the tables grow or shrink and with how many bytes
 * they have grown afterwards, the lock held; it allocates nothing. Owned by the caller;
 * NULL without memory. */
nbp_alloctable_t *nbp_alloctable_new(void (*resizing)(void *arg, int64_t more),
                                     void *arg);

/* NULL-safe; sets the pointer to NULL. No measurement is open. */
void nbp_alloctable_destroy(nbp_alloctable_t **self_p);

/* Opens a measurement, with everything at 0. NBP_NO_MEMORY, NBP_INVALID: it is open. */
nbp_status nbp_alloctable_open(nbp_alloctable_t *self, nbp_measure *measure,
                               bool by_site);

/* Closes it: what it says stays until it is opened again or freed. Does nothing to one
 * that is closed. */
void nbp_alloctable_close(nbp_alloctable_t *self, nbp_measure *measure);

/* Frees what a closed measurement holds. When nobody else knows the places any more,
 * gives them to the caller to be destroyed, else NULL. */
nbp_sites *nbp_alloctable_release(nbp_alloctable_t *self, nbp_measure *measure);

/* A block has been allocated at `address`; `stack` is where, or NULL. True when the
 * place is a new one: the caller then keeps its code alive. */
bool nbp_alloctable_add(nbp_alloctable_t *self, const void *address, size_t bytes,
                        const nbp_stack *stack, bool native);

/* The block at `address` is about to be freed: true, and what it was, when it is known.
 * `temporary`: it was one of the last that its thread has allocated. */
bool nbp_alloctable_remove(nbp_alloctable_t *self, const void *address, bool temporary,
                           nbp_block *was);

/* Before a realloc: takes the block out, because its address may belong to another
 * thread's block as soon as it is given back. True when it is known; then either
 * moved() or kept() must follow. */
bool nbp_alloctable_hold(nbp_alloctable_t *self, const void *address, nbp_block *was);

/* After it: the block `was` is at `address` now and has `bytes`; `was` may be NULL, and
 * `address` when the block is gone. Returns as add() does. */
bool nbp_alloctable_moved(nbp_alloctable_t *self, const nbp_block *was,
                          const void *address, size_t bytes, const nbp_stack *stack,
                          bool native);

/* The realloc has failed: the block is where it was. */
void nbp_alloctable_kept(nbp_alloctable_t *self, const nbp_block *was,
                         const void *address);

/* Pages have been mapped, and unmapped: any part of one or several mappings. Both
 * ignore what lies outside. map() returns as add() does, unmap() how many bytes of
 * those that are known are gone. */
bool nbp_alloctable_map(nbp_alloctable_t *self, const void *address, size_t bytes,
                        const nbp_stack *stack);
uint64_t nbp_alloctable_unmap(nbp_alloctable_t *self, const void *address,
                              size_t bytes);

/* The totals now, of an open measurement or a closed one. */
nbp_alloc_totals nbp_alloctable_totals(nbp_alloctable_t *self,
                                       const nbp_measure *measure);

/* From here on the peak starts with what is current. */
void nbp_alloctable_reset_peak(nbp_alloctable_t *self, nbp_measure *measure);

/* A copy of the costs by place, owned by the caller, with `*count` the number of them;
 * their peaks are settled. NULL when there are none or no memory. */
nbp_site_cost *nbp_alloctable_costs(nbp_alloctable_t *self, nbp_measure *measure,
                                    uint32_t *count);

/* The blocks of a measurement that are alive, copied: owned by the caller, `*count` of
 * them. NULL when there are none or no memory. Mapped pages are not among them. */
typedef struct {
    const void *address;
    uint64_t bytes;
    uint32_t site;
} nbp_alive_block;

nbp_alive_block *nbp_alloctable_alive(nbp_alloctable_t *self,
                                      const nbp_measure *measure, size_t *count);

/* Around fork(2): nobody else is inside in between, so that the child's copy is whole.
 */
void nbp_alloctable_lock(nbp_alloctable_t *self);
void nbp_alloctable_unlock(nbp_alloctable_t *self);

/* Bytes of memory that the tables take now. */
size_t nbp_alloctable_own_bytes(const nbp_alloctable_t *self);

#endif /* NBP_ALLOCTABLE_H */
