/* SPDX-License-Identifier: BSD-3-Clause */
/* Who wants to know what is allocated. Hooks are in Python's three allocators
 * (allocators.h) while at least one nbp_alloc_use is open; what they book
 * (allocnotes.h) is what the most demanding one asks for: 4 ns an allocation to count,
 * 20 to 50 with sizes of what is freed and the peak, some 30 more by place. They are
 * the process's, as the allocators are: any number of uses may be open at once. Under
 * another tool's hooks (tracemalloc) they stay in place when the last use is closed,
 * and hand everything through. A line engine reads its thread's counters in place
 * (allocthreads.h). */
#ifndef NBP_ALLOCHOOKS_H
#define NBP_ALLOCHOOKS_H

#include <Python.h>

#include <stdbool.h>
#include <stdint.h>

#include "allocnotes.h"
#include "allocthreads.h"
#include "rss.h"

/* One use of the hooks; part of its owner. All zero is a closed one. */
typedef struct nbp_alloc_use {
    struct nbp_alloc_use *next; /* borrowed: the other open ones */
    nbp_alloc_level level;
    uint32_t frames; /* of each place, with SITES */
    bool native;     /* libraries too, see native.h */
    bool open;
    bool displaced;      /* another tool has taken the hooks out meanwhile */
    nbp_measure measure; /* from EXACT on */
    nbp_alloc_totals at_open, at_close; /* of all threads, with COUNTS */
} nbp_alloc_use;

/* Opens `use` with the level, frames and native that are set in it, everything at 0.
 * 0, or -1 with an exception set. The GIL is held, here and below. */
int nbp_alloc_use_open(nbp_alloc_use *use);

/* Closes it; what it has counted stays. Cannot fail; does nothing to a closed one. */
void nbp_alloc_use_close(nbp_alloc_use *use);

/* Closes it and frees what it has counted. */
void nbp_alloc_use_free(nbp_alloc_use *use);

/* What it has counted until now, or until it was closed. */
nbp_alloc_totals nbp_alloc_use_totals(nbp_alloc_use *use);

/* From here on nothing counts what the running thread allocates, until it ends or this
 * is taken back: it works for whoever measures. Blocks of other threads that it frees
 * are freed for everybody. 0, or -1 with an exception set. */
int nbp_alloc_leave_out(bool leave_out);

/* The same for another thread, by its threading.get_ident(), until it ends or this is
 * taken back as often as it was asked for. */
int nbp_alloc_leave_out_other(uint64_t ident, bool leave_out);

/* Where all uses are counted together. */
nbp_alloctable_t *nbp_alloc_table(void);

/* Whose peaks are not to contain our tables; NULL for nobody's. */
void nbp_alloc_discount_from(nbp_rss_t *rss);

/* Resident as the running thread, whose counters these are, has left it, in bytes; 0
 * where there is none or it is not known. See nbp_rss_again_bytes(). */
int64_t nbp_alloc_resident_bytes(nbp_alloc_thread *thread);

#endif /* NBP_ALLOCHOOKS_H */
