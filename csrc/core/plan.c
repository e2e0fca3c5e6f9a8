/* SPDX-License-Identifier: BSD-3-Clause */
/* Where the probes of a code object go. The rules, and why each of them stands:
 *
 * - Nothing before the first RESUME: the frame is not complete before it.
 * - Nothing before END_FOR (nor the POP_TOP that 3.13 skips with it), which FOR_ITER
 *   jumps past by counting units; nor before END_SEND, CLEANUP_THROW, END_ASYNC_FOR and
 *   RESUME, where the compiler never starts a line and gen.throw() looks at neighbours;
 *   nor between PRECALL and its CALL.
 * - A line probe wherever the statement changes from one instruction to the next, and
 * at every target of a jump or a handler, as control may come from any line there.
 * - No line probe on a SEND that is jumped to: its only predecessor is its own loop.
 * - Instructions without a line get no line probe, and do not end the line before. */
#include <assert.h>

#include "rewrite_internal.h"

enum {
    WIDEST_SPAN = 1 << 24, /* lines of one code object: beyond lies a damaged table */
};

/* What planning one code object needs besides the rewrite itself. */
typedef struct {
    nbp_rewrite *rewrite;
    const nbp_statements *statements;
    int32_t *probe_on_line[2]; /* owned; LINE and RESUME probes by line - lowest */
    int32_t lowest;
    int32_t span;
} planner;

static int32_t
statement_of(const nbp_statements *statements, int32_t line)
{
    int64_t at = statements == NULL ? -1 : (int64_t)line - statements->from;
    return at >= 0 && at < statements->count ? statements->first[at] : line;
}

static int32_t
add_probe(nbp_rewrite *self, nbp_probe_kind kind, int32_t line)
{
    self->probes[self->n_probes] = (nbp_probe){.kind = kind, .line = line};
    return (int32_t)self->n_probes++;
}

/* The LINE or RESUME probe of a line: one for all places. */
static int32_t
shared_probe(planner *plan, nbp_probe_kind kind, int32_t line)
{
    int32_t *slot = &plan->probe_on_line[kind == NBP_PROBE_RESUME][line - plan->lowest];
    if (*slot < 0) {
        *slot = add_probe(plan->rewrite, kind, line);
    }
    return *slot;
}

static bool
has_line_numbers(const nbp_rewrite *self, const nbp_statements *statements,
                 int32_t *lowest, int32_t *highest)
{
    *lowest = INT32_MAX;
    *highest = -1;
    for (size_t i = 0; i < self->count; i++) {
        int32_t line = self->instructions[i].line;
        if (line >= 0) {
            line = statement_of(statements, line);
            *lowest = line < *lowest ? line : *lowest;
            *highest = line > *highest ? line : *highest;
        }
    }
    return *highest >= 0 && *lowest >= 0 && *highest - *lowest < WIDEST_SPAN;
}

/* Whether a probe may stand in front of instruction `i`. */
static bool
is_allowed(const nbp_rewrite *self, size_t i)
{
    const instruction *it = &self->instructions[i];
    uint16_t before = self->instructions[i - 1].traits;
    if (it->traits & NBP_OP_BARRED || before & NBP_OP_PAIRED) {
        return false;
    }
    if (self->opcodes->pop_after_end_for && before & NBP_OP_ENDS_FOR &&
        it->traits & NBP_OP_POPS) {
        return false;
    }
    return !(it->traits & NBP_OP_SENDS && it->is_target);
}

/* Plans instruction `i`, `*line` being the statement of the instruction before it. */
static void
plan_line(planner *plan, size_t i, int32_t *line, bool *look_again)
{
    nbp_rewrite *self = plan->rewrite;
    instruction *it = &self->instructions[i];
    bool own_loop = it->traits & NBP_OP_SENDS;
    if (it->traits & NBP_OP_ENDS_FOR || (it->is_target && !own_loop)) {
        *look_again = true;
    }
    if (it->line < 0 || !is_allowed(self, i)) {
        return;
    }
    int32_t statement = statement_of(plan->statements, it->line);
    if (statement != *line || *look_again) {
        it->on_line = shared_probe(plan, NBP_PROBE_LINE, statement);
    }
    *line = statement;
    *look_again = false;
}

/* What follows a RESUME: the first one opens the frame, the others reopen it. */
static nbp_status
plan_resumed(planner *plan, size_t i, int32_t *line)
{
    nbp_rewrite *self = plan->rewrite;
    instruction *it = &self->instructions[i];
    const instruction *resume = &self->instructions[i - 1];
    if (i - 1 == self->first_resume) {
        if (it->line >= 0 && is_allowed(self, i)) {
            *line = statement_of(plan->statements, it->line);
            it->after_resume = add_probe(self, NBP_PROBE_ENTER, *line);
        }
        return NBP_OK;
    }
    if (resume->line < 0) {
        return NBP_OK;
    }
    if (it->traits & NBP_OP_BARRED) {
        return NBP_INVALID;
    }
    *line = statement_of(plan->statements, resume->line);
    it->after_resume = shared_probe(plan, NBP_PROBE_RESUME, *line);
    return NBP_OK;
}

static nbp_status
plan_all(planner *plan)
{
    nbp_rewrite *self = plan->rewrite;
    self->leave_probe = add_probe(self, NBP_PROBE_LEAVE, -1);
    int32_t suspend_probe = -1;
    int32_t line = -1;
    bool look_again = false;
    for (size_t i = self->first_resume + 1; i < self->count; i++) {
        instruction *it = &self->instructions[i];
        if (self->instructions[i - 1].traits & NBP_OP_RESUMES) {
            nbp_status status = plan_resumed(plan, i, &line);
            if (status != NBP_OK) {
                return status;
            }
        }
        plan_line(plan, i, &line, &look_again);
        if (it->traits & NBP_OP_RETURNS) {
            it->leaving = self->leave_probe;
        }
        else if (it->traits & NBP_OP_YIELDS) {
            if (suspend_probe < 0) {
                suspend_probe = add_probe(self, NBP_PROBE_SUSPEND, -1);
            }
            it->leaving = suspend_probe;
        }
    }
    return NBP_OK;
}

nbp_status
nbp_rewrite_plan(nbp_rewrite *self, const nbp_statements *statements)
{
    assert(self->probes == NULL);
    size_t first = 0;
    while (first < self->count &&
           !(self->instructions[first].traits & NBP_OP_RESUMES)) {
        first++;
    }
    int32_t lowest, highest;
    if (first == self->count ||
        !has_line_numbers(self, statements, &lowest, &highest)) {
        return NBP_INVALID;
    }
    self->first_resume = (uint32_t)first;
    planner plan = {
        .rewrite = self,
        .statements = statements,
        .lowest = lowest,
        .span = highest - lowest + 1,
    };
    size_t bytes = (size_t)plan.span * sizeof(int32_t);
    nbp_status status = NBP_NO_MEMORY;
    /* ENTER, LEAVE and SUSPEND, and at most one LINE and one RESUME for each line. */
    self->probes = malloc((3 + 2 * (size_t)plan.span) * sizeof(*self->probes));
    plan.probe_on_line[0] = malloc(bytes);
    plan.probe_on_line[1] = malloc(bytes);
    if (self->probes != NULL && plan.probe_on_line[0] != NULL &&
        plan.probe_on_line[1] != NULL) {
        memset(plan.probe_on_line[0], 0xff, bytes);
        memset(plan.probe_on_line[1], 0xff, bytes);
        status = plan_all(&plan);
    }
    free(plan.probe_on_line[0]);
    free(plan.probe_on_line[1]);
    return status;
}
