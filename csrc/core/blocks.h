/* SPDX-License-Identifier: BSD-3-Clause */
/* A hash table of memory blocks by their address, for tens of millions of them: 16
 * bytes a place, at most 5 of 8 places used, in pages of its own (it calls no
 * allocator but the kernel). The addresses are never followed. Not thread-safe. */
#ifndef NBP_BLOCKS_H
#define NBP_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is known of a block: sizes from 2^40 - 1 bytes on are said to be that. */
typedef struct {
    uint64_t bytes; /* below 2^40 */
    uint32_t site;  /* below NBP_SITES_MOST */
    uint16_t epoch; /* which measurements it is younger than */
} nbp_block;

enum {
    NBP_SITES_MOST = 1 << 24,
};

typedef struct {
    uint64_t key;   /* 48 bits of the address, the epoch above; 0: free */
    uint64_t value; /* 40 bits of the size, the site above */
} nbp_block_place;

/* All zero is an empty table. */
typedef struct {
    nbp_block_place *places; /* owned; 2^bits of them, NULL when empty */
    unsigned bits;
    size_t count;
} nbp_blocks;

/* Bytes of memory that the table takes. */
static inline size_t
nbp_blocks_own_bytes(const nbp_blocks *self)
{
    return self->places == NULL ? 0 : sizeof(*self->places) << self->bits;
}

/* True when the next new block needs a larger table. */
static inline bool
nbp_blocks_is_full(const nbp_blocks *self)
{
    return self->places == NULL || (self->count + 1) * 8 > ((size_t)5 << self->bits);
}

/* Doubles the table; false, and nothing changed, when there is no memory. */
bool nbp_blocks_grow(nbp_blocks *self);

/* Puts a block in; false, and nothing changed, when `address` is in already or the
 * table is full. */
bool nbp_blocks_put(nbp_blocks *self, const void *address, nbp_block block);

/* Takes a block out into `*block`; false when it is not in. */
bool nbp_blocks_take(nbp_blocks *self, const void *address, nbp_block *block);

/* What is known of a block; false when it is not in. */
bool nbp_blocks_get(const nbp_blocks *self, const void *address, nbp_block *block);

/* The block in place `index` (below 2^bits) and its address; NULL when it is free. */
const void *nbp_blocks_at(const nbp_blocks *self, size_t index, nbp_block *block);

/* Gives every block the epoch that `number` has for its own: to start counting anew. */
void nbp_blocks_renumber(nbp_blocks *self, uint16_t (*number)(void *arg, uint16_t),
                         void *arg);

/* Empties the table and gives its memory back. */
void nbp_blocks_clear(nbp_blocks *self);

#endif /* NBP_BLOCKS_H */
