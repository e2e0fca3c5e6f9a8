/* SPDX-License-Identifier: BSD-3-Clause */
/* Run with a number, it reads that many damaged messages instead of the usual few. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "snapshot.h"

static const nbp_snapshot header = {
    .session = 0x1122334455667788u,
    .pid = 4711,
    .parent = 42,
    .started = 1700000000123456789u,
    .sequence = 7,
    .dropped = 3,
    .stage = NBP_SNAPSHOT_PART,
    .records = 3,
};
static const nbp_record records[] = {
    {(const uint8_t *)"first", 5}, {NULL, 0}, {(const uint8_t *)"a\0b", 3}};

static uint8_t *
write_it(size_t *size)
{
    uint8_t *message = NULL;
    CHECK_EQ(nbp_snapshot_write(&header, records, &message, size), NBP_OK);
    return message;
}

static void
test_what_is_written_is_read(void)
{
    size_t size = 0, at = 0;
    uint8_t *message = write_it(&size);
    nbp_snapshot read;
    CHECK_EQ(size, NBP_SNAPSHOT_HEADER_SIZE + 3 * 4 + 8);
    CHECK_EQ(nbp_snapshot_read(message, size, &read), NBP_SNAPSHOT_FINE);
    CHECK(read.session == header.session && read.started == header.started);
    CHECK_EQ(read.pid, header.pid);
    CHECK_EQ(read.parent, header.parent);
    CHECK_EQ(read.sequence, header.sequence);
    CHECK_EQ(read.dropped, header.dropped);
    CHECK_EQ(read.stage, header.stage);
    nbp_record record;
    for (int i = 0; i < 3; i++) {
        CHECK(nbp_snapshot_next(message, size, &at, &record));
        CHECK_EQ(record.size, records[i].size);
        CHECK(record.size == 0 ||
              memcmp(record.data, records[i].data, record.size) == 0);
    }
    CHECK(!nbp_snapshot_next(message, size, &at, &record));
    free(message);
}

static void
test_the_checksum_is_that_of_the_standard(void)
{
    /* Of an otherwise known message; computed with zlib's crc32. */
    const nbp_snapshot plain = {.stage = NBP_SNAPSHOT_HELLO};
    uint8_t *message = NULL;
    size_t size = 0;
    CHECK_EQ(nbp_snapshot_write(&plain, NULL, &message, &size), NBP_OK);
    uint32_t sum = 0;
    memcpy(&sum, message + 68, 4);
    CHECK_EQ(sum, 0xc1011ce2u);
    free(message);
}

static void
test_every_single_damage_is_found(void)
{
    size_t size = 0;
    uint8_t *message = write_it(&size);
    nbp_snapshot read;
    for (size_t bit = 0; bit < 8 * size; bit++) {
        message[bit / 8] ^= (uint8_t)(1 << bit % 8);
        CHECK(nbp_snapshot_read(message, size, &read) != NBP_SNAPSHOT_FINE);
        message[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t shorter = 0; shorter < size; shorter++) {
        uint8_t *cut = malloc(shorter + 1); /* so that a sanitizer sees the end */
        memcpy(cut, message, shorter);
        CHECK(nbp_snapshot_read(cut, shorter, &read) != NBP_SNAPSHOT_FINE);
        free(cut);
    }
    free(message);
}

static void
test_faults_have_their_names(void)
{
    size_t size = 0;
    uint8_t *message = write_it(&size);
    nbp_snapshot read;
    CHECK_EQ(nbp_snapshot_read(message, 0, &read), NBP_SNAPSHOT_FOREIGN);
    CHECK_EQ(nbp_snapshot_read(message, 20, &read), NBP_SNAPSHOT_SHORT);
    CHECK_EQ(nbp_snapshot_read(message, size - 1, &read), NBP_SNAPSHOT_LENGTH);
    message[8]++;
    CHECK_EQ(nbp_snapshot_read(message, size, &read), NBP_SNAPSHOT_NEWER);
    message[8]--;
    message[size - 1] ^= 1;
    CHECK_EQ(nbp_snapshot_read(message, size, &read), NBP_SNAPSHOT_CHECKSUM);
    for (int fault = 0; fault < NBP_SNAPSHOT_FAULTS + 1; fault++) {
        CHECK(nbp_snapshot_fault_text((nbp_snapshot_fault)fault)[0] != '\0');
    }
    free(message);
}

static void
test_what_cannot_be_written_is_refused(void)
{
    uint8_t *message = NULL;
    size_t size = 0;
    nbp_snapshot wrong = header;
    wrong.stage = 4;
    CHECK_EQ(nbp_snapshot_write(&wrong, records, &message, &size), NBP_INVALID);
    wrong = header;
    wrong.records = NBP_SNAPSHOT_MOST_RECORDS + 1;
    CHECK_EQ(nbp_snapshot_write(&wrong, records, &message, &size), NBP_INVALID);
    wrong.records = 2;
    const nbp_record huge[] = {{NULL, 1}, {NULL, NBP_SNAPSHOT_MOST_BYTES}};
    CHECK_EQ(nbp_snapshot_write(&wrong, huge, &message, &size), NBP_INVALID);
    CHECK(message == NULL);
}

static uint32_t
next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

/* Damages that keep the checksum right get further than random ones. */
static void
put_right(uint8_t *message, size_t size)
{
    uint32_t crc = ~0u;
    for (size_t i = 0; i < size; i++) {
        if (i == 68) {
            i = NBP_SNAPSHOT_HEADER_SIZE;
            if (i >= size) {
                break;
            }
        }
        crc ^= message[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
        }
    }
    crc = ~crc;
    memcpy(message + 68, &crc, 4);
}

static void
test_damaged_messages_never_read_past_their_end(long rounds)
{
    size_t size = 0;
    uint8_t *message = write_it(&size);
    uint64_t state = 20261121;
    long fine = 0;
    for (long round = 0; round < rounds; round++) {
        size_t length = next_random(&state) % (size + 1);
        length = next_random(&state) % 2 ? size : length;
        uint8_t *damaged = malloc(length + 1);
        memcpy(damaged, message, length);
        for (uint32_t change = next_random(&state) % 4; change > 0 && length > 0;
             change--) {
            damaged[next_random(&state) % length] = (uint8_t)next_random(&state);
        }
        if (length >= NBP_SNAPSHOT_HEADER_SIZE && next_random(&state) % 2) {
            put_right(damaged, length);
        }
        nbp_snapshot read;
        if (nbp_snapshot_read(damaged, length, &read) == NBP_SNAPSHOT_FINE) {
            fine++;
            size_t at = 0, sum = 0;
            uint32_t count = 0;
            nbp_record record;
            for (; nbp_snapshot_next(damaged, length, &at, &record); count++) {
                for (size_t i = 0; i < record.size; i++) {
                    sum += record.data[i];
                }
            }
            CHECK_EQ(count, read.records);
            CHECK(sum < 256 * size);
        }
        free(damaged);
    }
    CHECK(fine > 0);
    free(message);
}

int
main(int argc, char **argv)
{
    test_what_is_written_is_read();
    test_the_checksum_is_that_of_the_standard();
    test_every_single_damage_is_found();
    test_faults_have_their_names();
    test_what_cannot_be_written_is_refused();
    test_damaged_messages_never_read_past_their_end(argc > 1 ? atol(argv[1]) : 200000);
    return CHECK_RESULT();
}
