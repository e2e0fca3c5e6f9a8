/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE /* MAP_ANONYMOUS, madvise */
#endif
#include "blocks.h"

#include <sys/mman.h>

enum {
    FEWEST_BITS = 8,   /* of places or pages in the tables: one page of memory */
    MOST_BITS = 36,    /* 1 TB of table */
    ADDRESS_BITS = 48, /* of a user's address, on every platform that this runs on */
    SIZE_BITS = 40,
    SMALL_MOST = 512, /* bytes: what pymalloc has pools for */
    UNIT_BITS = 4,    /* no allocator puts two blocks into the same 16 bytes */
    PAGE_BITS = 14,
    PAGE_ENTRIES = 1 << (PAGE_BITS - UNIT_BITS),
    FIRST_SLAB = 8, /* pages */
    /* An entry: the size, the site and the epoch of a block; all zero: none. */
    SITE_SHIFT = 16,
    EPOCH_SHIFT = 40,
    USED_SHIFT = 63,
};

#define ADDRESS_MASK (((uint64_t)1 << ADDRESS_BITS) - 1)
#define SIZE_MASK    (((uint64_t)1 << SIZE_BITS) - 1)

/* --- Memory ------------------------------------------------------------------------
 */

/* Zeroed pages, touched now: what they take is known at once, and together they are a
 * tenth of the work. */
static void *
new_memory(nbp_blocks *self, size_t bytes)
{
    void *memory =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return NULL;
    }
#ifdef MADV_HUGEPAGE
    (void)madvise(memory, bytes, MADV_HUGEPAGE);
#endif
#ifdef MADV_POPULATE_WRITE
    (void)madvise(memory, bytes, MADV_POPULATE_WRITE);
#endif
    self->own_bytes += bytes;
    return memory;
}

static void
give_back(nbp_blocks *self, void *memory, size_t bytes)
{
    if (memory != NULL) {
        munmap(memory, bytes);
        self->own_bytes -= bytes;
    }
}

static size_t
slab_pages(unsigned number)
{
    return (size_t)FIRST_SLAB << number;
}

/* The upper bits of the product: a table twice as large has everything in about the
 * same order, so that growing goes through both tables from one end to the other. */
static inline size_t
home(uint64_t number, unsigned bits)
{
    return (size_t)(number * 0x9E3779B97F4A7C15u >> (64 - bits));
}

static inline size_t
mask(unsigned bits)
{
    return ((size_t)1 << bits) - 1;
}

/* True when one more of `used` needs a larger table of 2^bits places. */
static inline bool
is_full(size_t used, unsigned bits, const void *table)
{
    return table == NULL || (used + 1) * 8 > ((size_t)5 << bits);
}

/* --- Small blocks ------------------------------------------------------------------
 */

static inline bool
is_small(const void *address, nbp_block block)
{
    return block.bytes <= SMALL_MOST &&
           ((uintptr_t)address & (((uintptr_t)1 << UNIT_BITS) - 1)) == 0;
}

/* Where the page `number` is in the table, or the free place where it would go. */
static inline size_t
find_page(const nbp_block_page *pages, unsigned bits, uint64_t number)
{
    size_t at = home(number, bits);
    while (pages[at].entries != NULL && pages[at].number != number) {
        at = (at + 1) & mask(bits);
    }
    return at;
}

/* The entries of the page of `address`; NULL when there is none. */
static inline uint64_t *
page_of(nbp_blocks *self, const void *address)
{
    uint64_t number = (uint64_t)(uintptr_t)address >> PAGE_BITS;
    if (self->last.number == number) {
        return self->last.entries;
    }
    if (self->pages == NULL) {
        return NULL;
    }
    const nbp_block_page *page =
        &self->pages[find_page(self->pages, self->page_bits, number)];
    if (page->entries != NULL) {
        self->last = *page;
    }
    return page->entries;
}

static inline size_t
entry_of(const void *address)
{
    return ((uintptr_t)address >> UNIT_BITS) & (PAGE_ENTRIES - 1);
}

static inline uint64_t
pack_entry(nbp_block block)
{
    return block.bytes | (uint64_t)block.site << SITE_SHIFT |
           (uint64_t)block.epoch << EPOCH_SHIFT | (uint64_t)1 << USED_SHIFT;
}

static inline nbp_block
unpack_entry(uint64_t entry)
{
    return (nbp_block){
        .bytes = entry & (((uint64_t)1 << SITE_SHIFT) - 1),
        .site = (uint32_t)(entry >> SITE_SHIFT) & (NBP_SITES_MOST - 1),
        .epoch = (uint16_t)(entry >> EPOCH_SHIFT),
    };
}

static bool
grow_pages(nbp_blocks *self)
{
    unsigned bits = self->pages == NULL ? FEWEST_BITS : self->page_bits + 1;
    nbp_block_page *pages =
        bits > MOST_BITS ? NULL : new_memory(self, sizeof(*pages) << bits);
    if (pages == NULL) {
        return false;
    }
    for (size_t i = 0; self->pages != NULL && i <= mask(self->page_bits); i++) {
        if (self->pages[i].entries != NULL) {
            pages[find_page(pages, bits, self->pages[i].number)] = self->pages[i];
        }
    }
    give_back(self, self->pages, sizeof(*pages) << self->page_bits);
    self->pages = pages;
    self->page_bits = bits;
    return true;
}

static bool
add_slab(nbp_blocks *self)
{
    if (self->n_slabs == NBP_BLOCK_SLABS) {
        return false;
    }
    size_t bytes = slab_pages(self->n_slabs) * PAGE_ENTRIES * sizeof(uint64_t);
    uint64_t *slab = new_memory(self, bytes);
    if (slab == NULL) {
        return false;
    }
    self->slabs[self->n_slabs] = slab;
    self->left = slab_pages(self->n_slabs);
    self->n_slabs++;
    return true;
}

/* A page for `address`; NULL when grow() has to make room first. */
static uint64_t *
new_page(nbp_blocks *self, const void *address)
{
    if (self->left == 0 || is_full(self->n_pages, self->page_bits, self->pages)) {
        return NULL;
    }
    uint64_t number = (uint64_t)(uintptr_t)address >> PAGE_BITS;
    unsigned last = self->n_slabs - 1;
    nbp_block_page page = {
        .number = number,
        .entries = self->slabs[last] + (slab_pages(last) - self->left) * PAGE_ENTRIES,
    };
    self->pages[find_page(self->pages, self->page_bits, number)] = page;
    self->last = page;
    self->left--;
    self->n_pages++;
    return page.entries;
}

static nbp_blocks_result
put_small(nbp_blocks *self, const void *address, nbp_block block)
{
    uint64_t *page = page_of(self, address);
    if (page == NULL) {
        page = new_page(self, address);
        if (page == NULL) {
            return NBP_BLOCKS_FULL;
        }
    }
    uint64_t *entry = &page[entry_of(address)];
    if (*entry != 0) {
        return NBP_BLOCKS_TWICE;
    }
    *entry = pack_entry(block);
    self->n_small++;
    return NBP_BLOCKS_IN;
}

static inline bool
take_small(nbp_blocks *self, const void *address, nbp_block *block)
{
    uint64_t *page = page_of(self, address);
    if (page == NULL || ((uintptr_t)address & (((uintptr_t)1 << UNIT_BITS) - 1)) != 0) {
        return false;
    }
    uint64_t *entry = &page[entry_of(address)];
    if (*entry == 0) {
        return false;
    }
    *block = unpack_entry(*entry);
    *entry = 0;
    self->n_small--;
    return true;
}

/* --- The others --------------------------------------------------------------------
 */

/* Where `address` is, or the free place where it would go. */
static inline size_t
find_place(const nbp_block_place *places, unsigned bits, uint64_t address)
{
    size_t at = home(address >> UNIT_BITS, bits);
    while (places[at].key != 0 && (places[at].key & ADDRESS_MASK) != address) {
        at = (at + 1) & mask(bits);
    }
    return at;
}

static inline nbp_block
unpack_place(nbp_block_place place)
{
    return (nbp_block){
        .bytes = place.value & SIZE_MASK,
        .site = (uint32_t)(place.value >> SIZE_BITS),
        .epoch = (uint16_t)(place.key >> ADDRESS_BITS),
    };
}

static bool
grow_places(nbp_blocks *self)
{
    unsigned bits = self->places == NULL ? FEWEST_BITS : self->place_bits + 1;
    nbp_block_place *places =
        bits > MOST_BITS ? NULL : new_memory(self, sizeof(*places) << bits);
    if (places == NULL) {
        return false;
    }
    for (size_t i = 0; self->places != NULL && i <= mask(self->place_bits); i++) {
        if (self->places[i].key != 0) {
            uint64_t address = self->places[i].key & ADDRESS_MASK;
            places[find_place(places, bits, address)] = self->places[i];
        }
    }
    give_back(self, self->places, sizeof(*places) << self->place_bits);
    self->places = places;
    self->place_bits = bits;
    return true;
}

static nbp_blocks_result
put_other(nbp_blocks *self, const void *address, nbp_block block)
{
    if (is_full(self->n_places, self->place_bits, self->places)) {
        return NBP_BLOCKS_FULL;
    }
    uint64_t key = (uint64_t)(uintptr_t)address & ADDRESS_MASK;
    nbp_block_place *place =
        &self->places[find_place(self->places, self->place_bits, key)];
    if (place->key != 0) {
        return NBP_BLOCKS_TWICE;
    }
    uint64_t bytes = block.bytes < SIZE_MASK ? block.bytes : SIZE_MASK;
    place->key = key | (uint64_t)block.epoch << ADDRESS_BITS;
    place->value = bytes | (uint64_t)block.site << SIZE_BITS;
    self->n_places++;
    return NBP_BLOCKS_IN;
}

/* Closes the gap: blocks behind it that were pushed past it move up, so that no search
 * ends too early and no tombstones pile up. */
static void
close_gap(nbp_blocks *self, size_t gap)
{
    size_t wrap = mask(self->place_bits);
    for (size_t at = (gap + 1) & wrap; self->places[at].key != 0;
         at = (at + 1) & wrap) {
        uint64_t address = self->places[at].key & ADDRESS_MASK;
        size_t wanted = home(address >> UNIT_BITS, self->place_bits);
        if (((at - wanted) & wrap) >= ((at - gap) & wrap)) {
            self->places[gap] = self->places[at];
            gap = at;
        }
    }
    self->places[gap].key = 0;
}

static bool
take_other(nbp_blocks *self, const void *address, nbp_block *block)
{
    if (self->n_places == 0) {
        return false;
    }
    size_t at = find_place(self->places, self->place_bits,
                           (uint64_t)(uintptr_t)address & ADDRESS_MASK);
    if (self->places[at].key == 0) {
        return false;
    }
    *block = unpack_place(self->places[at]);
    self->n_places--;
    close_gap(self, at);
    return true;
}

/* --- Both --------------------------------------------------------------------------
 */

nbp_blocks_result
nbp_blocks_put(nbp_blocks *self, const void *address, nbp_block block)
{
    return is_small(address, block) ? put_small(self, address, block)
                                    : put_other(self, address, block);
}

bool
nbp_blocks_grow(nbp_blocks *self, const void *address, nbp_block block)
{
    if (!is_small(address, block)) {
        return grow_places(self);
    }
    return (!is_full(self->n_pages, self->page_bits, self->pages) ||
            grow_pages(self)) &&
           (self->left > 0 || add_slab(self));
}

bool
nbp_blocks_take(nbp_blocks *self, const void *address, nbp_block *block)
{
    return take_small(self, address, block) || take_other(self, address, block);
}

void
nbp_blocks_each(const nbp_blocks *self,
                void (*visit)(void *arg, const void *address, nbp_block block),
                void *arg)
{
    for (size_t i = 0; self->places != NULL && i <= mask(self->place_bits); i++) {
        uint64_t key = self->places[i].key;
        if (key != 0) {
            visit(arg, (const void *)(uintptr_t)(key & ADDRESS_MASK),
                  unpack_place(self->places[i]));
        }
    }
    for (size_t i = 0; self->pages != NULL && i <= mask(self->page_bits); i++) {
        const nbp_block_page *page = &self->pages[i];
        for (size_t j = 0; page->entries != NULL && j < PAGE_ENTRIES; j++) {
            if (page->entries[j] != 0) {
                uintptr_t address =
                    ((uintptr_t)page->number << PAGE_BITS) + (j << UNIT_BITS);
                visit(arg, (const void *)address, unpack_entry(page->entries[j]));
            }
        }
    }
}

void
nbp_blocks_renumber(nbp_blocks *self, uint16_t (*number)(void *arg, uint16_t),
                    void *arg)
{
    for (size_t i = 0; self->places != NULL && i <= mask(self->place_bits); i++) {
        nbp_block_place *place = &self->places[i];
        if (place->key != 0) {
            uint16_t epoch = number(arg, (uint16_t)(place->key >> ADDRESS_BITS));
            place->key = (place->key & ADDRESS_MASK) | (uint64_t)epoch << ADDRESS_BITS;
        }
    }
    for (size_t i = 0; self->pages != NULL && i <= mask(self->page_bits); i++) {
        uint64_t *entries = self->pages[i].entries;
        for (size_t j = 0; entries != NULL && j < PAGE_ENTRIES; j++) {
            if (entries[j] != 0) {
                nbp_block block = unpack_entry(entries[j]);
                block.epoch = number(arg, block.epoch);
                entries[j] = pack_entry(block);
            }
        }
    }
}

void
nbp_blocks_clear(nbp_blocks *self)
{
    give_back(self, self->places, sizeof(*self->places) << self->place_bits);
    give_back(self, self->pages, sizeof(*self->pages) << self->page_bits);
    for (unsigned i = 0; i < self->n_slabs; i++) {
        give_back(self, self->slabs[i],
                  slab_pages(i) * PAGE_ENTRIES * sizeof(uint64_t));
    }
    *self = (nbp_blocks){0};
}
