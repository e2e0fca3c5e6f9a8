/* SPDX-License-Identifier: BSD-3-Clause */
#include "lastword.h"

#ifdef __linux__

#    include <errno.h>
#    include <signal.h>
#    include <stdbool.h>
#    include <string.h>
#    include <time.h>
#    include <unistd.h>

/* A signal handler has no other way to its data; set before it is installed, and read
 * by nobody else. */
static struct {
    int fd;
    timer_t timer;
    struct itimerspec patience;
    pid_t owner; /* the process whose timer it is; 0: none */
} nbp_lastword;

/* Only what signal-safety(7) lists. The handler is installed for one time: the second
 * SIGTERM finds the usual meaning. */
static void
on_term(int number)
{
    int error = errno;
    timer_settime(nbp_lastword.timer, 0, &nbp_lastword.patience, NULL);
    ssize_t written = write(nbp_lastword.fd, "", 1);
    (void)written; /* the timer ends the process anyway */
    errno = error;
}

static bool
is_ours_or_nobodys(void)
{
    struct sigaction now;
    return sigaction(SIGTERM, NULL, &now) == 0 &&
           (now.sa_handler == SIG_DFL || now.sa_handler == on_term);
}

static bool
make_timer(void)
{
    struct sigevent event;
    memset(&event, 0, sizeof(event));
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGTERM;
    if (nbp_lastword.owner != getpid()) { /* timers do not survive a fork */
        if (timer_create(CLOCK_MONOTONIC, &event, &nbp_lastword.timer) != 0) {
            return false;
        }
        nbp_lastword.owner = getpid();
    }
    return true;
}

nbp_status
nbp_lastword_take(int fd, int patience_ms)
{
    if (!is_ours_or_nobodys() || !make_timer()) {
        return NBP_UNAVAILABLE;
    }
    nbp_lastword.fd = fd;
    nbp_lastword.patience =
        (struct itimerspec){.it_value = {.tv_sec = patience_ms / 1000,
                                         .tv_nsec = patience_ms % 1000 * 1000000L + 1}};
    struct sigaction action;
    memset(&action, 0, sizeof(action));
    action.sa_handler = on_term;
    action.sa_flags = SA_RESTART | SA_ONSTACK | (int)SA_RESETHAND;
    sigemptyset(&action.sa_mask);
    return sigaction(SIGTERM, &action, NULL) == 0 ? NBP_OK : NBP_UNAVAILABLE;
}

void
nbp_lastword_release(void)
{
    if (is_ours_or_nobodys()) {
        signal(SIGTERM, SIG_DFL);
    }
    if (nbp_lastword.owner == getpid()) {
        timer_delete(nbp_lastword.timer);
    }
    nbp_lastword.owner = 0;
}

#else

nbp_status
nbp_lastword_take(int fd, int patience_ms)
{
    return NBP_UNAVAILABLE;
}

void
nbp_lastword_release(void)
{
}

#endif
