/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "shadow.h"

enum {
    MS = 1000000,
};

/* Addresses that stand for frames. */
static const char frame[16];

/* Ten lines, ticks in ns. */
static nbp_lines *
new_lines(void)
{
    nbp_lines *lines = nbp_lines_new();
    lines->has_counter = false;
    nbp_lines_switch(lines, true);
    for (int i = 0; i < 10; i++) {
        nbp_lines_add(lines);
    }
    return lines;
}

static void
wait_ms(int ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * MS}, NULL);
}

static void
test_time_goes_to_the_line_on_top(void)
{
    nbp_lines *lines = new_lines();
    nbp_shadow *shadow = nbp_lines_shadow(lines, 1, 100);
    nbp_shadow_enter(shadow, &frame[0], 0, NULL);
    wait_ms(2);
    nbp_shadow_line(shadow, &frame[0], 1, NULL);
    nbp_shadow_enter(shadow, &frame[1], 5, NULL);
    wait_ms(3);
    nbp_shadow_leave(shadow, &frame[1], NULL);
    nbp_shadow_leave(shadow, &frame[0], NULL);
    const nbp_line *line = shadow->lines;
    CHECK_EQ(line[0].hits, 1);
    CHECK(line[0].own >= 2 * MS);
    CHECK_EQ(line[0].inclusive, line[0].own);
    CHECK(line[5].own >= 3 * MS);
    CHECK(line[1].inclusive >= line[5].inclusive);
    CHECK(line[1].own <= line[1].inclusive - line[5].inclusive);
    CHECK_EQ(nbp_shadow_depth(shadow), 0);
    nbp_lines_release(lines);
}

static void
test_a_line_is_hit_when_it_changes(void)
{
    nbp_lines *lines = new_lines();
    nbp_shadow *shadow = nbp_lines_shadow(lines, 1, 100);
    nbp_shadow_enter(shadow, &frame[0], 0, NULL);
    nbp_shadow_line(shadow, &frame[0], 0, NULL);
    nbp_shadow_line(shadow, &frame[0], 1, NULL);
    nbp_shadow_line(shadow, &frame[0], 1, NULL);
    nbp_shadow_line(shadow, &frame[0], 0, NULL);
    CHECK_EQ(shadow->lines[0].hits, 2);
    CHECK_EQ(shadow->lines[1].hits, 1);
    nbp_lines_close(lines);
    nbp_lines_release(lines);
}

static void
test_recursion_counts_inclusive_time_once(void)
{
    nbp_lines *lines = new_lines();
    nbp_shadow *shadow = nbp_lines_shadow(lines, 1, 100);
    int64_t begin = nbp_clock_now_ns(NBP_CLOCK_WALL);
    for (int i = 0; i < 10; i++) {
        nbp_shadow_enter(shadow, &frame[i], 0, NULL);
        wait_ms(1);
    }
    for (int i = 9; i >= 0; i--) {
        nbp_shadow_leave(shadow, &frame[i], NULL);
    }
    int64_t passed = nbp_clock_now_ns(NBP_CLOCK_WALL) - begin;
    CHECK_EQ(shadow->lines[0].hits, 10);
    CHECK(shadow->lines[0].inclusive <= passed);
    CHECK(shadow->lines[0].inclusive >= 10 * MS);
    CHECK_EQ(shadow->lines[0].own, shadow->lines[0].inclusive);
    CHECK_EQ(shadow->lines[0].open, 0);
    nbp_lines_release(lines);
}

static void
test_suspended_time_is_kept_apart(void)
{
    nbp_lines *lines = new_lines();
    nbp_shadow *shadow = nbp_lines_shadow(lines, 1, 100);
    int64_t begin = nbp_clock_now_ns(NBP_CLOCK_WALL);
    nbp_shadow_enter(shadow, &frame[0], 0, NULL);
    nbp_shadow_line(shadow, &frame[0], 3, NULL);
    nbp_shadow_suspend(shadow, &frame[0], NULL);
    CHECK_EQ(nbp_shadow_depth(shadow), 0);
    wait_ms(3);
    nbp_shadow_resume(shadow, &frame[0], 3, NULL);
    nbp_shadow_leave(shadow, &frame[0], NULL);
    int64_t passed = nbp_clock_now_ns(NBP_CLOCK_WALL) - begin;
    CHECK_EQ(shadow->lines[3].hits, 1);
    CHECK(shadow->lines[3].suspended >= 3 * MS);
    CHECK(shadow->lines[3].inclusive + shadow->lines[3].suspended <= passed);
    CHECK_EQ(lines->suspended.count, 0);
    nbp_lines_release(lines);
}

static void
test_suspended_while_events_pause(void)
{
    nbp_lines *lines = new_lines();
    nbp_shadow *shadow = nbp_lines_shadow(lines, 1, 100);
    nbp_shadow_enter(shadow, &frame[0], 0, NULL);
    nbp_shadow_enter(shadow, &frame[1], 3, NULL);
    nbp_shadow_suspend(shadow, &frame[1], NULL);
    nbp_lines_pause(lines);
    CHECK_EQ(nbp_shadow_depth(shadow), 0);
    wait_ms(3);
    nbp_shadow_resume(shadow, &frame[1], 3, NULL);
    CHECK(shadow->lines[3].suspended >= 3 * MS);
    nbp_shadow_suspend(shadow, &frame[1], NULL);
    nbp_lines_close(lines);
    CHECK_EQ(lines->suspended.count, 0);
    nbp_lines_release(lines);
}

static void
test_thrown_into_a_suspended_frame(void)
{
    nbp_lines *lines = new_lines();
    nbp_shadow *shadow = nbp_lines_shadow(lines, 1, 100);
    nbp_shadow_enter(shadow, &frame[0], 0, NULL);
    nbp_shadow_enter(shadow, &frame[1], 3, NULL);
    nbp_shadow_suspend(shadow, &frame[1], NULL);
    /* Its handler runs, and the caller's record must stay. */
    nbp_shadow_leave(shadow, &frame[1], NULL);
    CHECK_EQ(nbp_shadow_depth(shadow), 1);
    CHECK(shadow->lines[3].suspended > 0);
    nbp_shadow_suspend(shadow, &frame[2], NULL);
    CHECK_EQ(nbp_shadow_depth(shadow), 1);
    /* The same, going on with the statement that it was on: no second hit. */
    nbp_shadow_enter(shadow, &frame[1], 3, NULL);
    nbp_shadow_suspend(shadow, &frame[1], NULL);
    nbp_shadow_line(shadow, &frame[1], 3, NULL);
    CHECK_EQ(shadow->lines[3].hits, 2);
    nbp_lines_close(lines);
    CHECK_EQ(nbp_shadow_depth(shadow), 0);
    nbp_lines_release(lines);
}

static void
test_switched_greenlets_keep_their_records(void)
{
    nbp_lines *lines = new_lines();
    nbp_shadow *shadow = nbp_lines_shadow(lines, 1, 100);
    nbp_shadow_enter(shadow, &frame[0], 0, NULL);
    nbp_shadow_enter(shadow, &frame[1], 1, NULL);
    for (int i = 0; i < 50; i++) {
        nbp_shadow_line(shadow, &frame[0], 2 + i % 2, NULL);
        nbp_shadow_line(shadow, &frame[1], 4 + i % 2, NULL);
    }
    CHECK_EQ(nbp_shadow_depth(shadow), 2);
    CHECK_EQ(shadow->moved, 100);
    CHECK_EQ(shadow->lines[2].hits, 25);
    CHECK_EQ(shadow->lines[5].hits, 25);
    nbp_shadow_leave(shadow, &frame[0], NULL);
    nbp_shadow_leave(shadow, &frame[1], NULL);
    CHECK_EQ(nbp_shadow_depth(shadow), 0);
    nbp_lines_release(lines);
}

static void
test_recursion_without_end_is_bounded(void)
{
    nbp_lines *lines = new_lines();
    nbp_shadow *shadow = nbp_lines_shadow(lines, 1, 100);
    const int depth = (1 << 20) + 100;
    for (int i = 0; i < depth; i++) {
        nbp_shadow_enter(shadow, (const void *)(uintptr_t)(i + 1), 0, NULL);
    }
    CHECK_EQ(shadow->dropped, 101); /* the ground takes one */
    for (int i = depth; i-- > 0;) {
        nbp_shadow_leave(shadow, (const void *)(uintptr_t)(i + 1), NULL);
    }
    CHECK_EQ(nbp_shadow_depth(shadow), 0);
    nbp_lines_release(lines);
}

static void
test_the_ledger_books_each_event_to_the_line_that_it_ends(void)
{
    nbp_lines *lines = new_lines();
    lines->costs = (nbp_costs){.line = 10, .frame = 100, .same = 1};
    nbp_shadow *shadow = nbp_lines_shadow(lines, 1, 100);
    nbp_shadow_enter(shadow, &frame[0], 0, NULL);
    nbp_shadow_line(shadow, &frame[0], 0, NULL);
    nbp_shadow_line(shadow, &frame[0], 1, NULL);
    nbp_shadow_enter(shadow, &frame[1], 2, NULL);
    nbp_shadow_leave(shadow, &frame[1], NULL);
    nbp_shadow_leave(shadow, &frame[0], NULL);
    CHECK_EQ(shadow->lines[0].own_tool, 1 + 10);
    CHECK_EQ(shadow->lines[2].own_tool, 100);
    CHECK_EQ(shadow->lines[1].own_tool, 100 + 100);
    CHECK_EQ(shadow->lines[1].inclusive_tool, 100 + 100 + 100);
    nbp_lines_release(lines);
}

static void
do_little(const void *material)
{
    volatile int left = *(const int *)material;
    while (left > 0) {
        left--;
    }
}

static void
test_costs_go_with_the_pace(void)
{
    static const double paces[] = {1.0, 1e12};
    static const int little = 1000;
    for (int i = 0; i < 2; i++) {
        nbp_lines *lines = new_lines();
        lines->pace.work = (nbp_pace_work){do_little, &little};
        nbp_lines_set_costs(lines, (nbp_costs){.line = 100, .frame = 1000, .same = 10},
                            paces[i]);
        nbp_shadow *shadow = nbp_lines_shadow(lines, 1, 100);
        nbp_shadow_enter(shadow, &frame[0], 0, NULL);
        double ratio = nbp_pace_ratio(nbp_pace_mean(&lines->pace), paces[i]);
        CHECK(i == 0 ? ratio > 1 : ratio < 1);
        CHECK_EQ(lines->costs.line, llround(100 * ratio));
        CHECK_EQ(lines->costs.frame, llround(1000 * ratio));
        CHECK_EQ(lines->costs.same, llround(10 * ratio));
        /* What the reading took is the tool's time: not that of the line. */
        wait_ms(2);
        lines->pace.due = INT64_MIN;
        int64_t before = shadow->tool, last = shadow->last;
        nbp_shadow_line(shadow, &frame[0], 1, NULL);
        CHECK_EQ(shadow->lines[0].own, shadow->last - last);
        CHECK_EQ(shadow->lines[0].own_tool, shadow->tool - before);
        CHECK(shadow->tool > before + lines->costs.line / 10);
        CHECK(shadow->lines[0].own - shadow->lines[0].own_tool >= 2 * MS - 3000);
        nbp_shadow_leave(shadow, &frame[0], NULL);
        CHECK_EQ(lines->measured.line, 100);
        nbp_lines_release(lines);
    }
}

static void
test_a_line_that_leaves_at_once_is_hit_and_takes_no_time(void)
{
    nbp_lines *lines = new_lines();
    nbp_shadow *shadow = nbp_lines_shadow(lines, 1, 100);
    nbp_shadow_enter(shadow, &frame[0], 0, NULL);
    nbp_shadow_last(shadow, &frame[0], 1, NULL);
    CHECK_EQ(nbp_shadow_depth(shadow), 0);
    CHECK_EQ(shadow->lines[1].hits, 1);
    CHECK_EQ(shadow->lines[1].inclusive, 0);
    /* One that yields, goes on straight to another line, and yields there. */
    nbp_shadow_enter(shadow, &frame[1], 2, NULL);
    nbp_shadow_pause(shadow, &frame[1], 3, NULL);
    wait_ms(2);
    nbp_shadow_line(shadow, &frame[1], 2, NULL);
    CHECK(shadow->lines[3].suspended >= 2 * MS);
    CHECK_EQ(shadow->lines[2].hits, 2);
    CHECK_EQ(nbp_shadow_depth(shadow), 1);
    nbp_shadow_pause(shadow, &frame[1], 3, NULL);
    /* One that yields again from the line that it was on: no second hit. */
    nbp_shadow_pause(shadow, &frame[1], 3, NULL);
    CHECK_EQ(shadow->lines[3].hits, 2);
    CHECK_EQ(shadow->lines[3].open, 0);
    /* And one that returns as it goes on. */
    nbp_shadow_last(shadow, &frame[1], 4, NULL);
    CHECK_EQ(shadow->lines[4].hits, 1);
    CHECK_EQ(lines->suspended.count, 0);
    CHECK_EQ(nbp_shadow_depth(shadow), 0);
    nbp_lines_release(lines);
}

static void
test_lines_that_are_added_while_frames_run(void)
{
    nbp_lines *lines = new_lines();
    nbp_shadow *shadow = nbp_lines_shadow(lines, 1, 100);
    nbp_shadow_enter(shadow, &frame[0], 3, NULL);
    for (int i = 0; i < 1000; i++) {
        nbp_lines_add(lines);
    }
    nbp_shadow_line(shadow, &frame[0], 1009, NULL);
    CHECK_EQ(shadow->lines[3].open, 0);
    CHECK_EQ(shadow->lines[1009].hits, 1);
    nbp_shadow_line(shadow, &frame[0], 1010, NULL); /* there is no such line */
    CHECK_EQ(shadow->lines[1009].open, 1);
    nbp_shadow_leave(shadow, &frame[0], NULL);
    CHECK_EQ(nbp_shadow_depth(shadow), 0);
    nbp_lines_release(lines);
}

static void
test_a_thread_is_found_again_only_while_events_count(void)
{
    nbp_lines *lines = new_lines();
    nbp_shadow *shadow = nbp_lines_shadow(lines, 7, 100);
    CHECK_EQ(lines->recent_id, 7);
    CHECK(lines->recent == shadow);
    nbp_lines_switch(lines, false);
    CHECK_EQ(lines->recent_id, 0);
    CHECK(nbp_lines_shadow(lines, 7, 100) == shadow);
    CHECK_EQ(lines->recent_id, 0);
    nbp_lines_release(lines);
}

static void
test_dead_threads_are_folded(void)
{
    nbp_lines *lines = new_lines();
    for (uint64_t id = 1; id <= 100; id++) {
        nbp_shadow *shadow = nbp_lines_shadow(lines, id, 1000 + id);
        nbp_shadow_enter(shadow, &frame[0], 7, NULL);
        nbp_shadow_leave(shadow, &frame[0], NULL);
    }
    const uint64_t alive[] = {99, 100};
    nbp_lines_fold(lines, alive, 2);
    CHECK_EQ(lines->n_shadows, 3);
    CHECK_EQ(nbp_lines_shadow(lines, 0, 0)->lines[7].hits, 98);
    CHECK_EQ(nbp_lines_shadow(lines, 100, 0)->lines[7].hits, 1);
    CHECK(lines->fold_at > 3);
    nbp_lines_release(lines);
}

static void
test_a_forked_child_starts_from_nothing(void)
{
    nbp_lines *lines = new_lines();
    nbp_shadow *survivor = nbp_lines_shadow(lines, 1, 100);
    nbp_shadow_enter(survivor, &frame[0], 0, NULL);
    nbp_shadow_enter(nbp_lines_shadow(lines, 2, 200), &frame[1], 1, NULL);
    nbp_lines_reset(lines, 1);
    CHECK_EQ(lines->n_shadows, 1);
    CHECK_EQ(survivor->lines[0].hits, 0);
    nbp_shadow_line(survivor, &frame[0], 1, NULL);
    nbp_shadow_leave(survivor, &frame[0], NULL);
    CHECK_EQ(survivor->lines[1].hits, 1);
    CHECK_EQ(survivor->lines[0].open, 0);
    CHECK(survivor->lines[0].inclusive > 0);
    nbp_lines_release(lines);
}

/* ---- without memory ---- */

/* In a child with no more memory to be had: what cannot be recorded is counted. Under
 * AddressSanitizer, which ends the program instead, there is nothing to see. */
static void
test_no_memory_is_counted_not_fatal(void)
{
#ifndef __SANITIZE_ADDRESS__
    pid_t child = fork();
    if (child == 0) {
        nbp_lines *lines = new_lines();
        nbp_shadow *shadow = nbp_lines_shadow(lines, 1, 100);
        nbp_shadow_enter(shadow, &frame[0], 0, NULL);
        for (int i = 0; i < 10000000; i++) {
            nbp_lines_add(lines);
        }
        setrlimit(RLIMIT_AS,
                  &(struct rlimit){.rlim_cur = 1 << 20, .rlim_max = 1 << 20});
        nbp_shadow_line(shadow, &frame[0], 9000000, NULL);
        nbp_shadow_enter(shadow, &frame[1], 9000000, NULL);
        nbp_shadow_leave(shadow, &frame[1], NULL);
        bool right = shadow->dropped == 1 && shadow->lines[0].open == 1 &&
                     nbp_shadow_depth(shadow) == 1;
        nbp_shadow_leave(shadow, &frame[0], NULL);
        right = right && nbp_shadow_depth(shadow) == 0 && shadow->lines[0].hits == 1;
        _exit(right ? 0 : 1);
    }
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
#endif
}

static void
test_pointermap_agrees_with_a_plain_array(void)
{
    enum {
        KEYS = 500,
    };
    static bool present[KEYS];
    nbp_pointermap map = {0};
    srand(1);
    size_t count = 0;
    for (int round = 0; round < 100000; round++) {
        int i = rand() % KEYS;
        const void *key = (const void *)(uintptr_t)(16 * (i + 1));
        nbp_pointer_entry entry;
        if (rand() % 2) {
            CHECK(nbp_pointermap_put(&map, key, i, (uint32_t)i));
            count += !present[i];
            present[i] = true;
        }
        else {
            bool taken = nbp_pointermap_take(&map, key, &entry);
            CHECK_EQ(taken, present[i]);
            CHECK(!taken || entry.time == i);
            count -= present[i];
            present[i] = false;
        }
        CHECK_EQ(map.count, count);
    }
    for (int i = 0; i < KEYS; i++) {
        const void *key = (const void *)(uintptr_t)(16 * (i + 1));
        CHECK_EQ(nbp_pointermap_get(&map, key) != NULL, present[i]);
    }
    nbp_pointermap_clear(&map);
    CHECK(nbp_pointermap_get(&map, &map) == NULL);
}

static void
test_ticks_are_as_long_as_they_say(void)
{
    bool counter = nbp_ticks_has_counter();
    nbp_moment origin = nbp_ticks_moment(counter);
    double length = nbp_ticks_length_ns(counter, origin);
    nbp_moment before = nbp_ticks_moment(counter);
    wait_ms(20);
    nbp_moment after = nbp_ticks_moment(counter);
    double passed = (double)(after.ticks - before.ticks) * length;
    CHECK_NEAR(passed / (double)(after.ns - before.ns), 1.0, 0.05);
}

int
main(void)
{
    test_time_goes_to_the_line_on_top();
    test_a_line_is_hit_when_it_changes();
    test_recursion_counts_inclusive_time_once();
    test_suspended_time_is_kept_apart();
    test_suspended_while_events_pause();
    test_thrown_into_a_suspended_frame();
    test_switched_greenlets_keep_their_records();
    test_recursion_without_end_is_bounded();
    test_the_ledger_books_each_event_to_the_line_that_it_ends();
    test_costs_go_with_the_pace();
    test_a_line_that_leaves_at_once_is_hit_and_takes_no_time();
    test_lines_that_are_added_while_frames_run();
    test_a_thread_is_found_again_only_while_events_count();
    test_dead_threads_are_folded();
    test_a_forked_child_starts_from_nothing();
    test_no_memory_is_counted_not_fatal();
    test_pointermap_agrees_with_a_plain_array();
    test_ticks_are_as_long_as_they_say();
    return CHECK_RESULT();
}
