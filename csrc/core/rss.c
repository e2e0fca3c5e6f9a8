/* SPDX-License-Identifier: BSD-3-Clause */
#include "rss.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pagetime.h"
#include "process.h"
#include "rsssampler.h"
#include "ticks.h"

enum {
    STATUS_SIZE = 4096,
    HOW_SIZE = 160,
    SAMPLING_NS = 1000000,
    /* A mark so far above what is resident right after a reset was not reset. */
    NOT_RESET = 4 << 20,
};

/* A file that is kept open, and what it was when we opened it: the number may belong to
 * something else by now, if the program closes what it does not know. */
typedef struct {
    int fd; /* -1: closed */
    dev_t device;
    ino_t inode;
} kept_file;

struct nbp_rss {
    pthread_mutex_t mutex; /* guards all below but `statm`, which is only replaced, and
                              the times */
    pid_t owner;
    long page_bytes;
    kept_file statm, status;
    bool probed; /* it is known whether the mark can be reset */
    bool exact;  /* it can */
    int64_t own_bytes;
    nbp_rss_peak *open;        /* borrowed: the open peaks */
    nbp_rsssampler_t *sampler; /* owned; while a peak is open without the mark */
    /* In less ticks nothing that is resident changes; below 0: not measured yet. */
    atomic_llong unchanged_ticks;
    bool has_counter; /* written before it */
    char how[HOW_SIZE];
};

static void
keep(kept_file *file, const char *path)
{
    struct stat is;
    file->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (file->fd >= 0 && fstat(file->fd, &is) == 0) {
        file->device = is.st_dev;
        file->inode = is.st_ino;
    }
}

static void
let_go(kept_file *file)
{
    struct stat is;
    if (file->fd >= 0 && fstat(file->fd, &is) == 0 && is.st_dev == file->device &&
        is.st_ino == file->inode) {
        close(file->fd);
    }
    file->fd = -1;
}

static void
open_files(nbp_rss_t *self)
{
    self->owner = getpid();
    keep(&self->statm, "/proc/self/statm");
    keep(&self->status, "/proc/self/status");
}

nbp_rss_t *
nbp_rss_new(bool sampled)
{
    nbp_rss_t *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return NULL;
    }
    pthread_mutex_init(&self->mutex, NULL);
    self->page_bytes = sysconf(_SC_PAGESIZE);
    atomic_init(&self->unchanged_ticks, -1);
    open_files(self);
    if (sampled) {
        self->probed = true;
        snprintf(self->how, sizeof(self->how), "sampled every ms, as asked for");
    }
    return self;
}

void
nbp_rss_destroy(nbp_rss_t **self_p)
{
    nbp_rss_t *self = *self_p;
    if (self == NULL) {
        return;
    }
    nbp_rsssampler_destroy(&self->sampler);
    let_go(&self->statm);
    let_go(&self->status);
    pthread_mutex_destroy(&self->mutex);
    free(self);
    *self_p = NULL;
}

/* Makes the files those of this process, and the fallback's thread too. */
static void
renew(nbp_rss_t *self)
{
    let_go(&self->statm);
    let_go(&self->status);
    open_files(self);
}

/* -1 when what `fd` holds is no statm. */
static int64_t
parse_statm(const nbp_rss_t *self, const char *text)
{
    char *end, *rest;
    long long size = strtoll(text, &end, 10);
    long long resident = strtoll(end, &rest, 10);
    return size > 0 && rest != end && *end == ' ' && *rest == ' '
               ? resident * (int64_t)self->page_bytes
               : -1;
}

/* The files are this process's: every entry has called adopt(). */
static int64_t
now(nbp_rss_t *self)
{
    char text[128];
    for (int attempt = 0; attempt < 2; attempt++) {
        if (nbp_process_read(self->statm.fd, text, sizeof(text)) > 0) {
            int64_t bytes = parse_statm(self, text);
            if (bytes >= 0) {
                return bytes - self->own_bytes;
            }
        }
        renew(self);
    }
    return -1;
}

/* The kernel's mark; -1 when it says none. */
static int64_t
mark(nbp_rss_t *self)
{
    char text[STATUS_SIZE];
    for (int attempt = 0; attempt < 2; attempt++) {
        if (nbp_process_read(self->status.fd, text, sizeof(text)) > 0) {
            int64_t bytes = nbp_process_field(text, "VmHWM:");
            if (bytes >= 0) {
                return bytes - self->own_bytes;
            }
        }
        renew(self);
    }
    return -1;
}

/* The file is opened anew each time: a number that the program has closed and opened
 * again must not be written to. 0 or an errno. */
static int
reset_mark(void)
{
    int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno;
    }
    int error = write(fd, "5", 1) == 1 ? 0 : errno;
    close(fd);
    return error;
}

/* Finds out, once, whether the mark can be reset. */
static void
probe(nbp_rss_t *self)
{
    if (self->probed) {
        return;
    }
    self->probed = true;
    int error = reset_mark();
    if (error == ENOENT && access("/proc/self/statm", R_OK) != 0) {
        snprintf(self->how, sizeof(self->how), "not known: there is no /proc");
        return;
    }
    if (error != 0) {
        snprintf(self->how, sizeof(self->how),
                 "sampled every ms: /proc/self/clear_refs: %s", strerror(error));
        return;
    }
    int64_t after = mark(self);
    if (after < 0 || after > now(self) + NOT_RESET) {
        snprintf(self->how, sizeof(self->how),
                 "sampled every ms: the kernel's high-water mark %s",
                 after < 0 ? "is missing" : "does not reset");
        return;
    }
    self->exact = true;
    snprintf(self->how, sizeof(self->how), "the kernel's high-water mark");
}

/* Keeps for all open peaks what was the most until now. */
static void
fold(nbp_rss_t *self)
{
    int64_t most = self->exact ? mark(self) : now(self);
    if (!self->exact && self->sampler != NULL) {
        int64_t seen = nbp_rsssampler_peak(self->sampler, 1) - self->own_bytes;
        most = seen > most ? seen : most;
    }
    for (nbp_rss_peak *peak = self->open; peak != NULL; peak = peak->next) {
        if (most > peak->peak_bytes) {
            peak->peak_bytes = most;
        }
    }
}

/* From here on what was before no longer counts; fold() comes first. */
static void
restart(nbp_rss_t *self)
{
    if (self->exact) {
        (void)reset_mark();
    }
    else if (self->sampler != NULL) {
        (void)nbp_rsssampler_peak(self->sampler, 1);
    }
}

/* Sees to it that the fallback's thread runs when there is one to be; in a forked child
 * it has to be started again. */
static nbp_status
ensure_sampler(nbp_rss_t *self, bool forked)
{
    if (self->exact) {
        return NBP_OK;
    }
    if (forked) {
        nbp_rsssampler_destroy(&self->sampler);
    }
    if (self->sampler != NULL) {
        return NBP_OK;
    }
    nbp_rsssampler_options options = {.interval_ns = SAMPLING_NS, .capacity = 2};
    nbp_status status;
    int error;
    self->sampler = nbp_rsssampler_new(&options, &status, &error);
    return status;
}

/* In a forked child the files and the thread are the parent's. */
static void
adopt(nbp_rss_t *self)
{
    if (self->owner != getpid()) {
        renew(self);
        if (self->open != NULL) {
            (void)ensure_sampler(self, true);
        }
        else {
            nbp_rsssampler_destroy(&self->sampler);
        }
    }
}

int64_t
nbp_rss_now_bytes(nbp_rss_t *self)
{
    pthread_mutex_lock(&self->mutex);
    adopt(self);
    int64_t bytes = now(self);
    pthread_mutex_unlock(&self->mutex);
    return bytes;
}

int64_t
nbp_rss_again_bytes(nbp_rss_t *self, nbp_rss_reading *last)
{
    long long unchanged = atomic_load(&self->unchanged_ticks);
    if (unchanged > 0 && last->ticks != 0) {
        int64_t passed = nbp_ticks_now(self->has_counter) - last->ticks;
        if (passed >= 0 && passed < unchanged) {
            return last->bytes;
        }
    }
    pthread_mutex_lock(&self->mutex);
    adopt(self);
    if (unchanged < 0 && atomic_load(&self->unchanged_ticks) < 0) {
        self->has_counter = nbp_ticks_has_counter();
        atomic_store(&self->unchanged_ticks, nbp_pagetime_least(self->has_counter));
    }
    last->bytes = now(self);
    pthread_mutex_unlock(&self->mutex);
    /* Behind the reading: what comes after it is what counts. */
    last->ticks = nbp_ticks_now(self->has_counter);
    return last->bytes;
}

nbp_status
nbp_rss_begin(nbp_rss_t *self, nbp_rss_peak *peak)
{
    if (peak->open) {
        return NBP_INVALID;
    }
    pthread_mutex_lock(&self->mutex);
    adopt(self);
    probe(self);
    fold(self);
    nbp_status status = ensure_sampler(self, false);
    int64_t bytes = now(self);
    if (status == NBP_OK && bytes < 0) {
        status = NBP_UNAVAILABLE;
    }
    if (status == NBP_OK) {
        restart(self);
        *peak = (nbp_rss_peak){
            .start_bytes = bytes,
            .peak_bytes = bytes,
            .next = self->open,
            .open = true,
        };
        self->open = peak;
    }
    pthread_mutex_unlock(&self->mutex);
    return status;
}

int64_t
nbp_rss_read(nbp_rss_t *self, nbp_rss_peak *peak)
{
    pthread_mutex_lock(&self->mutex);
    adopt(self);
    if (peak->open) {
        fold(self);
    }
    int64_t bytes = peak->peak_bytes;
    pthread_mutex_unlock(&self->mutex);
    return bytes;
}

int64_t
nbp_rss_lap(nbp_rss_t *self, nbp_rss_peak *peak)
{
    pthread_mutex_lock(&self->mutex);
    adopt(self);
    int64_t bytes = peak->peak_bytes;
    if (peak->open) {
        fold(self);
        bytes = peak->peak_bytes;
        restart(self);
        peak->peak_bytes = now(self);
    }
    pthread_mutex_unlock(&self->mutex);
    return bytes;
}

int64_t
nbp_rss_end(nbp_rss_t *self, nbp_rss_peak *peak)
{
    nbp_rsssampler_t *idle = NULL;
    pthread_mutex_lock(&self->mutex);
    adopt(self);
    if (peak->open) {
        fold(self);
        nbp_rss_peak **place = &self->open;
        while (*place != peak) {
            place = &(*place)->next;
        }
        *place = peak->next;
        peak->next = NULL;
        peak->open = false;
        if (self->open == NULL) {
            idle = self->sampler;
            self->sampler = NULL;
        }
    }
    int64_t bytes = peak->peak_bytes;
    pthread_mutex_unlock(&self->mutex);
    nbp_rsssampler_destroy(&idle);
    return bytes;
}

void
nbp_rss_discount(nbp_rss_t *self, int64_t more)
{
    pthread_mutex_lock(&self->mutex);
    if (self->open != NULL && more == 0) {
        fold(self);
    }
    self->own_bytes += more;
    if (self->open != NULL && more != 0) {
        restart(self);
    }
    pthread_mutex_unlock(&self->mutex);
}

const char *
nbp_rss_how(nbp_rss_t *self)
{
    pthread_mutex_lock(&self->mutex);
    probe(self);
    pthread_mutex_unlock(&self->mutex);
    return self->how;
}

bool
nbp_rss_is_exact(nbp_rss_t *self)
{
    (void)nbp_rss_how(self);
    return self->exact;
}
