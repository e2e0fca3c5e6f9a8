/* SPDX-License-Identifier: BSD-3-Clause */
/* Lines of code without probes, from the interpreter's own events: code that cannot be
 * rewritten, and frames that were running when the probes were put in and go on with
 * the code that they began with. monitoring.c gets the events on 3.12 and later,
 * tracing.c on 3.11; they end in the same counters. */
#ifndef NBP_FALLBACK_H
#define NBP_FALLBACK_H

#include "engine.h"
#include "memoryreading.h"

/* What a callback is given: the engine may be gone before the last callback is. */
typedef struct {
    nbp_engine *engine; /* borrowed; NULL once stopped */
    int tool;           /* id in sys.monitoring */
} nbp_receiver;

/* A capsule with a new one, NULL with an exception set; and what is in a capsule. */
PyObject *nbp_fallback_new_receiver(nbp_engine *engine);
nbp_receiver *nbp_fallback_receiver(PyObject *capsule);

/* Whether any function needs events; and, when none can be had, to do without. */
bool nbp_fallback_is_needed(const nbp_engine *engine);
void nbp_fallback_drop(nbp_engine *engine);

/* One event. */
typedef struct {
    const nbp_function *function;
    nbp_shadow *shadow;
    const void *frame;
    nbp_memory *memory; /* borrowed from `reading`, or NULL */
    nbp_memory_reading reading;
} nbp_event;

/* False when an event in `code` is of no concern; else `out`, which must not be moved,
 * is to be ended. */
bool nbp_event_begin(PyObject *capsule, PyObject *code, nbp_event *out);
void nbp_event_end(const nbp_event *at);

/* What may happen in between, beside what shadow.h has. A start is only of use to a
 * body on the line of its `def`, which gets no line event on 3.13. */
void nbp_event_line(const nbp_event *at, int line);
void nbp_event_start(const nbp_event *at);
void nbp_event_resume(const nbp_event *at, int line);

#endif /* NBP_FALLBACK_H */
