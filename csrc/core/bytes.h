/* SPDX-License-Identifier: BSD-3-Clause */
/* A byte string that grows. Running out of memory is remembered and asked for once, at
 * the end, so that writers need no check at every byte. Not thread-safe. */
#ifndef NBP_BYTES_H
#define NBP_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    uint8_t *data; /* owned */
    size_t size;
    size_t capacity;
    bool failed; /* memory ran out: what is in `data` is not complete */
} nbp_bytes;

static inline void
nbp_bytes_clear(nbp_bytes *self)
{
    free(self->data);
    *self = (nbp_bytes){0};
}

/* Room for `more` bytes at the end; false when there is no memory. */
static inline bool
nbp_bytes_reserve(nbp_bytes *self, size_t more)
{
    if (self->failed) {
        return false;
    }
    if (self->size + more > self->capacity) {
        size_t capacity = (self->size + more) * 2 + 64;
        uint8_t *data = realloc(self->data, capacity);
        if (data == NULL) {
            self->failed = true;
            return false;
        }
        self->data = data;
        self->capacity = capacity;
    }
    return true;
}

static inline void
nbp_bytes_push(nbp_bytes *self, uint8_t byte)
{
    if (nbp_bytes_reserve(self, 1)) {
        self->data[self->size++] = byte;
    }
}

static inline void
nbp_bytes_append(nbp_bytes *self, const uint8_t *data, size_t size)
{
    if (size > 0 && nbp_bytes_reserve(self, size)) {
        memcpy(self->data + self->size, data, size);
        self->size += size;
    }
}

static inline bool
nbp_bytes_equal(const nbp_bytes *self, const uint8_t *data, size_t size)
{
    return !self->failed && self->size == size &&
           (size == 0 || memcmp(self->data, data, size) == 0);
}

#endif /* NBP_BYTES_H */
