/* SPDX-License-Identifier: BSD-3-Clause */
/* The wire format of what a process has measured so far: a header and records.
 *
 * Everything is little-endian. The header has a fixed size; after it each record is its
 * length, 4 bytes, and that many bytes, which mean nothing here. A checksum (CRC-32 of
 * IEEE 802.3) covers both. A snapshot is cumulative: a later one replaces an earlier
 * one, so that a lost message costs freshness and nothing else.
 *
 * Nothing here needs a lock; nothing follows a length before it was checked. */
#ifndef NBP_SNAPSHOT_H
#define NBP_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

enum {
    NBP_SNAPSHOT_VERSION = 1,
    NBP_SNAPSHOT_HEADER_SIZE = 72,
    NBP_SNAPSHOT_MOST_RECORDS = 1 << 16,
};

/* Above this a snapshot is neither written nor read: bytes. */
#define NBP_SNAPSHOT_MOST_BYTES ((size_t)256 << 20)

typedef enum {
    NBP_SNAPSHOT_HELLO = 1, /* the process is there and has measured nothing yet */
    NBP_SNAPSHOT_PART = 2,  /* it goes on */
    NBP_SNAPSHOT_LAST = 3,  /* it ends by itself */
} nbp_snapshot_stage;

typedef struct {
    uint64_t session; /* the profile that it belongs to: random */
    uint32_t pid;
    uint32_t parent;   /* pid */
    uint64_t started;  /* when the process began measuring: ns, CLOCK_REALTIME */
    uint64_t sequence; /* 1, 2, ... in each process */
    uint64_t dropped;  /* snapshots before this one that could not be handed over */
    uint32_t stage;    /* nbp_snapshot_stage */
    uint32_t records;
} nbp_snapshot;

typedef struct {
    const uint8_t *data; /* borrowed */
    size_t size;         /* bytes */
} nbp_record;

/* Why a message is no snapshot. */
typedef enum {
    NBP_SNAPSHOT_FINE = 0,
    NBP_SNAPSHOT_SHORT,    /* shorter than a header */
    NBP_SNAPSHOT_FOREIGN,  /* does not begin as one */
    NBP_SNAPSHOT_NEWER,    /* another version of the format */
    NBP_SNAPSHOT_LENGTH,   /* its lengths do not agree with each other */
    NBP_SNAPSHOT_CHECKSUM, /* a bit fell over */
    NBP_SNAPSHOT_STAGE,    /* not one of the stages */
    NBP_SNAPSHOT_FAULTS
} nbp_snapshot_fault;

/* Gives the caller a message in `*message` (to be freed) of `*size` bytes;
 * `header->records` says how many `records` there are. NBP_INVALID: too many, too long,
 * or no stage. */
nbp_status nbp_snapshot_write(const nbp_snapshot *header, const nbp_record *records,
                              uint8_t **message, size_t *size);

/* Checks the whole message and fills `*header`. Only after NBP_SNAPSHOT_FINE may
 * nbp_snapshot_next go through it. */
nbp_snapshot_fault nbp_snapshot_read(const uint8_t *message, size_t size,
                                     nbp_snapshot *header);

/* The record at `*at`, which begins as 0 and is moved on; false after the last one. The
 * record borrows from the message, which was read and found fine. */
bool nbp_snapshot_next(const uint8_t *message, size_t size, size_t *at,
                       nbp_record *record);

/* In a few words, for a message to the user; never NULL. */
const char *nbp_snapshot_fault_text(nbp_snapshot_fault fault);

#endif /* NBP_SNAPSHOT_H */
