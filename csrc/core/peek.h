/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads of this process's own memory that cannot fault: an address that is no longer
 * mapped is a failed read and not a crash, because the kernel does the copying.
 *
 * What comes back may be out of date or half changed, since other threads go on
 * meanwhile: whoever reads has to check it, and never follows a pointer but with
 * another read. One reader belongs to one thread. */
#ifndef NBP_PEEK_H
#define NBP_PEEK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

typedef struct nbp_peek nbp_peek;

/* One piece to read: `size` bytes at `address` to `out`, which the caller owns. */
typedef struct {
    uintptr_t address;
    void *out;
    size_t size;
} nbp_piece;

/* NULL in *out and NBP_UNAVAILABLE when the kernel allows no way of doing it (a
 * container's filter may forbid process_vm_readv, and /proc may be missing). */
nbp_status nbp_peek_new(nbp_peek **out);
void nbp_peek_destroy(nbp_peek **self);

/* True when all of it could be read; `out` is undefined otherwise. */
bool nbp_peek_read(nbp_peek *self, uintptr_t address, void *out, size_t size);

/* Reads pieces in few system calls; returns how many could be read before the first
 * that could not. */
size_t nbp_peek_pieces(nbp_peek *self, const nbp_piece *pieces, size_t count);

/* The same as nbp_peek_read through a cache of pages, for things that lie close to each
 * other. What it holds is as old as the last nbp_peek_forget. */
bool nbp_peek_near(nbp_peek *self, uintptr_t address, void *out, size_t size);
void nbp_peek_forget(nbp_peek *self);

#endif /* NBP_PEEK_H */
