/* SPDX-License-Identifier: BSD-3-Clause */
/* The counters of threads. They are the process's, as the allocators are, and never
 * taken down: threads may write to them at any time. */
#include "allocthreads.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* The youngest of a chain that only grows. */
static _Atomic(nbp_alloc_thread *) threads;
static pthread_key_t key; /* with `is_ready` */
static atomic_bool is_ready;

_Thread_local nbp_alloc_thread *nbp_alloc_running
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* For the threads that got no counters of their own: everything is handed through. */
static nbp_alloc_thread nobody = {.inside = true, .in_use = true};

static inline uint64_t
read_of(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* The counters stay what they are, for the next thread. */
static void
give_back(nbp_alloc_thread *thread)
{
    __atomic_store_n(&thread->ident, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&thread->in_use, false, __ATOMIC_RELEASE);
}

/* A thread has ended. */
static void
detach(void *arg)
{
    nbp_alloc_running = NULL;
    give_back(arg);
}

static uint64_t
own_ident(void)
{
    return (uint64_t)(uintptr_t)pthread_self();
}

/* The counters of a thread that lives or is awaited; NULL when it has none. */
static nbp_alloc_thread *
thread_of(uint64_t ident)
{
    nbp_alloc_thread *thread = atomic_load(&threads);
    while (thread != NULL &&
           __atomic_load_n(&thread->ident, __ATOMIC_ACQUIRE) != ident) {
        thread = thread->next;
    }
    return thread;
}

/* Anew, and nobody's yet; NULL without memory. */
static nbp_alloc_thread *
unused_thread(void)
{
    nbp_alloc_thread *thread = atomic_load(&threads);
    for (; thread != NULL; thread = thread->next) {
        if (!__atomic_exchange_n(&thread->in_use, true, __ATOMIC_ACQUIRE)) {
            thread->unseen = 0;
            thread->is_awaited = false;
            return thread;
        }
    }
    size_t size = (sizeof(*thread) + 63) / 64 * 64; /* whole cache lines */
    thread = aligned_alloc(64, size);
    if (thread == NULL) {
        return NULL;
    }
    memset(thread, 0, size);
    thread->in_use = true;
    thread->next = atomic_load(&threads);
    while (!atomic_compare_exchange_weak(&threads, &thread->next, thread)) {
    }
    return thread;
}

bool
nbp_alloc_threads_ready(void)
{
    if (atomic_load(&is_ready)) {
        return true;
    }
    if (pthread_key_create(&key, detach) != 0) {
        return false;
    }
    atomic_store(&is_ready, true);
    return true;
}

nbp_alloc_thread *
nbp_alloc_attach(void)
{
    uint64_t ident = own_ident();
    nbp_alloc_thread *thread = thread_of(ident);
    /* Otherwise it is of a parent's thread, in a fork. */
    if (thread == NULL || !thread->is_awaited) {
        thread = unused_thread();
    }
    if (thread == NULL) {
        return &nobody;
    }
    nbp_alloc_restart_peak(thread);
    thread->inside = false;
    thread->loading = false;
    thread->is_awaited = false;
    thread->resident = (nbp_rss_reading){0};
    __atomic_store_n(&thread->ident, ident, __ATOMIC_RELEASE);
    nbp_alloc_running = thread;
    if (atomic_load(&is_ready)) {
        (void)pthread_setspecific(key, thread);
    }
    return thread;
}

bool
nbp_alloc_threads_leave_out(uint64_t ident, bool leave_out)
{
    nbp_alloc_thread *thread = thread_of(ident);
    if (thread == NULL && leave_out) {
        thread = unused_thread();
        if (thread == NULL) {
            return false;
        }
        thread->is_awaited = true;
        __atomic_store_n(&thread->ident, ident, __ATOMIC_RELEASE);
    }
    if (leave_out) {
        (void)__atomic_fetch_add(&thread->unseen, NBP_UNSEEN_BY_OTHERS,
                                 __ATOMIC_RELAXED);
        return true;
    }
    /* A later thread of that ident has nothing to be taken back. */
    if (thread == NULL || thread->unseen < NBP_UNSEEN_BY_OTHERS) {
        return true;
    }
    (void)__atomic_fetch_sub(&thread->unseen, NBP_UNSEEN_BY_OTHERS, __ATOMIC_RELAXED);
    if (thread->is_awaited && thread->unseen == 0) {
        give_back(thread);
    }
    return true;
}

bool
nbp_alloc_is_nobody(const nbp_alloc_thread *thread)
{
    return thread == &nobody;
}

nbp_alloc_totals
nbp_alloc_threads_sum(void)
{
    nbp_alloc_totals sum = {0};
    const nbp_alloc_thread *thread = atomic_load(&threads);
    for (; thread != NULL; thread = thread->next) {
        sum.allocated_bytes += read_of(&thread->allocated_bytes);
        sum.allocated_blocks += read_of(&thread->allocated_blocks);
        sum.native_bytes += read_of(&thread->native_bytes);
        sum.native_blocks += read_of(&thread->native_blocks);
    }
    return sum;
}
