/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE /* madvise */
#endif
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "process.h"
#include "rss.h"
#include "rsssampler.h"

enum {
    MB = 1000000,
};

static void
touch(size_t bytes)
{
    void *block =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(block != MAP_FAILED);
    memset(block, 1, bytes);
    munmap(block, bytes);
}

static void
test_peak(bool sampled)
{
    nbp_rss_t *rss = nbp_rss_new(sampled);
    nbp_rss_peak outer = {0}, inner = {0};
    CHECK_EQ(nbp_rss_begin(rss, &outer), NBP_OK);
    CHECK_EQ(nbp_rss_begin(rss, &outer), NBP_INVALID);
    CHECK_EQ(nbp_rss_begin(rss, &inner), NBP_OK);
    touch(40 * MB);
    if (nbp_rss_is_exact(rss)) {
        CHECK_NEAR(nbp_rss_lap(rss, &inner) - inner.start_bytes, 40 * MB, MB);
        CHECK_NEAR(nbp_rss_end(rss, &inner) - inner.start_bytes, 0, MB);
        CHECK_NEAR(nbp_rss_read(rss, &outer) - outer.start_bytes, 40 * MB, MB);
    }
    CHECK(nbp_rss_end(rss, &outer) >= outer.start_bytes);
    CHECK(nbp_rss_end(rss, &outer) >= outer.start_bytes);
    CHECK_EQ(nbp_rss_is_exact(rss) && sampled, 0);
    nbp_rss_end(rss, &inner);
    nbp_rss_destroy(&rss);
    CHECK(rss == NULL);
    nbp_rss_destroy(&rss);
}

/* What is held for the tools is in no figure, whenever the program's peak was. */
static void
test_discount(void)
{
    nbp_rss_t *rss = nbp_rss_new(false);
    nbp_rss_peak peak = {0};
    CHECK_EQ(nbp_rss_begin(rss, &peak), NBP_OK);
    int64_t before = nbp_rss_now_bytes(rss);
    touch(10 * MB);
    nbp_rss_discount(rss, 0);
    void *own =
        mmap(NULL, 40 * MB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(own, 1, 40 * MB);
    nbp_rss_discount(rss, 40 * MB);
    CHECK_NEAR(nbp_rss_now_bytes(rss), before, MB);
    if (nbp_rss_is_exact(rss)) {
        CHECK_NEAR(nbp_rss_read(rss, &peak) - peak.start_bytes, 10 * MB, MB);
        touch(20 * MB);
        CHECK_NEAR(nbp_rss_read(rss, &peak) - peak.start_bytes, 20 * MB, MB);
    }
    nbp_rss_discount(rss, 0);
    munmap(own, 40 * MB);
    nbp_rss_discount(rss, -40 * MB);
    CHECK_NEAR(nbp_rss_now_bytes(rss), before, MB);
    nbp_rss_end(rss, &peak);
    nbp_rss_destroy(&rss);
}

/* A reading that is given again is still true, however little was touched since: here a
 * page at a time. Now and then the kernel changes something by itself. */
static void
test_again(void)
{
    enum { PAGES = 1000, STRAY = 50 };
    nbp_rss_t *rss = nbp_rss_new(false);
    nbp_rss_reading last = {0};
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *pages = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(pages != MAP_FAILED);
    madvise(pages, PAGES * page, MADV_NOHUGEPAGE);
    CHECK_NEAR(nbp_rss_again_bytes(rss, &last), nbp_rss_now_bytes(rss), MB);
    int64_t before = nbp_rss_again_bytes(rss, &last);
    int wrong = 0;
    for (int i = 0; i < PAGES; i++) {
        ((volatile char *)pages)[(size_t)i * page] = 1;
        int64_t again = nbp_rss_again_bytes(rss, &last);
        wrong += again != nbp_rss_now_bytes(rss);
    }
    CHECK(wrong < STRAY);
    CHECK_NEAR(nbp_rss_again_bytes(rss, &last) - before, PAGES * page, MB);
    wrong = 0;
    for (int i = 0; i < PAGES; i++) {
        madvise(pages + (size_t)i * page, page, MADV_DONTNEED);
        int64_t again = nbp_rss_again_bytes(rss, &last);
        wrong += again != nbp_rss_now_bytes(rss);
    }
    CHECK(wrong < STRAY);
    munmap(pages, PAGES * page);
    nbp_rss_destroy(&rss);
}

static void
test_sampler(void)
{
    nbp_rsssampler_options options = {.interval_ns = 200000, .capacity = 4};
    nbp_status status;
    int error;
    nbp_rss_sample samples[8];
    nbp_rsssampler_t *sampler = nbp_rsssampler_new(&options, &status, &error);
    CHECK(sampler != NULL);
    usleep(20000);
    nbp_rsssampler_stop(sampler);
    nbp_rsssampler_stop(sampler);
    size_t count = nbp_rsssampler_samples(sampler, samples, 8);
    CHECK(count >= 2 && count <= 4);
    for (size_t i = 1; i < count; i++) {
        CHECK(samples[i].time_ns > samples[i - 1].time_ns);
        CHECK(samples[i].bytes <= nbp_rsssampler_peak(sampler, 0));
    }
    CHECK_EQ(nbp_rsssampler_samples(sampler, samples, 1), 1);
    nbp_rsssampler_destroy(&sampler);
    nbp_rsssampler_destroy(&sampler);

    options.capacity = 1;
    CHECK(nbp_rsssampler_new(&options, &status, &error) == NULL);
    CHECK_EQ(status, NBP_INVALID);
    options.capacity = 4;
    options.pid = 0x3fffffff; /* more than any process has */
    CHECK(nbp_rsssampler_new(&options, &status, &error) == NULL);
    CHECK_EQ(status, NBP_UNAVAILABLE);
    CHECK_EQ(error, ESRCH);
}

static void
test_fork(void)
{
    nbp_rss_t *rss = nbp_rss_new(true); /* with a thread, that the child has not */
    nbp_rss_peak peak = {0};
    CHECK_EQ(nbp_rss_begin(rss, &peak), NBP_OK);
    pid_t child = fork();
    if (child == 0) {
        int64_t most = nbp_rss_read(rss, &peak);
        nbp_rss_end(rss, &peak);
        nbp_rss_destroy(&rss);
        _exit(most > 0 ? CHECK_RESULT() : 1);
    }
    int status = 1;
    waitpid(child, &status, 0);
    CHECK_EQ(status, 0);
    nbp_rss_end(rss, &peak);
    nbp_rss_destroy(&rss);
}

static void
test_fields(void)
{
    const char *text = "Name:\tRss: 1\nRss:   12 kB\nRss_more: 7 kB\nRss: 3 kB\n";
    CHECK_EQ(nbp_process_field(text, "Rss:"), 15 * 1024);
    CHECK_EQ(nbp_process_field(text, "Pss:"), -1);
    CHECK_EQ(nbp_process_field("", "Pss:"), -1);
}

static void
test_processes(void)
{
    pid_t *pids = NULL;
    size_t count = 0, processes = 0;
    int64_t bytes = 0;
    nbp_memory memory;
    int ends[2];
    CHECK_EQ(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        char end;
        close(ends[1]);
        _exit(read(ends[0], &end, 1) == 0 ? 0 : 1);
    }
    CHECK_EQ(nbp_process_children(getpid(), 1, &pids, &count), 0);
    CHECK_EQ(count, 1);
    CHECK(count == 1 && pids[0] == child);
    free(pids);
    CHECK_EQ(nbp_process_tree_pss(getpid(), &bytes, &processes), 0);
    CHECK_EQ(processes, 2);
    CHECK_EQ(nbp_process_memory(getpid(), &memory), 0);
    CHECK(memory.rss >= memory.pss && memory.pss >= memory.uss && memory.swap >= 0);
    close(ends[0]);
    close(ends[1]);
    waitpid(child, NULL, 0);
    CHECK_EQ(nbp_process_rss(child, &bytes), ESRCH);
    CHECK_EQ(nbp_process_memory(child, &memory), ESRCH);
    CHECK_EQ(nbp_process_children(child, 1, &pids, &count), ESRCH);
}

int
main(void)
{
    test_peak(false);
    test_peak(true);
    test_discount();
    test_again();
    test_sampler();
    test_fork();
    test_fields();
    test_processes();
    return CHECK_RESULT();
}
