/* SPDX-License-Identifier: BSD-3-Clause */
#include "rsssampler.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "process.h"

enum {
    SHORTEST_NS = 100000,
};

struct nbp_rsssampler {
    nbp_rsssampler_options options;
    pid_t owner; /* the process whose thread it is */
    pid_t pid;
    pthread_t thread;
    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t wake;
    bool stopping;
    bool running;
    int64_t start_ns;
    int64_t span_ns;         /* that one sample stands for */
    nbp_rss_sample *samples; /* owned; options.capacity of them */
    size_t count;
    int64_t peak_bytes;
    uint64_t taken, failed;
};

static int
reading(nbp_rsssampler_t *self, int64_t *bytes)
{
    size_t processes;
    if (self->options.children) {
        return nbp_process_tree_pss(self->pid, bytes, &processes);
    }
    return nbp_process_rss(self->pid, bytes);
}

/* Makes one sample of each two. */
static void
halve(nbp_rsssampler_t *self)
{
    size_t kept = 0;
    for (size_t i = 0; i < self->count; i += 2) {
        nbp_rss_sample sample = self->samples[i];
        if (i + 1 < self->count && self->samples[i + 1].bytes > sample.bytes) {
            sample = self->samples[i + 1];
        }
        self->samples[kept++] = sample;
    }
    self->count = kept;
    self->span_ns *= 2;
}

/* Takes a reading into the table; the mutex is held, but not while reading. */
static void
sample(nbp_rsssampler_t *self)
{
    int64_t bytes = 0;
    pthread_mutex_unlock(&self->mutex);
    int64_t time_ns = nbp_clock_now_ns(NBP_CLOCK_WALL) - self->start_ns;
    int error = reading(self, &bytes);
    pthread_mutex_lock(&self->mutex);
    self->taken++;
    if (error != 0) {
        self->failed++;
        return;
    }
    if (bytes > self->peak_bytes) {
        self->peak_bytes = bytes;
    }
    nbp_rss_sample *last = self->count > 0 ? &self->samples[self->count - 1] : NULL;
    if (last != NULL && time_ns / self->span_ns == last->time_ns / self->span_ns) {
        if (bytes > last->bytes) {
            *last = (nbp_rss_sample){time_ns, bytes};
        }
        return;
    }
    if (self->count == self->options.capacity) {
        halve(self);
    }
    self->samples[self->count++] = (nbp_rss_sample){time_ns, bytes};
}

static void *
run(void *arg)
{
    nbp_rsssampler_t *self = arg;
    pthread_mutex_lock(&self->mutex);
    while (!self->stopping) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        int64_t ns = until.tv_nsec + self->options.interval_ns;
        until.tv_sec += ns / 1000000000;
        until.tv_nsec = ns % 1000000000;
        int waited = 0;
        while (!self->stopping && waited != ETIMEDOUT) {
            waited = pthread_cond_timedwait(&self->wake, &self->mutex, &until);
        }
        if (!self->stopping) {
            sample(self);
        }
    }
    pthread_mutex_unlock(&self->mutex);
    return NULL;
}

/* The thread takes no signal: they are the program's. */
static int
start_thread(nbp_rsssampler_t *self)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&self->thread, NULL, run, self);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

static void
init_locks(nbp_rsssampler_t *self)
{
    pthread_condattr_t monotonic;
    pthread_mutex_init(&self->mutex, NULL);
    pthread_condattr_init(&monotonic);
#ifdef __linux__
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
#endif
    pthread_cond_init(&self->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

nbp_rsssampler_t *
nbp_rsssampler_new(const nbp_rsssampler_options *options, nbp_status *status,
                   int *error)
{
    *status = NBP_INVALID;
    *error = 0;
    if (options->interval_ns < SHORTEST_NS || options->capacity < 2 ||
        options->capacity > SIZE_MAX / sizeof(nbp_rss_sample)) {
        return NULL;
    }
    *status = NBP_NO_MEMORY;
    nbp_rsssampler_t *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return NULL;
    }
    self->options = *options;
    self->owner = getpid();
    self->pid = options->pid == 0 ? self->owner : options->pid;
    self->span_ns = options->interval_ns;
    self->samples = calloc(options->capacity, sizeof(*self->samples));
    init_locks(self);
    if (self->samples == NULL) {
        goto fail;
    }
    int64_t bytes = 0;
    self->start_ns = nbp_clock_now_ns(NBP_CLOCK_WALL);
    *error = reading(self, &bytes);
    if (*error != 0) {
        *status = NBP_UNAVAILABLE;
        goto fail;
    }
    self->samples[self->count++] = (nbp_rss_sample){0, bytes};
    self->peak_bytes = bytes;
    self->taken = 1;
    if (start_thread(self) != 0) {
        goto fail;
    }
    self->running = true;
    *status = NBP_OK;
    return self;
fail:
    nbp_rsssampler_destroy(&self);
    return NULL;
}

void
nbp_rsssampler_stop(nbp_rsssampler_t *self)
{
    if (!self->running) {
        return;
    }
    self->running = false;
    if (self->owner != getpid()) {
        return; /* forked: the thread is the parent's, and so may be the lock */
    }
    pthread_mutex_lock(&self->mutex);
    self->stopping = true;
    sample(self);
    pthread_cond_signal(&self->wake);
    pthread_mutex_unlock(&self->mutex);
    pthread_join(self->thread, NULL);
}

void
nbp_rsssampler_destroy(nbp_rsssampler_t **self_p)
{
    nbp_rsssampler_t *self = *self_p;
    if (self == NULL) {
        return;
    }
    nbp_rsssampler_stop(self);
    if (self->owner == getpid()) {
        pthread_cond_destroy(&self->wake);
        pthread_mutex_destroy(&self->mutex);
    }
    free(self->samples);
    free(self);
    *self_p = NULL;
}

/* After a fork the lock may be held for ever by a thread that is not there. */
static bool
lock(nbp_rsssampler_t *self)
{
    if (self->owner != getpid()) {
        return false;
    }
    pthread_mutex_lock(&self->mutex);
    return true;
}

static void
unlock(nbp_rsssampler_t *self, bool locked)
{
    if (locked) {
        pthread_mutex_unlock(&self->mutex);
    }
}

int64_t
nbp_rsssampler_peak(nbp_rsssampler_t *self, int clear)
{
    bool locked = lock(self);
    int64_t peak = self->peak_bytes;
    if (clear) {
        self->peak_bytes = 0;
    }
    unlock(self, locked);
    return peak;
}

size_t
nbp_rsssampler_samples(nbp_rsssampler_t *self, nbp_rss_sample *samples, size_t room)
{
    bool locked = lock(self);
    size_t count = self->count < room ? self->count : room;
    for (size_t i = 0; i < count; i++) {
        samples[i] = self->samples[i];
    }
    unlock(self, locked);
    return count;
}

void
nbp_rsssampler_readings(nbp_rsssampler_t *self, uint64_t *taken, uint64_t *failed)
{
    bool locked = lock(self);
    *taken = self->taken;
    *failed = self->failed;
    unlock(self, locked);
}
