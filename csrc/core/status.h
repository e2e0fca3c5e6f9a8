/* SPDX-License-Identifier: BSD-3-Clause */
/* What the core's functions return: 0, or one of these negative numbers. */
#ifndef NBP_STATUS_H
#define NBP_STATUS_H

typedef enum {
    NBP_OK = 0,
    NBP_NO_MEMORY = -1,
    NBP_UNAVAILABLE = -2, /* the kernel, the platform or a library cannot do it */
    NBP_INVALID = -3,     /* an argument is out of its range */
    NBP_TIMEOUT = -4,     /* the time that was allowed for it is over */
    NBP_CRASHED = -5,     /* a helper process ended before it had answered */
} nbp_status;

#endif /* NBP_STATUS_H */
