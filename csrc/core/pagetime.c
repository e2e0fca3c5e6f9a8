/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE /* MAP_ANONYMOUS, madvise */
#endif
#include "pagetime.h"

#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ticks.h"

enum {
    PAGES = 64,
    MARGIN = 4, /* between the slowest and the fastest that a processor runs */
};

/* The quickest ways there are: a fault on a single page that nobody has touched, and
 * giving that page back. System calls that map, unmap or move more take longer. */
int64_t
nbp_pagetime_least(bool has_counter)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *pages = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) {
        return 0;
    }
#ifdef MADV_NOHUGEPAGE
    (void)madvise(pages, PAGES * page, MADV_NOHUGEPAGE); /* or the first brings all */
#endif
    int64_t least = INT64_MAX;
    for (size_t i = 0; i < PAGES; i++) {
        volatile char *at = pages + i * page;
        int64_t begin = nbp_ticks_now(has_counter);
        *at = 1;
        int64_t given = nbp_ticks_now(has_counter);
        (void)madvise(pages + i * page, page, MADV_DONTNEED);
        int64_t back = nbp_ticks_now(has_counter);
        least = given - begin < least ? given - begin : least;
        least = back - given < least ? back - given : least;
    }
    munmap(pages, PAGES * page);
    return least > 0 ? least / MARGIN : 0;
}
