/* SPDX-License-Identifier: BSD-3-Clause */
#include "snapshot.h"

#include <stdlib.h>
#include <string.h>

/* Not text in any encoding, and damaged by a transfer that changes line ends. */
static const uint8_t magic[8] = {0x8f, 'n', 'b', 'p', 's', '\r', '\n', 0x1a};

/* Where the fields of the header are. */
enum {
    AT_MAGIC = 0,
    AT_VERSION = 8,
    AT_STAGE = 12,
    AT_SESSION = 16,
    AT_PID = 24,
    AT_PARENT = 28,
    AT_STARTED = 32,
    AT_SEQUENCE = 40,
    AT_DROPPED = 48,
    AT_SIZE = 56, /* of all records with their lengths, 8 bytes */
    AT_RECORDS = 64,
    AT_CHECKSUM = 68, /* of everything else */
    LENGTH_SIZE = 4,
};

static void
put32(uint8_t *to, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        to[i] = (uint8_t)(value >> (8 * i));
    }
}

static void
put64(uint8_t *to, uint64_t value)
{
    put32(to, (uint32_t)value);
    put32(to + 4, (uint32_t)(value >> 32));
}

static uint32_t
get32(const uint8_t *from)
{
    return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 |
           (uint32_t)from[3] << 24;
}

static uint64_t
get64(const uint8_t *from)
{
    return get32(from) | (uint64_t)get32(from + 4) << 32;
}

/* CRC-32, reflected, polynomial 0x04C11DB7; four bits a step: the table of sixteen is
 * small enough to be written down, and needs nobody to fill it first. */
static uint32_t
crc32_more(uint32_t crc, const uint8_t *data, size_t size)
{
    static const uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    crc = ~crc;
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

static uint32_t
checksum_of(const uint8_t *message, size_t size)
{
    uint32_t crc = crc32_more(0, message, AT_CHECKSUM);
    return crc32_more(crc, message + NBP_SNAPSHOT_HEADER_SIZE,
                      size - NBP_SNAPSHOT_HEADER_SIZE);
}

static bool
is_stage(uint32_t stage)
{
    return stage >= NBP_SNAPSHOT_HELLO && stage <= NBP_SNAPSHOT_LAST;
}

nbp_status
nbp_snapshot_write(const nbp_snapshot *header, const nbp_record *records,
                   uint8_t **message, size_t *size)
{
    if (!is_stage(header->stage) || header->records > NBP_SNAPSHOT_MOST_RECORDS) {
        return NBP_INVALID;
    }
    size_t total = NBP_SNAPSHOT_HEADER_SIZE;
    for (uint32_t i = 0; i < header->records; i++) {
        if (records[i].size > NBP_SNAPSHOT_MOST_BYTES ||
            total + LENGTH_SIZE + records[i].size > NBP_SNAPSHOT_MOST_BYTES) {
            return NBP_INVALID;
        }
        total += LENGTH_SIZE + records[i].size;
    }
    uint8_t *out = malloc(total);
    if (out == NULL) {
        return NBP_NO_MEMORY;
    }
    memcpy(out + AT_MAGIC, magic, sizeof(magic));
    put32(out + AT_VERSION, NBP_SNAPSHOT_VERSION);
    put32(out + AT_STAGE, header->stage);
    put64(out + AT_SESSION, header->session);
    put32(out + AT_PID, header->pid);
    put32(out + AT_PARENT, header->parent);
    put64(out + AT_STARTED, header->started);
    put64(out + AT_SEQUENCE, header->sequence);
    put64(out + AT_DROPPED, header->dropped);
    put64(out + AT_SIZE, total - NBP_SNAPSHOT_HEADER_SIZE);
    put32(out + AT_RECORDS, header->records);
    uint8_t *at = out + NBP_SNAPSHOT_HEADER_SIZE;
    for (uint32_t i = 0; i < header->records; i++) {
        put32(at, (uint32_t)records[i].size);
        if (records[i].size > 0) { /* an empty record may have no address */
            memcpy(at + LENGTH_SIZE, records[i].data, records[i].size);
        }
        at += LENGTH_SIZE + records[i].size;
    }
    put32(out + AT_CHECKSUM, checksum_of(out, total));
    *message = out;
    *size = total;
    return NBP_OK;
}

/* Whether `count` records, one after the other, fill `size` bytes. */
static bool
lengths_agree(const uint8_t *records, size_t size, uint32_t count)
{
    size_t left = size;
    for (uint32_t i = 0; i < count; i++) {
        if (left < LENGTH_SIZE) {
            return false;
        }
        uint32_t length = get32(records + (size - left));
        left -= LENGTH_SIZE;
        if (length > left) {
            return false;
        }
        left -= length;
    }
    return left == 0;
}

nbp_snapshot_fault
nbp_snapshot_read(const uint8_t *message, size_t size, nbp_snapshot *header)
{
    if (size < sizeof(magic) || memcmp(message, magic, sizeof(magic)) != 0) {
        return NBP_SNAPSHOT_FOREIGN;
    }
    if (size < NBP_SNAPSHOT_HEADER_SIZE) {
        return NBP_SNAPSHOT_SHORT;
    }
    if (get32(message + AT_VERSION) != NBP_SNAPSHOT_VERSION) {
        return NBP_SNAPSHOT_NEWER;
    }
    uint32_t count = get32(message + AT_RECORDS);
    size_t body = size - NBP_SNAPSHOT_HEADER_SIZE;
    if (size > NBP_SNAPSHOT_MOST_BYTES || count > NBP_SNAPSHOT_MOST_RECORDS ||
        get64(message + AT_SIZE) != body ||
        !lengths_agree(message + NBP_SNAPSHOT_HEADER_SIZE, body, count)) {
        return NBP_SNAPSHOT_LENGTH;
    }
    if (get32(message + AT_CHECKSUM) != checksum_of(message, size)) {
        return NBP_SNAPSHOT_CHECKSUM;
    }
    if (!is_stage(get32(message + AT_STAGE))) {
        return NBP_SNAPSHOT_STAGE;
    }
    *header = (nbp_snapshot){
        .session = get64(message + AT_SESSION),
        .pid = get32(message + AT_PID),
        .parent = get32(message + AT_PARENT),
        .started = get64(message + AT_STARTED),
        .sequence = get64(message + AT_SEQUENCE),
        .dropped = get64(message + AT_DROPPED),
        .stage = get32(message + AT_STAGE),
        .records = count,
    };
    return NBP_SNAPSHOT_FINE;
}

bool
nbp_snapshot_next(const uint8_t *message, size_t size, size_t *at, nbp_record *record)
{
    if (*at == 0) {
        *at = NBP_SNAPSHOT_HEADER_SIZE;
    }
    if (*at >= size) {
        return false;
    }
    record->size = get32(message + *at);
    record->data = message + *at + LENGTH_SIZE;
    *at += LENGTH_SIZE + record->size;
    return true;
}

const char *
nbp_snapshot_fault_text(nbp_snapshot_fault fault)
{
    switch (fault) {
    case NBP_SNAPSHOT_FINE:
        return "a snapshot";
    case NBP_SNAPSHOT_SHORT:
        return "shorter than the header of a snapshot";
    case NBP_SNAPSHOT_FOREIGN:
        return "not a snapshot of nbprobe";
    case NBP_SNAPSHOT_NEWER:
        return "a snapshot of another version of nbprobe";
    case NBP_SNAPSHOT_LENGTH:
        return "a damaged snapshot: its lengths do not agree";
    case NBP_SNAPSHOT_CHECKSUM:
        return "a damaged snapshot: its checksum is wrong";
    case NBP_SNAPSHOT_STAGE:
        return "a damaged snapshot: it has no stage";
    case NBP_SNAPSHOT_FAULTS:
        break;
    }
    return "no fault";
}
