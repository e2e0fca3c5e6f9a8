/* SPDX-License-Identifier: BSD-3-Clause */
/* A look through the heap for what holds each of some objects: once, however many they
 * are. While it looks no code runs and nothing is made. */
#ifndef NBP_HEAPSCAN_H
#define NBP_HEAPSCAN_H

#include "heapgraph.h"
#include "objectlist.h"

enum {
    NBP_FILTER_BITS = 16, /* of addresses: 8 KiB stay in the nearest cache */
    NBP_SCAN_RING = 32,
};

typedef struct {
    PyObject *const *targets; /* borrowed */
    size_t count;
    uint64_t filter[(1 << NBP_FILTER_BITS) / 64]; /* a bit set for each address */
    uint32_t *table; /* owned; of the targets, open addressing, UINT32_MAX empty */
    size_t mask;
    nbp_objects *found;      /* owned; for each target, what holds it */
    visitproc visit;         /* what is done with each reference */
    PyObject *source;        /* whose references are being looked at */
    bool thorough;           /* look also into what no list of objects has */
    bool frozen;             /* even objects of the collector may be on no list */
    nbp_heapgraph *unlisted; /* owned; as a set: that */
    nbp_status status;
    PyObject *ring[NBP_SCAN_RING]; /* waiting for their type to come into the cache */
    size_t turn;
} nbp_scan;

/* Readies a scan for `count` targets, which are borrowed; `thorough` is set when it has
 * to be. After a failure too, nbp_scan_free() comes at the end. */
nbp_status nbp_scan_start(nbp_scan *self, PyObject *const *targets, size_t count);

/* Fills `found`, from nothing. `prepared`: of nbp_walk_prepare(). May be called again
 * with other settings. */
nbp_status nbp_scan_heap(nbp_scan *self, PyObject *prepared);

/* Frees all but the struct itself; of `found` only what has not been kept. */
void nbp_scan_free(nbp_scan *self);

#endif /* NBP_HEAPSCAN_H */
