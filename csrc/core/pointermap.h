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

/* Inserts or replaces; false when there is no memory or the map has its largest size.
 */
bool nbp_pointermap_put(nbp_pointermap *self, const void *key, int64_t time,
                        uint32_t number);

/* The entry of `key`, or NULL; borrowed until the next change of the map. */
const nbp_pointer_entry *nbp_pointermap_get(const nbp_pointermap *self,
                                            const void *key);

/* Takes the entry of `key` out and copies it to `*out`; false when there is none. */
bool nbp_pointermap_take(nbp_pointermap *self, const void *key, nbp_pointer_entry *out);

void nbp_pointermap_clear(nbp_pointermap *self);

#endif /* NBP_POINTERMAP_H */
