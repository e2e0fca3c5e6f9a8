/* SPDX-License-Identifier: BSD-3-Clause */
/* Functions in the place of others, as in native.c, for which the same holds: static
 * state, and they hand through when nobody asks. */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE /* RTLD_DEFAULT */
#endif
#include "declared.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "allochooks.h"
#include "imports.h"

typedef int (*track)(unsigned int domain, uintptr_t address, size_t bytes);
typedef int (*untrack)(unsigned int domain, uintptr_t address);

static int declared_track(unsigned int domain, uintptr_t address, size_t bytes);
static int declared_untrack(unsigned int domain, uintptr_t address);

typedef enum { TRACK, UNTRACK, FUNCTIONS } function;

static const nbp_import functions[FUNCTIONS] = {
    [TRACK] = {"PyTraceMalloc_Track", NULL, (void *)declared_track},
    [UNTRACK] = {"PyTraceMalloc_Untrack", NULL, (void *)declared_untrack},
};

static struct {
    atomic_bool on;
    nbp_import imports[FUNCTIONS];
    nbp_import_places places;
} declared;

/* Frees are not seen at a lower level, nor is what is known already. Domain 0 is that
 * of Python's allocators: NumPy since 2.5 takes a block of theirs out of it, to declare
 * it in its own. */
static inline bool
is_counting(nbp_alloc_level level, unsigned int domain, uintptr_t address)
{
    return level >= NBP_ALLOC_EXACT && domain != 0 && address != 0 &&
           atomic_load_explicit(&declared.on, memory_order_relaxed);
}

/* A block that Python's allocators gave, or a library that is watched, is known by now;
 * one that was declared before has another size when it has grown. */
static void
note(nbp_alloc_thread *thread, nbp_alloc_level level, const void *address, size_t bytes)
{
    nbp_block was;
    bool known = nbp_alloctable_hold(nbp_alloc_table(), address, &was);
    if (known && was.bytes == bytes) {
        nbp_alloctable_kept(nbp_alloc_table(), &was, address);
        return;
    }
    if (known) {
        nbp_alloc_count_freed(thread, was.bytes, 1);
    }
    nbp_alloc_book(thread, (int)level, known ? &was : NULL, address, bytes, false);
}

static int
declared_track(unsigned int domain, uintptr_t address, size_t bytes)
{
    nbp_alloc_level level = nbp_alloc_level_now();
    if (is_counting(level, domain, address)) {
        nbp_alloc_thread *thread = nbp_alloc_self();
        if (!thread->inside) {
            int error = errno;
            thread->inside = true;
            note(thread, level, (const void *)address, bytes);
            thread->inside = false;
            errno = error;
        }
    }
    return ((track)declared.imports[TRACK].from)(domain, address, bytes);
}

static int
declared_untrack(unsigned int domain, uintptr_t address)
{
    nbp_alloc_level level = nbp_alloc_level_now();
    if (is_counting(level, domain, address) &&
        (nbp_alloc_running == NULL || !nbp_alloc_running->inside)) {
        nbp_alloc_note_free(nbp_alloc_running, level, (const void *)address);
    }
    return ((untrack)declared.imports[UNTRACK].from)(domain, address);
}

void
nbp_declared_start(void)
{
    if (atomic_load(&declared.on)) {
        return;
    }
    /* Once: a thread may be on its way through them. */
    for (int i = 0; i < FUNCTIONS && declared.imports[i].from == NULL; i++) {
        declared.imports[i] = functions[i];
        declared.imports[i].from = dlsym(RTLD_DEFAULT, functions[i].name);
        if (declared.imports[i].from == NULL) {
            return;
        }
    }
    atomic_store(&declared.on, true);
    nbp_imports_exchange_known(&declared.places, declared.imports, FUNCTIONS, false,
                               (const void *)nbp_declared_start);
}

void
nbp_declared_stop(void)
{
    if (!atomic_load(&declared.on)) {
        return;
    }
    atomic_store(&declared.on, false);
    nbp_import back[FUNCTIONS];
    for (int i = 0; i < FUNCTIONS; i++) {
        back[i] = declared.imports[i];
        back[i].from = declared.imports[i].to;
        back[i].to = declared.imports[i].from;
    }
    nbp_imports_exchange_known(&declared.places, back, FUNCTIONS, true,
                               (const void *)nbp_declared_start);
}
