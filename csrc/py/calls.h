/* SPDX-License-Identifier: BSD-3-Clause */
/* What the parts of the call engine share: the recording, and where it gets its events.
 *
 * Everything here needs the GIL, and nothing here gives it up between two steps that
 * belong together, save for a timer written in Python: so a recording can be stopped
 * from any thread, between two events of every other. */
#ifndef NBP_PY_CALLS_H
#define NBP_PY_CALLS_H

#include <Python.h>

#include <stdbool.h>

#include "allochooks.h"
#include "calltree.h"
#include "compat.h"
#include "pace.h"
#include "pointermap.h"
#include "state.h"
#include "ticks.h"

/* A function that was called: a code object, or what a function in C is known by. */
typedef struct {
    PyObject *code;   /* owned, so that no other can have its address; NULL if native */
    PyObject *name;   /* owned: what a native function is called; NULL for Python's */
    PyObject *object; /* owned, likewise: a native function that is known by itself */
} nbp_called;

/* A thread that was seen. */
typedef struct {
    uint64_t id;            /* of its thread state: no two ever have the same */
    unsigned long ident;    /* as threading.get_ident() */
    nbp_calltree *tree;     /* owned */
    bool busy;              /* 3.11: its event is being handed on */
    Py_tracefunc previous;  /* 3.11: the profile function that we displaced, or NULL */
    PyObject *previous_arg; /* owned: its argument */
} nbp_call_thread;

typedef struct {
    PyObject_HEAD
    /* Its `due` is always past while it is not active, so that one comparison an event
     * does for both; and never comes with a timer of the user's. */
    nbp_pace pace;
    bool active;
    bool changing; /* being switched on or off, which may run Python on 3.11 */
    bool builtins; /* functions in C have nodes too */
    bool has_counter;
    bool by_counter; /* has one, and no timer of the user's is asked instead */
    char tool;       /* 3.12+: our id in sys.monitoring while active */
    nbp_moment origin;
    PyObject *timer;    /* owned: a user's clock, or NULL */
    double timer_unit;  /* seconds a tick of the timer; 0 when it gives seconds */
    int64_t timer_last; /* what it gave last, in case it fails */
    size_t room;        /* nodes that may still be made */
    nbp_call_thread **threads; /* owned, each */
    size_t n_threads;
    nbp_call_thread *last; /* borrowed: the thread of the last event */
    uint64_t unseen;       /* events of threads for which there was no memory or room */
    nbp_called *functions; /* owned */
    size_t n_functions, functions_room;
    nbp_pointermap by_key;  /* places in `functions` */
    PyObject *hook;         /* 3.11: owned, waits in threading for threads that start */
    PyObject *old_hook;     /* 3.11: owned, what we displaced there */
    nbp_alloc_use memory;   /* open while it is active and allocations are counted */
    bool wants_memory;      /* that is asked for */
    bool tasks;             /* asyncio's tasks have nodes */
    PyObject *task_names;   /* owned: each string that stands for a task, or NULL */
    PyObject *current_task; /* owned: asyncio's function, once it was there */
    PyObject *task_type;    /* owned: the type of its tasks */
    bool displaced;         /* 3.11: another took our place in some thread */
    size_t readers;         /* that would miss what clear() frees */
} nbp_calls;

/* ---- callrecord.c ---- */

/* What the clock says where it is not the processor's counter. The user's clock runs
 * Python, so anything may have happened meanwhile: read it before anything else. */
int64_t nbp_calls_read_clock(nbp_calls *self);

/* The record of a thread that is not the last event's, made if need be; NULL, with no
 * exception, when it cannot be. */
nbp_call_thread *nbp_calls_find_thread(nbp_calls *self, PyThreadState *thread);

/* The record of the thread with this id if it was seen; NULL otherwise. */
nbp_call_thread *nbp_calls_known_thread(const nbp_calls *self, uint64_t id);

/* Takes down what the key of a new node of `thread` stands for. */
void nbp_calls_note(nbp_calls *self, uint64_t thread, const void *key, PyObject *native,
                    int64_t now);

/* Takes down what stands for a task. */
void nbp_calls_note_name(nbp_calls *self, PyObject *name);

/* Drops everything that was recorded. */
void nbp_calls_forget(nbp_calls *self);

/* The interpreter has allocated a block of this size for the event: it is nobody's. */
void nbp_calls_discount(nbp_calls *self, PyThreadState *thread, size_t bytes);

#define NBP_NOT_ACTIVE INT64_MIN

/* What is done at an event that is due: NBP_NOT_ACTIVE when the recording is not. Else
 * takes a reading of the pace, which is nobody's time, and returns the time after it.
 * By value, so that the time of an event can stay in a register. */
int64_t nbp_calls_take_pace(nbp_calls *self, PyThreadState *thread, int64_t now);

static inline int64_t
nbp_calls_now(nbp_calls *self)
{
    return self->by_counter ? nbp_ticks_now(true) : nbp_calls_read_clock(self);
}

static inline nbp_call_thread *
nbp_calls_thread(nbp_calls *self, PyThreadState *thread)
{
    nbp_call_thread *last = self->last;
    return last != NULL && last->id == thread->id ? last
                                                  : nbp_calls_find_thread(self, thread);
}

/* What the next two functions do as a rule; false, and nothing is done, when it takes
 * more. They call nothing, so that no register has to be saved for them. */
static inline bool
nbp_calls_enter_at_once(nbp_calls *self, const PyThreadState *thread,
                        const void *activation, const void *key, nbp_enter_how how)
{
    const nbp_call_thread *last = self->last;
    if (!self->by_counter || last == NULL || last->id != thread->id ||
        !nbp_calltree_is_again(last->tree, key)) {
        return false;
    }
    int64_t now = nbp_ticks_now(true);
    if (now >= self->pace.due) {
        return false;
    }
    nbp_calltree_enter_again(last->tree, activation, how, now);
    return true;
}

static inline bool
nbp_calls_leave_at_once(nbp_calls *self, const PyThreadState *thread,
                        const void *activation)
{
    const nbp_call_thread *last = self->last;
    if (!self->by_counter || last == NULL || last->id != thread->id ||
        !nbp_calltree_is_turn(last->tree, activation)) {
        return false;
    }
    int64_t now = nbp_ticks_now(true);
    if (now >= self->pace.due) {
        return false;
    }
    nbp_calltree_leave_in_turn(last->tree, now);
    return true;
}

/* A call begins or goes on. `native` is the callable of a function in C, or NULL. */
static inline void
nbp_calls_enter(nbp_calls *self, PyThreadState *thread, const void *activation,
                const void *key, PyObject *native, nbp_enter_how how)
{
    int64_t now = nbp_calls_now(self);
    if (now >= self->pace.due) {
        now = nbp_calls_take_pace(self, thread, now);
        if (now == NBP_NOT_ACTIVE) {
            return;
        }
    }
    nbp_call_thread *here = nbp_calls_thread(self, thread);
    if (here == NULL) {
        self->unseen++;
        return;
    }
    nbp_call_kind kind = native == NULL ? NBP_CALL_PYTHON : NBP_CALL_NATIVE;
    if (nbp_calltree_enter(here->tree, activation, key, kind, how, now) == 1) {
        nbp_calls_note(self, thread->id, key, native, now);
    }
}

static inline void
nbp_calls_leave(nbp_calls *self, PyThreadState *thread, const void *activation)
{
    int64_t now = nbp_calls_now(self);
    if (now >= self->pace.due) {
        now = nbp_calls_take_pace(self, thread, now);
        if (now == NBP_NOT_ACTIVE) {
            return;
        }
    }
    nbp_call_thread *here = nbp_calls_thread(self, thread);
    if (here != NULL) {
        nbp_calltree_leave(here->tree, activation, now);
    }
}

/* A call that has no node of its own. */
static inline void
nbp_calls_other(nbp_calls *self, PyThreadState *thread)
{
    nbp_call_thread *here = self->active ? nbp_calls_thread(self, thread) : NULL;
    if (here != NULL) {
        nbp_calltree_other(here->tree);
    }
}

/* ---- calltasks.c ---- */

/* Before the coroutine of a task starts or goes on, and after it ends or waits. For a
 * recording with `tasks`; other code does no harm. */
void nbp_calls_enter_task(nbp_calls *self, PyThreadState *thread,
                          const void *activation, PyCodeObject *code,
                          nbp_enter_how how);
void nbp_calls_leave_task(nbp_calls *self, PyThreadState *thread,
                          const void *activation);

/* ---- callswitch.c ---- */

/* The methods of the type that switch it on and off. */
PyObject *nbp_calls_enable(PyObject *op, PyObject *args, PyObject *kwargs);
PyObject *nbp_calls_disable(PyObject *op, PyObject *ignored);
PyObject *nbp_calls_context_enter(PyObject *op, PyObject *ignored);
PyObject *nbp_calls_context_exit(PyObject *op, PyObject *const *args, Py_ssize_t nargs);
PyObject *nbp_calls_runcall(PyObject *op, PyObject *args, PyObject *kwargs);
PyObject *nbp_calls_runcode(PyObject *op, PyObject *const *args, Py_ssize_t nargs);

extern const char nbp_calls_enable_doc[], nbp_calls_disable_doc[],
    nbp_calls_runcall_doc[], nbp_calls_runcode_doc[];

/* ---- calltable.c ---- */

/* The method of the type that gives the trees as plain data. */
PyObject *nbp_calls_table(PyObject *op, PyObject *args);

/* The method that gives the code objects behind the functions of that data. */
PyObject *nbp_calls_codes(PyObject *op, PyObject *ignored);

extern const char nbp_calls_table_doc[], nbp_calls_codes_doc[];

/* ---- callnames.c and the sources ---- */

/* What a function in C is known by, NULL for what has no node: the definition where the
 * callable is of CPython's own kinds, which is all that the interpreter of 3.11
 * reports, the callable itself where it is one of numpy's or Cython's. */
const void *nbp_native_key(PyObject *callable);

/* How pstats names it, as a new string; NULL with no exception when memory is short. */
PyObject *nbp_native_name(PyObject *callable);

/* Whether this key is one of the engine's own definitions, which no profile shows. */
bool nbp_calls_is_own(const void *key);

/* Where events come from: one file a source. Both return -1 with an exception set, and
 * then nothing is left switched on. */
int nbp_calls_connect(nbp_calls *self);
int nbp_calls_disconnect(nbp_calls *self);

/* Adds the types that the source needs. */
int nbp_add_call_source(PyObject *module);

/* A call in C and the Python frame that makes it are two activations. */
static inline const void *
nbp_native_activation(const void *frame)
{
    return (const char *)frame + 1;
}

/* And the task whose coroutine the frame is. */
static inline const void *
nbp_task_activation(const void *frame)
{
    return (const char *)frame + 2;
}

#endif /* NBP_PY_CALLS_H */
