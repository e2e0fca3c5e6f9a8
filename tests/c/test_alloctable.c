/* SPDX-License-Identifier: BSD-3-Clause */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "alloctable.h"
#include "check.h"
#include "imports.h"
#include "regions.h"

/* An address that is nobody's: it is never followed. */
static const void *
at(uintptr_t number)
{
    return (const void *)(0x500000000000u + number);
}

static uint64_t seen_bytes;
static size_t seen;

static void
see(void *arg, const void *address, nbp_block block)
{
    (void)arg;
    (void)address;
    seen++;
    seen_bytes += block.bytes;
}

static void
put(nbp_blocks *blocks, const void *address, nbp_block block)
{
    nbp_blocks_result result = nbp_blocks_put(blocks, address, block);
    if (result == NBP_BLOCKS_FULL) {
        CHECK(nbp_blocks_grow(blocks, address, block));
        result = nbp_blocks_put(blocks, address, block);
    }
    CHECK_EQ(result, NBP_BLOCKS_IN);
}

static uint16_t
next_epoch(void *arg, uint16_t epoch)
{
    (void)arg;
    return (uint16_t)(epoch + 1);
}

/* Sizes on both sides of the border between pages and places, close and far addresses.
 */
static void
test_blocks(void)
{
    enum { COUNT = 60000 };
    static const uint64_t sizes[] = {0, 16, 512, 513, 100000};
    nbp_blocks blocks = {0};
    nbp_block block;
    CHECK(!nbp_blocks_take(&blocks, at(16), &block));
    for (uintptr_t i = 0; i < COUNT; i++) {
        uint64_t bytes = sizes[i % 5];
        put(&blocks, at(i * 528), (nbp_block){bytes, (uint32_t)i, (uint16_t)(i % 7)});
    }
    CHECK_EQ(nbp_blocks_count(&blocks), COUNT);
    CHECK_EQ(nbp_blocks_put(&blocks, at(528), (nbp_block){16, 1, 1}), NBP_BLOCKS_TWICE);
    CHECK_EQ(nbp_blocks_put(&blocks, at(3 * 528), (nbp_block){600, 1, 1}),
             NBP_BLOCKS_TWICE);
    nbp_blocks_each(&blocks, see, NULL);
    CHECK_EQ(seen, COUNT);
    CHECK_EQ(seen_bytes, (uint64_t)COUNT / 5 * (16 + 512 + 513 + 100000));
    nbp_blocks_renumber(&blocks, next_epoch, NULL);
    CHECK(!nbp_blocks_take(&blocks, at(COUNT * 528), &block));
    CHECK(!nbp_blocks_take(&blocks, at(8), &block));
    for (uintptr_t i = 0; i < COUNT; i++) {
        uintptr_t j = i * 7919 % COUNT; /* in an order of its own */
        bool there = nbp_blocks_take(&blocks, at(j * 528), &block);
        CHECK(there && block.bytes == sizes[j % 5] && block.site == j &&
              block.epoch == j % 7 + 1);
    }
    CHECK_EQ(nbp_blocks_count(&blocks), 0);
    CHECK(blocks.own_bytes > 0);
    nbp_blocks_clear(&blocks);
    CHECK_EQ(blocks.own_bytes, 0);
}

/* Blocks that are no multiple of 16 bytes away, and ones larger than can be said. */
static void
test_odd_blocks(void)
{
    nbp_blocks blocks = {0};
    nbp_block block;
    put(&blocks, at(8), (nbp_block){8, 3, 65535});
    put(&blocks, at(0), (nbp_block){8, 2, 65535});
    put(&blocks, at(64), (nbp_block){UINT64_MAX, NBP_SITES_MOST - 1, 0});
    CHECK(nbp_blocks_take(&blocks, at(8), &block));
    CHECK_EQ(block.site, 3);
    CHECK(!nbp_blocks_take(&blocks, at(8), &block));
    CHECK(nbp_blocks_take(&blocks, at(0), &block));
    CHECK_EQ(block.epoch, 65535);
    CHECK(nbp_blocks_take(&blocks, at(64), &block));
    CHECK_EQ(block.bytes, ((uint64_t)1 << 40) - 1);
    CHECK_EQ(block.site, NBP_SITES_MOST - 1);
    nbp_blocks_clear(&blocks);
}

static void
test_sites(void)
{
    nbp_sites *sites = nbp_sites_new();
    nbp_stack stack;
    bool is_new, native;
    uint32_t count;
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 3000; i++) {
            nbp_stack_clear(&stack, i % 2);
            for (uint32_t frame = 0; frame < i % 5; frame++) {
                nbp_stack_push(&stack, at(i / 10), i + frame);
            }
            uint32_t number = nbp_sites_number(sites, &stack, &is_new);
            const nbp_site_frame *frames =
                nbp_sites_frames(sites, number, &count, &native);
            CHECK_EQ(count, i % 5);
            CHECK_EQ(native, i % 2);
            CHECK(count == 0 ||
                  (frames[0].code == at(i / 10) && frames[0].offset == i));
            CHECK(!(round == 1 && is_new));
        }
    }
    CHECK_EQ(nbp_sites_count(sites), 1 + 3000 / 5 * 4 + 2);
    nbp_sites_share(sites);
    CHECK(!nbp_sites_leave(sites));
    CHECK(nbp_sites_leave(sites));
    nbp_sites_destroy(&sites);
    nbp_sites_destroy(&sites);
}

static uint64_t gone_bytes;
static int gone_regions;

static void
gone(void *arg, const nbp_region *region, size_t bytes, bool whole)
{
    (void)arg;
    (void)region;
    gone_bytes += bytes;
    gone_regions += whole;
}

static void
test_regions(void)
{
    nbp_regions regions = {0};
    for (uintptr_t i = 0; i < 40; i++) {
        uintptr_t start = (i * 17 % 40) * 1000; /* not in order */
        CHECK(nbp_regions_add(&regions, (nbp_region){start, start + 900, 1, 1, false}));
    }
    CHECK(nbp_regions_remove(&regions, 900, 1000, gone, NULL));
    CHECK_EQ(gone_bytes, 0);
    CHECK(nbp_regions_remove(&regions, 2300, 2400, gone, NULL)); /* the middle */
    CHECK_EQ(gone_bytes, 100);
    CHECK_EQ(gone_regions, 0);
    CHECK(nbp_regions_remove(&regions, 2350, 5100, gone, NULL));
    CHECK_EQ(gone_bytes, 100 + 500 + 900 + 900 + 100);
    CHECK_EQ(gone_regions, 2);
    CHECK(nbp_regions_remove(&regions, 0, 100000, gone, NULL));
    CHECK_EQ(gone_bytes, 40 * 900);
    CHECK_EQ(gone_regions, 40);
    CHECK_EQ(regions.count, 0);
    nbp_regions_clear(&regions);
}

static int64_t own_bytes;

static void
resizing(void *arg, int64_t more)
{
    CHECK(arg == &own_bytes);
    own_bytes += more;
}

static void
test_measurements(void)
{
    nbp_alloctable_t *table = nbp_alloctable_new(resizing, &own_bytes);
    nbp_measure outer = {0}, inner = {0};
    nbp_block was;
    CHECK(!nbp_alloctable_add(table, at(16), 100, NULL, false)); /* nobody measures */
    CHECK(!nbp_alloctable_remove(table, at(16), false, &was));
    CHECK_EQ(nbp_alloctable_open(table, &outer, false), NBP_OK);
    CHECK_EQ(nbp_alloctable_open(table, &outer, false), NBP_INVALID);
    nbp_alloctable_add(table, at(16), 100, NULL, false);
    CHECK_EQ(nbp_alloctable_open(table, &inner, true), NBP_OK);
    nbp_alloctable_add(table, at(32), 1000, NULL, true);
    CHECK(nbp_alloctable_remove(table, at(16), false, &was));
    CHECK_EQ(was.bytes, 100);
    /* Moved by a realloc, which another one follows that fails. */
    CHECK(nbp_alloctable_hold(table, at(32), &was));
    nbp_alloctable_moved(table, &was, at(4096), 5000, NULL, false);
    CHECK(nbp_alloctable_hold(table, at(4096), &was));
    CHECK(!nbp_alloctable_hold(table, at(4096), &was));
    nbp_alloctable_kept(table, &was, at(4096));
    /* Freed unseen, and its address given out again. */
    nbp_alloctable_add(table, at(4096), 700, NULL, false);
    nbp_alloc_totals totals = nbp_alloctable_totals(table, &inner);
    CHECK_EQ(totals.allocated_bytes, 6700);
    CHECK_EQ(totals.native_bytes, 1000);
    CHECK_EQ(totals.freed_blocks, 2);
    CHECK_EQ(totals.current_bytes, 700);
    CHECK_EQ(totals.peak_bytes, 5000);
    nbp_alloctable_close(table, &inner);
    totals = nbp_alloctable_totals(table, &outer);
    CHECK_EQ(totals.allocated_bytes, 6800);
    CHECK_EQ(totals.freed_bytes, 6100);
    nbp_alloctable_reset_peak(table, &outer);
    CHECK_EQ(nbp_alloctable_totals(table, &outer).peak_bytes, 700);
    nbp_alloctable_close(table, &outer);
    nbp_alloctable_close(table, &outer);
    CHECK(nbp_alloctable_release(table, &outer) == NULL);
    nbp_sites *sites = nbp_alloctable_release(table, &inner);
    CHECK(sites != NULL);
    nbp_sites_destroy(&sites);
    CHECK_EQ(own_bytes, 0);
    CHECK_EQ(nbp_alloctable_own_bytes(table), 0);
    nbp_alloctable_destroy(&table);
    nbp_alloctable_destroy(&table);
}

static void
test_pages(void)
{
    nbp_alloctable_t *table = nbp_alloctable_new(resizing, &own_bytes);
    nbp_measure measure = {0};
    nbp_alloctable_map(table, at(0), 100, NULL);
    CHECK_EQ(nbp_alloctable_open(table, &measure, false), NBP_OK);
    nbp_alloctable_map(table, at(0), 10000, NULL);
    nbp_alloctable_map(table, at(5000), 10000, NULL); /* over the end of the first */
    nbp_alloc_totals totals = nbp_alloctable_totals(table, &measure);
    CHECK_EQ(totals.current_bytes, 15000);
    CHECK_EQ(totals.peak_bytes, 15000);
    CHECK_EQ(nbp_alloctable_unmap(table, at(1000), 1000), 1000);
    CHECK_EQ(nbp_alloctable_unmap(table, at(0), 50000), 14000);
    CHECK_EQ(nbp_alloctable_unmap(table, at(0), 50000), 0);
    totals = nbp_alloctable_totals(table, &measure);
    CHECK_EQ(totals.current_bytes, 0);
    CHECK_EQ(totals.current_blocks, 0);
    nbp_alloctable_close(table, &measure);
    nbp_alloctable_release(table, &measure);
    nbp_alloctable_destroy(&table);
}

/* The four costs of two places: the peak is where one of them has its most. */
static void
test_costs(void)
{
    nbp_alloctable_t *table = nbp_alloctable_new(resizing, &own_bytes);
    nbp_measure measure = {0};
    nbp_stack first, second;
    nbp_block was;
    uint32_t count;
    size_t n_alive;
    nbp_stack_clear(&first, false);
    nbp_stack_push(&first, at(1), 2);
    nbp_stack_clear(&second, false);
    nbp_stack_push(&second, at(1), 4);
    CHECK_EQ(nbp_alloctable_open(table, &measure, true), NBP_OK);
    CHECK(nbp_alloctable_add(table, at(16), 100, &first, false));
    CHECK(!nbp_alloctable_add(table, at(32), 200, &first, false));
    CHECK(nbp_alloctable_add(table, at(48), 300, &second, false)); /* peak: 600 */
    nbp_alloctable_remove(table, at(32), true, &was);
    nbp_alloctable_remove(table, at(48), false, &was);
    nbp_alloctable_add(table, at(64), 450, &first, false);
    nbp_site_cost *costs = nbp_alloctable_costs(table, &measure, &count);
    CHECK_EQ(count, 3);
    CHECK_EQ(costs[1].allocated_bytes, 750);
    CHECK_EQ(costs[1].allocated_blocks, 3);
    CHECK_EQ(costs[1].peak_bytes, 300);
    CHECK_EQ(costs[1].peak_blocks, 2);
    CHECK_EQ(costs[1].temporary_bytes, 200);
    CHECK_EQ(costs[1].alive_bytes, 550);
    CHECK_EQ(costs[2].peak_bytes, 300);
    CHECK_EQ(costs[2].alive_blocks, 0);
    CHECK_EQ(costs[2].temporary_blocks, 0);
    free(costs);
    nbp_alive_block *alive = nbp_alloctable_alive(table, &measure, &n_alive);
    CHECK_EQ(n_alive, 2);
    CHECK_EQ(alive[0].bytes + alive[1].bytes, 550);
    CHECK_EQ(alive[0].site, 1);
    free(alive);
    nbp_alive_block one;
    for (int again = 0; again < 2; again++) { /* it is still there afterwards */
        CHECK(nbp_alloctable_find(table, &measure, at(64), &one));
        CHECK_EQ(one.bytes, 450);
        CHECK_EQ(one.site, 1);
    }
    CHECK(!nbp_alloctable_find(table, &measure, at(48), &one));
    CHECK(!nbp_alloctable_find(table, &measure, at(80), &one));
    /* More places than there was room for at first. */
    for (uint32_t i = 0; i < 2000; i++) {
        nbp_stack_clear(&second, false);
        nbp_stack_push(&second, at(2), i);
        nbp_alloctable_add(table, at(1024 + i * 16), 10, &second, false);
    }
    costs = nbp_alloctable_costs(table, &measure, &count);
    CHECK_EQ(count, 2003);
    CHECK_EQ(costs[2002].peak_bytes, 10);
    CHECK_EQ(measure.incomplete, false);
    free(costs);
    nbp_alloctable_close(table, &measure);
    nbp_sites *sites = nbp_alloctable_release(table, &measure);
    nbp_sites_destroy(&sites);
    CHECK_EQ(own_bytes, 0);
    nbp_alloctable_destroy(&table);
}

enum {
    THREADS = 4,
    ROUNDS = 20000,
};

typedef struct {
    nbp_alloctable_t *table;
    uintptr_t number;
} worker;

static void *
work(void *arg)
{
    worker *self = arg;
    nbp_block was;
    for (uintptr_t i = 0; i < ROUNDS; i++) {
        const void *address = at((self->number * ROUNDS + i) * 64);
        nbp_alloctable_add(self->table, address, 48, NULL, false);
        if (i % 3 != 0) {
            CHECK(nbp_alloctable_remove(self->table, address, false, &was));
        }
    }
    return NULL;
}

static void
test_threads(void)
{
    nbp_alloctable_t *table = nbp_alloctable_new(resizing, &own_bytes);
    nbp_measure measure = {0};
    pthread_t threads[THREADS];
    worker workers[THREADS];
    CHECK_EQ(nbp_alloctable_open(table, &measure, false), NBP_OK);
    for (uintptr_t i = 0; i < THREADS; i++) {
        workers[i] = (worker){table, i};
        CHECK_EQ(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    nbp_alloc_totals totals = nbp_alloctable_totals(table, &measure);
    CHECK_EQ(totals.allocated_blocks, THREADS * ROUNDS);
    CHECK_EQ(totals.current_blocks, THREADS * ((ROUNDS + 2) / 3));
    nbp_alloctable_close(table, &measure);
    nbp_alloctable_release(table, &measure);
    nbp_alloctable_destroy(&table);
}

/* Functions that this program does not import, or that stay what they are. */
static void
test_imports(void)
{
    nbp_import imports[] = {
        {"no_such_function_anywhere", (void *)test_imports, (void *)test_threads},
        {"malloc", NULL, (void *)test_threads},
        {"free", (void *)test_imports, (void *)test_threads},
    };
    CHECK_EQ(nbp_imports_exchange(imports, 3, false, NULL), 0);
    CHECK(nbp_imports_unavailable() != NULL);
}

int
main(void)
{
    test_blocks();
    test_odd_blocks();
    test_sites();
    test_regions();
    test_measurements();
    test_pages();
    test_costs();
    test_threads();
    test_imports();
    return CHECK_RESULT();
}
