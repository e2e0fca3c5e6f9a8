/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE /* MAP_ANONYMOUS */
#endif
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "counters.h"

enum { PAGES = 100 };

/* Touches fresh pages: one page fault each, without transparent huge pages. */
static void
touch_pages(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *memory = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    for (size_t i = 0; i < PAGES; i++) {
        ((volatile char *)memory)[i * page] = 1;
    }
    munmap(memory, PAGES * page);
}

static void
wait_ten_times(void)
{
    for (int i = 0; i < 10; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    }
}

static int
explains(int error, int in_kernel, const char *words)
{
    char text[200];
    nbp_counters_explain(error, in_kernel, text, sizeof(text));
    return strstr(text, words) != NULL && strchr(text, '\n') == NULL;
}

static void
test_every_errno_is_explained(void)
{
    CHECK(explains(ENOENT, 0, "virtual machine"));
    CHECK(explains(EOPNOTSUPP, 0, "virtual machine"));
    CHECK(explains(EACCES, 0, "kernel.perf_event_paranoid = 2 or less"));
    CHECK(explains(EACCES, 1, "kernel.perf_event_paranoid = 1 or less"));
    CHECK(explains(EPERM, 0, "kernel.perf_event_paranoid"));
    CHECK(explains(ENOSYS, 0, "no perf_event_open"));
    CHECK(explains(EMFILE, 0, "too many files"));
    CHECK(explains(EBUSY, 0, "another program"));
    CHECK(explains(E2BIG, 0, "errno"));
}

static void
test_an_explanation_is_cut_at_its_buffer(void)
{
    char text[8] = "xxxxxxx";
    nbp_counters_explain(EACCES, 0, text, 5);
    CHECK_EQ(strlen(text), 4);
    CHECK_EQ(text[5], 'x');
}

static void
test_counts_of_counters_that_took_turns_are_scaled(void)
{
    CHECK_EQ(nbp_counters_scale(1000, 50, 50), 1000);
    CHECK_EQ(nbp_counters_scale(1000, 200, 50), 4000);
    CHECK_EQ(nbp_counters_scale(10, 3, 2), 15);
    CHECK_EQ(nbp_counters_scale(0, 200, 0), -1);
    CHECK_EQ(nbp_counters_scale(0, 0, 0), 0);
    CHECK_EQ(nbp_counters_scale(UINT64_MAX, UINT64_MAX, 1), INT64_MAX);
}

static void
test_a_counter_is_there_or_its_absence_is_explained(void)
{
    nbp_counters_t *counters = nbp_counters_new();
    CHECK(counters != NULL);
    int missing = 0;
    for (int i = 0; i < NBP_COUNTER_COUNT; i++) {
        int named = strstr(nbp_counters_unavailable(counters),
                           nbp_counters_name((nbp_counter)i)) != NULL;
        CHECK_EQ(named, !nbp_counters_has(counters, (nbp_counter)i));
        missing += named;
    }
    CHECK_EQ(missing > 0, strlen(nbp_counters_unavailable(counters)) > 0);
    CHECK(strchr(nbp_counters_unavailable(counters), '\n') == NULL);
    nbp_counters_destroy(&counters);
}

static void
test_counters_count_only_between_start_and_stop(void)
{
    nbp_counters_t *counters = nbp_counters_new();
    int64_t counts[NBP_COUNTER_COUNT];
    CHECK_EQ(nbp_counters_stop(counters, counts), NBP_INVALID);
    for (int round = 0; round < 2; round++) {
        touch_pages();
        CHECK_EQ(nbp_counters_start(counters), NBP_OK);
        touch_pages();
        wait_ten_times();
        CHECK_EQ(nbp_counters_stop(counters, counts), NBP_OK);
        if (nbp_counters_has(counters, NBP_COUNTER_PAGE_FAULTS)) {
            CHECK(counts[NBP_COUNTER_PAGE_FAULTS] >= PAGES);
            CHECK(counts[NBP_COUNTER_PAGE_FAULTS] < 2 * PAGES);
        }
        if (nbp_counters_has(counters, NBP_COUNTER_CONTEXT_SWITCHES)) {
            CHECK(counts[NBP_COUNTER_CONTEXT_SWITCHES] >= 10);
        }
        if (nbp_counters_has(counters, NBP_COUNTER_INSTRUCTIONS)) {
            CHECK(counts[NBP_COUNTER_INSTRUCTIONS] >= PAGES);
        }
        for (int i = 0; i < NBP_COUNTER_COUNT; i++) {
            CHECK(nbp_counters_has(counters, (nbp_counter)i) || counts[i] == -1);
        }
    }
    CHECK_EQ(nbp_counters_stop(counters, counts), NBP_INVALID);
    nbp_counters_destroy(&counters);
}

static void
test_a_second_start_counts_from_zero(void)
{
    nbp_counters_t *counters = nbp_counters_new();
    int64_t counts[NBP_COUNTER_COUNT];
    CHECK_EQ(nbp_counters_start(counters), NBP_OK);
    touch_pages();
    CHECK_EQ(nbp_counters_start(counters), NBP_OK);
    CHECK_EQ(nbp_counters_stop(counters, counts), NBP_OK);
    CHECK(counts[NBP_COUNTER_PAGE_FAULTS] < PAGES);
    nbp_counters_destroy(&counters);
}

static int
open_files(void)
{
    int count = 0;
    DIR *directory = opendir("/proc/self/fd");
    while (directory != NULL && readdir(directory) != NULL) {
        count++;
    }
    if (directory != NULL) {
        closedir(directory);
    }
    return count;
}

static void
test_destroying_closes_every_file(void)
{
    int before = open_files();
    for (int i = 0; i < 20; i++) {
        nbp_counters_t *counters = nbp_counters_new();
        CHECK_EQ(nbp_counters_start(counters), NBP_OK);
        nbp_counters_destroy(&counters);
        CHECK(counters == NULL);
        nbp_counters_destroy(&counters);
    }
    CHECK_EQ(open_files(), before);
}

int
main(void)
{
    test_every_errno_is_explained();
    test_an_explanation_is_cut_at_its_buffer();
    test_counts_of_counters_that_took_turns_are_scaled();
    test_a_counter_is_there_or_its_absence_is_explained();
    test_counters_count_only_between_start_and_stop();
    test_a_second_start_counts_from_zero();
    test_destroying_closes_every_file();
    return CHECK_RESULT();
}
