/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "sampler.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"

enum {
    MOST_ALIVE = 1 << 14, /* threads */
    MOST_AHEAD = 64,      /* whose heads are read in one go */
    ATTEMPTS = 4,
    STACK = 512 * 1024,
    SHARE = 50,           /* one part in so many of a processor, as a rule */
    HEAD_START = 5000000, /* ns of its own that are free, once */
};

struct nbp_sampler {
    pid_t pid;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool running;  /* the thread exists and has not been joined */
    bool stopping; /* under the lock */
    bool started;
    nbp_peek *peek;     /* owned; of the sampling thread */
    nbp_codebook *book; /* owned */
    nbp_interpreter_layout layout;
    uintptr_t interpreter;
    int64_t period_ns;
    int64_t share; /* of a processor, at most one part in so many */
    uint64_t base_thread;
    uintptr_t base;
    uint64_t random;
    int64_t started_ns;
    nbp_sampler_stats stats;
    nbp_sampletree tree;         /* owned */
    uintptr_t alive[MOST_AHEAD]; /* threads of the last look */
    size_t n_alive;
    unsigned char heads[MOST_AHEAD][NBP_LAYOUT_HEAD];
    /* Of the stack that is being read. */
    nbp_stack_view stack, later;
    uint32_t numbers[NBP_STACK_DEPTH];
    int32_t units[NBP_STACK_DEPTH];
};

/* ---- a look at one thread ---- */

/* Processor time of a thread by the kernel's number; -1 when it is gone. The clock's
 * number is what pthread_getcpuclockid would make, which needs a living thread. */
static int64_t
processor_time(uint64_t tid)
{
    struct timespec time;
    clockid_t clock = (clockid_t)((~(uint32_t)tid << 3) | 6);
    if (tid == 0 || clock_gettime(clock, &time) != 0) {
        return -1;
    }
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* Whether the thread has not run since it was last met: its stack is the same then. */
static bool
has_stood(nbp_sampled_thread *thread, const nbp_thread_view *view)
{
    int64_t cpu = processor_time(view->tid);
    if (cpu < 0) {
        thread->cpu_last = -1;
        return false;
    }
    if (thread->cpu_first < 0) {
        thread->cpu_first = cpu;
    }
    bool stood = cpu == thread->cpu_last;
    thread->cpu_last = cpu;
    thread->cpu_ns = cpu - thread->cpu_first;
    return stood;
}

/* Whether a thread could run and has no processor: some other process has it. */
static bool
is_queued(uint64_t tid)
{
    char path[64], text[256];
    snprintf(path, sizeof(path), "/proc/self/task/%llu/stat", (unsigned long long)tid);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return false;
    }
    ssize_t size = read(file, text, sizeof(text) - 1);
    close(file);
    text[size > 0 ? size : 0] = '\0';
    /* "17 (name) R ...": the name may hold anything. */
    const char *name_end = strrchr(text, ')');
    return name_end != NULL && strncmp(name_end, ") R", 3) == 0;
}

/* Whether the stack hangs together, as far as can be seen. */
static bool
is_plausible(const nbp_stack_view *stack, uintptr_t base, nbp_sampled_thread *thread)
{
    if (stack->cut || stack->based || stack->depth == 0) {
        return true;
    }
    uintptr_t outermost = stack->frames[stack->depth - 1].address;
    bool familiar = thread->outermost == outermost;
    thread->outermost = outermost;
    /* Without the base it is another stack of the same thread (a greenlet), unless it
     * was seen only once. */
    return base == 0 || familiar;
}

/* Puts below a generator that was suspended meanwhile what its thread runs now. Samples
 * of generators would be missing if those were refused that are cut off their callers:
 * they are suspended that often. */
static void
moor(nbp_sampler *self, uintptr_t thread, uintptr_t base)
{
    for (int i = 0; self->stack.adrift && i < ATTEMPTS; i++) {
        nbp_thread_view view;
        nbp_peek_forget(self->peek);
        if (nbp_stacks_thread(self->peek, &self->layout, self->interpreter, thread,
                              &view) == 0 &&
            nbp_stacks_read(self->peek, &self->layout, view.frame, base,
                            &self->later) == 0) {
            nbp_stacks_moor(&self->stack, &self->later);
        }
    }
}

/* Reads the stack of a thread and what its frames run; 0, or -1 when it changed. */
static int
read_stack(nbp_sampler *self, const nbp_thread_view *view, uintptr_t base,
           nbp_sampled_thread *thread)
{
    nbp_stack_view *stack = &self->stack;
    if (nbp_stacks_read(self->peek, &self->layout, view->frame, base, stack) < 0) {
        return -1;
    }
    moor(self, view->address, base);
    if (stack->adrift || !is_plausible(stack, base, thread)) {
        return -1;
    }
    return nbp_codebook_read(self->book, self->peek, &self->layout, stack,
                             self->numbers, self->units);
}

static void
look_at_stack(nbp_sampler *self, uint32_t place, const nbp_thread_view *view,
              int64_t now)
{
    nbp_sampled_thread *thread = &self->tree.threads[place];
    nbp_stack_view *stack = &self->stack;
    uintptr_t base = view->id == self->base_thread ? self->base : 0;
    nbp_thread_view current = *view;
    thread->last_node = NBP_NO_FUNCTION;
    int status = read_stack(self, &current, base, thread);
    for (int i = 1; status < 0 && i < ATTEMPTS; i++) {
        nbp_peek_forget(self->peek);
        if (nbp_stacks_thread(self->peek, &self->layout, self->interpreter,
                              view->address, &current) == 0) {
            status = read_stack(self, &current, base, thread);
        }
    }
    if (status < 0) {
        thread->torn++;
        /* The next look has to be a real one. */
        thread->cpu_last = -1;
        return;
    }
    if (stack->depth == 0) {
        return; /* nothing above the base */
    }
    const nbp_frame_view *inner = &stack->frames[0];
    uint64_t here = inner->address * 31 + inner->instruction;
    thread->moved |= thread->place != 0 && thread->place != here;
    thread->place = here;
    nbp_sampletree_add(&self->tree, place, self->book, self->numbers, stack->depth,
                       stack->cut, self->units[0], now);
}

static void
look_at_thread(nbp_sampler *self, const nbp_thread_view *view, int64_t now)
{
    uint32_t place = nbp_sampletree_thread(&self->tree, view, now);
    if (view->frame == 0 || place == NBP_NO_FUNCTION) {
        return;
    }
    nbp_sampled_thread *thread = &self->tree.threads[place];
    thread->last_ns = now;
    if (!has_stood(thread, view)) {
        thread->stood = false;
        look_at_stack(self, place, view, now);
        return;
    }
    if (!thread->stood) {
        thread->stood = true;
        thread->queued = is_queued(view->tid);
    }
    if (!thread->queued) {
        nbp_sampletree_repeat(&self->tree, place, now);
    }
    else if (thread->last_node != NBP_NO_FUNCTION) {
        thread->preempted++;
    }
}

/* One look at all threads. */
static void
look(nbp_sampler *self)
{
    int64_t now = nbp_clock_now_ns(NBP_CLOCK_WALL);
    self->stats.rounds++;
    size_t known = nbp_stacks_heads(self->peek, &self->layout, self->alive,
                                    self->n_alive, &self->heads[0][0]);
    uintptr_t address = nbp_stacks_first(self->peek, &self->layout, self->interpreter);
    for (size_t i = 0; address != 0; i++) {
        nbp_thread_view view;
        nbp_peek_forget(self->peek);
        /* Threads come in the same order as a rule. */
        bool ahead = i < MOST_AHEAD && i < known && self->alive[i] == address;
        int status =
            ahead ? nbp_stacks_thread_of(self->peek, &self->layout, self->interpreter,
                                         address, self->heads[i], &view)
                  : nbp_stacks_thread(self->peek, &self->layout, self->interpreter,
                                      address, &view);
        if (i == MOST_ALIVE || status < 0) {
            self->stats.torn++;
            self->n_alive = 0;
            return;
        }
        if (i < MOST_AHEAD) {
            self->alive[i] = address;
            self->n_alive = i + 1;
        }
        look_at_thread(self, &view, now);
        address = view.next;
    }
}

/* ---- the thread ---- */

/* Between half and one and a half of the period: a program that does something every
 * millisecond is not always met at the same point of it. */
static int64_t
next_interval(nbp_sampler *self)
{
    self->random ^= self->random << 13;
    self->random ^= self->random >> 7;
    self->random ^= self->random << 17;
    int64_t period = self->period_ns;
    /* Code that is met for the first time is dear, and there is much of it at the
     * beginning: a short program would hardly be looked at for that. */
    int64_t cost = self->stats.cost_ns - HEAD_START;
    int64_t affordable =
        cost <= 0 ? 0 : self->share * cost / (int64_t)(self->stats.rounds + 1);
    if (affordable > period) {
        self->stats.slowed = true;
        period = affordable;
    }
    return period / 2 + (int64_t)(self->random % (uint64_t)(period + 1));
}

/* Waits until `due`; the lock is free meanwhile. */
static void
wait_until(nbp_sampler *self, int64_t due)
{
    struct timespec time = {due / 1000000000, due % 1000000000};
    int status = 0;
    while (!self->stopping && status != ETIMEDOUT) {
        status = pthread_cond_timedwait(&self->wake, &self->lock, &time);
        if (status != 0 && status != ETIMEDOUT) {
            return;
        }
    }
}

static void *
run(void *argument)
{
    nbp_sampler *self = argument;
    pthread_setname_np(pthread_self(), "nbprobe sampler"); /* as top -H shows it */
    pthread_mutex_lock(&self->lock);
    self->stats.cost_ns = 0;
    int64_t spent = nbp_clock_now_ns(NBP_CLOCK_THREAD_CPU);
    int64_t due = nbp_clock_now_ns(NBP_CLOCK_WALL);
    while (true) {
        int64_t interval = next_interval(self);
        due += interval;
        int64_t now = nbp_clock_now_ns(NBP_CLOCK_WALL);
        if (due < now) {
            self->stats.skipped += (uint64_t)((now - due) / self->period_ns);
            due = now;
        }
        wait_until(self, due);
        if (self->stopping) {
            break;
        }
        look(self);
        self->stats.cost_ns = nbp_clock_now_ns(NBP_CLOCK_THREAD_CPU) - spent;
    }
    self->stats.ran_ns = nbp_clock_now_ns(NBP_CLOCK_WALL) - self->started_ns;
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

static int
create_thread(nbp_sampler *self)
{
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0) {
        return -1;
    }
    /* Signals are for the threads of the program: Ctrl-C has to reach the main one. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_attr_setstacksize(&attributes, STACK);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int status = pthread_create(&self->thread, &attributes, run, self);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return status == 0 ? 0 : -1;
}

static bool
is_child(const nbp_sampler *self)
{
    return self->pid != getpid();
}

nbp_status
nbp_sampler_start(nbp_sampler *self, uint64_t thread, uintptr_t base)
{
    if (self->started || is_child(self)) {
        return NBP_INVALID;
    }
    self->base_thread = thread;
    self->base = base;
    self->started_ns = nbp_clock_now_ns(NBP_CLOCK_WALL);
    if (create_thread(self) < 0) {
        return NBP_UNAVAILABLE;
    }
    self->started = self->running = true;
    return NBP_OK;
}

void
nbp_sampler_stop(nbp_sampler *self)
{
    if (!self->running || is_child(self)) {
        return;
    }
    pthread_mutex_lock(&self->lock);
    self->stopping = true;
    pthread_cond_signal(&self->wake);
    pthread_mutex_unlock(&self->lock);
    pthread_join(self->thread, NULL);
    self->running = false;
}

bool
nbp_sampler_is_running(nbp_sampler *self)
{
    return self->running && !is_child(self);
}

bool
nbp_sampler_lock(nbp_sampler *self)
{
    if (is_child(self)) {
        return false;
    }
    pthread_mutex_lock(&self->lock);
    if (self->running) {
        self->stats.ran_ns = nbp_clock_now_ns(NBP_CLOCK_WALL) - self->started_ns;
    }
    return true;
}

void
nbp_sampler_unlock(nbp_sampler *self)
{
    pthread_mutex_unlock(&self->lock);
}

/* ---- making, freeing, reading ---- */

static int
init_locks(nbp_sampler *self)
{
    pthread_condattr_t attributes;
    if (pthread_mutex_init(&self->lock, NULL) != 0) {
        return -1;
    }
    if (pthread_condattr_init(&attributes) != 0) {
        pthread_mutex_destroy(&self->lock);
        return -1;
    }
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    int status = pthread_cond_init(&self->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    if (status != 0) {
        pthread_mutex_destroy(&self->lock);
        return -1;
    }
    return 0;
}

nbp_status
nbp_sampler_new(nbp_sampler **out, const nbp_interpreter_layout *layout,
                uintptr_t interpreter, double hz, double share)
{
    *out = NULL;
    if (!(hz >= 0.01 && hz <= 100000 && share >= 0 && share <= 1)) {
        return NBP_INVALID;
    }
    nbp_sampler *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return NBP_NO_MEMORY;
    }
    if (init_locks(self) < 0) {
        free(self);
        return NBP_NO_MEMORY;
    }
    self->pid = getpid();
    self->layout = *layout;
    self->interpreter = interpreter;
    self->period_ns = (int64_t)(1e9 / hz);
    self->share = share > 0.001 ? (int64_t)(1 / share) : SHARE;
    self->random = (uint64_t)nbp_clock_now_ns(NBP_CLOCK_REAL) | 1;
    self->book = nbp_codebook_new();
    nbp_status status = nbp_peek_new(&self->peek);
    if (status == NBP_OK && self->book == NULL) {
        status = NBP_NO_MEMORY;
    }
    if (status != NBP_OK) {
        nbp_sampler_destroy(&self);
        return status;
    }
    *out = self;
    return NBP_OK;
}

void
nbp_sampler_destroy(nbp_sampler **place)
{
    nbp_sampler *self = *place;
    *place = NULL;
    if (self == NULL) {
        return;
    }
    if (is_child(self)) {
        /* The thread may have been within any of it when the process was copied. */
        return;
    }
    nbp_sampler_stop(self);
    nbp_peek_destroy(&self->peek);
    nbp_codebook_destroy(&self->book);
    nbp_sampletree_clear(&self->tree);
    pthread_cond_destroy(&self->wake);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

const nbp_sampletree *
nbp_sampler_tree(const nbp_sampler *self)
{
    return &self->tree;
}

const nbp_codebook *
nbp_sampler_book(const nbp_sampler *self)
{
    return self->book;
}

nbp_sampler_stats
nbp_sampler_statistics(const nbp_sampler *self)
{
    return self->stats;
}
