/* SPDX-License-Identifier: BSD-3-Clause */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "lastword.h"

#ifdef __linux__

/* Runs `child` in a process of its own, which SIGTERM must have ended. */
static void
expect_terminated(void (*child)(int ends[2]))
{
    int ends[2], status = 0;
    CHECK_EQ(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        child(ends);
        _exit(1);
    }
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    close(ends[0]);
    close(ends[1]);
}

static void
says_it(int ends[2])
{
    char byte;
    if (nbp_lastword_take(ends[1], 60000) != NBP_OK || raise(SIGTERM) != 0 ||
        read(ends[0], &byte, 1) != 1) {
        _exit(2);
    }
    raise(SIGTERM); /* now it means what it always did */
}

static void
says_nothing(int ends[2])
{
    if (nbp_lastword_take(ends[1], 20) != NBP_OK) {
        _exit(2);
    }
    raise(SIGTERM);
    for (int i = 0; i < 1000; i++) {
        usleep(10000); /* until the timer ends us */
    }
}

static void
forks_in_between(int ends[2])
{
    if (nbp_lastword_take(ends[1], 60000) != NBP_OK) {
        _exit(2);
    }
    if (fork() == 0) {
        says_nothing(ends);
        _exit(3);
    }
    int status = 0;
    wait(&status);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGTERM) {
        _exit(4);
    }
    says_it(ends);
}

static void
gives_it_back(int ends[2])
{
    if (nbp_lastword_take(ends[1], 60000) != NBP_OK) {
        _exit(2);
    }
    nbp_lastword_release();
    nbp_lastword_release();
    raise(SIGTERM);
}

static void
test_somebody_else_has_it(void)
{
    signal(SIGTERM, SIG_IGN);
    CHECK_EQ(nbp_lastword_take(1, 1), NBP_UNAVAILABLE);
    nbp_lastword_release();
    CHECK(signal(SIGTERM, SIG_DFL) == SIG_IGN);
}

int
main(void)
{
    expect_terminated(says_it);
    expect_terminated(says_nothing);
    expect_terminated(forks_in_between);
    expect_terminated(gives_it_back);
    test_somebody_else_has_it();
    return CHECK_RESULT();
}

#else

int
main(void)
{
    CHECK_EQ(nbp_lastword_take(1, 1), NBP_UNAVAILABLE);
    return CHECK_RESULT();
}

#endif
