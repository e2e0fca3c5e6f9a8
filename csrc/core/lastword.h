/* SPDX-License-Identifier: BSD-3-Clause */
/* A moment before death: SIGTERM first writes a byte to a pipe, so that somebody can
 * send what there is to send and then raise it again; and when nobody does, it comes a
 * second time by itself and ends the process as it would have at first.
 *
 * `multiprocessing` ends the workers of a pool with SIGTERM as soon as their work is
 * done: without this, the last figures of every such worker would be lost.
 *
 * A process has one SIGTERM, hence one such moment. Functions may be called from any
 * thread, one at a time. */
#ifndef NBP_LASTWORD_H
#define NBP_LASTWORD_H

#include "status.h"

/* Takes SIGTERM over, if nobody else has: then it writes to `fd`, and the process ends
 * after `patience_ms` at the latest. Once more replaces both, also after a fork, which
 * inherits neither timer nor intent. NBP_UNAVAILABLE: somebody else handles or ignores
 * it, or the platform has no timers that send signals (it is left as it was). */
nbp_status nbp_lastword_take(int fd, int patience_ms);

/* Gives SIGTERM its usual meaning again, if it is still ours. */
void nbp_lastword_release(void);

#endif /* NBP_LASTWORD_H */
