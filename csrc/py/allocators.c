/* SPDX-License-Identifier: BSD-3-Clause */
/* Hooks that come and go while the program runs, some threads without the GIL.
 *
 * Each of our functions is called with the context of the allocator that it stands
 * before, and finds that allocator by it. So a thread that has read half of the table
 * of functions before it changed, or that has been asleep in here for as long, still
 * calls a function with the context that belongs to it; and when another tool has put
 * its hooks over ours and ours over those, each level finds its own.
 *
 * The allocators are the process's and their functions get no argument of ours, hence
 * the static state. It is never taken down: threads may be in here at any time. */
#include "allocators.h"

#include <Python.h>

#include <stdatomic.h>

#include "allocnotes.h"
#include "native.h"

enum {
    DOMAINS = 3,     /* PYMEM_DOMAIN_RAW, _MEM, _OBJ: 0, 1, 2 */
    UNDER_MOST = 32, /* different allocators that ours have stood before */
};

/* What ours stand before. Entries are written once, and then there to stay. */
typedef struct {
    PyMemAllocatorEx under[UNDER_MOST];
    atomic_uint count;
    _Atomic(const PyMemAllocatorEx *) now;
} domain_hooks;

static domain_hooks domains[DOMAINS];
static bool have_been_in; /* our functions, somewhere before; under the GIL */

static const PyMemAllocatorEx *
look_for(const domain_hooks *domain, const void *ctx)
{
    unsigned count = atomic_load_explicit(&domain->count, memory_order_acquire);
    for (unsigned i = 0; i < count; i++) {
        if (domain->under[i].ctx == ctx) {
            return &domain->under[i];
        }
    }
    return NULL; /* never: ours have no other contexts than those */
}

/* The allocator that our function stands before when it is called with `ctx`. */
static inline const PyMemAllocatorEx *
under(int number, const void *ctx)
{
    const domain_hooks *domain = &domains[number];
    const PyMemAllocatorEx *now =
        atomic_load_explicit(&domain->now, memory_order_acquire);
    return now->ctx == ctx ? now : look_for(domain, ctx);
}

/* The level if this call is to be counted, and the thread; else NBP_ALLOC_OFF. */
static inline int
level_of_call(nbp_alloc_thread **thread)
{
    int level = atomic_load_explicit(&nbp_alloc_booking.level, memory_order_relaxed);
    if (level == NBP_ALLOC_OFF) {
        return level;
    }
    *thread = nbp_alloc_self();
    if (level & NBP_ALLOC_PROBING) {
        (*thread)->reached = true;
        level &= ~NBP_ALLOC_PROBING;
    }
    if ((*thread)->inside) {
        return NBP_ALLOC_OFF;
    }
    if ((*thread)->loading) {
        nbp_native_renew();
    }
    return level;
}

static inline void *
hook_malloc(int domain, void *ctx, size_t size)
{
    const PyMemAllocatorEx *allocator = under(domain, ctx);
    nbp_alloc_thread *thread;
    int level = level_of_call(&thread);
    if (level == NBP_ALLOC_OFF) {
        return allocator->malloc(ctx, size);
    }
    thread->inside = true;
    void *address = allocator->malloc(ctx, size);
    thread->inside = false;
    if (address != NULL) {
        nbp_alloc_book(thread, level, NULL, address, size, false);
    }
    return address;
}

static inline void *
hook_calloc(int domain, void *ctx, size_t count, size_t size)
{
    const PyMemAllocatorEx *allocator = under(domain, ctx);
    nbp_alloc_thread *thread;
    int level = level_of_call(&thread);
    if (level == NBP_ALLOC_OFF) {
        return allocator->calloc(ctx, count, size);
    }
    thread->inside = true;
    void *address = allocator->calloc(ctx, count, size);
    thread->inside = false;
    if (address != NULL) {
        nbp_alloc_book(thread, level, NULL, address, count * size, false);
    }
    return address;
}

static inline void *
hook_realloc(int domain, void *ctx, void *old, size_t size)
{
    const PyMemAllocatorEx *allocator = under(domain, ctx);
    nbp_alloc_thread *thread;
    int level = level_of_call(&thread);
    if (level == NBP_ALLOC_OFF) {
        return allocator->realloc(ctx, old, size);
    }
    nbp_block was;
    bool known = old != NULL && level >= NBP_ALLOC_EXACT &&
                 nbp_alloctable_hold(nbp_alloc_booking.table, old, &was);
    thread->inside = true;
    void *address = allocator->realloc(ctx, old, size);
    thread->inside = false;
    if (address == NULL) {
        if (known) {
            nbp_alloctable_kept(nbp_alloc_booking.table, &was, old);
        }
        return NULL;
    }
    if (known) {
        nbp_alloc_count_freed(thread, was.bytes, 1);
    }
    nbp_alloc_book(thread, level, known ? &was : NULL, address, size, false);
    return address;
}

static inline void
hook_free(int domain, void *ctx, void *address)
{
    const PyMemAllocatorEx *allocator = under(domain, ctx);
    int level = atomic_load_explicit(&nbp_alloc_booking.level, memory_order_relaxed);
    nbp_alloc_thread *thread = NULL;
    if (level >= NBP_ALLOC_EXACT && address != NULL) {
        level = level_of_call(&thread);
    }
    if (thread == NULL || level < NBP_ALLOC_EXACT) {
        allocator->free(ctx, address);
        return;
    }
    nbp_alloc_book_free(thread, level, address);
    thread->inside = true;
    allocator->free(ctx, address);
    thread->inside = false;
}

#define HOOKS(name, domain)                                                            \
    static void *name##_malloc(void *ctx, size_t size)                                 \
    {                                                                                  \
        return hook_malloc(domain, ctx, size);                                         \
    }                                                                                  \
    static void *name##_calloc(void *ctx, size_t count, size_t size)                   \
    {                                                                                  \
        return hook_calloc(domain, ctx, count, size);                                  \
    }                                                                                  \
    static void *name##_realloc(void *ctx, void *old, size_t size)                     \
    {                                                                                  \
        return hook_realloc(domain, ctx, old, size);                                   \
    }                                                                                  \
    static void name##_free(void *ctx, void *address)                                  \
    {                                                                                  \
        hook_free(domain, ctx, address);                                               \
    }

HOOKS(raw, PYMEM_DOMAIN_RAW)
HOOKS(mem, PYMEM_DOMAIN_MEM)
HOOKS(obj, PYMEM_DOMAIN_OBJ)

static const PyMemAllocatorEx ours[DOMAINS] = {
    [PYMEM_DOMAIN_RAW] = {NULL, raw_malloc, raw_calloc, raw_realloc, raw_free},
    [PYMEM_DOMAIN_MEM] = {NULL, mem_malloc, mem_calloc, mem_realloc, mem_free},
    [PYMEM_DOMAIN_OBJ] = {NULL, obj_malloc, obj_calloc, obj_realloc, obj_free},
};

static bool
is_same(const PyMemAllocatorEx *a, const PyMemAllocatorEx *b)
{
    return a->ctx == b->ctx && a->malloc == b->malloc && a->calloc == b->calloc &&
           a->realloc == b->realloc && a->free == b->free;
}

static bool
is_ours_on_top(int number)
{
    PyMemAllocatorEx top;
    PyMem_GetAllocator((PyMemAllocatorDomain)number, &top);
    return top.malloc == ours[number].malloc;
}

/* True when an allocation comes by our hooks, under whatever others. */
static bool
reaches(int number)
{
    nbp_alloc_thread *thread = nbp_alloc_self();
    bool was_inside = thread->inside;
    int level = atomic_fetch_or(&nbp_alloc_booking.level, NBP_ALLOC_PROBING);
    thread->reached = false;
    thread->inside = true; /* seen, not counted */
    if (number == PYMEM_DOMAIN_RAW) {
        PyMem_RawFree(PyMem_RawMalloc(1));
    }
    else if (number == PYMEM_DOMAIN_MEM) {
        PyMem_Free(PyMem_Malloc(1));
    }
    else {
        PyObject_Free(PyObject_Malloc(1));
    }
    thread->inside = was_inside;
    atomic_store(&nbp_alloc_booking.level, level);
    return thread->reached;
}

/* What `allocator` is known by, for ever; NULL with an exception set when there have
 * been too many. */
static const PyMemAllocatorEx *
remember(domain_hooks *domain, const PyMemAllocatorEx *allocator)
{
    unsigned count = atomic_load(&domain->count);
    for (unsigned i = 0; i < count; i++) {
        if (is_same(&domain->under[i], allocator)) {
            return &domain->under[i];
        }
    }
    if (count == UNDER_MOST) {
        PyErr_SetString(PyExc_RuntimeError,
                        "other tools have changed Python's allocators too often");
        return NULL;
    }
    domain->under[count] = *allocator;
    atomic_store(&domain->count, count + 1);
    return &domain->under[count];
}

/* Sees to it that allocations of a domain come by our hooks: 0, or -1 with an exception
 * set. */
static int
put_in(int number)
{
    if (is_ours_on_top(number) || (have_been_in && reaches(number))) {
        return 0;
    }
    domain_hooks *domain = &domains[number];
    PyMemAllocatorEx allocator;
    PyMem_GetAllocator((PyMemAllocatorDomain)number, &allocator);
    const PyMemAllocatorEx *known = remember(domain, &allocator);
    if (known == NULL) {
        return -1;
    }
    atomic_store(&domain->now, known);
    PyMemAllocatorEx hook = ours[number];
    hook.ctx = known->ctx;
    PyMem_SetAllocator((PyMemAllocatorDomain)number, &hook);
    return 0;
}

static void
take_out(int number)
{
    PyMemAllocatorEx top;
    PyMem_GetAllocator((PyMemAllocatorDomain)number, &top);
    if (top.malloc == ours[number].malloc) {
        PyMemAllocatorEx allocator = *under(number, top.ctx);
        PyMem_SetAllocator((PyMemAllocatorDomain)number, &allocator);
    }
}

int
nbp_allocators_put_in(void)
{
    for (int number = 0; number < DOMAINS; number++) {
        if (put_in(number) < 0) {
            return -1;
        }
    }
    have_been_in = true;
    return 0;
}

void
nbp_allocators_take_out(void)
{
    for (int number = 0; number < DOMAINS; number++) {
        take_out(number);
    }
}

bool
nbp_allocators_are_displaced(void)
{
    for (int number = 0; number < DOMAINS; number++) {
        if (!is_ours_on_top(number) && !reaches(number)) {
            return true;
        }
    }
    return false;
}
