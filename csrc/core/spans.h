/* SPDX-License-Identifier: BSD-3-Clause */
/* Pieces of memory, by where they begin and end. The memory is never touched. */
#ifndef NBP_SPANS_H
#define NBP_SPANS_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

typedef struct {
    uintptr_t start;
    uintptr_t end; /* the first address behind it */
} nbp_span;

/* A growing array; all zero is an empty one. */
typedef struct {
    nbp_span *items; /* owned */
    size_t count;
    size_t capacity;
} nbp_spans;

nbp_status nbp_spans_add(nbp_spans *self, nbp_span span);

/* Bytes that are in `self` and in one of `pieces`, which are ascending and apart. */
uint64_t nbp_spans_shared(const nbp_spans *self, const nbp_spans *pieces);

void nbp_spans_clear(nbp_spans *self);

#endif /* NBP_SPANS_H */
