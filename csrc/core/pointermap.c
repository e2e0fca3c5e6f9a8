/* SPDX-License-Identifier: BSD-3-Clause */
#include "pointermap.h"

#include <stdlib.h>

enum {
    SMALLEST = 64,
    LARGEST = 1 << 22, /* 100 MB: beyond it new keys are refused */
};

/* Where `key` is, or the free place where it would go. The map has a free place. */
static size_t
find(const nbp_pointermap *self, const void *key)
{
    size_t at = nbp_pointermap_home(self, key);
    while (self->entries[at].key != NULL && self->entries[at].key != key) {
        at = (at + 1) & (self->capacity - 1);
    }
    return at;
}

static bool
grow(nbp_pointermap *self)
{
    nbp_pointermap larger = {
        .capacity = self->capacity == 0 ? SMALLEST : self->capacity * 2,
        .count = self->count,
    };
    if (larger.capacity > LARGEST) {
        return false;
    }
    larger.entries = calloc(larger.capacity, sizeof(*larger.entries));
    if (larger.entries == NULL) {
        return false;
    }
    for (size_t i = 0; i < self->capacity; i++) {
        if (self->entries[i].key != NULL) {
            larger.entries[find(&larger, self->entries[i].key)] = self->entries[i];
        }
    }
    free(self->entries);
    *self = larger;
    return true;
}

bool
nbp_pointermap_put_elsewhere(nbp_pointermap *self, const void *key, int64_t time,
                             uint32_t number)
{
    if (self->count * 2 >= self->capacity && !grow(self)) {
        return false;
    }
    nbp_pointer_entry *entry = &self->entries[find(self, key)];
    self->count += entry->key == NULL;
    *entry = (nbp_pointer_entry){.key = key, .time = time, .number = number};
    return true;
}

const nbp_pointer_entry *
nbp_pointermap_get(const nbp_pointermap *self, const void *key)
{
    if (self->count == 0) {
        return NULL;
    }
    const nbp_pointer_entry *entry = &self->entries[find(self, key)];
    return entry->key == NULL ? NULL : entry;
}

/* Closes the gap at `free`: entries behind it that were pushed past it move up, so that
 * no search ends too early and no tombstones pile up. */
static void
close_gap(nbp_pointermap *self, size_t gap)
{
    size_t mask = self->capacity - 1;
    for (size_t at = (gap + 1) & mask; self->entries[at].key != NULL;
         at = (at + 1) & mask) {
        size_t wanted = nbp_pointermap_home(self, self->entries[at].key);
        if (((at - wanted) & mask) >= ((at - gap) & mask)) {
            self->entries[gap] = self->entries[at];
            gap = at;
        }
    }
    self->entries[gap].key = NULL;
}

bool
nbp_pointermap_take_elsewhere(nbp_pointermap *self, const void *key,
                              nbp_pointer_entry *out)
{
    size_t at = find(self, key);
    if (self->entries[at].key == NULL) {
        return false;
    }
    *out = self->entries[at];
    self->count--;
    close_gap(self, at);
    return true;
}

void
nbp_pointermap_clear(nbp_pointermap *self)
{
    free(self->entries);
    *self = (nbp_pointermap){0};
}
