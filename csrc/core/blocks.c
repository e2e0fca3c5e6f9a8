/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE /* MAP_ANONYMOUS, madvise */
#endif
#include "blocks.h"

#include <sys/mman.h>

enum {
    FEWEST_BITS = 8,   /* one page */
    MOST_BITS = 36,    /* 1 TB of table */
    ADDRESS_BITS = 48, /* of a user's address, on every platform that this runs on */
    SIZE_BITS = 40,
};

#define ADDRESS_MASK (((uint64_t)1 << ADDRESS_BITS) - 1)
#define SIZE_MASK    (((uint64_t)1 << SIZE_BITS) - 1)

/* The upper bits of the product: a table twice as large has every block in about the
 * same order, so that growing goes through both tables from one end to the other. */
static inline size_t
home(const nbp_blocks *self, uint64_t address)
{
    return (size_t)((address >> 4) * 0x9E3779B97F4A7C15u >> (64 - self->bits));
}

static inline size_t
mask(const nbp_blocks *self)
{
    return ((size_t)1 << self->bits) - 1;
}

/* Where `address` is, or the free place where it would go. */
static inline size_t
find(const nbp_blocks *self, uint64_t address)
{
    size_t at = home(self, address);
    while (self->places[at].key != 0 &&
           (self->places[at].key & ADDRESS_MASK) != address) {
        at = (at + 1) & mask(self);
    }
    return at;
}

static inline nbp_block
unpack(nbp_block_place place)
{
    return (nbp_block){
        .bytes = place.value & SIZE_MASK,
        .site = (uint32_t)(place.value >> SIZE_BITS),
        .epoch = (uint16_t)(place.key >> ADDRESS_BITS),
    };
}

/* Zeroed pages, touched now: what they take is known at once, and large ones are a
 * hundredth of the work. */
static nbp_block_place *
new_places(unsigned bits)
{
    size_t bytes = sizeof(nbp_block_place) << bits;
    void *places =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (places == MAP_FAILED) {
        return NULL;
    }
#ifdef MADV_HUGEPAGE
    (void)madvise(places, bytes, MADV_HUGEPAGE);
#endif
#ifdef MADV_POPULATE_WRITE
    (void)madvise(places, bytes, MADV_POPULATE_WRITE);
#endif
    return places;
}

bool
nbp_blocks_grow(nbp_blocks *self)
{
    nbp_blocks larger = {
        .bits = self->places == NULL ? FEWEST_BITS : self->bits + 1,
        .count = self->count,
    };
    if (larger.bits > MOST_BITS) {
        return false;
    }
    larger.places = new_places(larger.bits);
    if (larger.places == NULL) {
        return false;
    }
    for (size_t i = 0; self->places != NULL && i <= mask(self); i++) {
        if (self->places[i].key != 0) {
            size_t at = find(&larger, self->places[i].key & ADDRESS_MASK);
            larger.places[at] = self->places[i];
        }
    }
    nbp_blocks_clear(self);
    *self = larger;
    return true;
}

bool
nbp_blocks_put(nbp_blocks *self, const void *address, nbp_block block)
{
    if (nbp_blocks_is_full(self)) {
        return false;
    }
    uint64_t key = (uint64_t)(uintptr_t)address & ADDRESS_MASK;
    nbp_block_place *place = &self->places[find(self, key)];
    if (place->key != 0) {
        return false;
    }
    uint64_t bytes = block.bytes < SIZE_MASK ? block.bytes : SIZE_MASK;
    place->key = key | (uint64_t)block.epoch << ADDRESS_BITS;
    place->value = bytes | (uint64_t)block.site << SIZE_BITS;
    self->count++;
    return true;
}

/* Closes the gap: blocks behind it that were pushed past it move up, so that no search
 * ends too early and no tombstones pile up. */
static inline void
close_gap(nbp_blocks *self, size_t gap)
{
    for (size_t at = (gap + 1) & mask(self); self->places[at].key != 0;
         at = (at + 1) & mask(self)) {
        size_t wanted = home(self, self->places[at].key & ADDRESS_MASK);
        if (((at - wanted) & mask(self)) >= ((at - gap) & mask(self))) {
            self->places[gap] = self->places[at];
            gap = at;
        }
    }
    self->places[gap].key = 0;
}

bool
nbp_blocks_take(nbp_blocks *self, const void *address, nbp_block *block)
{
    if (self->count == 0) {
        return false;
    }
    size_t at = find(self, (uint64_t)(uintptr_t)address & ADDRESS_MASK);
    if (self->places[at].key == 0) {
        return false;
    }
    *block = unpack(self->places[at]);
    self->count--;
    close_gap(self, at);
    return true;
}

bool
nbp_blocks_get(const nbp_blocks *self, const void *address, nbp_block *block)
{
    if (self->count == 0) {
        return false;
    }
    size_t at = find(self, (uint64_t)(uintptr_t)address & ADDRESS_MASK);
    if (self->places[at].key == 0) {
        return false;
    }
    *block = unpack(self->places[at]);
    return true;
}

const void *
nbp_blocks_at(const nbp_blocks *self, size_t index, nbp_block *block)
{
    uint64_t key = self->places[index].key;
    if (key == 0) {
        return NULL;
    }
    *block = unpack(self->places[index]);
    return (const void *)(uintptr_t)(key & ADDRESS_MASK);
}

void
nbp_blocks_renumber(nbp_blocks *self, uint16_t (*number)(void *arg, uint16_t),
                    void *arg)
{
    for (size_t i = 0; self->places != NULL && i <= mask(self); i++) {
        nbp_block_place *place = &self->places[i];
        if (place->key != 0) {
            uint16_t epoch = number(arg, (uint16_t)(place->key >> ADDRESS_BITS));
            place->key = (place->key & ADDRESS_MASK) | (uint64_t)epoch << ADDRESS_BITS;
        }
    }
}

void
nbp_blocks_clear(nbp_blocks *self)
{
    if (self->places != NULL) {
        munmap(self->places, nbp_blocks_own_bytes(self));
    }
    *self = (nbp_blocks){0};
}
