/* SPDX-License-Identifier: BSD-3-Clause */
/* Who may connect to a socket of ZeroMQ that listens, and how many were turned away: by
 * ZAP (RFC 27 of ZeroMQ) only the one client key is let in, and what libzmq itself
 * refuses (no key, a wrong one of the server's, no handshake at all) is heard from its
 * monitor, and so is the end of a connection.
 *
 * Used by one thread at a time. */
#ifndef NBP_GATE_H
#define NBP_GATE_H

#include <stdbool.h>
#include <stdint.h>

enum { NBP_GATE_KEY_SIZE = 32 };

typedef struct {
    void
        *questions; /* owned: REP, asked by libzmq who may connect; NULL without keys */
    void *events;   /* owned: PAIR, hears of connections that failed; NULL: closed */
    void *guarded;  /* borrowed: the socket that listens; NULL: it tells nothing */
    uint8_t client[NBP_GATE_KEY_SIZE]; /* the one key that is let in, when there are */
} nbp_gate;

/* What has happened to a connection. */
typedef enum {
    NBP_GATE_DENIED, /* it was turned away */
    NBP_GATE_ENDED,  /* the other side has closed it, or died */
} nbp_gate_event;

/* Guards `socket`, of `context`, before it is bound. `client` is the Z85 text of the
 * one open key that is let in, with which the socket must be a server of CURVE; NULL
 * lets in everybody. False with errno set: nothing is guarded, and the gate must be
 * closed. */
bool nbp_gate_open(nbp_gate *self, void *context, void *socket, const char *client);

/* Answers one question that waits; does nothing when there is none. */
void nbp_gate_answer(nbp_gate *self);

/* The next event that has not been given yet, and the descriptor of its connection,
 * which may have become another's since; false: there is none. */
bool nbp_gate_next(nbp_gate *self, nbp_gate_event *event, int *connection);

/* Closes what is open; before the guarded socket is closed and the context ended. Once
 * more does nothing. */
void nbp_gate_close(nbp_gate *self);

#endif /* NBP_GATE_H */
