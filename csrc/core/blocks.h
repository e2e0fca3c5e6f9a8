/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory blocks by their address, tens of millions of them. The addresses are never
 * followed. Not thread-safe.
 *
 * An allocator gives out small blocks next to each other; so do we: those are in pages,
 * each of which stands for 16 KB of addresses with 8 bytes for every 16, and looking
 * one up is in the cache where the one before was. (In a hash table each of a million
 * blocks costs a miss, some 100 ns.) The others are in a hash table of 16 bytes a
 * place. All memory comes from the kernel at once, in pieces that double. */
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

typedef struct {
    uint64_t number;   /* of the 16 KB, counted from address 0 */
    uint64_t *entries; /* in one of the slabs; NULL: the place is free */
} nbp_block_page;

enum {
    NBP_BLOCK_SLABS = 48, /* each twice as large as the one before */
};

/* All zero is an empty table. */
typedef struct {
    nbp_block_place *places; /* owned; 2^place_bits of them, NULL when empty */
    unsigned place_bits;
    unsigned page_bits;
    size_t n_places;                  /* used */
    nbp_block_page *pages;            /* owned; 2^page_bits of them */
    size_t n_pages;                   /* used */
    size_t n_small;                   /* blocks in pages */
    nbp_block_page last;              /* the page that was looked up last */
    uint64_t *slabs[NBP_BLOCK_SLABS]; /* owned: what pages are cut from */
    unsigned n_slabs;
    size_t left; /* pages in the last slab that are not used yet */
    size_t own_bytes;
} nbp_blocks;

/* How many blocks are in. */
static inline size_t
nbp_blocks_count(const nbp_blocks *self)
{
    return self->n_places + self->n_small;
}

typedef enum {
    NBP_BLOCKS_IN,    /* it is in now */
    NBP_BLOCKS_TWICE, /* there is one at this address already */
    NBP_BLOCKS_FULL,  /* grow() has to make room for it first */
} nbp_blocks_result;

/* Puts a block in; but for NBP_BLOCKS_IN nothing is changed. */
nbp_blocks_result nbp_blocks_put(nbp_blocks *self, const void *address,
                                 nbp_block block);

/* Makes room for this block; false, and nothing changed, when there is no memory. */
bool nbp_blocks_grow(nbp_blocks *self, const void *address, nbp_block block);

/* Takes a block out into `*block`; false when it is not in. */
bool nbp_blocks_take(nbp_blocks *self, const void *address, nbp_block *block);

/* Calls `visit` with each block, in no order. */
void nbp_blocks_each(const nbp_blocks *self,
                     void (*visit)(void *arg, const void *address, nbp_block block),
                     void *arg);

/* Gives every block the epoch that `number` has for its own: to start counting anew. */
void nbp_blocks_renumber(nbp_blocks *self, uint16_t (*number)(void *arg, uint16_t),
                         void *arg);

/* Empties the table and gives its memory back. */
void nbp_blocks_clear(nbp_blocks *self);

#endif /* NBP_BLOCKS_H */
