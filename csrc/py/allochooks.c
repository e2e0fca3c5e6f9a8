/* SPDX-License-Identifier: BSD-3-Clause */
#include "allochooks.h"

#include <Python.h>

#include <pthread.h>
#include <stdatomic.h>

#include "allocators.h"
#include "declared.h"
#include "native.h"
#include "state.h"

/* Static, because the allocators are the process's. */
static struct {
    _Atomic(nbp_rss_t *) rss; /* borrowed from the module, which takes it back */
    nbp_alloc_use *open;      /* borrowed; under the GIL */
} hooks;

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
    nbp_alloctable_lock(nbp_alloc_booking.table);
}

static void
after_fork(void)
{
    nbp_alloctable_unlock(nbp_alloc_booking.table);
    nbp_alloc_self()->inside = nbp_alloc_is_nobody(nbp_alloc_self());
}

/* What is made once: 0, or -1 with an exception set. */
static int
make_ready(void)
{
    if (nbp_alloc_booking.table != NULL) {
        return 0;
    }
    nbp_alloctable_t *table = nbp_alloctable_new(resizing, NULL);
    if (table == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    if (!nbp_alloc_threads_ready()) {
        nbp_alloctable_destroy(&table);
        PyErr_SetString(PyExc_RuntimeError, "no thread-specific data is left");
        return -1;
    }
    if (pthread_atfork(before_fork, after_fork, after_fork) != 0) {
        nbp_alloctable_destroy(&table);
        PyErr_NoMemory();
        return -1;
    }
    nbp_alloc_booking.table = table;
    nbp_alloc_booking.interpreter = PyInterpreterState_Main();
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
    if (nbp_alloc_is_nobody(thread)) {
        return 0;
    }
    if (leave_out) {
        (void)__atomic_fetch_or(&thread->unseen, NBP_UNSEEN_BY_ITSELF,
                                __ATOMIC_RELAXED);
    }
    else {
        (void)__atomic_fetch_and(&thread->unseen, ~(uint32_t)NBP_UNSEEN_BY_ITSELF,
                                 __ATOMIC_RELAXED);
    }
    return 0;
}

int
nbp_alloc_leave_out_other(uint64_t ident, bool leave_out)
{
    if (make_ready() < 0) {
        return -1;
    }
    if (!nbp_alloc_threads_leave_out(ident, leave_out)) {
        PyErr_NoMemory();
        return -1;
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
    if (level < NBP_ALLOC_EXACT) {
        nbp_declared_stop();
    }
    atomic_store(&nbp_alloc_booking.frames, frames);
    atomic_store(&nbp_alloc_booking.level, level);
    if (level >= NBP_ALLOC_EXACT) {
        nbp_declared_start();
    }
    if (native) {
        nbp_native_start();
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
    if (nbp_allocators_put_in() < 0) {
        if (hooks.open == NULL) {
            nbp_allocators_take_out();
        }
        return -1;
    }
    if (use->level != NBP_ALLOC_SITES) {
        use->frames = 0;
    }
    if (use->level >= NBP_ALLOC_EXACT) {
        nbp_status status = nbp_alloctable_open(nbp_alloc_booking.table, &use->measure,
                                                use->level == NBP_ALLOC_SITES);
        if (status != NBP_OK) {
            if (hooks.open == NULL) {
                nbp_allocators_take_out();
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
    use->at_open = nbp_alloc_threads_sum();
    return 0;
}

void
nbp_alloc_use_close(nbp_alloc_use *use)
{
    if (!use->open) {
        return;
    }
    use->at_close = nbp_alloc_threads_sum();
    if (use->level >= NBP_ALLOC_EXACT) {
        nbp_alloctable_close(nbp_alloc_booking.table, &use->measure);
    }
    if (nbp_allocators_are_displaced()) {
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
        nbp_allocators_take_out();
    }
}

void
nbp_alloc_use_free(nbp_alloc_use *use)
{
    nbp_alloc_use_close(use);
    if (nbp_alloc_booking.table == NULL) {
        return;
    }
    nbp_sites *sites =
        nbp_alloctable_release(nbp_alloc_booking.table, &use->measure); /* owned */
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
    if (use->level >= NBP_ALLOC_EXACT && nbp_alloc_booking.table != NULL) {
        return nbp_alloctable_totals(nbp_alloc_booking.table, &use->measure);
    }
    nbp_alloc_totals now = use->open ? nbp_alloc_threads_sum() : use->at_close;
    now.allocated_bytes -= use->at_open.allocated_bytes;
    now.allocated_blocks -= use->at_open.allocated_blocks;
    now.native_bytes -= use->at_open.native_bytes;
    now.native_blocks -= use->at_open.native_blocks;
    return now;
}

nbp_alloctable_t *
nbp_alloc_table(void)
{
    return nbp_alloc_booking.table;
}

void
nbp_alloc_discount_from(nbp_rss_t *rss)
{
    atomic_store(&hooks.rss, rss);
}

int64_t
nbp_alloc_resident_bytes(nbp_alloc_thread *thread)
{
    nbp_rss_t *rss = atomic_load(&hooks.rss);
    int64_t bytes = rss == NULL ? 0 : nbp_rss_again_bytes(rss, &thread->resident);
    return bytes > 0 ? bytes : 0;
}
