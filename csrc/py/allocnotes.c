/* SPDX-License-Identifier: BSD-3-Clause */
#include "allocnotes.h"

#include "compat.h"
#include "layout.h"

nbp_alloc_orders nbp_alloc_booking;

/* The thread's Python frames, if it may look at them: with the GIL, and of the
 * interpreter whose code we may keep. */
static void
collect_stack(nbp_stack *stack, bool native)
{
    nbp_stack_clear(stack, native);
    PyThreadState *thread = nbp_attached_thread();
    if (thread != NULL && thread->interp == nbp_alloc_booking.interpreter) {
        nbp_layout_stack(
            thread, stack,
            atomic_load_explicit(&nbp_alloc_booking.frames, memory_order_relaxed));
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

/* `was` is the block that this one was before a realloc, or NULL. */
void
nbp_alloc_note_place(nbp_alloc_thread *thread, const nbp_block *was,
                     const void *address, size_t bytes, bool native)
{
    nbp_stack stack;
    collect_stack(&stack, native);
    thread->recent[thread->n_recent++ % NBP_ALLOC_RECENT] = address;
    if (nbp_alloctable_moved(nbp_alloc_booking.table, was, address, bytes, &stack,
                             native)) {
        keep_code(&stack);
    }
}

void
nbp_alloc_note(nbp_alloc_thread *thread, nbp_alloc_level level, const nbp_block *was,
               const void *address, size_t bytes)
{
    if (was != NULL) {
        nbp_alloc_count_freed(thread, was->bytes, 1);
    }
    nbp_alloc_book(thread, (int)level, was, address, bytes, true);
}

void
nbp_alloc_note_free(nbp_alloc_thread *thread, nbp_alloc_level level,
                    const void *address)
{
    nbp_alloc_book_free(thread, (int)level, address);
}

void
nbp_alloc_note_gone(nbp_alloc_thread *thread, const nbp_block *was)
{
    nbp_alloc_count_freed(thread, was->bytes, 1);
    (void)nbp_alloctable_moved(nbp_alloc_booking.table, was, NULL, 0, NULL, true);
}

void
nbp_alloc_note_map(nbp_alloc_thread *thread, nbp_alloc_level level, const void *address,
                   size_t bytes)
{
    nbp_stack stack;
    if (thread->unseen) {
        return;
    }
    nbp_alloc_count(thread, bytes, true);
    if (level == NBP_ALLOC_COUNTS) {
        return;
    }
    nbp_alloc_raise_peak(thread);
    nbp_stack_clear(&stack, true);
    if (level == NBP_ALLOC_SITES) {
        collect_stack(&stack, true);
    }
    if (nbp_alloctable_map(nbp_alloc_booking.table, address, bytes,
                           level == NBP_ALLOC_SITES ? &stack : NULL)) {
        keep_code(&stack);
    }
}

void
nbp_alloc_note_unmap(nbp_alloc_thread *thread, const void *address, size_t bytes)
{
    uint64_t gone = nbp_alloctable_unmap(nbp_alloc_booking.table, address, bytes);
    if (thread != NULL && gone > 0) {
        nbp_alloc_count_freed(thread, gone, 1);
    }
}
