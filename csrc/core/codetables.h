/* SPDX-License-Identifier: BSD-3-Clause */
/* The two tables that go with the bytecode of CPython 3.11 and later: where each unit
 * comes from (co_linetable; Objects/locations.md) and which handler an exception goes
 * to (co_exceptiontable; Objects/exception_handling_notes.txt). */
#ifndef NBP_CODETABLES_H
#define NBP_CODETABLES_H

#include "bytes.h"
#include "status.h"

/* A run of units with one location. */
typedef struct {
    uint32_t unit;   /* the first of them */
    uint32_t units;  /* 1 to 8 */
    uint32_t offset; /* of the entry in the table, in bytes */
    uint32_t size;   /* of the entry, in bytes */
    int32_t line;    /* -1 when the units belong to no line */
    uint32_t extra;  /* units put in by the rewriter, at the front */
} nbp_location;

/* Units start..end-1 go to `target` when they raise. */
typedef struct {
    uint32_t start;
    uint32_t end;
    uint32_t target;
    uint32_t depth_lasti; /* stack depth << 1 | whether the raising offset is pushed */
} nbp_handler;

/* Both readers return an array owned by the caller, or NULL with *count = 0 for an
 * empty table. NBP_INVALID when the table cannot be read. */
nbp_status nbp_locations_read(const uint8_t *table, size_t size, int32_t first_line,
                              nbp_location **out, size_t *count);
nbp_status nbp_handlers_read(const uint8_t *table, size_t size, nbp_handler **out,
                             size_t *count);

/* Writes entries read from `table`, each made longer by its `extra` units. */
void nbp_locations_write(nbp_bytes *out, const uint8_t *table,
                         const nbp_location *locations, size_t count);

/* `units` units that belong to no line. */
void nbp_locations_write_none(nbp_bytes *out, uint32_t units);

void nbp_handlers_write(nbp_bytes *out, const nbp_handler *handlers, size_t count);

#endif /* NBP_CODETABLES_H */
