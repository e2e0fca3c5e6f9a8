/* SPDX-License-Identifier: BSD-3-Clause */
#include "gate.h"

#include <stddef.h>
#include <string.h>
#include <zmq.h>

enum {
    MECHANISM_FRAME = 5, /* frames of a question */
    KEY_FRAME = 6,
    FRAMES = 7,
    EVENT_SIZE = 6, /* bytes: which, 2, and its value, 4 */
};

static const char monitor[] = "inproc://nbprobe.gate";

static bool
has_no_linger(void *socket)
{
    int zero = 0;
    return zmq_setsockopt(socket, ZMQ_LINGER, &zero, sizeof(zero)) == 0;
}

static bool
open_questions(nbp_gate *self, void *context, void *socket, const char *client)
{
    if (zmq_z85_decode(self->client, client) == NULL) {
        return false;
    }
    /* libzmq asks there before it lets a client of its context in. */
    self->questions = zmq_socket(context, ZMQ_REP);
    return self->questions != NULL && has_no_linger(self->questions) &&
           zmq_bind(self->questions, "inproc://zeromq.zap.01") == 0 &&
           zmq_setsockopt(socket, ZMQ_ZAP_DOMAIN, "nbprobe", 7) == 0;
}

bool
nbp_gate_open(nbp_gate *self, void *context, void *socket, const char *client)
{
    const int wanted = ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                       ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                       ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_DISCONNECTED;
    *self = (nbp_gate){0};
    if ((client != NULL && !open_questions(self, context, socket, client)) ||
        zmq_socket_monitor(socket, monitor, wanted) != 0) {
        return false;
    }
    self->guarded = socket;
    self->events = zmq_socket(context, ZMQ_PAIR);
    return self->events != NULL && has_no_linger(self->events) &&
           zmq_connect(self->events, monitor) == 0;
}

static void
send_frame(void *socket, const char *text, int more)
{
    zmq_send(socket, text, strlen(text), more);
}

static void
reply(void *socket, const char *request, size_t size, bool is_let_in)
{
    send_frame(socket, "1.0", ZMQ_SNDMORE);
    zmq_send(socket, request, size, ZMQ_SNDMORE);
    send_frame(socket, is_let_in ? "200" : "400", ZMQ_SNDMORE);
    send_frame(socket, is_let_in ? "" : "unknown key", ZMQ_SNDMORE);
    send_frame(socket, "", ZMQ_SNDMORE); /* user */
    send_frame(socket, "", 0);           /* metadata */
}

void
nbp_gate_answer(nbp_gate *self)
{
    char request[64] = {0};
    size_t request_size = 0;
    bool is_curve = false, is_known = false;
    int frame = 0, more = 1;
    for (; more; frame++) {
        zmq_msg_t part;
        zmq_msg_init(&part);
        if (zmq_msg_recv(&part, self->questions, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&part);
            return;
        }
        const void *data = zmq_msg_data(&part);
        size_t size = zmq_msg_size(&part);
        if (frame == 1 && size <= sizeof(request)) {
            memcpy(request, data, size);
            request_size = size;
        }
        if (frame == MECHANISM_FRAME) {
            is_curve = size == 5 && memcmp(data, "CURVE", 5) == 0;
        }
        if (frame == KEY_FRAME) {
            is_known = size == NBP_GATE_KEY_SIZE &&
                       memcmp(data, self->client, NBP_GATE_KEY_SIZE) == 0;
        }
        more = zmq_msg_more(&part);
        zmq_msg_close(&part);
    }
    reply(self->questions, request, request_size,
          frame == FRAMES && is_curve && is_known);
}

bool
nbp_gate_next(nbp_gate *self, nbp_gate_event *event, int *connection)
{
    bool is_one = false;
    zmq_msg_t part;
    zmq_msg_init(&part);
    while (!is_one && zmq_msg_recv(&part, self->events, ZMQ_DONTWAIT) >= 0) {
        /* An event is two frames: which it was, and the address. */
        uint16_t kind = 0;
        int32_t value = 0;
        is_one = zmq_msg_more(&part) && zmq_msg_size(&part) == EVENT_SIZE;
        if (is_one) {
            const uint8_t *data = zmq_msg_data(&part);
            memcpy(&kind, data, sizeof(kind));
            memcpy(&value, data + sizeof(kind), sizeof(value));
            *event = kind == ZMQ_EVENT_DISCONNECTED ? NBP_GATE_ENDED : NBP_GATE_DENIED;
            *connection = value;
        }
    }
    zmq_msg_close(&part);
    return is_one;
}

void
nbp_gate_close(nbp_gate *self)
{
    if (self->guarded != NULL) {
        /* First, for an event that finds nobody to hear it holds libzmq's thread until
         * the context ends, and is leaked then (libzmq 4.3.4). */
        zmq_socket_monitor(self->guarded, NULL, 0);
    }
    if (self->events != NULL) {
        zmq_close(self->events);
    }
    if (self->questions != NULL) {
        zmq_close(self->questions);
    }
    *self = (nbp_gate){0};
}
