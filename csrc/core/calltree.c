/* SPDX-License-Identifier: BSD-3-Clause */
#include "calltree.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    CHUNK = 32,        /* nodes that are allocated together */
    FIRST_DEPTH = 32,  /* calls the stack has room for at first */
    DEEPEST = 1 << 20, /* calls on the stack; beyond, they are dropped */
    FIRST_SLOTS = 64,  /* of the table of children; a power of two */
    STRANDS = 4096,    /* set aside at most; the oldest gives way */
    FLAT = 1 << 16,    /* flat nodes that a full tree may still make */
};

/* A call that runs. */
typedef struct {
    const void *activation;
    nbp_call_node *node; /* borrowed from the tree */
    int64_t start;
    int64_t callees; /* ticks of the calls it made since `start` */
} record;

/* Calls that another stack interrupted, outermost first. Their time is settled. */
typedef struct {
    record *records; /* owned */
    size_t count;
} strand;

struct nbp_calltree {
    record *stack; /* owned */
    size_t depth;
    size_t deepest;  /* records that `stack` has room for */
    uint64_t beyond; /* calls that run and were dropped, all above the stack's top */
    nbp_call_node *root;    /* borrowed from chunks */
    nbp_call_node *crowd;   /* borrowed from chunks; NULL while there is room */
    nbp_call_node **chunks; /* owned, of CHUNK nodes each, so that none ever moves */
    size_t chunk_count;
    size_t count;
    size_t flat;           /* nodes below the crowd */
    nbp_call_node **slots; /* owned: hash table of nodes by parent and key */
    size_t slot_count;     /* a power of two, at least twice count */
    strand *strands;       /* owned, the oldest first */
    size_t strand_count;
    size_t strand_room;
    int64_t paused;
    size_t *room; /* borrowed */
    nbp_calltree_loss loss;
};

/* ---- nodes ---- */

static size_t
slot_of(const nbp_calltree *self, const nbp_call_node *parent, const void *key)
{
    uint64_t mixed = (uint64_t)(uintptr_t)key * UINT64_C(0x9E3779B97F4A7C15);
    mixed = (mixed ^ (uint64_t)parent->index) * UINT64_C(0xD6E8FEB86659FD93);
    return (size_t)(mixed >> 32) & (self->slot_count - 1);
}

/* The place of the child, or the free one where it belongs. */
static nbp_call_node **
find_slot(const nbp_calltree *self, const nbp_call_node *parent, const void *key)
{
    size_t i = slot_of(self, parent, key);
    while (self->slots[i] != NULL) {
        const nbp_call_node *node = self->slots[i];
        if (node->parent == parent && node->key == key) {
            break;
        }
        i = (i + 1) & (self->slot_count - 1);
    }
    return &self->slots[i];
}

static bool
grow_slots(nbp_calltree *self)
{
    nbp_call_node **old = self->slots;
    size_t old_count = self->slot_count;
    size_t slot_count = old_count == 0 ? FIRST_SLOTS : 2 * old_count;
    nbp_call_node **slots = calloc(slot_count, sizeof(*slots));
    if (slots == NULL) {
        return false;
    }
    self->slots = slots;
    self->slot_count = slot_count;
    for (size_t i = 0; i < old_count; i++) {
        if (old[i] != NULL) {
            *find_slot(self, old[i]->parent, old[i]->key) = old[i];
        }
    }
    free(old);
    return true;
}

static bool
grow_chunks(nbp_calltree *self)
{
    /* One address a chunk: growing the list one by one costs nothing to speak of. */
    nbp_call_node **chunks =
        realloc(self->chunks, (self->chunk_count + 1) * sizeof(*chunks));
    if (chunks == NULL) {
        return false;
    }
    self->chunks = chunks;
    chunks[self->chunk_count] = malloc(CHUNK * sizeof(nbp_call_node));
    if (chunks[self->chunk_count] == NULL) {
        return false;
    }
    self->chunk_count++;
    return true;
}

/* A node that is in no table yet; NULL when memory is short. */
static nbp_call_node *
new_node(nbp_calltree *self, nbp_call_node *parent, const void *key, nbp_call_kind kind)
{
    if (self->count == self->chunk_count * CHUNK && !grow_chunks(self)) {
        return NULL;
    }
    nbp_call_node *node = &self->chunks[self->count / CHUNK][self->count % CHUNK];
    *node = (nbp_call_node){
        .parent = parent,
        .key = key,
        .kind = kind,
        .index = (uint32_t)self->count,
    };
    self->count++;
    return node;
}

/* Adds the child that find_slot() did not find; NULL when memory is short. */
static nbp_call_node *
add_child(nbp_calltree *self, nbp_call_node *parent, const void *key,
          nbp_call_kind kind)
{
    if (2 * (self->count + 1) > self->slot_count && !grow_slots(self)) {
        return NULL;
    }
    nbp_call_node *node = new_node(self, parent, key, kind);
    if (node != NULL) {
        *find_slot(self, parent, key) = node;
    }
    return node;
}

/* The flat node of a function for which the full tree has no place: its counts and own
 * time stay exact, only the path to it is lost. */
static nbp_call_node *
crowded_node(nbp_calltree *self, const void *key, nbp_call_kind kind, bool *is_new)
{
    if (self->crowd == NULL) {
        self->crowd = add_child(self, self->root, NULL, NBP_CALL_PYTHON);
        if (self->crowd == NULL) {
            return NULL;
        }
    }
    nbp_call_node *node = *find_slot(self, self->crowd, key);
    if (node == NULL) {
        if (self->flat == FLAT) {
            return NULL;
        }
        node = add_child(self, self->crowd, key, kind);
        if (node == NULL) {
            return NULL;
        }
        self->flat++;
        *is_new = true;
    }
    self->loss.crowded++;
    return node;
}

static nbp_call_node *
child_of(nbp_calltree *self, nbp_call_node *parent, const void *key, nbp_call_kind kind,
         bool *is_new)
{
    nbp_call_node *node = *find_slot(self, parent, key);
    if (node == NULL) {
        if (*self->room == 0) {
            return crowded_node(self, key, kind, is_new);
        }
        node = add_child(self, parent, key, kind);
        if (node == NULL) {
            return NULL;
        }
        (*self->room)--;
        *is_new = true;
    }
    parent->recent = node;
    return node;
}

/* ---- life ---- */

nbp_calltree *
nbp_calltree_new(size_t *room)
{
    nbp_calltree *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return NULL;
    }
    self->room = room;
    self->stack = malloc(FIRST_DEPTH * sizeof(record));
    self->deepest = FIRST_DEPTH;
    if (self->stack == NULL || !grow_slots(self)) {
        nbp_calltree_destroy(&self);
        return NULL;
    }
    self->root = new_node(self, NULL, NULL, NBP_CALL_PYTHON);
    if (self->root == NULL) {
        nbp_calltree_destroy(&self);
    }
    return self;
}

static void
forget_strands(nbp_calltree *self)
{
    for (size_t i = 0; i < self->strand_count; i++) {
        free(self->strands[i].records);
    }
    self->strand_count = 0;
}

void
nbp_calltree_destroy(nbp_calltree **self_p)
{
    nbp_calltree *self = *self_p;
    if (self == NULL) {
        return;
    }
    for (size_t i = 0; i < self->chunk_count; i++) {
        free(self->chunks[i]);
    }
    forget_strands(self);
    free(self->chunks);
    free(self->strands);
    free(self->slots);
    free(self->stack);
    free(self);
    *self_p = NULL;
}

/* ---- the stack ---- */

static bool
grow_stack(nbp_calltree *self, size_t needed)
{
    size_t deepest = self->deepest;
    while (deepest < needed) {
        deepest *= 2;
    }
    if (deepest > DEEPEST) {
        return false;
    }
    record *stack = realloc(self->stack, deepest * sizeof(*stack));
    if (stack == NULL) {
        return false;
    }
    self->stack = stack;
    self->deepest = deepest;
    return true;
}

static int
drop_call(nbp_calltree *self)
{
    self->beyond++;
    self->loss.dropped++;
    return -1;
}

int
nbp_calltree_enter(nbp_calltree *self, const void *activation, const void *key,
                   nbp_call_kind kind, nbp_enter_how how, int64_t now)
{
    if (self->beyond > 0 ||
        (self->depth == self->deepest && !grow_stack(self, self->depth + 1))) {
        return drop_call(self);
    }
    nbp_call_node *parent =
        self->depth > 0 ? self->stack[self->depth - 1].node : self->root;
    nbp_call_node *node = parent->recent;
    bool is_new = false;
    if (node == NULL || node->key != key) {
        node = child_of(self, parent, key, kind, &is_new);
        if (node == NULL) {
            return drop_call(self);
        }
    }
    if (how == NBP_ENTER_START) {
        node->calls++;
    }
    else {
        node->resumes++;
    }
    self->stack[self->depth++] = (record){
        .activation = activation,
        .node = node,
        .start = now - self->paused,
    };
    return is_new;
}

/* Books the time of the call on top since its start, and credits its caller. */
static void
settle(nbp_calltree *self, size_t top, int64_t now)
{
    record *ended = &self->stack[top];
    int64_t elapsed = now - self->paused - ended->start;
    ended->node->inclusive += elapsed;
    ended->node->self += elapsed - ended->callees;
    if (top > 0) {
        self->stack[top - 1].callees += elapsed;
    }
}

static bool
make_strand_room(nbp_calltree *self)
{
    if (self->strand_count < self->strand_room) {
        return true;
    }
    if (self->strand_room == STRANDS) {
        free(self->strands[0].records);
        self->strand_count--;
        memmove(self->strands, self->strands + 1,
                self->strand_count * sizeof(*self->strands));
        return true;
    }
    size_t room = self->strand_room == 0 ? 8 : 2 * self->strand_room;
    strand *strands = realloc(self->strands, room * sizeof(*strands));
    if (strands == NULL) {
        return false;
    }
    self->strands = strands;
    self->strand_room = room;
    return true;
}

/* Sets aside the calls from `bottom` up. Without memory they are forgotten instead:
 * their time is booked either way, and their ends will be unmatched. */
static void
set_aside(nbp_calltree *self, size_t bottom, int64_t now)
{
    for (size_t top = self->depth; top-- > bottom;) {
        settle(self, top, now);
    }
    size_t count = self->depth - bottom;
    self->depth = bottom;
    self->loss.switched++;
    record *records = malloc(count * sizeof(*records));
    if (records == NULL || !make_strand_room(self)) {
        free(records);
        return;
    }
    memcpy(records, self->stack + bottom, count * sizeof(*records));
    self->strands[self->strand_count++] = (strand){.records = records, .count = count};
}

/* Puts a strand back on top of the stack, as from `now`. */
static bool
go_on(nbp_calltree *self, size_t index, int64_t now)
{
    strand back = self->strands[index];
    if (self->depth + back.count > self->deepest &&
        !grow_stack(self, self->depth + back.count)) {
        return false;
    }
    for (size_t i = 0; i < back.count; i++) {
        back.records[i].start = now - self->paused;
        back.records[i].callees = 0;
        self->stack[self->depth++] = back.records[i];
    }
    free(back.records);
    self->strand_count--;
    memmove(self->strands + index, self->strands + index + 1,
            (self->strand_count - index) * sizeof(*self->strands));
    self->loss.switched++;
    return true;
}

/* Finds the strand with this activation, the youngest first; strand_count if none. */
static size_t
find_strand(const nbp_calltree *self, const void *activation)
{
    for (size_t i = self->strand_count; i-- > 0;) {
        for (size_t j = self->strands[i].count; j-- > 0;) {
            if (self->strands[i].records[j].activation == activation) {
                return i;
            }
        }
    }
    return self->strand_count;
}

/* Makes the call with this activation the top of the stack; false if it is unknown. */
static bool
bring_to_top(nbp_calltree *self, const void *activation, int64_t now)
{
    for (int attempt = 0; attempt < 2; attempt++) {
        for (size_t i = self->depth; i-- > 0;) {
            if (self->stack[i].activation == activation) {
                if (i + 1 < self->depth) {
                    set_aside(self, i + 1, now);
                }
                return true;
            }
        }
        size_t index = find_strand(self, activation);
        if (index == self->strand_count || !go_on(self, index, now)) {
            return false;
        }
    }
    return false;
}

void
nbp_calltree_leave(nbp_calltree *self, const void *activation, int64_t now)
{
    if (self->depth == 0 || self->stack[self->depth - 1].activation != activation ||
        self->beyond > 0) {
        if (self->beyond > 0) {
            self->beyond--;
            return;
        }
        if (!bring_to_top(self, activation, now)) {
            self->loss.unmatched++;
            return;
        }
    }
    settle(self, self->depth - 1, now);
    self->depth--;
}

void
nbp_calltree_other(nbp_calltree *self)
{
    if (self->depth > 0) {
        self->stack[self->depth - 1].node->others++;
    }
}

void
nbp_calltree_pause(nbp_calltree *self, int64_t ticks)
{
    self->paused += ticks;
}

void
nbp_calltree_finish(nbp_calltree *self, int64_t now)
{
    while (self->depth > 0) {
        settle(self, self->depth - 1, now);
        self->depth--;
    }
    self->beyond = 0;
    forget_strands(self);
}

/* ---- reading ---- */

size_t
nbp_calltree_count(const nbp_calltree *self)
{
    return self->count;
}

const nbp_call_node *
nbp_calltree_at(const nbp_calltree *self, size_t index)
{
    assert(index < self->count);
    return &self->chunks[index / CHUNK][index % CHUNK];
}

const nbp_call_node *
nbp_calltree_crowd(const nbp_calltree *self)
{
    return self->crowd;
}

size_t
nbp_calltree_depth(const nbp_calltree *self)
{
    return self->depth;
}

nbp_calltree_loss
nbp_calltree_losses(const nbp_calltree *self)
{
    return self->loss;
}

void
nbp_calltree_correct(const nbp_calltree *self, const nbp_call_costs *costs,
                     double *inclusive, double *self_time)
{
    for (size_t i = 0; i < self->count; i++) {
        const nbp_call_node *node = nbp_calltree_at(self, i);
        double calls = (double)node->calls, resumes = (double)node->resumes;
        const nbp_call_cost *cost = &costs->call[node->kind];
        self_time[i] = (double)node->self - calls * cost->inner -
                       resumes * costs->resume.inner -
                       (double)node->others * costs->other;
        if (node->parent != NULL) {
            /* A parent's index is lower, so its own time is there already. */
            self_time[node->parent->index] -=
                calls * cost->outer + resumes * costs->resume.outer;
        }
    }
    for (size_t i = 0; i < self->count; i++) {
        self_time[i] = self_time[i] > 0 ? self_time[i] : 0;
        inclusive[i] = self_time[i];
    }
    for (size_t i = self->count; i-- > 1;) {
        inclusive[nbp_calltree_at(self, i)->parent->index] += inclusive[i];
    }
}
