/* SPDX-License-Identifier: BSD-3-Clause */
#include "sampletree.h"

#include <stdlib.h>

enum {
    MOST_NODES = 1 << 20,
    MOST_THREADS = 1 << 16, /* that were ever met */
};

/* A pointer that stands for a number; the map ignores the lowest bits. */
static const void *
key_of(uint64_t number)
{
    return (const void *)(uintptr_t)((number + 1) << 4);
}

static bool
make_room(void **array, size_t count, size_t *room, size_t size)
{
    if (count < *room) {
        return true;
    }
    size_t more = *room == 0 ? 256 : 2 * *room;
    void *larger = realloc(*array, more * size);
    if (larger == NULL) {
        return false;
    }
    *array = larger;
    *room = more;
    return true;
}

static uint32_t
add_node(nbp_sampletree *self, uint32_t parent, uint32_t function, uint32_t thread)
{
    if (self->n_nodes == MOST_NODES ||
        !make_room((void **)&self->nodes, self->n_nodes, &self->nodes_room,
                   sizeof(*self->nodes))) {
        return NBP_NO_FUNCTION;
    }
    self->nodes[self->n_nodes] = (nbp_sample_node){parent, function, thread, 0};
    return (uint32_t)self->n_nodes++;
}

/* The node of a function below another; NBP_NO_FUNCTION when there is no room. */
static uint32_t
child_of(nbp_sampletree *self, uint32_t parent, uint32_t function)
{
    /* Both are below 2^21, or function is the sentinel. */
    uint64_t number = ((uint64_t)parent << 24) + ((function + 1) & 0xffffff);
    const nbp_pointer_entry *entry = nbp_pointermap_get(&self->by_path, key_of(number));
    if (entry != NULL) {
        return entry->number;
    }
    uint32_t thread = self->nodes[parent].thread;
    uint32_t added = add_node(self, parent, function, thread);
    if (added != NBP_NO_FUNCTION &&
        !nbp_pointermap_put(&self->by_path, key_of(number), 0, added)) {
        self->n_nodes--;
        return NBP_NO_FUNCTION;
    }
    return added;
}

uint32_t
nbp_sampletree_thread(nbp_sampletree *self, const nbp_thread_view *view, int64_t now)
{
    const nbp_pointer_entry *entry = nbp_pointermap_get(&self->by_id, key_of(view->id));
    if (entry != NULL) {
        nbp_sampled_thread *known = &self->threads[entry->number];
        if (view->ident != 0) {
            known->ident =
                view->ident; /* before it runs, it is none or the starter's */
        }
        return entry->number;
    }
    uint32_t place = (uint32_t)self->n_threads;
    if (place == MOST_THREADS ||
        !make_room((void **)&self->threads, place, &self->threads_room,
                   sizeof(*self->threads))) {
        return NBP_NO_FUNCTION;
    }
    uint32_t root = add_node(self, NBP_NO_FUNCTION, NBP_NO_FUNCTION, place);
    if (root == NBP_NO_FUNCTION) {
        return NBP_NO_FUNCTION;
    }
    if (!nbp_pointermap_put(&self->by_id, key_of(view->id), 0, place)) {
        self->n_nodes--;
        return NBP_NO_FUNCTION;
    }
    self->threads[place] = (nbp_sampled_thread){
        .ident = view->ident,
        .first_ns = now,
        .last_ns = now,
        .root = root,
        .cpu_first = -1,
        .cpu_last = -1,
        .last_node = NBP_NO_FUNCTION,
    };
    self->n_threads++;
    return place;
}

/* Where the place is counted; NBP_NO_FUNCTION when there is no room. */
static uint32_t
number_of_place(nbp_sampletree *self, const nbp_codebook *book, uint32_t function,
                int32_t unit)
{
    uint64_t number = ((uint64_t)function << 32) + (uint32_t)(unit + 1);
    const nbp_pointer_entry *entry = nbp_pointermap_get(&self->by_unit, key_of(number));
    if (entry != NULL) {
        return entry->number;
    }
    if (!make_room((void **)&self->places, self->n_places, &self->places_room,
                   sizeof(*self->places)) ||
        !nbp_pointermap_put(&self->by_unit, key_of(number), 0,
                            (uint32_t)self->n_places)) {
        return NBP_NO_FUNCTION;
    }
    int32_t line = nbp_function_line(nbp_codebook_at(book, function), unit);
    self->places[self->n_places] = (nbp_sampled_place){function, unit, line, 0};
    return (uint32_t)self->n_places++;
}

/* Makes the thread's latest span longer, or begins a new one. */
static void
extend_span(nbp_sampletree *self, uint32_t place, uint32_t function, int32_t line,
            int64_t now)
{
    nbp_sampled_thread *known = &self->threads[place];
    if (known->span != 0 && known->span + NBP_SPANS > self->n_spans) {
        nbp_span *latest = &self->spans[known->span % NBP_SPANS];
        if (latest->function == function && latest->line == line) {
            latest->samples++;
            latest->last_ns = now;
            return;
        }
    }
    known->span = ++self->n_spans;
    self->spans[known->span % NBP_SPANS] = (nbp_span){
        .thread = place,
        .function = function,
        .line = line,
        .samples = 1,
        .first_ns = now,
        .last_ns = now,
        .number = known->span,
    };
}

void
nbp_sampletree_add(nbp_sampletree *self, uint32_t place, const nbp_codebook *book,
                   const uint32_t *functions, size_t depth, bool cut, int32_t unit,
                   int64_t now)
{
    nbp_sampled_thread *thread = &self->threads[place];
    uint32_t node = thread->root;
    bool crowded = false;
    if (cut) {
        uint32_t child = child_of(self, node, NBP_NO_FUNCTION);
        crowded = child == NBP_NO_FUNCTION;
        node = crowded ? node : child;
    }
    for (size_t i = depth; i-- > 0 && !crowded;) {
        uint32_t child = child_of(self, node, functions[i]);
        crowded = child == NBP_NO_FUNCTION;
        node = crowded ? node : child;
    }
    thread->crowded += crowded;
    thread->last_node = node;
    thread->last_place = number_of_place(self, book, functions[0], unit);
    nbp_sampletree_repeat(self, place, now);
}

void
nbp_sampletree_repeat(nbp_sampletree *self, uint32_t place, int64_t now)
{
    nbp_sampled_thread *thread = &self->threads[place];
    if (thread->last_node == NBP_NO_FUNCTION) {
        return;
    }
    thread->samples++;
    self->nodes[thread->last_node].samples++;
    if (thread->last_place != NBP_NO_FUNCTION) {
        nbp_sampled_place *found = &self->places[thread->last_place];
        found->samples++;
        extend_span(self, place, found->function, found->line, now);
    }
}

size_t
nbp_sampletree_spans(const nbp_sampletree *self, uint64_t after, nbp_span *out,
                     size_t room)
{
    uint64_t oldest = self->n_spans >= NBP_SPANS ? self->n_spans - NBP_SPANS + 1 : 1;
    size_t count = 0;
    for (uint64_t number = oldest; number <= self->n_spans && count < room; number++) {
        const nbp_span *span = &self->spans[number % NBP_SPANS];
        if (number > after || self->threads[span->thread].span == number) {
            out[count++] = *span;
        }
    }
    return count;
}

void
nbp_sampletree_clear(nbp_sampletree *self)
{
    nbp_pointermap_clear(&self->by_path);
    nbp_pointermap_clear(&self->by_id);
    nbp_pointermap_clear(&self->by_unit);
    free(self->nodes);
    free(self->threads);
    free(self->places);
    *self = (nbp_sampletree){0};
}
