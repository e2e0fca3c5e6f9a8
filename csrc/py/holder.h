/* SPDX-License-Identifier: BSD-3-Clause */
/* The thread that runs, for what happens every 20 ns: a fifth of an event is asking the
 * interpreter for it where that takes two calls between libraries. Who has the GIL is
 * that thread, and is read where the interpreter keeps it. */
#ifndef NBP_HOLDER_H
#define NBP_HOLDER_H

#include "compat.h"

#ifdef NBP_GIL_HOLDER
/* Of the process, as the GIL is; the place is there as long as the interpreter, or
 * holds NULL for ever. Written by nbp_holder_find() only. */
extern PyThreadState *const volatile *nbp_holder __attribute__((visibility("hidden")));
#endif

/* Finds the place, and checks it with the thread that calls: before events, with the
 * GIL. */
void nbp_holder_find(void);

/* The running thread; NULL when it takes a call to find out. With the GIL. */
static inline const PyThreadState *
nbp_thread_at_once(void)
{
#ifdef NBP_GIL_HOLDER
    return *nbp_holder;
#else
    return nbp_thread_state();
#endif
}

/* The running thread, with the GIL. */
static inline PyThreadState *
nbp_thread_of_event(void)
{
#ifdef NBP_GIL_HOLDER
    PyThreadState *thread = *nbp_holder;
    return thread != NULL ? thread : nbp_thread_state();
#else
    return nbp_thread_state();
#endif
}

#endif /* NBP_HOLDER_H */
