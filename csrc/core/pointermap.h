/* SPDX-License-Identifier: BSD-3-Clause */
/* A hash table from addresses to a time and a number. The addresses are never followed.
 * Not thread-safe. */
#ifndef NBP_POINTERMAP_H
#define NBP_POINTERMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const void *key; /* NULL: the place is free */
    int64_t time;
    uint32_t number;
} nbp_pointer_entry;

/* All zero is an empty map. */
typedef struct {
    nbp_pointer_entry *entries; /* owned; capacity is a power of two */
    size_t capacity;
    size_t count;
} nbp_pointermap;

/* Where the search for `key` begins, in a map that is not empty. Objects are at least
 * 16 bytes apart: the low bits say nothing. */
static inline size_t
nbp_pointermap_home(const nbp_pointermap *self, const void *key)
{
    uint64_t hash = ((uint64_t)(uintptr_t)key >> 4) * 0x9E3779B97F4A7C15u;
    return (size_t)(hash >> 20) & (self->capacity - 1);
}

/* The long ways of the two functions below. */
bool nbp_pointermap_put_elsewhere(nbp_pointermap *self, const void *key, int64_t time,
                                  uint32_t number);
bool nbp_pointermap_take_elsewhere(nbp_pointermap *self, const void *key,
                                   nbp_pointer_entry *out);

/* Inserts or replaces; false when there is no memory or the map has its largest size.
 */
static inline bool
nbp_pointermap_put(nbp_pointermap *self, const void *key, int64_t time, uint32_t number)
{
    nbp_pointer_entry *entry = NULL;
    if (self->count * 2 < self->capacity) {
        entry = &self->entries[nbp_pointermap_home(self, key)];
    }
    if (entry == NULL || entry->key != NULL) {
        return nbp_pointermap_put_elsewhere(self, key, time, number);
    }
    *entry = (nbp_pointer_entry){.key = key, .time = time, .number = number};
    self->count++;
    return true;
}

/* The entry of `key`, or NULL; borrowed until the next change of the map. */
const nbp_pointer_entry *nbp_pointermap_get(const nbp_pointermap *self,
                                            const void *key);

/* Takes the entry of `key` out and copies it to `*out`; false when there is none. */
static inline bool
nbp_pointermap_take(nbp_pointermap *self, const void *key, nbp_pointer_entry *out)
{
    if (self->count == 0) {
        return false;
    }
    size_t at = nbp_pointermap_home(self, key);
    size_t next = (at + 1) & (self->capacity - 1);
    if (self->entries[at].key != key || self->entries[next].key != NULL) {
        return nbp_pointermap_take_elsewhere(self, key, out);
    }
    *out = self->entries[at];
    self->entries[at].key = NULL;
    self->count--;
    return true;
}

void nbp_pointermap_clear(nbp_pointermap *self);

#endif /* NBP_POINTERMAP_H */
