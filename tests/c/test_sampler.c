/* SPDX-License-Identifier: BSD-3-Clause */
/* The sampler on an interpreter made of a few structures of our own. */
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE /* gettid */
#endif
#include "sampler.h"

typedef struct text {
    uint64_t references;
    const void *type;
    uint64_t length;
    char data[64];
} text;

typedef struct code {
    uint64_t references;
    const void *type;
    uint64_t units;
    text *file, *name, *qualname;
    text *lines;
    int32_t first_line, first_traceable;
    uint16_t instructions[16];
} code;

typedef struct frame {
    code *code;
    struct frame *caller;
    uint16_t *instruction;
    char kind;
} frame;

typedef struct thread {
    struct thread *next;
    struct interpreter *owner;
    frame *frame;
    uint64_t id, ident, tid;
} thread;

typedef struct interpreter {
    thread *threads;
} interpreter;

static const char text_type, code_type, bytes_type;

static bool
read_text(const void *head, nbp_text_place *out)
{
    text copied;
    memcpy(&copied, head, offsetof(text, data));
    *out = (nbp_text_place){copied.length, 1, offsetof(text, data)};
    return copied.length < 1000;
}

static nbp_interpreter_layout
layout(void)
{
    return (nbp_interpreter_layout){
        .threads = offsetof(interpreter, threads),
        .next = offsetof(thread, next),
        .owner = offsetof(thread, owner),
        .frame = offsetof(thread, frame),
        .id = offsetof(thread, id),
        .ident = offsetof(thread, ident),
        .tid = offsetof(thread, tid),
        .thread_size = sizeof(thread),
        .code = offsetof(frame, code),
        .caller = offsetof(frame, caller),
        .instruction = offsetof(frame, instruction),
        .kind = offsetof(frame, kind),
        .frame_size = sizeof(frame),
        .marker = 3,
        .generator = 1,
        .references = 0,
        .type = offsetof(code, type),
        .units = offsetof(code, units),
        .first_line = offsetof(code, first_line),
        .file = offsetof(code, file),
        .name = offsetof(code, name),
        .qualname = offsetof(code, qualname),
        .lines = offsetof(code, lines),
        .first_traceable = offsetof(code, first_traceable),
        .instructions = offsetof(code, instructions),
        .code_size = sizeof(code),
        .length = offsetof(text, length),
        .bytes = offsetof(text, data),
        .text_size = offsetof(text, data),
        .code_type = (uintptr_t)&code_type,
        .text_type = (uintptr_t)&text_type,
        .bytes_type = (uintptr_t)&bytes_type,
        .text = read_text,
    };
}

static text *
new_text(const char *content, const void *type)
{
    text *made = calloc(1, sizeof(*made));
    made->references = 1;
    made->type = type;
    made->length = strlen(content);
    strcpy(made->data, content);
    return made;
}

static code *
new_code(const char *name)
{
    code *made = calloc(1, sizeof(*made));
    made->references = 1;
    made->type = &code_type;
    made->units = 16;
    made->file = new_text("f.py", &text_type);
    made->name = new_text(name, &text_type);
    made->qualname = new_text(name, &text_type);
    made->lines = new_text("", &bytes_type);
    made->first_line = 10;
    return made;
}

static void
free_code(code *made)
{
    free(made->file);
    free(made->name);
    free(made->qualname);
    free(made->lines);
    free(made);
}

/* One thread that runs inner() called by a marker called by outer(). */
typedef struct {
    interpreter interpreter;
    thread thread;
    code *outer, *inner;
    frame frames[3];
} world;

static world *
new_world(void)
{
    world *made = calloc(1, sizeof(*made));
    made->outer = new_code("outer");
    made->inner = new_code("inner");
    made->frames[0] = (frame){made->outer, NULL, made->outer->instructions, 0};
    made->frames[1] = (frame){NULL, &made->frames[0], NULL, 3};
    made->frames[2] =
        (frame){made->inner, &made->frames[1], made->inner->instructions + 2, 0};
    made->thread =
        (thread){NULL, &made->interpreter, &made->frames[2], 1, 77, (uint64_t)gettid()};
    made->interpreter.threads = &made->thread;
    return made;
}

static void
free_world(world *made)
{
    free_code(made->outer);
    free_code(made->inner);
    free(made);
}

static void
wait_ms(int ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000L}, NULL);
}

static nbp_sampler *
new_sampler(world *around)
{
    nbp_interpreter_layout described = layout();
    nbp_sampler *sampler = NULL;
    CHECK_EQ(
        nbp_sampler_new(&sampler, &described, (uintptr_t)&around->interpreter, 2000, 1),
        NBP_OK);
    return sampler;
}

/* How many looks came to something: those at a thread that waits for a processor leave
 * no sample. With the lock. */
static uint64_t
count_answers(nbp_sampler *sampler)
{
    const nbp_sampletree *tree = nbp_sampler_tree(sampler);
    uint64_t sum = nbp_sampler_statistics(sampler).torn;
    for (size_t i = 0; i < tree->n_threads; i++) {
        sum += tree->threads[i].samples + tree->threads[i].torn;
    }
    return sum;
}

/* Waits, working now and then, until there are as many of them as that. */
static void
wait_for_answers(nbp_sampler *sampler, uint64_t answers)
{
    for (int i = 0; i < 60000; i++) {
        nbp_sampler_lock(sampler);
        uint64_t now = count_answers(sampler);
        nbp_sampler_unlock(sampler);
        if (now >= answers) {
            return;
        }
        wait_ms(1);
    }
    CHECK(!"the sampler does not look");
}

static void
test_a_stack_becomes_a_path(void)
{
    world *around = new_world();
    nbp_sampler *sampler = new_sampler(around);
    CHECK_EQ(nbp_sampler_start(sampler, 0, 0), NBP_OK);
    CHECK_EQ(nbp_sampler_start(sampler, 0, 0), NBP_INVALID);
    wait_for_answers(sampler, 20);
    nbp_sampler_stop(sampler);
    nbp_sampler_stop(sampler);
    CHECK(!nbp_sampler_is_running(sampler));
    CHECK(nbp_sampler_lock(sampler));
    const nbp_sampletree *tree = nbp_sampler_tree(sampler);
    const nbp_codebook *book = nbp_sampler_book(sampler);
    CHECK_EQ(tree->n_threads, 1);
    CHECK_EQ(tree->threads[0].ident, 77);
    CHECK_EQ(tree->n_nodes, 3);
    CHECK_EQ(nbp_codebook_count(book), 2);
    CHECK_EQ(tree->nodes[1].parent, 0);
    CHECK(strcmp(nbp_codebook_at(book, tree->nodes[1].function)->name, "outer") == 0);
    CHECK_EQ(tree->nodes[2].parent, 1);
    CHECK(tree->nodes[2].samples > 0);
    CHECK(tree->nodes[2].samples <= nbp_sampler_statistics(sampler).rounds);
    CHECK_EQ(tree->n_places, 1);
    CHECK_EQ(tree->places[0].unit, 2);
    nbp_span spans[4];
    CHECK_EQ(nbp_sampletree_spans(tree, 0, spans, 4), 1);
    CHECK_EQ(spans[0].samples, tree->threads[0].samples);
    nbp_sampler_unlock(sampler);
    nbp_sampler_destroy(&sampler);
    free_world(around);
}

static void
test_only_what_is_above_the_base_is_kept(void)
{
    world *around = new_world();
    nbp_sampler *sampler = new_sampler(around);
    nbp_sampler_start(sampler, 1, (uintptr_t)&around->frames[0]);
    wait_for_answers(sampler, 5);
    nbp_sampler_stop(sampler);
    const nbp_sampletree *tree = nbp_sampler_tree(sampler);
    CHECK_EQ(tree->n_nodes, 2);
    CHECK(strcmp(nbp_codebook_at(nbp_sampler_book(sampler), 0)->name, "inner") == 0);
    nbp_sampler_destroy(&sampler);
    free_world(around);
}

static void
test_frames_that_have_not_begun_are_left_out(void)
{
    world *around = new_world();
    around->outer->first_traceable = 1;
    nbp_sampler *sampler = new_sampler(around);
    nbp_sampler_start(sampler, 0, 0);
    wait_for_answers(sampler, 3);
    nbp_sampler_stop(sampler);
    const nbp_sampletree *tree = nbp_sampler_tree(sampler);
    const nbp_codebook *book = nbp_sampler_book(sampler);
    CHECK_EQ(tree->n_nodes, 2);
    CHECK(strcmp(nbp_codebook_at(book, tree->nodes[1].function)->name, "inner") == 0);
    nbp_sampler_destroy(&sampler);
    free_world(around);
}

/* What a wrong pointer anywhere does: the samples are torn, and nothing else. */
static void
check_torn(world *around)
{
    nbp_sampler *sampler = new_sampler(around);
    nbp_sampler_start(sampler, 0, 0);
    wait_for_answers(sampler, 3);
    nbp_sampler_stop(sampler);
    const nbp_sampletree *tree = nbp_sampler_tree(sampler);
    uint64_t samples = 0, torn = nbp_sampler_statistics(sampler).torn;
    for (size_t i = 0; i < tree->n_threads; i++) {
        samples += tree->threads[i].samples;
        torn += tree->threads[i].torn;
    }
    CHECK_EQ(samples, 0);
    CHECK(torn >= 3);
    nbp_sampler_destroy(&sampler);
}

static void
test_wrong_pointers_are_torn_samples(void)
{
    world *around = new_world();
    void *const bad[] = {(void *)8, (void *)0xdead000, (void *)0x7fffdead1001,
                         (void *)UINTPTR_MAX};
    void **const places[] = {
        (void **)&around->frames[2].code,    (void **)&around->frames[1].caller,
        (void **)&around->thread.frame,      (void **)&around->inner->file,
        (void **)&around->inner->qualname,   (void **)&around->inner->lines,
        (void **)&around->inner->type,       (void **)&around->thread.owner,
        (void **)&around->inner->name->type,
    };
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        for (size_t j = 0; j < sizeof(bad) / sizeof(bad[0]); j++) {
            void *kept = *places[i];
            *places[i] = bad[j];
            check_torn(around);
            *places[i] = kept;
        }
    }
    around->inner->references = 0x7f0000001230; /* as the allocator leaves it */
    check_torn(around);
    around->inner->references = 1;
    around->frames[2].instruction = around->inner->instructions + 16;
    check_torn(around);
    around->frames[2].instruction = around->inner->instructions;
    around->frames[0].caller = &around->frames[0]; /* a ring of one */
    check_torn(around);
    free_world(around);
}

static void
test_a_ring_of_frames_is_a_stack_cut_off(void)
{
    world *around = new_world();
    around->frames[0].caller = &around->frames[2];
    nbp_sampler *sampler = new_sampler(around);
    nbp_sampler_start(sampler, 0, 0);
    wait_for_answers(sampler, 3);
    nbp_sampler_stop(sampler);
    const nbp_sampletree *tree = nbp_sampler_tree(sampler);
    CHECK_EQ(tree->n_nodes, NBP_STACK_DEPTH + 2);
    CHECK_EQ(tree->nodes[1].function, NBP_NO_FUNCTION);
    nbp_sampler_destroy(&sampler);
    free_world(around);
}

static void
test_another_code_object_at_the_same_address_is_another_function(void)
{
    world *around = new_world();
    nbp_sampler *sampler = new_sampler(around);
    nbp_sampler_start(sampler, 0, 0);
    wait_for_answers(sampler, 5);
    nbp_sampler_lock(sampler);
    text *name = around->inner->qualname;
    around->inner->qualname = new_text("other", &text_type);
    /* The thread runs meanwhile, as one that changes its code must. */
    for (volatile int i = 0; i < 1000; i++) {
    }
    uint64_t before = count_answers(sampler);
    nbp_sampler_unlock(sampler);
    wait_for_answers(sampler, before + 5);
    nbp_sampler_stop(sampler);
    const nbp_codebook *book = nbp_sampler_book(sampler);
    CHECK_EQ(nbp_codebook_count(book), 3);
    CHECK(strcmp(nbp_codebook_at(book, 2)->qualname, "other") == 0);
    free(name);
    nbp_sampler_destroy(&sampler);
    free_world(around);
}

static void
test_a_child_has_no_sampler(void)
{
    world *around = new_world();
    nbp_sampler *sampler = new_sampler(around);
    nbp_sampler_start(sampler, 0, 0);
    pid_t child = fork();
    if (child == 0) {
        bool is_off = !nbp_sampler_is_running(sampler) && !nbp_sampler_lock(sampler);
        nbp_sampler_stop(sampler);
        nbp_sampler_destroy(&sampler);
        check_end_child(is_off ? 0 : 1);
    }
    int status = -1;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    CHECK(nbp_sampler_is_running(sampler));
    nbp_sampler_destroy(&sampler); /* stops it */
    CHECK(sampler == NULL);
    free_world(around);
}

static void
test_arguments(void)
{
    nbp_interpreter_layout described = layout();
    nbp_sampler *sampler;
    CHECK_EQ(nbp_sampler_new(&sampler, &described, 0, 0, 0), NBP_INVALID);
    CHECK_EQ(nbp_sampler_new(&sampler, &described, 0, NAN, 0), NBP_INVALID);
    CHECK_EQ(nbp_sampler_new(&sampler, &described, 0, 1e9, 0), NBP_INVALID);
    CHECK_EQ(nbp_sampler_new(&sampler, &described, 0, 100, 2), NBP_INVALID);
    CHECK(sampler == NULL);
    nbp_sampler_destroy(&sampler);
}

int
main(void)
{
    test_a_stack_becomes_a_path();
    test_only_what_is_above_the_base_is_kept();
    test_frames_that_have_not_begun_are_left_out();
    test_wrong_pointers_are_torn_samples();
    test_a_ring_of_frames_is_a_stack_cut_off();
    test_another_code_object_at_the_same_address_is_another_function();
    test_a_child_has_no_sampler();
    test_arguments();
    return CHECK_RESULT();
}
