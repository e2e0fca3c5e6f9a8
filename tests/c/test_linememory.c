/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>

#include "check.h"
#include "shadow.h"

/* Addresses that stand for frames. */
static const char frame[4];

/* What a thread has allocated, as its probes read it. */
typedef struct {
    nbp_lines *lines;
    nbp_shadow *shadow;
    nbp_memory memory;
} program;

static program
new_program(void)
{
    program self = {.lines = nbp_lines_new()};
    self.lines->with_memory = true;
    nbp_lines_switch(self.lines, true);
    for (int i = 0; i < 10; i++) {
        nbp_lines_add(self.lines);
    }
    self.shadow = nbp_lines_shadow(self.lines, 1, 100);
    return self;
}

static void
allocates(program *self, uint64_t bytes)
{
    self->memory.traffic.allocated_bytes += bytes;
    self->memory.traffic.allocated_blocks++;
    self->memory.peak_bytes = nbp_higher(self->memory.peak_bytes,
                                         nbp_traffic_net_bytes(&self->memory.traffic));
}

static void
frees(program *self, uint64_t bytes)
{
    self->memory.traffic.freed_bytes += bytes;
    self->memory.traffic.freed_blocks++;
}

static void
test_memory_goes_to_the_line_on_top(void)
{
    program self = new_program();
    allocates(&self, 1000); /* nobody's */
    nbp_shadow_enter(self.shadow, &frame[0], 0, &self.memory);
    allocates(&self, 10);
    nbp_shadow_line(self.shadow, &frame[0], 1, &self.memory);
    allocates(&self, 20);
    nbp_shadow_enter(self.shadow, &frame[1], 5, &self.memory);
    allocates(&self, 300);
    frees(&self, 200);
    nbp_shadow_leave(self.shadow, &frame[1], &self.memory);
    frees(&self, 5);
    nbp_shadow_leave(self.shadow, &frame[0], &self.memory);
    const nbp_line_memory *line = self.shadow->line_memory;
    CHECK_EQ(line[0].own.allocated_bytes, 10);
    CHECK_EQ(line[0].inclusive.allocated_bytes, 10);
    CHECK_EQ(line[0].peak_bytes, 10);
    CHECK_EQ(line[1].own.allocated_bytes, 20);
    CHECK_EQ(line[1].own.freed_bytes, 5);
    CHECK_EQ(line[1].own.freed_blocks, 1);
    CHECK_EQ(line[1].inclusive.allocated_bytes, 320);
    CHECK_EQ(line[1].inclusive.allocated_blocks, 2);
    CHECK_EQ(line[1].inclusive.freed_bytes, 205);
    CHECK_EQ(line[1].peak_bytes, 320);
    /* As the callee returned, 20 + 100 bytes were there: seen by the caller's line. */
    CHECK_EQ(line[1].own_peak_bytes, 120);
    CHECK_EQ(line[5].inclusive.allocated_bytes, 300);
    CHECK_EQ(line[5].peak_bytes, 300);
    nbp_lines_release(self.lines);
}

static void
test_what_is_resident_belongs_to_the_line_that_ends(void)
{
    program self = new_program();
    self.memory.resident_bytes = 500; /* before the first line */
    nbp_shadow_enter(self.shadow, &frame[0], 0, &self.memory);
    self.memory.resident_bytes = 900;
    nbp_shadow_line(self.shadow, &frame[0], 1, &self.memory);
    self.memory.resident_bytes = 700;
    nbp_shadow_line(self.shadow, &frame[0], 0, &self.memory);
    self.memory.resident_bytes = 800;
    nbp_shadow_leave(self.shadow, &frame[0], &self.memory);
    const nbp_line_memory *line = self.shadow->line_memory;
    CHECK_EQ(line[0].resident_bytes, 900); /* the most of its two executions */
    CHECK_EQ(line[1].resident_bytes, 700);
    nbp_lines_release(self.lines);
}

static void
test_what_is_resident_in_a_line_that_ends_as_it_begins(void)
{
    program self = new_program();
    nbp_shadow_enter(self.shadow, &frame[0], 0, &self.memory);
    self.memory.resident_bytes = 900;
    nbp_shadow_pause(self.shadow, &frame[0], 1, &self.memory);
    nbp_shadow_resume(self.shadow, &frame[0], 1, &self.memory);
    self.memory.resident_bytes = 700;
    nbp_shadow_last(self.shadow, &frame[0], 2, &self.memory);
    const nbp_line_memory *line = self.shadow->line_memory;
    CHECK_EQ(line[1].resident_bytes, 900);
    CHECK_EQ(line[2].resident_bytes, 700);
    nbp_lines_release(self.lines);
}

static void
test_frames_are_counted_where_they_begin(void)
{
    program self = new_program();
    nbp_shadow_enter(self.shadow, &frame[0], 0, &self.memory);
    nbp_shadow_line(self.shadow, &frame[0], 1, &self.memory);
    nbp_shadow_line(self.shadow, &frame[0], 0, &self.memory); /* a loop goes round */
    nbp_shadow_leave(self.shadow, &frame[0], &self.memory);
    CHECK_EQ(self.shadow->lines[0].hits, 2);
    CHECK_EQ(self.shadow->line_memory[0].entered, 1);
    CHECK_EQ(self.shadow->line_memory[1].entered, 0);
    nbp_lines_release(self.lines);
}

static void
test_the_peak_of_a_line_starts_where_the_line_does(void)
{
    program self = new_program();
    nbp_shadow_enter(self.shadow, &frame[0], 0, &self.memory);
    allocates(&self, 1000);
    frees(&self, 1000);
    for (int i = 0; i < 3; i++) {
        nbp_shadow_line(self.shadow, &frame[0], 1, &self.memory);
        allocates(&self, 10);
        nbp_shadow_line(self.shadow, &frame[0], 2, &self.memory);
        frees(&self, 10);
    }
    nbp_shadow_leave(self.shadow, &frame[0], &self.memory);
    CHECK_EQ(self.shadow->line_memory[0].peak_bytes, 1000);
    CHECK_EQ(self.shadow->line_memory[1].peak_bytes, 10);
    CHECK_EQ(self.shadow->line_memory[1].own.allocated_bytes, 30);
    CHECK_EQ(self.shadow->line_memory[2].peak_bytes, 0);
    CHECK_EQ(self.shadow->line_memory[2].own.freed_blocks, 3);
    nbp_lines_release(self.lines);
}

static void
test_recursion_counts_inclusive_memory_once(void)
{
    program self = new_program();
    for (int i = 0; i < 600; i++) { /* past the first 256 records */
        nbp_shadow_enter(self.shadow, (const void *)(uintptr_t)(i + 1), 0,
                         &self.memory);
        allocates(&self, 1);
    }
    for (int i = 600; i > 0; i--) {
        nbp_shadow_leave(self.shadow, (const void *)(uintptr_t)i, &self.memory);
    }
    CHECK_EQ(self.shadow->line_memory[0].own.allocated_bytes, 600);
    CHECK_EQ(self.shadow->line_memory[0].inclusive.allocated_bytes, 600);
    CHECK_EQ(self.shadow->line_memory[0].peak_bytes, 600);
    nbp_lines_release(self.lines);
}

static void
test_memory_of_suspended_and_switched_frames(void)
{
    program self = new_program();
    nbp_shadow_enter(self.shadow, &frame[0], 0, &self.memory);
    nbp_shadow_enter(self.shadow, &frame[1], 3, &self.memory);
    allocates(&self, 7);
    nbp_shadow_suspend(self.shadow, &frame[1], &self.memory);
    allocates(&self, 100); /* the caller's */
    nbp_shadow_resume(self.shadow, &frame[1], 3, &self.memory);
    allocates(&self, 8);
    nbp_shadow_line(self.shadow, &frame[0], 1, &self.memory); /* a greenlet switches */
    allocates(&self, 1000);
    nbp_shadow_leave(self.shadow, &frame[1], &self.memory);
    nbp_shadow_leave(self.shadow, &frame[0], &self.memory);
    CHECK_EQ(self.shadow->line_memory[3].own.allocated_bytes, 7 + 8);
    CHECK_EQ(self.shadow->line_memory[0].own.allocated_bytes, 100);
    CHECK_EQ(self.shadow->line_memory[1].own.allocated_bytes, 1000);
    nbp_lines_release(self.lines);
}

static void
test_memory_is_reset_closed_and_folded(void)
{
    program self = new_program();
    nbp_shadow_enter(self.shadow, &frame[0], 0, &self.memory);
    allocates(&self, 5);
    nbp_shadow_line(self.shadow, &frame[0], 1, &self.memory);
    nbp_lines_reset(self.lines, 0);
    allocates(&self, 6);
    nbp_shadow_line(self.shadow, &frame[0], 2, &self.memory);
    CHECK_EQ(self.shadow->line_memory[0].own.allocated_bytes, 0);
    CHECK_EQ(self.shadow->line_memory[1].inclusive.allocated_bytes, 6);
    nbp_lines_close(self.lines);
    CHECK_EQ(nbp_shadow_depth(self.shadow), 0);
    nbp_lines_fold(self.lines, NULL, 0);
    const nbp_shadow *rest = self.lines->shadows[self.lines->n_shadows - 1];
    CHECK_EQ(rest->id, 0);
    CHECK_EQ(rest->line_memory[1].inclusive.allocated_bytes, 6);
    CHECK_EQ(rest->line_memory[1].peak_bytes, 6);
    nbp_lines_release(self.lines);
}

int
main(void)
{
    test_memory_goes_to_the_line_on_top();
    test_what_is_resident_belongs_to_the_line_that_ends();
    test_what_is_resident_in_a_line_that_ends_as_it_begins();
    test_frames_are_counted_where_they_begin();
    test_the_peak_of_a_line_starts_where_the_line_does();
    test_recursion_counts_inclusive_memory_once();
    test_memory_of_suspended_and_switched_frames();
    test_memory_is_reset_closed_and_folded();
    return CHECK_RESULT();
}
