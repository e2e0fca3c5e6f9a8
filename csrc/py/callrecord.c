/* SPDX-License-Identifier: BSD-3-Clause */
/* What a recording takes down: threads, and the functions behind the keys of nodes. */
#include <Python.h>

#include <math.h>

#include "calls.h"

enum { MANY_THREADS = 4096 }; /* beyond, events are not recorded */

/* The user's clock, in its ticks or in ns. */
static int64_t
read_timer(nbp_calls *self)
{
    PyObject *timer = Py_NewRef(self->timer);
    PyObject *value = PyObject_CallNoArgs(timer);
    if (value != NULL && self->timer_unit > 0) {
        long long ticks = PyLong_AsLongLong(value);
        if (ticks != -1 || !PyErr_Occurred()) {
            self->timer_last = ticks;
        }
    }
    else if (value != NULL) {
        double seconds = PyFloat_AsDouble(value);
        if (fabs(seconds) < 9e9) {
            self->timer_last = (int64_t)(seconds * 1e9);
        }
    }
    Py_XDECREF(value);
    if (PyErr_Occurred()) {
        PyErr_WriteUnraisable(timer);
    }
    Py_DECREF(timer);
    return self->timer_last;
}

int64_t
nbp_calls_read_clock(nbp_calls *self)
{
    return self->timer == NULL ? nbp_ticks_now(self->has_counter) : read_timer(self);
}

int64_t
nbp_calls_take_pace(nbp_calls *self, PyThreadState *thread, int64_t now)
{
    if (!self->active) {
        return NBP_NOT_ACTIVE;
    }
    if (self->timer != NULL) {
        return now;
    }
    nbp_pace_take(&self->pace, self->has_counter);
    int64_t later = nbp_calls_read_clock(self);
    nbp_call_thread *here = nbp_calls_thread(self, thread);
    if (here != NULL) {
        nbp_calltree_skip(here->tree, later - now);
    }
    return later;
}

static nbp_call_thread *
add_thread(nbp_calls *self, PyThreadState *thread)
{
    if (self->n_threads == MANY_THREADS) {
        return NULL;
    }
    nbp_call_thread **threads =
        PyMem_Realloc(self->threads, (self->n_threads + 1) * sizeof(*threads));
    if (threads == NULL) {
        return NULL;
    }
    self->threads = threads;
    nbp_call_thread *added = PyMem_Calloc(1, sizeof(*added));
    if (added == NULL) {
        return NULL;
    }
    added->tree = nbp_calltree_new(&self->room);
    if (added->tree == NULL) {
        PyMem_Free(added);
        return NULL;
    }
    added->id = thread->id;
    added->ident = thread->thread_id;
    self->threads[self->n_threads++] = added;
    return added;
}

/* The counters are the running thread's, which on 3.11 may be asking for another. */
static void
attach_meters(nbp_calltree *tree, PyThreadState *thread)
{
    if (thread == nbp_thread_state()) {
        const nbp_alloc_thread *counters = nbp_alloc_self();
        _Static_assert(offsetof(nbp_alloc_thread, allocated_blocks) ==
                           offsetof(nbp_alloc_thread, allocated_bytes) + 8,
                       "bytes and blocks are read as one array");
        tree->meters = &counters->allocated_bytes;
        nbp_calltree_pause(tree, 0);
    }
}

void
nbp_calls_discount(nbp_calls *self, PyThreadState *thread, size_t bytes)
{
    nbp_call_thread *here = self->active ? nbp_calls_thread(self, thread) : NULL;
    if (here != NULL && here->tree->meters != NULL) {
        nbp_calltree_discount(here->tree, bytes, 1);
    }
}

nbp_call_thread *
nbp_calls_known_thread(const nbp_calls *self, uint64_t id)
{
    for (size_t i = 0; i < self->n_threads; i++) {
        if (self->threads[i]->id == id) {
            return self->threads[i];
        }
    }
    return NULL;
}

nbp_call_thread *
nbp_calls_find_thread(nbp_calls *self, PyThreadState *thread)
{
    nbp_call_thread *found = nbp_calls_known_thread(self, thread->id);
    if (found == NULL) {
        found = add_thread(self, thread);
    }
    if (found != NULL) {
        self->last = found;
        if (self->wants_memory && found->tree->meters == NULL) {
            attach_meters(found->tree, thread);
        }
    }
    return found;
}

/* A new place for what a key stands for; NULL without memory, and it stays nameless. */
static nbp_called *
new_function(nbp_calls *self, const void *key)
{
    if (self->n_functions == self->functions_room) {
        size_t room = self->functions_room == 0 ? 64 : 2 * self->functions_room;
        nbp_called *functions =
            PyMem_Realloc(self->functions, room * sizeof(*functions));
        if (functions == NULL) {
            return NULL;
        }
        self->functions = functions;
        self->functions_room = room;
    }
    if (!nbp_pointermap_put(&self->by_key, key, 0, (uint32_t)self->n_functions)) {
        return NULL;
    }
    nbp_called *called = &self->functions[self->n_functions++];
    *called = (nbp_called){0};
    return called;
}

static void
note_function(nbp_calls *self, const void *key, PyObject *native)
{
    if (nbp_pointermap_get(&self->by_key, key) != NULL) {
        return;
    }
    PyObject *name = native == NULL ? NULL : nbp_native_name(native);
    nbp_called *called = new_function(self, key);
    if (called == NULL) {
        Py_XDECREF(name);
        return;
    }
    called->name = name;
    if (native == NULL) {
        called->code = Py_NewRef((PyObject *)key);
    }
    else if (key == native) {
        called->object = Py_NewRef(native);
    }
}

void
nbp_calls_note_name(nbp_calls *self, PyObject *name)
{
    nbp_called *called = nbp_pointermap_get(&self->by_key, name) == NULL
                             ? new_function(self, name)
                             : NULL;
    if (called != NULL) {
        called->name = Py_NewRef(name);
    }
}

/* Rare and slow, so its time is left out exactly and not by an average. Asking a
 * callable what it is called may run code that clears the recording. */
void
nbp_calls_note(nbp_calls *self, uint64_t thread, const void *key, PyObject *native,
               int64_t now)
{
    note_function(self, key, native);
    nbp_call_thread *here = nbp_calls_known_thread(self, thread);
    if (here != NULL) {
        nbp_calltree_pause(here->tree,
                           self->timer == NULL ? nbp_calls_read_clock(self) - now : 0);
    }
}

void
nbp_calls_forget(nbp_calls *self)
{
    for (size_t i = 0; i < self->n_threads; i++) {
        nbp_call_thread *thread = self->threads[i];
        nbp_calltree_destroy(&thread->tree);
        Py_CLEAR(thread->previous_arg);
        PyMem_Free(thread);
    }
    PyMem_Free(self->threads);
    self->threads = NULL;
    self->n_threads = 0;
    self->last = NULL;
    nbp_called *functions = self->functions;
    size_t count = self->n_functions;
    self->functions = NULL;
    self->n_functions = self->functions_room = 0;
    nbp_pointermap_clear(&self->by_key);
    for (size_t i = 0; i < count; i++) {
        Py_XDECREF(functions[i].code);
        Py_XDECREF(functions[i].name);
        Py_XDECREF(functions[i].object);
    }
    PyMem_Free(functions);
    Py_CLEAR(self->task_names);
    nbp_pace_clear(&self->pace);
}
