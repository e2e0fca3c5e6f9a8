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

/* A thread has ended: its counters stay what they are, for the next one. */
static void
detach(void *arg)
{
    nbp_alloc_thread *thread = arg;
    nbp_alloc_running = NULL;
    __atomic_store_n(&thread->in_use, false, __ATOMIC_RELEASE);
}

static nbp_alloc_thread *
unused_thread(void)
{
    nbp_alloc_thread *thread = atomic_load(&threads);
    for (; thread != NULL; thread = thread->next) {
        if (!__atomic_exchange_n(&thread->in_use, true, __ATOMIC_ACQUIRE)) {
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
    nbp_alloc_thread *thread = unused_thread();
    if (thread == NULL) {
        return &nobody;
    }
    nbp_alloc_restart_peak(thread);
    thread->inside = false;
    thread->loading = false;
    thread->unseen = false;
    nbp_alloc_running = thread;
    if (atomic_load(&is_ready)) {
        (void)pthread_setspecific(key, thread);
    }
    return thread;
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
