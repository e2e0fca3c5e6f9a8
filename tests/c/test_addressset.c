/* SPDX-License-Identifier: BSD-3-Clause */
#include "addressset.h"
#include "check.h"

static void
test_what_was_added_is_there_and_nothing_else(void)
{
    nbp_addressset set = {0};
    CHECK(!nbp_addressset_has(&set, 4096));
    CHECK_EQ(nbp_addressset_add(&set, 4096), 1);
    CHECK_EQ(nbp_addressset_add(&set, 4096), 0);
    CHECK(nbp_addressset_has(&set, 4096));
    CHECK(!nbp_addressset_has(&set, 4096 - 16));
    CHECK(!nbp_addressset_has(&set, 4096 + 16));
    CHECK(!nbp_addressset_has(&set, 4096 + (1 << NBP_REGION_SHIFT)));
    nbp_addressset_clear(&set);
    CHECK(!nbp_addressset_has(&set, 4096));
}

/* Objects are eight bytes off where the interpreter has them among its own data. */
static void
test_objects_next_to_each_other_are_told_apart(void)
{
    enum { COUNT = 300000, SIZE = 24 };
    nbp_addressset set = {0};
    uintptr_t first = (uintptr_t)0x7f1200000008;
    for (size_t i = 0; i < COUNT; i++) {
        CHECK_EQ(nbp_addressset_add(&set, first + i * SIZE), 1);
    }
    for (size_t i = 0; i < COUNT; i++) {
        CHECK_EQ(nbp_addressset_add(&set, first + i * SIZE), 0);
    }
    nbp_addressset_clear(&set);
}

static void
test_memory_all_over_the_place(void)
{
    enum { COUNT = 1000 };
    nbp_addressset set = {0};
    for (uintptr_t i = 1; i <= COUNT; i++) {
        CHECK_EQ(nbp_addressset_add(&set, i << 34), 1);
        CHECK_EQ(nbp_addressset_add(&set, i << 22 | 1 << 21), 1);
    }
    for (uintptr_t i = 1; i <= COUNT; i++) {
        CHECK(nbp_addressset_has(&set, i << 34));
        CHECK(nbp_addressset_has(&set, i << 22 | 1 << 21));
        CHECK(!nbp_addressset_has(&set, (i << 34) + 32));
    }
    nbp_addressset_clear(&set);
}

static void
test_what_is_taken_out_can_come_again(void)
{
    nbp_addressset set = {0};
    CHECK(!nbp_addressset_take(&set, 64));
    nbp_addressset_add(&set, 64);
    CHECK(nbp_addressset_take(&set, 64));
    CHECK(!nbp_addressset_take(&set, 64));
    CHECK_EQ(nbp_addressset_add(&set, 64), 1);
    nbp_addressset_clear(&set);
}

int
main(void)
{
    test_what_was_added_is_there_and_nothing_else();
    test_objects_next_to_each_other_are_told_apart();
    test_memory_all_over_the_place();
    test_what_is_taken_out_can_come_again();
    return CHECK_RESULT();
}
