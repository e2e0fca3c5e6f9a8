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
#include "allochooks.h"

#include <Python.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "compat.h"
#include "layout.h"
#include "native.h"
#include "state.h"

enum {
    DOMAINS = 3,     /* PYMEM_DOMAIN_RAW, _MEM, _OBJ: 0, 1, 2 */
    UNDER_MOST = 32, /* different allocators that ours have stood before */
    RECENT = 4,
    PROBING = 8, /* added to the level while reaches() looks */
};

/* What ours stand before. Entries are written once, and then there to stay. */
typedef struct {
    PyMemAllocatorEx under[UNDER_MOST];
    atomic_uint count;
    _Atomic(const PyMemAllocatorEx *) now;
} domain_hooks;

static struct {
    atomic_int level; /* an nbp_alloc_level, maybe with PROBING */
    atomic_uint frames;
    _Atomic(nbp_rss_t *) rss; /* borrowed from the module, which takes it back */
    _Atomic(nbp_alloc_thread *) threads;
    nbp_alloctable_t *table;         /* made by the first use */
    nbp_alloc_use *open;             /* borrowed; under the GIL, as the rest */
    PyInterpreterState *interpreter; /* the one whose code may be kept */
    bool put_in;                     /* our hooks have been somewhere before */
    pthread_key_t key;
    domain_hooks domains[DOMAINS];
} hooks;

_Thread_local nbp_alloc_thread *nbp_alloc_running
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* For the threads that got no counters of their own: everything is handed through. */
static nbp_alloc_thread nobody = {.inside = true, .in_use = true};

/* --- Threads -----------------------------------------------------------------------
 */

/* One thread writes, any may read: no tearing, no order. */
static inline void
bump(uint64_t *counter, uint64_t by)
{
    __atomic_store_n(counter, *counter + by, __ATOMIC_RELAXED);
}

static inline uint64_t
read_of(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* A thread has ended: its counters stay what they are, for the next one. */
static void
detach(void *arg)
{
    nbp_alloc_thread *thread = arg;
    nbp_alloc_running = NULL;
    __atomic_store_n(&thread->in_use, false, __ATOMIC_RELEASE);
}

static nbp_alloc_thread *
unused_thread(void)
{
    nbp_alloc_thread *thread = atomic_load(&hooks.threads);
    for (; thread != NULL; thread = thread->next) {
        if (!__atomic_exchange_n(&thread->in_use, true, __ATOMIC_ACQUIRE)) {
            return thread;
        }
    }
    size_t size = (sizeof(*thread) + 63) / 64 * 64; /* whole cache lines */
    thread = aligned_alloc(64, size);
    if (thread == NULL) {
        return NULL;
    }
    memset(thread, 0, size);
    thread->in_use = true;
    thread->next = atomic_load(&hooks.threads);
    while (!atomic_compare_exchange_weak(&hooks.threads, &thread->next, thread)) {
    }
    return thread;
}

nbp_alloc_thread *
nbp_alloc_attach(void)
{
    nbp_alloc_thread *thread = unused_thread();
    if (thread == NULL) {
        return &nobody;
    }
    nbp_alloc_restart_peak(thread);
    thread->inside = false;
    thread->loading = false;
    thread->unseen = false;
    nbp_alloc_running = thread;
    if (hooks.table != NULL) {
        (void)pthread_setspecific(hooks.key, thread);
    }
    return thread;
}

/* All threads together, with COUNTS. */
static nbp_alloc_totals
sum_of_threads(void)
{
    nbp_alloc_totals sum = {0};
    const nbp_alloc_thread *thread = atomic_load(&hooks.threads);
    for (; thread != NULL; thread = thread->next) {
        sum.allocated_bytes += read_of(&thread->allocated_bytes);
        sum.allocated_blocks += read_of(&thread->allocated_blocks);
        sum.native_bytes += read_of(&thread->native_bytes);
        sum.native_blocks += read_of(&thread->native_blocks);
    }
    return sum;
}

/* --- What is allocated and freed ---------------------------------------------------
 */

/* The thread's Python frames, if it may look at them: with the GIL, and of the
 * interpreter whose code we may keep. */
static void
collect_stack(nbp_stack *stack, bool native)
{
    nbp_stack_clear(stack, native);
    PyThreadState *thread = nbp_attached_thread();
    if (thread != NULL && thread->interp == hooks.interpreter) {
        nbp_layout_stack(thread, stack,
                         atomic_load_explicit(&hooks.frames, memory_order_relaxed));
    }
}

/* A new place keeps its code alive: under the GIL, for only then it has frames. */
static void
keep_code(const nbp_stack *stack)
{
    for (uint32_t i = 0; i < stack->count; i++) {
        Py_INCREF((PyObject *)stack->frames[i].code);
    }
}

/* `was` is the block that this one was before a realloc, or NULL. Not inlined: the
 * stack takes 2 KB of the thread's. */
static __attribute__((noinline)) void
note_with_place(nbp_alloc_thread *thread, const nbp_block *was, const void *address,
                size_t bytes, bool native)
{
    nbp_stack stack;
    collect_stack(&stack, native);
    thread->recent[thread->n_recent++ % RECENT] = address;
    if (nbp_alloctable_moved(hooks.table, was, address, bytes, &stack, native)) {
        keep_code(&stack);
    }
}

static inline void
count_allocated(nbp_alloc_thread *thread, size_t bytes, bool native)
{
    bump(&thread->allocated_bytes, bytes);
    bump(&thread->allocated_blocks, 1);
    if (native) {
        bump(&thread->native_bytes, bytes);
        bump(&thread->native_blocks, 1);
    }
}

static inline void
count_freed(nbp_alloc_thread *thread, uint64_t bytes, uint64_t blocks)
{
    bump(&thread->freed_bytes, bytes);
    bump(&thread->freed_blocks, blocks);
}

static inline void
raise_peak(nbp_alloc_thread *thread)
{
    int64_t current = nbp_alloc_current_bytes(thread);
    if (current > thread->peak_bytes) {
        thread->peak_bytes = current;
    }
}

static inline void
note(nbp_alloc_thread *thread, int level, const nbp_block *was, const void *address,
     size_t bytes, bool native)
{
    if (thread->unseen && was == NULL) {
        return;
    }
    count_allocated(thread, bytes, native);
    if (level == NBP_ALLOC_COUNTS) {
        return;
    }
    raise_peak(thread);
    if (level == NBP_ALLOC_EXACT) {
        (void)nbp_alloctable_moved(hooks.table, was, address, bytes, NULL, native);
    }
    else {
        note_with_place(thread, was, address, bytes, native);
    }
}

static inline bool
is_recent(const nbp_alloc_thread *thread, const void *address)
{
    bool is = false;
    for (int i = 0; i < RECENT; i++) {
        is |= thread->recent[i] == address;
    }
    return is;
}

static inline void
note_free(nbp_alloc_thread *thread, int level, const void *address)
{
    nbp_block block;
    bool temporary =
        level == NBP_ALLOC_SITES && thread != NULL && is_recent(thread, address);
    if (nbp_alloctable_remove(hooks.table, address, temporary, &block) &&
        thread != NULL) {
        count_freed(thread, block.bytes, 1);
    }
}

void
nbp_alloc_note(nbp_alloc_thread *thread, nbp_alloc_level level, const nbp_block *was,
               const void *address, size_t bytes)
{
    if (was != NULL) {
        count_freed(thread, was->bytes, 1);
    }
    note(thread, (int)level, was, address, bytes, true);
}

void
nbp_alloc_note_free(nbp_alloc_thread *thread, nbp_alloc_level level,
                    const void *address)
{
    note_free(thread, (int)level, address);
}

void
nbp_alloc_note_gone(nbp_alloc_thread *thread, const nbp_block *was)
{
    count_freed(thread, was->bytes, 1);
    (void)nbp_alloctable_moved(hooks.table, was, NULL, 0, NULL, true);
}

void
nbp_alloc_note_map(nbp_alloc_thread *thread, nbp_alloc_level level, const void *address,
                   size_t bytes)
{
    nbp_stack stack;
    if (thread->unseen) {
        return;
    }
    count_allocated(thread, bytes, true);
    if (level == NBP_ALLOC_COUNTS) {
        return;
    }
    raise_peak(thread);
    nbp_stack_clear(&stack, true);
    if (level == NBP_ALLOC_SITES) {
        collect_stack(&stack, true);
    }
    if (nbp_alloctable_map(hooks.table, address, bytes,
                           level == NBP_ALLOC_SITES ? &stack : NULL)) {
        keep_code(&stack);
    }
}

void
nbp_alloc_note_unmap(nbp_alloc_thread *thread, const void *address, size_t bytes)
{
    uint64_t gone = nbp_alloctable_unmap(hooks.table, address, bytes);
    if (thread != NULL && gone > 0) {
        count_freed(thread, gone, 1);
    }
}

/* --- The hooks ---------------------------------------------------------------------
 */

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
    const domain_hooks *domain = &hooks.domains[number];
    const PyMemAllocatorEx *now =
        atomic_load_explicit(&domain->now, memory_order_acquire);
    return now->ctx == ctx ? now : look_for(domain, ctx);
}

/* The level if this call is to be counted, and the thread; else NBP_ALLOC_OFF. */
static inline int
level_of_call(nbp_alloc_thread **thread)
{
    int level = atomic_load_explicit(&hooks.level, memory_order_relaxed);
    if (level == NBP_ALLOC_OFF) {
        return level;
    }
    *thread = nbp_alloc_self();
    if (level & PROBING) {
        (*thread)->reached = true;
        level &= ~PROBING;
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
        note(thread, level, NULL, address, size, false);
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
        note(thread, level, NULL, address, count * size, false);
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
                 nbp_alloctable_hold(hooks.table, old, &was);
    thread->inside = true;
    void *address = allocator->realloc(ctx, old, size);
    thread->inside = false;
    if (address == NULL) {
        if (known) {
            nbp_alloctable_kept(hooks.table, &was, old);
        }
        return NULL;
    }
    if (known) {
        count_freed(thread, was.bytes, 1);
    }
    note(thread, level, known ? &was : NULL, address, size, false);
    return address;
}

static inline void
hook_free(int domain, void *ctx, void *address)
{
    const PyMemAllocatorEx *allocator = under(domain, ctx);
    int level = atomic_load_explicit(&hooks.level, memory_order_relaxed);
    nbp_alloc_thread *thread = NULL;
    if (level >= NBP_ALLOC_EXACT && address != NULL) {
        level = level_of_call(&thread);
    }
    if (thread == NULL || level < NBP_ALLOC_EXACT) {
        allocator->free(ctx, address);
        return;
    }
    note_free(thread, level, address);
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

/* --- In and out --------------------------------------------------------------------
 */

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
    int level = atomic_fetch_or(&hooks.level, PROBING);
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
    atomic_store(&hooks.level, level);
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
    if (is_ours_on_top(number) || (hooks.put_in && reaches(number))) {
        return 0;
    }
    domain_hooks *domain = &hooks.domains[number];
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

/* Takes ours out where they are on top; under another tool's they hand through. */
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

static void
resizing(void *Py_UNUSED(arg), int64_t more)
{
    nbp_rss_t *rss = atomic_load(&hooks.rss);
    if (rss != NULL) {
        nbp_rss_discount(rss, more);
    }
}

/* A handler that runs in between must not wait for the lock: it is not counted. */
static void
before_fork(void)
{
    nbp_alloc_self()->inside = true;
    nbp_alloctable_lock(hooks.table);
}

static void
after_fork(void)
{
    nbp_alloctable_unlock(hooks.table);
    nbp_alloc_self()->inside = nbp_alloc_self() == &nobody;
}

/* What is made once: 0, or -1 with an exception set. */
static int
make_ready(void)
{
    if (hooks.table != NULL) {
        return 0;
    }
    if (pthread_key_create(&hooks.key, detach) != 0) {
        PyErr_SetString(PyExc_RuntimeError, "no thread-specific data is left");
        return -1;
    }
    nbp_alloctable_t *table = nbp_alloctable_new(resizing, NULL);
    if (table == NULL || pthread_atfork(before_fork, after_fork, after_fork) != 0) {
        nbp_alloctable_destroy(&table);
        pthread_key_delete(hooks.key);
        PyErr_NoMemory();
        return -1;
    }
    hooks.table = table;
    hooks.interpreter = PyInterpreterState_Main();
    return 0;
}

/* Made ready first: else nobody would hear of the thread's end. */
int
nbp_alloc_leave_out(bool leave_out)
{
    if (make_ready() < 0) {
        return -1;
    }
    nbp_alloc_thread *thread = nbp_alloc_self();
    if (thread != &nobody) {
        thread->unseen = leave_out;
    }
    return 0;
}

/* Tells the hooks what the open uses ask for. */
static void
set_level(void)
{
    int level = NBP_ALLOC_OFF;
    unsigned frames = 0;
    bool native = false;
    for (const nbp_alloc_use *use = hooks.open; use != NULL; use = use->next) {
        level = (int)use->level > level ? (int)use->level : level;
        frames = use->frames > frames ? use->frames : frames;
        native |= use->native;
    }
    if (!native) {
        nbp_native_stop();
    }
    atomic_store(&hooks.frames, frames);
    atomic_store(&hooks.level, level);
    if (native) {
        nbp_native_start();
    }
}

nbp_alloc_level
nbp_alloc_level_now(void)
{
    int level = atomic_load_explicit(&hooks.level, memory_order_relaxed);
    return (nbp_alloc_level)(level & ~PROBING);
}

static void
take_all_out(void)
{
    for (int number = 0; number < DOMAINS; number++) {
        take_out(number);
    }
}

int
nbp_alloc_use_open(nbp_alloc_use *use)
{
    if (use->open) {
        PyErr_SetString(PyExc_RuntimeError, "this measurement has been started");
        return -1;
    }
    if (make_ready() < 0) {
        return -1;
    }
    nbp_alloc_use_free(use);
    for (int number = 0; number < DOMAINS; number++) {
        if (put_in(number) < 0) {
            if (hooks.open == NULL) {
                take_all_out();
            }
            return -1;
        }
    }
    hooks.put_in = true;
    if (use->level != NBP_ALLOC_SITES) {
        use->frames = 0;
    }
    if (use->level >= NBP_ALLOC_EXACT) {
        nbp_status status = nbp_alloctable_open(hooks.table, &use->measure,
                                                use->level == NBP_ALLOC_SITES);
        if (status != NBP_OK) {
            if (hooks.open == NULL) {
                take_all_out();
            }
            nbp_raise(status, "counting allocations");
            return -1;
        }
    }
    use->open = true;
    use->displaced = false;
    use->next = hooks.open;
    hooks.open = use;
    set_level();
    use->at_open = sum_of_threads();
    return 0;
}

/* Where ours are no longer reached, another tool has put back what was before them. */
static bool
are_displaced(void)
{
    for (int number = 0; number < DOMAINS; number++) {
        if (!is_ours_on_top(number) && !reaches(number)) {
            return true;
        }
    }
    return false;
}

void
nbp_alloc_use_close(nbp_alloc_use *use)
{
    if (!use->open) {
        return;
    }
    use->at_close = sum_of_threads();
    if (use->level >= NBP_ALLOC_EXACT) {
        nbp_alloctable_close(hooks.table, &use->measure);
    }
    if (are_displaced()) {
        for (nbp_alloc_use *other = hooks.open; other != NULL; other = other->next) {
            other->displaced = true;
        }
    }
    nbp_alloc_use **place = &hooks.open;
    while (*place != use) {
        place = &(*place)->next;
    }
    *place = use->next;
    use->next = NULL;
    use->open = false;
    set_level();
    if (hooks.open == NULL) {
        take_all_out();
    }
}

void
nbp_alloc_use_free(nbp_alloc_use *use)
{
    nbp_alloc_use_close(use);
    if (hooks.table == NULL) {
        return;
    }
    nbp_sites *sites = nbp_alloctable_release(hooks.table, &use->measure); /* owned */
    for (uint32_t i = 1; sites != NULL && i < nbp_sites_count(sites); i++) {
        uint32_t count;
        bool native;
        const nbp_site_frame *frames = nbp_sites_frames(sites, i, &count, &native);
        for (uint32_t j = 0; j < count; j++) {
            Py_DECREF((PyObject *)frames[j].code);
        }
    }
    nbp_sites_destroy(&sites);
}

nbp_alloc_totals
nbp_alloc_use_totals(nbp_alloc_use *use)
{
    if (use->level >= NBP_ALLOC_EXACT && hooks.table != NULL) {
        return nbp_alloctable_totals(hooks.table, &use->measure);
    }
    nbp_alloc_totals now = use->open ? sum_of_threads() : use->at_close;
    now.allocated_bytes -= use->at_open.allocated_bytes;
    now.allocated_blocks -= use->at_open.allocated_blocks;
    now.native_bytes -= use->at_open.native_bytes;
    now.native_blocks -= use->at_open.native_blocks;
    return now;
}

nbp_alloctable_t *
nbp_alloc_table(void)
{
    return hooks.table;
}

void
nbp_alloc_discount_from(nbp_rss_t *rss)
{
    atomic_store(&hooks.rss, rss);
}

int64_t
nbp_alloc_resident_bytes(void)
{
    nbp_rss_t *rss = atomic_load(&hooks.rss);
    int64_t bytes = rss == NULL ? 0 : nbp_rss_now_bytes(rss);
    return bytes > 0 ? bytes : 0;
}
