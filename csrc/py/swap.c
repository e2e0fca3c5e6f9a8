/* SPDX-License-Identifier: BSD-3-Clause */
/* Gives functions their instrumented code and takes it back: start and stop of an
 * engine. */
#include "codereplace.h"
#include "compat.h"
#include "engine.h"
#include "gcobjects.h"
#include "holder.h"
#include "probe.h"

/* ---- swapping ---- */

/* Gives every function whose code has probes to come its instrumented code. */
static int
swap_in(nbp_engine *self, PyObject *objects)
{
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(objects); i++) {
        PyObject *object = PyList_GET_ITEM(objects, i);
        if (!PyFunction_Check(object)) {
            continue;
        }
        const nbp_pointer_entry *entry =
            nbp_pointermap_get(&self->by_original, PyFunction_GET_CODE(object));
        if (entry == NULL) {
            continue;
        }
        PyObject *instrumented = self->functions[entry->number].instrumented;
        if (instrumented == PyFunction_GET_CODE(object)) {
            continue;
        }
        PyObject *reference = PyWeakref_NewRef(object, NULL);
        int status = reference == NULL ? -1 : PyList_Append(self->swapped, reference);
        Py_XDECREF(reference);
        if (status < 0 ||
            PyObject_SetAttrString(object, "__code__", instrumented) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Gives `object` its code back if it is a function with instrumented code of ours. If
 * another engine put its probes on top of ours, that engine will give it back. */
static void
swap_out_one(nbp_engine *self, PyObject *object)
{
    if (!PyFunction_Check(object)) {
        return;
    }
    const nbp_pointer_entry *entry =
        nbp_pointermap_get(&self->by_instrumented, PyFunction_GET_CODE(object));
    if (entry == NULL) {
        return;
    }
    PyObject *original =
        nbp_probe_original(self->state, self->functions[entry->number].original);
    if (PyObject_SetAttrString(object, "__code__", original) < 0) {
        PyErr_WriteUnraisable(object);
    }
    Py_DECREF(original);
}

static void
swap_out(nbp_engine *self)
{
    PyObject *objects = self->everywhere ? nbp_gc_objects() : NULL;
    if (objects == NULL) {
        /* No memory for the list: those that were swapped at the start at least. */
        PyErr_Clear();
    }
    for (Py_ssize_t i = 0; objects != NULL && i < PyList_GET_SIZE(objects); i++) {
        swap_out_one(self, PyList_GET_ITEM(objects, i));
    }
    Py_XDECREF(objects);
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(self->swapped); i++) {
        PyObject *function = nbp_weakref_target(PyList_GET_ITEM(self->swapped, i));
        if (function != NULL) {
            swap_out_one(self, function);
            Py_DECREF(function);
        }
    }
}

/* ---- frames that run already ---- */

static void
mark_running(nbp_engine *self, PyObject *code)
{
    const nbp_pointer_entry *entry = nbp_pointermap_get(&self->by_original, code);
    if (entry != NULL) {
        self->functions[entry->number].how |= NBP_HOW_EVENTS;
    }
}

/* No Python code may run meanwhile, or a thread could end: that of finalizers comes
 * with the collections that making frame objects sets off on 3.11. */
static int
mark_running_frames(nbp_engine *self)
{
    int collecting = PyGC_Disable();
    PyThreadState *thread = PyInterpreterState_ThreadHead(PyInterpreterState_Get());
    for (; thread != NULL; thread = PyThreadState_Next(thread)) {
        PyFrameObject *frame = PyThreadState_GetFrame(thread); /* owned */
        while (frame != NULL) {
            PyCodeObject *code = PyFrame_GetCode(frame); /* owned */
            mark_running(self, (PyObject *)code);
            Py_DECREF(code);
            PyFrameObject *back = PyFrame_GetBack(frame);
            Py_DECREF(frame);
            frame = back;
        }
    }
    if (collecting) {
        PyGC_Enable();
    }
    return PyErr_Occurred() ? -1 : 0; /* no memory for a frame object */
}

/* Suspended generators and coroutines go on with the code that they began with. */
static int
mark_suspended(nbp_engine *self, PyObject *objects)
{
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(objects); i++) {
        PyObject *object = PyList_GET_ITEM(objects, i);
        const char *name = PyGen_CheckExact(object)        ? "gi_frame"
                           : PyCoro_CheckExact(object)     ? "cr_frame"
                           : PyAsyncGen_CheckExact(object) ? "ag_frame"
                                                           : NULL;
        if (name == NULL) {
            continue;
        }
        PyObject *frame = PyObject_GetAttrString(object, name); /* None: finished */
        if (frame == NULL) {
            return -1;
        }
        if (PyFrame_Check(frame)) {
            PyCodeObject *code = PyFrame_GetCode((PyFrameObject *)frame); /* owned */
            mark_running(self, (PyObject *)code);
            Py_DECREF(code);
        }
        Py_DECREF(frame);
    }
    return 0;
}

/* ---- code that has not run yet ---- */

/* Has the codes among the constants of `code`, and of class bodies among them, be those
 * with probes, or (`back`) those without. In place: whoever is about to run a module
 * holds this very object. */
static void
exchange_constants(nbp_engine *self, PyObject *code, bool back)
{
    PyObject *constants = ((PyCodeObject *)code)->co_consts;
    const nbp_pointermap *from = back ? &self->by_instrumented : &self->by_original;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(constants); i++) {
        PyObject *constant = PyTuple_GET_ITEM(constants, i);
        if (!PyCode_Check(constant)) {
            continue;
        }
        const nbp_pointer_entry *entry = nbp_pointermap_get(from, constant);
        if (entry == NULL) {
            exchange_constants(self, constant, back);
            continue;
        }
        const nbp_function *function = &self->functions[entry->number];
        PyTuple_SET_ITEM(constants, i,
                         Py_NewRef(back ? function->original : function->instrumented));
        Py_DECREF(constant);
    }
}

int
nbp_engine_prepare(nbp_engine *self, PyObject *code)
{
    if (self->prepared == NULL) {
        self->prepared = PyList_New(0);
    }
    if (self->prepared == NULL || PyList_Append(self->prepared, code) < 0) {
        return -1;
    }
    exchange_constants(self, code, false);
    return nbp_fallback_start(self);
}

static void
restore_prepared(nbp_engine *self)
{
    for (Py_ssize_t i = self->prepared == NULL ? 0 : PyList_GET_SIZE(self->prepared);
         i > 0; i--) {
        exchange_constants(self, PyList_GET_ITEM(self->prepared, i - 1), true);
    }
    Py_CLEAR(self->prepared);
}

/* ---- start and stop ---- */

static void
remember_running(nbp_engine *self)
{
    self->next_running = (nbp_engine *)self->state->running_engines;
    self->state->running_engines = (PyObject *)self;
}

static void
forget_running(nbp_engine *self)
{
    nbp_engine *first = (nbp_engine *)self->state->running_engines;
    if (first == self) {
        self->state->running_engines = (PyObject *)self->next_running;
        return;
    }
    while (first != NULL && first->next_running != self) {
        first = first->next_running;
    }
    if (first != NULL) {
        first->next_running = self->next_running;
    }
}

void
nbp_engine_stop(nbp_engine *self)
{
    if (self->swapped == NULL) {
        return;
    }
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    nbp_lines_switch(self->lines, false);
    self->lines->paused = false;
    nbp_lines_close(self->lines);
    nbp_fallback_stop(self);
    restore_prepared(self);
    swap_out(self);
    nbp_alloc_use_close(&self->memory);
    Py_CLEAR(self->swapped);
    forget_running(self);
    if (self->state->running_engines == NULL) {
        nbp_codereplace_end(self->state);
    }
    PyErr_Restore(type, value, traceback);
}

int
nbp_engine_install(nbp_engine *self)
{
    if (!self->everywhere) {
        return 0;
    }
    PyObject *objects = nbp_gc_objects();
    if (objects == NULL) {
        return -1;
    }
    int status = mark_running_frames(self);
    if (status == 0) {
        status = mark_suspended(self, objects);
    }
    if (status == 0) {
        status = swap_in(self, objects);
    }
    Py_DECREF(objects);
    return status < 0 ? -1 : nbp_fallback_start(self);
}

int
nbp_engine_start(nbp_engine *self, bool everywhere)
{
    if (self->swapped != NULL) {
        return 0;
    }
    if (self->lines->with_memory && nbp_alloc_use_open(&self->memory) < 0) {
        return -1;
    }
    self->swapped = PyList_New(0);
    if (self->swapped == NULL) {
        nbp_alloc_use_close(&self->memory);
        return -1;
    }
    for (Py_ssize_t i = 0; i < self->n_functions; i++) {
        nbp_function *function = &self->functions[i];
        function->how = function->has_probes ? NBP_HOW_PROBES : NBP_HOW_EVENTS;
    }
    if (self->state->running_engines == NULL &&
        nbp_codereplace_begin(self->state, self->module) < 0) {
        Py_CLEAR(self->swapped);
        nbp_alloc_use_close(&self->memory);
        return -1;
    }
    self->everywhere = everywhere;
    remember_running(self);
    nbp_holder_find();
    nbp_lines_switch(self->lines, true);
    if (nbp_engine_install(self) < 0) {
        nbp_engine_stop(self);
        return -1;
    }
    return 0;
}
