/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "check.h"
#include "peek.h"

enum {
    PAGE = 4096,
};

/* `pages` of memory filled with their own numbers, and a hole behind them. */
static unsigned char *
new_island(size_t pages)
{
    unsigned char *memory = mmap(NULL, (pages + 1) * PAGE, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; i < pages; i++) {
        memset(memory + i * PAGE, (int)i + 1, PAGE);
    }
    munmap(memory + pages * PAGE, PAGE);
    return memory;
}

static void
test_what_is_not_mapped_is_a_failed_read(nbp_peek *peek)
{
    unsigned char *island = new_island(2);
    unsigned char out[PAGE];
    CHECK(nbp_peek_read(peek, (uintptr_t)island + PAGE, out, PAGE));
    CHECK_EQ(out[17], 2);
    CHECK(!nbp_peek_read(peek, (uintptr_t)island + 2 * PAGE, out, 1));
    CHECK(!nbp_peek_read(peek, (uintptr_t)island + 2 * PAGE - 8, out, 16));
    CHECK(!nbp_peek_read(peek, 0, out, 8));
    CHECK(!nbp_peek_read(peek, UINTPTR_MAX - 7, out, 8));
    munmap(island, 2 * PAGE);
    CHECK(!nbp_peek_read(peek, (uintptr_t)island, out, 8));
}

static void
test_pieces_are_read_up_to_the_first_that_fails(nbp_peek *peek)
{
    enum {
        COUNT = 700, /* more than one system call takes */
    };
    unsigned char *island = new_island(1);
    static nbp_piece pieces[COUNT];
    static unsigned char out[COUNT];
    for (int i = 0; i < COUNT; i++) {
        pieces[i] = (nbp_piece){(uintptr_t)island + i, out + i, 1};
    }
    CHECK_EQ(nbp_peek_pieces(peek, pieces, COUNT), COUNT);
    CHECK_EQ(out[COUNT - 1], 1);
    for (int bad = 0; bad < COUNT; bad += 111) {
        uintptr_t kept = pieces[bad].address;
        pieces[bad].address = 8;
        CHECK_EQ(nbp_peek_pieces(peek, pieces, COUNT), bad);
        pieces[bad].address = kept;
    }
    munmap(island, PAGE);
}

static void
test_near_reads_cross_pages_and_are_as_old_as_the_last_forget(nbp_peek *peek)
{
    unsigned char *island = new_island(3);
    unsigned char out[16];
    nbp_peek_forget(peek);
    CHECK(nbp_peek_near(peek, (uintptr_t)island + PAGE - 8, out, 16));
    CHECK_EQ(out[0], 1);
    CHECK_EQ(out[15], 2);
    island[PAGE] = 99;
    CHECK(nbp_peek_near(peek, (uintptr_t)island + PAGE, out, 1));
    CHECK_EQ(out[0], 2);
    nbp_peek_forget(peek);
    CHECK(nbp_peek_near(peek, (uintptr_t)island + PAGE, out, 1));
    CHECK_EQ(out[0], 99);
    CHECK(!nbp_peek_near(peek, (uintptr_t)island + 3 * PAGE - 4, out, 16));
    munmap(island, 3 * PAGE);
}

static void
test_more_pages_than_the_cache_has(nbp_peek *peek)
{
    enum {
        PAGES = 300,
    };
    unsigned char *island = new_island(PAGES);
    nbp_peek_forget(peek);
    for (int round = 0; round < 2; round++) {
        for (int i = PAGES; i-- > 0;) {
            unsigned char out = 0;
            CHECK(nbp_peek_near(peek, (uintptr_t)island + (size_t)i * PAGE, &out, 1));
            CHECK_EQ(out, (unsigned char)(i + 1));
        }
    }
    munmap(island, PAGES * PAGE);
}

int
main(void)
{
    nbp_peek *peek = NULL;
    CHECK_EQ(nbp_peek_new(&peek), NBP_OK);
    test_what_is_not_mapped_is_a_failed_read(peek);
    test_pieces_are_read_up_to_the_first_that_fails(peek);
    test_near_reads_cross_pages_and_are_as_old_as_the_last_forget(peek);
    test_more_pages_than_the_cache_has(peek);
    nbp_peek_destroy(&peek);
    CHECK(peek == NULL);
    nbp_peek_destroy(&peek);
    return CHECK_RESULT();
}
