/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE /* syscall() */
#endif
#include "counters.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __linux__
#    include <linux/perf_event.h>
#    include <sys/ioctl.h>
#    include <sys/syscall.h>
#    include <unistd.h>
#endif

/* What read(2) gives for one counter; the layout is the kernel's. */
typedef struct {
    uint64_t count;
    uint64_t enabled_ns;
    uint64_t running_ns;
} reading;

/* Enough for every name and every reason. */
enum { NAME_SIZE = 20, REASON_SIZE = 160 };

struct nbp_counters {
    int files[NBP_COUNTER_COUNT];  /* owned descriptors; -1 where missing */
    bool leads[NBP_COUNTER_COUNT]; /* starts and stops its group */
    reading before[NBP_COUNTER_COUNT];
    bool counting;
    char unavailable[NBP_COUNTER_COUNT * (NAME_SIZE + REASON_SIZE + 4)];
};

/* A group is on the processor as a whole or not at all, so that ratios within it (IPC,
 * misses per branch) are of the same stretch of time. Four hardware counters fit even
 * where the kernel's watchdog has taken one; the fifth takes its own chance. */
typedef enum { GROUP_BRANCHES, GROUP_CACHE, GROUP_KERNEL, GROUP_COUNT } group;

/* What every platform needs to name and explain a counter; the kernel's type and code
 * of each are with the Linux part below. */
static const struct {
    char name[NAME_SIZE]; /* not a pointer: the table stays in read-only memory */
    group group;
    bool in_kernel;
} events[NBP_COUNTER_COUNT] = {
    [NBP_COUNTER_INSTRUCTIONS] = {"instructions", GROUP_BRANCHES, false},
    [NBP_COUNTER_CYCLES] = {"cycles", GROUP_BRANCHES, false},
    [NBP_COUNTER_BRANCHES] = {"branches", GROUP_BRANCHES, false},
    [NBP_COUNTER_BRANCH_MISSES] = {"branch-misses", GROUP_BRANCHES, false},
    [NBP_COUNTER_CACHE_MISSES] = {"cache-misses", GROUP_CACHE, false},
    [NBP_COUNTER_PAGE_FAULTS] = {"page-faults", GROUP_KERNEL, false},
    [NBP_COUNTER_CONTEXT_SWITCHES] = {"context-switches", GROUP_KERNEL, true},
};

#ifdef __linux__

static const struct {
    uint32_t type;
    uint64_t code;
} codes[NBP_COUNTER_COUNT] = {
    [NBP_COUNTER_INSTRUCTIONS] = {PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS},
    [NBP_COUNTER_CYCLES] = {PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES},
    [NBP_COUNTER_BRANCHES] = {PERF_TYPE_HARDWARE, PERF_COUNT_HW_BRANCH_INSTRUCTIONS},
    [NBP_COUNTER_BRANCH_MISSES] = {PERF_TYPE_HARDWARE, PERF_COUNT_HW_BRANCH_MISSES},
    [NBP_COUNTER_CACHE_MISSES] = {PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_MISSES},
    [NBP_COUNTER_PAGE_FAULTS] = {PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS},
    [NBP_COUNTER_CONTEXT_SWITCHES] = {PERF_TYPE_SOFTWARE,
                                      PERF_COUNT_SW_CONTEXT_SWITCHES},
};

/* A descriptor owned by the caller, or the negative errno. `leader` is -1 to lead a
 * group of its own, which is off until it is started. */
static int
open_event(nbp_counter counter, int leader)
{
    struct perf_event_attr attributes = {
        .size = sizeof(attributes),
        .type = codes[counter].type,
        .config = codes[counter].code,
        .read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING,
        .disabled = leader == -1,
        .exclude_kernel = !events[counter].in_kernel,
        .exclude_hv = 1,
    };
    long file =
        syscall(SYS_perf_event_open, &attributes, 0, -1, leader, PERF_FLAG_FD_CLOEXEC);
    return file >= 0 ? (int)file : -errno;
}

static void
close_event(int file)
{
    close(file);
}

static bool
switch_group(int leader, bool on)
{
    unsigned long request = on ? PERF_EVENT_IOC_ENABLE : PERF_EVENT_IOC_DISABLE;
    return ioctl(leader, request, PERF_IOC_FLAG_GROUP) == 0;
}

static bool
read_event(int file, reading *now)
{
    return read(file, now, sizeof(*now)) == (ssize_t)sizeof(*now);
}

#else

static int
open_event(nbp_counter counter, int leader)
{
    (void)counter;
    (void)leader;
    return -ENOSYS;
}

/* Nothing was opened, so these are never called. */
static void
close_event(int file)
{
    (void)file;
}

static bool
switch_group(int leader, bool on)
{
    (void)leader;
    (void)on;
    return false;
}

static bool
read_event(int file, reading *now)
{
    (void)file;
    (void)now;
    return false;
}

#endif

const char *
nbp_counters_name(nbp_counter counter)
{
    return events[counter].name;
}

void
nbp_counters_explain(int error, bool in_kernel, char *text, size_t size)
{
    switch (error) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
    case EOPNOTSUPP:
        snprintf(text, size, "this processor or virtual machine does not offer it");
        break;
    case EACCES:
    case EPERM:
        snprintf(text, size,
                 "not permitted: it takes kernel.perf_event_paranoid = %d or less, "
                 "and a container that allows perf_event_open",
                 in_kernel ? 1 : 2);
        break;
    case ENOSYS:
        snprintf(text, size, "this system has no perf_event_open; Linux has");
        break;
    case EMFILE:
    case ENFILE:
        snprintf(text, size, "too many files are open");
        break;
    case EBUSY:
        snprintf(text, size, "another program has reserved it");
        break;
    default:
        snprintf(text, size, "perf_event_open failed with errno %d", error);
        break;
    }
}

/* Opens `counter` in its group, or alone where the group is full; 0 or the errno. */
static int
add_event(nbp_counters_t *self, nbp_counter counter, int leaders[GROUP_COUNT])
{
    int *leader = &leaders[events[counter].group];
    int file = open_event(counter, *leader);
    self->leads[counter] = *leader == -1;
    if (*leader != -1 && (file == -EINVAL || file == -ENOSPC)) {
        file = open_event(counter, -1);
        self->leads[counter] = true;
    }
    if (file < 0) {
        return -file;
    }
    self->files[counter] = file;
    if (*leader == -1) {
        *leader = file;
    }
    return 0;
}

/* "a, b: reason; c: reason", from the errno of each counter, 0 for an open one. */
static void
describe_missing(nbp_counters_t *self, const int errors[NBP_COUNTER_COUNT])
{
    char reason[REASON_SIZE], next[REASON_SIZE];
    size_t length = 0, size = sizeof(self->unavailable);
    for (int i = 0; i < NBP_COUNTER_COUNT; i++) {
        if (errors[i] == 0) {
            continue;
        }
        nbp_counters_explain(errors[i], events[i].in_kernel, reason, sizeof(reason));
        bool shared = false;
        if (i + 1 < NBP_COUNTER_COUNT && errors[i + 1] != 0) {
            nbp_counters_explain(errors[i + 1], events[i + 1].in_kernel, next,
                                 sizeof(next));
            shared = strcmp(reason, next) == 0;
        }
        length += (size_t)snprintf(self->unavailable + length, size - length, "%s%s%s",
                                   events[i].name, shared ? "" : ": ",
                                   shared ? ", " : reason);
        if (!shared) {
            length += (size_t)snprintf(self->unavailable + length, size - length, "; ");
        }
    }
    if (length > 0) {
        self->unavailable[length - 2] = '\0'; /* the last "; " */
    }
}

nbp_counters_t *
nbp_counters_new(void)
{
    nbp_counters_t *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return NULL;
    }
    int leaders[GROUP_COUNT] = {-1, -1, -1}, errors[NBP_COUNTER_COUNT];
    for (int i = 0; i < NBP_COUNTER_COUNT; i++) {
        self->files[i] = -1;
        errors[i] = add_event(self, (nbp_counter)i, leaders);
    }
    describe_missing(self, errors);
    return self;
}

void
nbp_counters_destroy(nbp_counters_t **self_p)
{
    if (*self_p == NULL) {
        return;
    }
    /* Members before their leader, which would otherwise hand them groups of their
     * own. */
    for (int i = NBP_COUNTER_COUNT - 1; i >= 0; i--) {
        if ((*self_p)->files[i] >= 0) {
            close_event((*self_p)->files[i]);
        }
    }
    free(*self_p);
    *self_p = NULL;
}

bool
nbp_counters_has(const nbp_counters_t *self, nbp_counter counter)
{
    return self->files[counter] >= 0;
}

const char *
nbp_counters_unavailable(const nbp_counters_t *self)
{
    return self->unavailable;
}

/* False when the kernel refused a group; the others are switched all the same. */
static bool
switch_all(nbp_counters_t *self, bool on)
{
    bool done = true;
    /* The hardware group is first in the table: it is switched on last and off first,
     * so that it counts least of our own work. */
    for (int turn = 0; turn < NBP_COUNTER_COUNT; turn++) {
        int i = on ? NBP_COUNTER_COUNT - 1 - turn : turn;
        if (self->files[i] >= 0 && self->leads[i]) {
            done = switch_group(self->files[i], on) && done;
        }
    }
    return done;
}

nbp_status
nbp_counters_start(nbp_counters_t *self)
{
    bool done = !self->counting || switch_all(self, false);
    /* The kernel's reset leaves the times as they are, so remember where all stand. */
    for (int i = 0; i < NBP_COUNTER_COUNT; i++) {
        if (self->files[i] >= 0) {
            done = read_event(self->files[i], &self->before[i]) && done;
        }
    }
    self->counting = done && switch_all(self, true);
    if (!self->counting) {
        switch_all(self, false);
        return NBP_UNAVAILABLE;
    }
    return NBP_OK;
}

int64_t
nbp_counters_scale(uint64_t count, uint64_t enabled_ns, uint64_t running_ns)
{
    if (running_ns >= enabled_ns) {
        return (int64_t)count;
    }
    if (running_ns == 0) {
        return -1;
    }
    double factor = (double)enabled_ns / (double)running_ns;
    double scaled = (double)count * factor + 0.5;
    return scaled < 0x1p63 ? (int64_t)scaled : INT64_MAX;
}

nbp_status
nbp_counters_stop(nbp_counters_t *self, int64_t counts[NBP_COUNTER_COUNT])
{
    if (!self->counting) {
        return NBP_INVALID;
    }
    self->counting = false;
    if (!switch_all(self, false)) {
        return NBP_UNAVAILABLE;
    }
    for (int i = 0; i < NBP_COUNTER_COUNT; i++) {
        const reading *before = &self->before[i];
        reading now;
        counts[i] = -1;
        if (self->files[i] >= 0 && read_event(self->files[i], &now)) {
            counts[i] = nbp_counters_scale(now.count - before->count,
                                           now.enabled_ns - before->enabled_ns,
                                           now.running_ns - before->running_ns);
        }
    }
    return NBP_OK;
}
