/* SPDX-License-Identifier: BSD-3-Clause */
/* Places in the program, each a row of stack frames with the innermost first, numbered
 * from 1 in the order in which they were met; 0 is a place that is not known. The code
 * that a frame points to is never followed. Not thread-safe. */
#ifndef NBP_SITES_H
#define NBP_SITES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const void *code;
    uint32_t offset; /* of the instruction in that code, bytes */
} nbp_site_frame;

enum {
    NBP_SITE_FRAMES_MOST = 128,
};

/* A place as it is met: the hash is made up while the frames are collected. */
typedef struct {
    nbp_site_frame frames[NBP_SITE_FRAMES_MOST];
    uint32_t count;
    uint32_t hash;
    bool native; /* memory from a library, not from Python's allocators */
} nbp_stack;

static inline void
nbp_stack_clear(nbp_stack *self, bool native)
{
    self->count = 0;
    self->native = native;
    self->hash = native;
}

static inline void
nbp_stack_push(nbp_stack *self, const void *code, uint32_t offset)
{
    self->frames[self->count++] = (nbp_site_frame){code, offset};
    uint64_t mixed = ((uint64_t)(uintptr_t)code >> 4) + ((uint64_t)offset << 40);
    mixed = (mixed ^ self->hash) * 0x9E3779B97F4A7C15u;
    self->hash = (uint32_t)(mixed >> 32);
}

typedef struct nbp_sites nbp_sites;

/* Empty, with one owner; NULL without memory. */
nbp_sites *nbp_sites_new(void);

/* One owner more, and one less: true for the last one, who then destroys it. */
void nbp_sites_share(nbp_sites *self);
bool nbp_sites_leave(nbp_sites *self);

/* NULL-safe; sets the pointer to NULL. */
void nbp_sites_destroy(nbp_sites **self_p);

/* The number of the place; `*is_new` says that it was given now. 0 without memory or
 * when there are too many. */
uint32_t nbp_sites_number(nbp_sites *self, const nbp_stack *stack, bool *is_new);

/* True when a new place of `count` frames needs more memory. */
bool nbp_sites_is_full(const nbp_sites *self, uint32_t count);

/* How many there are: numbers are below it, and at least 1. */
uint32_t nbp_sites_count(const nbp_sites *self);

/* The frames of place `number`, borrowed until the next new one. */
const nbp_site_frame *nbp_sites_frames(const nbp_sites *self, uint32_t number,
                                       uint32_t *count, bool *native);

/* Bytes of memory that this takes. */
size_t nbp_sites_own_bytes(const nbp_sites *self);

#endif /* NBP_SITES_H */
