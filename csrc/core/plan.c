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
 * - Instructions without a line get no line probe, and do not end the line before.
 * - Two probes with nothing between them that is worth timing become one: a resumed
 *   frame that goes straight to a line is found out there, and a line that does nothing
 *   but return or yield ends the frame at once. */
#include <assert.h>

#include "rewrite_internal.h"

enum {
    WIDEST_SPAN = 1 << 24, /* lines of one code object: beyond lies a damaged table */
};

/* What planning one code object needs besides the rewrite itself. */
typedef struct {
    nbp_rewrite *rewrite;
    const nbp_statements *statements;
    int32_t *shared; /* owned; index of the probe of each kind and line, or -1 */
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

/* The probe of `kind` for a line: one for all places. */
static int32_t
shared_probe(planner *plan, nbp_probe_kind kind, int32_t line)
{
    int32_t *index = &plan->shared[(size_t)kind * (size_t)plan->span +
                                   (size_t)(line - plan->lowest)];
    if (*index < 0) {
        *index = add_probe(plan->rewrite, kind, line);
    }
    return *index;
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

/* ---- fewer probes ---- */

/* Whether what follows instruction `i`, itself included, comes to a line probe with
 * nothing but light instructions before it. */
static bool
goes_straight_to_line(const nbp_rewrite *self, size_t i)
{
    for (size_t steps = 0; steps < self->count && i < self->count; steps++) {
        const instruction *it = &self->instructions[i];
        if (it->on_line >= 0) {
            return true;
        }
        if (it->leaving >= 0 || !(it->traits & (NBP_OP_LIGHT | NBP_OP_ALWAYS))) {
            return false;
        }
        i = it->traits & NBP_OP_ALWAYS ? (size_t)it->target : i + 1;
    }
    return false;
}

/* The instruction that leaves the frame when all from `i` up to it are light and only
 * reached through `i`; NULL when there is none. */
static instruction *
leaves_at_once(nbp_rewrite *self, size_t i)
{
    for (size_t at = i; at < self->count; at++) {
        instruction *it = &self->instructions[at];
        if (at > i && (it->is_target || it->on_line >= 0 || it->after_resume >= 0)) {
            return NULL;
        }
        if (it->leaving >= 0) {
            return it;
        }
        if (!(it->traits & NBP_OP_LIGHT)) {
            return NULL;
        }
    }
    return NULL;
}

static void
merge_probes(planner *plan)
{
    nbp_rewrite *self = plan->rewrite;
    for (size_t i = self->first_resume + 1; i < self->count; i++) {
        instruction *it = &self->instructions[i];
        if (it->after_resume >= 0 && i - 1 != self->first_resume &&
            goes_straight_to_line(self, i)) {
            it->after_resume = -1;
        }
        instruction *leaving = it->on_line < 0 ? NULL : leaves_at_once(self, i);
        if (leaving != NULL) {
            bool returns = leaving->traits & NBP_OP_RETURNS;
            it->on_line = shared_probe(plan, returns ? NBP_PROBE_LAST : NBP_PROBE_PAUSE,
                                       self->probes[it->on_line].line);
            leaving->leaving = -1;
        }
    }
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
    size_t most = (size_t)NBP_PROBE_KINDS * (size_t)plan.span;
    nbp_status status = NBP_NO_MEMORY;
    self->probes = malloc((most + 3) * sizeof(*self->probes));
    plan.shared = malloc(most * sizeof(*plan.shared));
    if (self->probes != NULL && plan.shared != NULL) {
        memset(plan.shared, 0xff, most * sizeof(*plan.shared));
        status = plan_all(&plan);
    }
    if (status == NBP_OK) {
        merge_probes(&plan);
    }
    free(plan.shared);
    return status;
}
