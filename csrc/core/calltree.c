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

/* Calls that another stack interrupted, outermost first. Their time is booked. */
typedef struct {
    nbp_call_record *records; /* owned */
    size_t count;
} strand;

typedef struct {
    nbp_calltree hot;       /* first, so that it is the tree */
    nbp_call_record *stack; /* owned; the root's record is the lowest */
    size_t deepest;         /* records that `stack` has room for, without the root's */
    /* Stands for "no child yet" and "no follower yet", which saves the test for NULL:
     * its key is nobody's. */
    nbp_call_node nobody;
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
    size_t *room; /* borrowed */
    nbp_calltree_loss loss;
} tree;

static inline tree *
whole(const nbp_calltree *self)
{
    return (tree *)self;
}

static inline size_t
depth_of(const tree *self)
{
    return (size_t)(self->hot.top - self->stack);
}

/* After a change of the stack's place or size, or of `beyond`. */
static void
set_limit(tree *self)
{
    self->hot.limit = self->hot.beyond > 0 ? self->stack : self->stack + self->deepest;
}

/* ---- nodes ---- */

static size_t
slot_of(const tree *self, const nbp_call_node *parent, const void *key)
{
    uint64_t mixed = (uint64_t)(uintptr_t)key * UINT64_C(0x9E3779B97F4A7C15);
    mixed = (mixed ^ (uint64_t)parent->index) * UINT64_C(0xD6E8FEB86659FD93);
    return (size_t)(mixed >> 32) & (self->slot_count - 1);
}

/* The place of the child, or the free one where it belongs. */
static nbp_call_node **
find_slot(const tree *self, const nbp_call_node *parent, const void *key)
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
grow_slots(tree *self)
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
grow_chunks(tree *self)
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
new_node(tree *self, nbp_call_node *parent, const void *key, nbp_call_kind kind)
{
    if (self->count == self->chunk_count * CHUNK && !grow_chunks(self)) {
        return NULL;
    }
    nbp_call_node *node = &self->chunks[self->count / CHUNK][self->count % CHUNK];
    *node = (nbp_call_node){
        .parent = parent,
        .key = key,
        .kind = kind,
        .recent = &self->nobody,
        .follower = &self->nobody,
        .index = (uint32_t)self->count,
    };
    self->count++;
    return node;
}

/* Adds the child that find_slot() did not find; NULL when memory is short. */
static nbp_call_node *
add_child(tree *self, nbp_call_node *parent, const void *key, nbp_call_kind kind)
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
crowded_node(tree *self, const void *key, nbp_call_kind kind, bool *is_new)
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

/* A loop calls the same functions in the same order, so that the child which came after
 * the recent one before is tried first. */
static nbp_call_node *
child_of(tree *self, nbp_call_node *parent, const void *key, nbp_call_kind kind,
         bool *is_new)
{
    nbp_call_node *recent = parent->recent;
    if (recent->key == key) {
        return recent;
    }
    if (recent->follower->key == key) {
        parent->recent = recent->follower;
        return parent->recent;
    }
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
    if (recent != &self->nobody) {
        recent->follower = node;
    }
    parent->recent = node;
    return node;
}

/* ---- life ---- */

nbp_calltree *
nbp_calltree_new(size_t *room)
{
    tree *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return NULL;
    }
    nbp_calltree *made = &self->hot;
    self->room = room;
    self->nobody.follower = &self->nobody;
    self->stack = malloc((FIRST_DEPTH + 1) * sizeof(*self->stack));
    self->deepest = FIRST_DEPTH;
    if (self->stack == NULL || !grow_slots(self)) {
        nbp_calltree_destroy(&made);
        return NULL;
    }
    self->root = new_node(self, NULL, NULL, NBP_CALL_PYTHON);
    if (self->root == NULL) {
        nbp_calltree_destroy(&made);
        return NULL;
    }
    self->stack[0] = (nbp_call_record){.activation = NULL, .node = self->root};
    self->hot.top = self->stack;
    set_limit(self);
    return made;
}

static void
forget_strands(tree *self)
{
    for (size_t i = 0; i < self->strand_count; i++) {
        free(self->strands[i].records);
    }
    self->strand_count = 0;
}

void
nbp_calltree_destroy(nbp_calltree **self_p)
{
    if (*self_p == NULL) {
        return;
    }
    tree *self = whole(*self_p);
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

/* Room for `more` calls above the `depth` that there are. */
static bool
grow_stack(tree *self, size_t depth, size_t more)
{
    size_t deepest = self->deepest;
    while (deepest < depth + more) {
        deepest *= 2;
    }
    if (deepest > DEEPEST) {
        return false;
    }
    nbp_call_record *stack = realloc(self->stack, (deepest + 1) * sizeof(*stack));
    if (stack == NULL) {
        return false;
    }
    self->stack = stack;
    self->deepest = deepest;
    self->hot.top = stack + depth;
    set_limit(self);
    return true;
}

static int
drop_call(tree *self)
{
    self->hot.beyond++;
    self->loss.dropped++;
    set_limit(self);
    return -1;
}

int
nbp_calltree_enter_anew(nbp_calltree *hot, const void *activation, const void *key,
                        nbp_call_kind kind, nbp_enter_how how, int64_t now)
{
    tree *self = whole(hot);
    nbp_calltree_book(hot, now);
    size_t depth = depth_of(self);
    if (hot->beyond > 0 || (depth == self->deepest && !grow_stack(self, depth, 1))) {
        return drop_call(self);
    }
    bool is_new = false;
    nbp_call_node *node = child_of(self, hot->top->node, key, kind, &is_new);
    if (node == NULL) {
        return drop_call(self);
    }
    if (how == NBP_ENTER_START) {
        node->calls++;
    }
    else {
        node->resumes++;
    }
    *++hot->top = (nbp_call_record){.activation = activation, .node = node};
    return is_new;
}

static bool
make_strand_room(tree *self)
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

/* Sets aside the calls above the first `left` ones. Without memory they are forgotten
 * instead: their time is booked either way, and their ends will be unmatched. */
static void
set_aside(tree *self, size_t left)
{
    size_t count = depth_of(self) - left;
    self->hot.top = self->stack + left;
    self->loss.switched++;
    nbp_call_record *records = malloc(count * sizeof(*records));
    if (records == NULL || !make_strand_room(self)) {
        free(records);
        return;
    }
    memcpy(records, self->hot.top + 1, count * sizeof(*records));
    self->strands[self->strand_count++] = (strand){.records = records, .count = count};
}

/* Puts a strand back on top of the stack. */
static bool
go_on(tree *self, size_t index)
{
    strand back = self->strands[index];
    size_t depth = depth_of(self);
    if (depth + back.count > self->deepest && !grow_stack(self, depth, back.count)) {
        return false;
    }
    memcpy(self->hot.top + 1, back.records, back.count * sizeof(*back.records));
    self->hot.top += back.count;
    free(back.records);
    self->strand_count--;
    memmove(self->strands + index, self->strands + index + 1,
            (self->strand_count - index) * sizeof(*self->strands));
    self->loss.switched++;
    return true;
}

/* Finds the strand with this activation, the youngest first; strand_count if none. */
static size_t
find_strand(const tree *self, const void *activation)
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
bring_to_top(tree *self, const void *activation)
{
    for (int attempt = 0; attempt < 2; attempt++) {
        size_t depth = depth_of(self);
        for (size_t i = depth; i > 0; i--) {
            if (self->stack[i].activation == activation) {
                if (i < depth) {
                    set_aside(self, i);
                }
                return true;
            }
        }
        size_t index = find_strand(self, activation);
        if (index == self->strand_count || !go_on(self, index)) {
            return false;
        }
    }
    return false;
}

void
nbp_calltree_leave_out_of_turn(nbp_calltree *hot, const void *activation, int64_t now)
{
    tree *self = whole(hot);
    nbp_calltree_book(hot, now);
    if (hot->beyond > 0) {
        hot->beyond--;
        set_limit(self);
    }
    else if (bring_to_top(self, activation)) {
        hot->top--;
    }
    else {
        self->loss.unmatched++;
    }
}

void
nbp_calltree_finish(nbp_calltree *hot, int64_t now)
{
    tree *self = whole(hot);
    nbp_calltree_book(hot, now);
    hot->top = self->stack;
    hot->beyond = 0;
    set_limit(self);
    forget_strands(self);
}

/* ---- reading ---- */

static nbp_call_node *
node_at(const tree *self, size_t index)
{
    assert(index < self->count);
    return &self->chunks[index / CHUNK][index % CHUNK];
}

void
nbp_calltree_sum(nbp_calltree *hot)
{
    tree *self = whole(hot);
    self->root->self = 0;
    self->root->metered[0] = self->root->metered[1] = 0;
    for (size_t i = 0; i < self->count; i++) {
        node_at(self, i)->inclusive = node_at(self, i)->self;
    }
    for (size_t i = self->count; i-- > 1;) {
        const nbp_call_node *node = node_at(self, i);
        node->parent->inclusive += node->inclusive;
    }
}

size_t
nbp_calltree_count(const nbp_calltree *self)
{
    return whole(self)->count;
}

const nbp_call_node *
nbp_calltree_at(const nbp_calltree *self, size_t index)
{
    return node_at(whole(self), index);
}

const nbp_call_node *
nbp_calltree_crowd(const nbp_calltree *self)
{
    return whole(self)->crowd;
}

size_t
nbp_calltree_depth(const nbp_calltree *self)
{
    return depth_of(whole(self));
}

nbp_calltree_loss
nbp_calltree_losses(const nbp_calltree *self)
{
    return whole(self)->loss;
}

void
nbp_calltree_correct(const nbp_calltree *hot, const nbp_call_costs *costs,
                     double *inclusive, double *self_time)
{
    const tree *self = whole(hot);
    for (size_t i = 0; i < self->count; i++) {
        const nbp_call_node *node = node_at(self, i);
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
    self_time[0] = 0;
    for (size_t i = 0; i < self->count; i++) {
        self_time[i] = self_time[i] > 0 ? self_time[i] : 0;
        inclusive[i] = self_time[i];
    }
    for (size_t i = self->count; i-- > 1;) {
        inclusive[node_at(self, i)->parent->index] += inclusive[i];
    }
}
