/* SPDX-License-Identifier: BSD-3-Clause */
/* What child processes send to the process that profiles them, over ZeroMQ. */
#ifndef NBP_COLLECTOR_H
#define NBP_COLLECTOR_H

/* Writes the version of the libzmq that is loaded (not the one compiled against). */
void nbp_collector_zmq_version(int *major, int *minor, int *patch);

#endif /* NBP_COLLECTOR_H */
