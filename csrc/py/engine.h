/* SPDX-License-Identifier: BSD-3-Clause */
/* LineEngine: what engine.c (the type), functions.c (what it measures), linerows.c
 * (what it counted), swap.c (code with probes, in and out) and fallback.c (code
 * without) share. */
#ifndef NBP_ENGINE_H
#define NBP_ENGINE_H

#include <stdbool.h>

#include "allochooks.h"
#include "instrument.h"
#include "statements.h"

enum {
    /* How the lines of a code object are measured; both when a frame of it was running
     * as the probes were put in. */
    NBP_HOW_PROBES = 1,
    NBP_HOW_EVENTS = 2,
};

/* One code object. */
typedef struct {
    PyObject *original;     /* owned */
    PyObject *instrumented; /* owned; `original` itself when nothing could be changed */
    bool has_probes;        /* else `instrumented` differs in nested code at most */
    nbp_code_lines table;
    nbp_statement_map statements; /* one reference */
    int how;
} nbp_function;

typedef struct nbp_engine {
    PyObject_HEAD
    PyObject *module;        /* borrowed from the type */
    nbp_state *state;        /* borrowed from the module */
    nbp_lines *lines;        /* one reference */
    nbp_function *functions; /* owned */
    Py_ssize_t n_functions;
    nbp_pointermap by_original;     /* code -> index; the functions own the codes */
    nbp_pointermap by_instrumented; /* the same, where it is another object */
    bool busy;         /* being started, stopped or added to, maybe by another thread */
    PyObject *swapped; /* owned list of weak references to functions, NULL if stopped */
    bool everywhere; /* whether functions get their probes; else who has replacements */
    PyObject *events;     /* owned: what nbp_fallback_start left, or NULL */
    PyObject *prepared;   /* owned list of what nbp_engine_prepare was given, or NULL */
    nbp_alloc_use memory; /* open while a running engine measures memory */
    struct nbp_engine *next_running; /* borrowed */
} nbp_engine;

/* The function whose code is `code`, original or instrumented; NULL if there is none.
 */
nbp_function *nbp_engine_find(nbp_engine *self, PyObject *code);

/* Adds `code` and the codes nested in it, with probes where they can have them: 0, or
 * -1 with an exception set. Does nothing for a code that is there already. */
int nbp_engine_add(nbp_engine *self, PyObject *code,
                   const nbp_statement_map *statements);

/* Frees all functions; the engine is about to go. */
void nbp_engine_clear_functions(nbp_engine *self);

/* Length of a tick of the engine's clock in ns. */
double nbp_engine_tick_ns(const nbp_engine *self);

/* Switches the probes on and, when `everywhere`, gives every function in the process
 * that has one of the added codes the instrumented one: 0, or -1 with an exception set
 * and everything put back. Does nothing when running. */
int nbp_engine_start(nbp_engine *self, bool everywhere);

/* The same for what was added since the start: 0, or -1 with an exception set. */
int nbp_engine_install(nbp_engine *self);

/* Has `code`, that of a module which is about to run, define functions with probes from
 * the start, as far as their codes were added: 0, or -1 with an exception set. Its own
 * constants are changed until the engine stops, which must be running. */
int nbp_engine_prepare(nbp_engine *self, PyObject *code);

/* Takes everything back; cannot fail, and an exception that is set stays so. Does
 * nothing when stopped. */
void nbp_engine_stop(nbp_engine *self);

/* Has the interpreter report the lines of the functions marked NBP_HOW_EVENTS: 0, or -1
 * with an exception set. A function that cannot be reported loses the mark. */
int nbp_fallback_start(nbp_engine *self);

/* Ends that; cannot fail. */
void nbp_fallback_stop(nbp_engine *self);

#endif /* NBP_ENGINE_H */
