/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory of this process that is resident, now and at its highest.
 *
 * The highest is exact where the kernel lets a process reset its high-water mark (write
 * 5 to /proc/self/clear_refs, read VmHWM of /proc/self/status: 6 us), be the peak a
 * microsecond long; else a thread looks every millisecond, and nbp_rss_how() says so.
 * There is one mark to the process: all open peaks share it, and before each reset what
 * it says is kept for every one of them, so they may overlap in any way.
 *
 * Thread-safe; no function allocates but for the first use of the fallback. After a
 * fork it goes on in the child with the child's files. */
#ifndef NBP_RSS_H
#define NBP_RSS_H

#include <stdbool.h>
#include <stdint.h>

#include "status.h"

typedef struct nbp_rss nbp_rss_t;

/* One measurement of a highest; part of its owner, who leaves the fields to us. */
typedef struct nbp_rss_peak {
    int64_t start_bytes;       /* resident at begin() */
    int64_t peak_bytes;        /* the most since begin() or the last lap() */
    struct nbp_rss_peak *next; /* borrowed: the other open ones */
    bool open;
} nbp_rss_peak;

/* What a thread has read last; part of its owner, who leaves the fields to us. All
 * zero: nothing yet. */
typedef struct {
    int64_t bytes;
    int64_t ticks; /* when, see ticks.h */
} nbp_rss_reading;

/* `sampled`: use the fallback also where the kernel's mark can be reset. NULL only
 * without memory. */
nbp_rss_t *nbp_rss_new(bool sampled);

/* NULL-safe; sets the pointer to NULL. No peak may be open. */
void nbp_rss_destroy(nbp_rss_t **self_p);

/* Resident now, in bytes; -1 where that is not known. 0.6 us. */
int64_t nbp_rss_now_bytes(nbp_rss_t *self);

/* The same for a thread that asks at every line, with its own `last`. Whatever changes
 * what is resident takes the kernel some time. Where less than that has passed since
 * the last reading, it is still true as far as this thread is concerned, and given
 * again: 20 ns. What other threads do meanwhile shows that much later, which is less
 * than a reading takes. */
int64_t nbp_rss_again_bytes(nbp_rss_t *self, nbp_rss_reading *last);

/* Opens a peak. NBP_UNAVAILABLE: not known here; NBP_NO_MEMORY: the fallback could not
 * start; NBP_INVALID: it is open already. About 7 us. */
nbp_status nbp_rss_begin(nbp_rss_t *self, nbp_rss_peak *peak);

/* The most resident since begin() or the last lap(), in bytes. About 5 us. */
int64_t nbp_rss_read(nbp_rss_t *self, nbp_rss_peak *peak);

/* The same, and starts again from now: what a line engine does between two lines. */
int64_t nbp_rss_lap(nbp_rss_t *self, nbp_rss_peak *peak);

/* The same as read, and closes the peak, whose fields stay. */
int64_t nbp_rss_end(nbp_rss_t *self, nbp_rss_peak *peak);

/* Memory of our own that the tools will hold from now on, such as the tables of the
 * allocator hooks, is not the program's: it is left out of what the open peaks and
 * nbp_rss_now_bytes() say. To be called with `more` bytes once they are touched (or
 * less than 0 once they are given back), and with 0 just before they begin to be, so
 * that the mark until then is kept. */
void nbp_rss_discount(nbp_rss_t *self, int64_t more);

/* How the highest is found, in words: borrowed, lives as long as `self`. */
const char *nbp_rss_how(nbp_rss_t *self);

/* True when the highest is the kernel's own mark. */
bool nbp_rss_is_exact(nbp_rss_t *self);

#endif /* NBP_RSS_H */
