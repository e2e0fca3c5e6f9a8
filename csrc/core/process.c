/* SPDX-License-Identifier: BSD-3-Clause */
#include "process.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SHORT_TEXT = 4096,
    PATH_SIZE = 64,
};

typedef struct {
    pid_t *pids; /* owned */
    size_t count;
    size_t capacity;
    bool failed; /* memory ran out */
} pid_list;

static void
push(pid_list *list, pid_t pid)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->pids[i] == pid) {
            return;
        }
    }
    if (list->count == list->capacity) {
        size_t capacity = list->capacity * 2 + 16;
        pid_t *pids = realloc(list->pids, capacity * sizeof(*pids));
        if (pids == NULL) {
            list->failed = true;
            return;
        }
        list->pids = pids;
        list->capacity = capacity;
    }
    list->pids[list->count++] = pid;
}

long
nbp_process_read(int fd, char *text, size_t size)
{
    ssize_t got;
    do {
        got = pread(fd, text, size - 1, 0);
    } while (got < 0 && errno == EINTR);
    text[got < 0 ? 0 : got] = '\0';
    return got;
}

int64_t
nbp_process_field(const char *text, const char *name)
{
    size_t length = strlen(name);
    int64_t sum = -1;
    for (const char *line = text; line != NULL && *line != '\0';) {
        if (strncmp(line, name, length) == 0) {
            sum = (sum < 0 ? 0 : sum) + strtoll(line + length, NULL, 10) * 1024;
        }
        line = strchr(line, '\n');
        line = line == NULL ? NULL : line + 1;
    }
    return sum;
}

/* What a missing file of a process says about the process. */
static int
missing(int error)
{
    if (error != ENOENT) {
        return error;
    }
    return access("/proc/self", F_OK) == 0 ? ESRCH : ENOSYS;
}

/* The whole of /proc/PID/`name`: owned text, or NULL with `*error` set. */
static char *
read_all(pid_t pid, const char *name, int *error)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof(path), "/proc/%ld/%s", (long)pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        *error = errno;
        return NULL;
    }
    char *text = NULL;
    size_t size = 0, capacity = 0;
    ssize_t got;
    do {
        if (capacity - size < SHORT_TEXT) {
            capacity = capacity * 2 + 2 * SHORT_TEXT;
            char *larger = realloc(text, capacity);
            if (larger == NULL) {
                errno = ENOMEM;
                goto fail;
            }
            text = larger;
        }
        got = read(fd, text + size, capacity - size - 1);
        size += got > 0 ? (size_t)got : 0;
    } while (got > 0 || (got < 0 && errno == EINTR));
    if (got < 0) {
        goto fail;
    }
    text[size] = '\0';
    close(fd);
    return text;
fail:
    *error = errno;
    free(text);
    close(fd);
    return NULL;
}

int
nbp_process_rss(pid_t pid, int64_t *bytes)
{
    int error = 0;
    char *text = read_all(pid, "statm", &error);
    if (text == NULL) {
        return missing(error);
    }
    long long size = 0, resident = 0;
    int fields = sscanf(text, "%lld %lld", &size, &resident);
    free(text);
    if (fields != 2 || size == 0) {
        return ESRCH;
    }
    *bytes = resident * (int64_t)sysconf(_SC_PAGESIZE);
    return 0;
}

static int64_t
at_least_0(int64_t bytes)
{
    return bytes < 0 ? 0 : bytes;
}

int
nbp_process_memory(pid_t pid, nbp_memory *memory)
{
    int64_t resident = 0;
    int error = nbp_process_rss(pid, &resident);
    if (error != 0) {
        return error;
    }
    char *text = read_all(pid, "smaps_rollup", &error);
    if (text == NULL && error == ENOENT) {
        text = read_all(pid, "smaps", &error); /* before Linux 4.14 */
    }
    if (text == NULL) {
        return missing(error);
    }
    int64_t rss = nbp_process_field(text, "Rss:");
    int64_t swap = nbp_process_field(text, "SwapPss:");
    *memory = (nbp_memory){
        .rss = rss < 0 ? resident : rss,
        .pss = at_least_0(nbp_process_field(text, "Pss:")),
        .uss = at_least_0(nbp_process_field(text, "Private_Clean:")) +
               at_least_0(nbp_process_field(text, "Private_Dirty:")),
        .swap = at_least_0(swap < 0 ? nbp_process_field(text, "Swap:") : swap),
    };
    free(text);
    return rss < 0 ? ESRCH : 0;
}

/* Adds the children that one thread of `pid` has started; false when the kernel has no
 * such list. */
static bool
add_children_of_thread(pid_list *list, pid_t pid, const char *thread)
{
    char name[PATH_SIZE];
    int error = 0;
    snprintf(name, sizeof(name), "task/%.20s/children", thread);
    char *text = read_all(pid, name, &error);
    if (text == NULL) {
        /* The thread may just have ended. */
        return error != ENOENT || access("/proc/thread-self/children", F_OK) == 0;
    }
    char *rest = text;
    for (;;) {
        char *end;
        long child = strtol(rest, &end, 10);
        if (end == rest) {
            break;
        }
        push(list, (pid_t)child);
        rest = end;
    }
    free(text);
    return true;
}

/* The parent of `pid`, or -1. Its name, in parentheses, may hold anything. */
static pid_t
parent_of(pid_t pid)
{
    int error = 0;
    char *text = read_all(pid, "stat", &error);
    if (text == NULL) {
        return -1;
    }
    long parent = -1;
    const char *after_name = strrchr(text, ')');
    if (after_name == NULL || sscanf(after_name + 1, " %*c %ld", &parent) != 1) {
        parent = -1;
    }
    free(text);
    return (pid_t)parent;
}

/* Adds the children of `pid` by asking every process for its parent. */
static int
add_children_by_parent(pid_list *list, pid_t pid)
{
    DIR *folder = opendir("/proc");
    if (folder == NULL) {
        return errno == ENOENT ? ENOSYS : errno;
    }
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (isdigit((unsigned char)entry->d_name[0])) {
            pid_t other = (pid_t)atol(entry->d_name);
            if (parent_of(other) == pid) {
                push(list, other);
            }
        }
    }
    closedir(folder);
    return 0;
}

static int
add_children(pid_list *list, pid_t pid)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof(path), "/proc/%ld/task", (long)pid);
    DIR *folder = opendir(path);
    if (folder == NULL) {
        return missing(errno);
    }
    bool listed = true;
    for (struct dirent *entry; listed && (entry = readdir(folder)) != NULL;) {
        if (isdigit((unsigned char)entry->d_name[0])) {
            listed = add_children_of_thread(list, pid, entry->d_name);
        }
    }
    closedir(folder);
    return listed ? 0 : add_children_by_parent(list, pid);
}

int
nbp_process_children(pid_t pid, int all, pid_t **pids, size_t *count)
{
    pid_list list = {0};
    int error = add_children(&list, pid);
    for (size_t i = 0; error == 0 && all && i < list.count && !list.failed; i++) {
        (void)add_children(&list, list.pids[i]); /* it may have ended */
    }
    if (error == 0 && list.failed) {
        error = ENOMEM;
    }
    if (error != 0) {
        free(list.pids);
        return error;
    }
    *pids = list.pids;
    *count = list.count;
    return 0;
}

/* Reads one after the other; `*changed` when there were others at the end. What a
 * process shared that ends in between is others' by then, and would be counted twice.
 */
static int
tree_pss(pid_t pid, int64_t *bytes, size_t *processes, bool *changed)
{
    nbp_memory memory;
    pid_t *pids = NULL, *after = NULL; /* owned */
    size_t count = 0, count_after = 0;
    int error = nbp_process_children(pid, 1, &pids, &count);
    if (error == 0) {
        error = nbp_process_memory(pid, &memory);
    }
    if (error == 0) {
        *bytes = memory.pss;
        *processes = 1;
        for (size_t i = 0; i < count; i++) {
            if (nbp_process_memory(pids[i], &memory) == 0) {
                *bytes += memory.pss;
                *processes += 1;
            }
        }
        error = nbp_process_children(pid, 1, &after, &count_after);
        *changed = *processes != count + 1 || count != count_after ||
                   (count > 0 && memcmp(pids, after, count * sizeof(*pids)) != 0);
    }
    free(pids);
    free(after);
    return error;
}

int
nbp_process_tree_pss(pid_t pid, int64_t *bytes, size_t *processes)
{
    bool changed = true;
    int error = 0;
    /* Where processes come and go all the time, the third reading has to do. */
    for (int i = 0; i < 3 && changed && error == 0; i++) {
        error = tree_pss(pid, bytes, processes, &changed);
    }
    return error;
}
