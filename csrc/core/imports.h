/* SPDX-License-Identifier: BSD-3-Clause */
/* Functions that the loaded libraries import, exchanged for others in their import
 * tables (the global offset table of ELF) and put back. For glibc on x86_64 and aarch64
 * Linux; elsewhere nothing is changed.
 *
 * Nothing is remembered: to put functions back is to exchange the other way round, in
 * whatever is loaded then. */
#ifndef NBP_IMPORTS_H
#define NBP_IMPORTS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    const char *name; /* of the function */
    void *from;       /* what an import of that name is bound to, or will be */
    void *to;         /* what to bind it to */
} nbp_import;

/* Exchanges the imports of all libraries but the dynamic linker and the one that `self`
 * (an address) is in; an import that is bound to something else stays, and with
 * `unbound` one that is not bound yet is exchanged too. Returns how many were.
 * Allocates nothing. Safe beside threads that call these functions or load libraries;
 * two exchanges wait for each other. */
size_t nbp_imports_exchange(const nbp_import *imports, size_t count, bool unbound,
                            const void *self);

/* Places in import tables that are bound to functions of one list: found once, and
 * again when libraries came or went. All zero: nothing is known yet. */
enum { NBP_IMPORT_PLACES = 2048 };

typedef struct {
    struct {
        void **slot;
        size_t import; /* index of the list */
    } places[NBP_IMPORT_PLACES];
    size_t count;
    bool is_known;             /* all of them, as long as the next two are the same */
    unsigned long long loaded; /* libraries until then */
    unsigned long long unloaded;
} nbp_import_places;

/* Exchanges as above, or puts back; what does not fit into the places stays as it is.
 * Some microseconds when the places are known, else as long as above. */
void nbp_imports_exchange_known(nbp_import_places *places, const nbp_import *imports,
                                size_t count, bool back, const void *self);

/* "" where it works; else one line that says why not. */
const char *nbp_imports_unavailable(void);

#endif /* NBP_IMPORTS_H */
