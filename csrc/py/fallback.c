/* SPDX-License-Identifier: BSD-3-Clause */
#include "fallback.h"

#include "compat.h"
#include "holder.h"
#include "probe.h"
#include "shadow.h"

static void
free_receiver(PyObject *capsule)
{
    free(PyCapsule_GetPointer(capsule, NULL));
}

nbp_receiver *
nbp_fallback_receiver(PyObject *capsule)
{
    return (nbp_receiver *)PyCapsule_GetPointer(capsule, NULL);
}

PyObject *
nbp_fallback_new_receiver(nbp_engine *engine)
{
    nbp_receiver *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return PyErr_NoMemory();
    }
    self->engine = engine;
    PyObject *capsule = PyCapsule_New(self, NULL, free_receiver);
    if (capsule == NULL) {
        free(self);
    }
    return capsule;
}

/* ---- one event ---- */

bool
nbp_event_begin(PyObject *capsule, PyObject *code, nbp_event *out)
{
    nbp_engine *engine = nbp_fallback_receiver(capsule)->engine;
    if (engine == NULL || !engine->lines->on) {
        return false;
    }
    const nbp_function *function = nbp_engine_find(engine, code);
    if (function == NULL || !(function->how & NBP_HOW_EVENTS) ||
        (function->has_probes && code != function->original)) {
        return false;
    }
    PyThreadState *thread = nbp_thread_of_event();
    out->function = function;
    out->frame = nbp_running_frame(thread);
    out->shadow = nbp_probe_shadow(engine->lines, thread);
    if (out->shadow == NULL) {
        return false;
    }
    const nbp_lines *lines = engine->lines;
    out->memory = lines->with_memory
                      ? nbp_memory_read(&out->reading, lines->with_resident)
                      : NULL;
    return true;
}

void
nbp_event_end(const nbp_event *at)
{
    if (at->memory != NULL) {
        nbp_memory_done(&at->reading);
    }
}

static int64_t
slot_of(const nbp_function *function, int line)
{
    int64_t at = (int64_t)line - function->statements.view.from;
    if (at >= 0 && at < function->statements.view.count) {
        line = function->statements.view.first[at];
    }
    return nbp_code_lines_slot(&function->table, line);
}

void
nbp_event_line(const nbp_event *at, int line)
{
    int64_t slot = slot_of(at->function, line);
    if (slot >= 0) {
        nbp_shadow_line(at->shadow, at->frame, (uint32_t)slot, at->memory);
    }
}

void
nbp_event_start(const nbp_event *at)
{
    if (at->function->table.n_lines == 1) {
        nbp_shadow_enter(at->shadow, at->frame, at->function->table.first_slot,
                         at->memory);
    }
}

void
nbp_event_resume(const nbp_event *at, int line)
{
    int64_t slot = slot_of(at->function, line);
    if (slot >= 0) {
        nbp_shadow_resume(at->shadow, at->frame, (uint32_t)slot, at->memory);
    }
}

bool
nbp_fallback_is_needed(const nbp_engine *engine)
{
    for (Py_ssize_t i = 0; i < engine->n_functions; i++) {
        if (engine->functions[i].how & NBP_HOW_EVENTS) {
            return true;
        }
    }
    return false;
}

void
nbp_fallback_drop(nbp_engine *engine)
{
    for (Py_ssize_t i = 0; i < engine->n_functions; i++) {
        engine->functions[i].how &= ~NBP_HOW_EVENTS;
    }
}
