/* SPDX-License-Identifier: BSD-3-Clause */
/* Functions in the place of others, which get no argument of ours: hence the static
 * state. A thread may be in one of them, or on its way, long after the last of the
 * imports was put back; they are never unloaded, and hand through when nobody asks.
 *
 * Our own imports are not exchanged: in here malloc is the C library's. */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE /* RTLD_DEFAULT, mremap */
#endif
#include "native.h"

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "allochooks.h"
#include "imports.h"

/* The functions that are exchanged: their types, and ours by the same names. */
static void *native_malloc(size_t size);
static void *native_calloc(size_t count, size_t size);
static void *native_realloc(void *old, size_t size);
static void native_free(void *address);
static int native_posix_memalign(void **address, size_t alignment, size_t size);
static void *native_aligned_alloc(size_t alignment, size_t size);
static void *native_memalign(size_t alignment, size_t size);
static void *native_mmap(void *at, size_t size, int protection, int flags, int fd,
                         off_t offset);
static int native_munmap(void *at, size_t size);
static void *native_dlopen(const char *name, int flags);

typedef enum {
    MALLOC,
    CALLOC,
    REALLOC,
    FREE,
    POSIX_MEMALIGN,
    ALIGNED_ALLOC,
    MEMALIGN,
    MMAP,
    MMAP64,
    MUNMAP,
    DLOPEN,
    FUNCTIONS,
} function;

static const nbp_import functions[FUNCTIONS] = {
    [MALLOC] = {"malloc", NULL, (void *)native_malloc},
    [CALLOC] = {"calloc", NULL, (void *)native_calloc},
    [REALLOC] = {"realloc", NULL, (void *)native_realloc},
    [FREE] = {"free", NULL, (void *)native_free},
    [POSIX_MEMALIGN] = {"posix_memalign", NULL, (void *)native_posix_memalign},
    [ALIGNED_ALLOC] = {"aligned_alloc", NULL, (void *)native_aligned_alloc},
    [MEMALIGN] = {"memalign", NULL, (void *)native_memalign},
    [MMAP] = {"mmap", NULL, (void *)native_mmap},
    [MMAP64] = {"mmap64", NULL, (void *)native_mmap},
    [MUNMAP] = {"munmap", NULL, (void *)native_munmap},
    [DLOPEN] = {"dlopen", NULL, (void *)native_dlopen},
};

static struct {
    atomic_bool on;
    nbp_import imports[FUNCTIONS]; /* with what the program has by these names */
} native;

static inline nbp_alloc_level
level_now(void)
{
    return atomic_load_explicit(&native.on, memory_order_relaxed)
               ? nbp_alloc_level_now()
               : NBP_ALLOC_OFF;
}

/* The thread when this call is to be counted, and the level; else NULL. */
static inline nbp_alloc_thread *
counting(nbp_alloc_level *level)
{
    *level = level_now();
    if (*level == NBP_ALLOC_OFF) {
        return NULL;
    }
    nbp_alloc_thread *thread = nbp_alloc_self();
    if (thread->inside) {
        return NULL;
    }
    if (thread->loading) {
        nbp_native_renew();
    }
    return thread;
}

static inline void *
counted(void *address, size_t bytes)
{
    nbp_alloc_level level;
    nbp_alloc_thread *thread = address == NULL ? NULL : counting(&level);
    if (thread != NULL) {
        int error = errno;
        thread->inside = true;
        nbp_alloc_note(thread, level, NULL, address, bytes);
        thread->inside = false;
        errno = error;
    }
    return address;
}

static void *
native_malloc(size_t size)
{
    return counted(malloc(size), size);
}

static void *
native_calloc(size_t count, size_t size)
{
    return counted(calloc(count, size), count * size);
}

static int
native_posix_memalign(void **address, size_t alignment, size_t size)
{
    int error = posix_memalign(address, alignment, size);
    if (error == 0) {
        (void)counted(*address, size);
    }
    return error;
}

static void *
native_aligned_alloc(size_t alignment, size_t size)
{
    return counted(aligned_alloc(alignment, size), size);
}

static void *
native_memalign(size_t alignment, size_t size)
{
    return counted(memalign(alignment, size), size);
}

static void *
native_realloc(void *old, size_t size)
{
    nbp_alloc_level level;
    nbp_alloc_thread *thread = counting(&level);
    if (thread == NULL) {
        return realloc(old, size);
    }
    nbp_block was;
    bool known = old != NULL && level >= NBP_ALLOC_EXACT &&
                 nbp_alloctable_hold(nbp_alloc_table(), old, &was);
    void *address = realloc(old, size);
    int error = errno;
    thread->inside = true;
    if (address != NULL) {
        nbp_alloc_note(thread, level, known ? &was : NULL, address, size);
    }
    else if (known && size == 0) {
        nbp_alloc_note_gone(thread, &was); /* glibc frees a block that shrinks to 0 */
    }
    else if (known) {
        nbp_alloctable_kept(nbp_alloc_table(), &was, old);
    }
    thread->inside = false;
    errno = error;
    return address;
}

/* A thread that has no counters gets none for a free: the last ones of a thread come
 * when its data are gone. */
static inline bool
notes_frees(nbp_alloc_level level)
{
    return level >= NBP_ALLOC_EXACT &&
           (nbp_alloc_running == NULL || !nbp_alloc_running->inside);
}

static void
native_free(void *address)
{
    nbp_alloc_level level = address == NULL ? NBP_ALLOC_OFF : level_now();
    if (notes_frees(level)) {
        nbp_alloc_note_free(nbp_alloc_running, level, address);
    }
    free(address);
}

/* Pages that are only set aside (no protection) are no memory yet. */
static void *
native_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    void *address = mmap(at, size, protection, flags, fd, offset);
    nbp_alloc_level level;
    nbp_alloc_thread *thread = address == MAP_FAILED ? NULL : counting(&level);
    if (thread != NULL && protection != PROT_NONE) {
        int error = errno;
        thread->inside = true;
        nbp_alloc_note_map(thread, level, address, size);
        thread->inside = false;
        errno = error;
    }
    return address;
}

/* Taken out first: another thread may map the same addresses as soon as they are free.
 */
static int
native_munmap(void *at, size_t size)
{
    if (notes_frees(level_now())) {
        nbp_alloc_note_unmap(nbp_alloc_running, at, size);
    }
    return munmap(at, size);
}

/* The libraries cannot be looked through before they are bound, and whoever calls
 * dlopen() is found by its return address: so nothing may come after it. */
static void *
native_dlopen(const char *name, int flags)
{
    if (atomic_load_explicit(&native.on, memory_order_relaxed)) {
        nbp_alloc_self()->loading = true;
    }
    void *(*original)(const char *, int) =
        (void *(*)(const char *, int))native.imports[DLOPEN].from;
    return original(name, flags);
}

/* What the program has by these names, which may be another library's than libc's. */
static void
find_originals(void)
{
    for (int i = 0; i < FUNCTIONS; i++) {
        native.imports[i] = functions[i];
        native.imports[i].from = dlsym(RTLD_DEFAULT, functions[i].name);
    }
}

static void
exchange(void)
{
    nbp_imports_exchange(native.imports, FUNCTIONS, true,
                         (const void *)nbp_native_start);
}

void
nbp_native_start(void)
{
    if (atomic_load(&native.on)) {
        return;
    }
    find_originals();
    atomic_store(&native.on, true);
    exchange();
}

void
nbp_native_stop(void)
{
    if (!atomic_load(&native.on)) {
        return;
    }
    atomic_store(&native.on, false);
    nbp_import back[FUNCTIONS];
    for (int i = 0; i < FUNCTIONS; i++) {
        back[i] = native.imports[i];
        back[i].from = native.imports[i].to;
        back[i].to = native.imports[i].from;
    }
    nbp_imports_exchange(back, FUNCTIONS, false, (const void *)nbp_native_start);
}

void
nbp_native_renew(void)
{
    nbp_alloc_self()->loading = false;
    if (atomic_load(&native.on)) {
        exchange();
    }
}
