/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE /* dl_iterate_phdr */
#endif
#include "imports.h"

#include <stdint.h> /* of the C library: it says which one that is */

#if defined(__linux__) && defined(__GLIBC__) &&                                        \
    (defined(__x86_64__) || defined(__aarch64__))
#    define IMPORTS_ELF 1
#else
#    define IMPORTS_ELF 0
#endif

#if IMPORTS_ELF

#    include <elf.h>
#    include <link.h>
#    include <linux/futex.h>
#    include <string.h>
#    include <sys/mman.h>
#    include <sys/syscall.h>
#    include <unistd.h>

#    ifdef __x86_64__
#        define IS_SLOT(type)                                                          \
            ((type) == R_X86_64_JUMP_SLOT || (type) == R_X86_64_GLOB_DAT)
#    else
#        define IS_SLOT(type)                                                          \
            ((type) == R_AARCH64_JUMP_SLOT || (type) == R_AARCH64_GLOB_DAT)
#    endif

/* Of one exchange. */
typedef struct {
    const nbp_import *imports;
    size_t count;
    bool unbound;
    uintptr_t self;
    uintptr_t page_bytes;
    size_t exchanged;
    nbp_import_places *places; /* to note them in; NULL: do not */
    bool back;
    bool is_begun;
} exchange;

/* One library. */
typedef struct {
    uintptr_t base;
    uintptr_t start, end; /* of its memory */
    const ElfW(Sym) * symbols;
    const char *strings;
    const ElfW(Rela) * tables[2];
    size_t bytes[2];
} library;

static void
measure(const struct dl_phdr_info *info, library *lib, const ElfW(Dyn) * *dynamic)
{
    *lib = (library){.base = info->dlpi_addr, .start = UINTPTR_MAX};
    *dynamic = NULL;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + header->p_vaddr;
        uintptr_t end = start + header->p_memsz;
        if (header->p_type == PT_DYNAMIC) {
            *dynamic = (const ElfW(Dyn) *)start;
        }
        else if (header->p_type == PT_LOAD) {
            lib->start = start < lib->start ? start : lib->start;
            lib->end = end > lib->end ? end : lib->end;
        }
    }
}

/* The tables of a library: true when it has what an exchange needs. glibc has made the
 * addresses absolute, but for those of the kernel's own library. */
static bool
find_tables(library *lib, const ElfW(Dyn) * dynamic)
{
    for (; dynamic->d_tag != DT_NULL; dynamic++) {
        uintptr_t value = dynamic->d_un.d_ptr;
        switch (dynamic->d_tag) {
        case DT_SYMTAB:
            lib->symbols = (const ElfW(Sym) *)value;
            break;
        case DT_STRTAB:
            lib->strings = (const char *)value;
            break;
        case DT_JMPREL:
            lib->tables[0] = (const ElfW(Rela) *)value;
            break;
        case DT_PLTRELSZ:
            lib->bytes[0] = value;
            break;
        case DT_RELA:
            lib->tables[1] = (const ElfW(Rela) *)value;
            break;
        case DT_RELASZ:
            lib->bytes[1] = value;
            break;
        default:
            break;
        }
    }
    uintptr_t symbols = (uintptr_t)lib->symbols, strings = (uintptr_t)lib->strings;
    return symbols >= lib->start && symbols < lib->end && strings >= lib->start &&
           strings < lib->end;
}

/* Asks the kernel, by adding 0 to the slot as a futex operation. The dynamic linker
 * makes slots read-only when it has bound a library; a page that it is still at work on
 * in another thread must not become so before. */
static bool
is_writable(void **slot)
{
    uint32_t nobody_waits = 0;
    return syscall(SYS_futex, &nobody_waits, FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG, 0,
                   NULL, (uint32_t *)slot,
                   FUTEX_OP(FUTEX_OP_ADD, 0, FUTEX_OP_CMP_EQ, 0)) >= 0;
}

/* Binds a slot, which threads may call through at any time. */
static bool
bind_slot(const exchange *self, void **slot, void *to)
{
    void *page = (void *)((uintptr_t)slot & ~(self->page_bytes - 1));
    bool writable = is_writable(slot);
    if (!writable && mprotect(page, self->page_bytes, PROT_READ | PROT_WRITE) != 0) {
        return false;
    }
    __atomic_store_n(slot, to, __ATOMIC_RELEASE);
    if (!writable) {
        (void)mprotect(page, self->page_bytes, PROT_READ);
    }
    return true;
}

static void
exchange_slot(exchange *self, const library *lib, const ElfW(Rela) * relocation)
{
    const char *name =
        lib->strings + lib->symbols[ELF64_R_SYM(relocation->r_info)].st_name;
    for (size_t i = 0; i < self->count; i++) {
        const nbp_import *import = &self->imports[i];
        if (import->from == NULL || strcmp(name, import->name) != 0) {
            continue;
        }
        void **slot = (void **)(lib->base + relocation->r_offset);
        void *bound = __atomic_load_n(slot, __ATOMIC_ACQUIRE);
        /* Not bound yet: it points to the code in the library that binds it. */
        bool is_unbound = (uintptr_t)bound >= lib->start && (uintptr_t)bound < lib->end;
        bool is_own =
            (uintptr_t)import->from >= lib->start && (uintptr_t)import->from < lib->end;
        if (bound == import->from || (self->unbound && is_unbound && !is_own)) {
            nbp_import_places *places = self->places;
            if (places != NULL && places->count == NBP_IMPORT_PLACES) {
                return;
            }
            self->exchanged += bind_slot(self, slot, import->to);
            if (places != NULL) {
                places->places[places->count].slot = slot;
                places->places[places->count++].import = i;
            }
        }
        return;
    }
}

static int
exchange_library(struct dl_phdr_info *info, size_t size, void *arg)
{
    exchange *self = arg;
    library lib;
    const ElfW(Dyn) * dynamic;
    measure(info, &lib, &dynamic);
    if (dynamic == NULL || (self->self >= lib.start && self->self < lib.end) ||
        (info->dlpi_name != NULL && strstr(info->dlpi_name, "/ld-linux") != NULL) ||
        !find_tables(&lib, dynamic)) {
        return 0;
    }
    for (int i = 0; i < 2; i++) {
        size_t count = lib.tables[i] == NULL ? 0 : lib.bytes[i] / sizeof(ElfW(Rela));
        for (size_t j = 0; j < count; j++) {
            if (IS_SLOT(ELF64_R_TYPE(lib.tables[i][j].r_info))) {
                exchange_slot(self, &lib, &lib.tables[i][j]);
            }
        }
    }
    return 0;
}

size_t
nbp_imports_exchange(const nbp_import *imports, size_t count, bool unbound,
                     const void *self)
{
    exchange work = {
        .imports = imports,
        .count = count,
        .unbound = unbound,
        .self = (uintptr_t)self,
        .page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE),
    };
    dl_iterate_phdr(exchange_library, &work);
    return work.exchanged;
}

/* What is known is exchanged without a search; under the loader's lock, so that no
 * library goes away meanwhile. */
static bool
exchange_places(const exchange *self, unsigned long long loaded,
                unsigned long long unloaded)
{
    nbp_import_places *places = self->places;
    if (!places->is_known || places->unloaded != unloaded ||
        (places->loaded != loaded && !self->back)) {
        places->count = 0;
        places->loaded = loaded;
        places->unloaded = unloaded;
        places->is_known = !self->back; /* then only what was exchanged is found */
        return false;
    }
    for (size_t i = 0; i < places->count; i++) {
        const nbp_import *import = &self->imports[places->places[i].import];
        void **slot = places->places[i].slot;
        if (__atomic_load_n(slot, __ATOMIC_ACQUIRE) == import->from) {
            bind_slot(self, slot, import->to);
        }
    }
    return true;
}

static int
exchange_known(struct dl_phdr_info *info, size_t size, void *arg)
{
    exchange *self = arg;
    if (!self->is_begun) {
        self->is_begun = true;
        if (exchange_places(self, info->dlpi_adds, info->dlpi_subs)) {
            return 1;
        }
    }
    return exchange_library(info, size, self);
}

void
nbp_imports_exchange_known(nbp_import_places *places, const nbp_import *imports,
                           size_t count, bool back, const void *self)
{
    exchange work = {
        .imports = imports,
        .count = count,
        .unbound = !back,
        .self = (uintptr_t)self,
        .page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE),
        .places = places,
        .back = back,
    };
    dl_iterate_phdr(exchange_known, &work);
}

const char *
nbp_imports_unavailable(void)
{
    return "";
}

#else

size_t
nbp_imports_exchange(const nbp_import *imports, size_t count, bool unbound,
                     const void *self)
{
    (void)imports;
    (void)count;
    (void)unbound;
    (void)self;
    return 0;
}

void
nbp_imports_exchange_known(nbp_import_places *places, const nbp_import *imports,
                           size_t count, bool back, const void *self)
{
    (void)places;
    (void)imports;
    (void)count;
    (void)back;
    (void)self;
}

const char *
nbp_imports_unavailable(void)
{
    return "allocations of libraries are seen on Linux with glibc only, on x86_64 and"
           " aarch64";
}

#endif
