/* SPDX-License-Identifier: BSD-3-Clause */
/* The state of one _core module, and the functions that fill the module: one a noun. */
#ifndef NBP_STATE_H
#define NBP_STATE_H

#include <Python.h>

#include <stdbool.h>

#include "rewrite.h"
#include "rss.h"
#include "status.h"
#include "ticks.h"

enum {
    /* By kind, without memory, and behind those with it. */
    NBP_PROBE_TYPES = 2 * NBP_PROBE_KINDS,
    NBP_REPLACE_NAMES = 2,
};

typedef struct {
    PyTypeObject *allocations_type;             /* owned */
    PyTypeObject *call_hook_type;               /* owned; NULL on 3.11 */
    PyTypeObject *calls_type;                   /* owned */
    PyTypeObject *collector_type;               /* owned */
    PyObject *code_replace[NBP_REPLACE_NAMES];  /* owned; the code type's own methods
                                                   while ours are in place, else NULL */
    PyTypeObject *counters_type;                /* owned */
    PyTypeObject *courier_type;                 /* owned */
    PyTypeObject *engine_type;                  /* owned */
    PyTypeObject *heap_type;                    /* owned */
    PyTypeObject *loop_type;                    /* owned */
    PyTypeObject *peak_type;                    /* owned; ResidentPeak */
    PyTypeObject *probe_types[NBP_PROBE_TYPES]; /* owned; see there */
    PyTypeObject *sampler_type;                 /* owned; ResidentSampler */
    PyTypeObject *stack_sampler_type;           /* owned; Sampler */
    nbp_rss_t *rss;            /* owned: resident memory of this process */
    PyObject *running_engines; /* borrowed: a chain of LineEngine objects, or NULL */
    bool has_counter;          /* nbp_ticks_has_counter */
    nbp_moment origin;         /* when the module was imported, in both clocks */
    PyObject *pace_names;      /* owned: a dict that pacework.c looks into */
    PyObject *pace_pair;       /* owned: a tuple of two numbers and two strings */
} nbp_state;

/* Borrowed from `module`; never NULL for a module of ours. */
static inline nbp_state *
nbp_state_of(PyObject *module)
{
    return (nbp_state *)PyModule_GetState(module);
}

/* The same from one of the module's types or a subclass of it; NULL with an exception
 * set for any other type. */
nbp_state *nbp_state_of_type(PyTypeObject *type);

/* Each adds its functions and types to `module`: 0, or -1 with an exception set. */
int nbp_add_alive(PyObject *module);
int nbp_add_allocations(PyObject *module);
int nbp_add_calls(PyObject *module);
int nbp_add_census(PyObject *module);
int nbp_add_clock(PyObject *module);
int nbp_add_collector(PyObject *module);
int nbp_add_config(PyObject *module);
int nbp_add_counters(PyObject *module);
int nbp_add_courier(PyObject *module);
int nbp_add_deepsize(PyObject *module);
int nbp_add_engine(PyObject *module);
int nbp_add_fit(PyObject *module);
int nbp_add_frames(PyObject *module);
int nbp_add_heap(PyObject *module);
int nbp_add_keys(PyObject *module);
int nbp_add_lastword(PyObject *module);
int nbp_add_logicallines(PyObject *module);
int nbp_add_loop(PyObject *module);
int nbp_add_memory(PyObject *module);
int nbp_add_names(PyObject *module);
int nbp_add_pacework(PyObject *module);
int nbp_add_paths(PyObject *module);
int nbp_add_picture(PyObject *module);
int nbp_add_probes(PyObject *module);
int nbp_add_refs(PyObject *module);
int nbp_add_processes(PyObject *module);
int nbp_add_rss(PyObject *module);
int nbp_add_rsssampler(PyObject *module);
int nbp_add_sampler(PyObject *module);
int nbp_add_snapshots(PyObject *module);
int nbp_add_stats(PyObject *module);

/* Sets the Python exception that stands for `status`; `what` names the operation that
 * failed, as the subject of the message. Always returns NULL. */
PyObject *nbp_raise(nbp_status status, const char *what);

#endif /* NBP_STATE_H */
