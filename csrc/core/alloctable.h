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
#include "measure.h"
#include "sites.h"

/* `resizing` is called with 0 before the tables grow or shrink and with how many bytes
 * they have grown afterwards, the lock held; it allocates nothing. Owned by the caller;
 * NULL without memory. */
nbp_alloctable_t *nbp_alloctable_new(void (*resizing)(void *arg, int64_t more),
                                     void *arg);

/* NULL-safe; sets the pointer to NULL. No measurement is open. */
void nbp_alloctable_destroy(nbp_alloctable_t **self_p);

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

/* Around fork(2): nobody else is inside in between, so that the child's copy is whole.
 */
void nbp_alloctable_lock(nbp_alloctable_t *self);
void nbp_alloctable_unlock(nbp_alloctable_t *self);

/* Bytes of memory that the tables take now. */
size_t nbp_alloctable_own_bytes(const nbp_alloctable_t *self);

#endif /* NBP_ALLOCTABLE_H */
