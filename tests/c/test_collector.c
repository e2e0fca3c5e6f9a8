/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#include "check.h"
#include "collector.h"

enum { SESSION = 99, PATIENCE_MS = 20000 };

static char directory[] = "/tmp/nbprobe-test-XXXXXX";
static char ipc[80];

static void
nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
}

/* Waits until so many messages have been dealt with, one way or the other. */
static nbp_collector_counts
wait_for(nbp_collector *collector, uint64_t messages)
{
    nbp_collector_counts counts = {0};
    for (int round = 0; round < PATIENCE_MS / 2; round++) {
        counts = nbp_collector_count(collector);
        uint64_t sum = counts.received + counts.foreign + counts.refused;
        for (int fault = 0; fault < NBP_SNAPSHOT_FAULTS; fault++) {
            sum += counts.faulty[fault];
        }
        if (sum >= messages) {
            return counts;
        }
        nap();
    }
    CHECK(!"the messages arrived");
    return counts;
}

static void
wait_for_denials(nbp_collector *collector, uint64_t count)
{
    for (int round = 0; round < PATIENCE_MS / 2; round++) {
        if (nbp_collector_count(collector).denied >= count) {
            return;
        }
        nap();
    }
    CHECK(!"connections were denied");
}

static bool
send_snapshot(nbp_courier *courier, uint64_t session, uint32_t pid, uint64_t sequence)
{
    const nbp_snapshot header = {.session = session,
                                 .pid = pid,
                                 .started = 5,
                                 .sequence = sequence,
                                 .stage = NBP_SNAPSHOT_PART,
                                 .records = 1};
    const nbp_record record = {(const uint8_t *)&sequence, sizeof(sequence)};
    uint8_t *message = NULL;
    size_t size = 0;
    CHECK_EQ(nbp_snapshot_write(&header, &record, &message, &size), NBP_OK);
    bool sent = nbp_courier_send(courier, message, size, PATIENCE_MS);
    free(message);
    return sent;
}

static void
test_the_last_snapshot_of_each_process_is_kept(void)
{
    nbp_collector *collector = NULL;
    nbp_courier *courier = NULL;
    CHECK_EQ(nbp_collector_open(&collector, ipc, SESSION, NULL), NBP_OK);
    CHECK_EQ(nbp_courier_open(&courier, nbp_collector_endpoint(collector), NULL),
             NBP_OK);
    for (uint64_t sequence = 3; sequence < 10; sequence++) {
        CHECK(send_snapshot(courier, SESSION, 1, sequence));
    }
    CHECK(send_snapshot(courier, SESSION, 2, 20));
    CHECK(send_snapshot(courier, SESSION, 2, 10)); /* late */
    CHECK(send_snapshot(courier, SESSION + 1, 3, 1));
    CHECK(nbp_courier_send(courier, (const uint8_t *)"junk", 4, PATIENCE_MS));
    nbp_collector_counts counts = wait_for(collector, 11);
    CHECK_EQ(counts.received, 9);
    CHECK_EQ(counts.foreign, 1);
    CHECK_EQ(counts.faulty[NBP_SNAPSHOT_FOREIGN], 1);
    nbp_peer *peers = NULL;
    size_t count = 0;
    CHECK_EQ(nbp_collector_peers(collector, &peers, &count), NBP_OK);
    CHECK_EQ(count, 2);
    CHECK_EQ(peers[0].first, 3);
    CHECK_EQ(peers[0].received, 7);
    CHECK_EQ(peers[0].last.sequence, 9);
    CHECK_EQ(peers[1].last.sequence, 20);
    nbp_snapshot header;
    CHECK_EQ(nbp_snapshot_read(peers[1].message, peers[1].size, &header), 0);
    nbp_peers_free(peers, count);
    nbp_courier_close(&courier, PATIENCE_MS);
    nbp_collector_close(&collector);
    CHECK(collector == NULL && courier == NULL);
}

/* The connection of the one process that has sent something. */
static int
connection_of(nbp_collector *collector)
{
    nbp_peer *peers = NULL;
    size_t count = 0;
    CHECK_EQ(nbp_collector_peers(collector, &peers, &count), NBP_OK);
    CHECK_EQ(count, 1);
    int connection = count == 1 ? peers[0].connection : 0;
    nbp_peers_free(peers, count);
    return connection;
}

static void
test_the_end_of_a_connection_is_seen(void)
{
    nbp_collector *collector = NULL;
    CHECK_EQ(nbp_collector_open(&collector, ipc, SESSION, NULL), NBP_OK);
    /* It may make another: then it is there again. */
    for (uint64_t sequence = 1; sequence < 3; sequence++) {
        nbp_courier *courier = NULL;
        CHECK_EQ(nbp_courier_open(&courier, ipc, NULL), NBP_OK);
        CHECK(send_snapshot(courier, SESSION, 1, sequence));
        CHECK_EQ(wait_for(collector, sequence).received, sequence);
        CHECK(connection_of(collector) >= 0);
        nbp_courier_close(&courier, PATIENCE_MS);
        for (int round = 0; round < PATIENCE_MS / 2; round++) {
            if (connection_of(collector) < 0) {
                break;
            }
            nap();
        }
        CHECK_EQ(connection_of(collector), -1);
    }
    nbp_collector_close(&collector);
}

/* Not under AddressSanitizer: its allocator stays locked in a child that is forked
 * while one of libzmq's threads allocates. */
static void
test_a_forked_child_leaves_inherited_sockets_alone(void)
{
#ifndef __SANITIZE_ADDRESS__
    nbp_collector *collector = NULL;
    nbp_courier *courier = NULL;
    CHECK_EQ(nbp_collector_open(&collector, ipc, SESSION, NULL), NBP_OK);
    CHECK_EQ(nbp_courier_open(&courier, ipc, NULL), NBP_OK);
    CHECK(send_snapshot(courier, SESSION, 1, 1));
    pid_t child = fork();
    if (child == 0) {
        bool sent = send_snapshot(courier, SESSION, 1, 2);
        nbp_courier_close(&courier, 0);
        CHECK_EQ(nbp_collector_count(collector).received, 0);
        nbp_collector_close(&collector);
        nbp_courier *own = NULL;
        CHECK_EQ(nbp_courier_open(&own, ipc, NULL), NBP_OK);
        CHECK(!sent && send_snapshot(own, SESSION, 2, 1));
        nbp_courier_close(&own, PATIENCE_MS);
        check_end_child(CHECK_RESULT());
    }
    int status = 0;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    CHECK_EQ(wait_for(collector, 2).received, 2);
    nbp_courier_close(&courier, PATIENCE_MS);
    nbp_collector_close(&collector);
#endif
}

static void
test_nobody_listens(void)
{
    nbp_courier *courier = NULL;
    CHECK_EQ(nbp_courier_open(&courier, ipc, NULL), NBP_OK);
    int sent = 0;
    for (uint64_t sequence = 0; sequence < 100; sequence++) {
        uint8_t byte = 0;
        sent += nbp_courier_send(courier, &byte, 1, 0);
    }
    CHECK(sent < 100);
    nbp_courier_close(&courier, 10);
}

static void
test_over_tcp_only_the_right_key_is_let_in(void)
{
    nbp_collector *collector = NULL;
    nbp_courier *right = NULL, *wrong = NULL;
    nbp_lock lock;
    CHECK_EQ(nbp_collector_open(&collector, "tcp://127.0.0.1:*", SESSION, NULL),
             NBP_INVALID);
    if (nbp_keys_make(&lock.server) != NBP_OK) {
        fprintf(stderr, "libzmq was built without CURVE\n");
        return;
    }
    CHECK_EQ(nbp_keys_make(&lock.client), NBP_OK);
    nbp_lock other = lock;
    CHECK_EQ(nbp_keys_make(&other.client), NBP_OK);
    CHECK_EQ(nbp_collector_open(&collector, "tcp://127.0.0.1:*", SESSION, &lock),
             NBP_OK);
    const char *endpoint = nbp_collector_endpoint(collector);
    CHECK_EQ(nbp_courier_open(&right, endpoint, NULL), NBP_INVALID);
    CHECK_EQ(nbp_courier_open(&wrong, endpoint, &other), NBP_OK);
    wait_for_denials(collector, 1);
    CHECK_EQ(nbp_courier_open(&right, endpoint, &lock), NBP_OK);
    CHECK(send_snapshot(right, SESSION, 2, 1));
    CHECK_EQ(wait_for(collector, 1).received, 1);
    nbp_courier_close(&wrong, 0);
    nbp_courier_close(&right, PATIENCE_MS);
    /* One that speaks without encryption is not heard either. */
    void *context = zmq_ctx_new(), *plain = zmq_socket(context, ZMQ_PUSH);
    int zero = 0;
    uint64_t before = nbp_collector_count(collector).denied;
    zmq_setsockopt(plain, ZMQ_LINGER, &zero, sizeof(zero));
    CHECK_EQ(zmq_connect(plain, endpoint), 0);
    zmq_send(plain, "junk", 4, ZMQ_DONTWAIT);
    wait_for_denials(collector, before + 1);
    zmq_close(plain);
    zmq_ctx_term(context);
    /* Nor is one that takes somebody else for the collector. */
    other = lock;
    CHECK_EQ(nbp_keys_make(&other.server), NBP_OK);
    before = nbp_collector_count(collector).denied;
    CHECK_EQ(nbp_courier_open(&wrong, endpoint, &other), NBP_OK);
    wait_for_denials(collector, before + 1);
    nbp_courier_close(&wrong, 0);
    nbp_collector_counts counts = nbp_collector_count(collector);
    CHECK_EQ(counts.received, 1);
    CHECK_EQ(counts.faulty[NBP_SNAPSHOT_FOREIGN], 0);
    nbp_collector_close(&collector);
}

static void
test_an_address_that_cannot_be_bound(void)
{
    nbp_collector *collector = NULL;
    CHECK_EQ(nbp_collector_open(&collector, "ipc:///nowhere/at/all", SESSION, NULL),
             NBP_UNAVAILABLE);
    CHECK_EQ(nbp_collector_open(&collector, "nonsense", SESSION, NULL),
             NBP_UNAVAILABLE);
    CHECK(collector == NULL);
}

int
main(void)
{
    if (mkdtemp(directory) == NULL) {
        return 1;
    }
    snprintf(ipc, sizeof(ipc), "ipc://%s/socket", directory);
    test_the_last_snapshot_of_each_process_is_kept();
    test_the_end_of_a_connection_is_seen();
    test_a_forked_child_leaves_inherited_sockets_alone();
    test_nobody_listens();
    test_over_tcp_only_the_right_key_is_let_in();
    test_an_address_that_cannot_be_bound();
    unlink(ipc + strlen("ipc://"));
    rmdir(directory);
    return CHECK_RESULT();
}
