/* SPDX-License-Identifier: BSD-3-Clause */
#include "collector.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "clock.h"
#include "gate.h"

enum {
    MOST_PEERS = 4096,
    QUEUE = 8,             /* messages that wait: snapshots are cumulative */
    CONNECTION_MS = 30000, /* a connection that stays silent in the handshake is cut */
    ENDPOINT_SIZE = 256,
};

/* What the latest snapshots of all processes may take together: bytes. */
static const size_t most_stored = (size_t)1 << 30;

struct nbp_collector {
    pid_t owner; /* the process that opened */
    uint64_t session;
    void *context;  /* owned */
    void *messages; /* owned: PULL; used by the thread only, once it runs */
    nbp_gate gate;  /* likewise */
    int wake[2];    /* a pipe: a byte in it tells the thread to stop */
    pthread_t thread;
    bool has_thread;
    char endpoint[ENDPOINT_SIZE];
    pthread_mutex_t lock; /* protects what follows */
    nbp_collector_counts counts;
    nbp_peer *peers; /* owned */
    size_t n_peers, peers_room;
    size_t stored; /* bytes of all their messages */
};

struct nbp_courier {
    pid_t owner;
    void *context; /* owned */
    void *socket;  /* owned: PUSH */
};

void
nbp_collector_zmq_version(int *major, int *minor, int *patch)
{
    zmq_version(major, minor, patch);
}

nbp_status
nbp_keys_make(nbp_keys *keys)
{
    return zmq_curve_keypair(keys->open, keys->secret) == 0 ? NBP_OK : NBP_UNAVAILABLE;
}

static bool
set_int(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof(value)) == 0;
}

static bool
set_key(void *socket, int option, const char *key)
{
    return zmq_setsockopt(socket, option, key, NBP_KEY_SIZE) == 0;
}

static bool
is_tcp(const char *endpoint)
{
    return strncmp(endpoint, "tcp://", 6) == 0;
}

static void
end_context(void *context)
{
    while (context != NULL && zmq_ctx_term(context) < 0 && zmq_errno() == EINTR) {
    }
}

/* ---- what arrives ---- */

static nbp_peer *
find_peer(nbp_collector *self, const nbp_snapshot *header)
{
    for (size_t i = 0; i < self->n_peers; i++) {
        nbp_peer *peer = &self->peers[i];
        /* Process numbers are given out again: the time tells them apart. */
        if (peer->last.pid == header->pid && peer->last.started == header->started) {
            return peer;
        }
    }
    return NULL;
}

static nbp_peer *
add_peer(nbp_collector *self, const nbp_snapshot *header)
{
    if (self->n_peers == MOST_PEERS) {
        return NULL;
    }
    if (self->n_peers == self->peers_room) {
        size_t room = self->peers_room == 0 ? 8 : 2 * self->peers_room;
        nbp_peer *peers = realloc(self->peers, room * sizeof(*peers));
        if (peers == NULL) {
            return NULL;
        }
        self->peers = peers;
        self->peers_room = room;
    }
    nbp_peer *peer = &self->peers[self->n_peers++];
    *peer = (nbp_peer){.first = header->sequence};
    peer->last.pid = header->pid;
    peer->last.started = header->started;
    return peer;
}

static void
keep(nbp_collector *self, const nbp_snapshot *header, const void *data, size_t size,
     int connection)
{
    uint8_t *copy = self->stored + size > most_stored ? NULL : malloc(size);
    nbp_peer *peer = copy == NULL ? NULL : find_peer(self, header);
    if (copy != NULL && peer == NULL) {
        peer = add_peer(self, header);
    }
    if (peer == NULL) {
        free(copy);
        self->counts.refused++;
        return;
    }
    self->counts.received++;
    peer->received++;
    peer->heard_ns = nbp_clock_now_ns(NBP_CLOCK_WALL);
    peer->connection = connection;
    if (peer->message != NULL && header->sequence <= peer->last.sequence) {
        free(copy); /* a newer one is here already */
        return;
    }
    memcpy(copy, data, size);
    self->stored += size - peer->size;
    free(peer->message);
    peer->message = copy;
    peer->size = size;
    peer->last = *header;
}

static void
take_message(nbp_collector *self, zmq_msg_t *part)
{
    nbp_snapshot header;
    const void *data = zmq_msg_data(part);
    size_t size = zmq_msg_size(part);
    nbp_snapshot_fault fault = nbp_snapshot_read(data, size, &header);
    pthread_mutex_lock(&self->lock);
    if (fault != NBP_SNAPSHOT_FINE) {
        self->counts.faulty[fault]++;
    }
    else if (header.session != self->session) {
        self->counts.foreign++;
    }
    else {
        keep(self, &header, data, size, zmq_msg_get(part, ZMQ_SRCFD));
    }
    pthread_mutex_unlock(&self->lock);
}

/* A snapshot is one frame; every frame of something else is looked at alike. */
static void
receive(nbp_collector *self)
{
    zmq_msg_t part;
    zmq_msg_init(&part);
    while (zmq_msg_recv(&part, self->messages, ZMQ_DONTWAIT) >= 0) {
        take_message(self, &part);
    }
    zmq_msg_close(&part);
}

/* What has happened to connections, one by one. */
static void
watch_connections(nbp_collector *self)
{
    nbp_gate_event event;
    int connection;
    while (nbp_gate_next(&self->gate, &event, &connection)) {
        pthread_mutex_lock(&self->lock);
        self->counts.denied += event == NBP_GATE_DENIED;
        for (size_t i = 0; event == NBP_GATE_ENDED && i < self->n_peers; i++) {
            if (self->peers[i].connection == connection) {
                self->peers[i].connection = -1;
            }
        }
        pthread_mutex_unlock(&self->lock);
    }
}

static void *
work(void *arg)
{
    nbp_collector *self = arg;
    zmq_pollitem_t items[] = {
        {.fd = self->wake[0], .events = ZMQ_POLLIN},
        {.socket = self->messages, .events = ZMQ_POLLIN},
        {.socket = self->gate.events, .events = ZMQ_POLLIN},
        {.socket = self->gate.questions, .events = ZMQ_POLLIN},
    };
    int count = self->gate.questions == NULL ? 3 : 4;
    for (;;) {
        if (zmq_poll(items, count, -1) < 0) {
            if (zmq_errno() == EINTR) {
                continue;
            }
            break;
        }
        if (items[1].revents || items[2].revents) {
            receive(self); /* what came by a connection is there before its end */
        }
        if (items[2].revents) {
            watch_connections(self);
        }
        if (count == 4 && items[3].revents) {
            nbp_gate_answer(&self->gate);
        }
        if (items[0].revents) {
            break; /* after a last look at what has arrived */
        }
    }
    return NULL;
}

/* ---- opening and closing ---- */

static bool
open_pipe(int ends[2])
{
    if (pipe(ends) != 0) {
        return false;
    }
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    return true;
}

static bool
start_thread(nbp_collector *self)
{
    sigset_t all, before;
    sigfillset(&all);
    /* Ctrl-C is for the interpreter's thread. */
    pthread_sigmask(SIG_BLOCK, &all, &before);
    self->has_thread = pthread_create(&self->thread, NULL, work, self) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return self->has_thread;
}

static bool
use_lock(nbp_collector *self, const nbp_lock *lock)
{
    return set_int(self->messages, ZMQ_CURVE_SERVER, 1) &&
           set_key(self->messages, ZMQ_CURVE_SECRETKEY, lock->server.secret);
}

static bool
open_socket(nbp_collector *self, const char *endpoint, const nbp_lock *lock)
{
    size_t size = sizeof(self->endpoint);
    int64_t most = (int64_t)NBP_SNAPSHOT_MOST_BYTES;
    self->context = zmq_ctx_new();
    if (self->context == NULL) {
        return false;
    }
    self->messages = zmq_socket(self->context, ZMQ_PULL);
    return self->messages != NULL && set_int(self->messages, ZMQ_LINGER, 0) &&
           set_int(self->messages, ZMQ_HANDSHAKE_IVL, CONNECTION_MS) &&
           zmq_setsockopt(self->messages, ZMQ_MAXMSGSIZE, &most, sizeof(most)) == 0 &&
           (lock == NULL || use_lock(self, lock)) &&
           nbp_gate_open(&self->gate, self->context, self->messages,
                         lock == NULL ? NULL : lock->client.open) &&
           zmq_bind(self->messages, endpoint) == 0 &&
           zmq_getsockopt(self->messages, ZMQ_LAST_ENDPOINT, self->endpoint, &size) ==
               0;
}

nbp_status
nbp_collector_open(nbp_collector **self_p, const char *endpoint, uint64_t session,
                   const nbp_lock *lock)
{
    if (is_tcp(endpoint) && lock == NULL) {
        return NBP_INVALID;
    }
    nbp_collector *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return NBP_NO_MEMORY;
    }
    self->owner = getpid();
    self->session = session;
    self->wake[0] = self->wake[1] = -1;
    pthread_mutex_init(&self->lock, NULL);
    if (!open_socket(self, endpoint, lock) || !open_pipe(self->wake) ||
        !start_thread(self)) {
        int error = errno;
        nbp_collector_close(&self);
        errno = error;
        return NBP_UNAVAILABLE;
    }
    *self_p = self;
    return NBP_OK;
}

const char *
nbp_collector_endpoint(const nbp_collector *self)
{
    return self->endpoint;
}

void
nbp_collector_close(nbp_collector **self_p)
{
    nbp_collector *self = *self_p;
    *self_p = NULL;
    if (self == NULL || self->owner != getpid()) {
        return;
    }
    if (self->has_thread) {
        /* Closing the end would not do: children of a fork may have it too. */
        while (write(self->wake[1], "", 1) < 0 && errno == EINTR) {
        }
        pthread_join(self->thread, NULL);
    }
    for (int end = 0; end < 2; end++) {
        if (self->wake[end] >= 0) {
            close(self->wake[end]);
        }
    }
    nbp_gate_close(&self->gate);
    if (self->messages != NULL) {
        zmq_close(self->messages);
    }
    end_context(self->context);
    pthread_mutex_destroy(&self->lock);
    nbp_peers_free(self->peers, self->n_peers);
    free(self);
}

/* ---- reading ---- */

nbp_collector_counts
nbp_collector_count(nbp_collector *self)
{
    if (self->owner != getpid()) {
        return (nbp_collector_counts){0}; /* the lock may be held for ever */
    }
    pthread_mutex_lock(&self->lock);
    nbp_collector_counts counts = self->counts;
    pthread_mutex_unlock(&self->lock);
    return counts;
}

void
nbp_peers_free(nbp_peer *peers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(peers[i].message);
    }
    free(peers);
}

static nbp_status
copy_peers(const nbp_collector *self, nbp_peer *peers)
{
    for (size_t i = 0; i < self->n_peers; i++) {
        peers[i] = self->peers[i];
        peers[i].message = malloc(peers[i].size);
        if (peers[i].message == NULL) {
            return NBP_NO_MEMORY;
        }
        memcpy(peers[i].message, self->peers[i].message, peers[i].size);
    }
    return NBP_OK;
}

nbp_status
nbp_collector_peers(nbp_collector *self, nbp_peer **peers, size_t *count)
{
    *peers = NULL;
    *count = 0;
    if (self->owner != getpid()) {
        return NBP_OK;
    }
    nbp_status status = NBP_OK;
    pthread_mutex_lock(&self->lock);
    if (self->n_peers > 0) {
        nbp_peer *copies = calloc(self->n_peers, sizeof(*copies));
        status = copies == NULL ? NBP_NO_MEMORY : copy_peers(self, copies);
        if (status == NBP_OK) {
            *peers = copies;
            *count = self->n_peers;
        }
        else if (copies != NULL) {
            nbp_peers_free(copies, self->n_peers);
        }
    }
    pthread_mutex_unlock(&self->lock);
    return status;
}

/* ---- the child's end ---- */

static bool
connect_courier(nbp_courier *self, const char *endpoint, const nbp_lock *lock)
{
    self->context = zmq_ctx_new();
    if (self->context == NULL) {
        return false;
    }
    self->socket = zmq_socket(self->context, ZMQ_PUSH);
    /* Nothing is queued before there is a connection: what cannot be sent is known. */
    return self->socket != NULL && set_int(self->socket, ZMQ_SNDHWM, QUEUE) &&
           set_int(self->socket, ZMQ_IMMEDIATE, 1) &&
           (lock == NULL ||
            (set_key(self->socket, ZMQ_CURVE_SERVERKEY, lock->server.open) &&
             set_key(self->socket, ZMQ_CURVE_PUBLICKEY, lock->client.open) &&
             set_key(self->socket, ZMQ_CURVE_SECRETKEY, lock->client.secret))) &&
           zmq_connect(self->socket, endpoint) == 0;
}

nbp_status
nbp_courier_open(nbp_courier **self_p, const char *endpoint, const nbp_lock *lock)
{
    if (is_tcp(endpoint) && lock == NULL) {
        return NBP_INVALID;
    }
    nbp_courier *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return NBP_NO_MEMORY;
    }
    self->owner = getpid();
    if (!connect_courier(self, endpoint, lock)) {
        int error = errno;
        nbp_courier_close(&self, 0);
        errno = error;
        return NBP_UNAVAILABLE;
    }
    *self_p = self;
    return NBP_OK;
}

bool
nbp_courier_send(nbp_courier *self, const uint8_t *message, size_t size,
                 int patience_ms)
{
    if (self->owner != getpid()) {
        return false;
    }
    int sent = zmq_send(self->socket, message, size, ZMQ_DONTWAIT);
    if (sent < 0 && zmq_errno() == EAGAIN && patience_ms > 0) {
        zmq_pollitem_t item = {.socket = self->socket, .events = ZMQ_POLLOUT};
        if (zmq_poll(&item, 1, patience_ms) > 0) {
            sent = zmq_send(self->socket, message, size, ZMQ_DONTWAIT);
        }
    }
    return sent >= 0;
}

void
nbp_courier_close(nbp_courier **self_p, int patience_ms)
{
    nbp_courier *self = *self_p;
    *self_p = NULL;
    if (self == NULL || self->owner != getpid()) {
        return;
    }
    if (self->socket != NULL) {
        set_int(self->socket, ZMQ_LINGER, patience_ms);
        zmq_close(self->socket);
    }
    end_context(self->context);
    free(self);
}
