/* SPDX-License-Identifier: BSD-3-Clause */
#include "texts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST = 256 };

struct nbp_texts {
    char *bytes; /* owned */
    size_t length;
    size_t byte_capacity;
    uint32_t *starts; /* owned; one more than there are texts */
    size_t count;
    size_t capacity;
    uint32_t *table; /* owned; open addressing, at most half full; NULL: not searched */
    size_t mask;
    size_t limit;
};

nbp_texts *
nbp_texts_new(size_t limit)
{
    nbp_texts *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return NULL;
    }
    self->limit = limit < UINT32_MAX ? limit : UINT32_MAX;
    self->capacity = FIRST;
    self->byte_capacity = 16 * FIRST;
    self->mask = 2 * FIRST - 1;
    self->bytes = malloc(self->byte_capacity);
    self->starts = malloc((self->capacity + 1) * sizeof(*self->starts));
    self->table = malloc((self->mask + 1) * sizeof(*self->table));
    if (self->bytes == NULL || self->starts == NULL || self->table == NULL) {
        nbp_texts_destroy(&self);
        return NULL;
    }
    self->starts[0] = 0;
    memset(self->table, 0xFF, (self->mask + 1) * sizeof(*self->table));
    return self;
}

void
nbp_texts_destroy(nbp_texts **self)
{
    if (*self != NULL) {
        free((*self)->bytes);
        free((*self)->starts);
        free((*self)->table);
        free(*self);
        *self = NULL;
    }
}

/* FNV-1a: the texts are short. */
static size_t
hash(const char *text, size_t length)
{
    uint64_t it = UINT64_C(0xCBF29CE484222325);
    for (size_t i = 0; i < length; i++) {
        it = (it ^ (uint8_t)text[i]) * UINT64_C(0x100000001B3);
    }
    return (size_t)(it ^ it >> 32);
}

static size_t
slot_of(const nbp_texts *self, const char *text, size_t length)
{
    size_t slot = hash(text, length) & self->mask;
    while (self->table[slot] != NBP_NO_TEXT) {
        size_t other;
        const char *known = nbp_texts_get(self, self->table[slot], &other);
        if (other == length && memcmp(known, text, length) == 0) {
            break;
        }
        slot = (slot + 1) & self->mask;
    }
    return slot;
}

static nbp_status
grow(nbp_texts *self)
{
    size_t capacity = 2 * self->capacity;
    uint32_t *starts = realloc(self->starts, (capacity + 1) * sizeof(*starts));
    if (starts == NULL) {
        return NBP_NO_MEMORY;
    }
    self->starts = starts;
    uint32_t *table = malloc(2 * capacity * sizeof(*table));
    if (table == NULL) {
        return NBP_NO_MEMORY;
    }
    free(self->table);
    self->table = table;
    self->mask = 2 * capacity - 1;
    self->capacity = capacity;
    memset(table, 0xFF, 2 * capacity * sizeof(*table));
    for (size_t i = 0; i < self->count; i++) {
        size_t length;
        const char *text = nbp_texts_get(self, (uint32_t)i, &length);
        table[slot_of(self, text, length)] = (uint32_t)i;
    }
    return NBP_OK;
}

uint32_t
nbp_texts_add(nbp_texts *self, const char *text, size_t length)
{
    assert(self->table != NULL);
    size_t slot = slot_of(self, text, length);
    if (self->table[slot] != NBP_NO_TEXT) {
        return self->table[slot];
    }
    if (length > self->limit - self->length) {
        return NBP_NO_TEXT;
    }
    if (self->count == self->capacity) {
        if (grow(self) != NBP_OK) {
            return NBP_NO_TEXT;
        }
        slot = slot_of(self, text, length);
    }
    if (self->length + length > self->byte_capacity) {
        size_t capacity = 2 * self->byte_capacity + length;
        char *bytes = realloc(self->bytes, capacity);
        if (bytes == NULL) {
            return NBP_NO_TEXT;
        }
        self->bytes = bytes;
        self->byte_capacity = capacity;
    }
    memcpy(self->bytes + self->length, text, length);
    self->length += length;
    self->table[slot] = (uint32_t)self->count++;
    self->starts[self->count] = (uint32_t)self->length;
    return self->table[slot];
}

size_t
nbp_texts_count(const nbp_texts *self)
{
    return self->count;
}

const char *
nbp_texts_get(const nbp_texts *self, uint32_t number, size_t *length)
{
    assert(number < self->count);
    *length = self->starts[number + 1] - self->starts[number];
    return self->bytes + self->starts[number];
}

const char *
nbp_texts_bytes(const nbp_texts *self, size_t *length)
{
    *length = self->length;
    return self->bytes;
}

const uint32_t *
nbp_texts_starts(const nbp_texts *self)
{
    return self->starts;
}

nbp_texts *
nbp_texts_copy(const char *bytes, size_t length, const uint32_t *starts, size_t count)
{
    nbp_texts *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return NULL;
    }
    self->bytes = malloc(length + 1);
    self->starts = malloc((count + 1) * sizeof(*starts));
    if (self->bytes == NULL || self->starts == NULL) {
        nbp_texts_destroy(&self);
        return NULL;
    }
    memcpy(self->bytes, bytes, length);
    memcpy(self->starts, starts, (count + 1) * sizeof(*starts));
    self->length = self->byte_capacity = length;
    self->count = self->capacity = count;
    return self;
}

size_t
nbp_texts_size(const nbp_texts *self)
{
    size_t table = self->table == NULL ? 0 : (self->mask + 1) * sizeof(*self->table);
    return sizeof(*self) + self->byte_capacity +
           (self->capacity + 1) * sizeof(*self->starts) + table;
}
