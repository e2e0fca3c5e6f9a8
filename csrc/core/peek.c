/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE /* process_vm_readv */
#endif
#include "peek.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    PAGE = 4096, /* a unit of reading, whatever the machine's pages are */
    PAGES = 64,
    BATCH = 256, /* pieces a system call; the kernel takes 1024 */
};

struct nbp_peek {
    pid_t pid;
    int memory; /* of /proc/self/mem where process_vm_readv is not allowed, else -1 */
    size_t used;
    size_t next; /* the place that is replaced next when all are used */
    uintptr_t pages[PAGES];
    unsigned char content[PAGES][PAGE];
};

/* Bytes read; fewer than asked for when a piece is not mapped. */
static size_t
read_batch(nbp_peek *self, const nbp_piece *pieces, size_t count)
{
    struct iovec local[BATCH], remote[BATCH];
    for (size_t i = 0; i < count; i++) {
        local[i] = (struct iovec){pieces[i].out, pieces[i].size};
        remote[i] = (struct iovec){(void *)pieces[i].address, pieces[i].size};
    }
    ssize_t got = process_vm_readv(self->pid, local, count, remote, count, 0);
    return got < 0 ? 0 : (size_t)got;
}

static bool
read_file(const nbp_peek *self, uintptr_t address, void *out, size_t size)
{
    ssize_t got;
    do {
        got = pread(self->memory, out, size, (off_t)address);
    } while (got < 0 && errno == EINTR);
    return got >= 0 && (size_t)got == size;
}

size_t
nbp_peek_pieces(nbp_peek *self, const nbp_piece *pieces, size_t count)
{
    size_t done = 0;
    while (done < count) {
        if (self->memory >= 0) {
            if (!read_file(self, pieces[done].address, pieces[done].out,
                           pieces[done].size)) {
                return done;
            }
            done++;
            continue;
        }
        size_t batch = count - done < BATCH ? count - done : BATCH;
        size_t got = read_batch(self, pieces + done, batch);
        for (size_t i = 0; i < batch; i++) {
            if (got < pieces[done + i].size) {
                return done + i;
            }
            got -= pieces[done + i].size;
        }
        done += batch;
    }
    return done;
}

bool
nbp_peek_read(nbp_peek *self, uintptr_t address, void *out, size_t size)
{
    nbp_piece piece = {address, out, size};
    return nbp_peek_pieces(self, &piece, 1) == 1;
}

/* The place of a page in the cache, made if need be; -1 when it cannot be read. The
 * page below comes along: a stack's callers are there. */
static int
place_of(nbp_peek *self, uintptr_t page)
{
    for (size_t i = 0; i < self->used; i++) {
        if (self->pages[i] == page) {
            return (int)i;
        }
    }
    if (self->used + 2 > PAGES && self->next + 2 > PAGES) {
        self->next = 0;
    }
    size_t place = self->used + 2 <= PAGES ? self->used : self->next;
    nbp_piece pieces[2] = {
        {page, self->content[place], PAGE},
        {page - PAGE, self->content[place + 1], PAGE},
    };
    size_t wanted = page >= PAGE ? 2 : 1;
    self->pages[place] = self->pages[place + 1] = 1; /* no page: odd */
    size_t got = nbp_peek_pieces(self, pieces, wanted);
    if (got == 0) {
        return -1;
    }
    self->pages[place] = page;
    if (got == 2) {
        self->pages[place + 1] = page - PAGE;
    }
    if (place == self->used) {
        self->used += 2;
    }
    else {
        self->next += 2;
    }
    return (int)place;
}

bool
nbp_peek_near(nbp_peek *self, uintptr_t address, void *out, size_t size)
{
    unsigned char *bytes = out;
    while (size > 0) {
        uintptr_t page = address & ~(uintptr_t)(PAGE - 1);
        size_t offset = address - page;
        size_t part = PAGE - offset < size ? PAGE - offset : size;
        int place = place_of(self, page);
        if (place < 0) {
            return false;
        }
        memcpy(bytes, self->content[place] + offset, part);
        bytes += part;
        address += part;
        size -= part;
    }
    return true;
}

void
nbp_peek_forget(nbp_peek *self)
{
    self->used = self->next = 0;
}

/* Whether a known word can be read and an address that nobody has cannot. */
static bool
works(nbp_peek *self)
{
    const uint64_t known = 0x6e627072;
    uint64_t read = 0;
    return nbp_peek_read(self, (uintptr_t)&known, &read, sizeof(read)) &&
           read == known && !nbp_peek_read(self, 16, &read, sizeof(read));
}

nbp_status
nbp_peek_new(nbp_peek **out)
{
    nbp_peek *self = *out = calloc(1, sizeof(*self));
    if (self == NULL) {
        return NBP_NO_MEMORY;
    }
    self->pid = getpid();
    self->memory = -1;
    if (works(self)) {
        return NBP_OK;
    }
    self->memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    if (self->memory >= 0 && works(self)) {
        return NBP_OK;
    }
    nbp_peek_destroy(out);
    return NBP_UNAVAILABLE;
}

void
nbp_peek_destroy(nbp_peek **self)
{
    if (*self != NULL) {
        if ((*self)->memory >= 0) {
            close((*self)->memory);
        }
        free(*self);
        *self = NULL;
    }
}
