/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "calltree.h"
#include "check.h"

/* Functions and frames are only addresses to the tree. */
static const char functions[16];
static const char frames[64];

#define FUNCTION(i) ((const void *)&functions[i])
#define FRAME(i)    ((const void *)&frames[i])

static void
enter(nbp_calltree *tree, int frame, int function, int64_t now)
{
    nbp_calltree_enter(tree, FRAME(frame), FUNCTION(function), NBP_CALL_PYTHON,
                       NBP_ENTER_START, now);
}

static void
leave(nbp_calltree *tree, int frame, int64_t now)
{
    nbp_calltree_leave(tree, FRAME(frame), now);
}

/* The child of `parent`, NULL for the root, that is the function; NULL if none is. */
static const nbp_call_node *
child(nbp_calltree *tree, const nbp_call_node *parent, int function)
{
    nbp_calltree_sum(tree);
    if (parent == NULL) {
        parent = nbp_calltree_at(tree, 0);
    }
    for (size_t i = 1; i < nbp_calltree_count(tree); i++) {
        const nbp_call_node *node = nbp_calltree_at(tree, i);
        if (node->parent == parent && node->key == FUNCTION(function)) {
            return node;
        }
    }
    return NULL;
}

static void
check_node(const nbp_call_node *node, uint64_t calls, int64_t inclusive, int64_t self)
{
    CHECK(node != NULL);
    if (node != NULL) {
        CHECK_EQ(node->calls, calls);
        CHECK_EQ(node->inclusive, inclusive);
        CHECK_EQ(node->self, self);
    }
}

static void
test_a_function_has_a_node_for_each_path(void)
{
    size_t room = 100;
    nbp_calltree *tree = nbp_calltree_new(&room);
    enter(tree, 0, 0, 0);
    for (int turn = 0; turn < 2; turn++) {
        enter(tree, 1, 1, 10 + 100 * turn);
        enter(tree, 2, 3, 20 + 100 * turn);
        leave(tree, 2, 25 + 100 * turn);
        leave(tree, 1, 30 + 100 * turn);
        enter(tree, 1, 2, 40 + 100 * turn);
        enter(tree, 2, 3, 50 + 100 * turn);
        leave(tree, 2, 60 + 100 * turn);
        leave(tree, 1, 80 + 100 * turn);
    }
    leave(tree, 0, 200);
    const nbp_call_node *top = child(tree, NULL, 0);
    const nbp_call_node *left = child(tree, top, 1), *right = child(tree, top, 2);
    check_node(top, 1, 200, 80);
    check_node(left, 2, 40, 30);
    check_node(child(tree, left, 3), 2, 10, 10);
    check_node(right, 2, 80, 60);
    check_node(child(tree, right, 3), 2, 20, 20);
    CHECK_EQ(nbp_calltree_count(tree), 6);
    CHECK_EQ(room, 95);
    CHECK_EQ(nbp_calltree_losses(tree).unmatched, 0);
    nbp_calltree_destroy(&tree);
}

static void
test_a_suspended_call_goes_on_under_whoever_resumes_it(void)
{
    size_t room = 100;
    nbp_calltree *tree = nbp_calltree_new(&room);
    enter(tree, 0, 0, 0);
    enter(tree, 9, 5, 10); /* the generator starts */
    leave(tree, 9, 20);    /* and yields */
    enter(tree, 1, 1, 30);
    nbp_calltree_enter(tree, FRAME(9), FUNCTION(5), NBP_CALL_PYTHON, NBP_ENTER_RESUME,
                       40);
    leave(tree, 9, 45);
    leave(tree, 1, 50);
    leave(tree, 0, 60);
    const nbp_call_node *top = child(tree, NULL, 0);
    check_node(child(tree, top, 5), 1, 10, 10);
    const nbp_call_node *resumed = child(tree, child(tree, top, 1), 5);
    check_node(resumed, 0, 5, 5);
    CHECK_EQ(resumed->resumes, 1);
    nbp_calltree_destroy(&tree);
}

static void
test_what_meters_count_is_of_the_call_that_ran(void)
{
    size_t room = 100;
    uint64_t meters[2] = {1000, 10};
    nbp_calltree *tree = nbp_calltree_new(&room);
    tree->meters = meters;
    nbp_calltree_pause(tree, 0); /* what was counted before is nobody's */
    enter(tree, 0, 0, 0);
    meters[0] += 50, meters[1] += 2;
    enter(tree, 1, 1, 10);
    meters[0] += 7, meters[1] += 1;
    leave(tree, 1, 20);
    meters[0] += 32, meters[1] += 1;
    nbp_calltree_discount(tree, 32, 1); /* by the recording itself */
    leave(tree, 0, 30);
    meters[0] += 9, meters[1] += 1; /* while nothing runs */
    nbp_calltree_finish(tree, 40);
    const nbp_call_node *top = child(tree, NULL, 0), *called = child(tree, top, 1);
    CHECK_EQ(top->metered[0], 50);
    CHECK_EQ(top->metered[1], 2);
    CHECK_EQ(called->metered[0], 7);
    CHECK_EQ(called->metered[1], 1);
    CHECK_EQ(nbp_calltree_at(tree, 0)->metered[0], 0);
    nbp_calltree_destroy(&tree);
}

static void
test_children_that_take_turns_stay_apart(void)
{
    size_t room = 100;
    nbp_calltree *tree = nbp_calltree_new(&room);
    static const int turns[] = {1, 2, 3, 1, 2, 3, 2, 1, 3, 3, 1, 2};
    uint64_t calls[4] = {0};
    for (size_t i = 0; i < sizeof(turns) / sizeof(*turns); i++) {
        enter(tree, 1, turns[i], (int64_t)(10 * i));
        leave(tree, 1, (int64_t)(10 * i) + turns[i]);
        calls[turns[i]]++;
    }
    for (int function = 1; function <= 3; function++) {
        int64_t time = (int64_t)calls[function] * function;
        check_node(child(tree, NULL, function), calls[function], time, time);
    }
    CHECK_EQ(nbp_calltree_count(tree), 4);
    nbp_calltree_destroy(&tree);
}

static void
test_ends_of_calls_that_never_began_are_counted_and_ignored(void)
{
    size_t room = 100;
    nbp_calltree *tree = nbp_calltree_new(&room);
    leave(tree, 7, 5);
    enter(tree, 0, 0, 10);
    leave(tree, 7, 15);
    leave(tree, 0, 20);
    leave(tree, 0, 30);
    check_node(child(tree, NULL, 0), 1, 10, 10);
    CHECK_EQ(nbp_calltree_losses(tree).unmatched, 3);
    nbp_calltree_destroy(&tree);
}

static void
test_a_switch_of_stacks_sets_calls_aside_without_time(void)
{
    size_t room = 100;
    nbp_calltree *tree = nbp_calltree_new(&room);
    enter(tree, 0, 0, 0);   /* f: */
    enter(tree, 1, 9, 10);  /*    switch */
    enter(tree, 2, 1, 20);  /*       g, on the other stack: */
    enter(tree, 3, 9, 30);  /*          switch */
    leave(tree, 1, 40);     /* f goes on */
    enter(tree, 4, 9, 140); /*    switch */
    leave(tree, 3, 150);    /*       g goes on */
    leave(tree, 2, 170);    /*       g ends, its stack with it */
    leave(tree, 4, 180);
    leave(tree, 0, 200);
    const nbp_call_node *f = child(tree, NULL, 0);
    const nbp_call_node *to_g = child(tree, f, 9), *g = child(tree, to_g, 1);
    check_node(f, 1, 200, 10 + 100 + 20);
    check_node(g, 1, 20 + 20, 10 + 20);
    check_node(child(tree, g, 9), 1, 10, 10);
    check_node(to_g, 2, 30 + 40, 10 + 10 + 10);
    CHECK_EQ(nbp_calltree_losses(tree).switched, 2);
    CHECK_EQ(nbp_calltree_losses(tree).unmatched, 0);
    nbp_calltree_destroy(&tree);
}

static void
test_a_lost_end_harms_only_its_own_call(void)
{
    size_t room = 100;
    nbp_calltree *tree = nbp_calltree_new(&room);
    enter(tree, 0, 0, 0);
    enter(tree, 1, 1, 10);
    enter(tree, 2, 2, 20); /* whose end is never heard of */
    leave(tree, 1, 50);
    enter(tree, 1, 1, 60);
    leave(tree, 1, 70);
    leave(tree, 0, 100);
    const nbp_call_node *top = child(tree, NULL, 0), *middle = child(tree, top, 1);
    check_node(top, 1, 100, 50);
    check_node(middle, 2, 50, 20);
    check_node(child(tree, middle, 2), 1, 30, 30);
    nbp_calltree_destroy(&tree);
}

static void
test_finish_ends_what_runs_and_forgets_what_is_aside(void)
{
    size_t room = 100;
    nbp_calltree *tree = nbp_calltree_new(&room);
    enter(tree, 0, 0, 0);
    enter(tree, 1, 1, 10);
    enter(tree, 2, 2, 20);
    leave(tree, 1, 30);
    nbp_calltree_finish(tree, 100);
    check_node(child(tree, NULL, 0), 1, 100, 80);
    CHECK_EQ(nbp_calltree_depth(tree), 0);
    leave(tree, 2, 110);
    CHECK_EQ(nbp_calltree_losses(tree).unmatched, 1);
    nbp_calltree_destroy(&tree);
}

static void
test_a_pause_is_nobodys_time(void)
{
    size_t room = 100;
    nbp_calltree *tree = nbp_calltree_new(&room);
    enter(tree, 0, 0, 1000);
    enter(tree, 1, 1, 1010);
    nbp_calltree_pause(tree, 500);
    leave(tree, 1, 1520);
    leave(tree, 0, 1530);
    const nbp_call_node *top = child(tree, NULL, 0);
    check_node(top, 1, 30, 20);
    check_node(child(tree, top, 1), 1, 10, 10);
    nbp_calltree_destroy(&tree);
}

static void
test_time_that_is_skipped_is_nobodys_but_what_meters_count_stays(void)
{
    size_t room = 100;
    uint64_t meters[2] = {0, 0};
    nbp_calltree *tree = nbp_calltree_new(&room);
    tree->meters = meters;
    enter(tree, 0, 0, 1000);
    meters[0] += 50;
    nbp_calltree_skip(tree, 300);
    leave(tree, 0, 1310);
    const nbp_call_node *top = child(tree, NULL, 0);
    check_node(top, 1, 10, 10);
    CHECK_EQ(top->metered[0], 50);
    nbp_calltree_destroy(&tree);
}

static void
test_a_full_tree_keeps_counts_and_own_times(void)
{
    size_t room = 2;
    nbp_calltree *tree = nbp_calltree_new(&room);
    for (int turn = 0; turn < 3; turn++) {
        int64_t now = 100 * turn;
        enter(tree, 0, 0, now);
        enter(tree, 1, 1, now + 10);
        enter(tree, 2, 2, now + 20); /* no room for it */
        enter(tree, 3, 3, now + 30); /* nor for it */
        leave(tree, 3, now + 40);
        leave(tree, 2, now + 50);
        leave(tree, 1, now + 60);
        leave(tree, 0, now + 70);
    }
    const nbp_call_node *top = child(tree, NULL, 0);
    check_node(top, 3, 60 + 60, 60);
    check_node(child(tree, top, 1), 3, 60, 60);
    const nbp_call_node *crowd = nbp_calltree_crowd(tree);
    CHECK(crowd != NULL);
    check_node(child(tree, crowd, 2), 3, 60, 60);
    check_node(child(tree, crowd, 3), 3, 30, 30);
    CHECK_EQ(nbp_calltree_losses(tree).crowded, 6);
    CHECK_EQ(nbp_calltree_losses(tree).dropped, 0);
    nbp_calltree_destroy(&tree);
}

static void
test_what_is_too_deep_is_dropped_and_counted(void)
{
    enum { DEEP = (1 << 20) + 10 };
    size_t room = 8; /* so that the recursion does not fill the memory with nodes */
    nbp_calltree *tree = nbp_calltree_new(&room);
    static char activations[DEEP];
    for (int i = 0; i < DEEP; i++) {
        nbp_calltree_enter(tree, &activations[i], FUNCTION(0), NBP_CALL_PYTHON,
                           NBP_ENTER_START, i);
    }
    for (int i = DEEP; i-- > 0;) {
        nbp_calltree_leave(tree, &activations[i], 2 * DEEP - i);
    }
    nbp_calltree_loss loss = nbp_calltree_losses(tree);
    CHECK_EQ(loss.dropped, 10);
    CHECK_EQ(loss.crowded, DEEP - 10 - 8);
    CHECK_EQ(loss.unmatched, 0);
    CHECK_EQ(nbp_calltree_depth(tree), 0);
    nbp_calltree_sum(tree);
    CHECK_EQ(nbp_calltree_at(tree, 0)->inclusive, 2 * DEEP);
    nbp_calltree_destroy(&tree);
}

static void
test_the_cost_of_recording_is_taken_from_those_that_bore_it(void)
{
    size_t room = 100;
    nbp_calltree *tree = nbp_calltree_new(&room);
    enter(tree, 0, 0, 0);
    for (int turn = 0; turn < 10; turn++) {
        int64_t now = 100 + 100 * turn;
        enter(tree, 1, 1, now);
        nbp_calltree_other(tree);
        nbp_calltree_enter(tree, FRAME(2), FUNCTION(2), NBP_CALL_NATIVE,
                           NBP_ENTER_START, now + 30);
        leave(tree, 2, now + 40);
        leave(tree, 1, now + 80);
    }
    leave(tree, 0, 2000);
    nbp_call_costs costs = {
        .call = {{.inner = 5, .outer = 7}, {.inner = 20, .outer = 3}},
        .other = 11,
    };
    double inclusive[4], self[4];
    nbp_calltree_correct(tree, &costs, inclusive, self);
    CHECK_NEAR(self[1], 1200 - 5 - 10 * 7, 1e-9);
    CHECK_NEAR(self[2], 700 - 10 * 5 - 10 * 11 - 10 * 3, 1e-9);
    CHECK_NEAR(self[3], 0, 0); /* 100 - 10 * 20 */
    CHECK_NEAR(inclusive[2], self[2], 1e-9);
    CHECK_NEAR(inclusive[0], self[1] + self[2], 1e-9);
    nbp_calltree_destroy(&tree);
}

/* ---- against a model ---- */

/* Small and the same everywhere, so that a failure can be repeated. */
static uint32_t
next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

enum { MODEL_DEPTH = 12, MODEL_PATHS = 4096 };

/* The slow way: every path written out, and every tick given to all calls that run. */
typedef struct {
    int path[MODEL_DEPTH];
    int length;
    uint64_t calls, resumes;
    int64_t inclusive, self;
} model_path;

typedef struct {
    model_path paths[MODEL_PATHS];
    int count;
} model;

static model_path *
model_find(model *self, const int *path, int length)
{
    for (int i = 0; i < self->count; i++) {
        if (self->paths[i].length == length &&
            memcmp(self->paths[i].path, path, (size_t)length * sizeof(int)) == 0) {
            return &self->paths[i];
        }
    }
    model_path *found = &self->paths[self->count++];
    *found = (model_path){.length = length};
    memcpy(found->path, path, (size_t)length * sizeof(int));
    return found;
}

static void
model_pass(model *self, const int *path, int length, int64_t ticks)
{
    for (int i = 1; i <= length; i++) {
        model_find(self, path, i)->inclusive += ticks;
    }
    if (length > 0) {
        model_find(self, path, length)->self += ticks;
    }
}

static const nbp_call_node *
node_of_path(nbp_calltree *tree, const model_path *path)
{
    const nbp_call_node *node = NULL;
    for (int i = 0; i < path->length; i++) {
        node = child(tree, node, path->path[i]);
        if (node == NULL) {
            return NULL;
        }
    }
    return node;
}

static void
test_random_calls_agree_with_a_model(void)
{
    static model expected;
    for (uint32_t seed = 1; seed <= 40; seed++) {
        uint32_t random = seed;
        size_t room = SIZE_MAX;
        nbp_calltree *tree = nbp_calltree_new(&room);
        expected.count = 0;
        int path[MODEL_DEPTH], length = 0;
        int64_t now = 1000;
        for (int event = 0; event < 1500; event++) {
            int64_t ticks = next_random(&random) % 50;
            model_pass(&expected, path, length, ticks);
            now += ticks;
            if (length < MODEL_DEPTH && next_random(&random) % 100 < 49) {
                /* Three functions in all, so that recursion of every kind occurs. */
                int function = (int)(next_random(&random) % 3);
                int resumed = next_random(&random) % 4 == 0;
                path[length++] = function;
                model_path *called = model_find(&expected, path, length);
                called->calls += !resumed;
                called->resumes += (uint64_t)resumed;
                nbp_calltree_enter(tree, FRAME(length), FUNCTION(function),
                                   NBP_CALL_PYTHON,
                                   resumed ? NBP_ENTER_RESUME : NBP_ENTER_START, now);
            }
            else if (length > 0) {
                leave(tree, length--, now);
            }
        }
        nbp_calltree_finish(tree, now);
        CHECK_EQ(nbp_calltree_count(tree), expected.count + 1);
        for (int i = 0; i < expected.count; i++) {
            const model_path *path_ = &expected.paths[i];
            const nbp_call_node *node = node_of_path(tree, path_);
            check_node(node, path_->calls, path_->inclusive, path_->self);
            CHECK(node != NULL && node->resumes == path_->resumes);
        }
        nbp_calltree_destroy(&tree);
    }
}

/* Several stacks that switch at random, ends that are lost and ends of strangers: every
 * tick is still somebody's own time, once. */
static void
test_random_disorder_loses_no_time(void)
{
    for (uint32_t seed = 1; seed <= 200; seed++) {
        uint32_t random = seed * 7919;
        size_t room = 500;
        nbp_calltree *tree = nbp_calltree_new(&room);
        int64_t now = 0, running = 0;
        uint64_t begun = 0;
        for (int event = 0; event < 3000; event++) {
            int64_t ticks = next_random(&random) % 20;
            now += ticks;
            running += nbp_calltree_depth(tree) > 0 ? ticks : 0;
            int frame = (int)(next_random(&random) % 64);
            if (next_random(&random) % 2) {
                begun++;
                enter(tree, frame, frame % 16, now);
            }
            else {
                leave(tree, frame, now);
            }
        }
        nbp_calltree_finish(tree, now);
        nbp_calltree_sum(tree);
        int64_t self = 0;
        uint64_t calls = 0;
        for (size_t i = 0; i < nbp_calltree_count(tree); i++) {
            const nbp_call_node *node = nbp_calltree_at(tree, i);
            self += node->self;
            calls += node->calls;
            CHECK(node->parent == NULL || node->parent->index < node->index);
        }
        CHECK_EQ(self, running);
        CHECK_EQ(calls, begun);
        CHECK_EQ(nbp_calltree_losses(tree).dropped, 0);
        nbp_calltree_destroy(&tree);
    }
}

static void
test_destroy_sets_null_and_accepts_it(void)
{
    size_t room = 1;
    nbp_calltree *tree = nbp_calltree_new(&room);
    nbp_calltree_destroy(&tree);
    CHECK(tree == NULL);
    nbp_calltree_destroy(&tree);
}

int
main(void)
{
    test_a_function_has_a_node_for_each_path();
    test_a_suspended_call_goes_on_under_whoever_resumes_it();
    test_what_meters_count_is_of_the_call_that_ran();
    test_children_that_take_turns_stay_apart();
    test_ends_of_calls_that_never_began_are_counted_and_ignored();
    test_a_switch_of_stacks_sets_calls_aside_without_time();
    test_a_lost_end_harms_only_its_own_call();
    test_finish_ends_what_runs_and_forgets_what_is_aside();
    test_a_pause_is_nobodys_time();
    test_time_that_is_skipped_is_nobodys_but_what_meters_count_stays();
    test_a_full_tree_keeps_counts_and_own_times();
    test_what_is_too_deep_is_dropped_and_counted();
    test_the_cost_of_recording_is_taken_from_those_that_bore_it();
    test_random_calls_agree_with_a_model();
    test_random_disorder_loses_no_time();
    test_destroy_sets_null_and_accepts_it();
    return CHECK_RESULT();
}
