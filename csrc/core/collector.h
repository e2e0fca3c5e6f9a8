/* SPDX-License-Identifier: BSD-3-Clause */
/* What child processes send to the process that profiles them, over ZeroMQ: the parent
 * has a collector, every child a courier.
 *
 * Over ipc:// the file system says who may connect: the endpoint belongs into a private
 * directory. Over tcp:// both ends need keys (CURVE, and the collector lets in only the
 * one client key that it was given): nothing ever travels in the clear.
 *
 * Each has a ZeroMQ context of its own and shares nothing with another copy of libzmq
 * in the process. A context does not survive a fork: in the child, inherited ones must
 * be left alone, and every function here does so by itself: it does nothing in a
 * process other than the one that opened. */
#ifndef NBP_COLLECTOR_H
#define NBP_COLLECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "snapshot.h"
#include "status.h"

enum { NBP_KEY_SIZE = 41 }; /* Z85 text of a CURVE key, with its NUL */

/* A pair of CURVE keys. */
typedef struct {
    char open[NBP_KEY_SIZE];
    char secret[NBP_KEY_SIZE];
} nbp_keys;

/* What both ends of a connection over TCP know. The collector needs all, a courier the
 * server's open key and its own pair. */
typedef struct {
    nbp_keys server;
    nbp_keys client;
} nbp_lock;

/* A process that has sent something. */
typedef struct {
    nbp_snapshot last; /* header of its latest snapshot */
    uint64_t first;    /* sequence number of the first one that arrived */
    uint64_t received; /* snapshots of it that arrived */
    uint8_t *message;  /* owned: the latest snapshot, whole */
    size_t size;       /* bytes */
    int64_t heard_ns;  /* when it was last heard: NBP_CLOCK_WALL */
    int connection;    /* the descriptor that it came by; -1: which has ended since */
} nbp_peer;

typedef struct {
    uint64_t received; /* snapshots of this session */
    uint64_t foreign;  /* snapshots of another session */
    uint64_t refused;  /* snapshots for which there was no room or memory */
    uint64_t faulty[NBP_SNAPSHOT_FAULTS]; /* messages that were none, by fault */
    uint64_t
        denied; /* connections without the right key, or no such connections at all */
} nbp_collector_counts;

typedef struct nbp_collector nbp_collector;
typedef struct nbp_courier nbp_courier;

/* Writes the version of the libzmq that is loaded (not the one compiled against). */
void nbp_collector_zmq_version(int *major, int *minor, int *patch);

/* A new pair of keys; NBP_UNAVAILABLE where libzmq was built without CURVE. */
nbp_status nbp_keys_make(nbp_keys *keys);

/* Binds `endpoint` ("ipc:///private/dir/socket", "tcp://127.0.0.1:*") and starts the
 * thread that receives, with all signals blocked. `lock` is needed for tcp://, and
 * refused as NBP_INVALID when missing there. NBP_UNAVAILABLE with errno set: the
 * address cannot be bound. */
nbp_status nbp_collector_open(nbp_collector **self_p, const char *endpoint,
                              uint64_t session, const nbp_lock *lock);

/* The address with wildcards resolved; borrowed. */
const char *nbp_collector_endpoint(const nbp_collector *self);

nbp_collector_counts nbp_collector_count(nbp_collector *self);

/* Copies what the processes sent last, in the order of their first snapshots, into
 * `*peers`: an array of `*count` that the caller hands to nbp_peers_free. A process
 * that dies ends its connection; so does one that has a new one soon. */
nbp_status nbp_collector_peers(nbp_collector *self, nbp_peer **peers, size_t *count);
void nbp_peers_free(nbp_peer *peers, size_t count);

/* Stops the thread, closes the socket and frees all; *self_p becomes NULL. */
void nbp_collector_close(nbp_collector **self_p);

/* Connects, which succeeds also while nobody listens yet. */
nbp_status nbp_courier_open(nbp_courier **self_p, const char *endpoint,
                            const nbp_lock *lock);

/* Hands a message over; waits at most `patience_ms` for a connection and room in its
 * queue. False: there was none, and nothing was sent. */
bool nbp_courier_send(nbp_courier *self, const uint8_t *message, size_t size,
                      int patience_ms);

/* Waits at most `patience_ms` for what is queued to leave, and frees all. */
void nbp_courier_close(nbp_courier **self_p, int patience_ms);

#endif /* NBP_COLLECTOR_H */
