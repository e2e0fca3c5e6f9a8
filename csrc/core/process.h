/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory and children of any process, from /proc. Thread-safe, no lock, nothing kept.
 * Functions return 0 or an errno: ESRCH for a process that is gone (one that has ended
 * and waits for its parent holds no memory and counts as gone), EACCES or EPERM for
 * somebody else's, ENOSYS where there is no /proc. */
#ifndef NBP_PROCESS_H
#define NBP_PROCESS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* All in bytes. */
typedef struct {
    int64_t rss;  /* resident: pages shared with others count in full */
    int64_t pss;  /* proportional: a page shared by n processes counts as 1/n of it */
    int64_t uss;  /* unique: pages that no other process has */
    int64_t swap; /* swapped out, in proportion where the kernel knows it */
} nbp_memory;

/* Bytes resident in process `pid`: about 10 us. */
int nbp_process_rss(pid_t pid, int64_t *bytes);

/* All four: the kernel walks the page tables for it, some 2 ms for 300 MB. */
int nbp_process_memory(pid_t pid, nbp_memory *memory);

/* The children of `pid`, or with `all` also theirs and so on; the nearest first. What
 * starts or ends meanwhile may be missing. `*pids` is owned by the caller, to be freed;
 * NULL when there are none. ENOMEM without memory. */
int nbp_process_children(pid_t pid, int all, pid_t **pids, size_t *count);

/* The proportional sizes of `pid` and all its descendants together, bytes, and how many
 * processes that were. Children that are not to be read (gone by now, or somebody
 * else's) are left out; an error only for `pid` itself. */
int nbp_process_tree_pss(pid_t pid, int64_t *bytes, size_t *processes);

/* Reads what a /proc file of `fd` holds from its beginning, cut at `size` - 1 bytes and
 * closed by a 0; the number of bytes or -1 with errno. */
long nbp_process_read(int fd, char *text, size_t size);

/* The number after `name` ("VmHWM:") at the beginning of a line of `text`, a kB figure,
 * in bytes; the sum when there are several, -1 when there is none. */
int64_t nbp_process_field(const char *text, const char *name);

#endif /* NBP_PROCESS_H */
