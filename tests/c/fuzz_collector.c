/* SPDX-License-Identifier: BSD-3-Clause */
/* Random frames and random connections at a collector's socket, while others send what
 * is right: fuzz_collector [ROUNDS [SEED]]. All that is right must arrive, and of the
 * rest nothing may be kept. The default is a selection for every day. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "collector.h"

enum { SESSION = 7, HONEST = 3, PATIENCE_MS = 60000, MOST = 3000 };

static char directory[] = "/tmp/nbprobe-fuzz-XXXXXX";
static char ipc[80];
static int rounds = 300;
static uint64_t seed = 1;

static uint64_t
next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* A snapshot of process `pid`, to be freed. */
static uint8_t *
snapshot_of(uint32_t pid, uint64_t sequence, size_t *size)
{
    const nbp_snapshot header = {.session = SESSION,
                                 .pid = pid,
                                 .started = pid,
                                 .sequence = sequence,
                                 .stage = NBP_SNAPSHOT_PART,
                                 .records = 1};
    const nbp_record record = {(const uint8_t *)&sequence, sizeof(sequence)};
    uint8_t *message = NULL;
    CHECK_EQ(nbp_snapshot_write(&header, &record, &message, size), NBP_OK);
    return message;
}

/* Sends `rounds` snapshots, as a child does. */
static void *
be_honest(void *arg)
{
    const uint32_t pid = *(const uint32_t *)arg;
    nbp_courier *courier = NULL;
    CHECK_EQ(nbp_courier_open(&courier, ipc, NULL), NBP_OK);
    for (int round = 1; round <= rounds; round++) {
        size_t size = 0;
        uint8_t *message = snapshot_of(pid, (uint64_t)round, &size);
        CHECK(nbp_courier_send(courier, message, size, PATIENCE_MS));
        free(message);
    }
    nbp_courier_close(&courier, PATIENCE_MS);
    return NULL;
}

/* Sends frames: random ones, and snapshots of which a few bytes are others. */
static void *
send_frames(void *arg)
{
    (void)arg;
    uint64_t state = seed + 1;
    nbp_courier *courier = NULL;
    CHECK_EQ(nbp_courier_open(&courier, ipc, NULL), NBP_OK);
    for (int round = 0; round < rounds; round++) {
        uint8_t frame[MOST];
        size_t size = next_random(&state) % MOST;
        if (next_random(&state) % 2) {
            uint8_t *message = snapshot_of(666, 1, &size);
            memcpy(frame, message, size);
            free(message);
            size -= next_random(&state) % 4;
        }
        else {
            for (size_t i = 0; i < size; i++) {
                frame[i] = (uint8_t)next_random(&state);
            }
        }
        for (uint64_t change = 1 + next_random(&state) % 3; change > 0 && size;
             change--) {
            /* Never the same byte, so that it is damaged. */
            frame[next_random(&state) % size] ^=
                (uint8_t)(1 + next_random(&state) % 255);
        }
        nbp_courier_send(courier, frame, size, PATIENCE_MS);
    }
    nbp_courier_close(&courier, PATIENCE_MS);
    return NULL;
}

/* Connects and writes bytes, of which some begin as ZeroMQ's protocol does. */
static void *
connect_and_babble(void *arg)
{
    (void)arg;
    static const uint8_t greeting[64] = {0xff, [9] = 0x7f, 3, 0, 'N', 'U', 'L', 'L'};
    uint64_t state = seed + 2;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", ipc + strlen("ipc://"));
    for (int round = 0; round < rounds; round++) {
        uint8_t bytes[MOST];
        size_t size = next_random(&state) % 300;
        for (size_t i = 0; i < size; i++) {
            bytes[i] = (uint8_t)next_random(&state);
        }
        if (next_random(&state) % 4 && size > sizeof(greeting)) {
            memcpy(bytes, greeting, sizeof(greeting));
            bytes[next_random(&state) % sizeof(greeting)] ^=
                (uint8_t)(next_random(&state) % 3);
        }
        int peer = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(peer, (struct sockaddr *)&address, sizeof(address)) == 0) {
            ssize_t sent = send(peer, bytes, size, MSG_NOSIGNAL);
            (void)sent; /* it may have been cut off already */
        }
        close(peer);
    }
    return NULL;
}

static void
check_what_was_kept(nbp_collector *collector)
{
    nbp_peer *peers = NULL;
    size_t count = 0;
    int honest = 0;
    CHECK_EQ(nbp_collector_peers(collector, &peers, &count), NBP_OK);
    for (size_t i = 0; i < count; i++) {
        nbp_snapshot header;
        CHECK_EQ(nbp_snapshot_read(peers[i].message, peers[i].size, &header), 0);
        CHECK(peers[i].last.pid != 666);
        if (peers[i].last.pid <= HONEST) {
            honest++;
            CHECK_EQ(peers[i].first, 1);
            CHECK_EQ(peers[i].received, rounds);
            CHECK_EQ(peers[i].last.sequence, rounds);
        }
    }
    CHECK_EQ(honest, HONEST);
    CHECK_EQ(count, HONEST);
    nbp_peers_free(peers, count);
}

static uint64_t
count_faulty(const nbp_collector_counts *counts)
{
    uint64_t sum = 0;
    for (int fault = 0; fault < NBP_SNAPSHOT_FAULTS; fault++) {
        sum += counts->faulty[fault];
    }
    return sum;
}

int
main(int argc, char **argv)
{
    const char *thorough = getenv("NBPROBE_THOROUGH");
    if (thorough != NULL && thorough[0] == '1') {
        rounds *= 100;
    }
    rounds = argc > 1 ? atoi(argv[1]) : rounds;
    seed = argc > 2 ? strtoull(argv[2], NULL, 10) : seed;
    if (mkdtemp(directory) == NULL) {
        return 1;
    }
    snprintf(ipc, sizeof(ipc), "ipc://%s/socket", directory);
    nbp_collector *collector = NULL;
    CHECK_EQ(nbp_collector_open(&collector, ipc, SESSION, NULL), NBP_OK);
    pthread_t threads[HONEST + 2];
    uint32_t pids[HONEST];
    for (uint32_t i = 0; i < HONEST; i++) {
        pids[i] = i + 1;
        CHECK_EQ(pthread_create(&threads[i], NULL, be_honest, &pids[i]), 0);
    }
    CHECK_EQ(pthread_create(&threads[HONEST], NULL, send_frames, NULL), 0);
    CHECK_EQ(pthread_create(&threads[HONEST + 1], NULL, connect_and_babble, NULL), 0);
    for (int i = 0; i < HONEST + 2; i++) {
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    }
    nbp_collector_counts counts = nbp_collector_count(collector);
    uint64_t faulty = count_faulty(&counts);
    for (int wait = 0; wait < PATIENCE_MS / 2; wait++) {
        if (counts.received >= (uint64_t)HONEST * rounds && faulty > 0 &&
            counts.denied > 0) {
            break;
        }
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
        counts = nbp_collector_count(collector);
        faulty = count_faulty(&counts);
    }
    CHECK_EQ(counts.received, (uint64_t)HONEST * rounds);
    CHECK(faulty > 0);
    CHECK(counts.denied > 0);
    check_what_was_kept(collector);
    nbp_collector_close(&collector);
    unlink(ipc + strlen("ipc://"));
    rmdir(directory);
    return CHECK_RESULT();
}
