/* SPDX-License-Identifier: BSD-3-Clause */
/* Loop: the iterator of `for _ in loop: statement`, which times the loops that it
 * drives.
 *
 * Taking the clock inside the iterator instead of round a call has three gains: the
 * setup runs once and many short samples follow in the same frame, a sample holds
 * nothing but the loop, and the user's names stay fast locals, as in the built-in
 * %timeit. */
#include <Python.h>

#include <structmember.h>

#include "compat.h"
#include "samples.h"
#include "state.h"

typedef struct {
    PyObject_HEAD
    nbp_samples *samples; /* owned */
    int64_t left;         /* iterations still to give out in the running loop */
    int64_t armed;        /* iterations of the running loop, 0 when none is running */
    int64_t finished;     /* iterations of all loops that came to their end */
    int64_t due;          /* iterations of the next loop, set by arm() */
    char timed;           /* clock at both ends of a loop; else only at marks */
    char marking;         /* a mark has started the clock, the next one stops it */
    int64_t collections;  /* garbage collections that ended since the last reset */
    int64_t collecting_ns;
    int64_t collection_start_ns; /* 0 when no collection is running */
} Loop;

static PyObject *
loop_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"clock", "timed", NULL};
    int clock = NBP_CLOCK_WALL, timed = 1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|ip:Loop", keywords, &clock,
                                     &timed)) {
        return NULL;
    }
    if (clock < 0 || clock >= NBP_CLOCK_COUNT) {
        PyErr_Format(PyExc_ValueError, "clock must be one of _core.CLOCK_*, not %d",
                     clock);
        return NULL;
    }
    Loop *self = (Loop *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->timed = (char)timed;
    self->samples = nbp_samples_new((nbp_clock)clock);
    if (self->samples == NULL) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    return (PyObject *)self;
}

static void
loop_dealloc(PyObject *op)
{
    Loop *self = (Loop *)op;
    PyTypeObject *type = Py_TYPE(op);
    nbp_samples_destroy(&self->samples);
    type->tp_free(op);
    Py_DECREF(type);
}

/* The end of the running loop; NULL without an exception ends the `for`. */
static PyObject *
finish_loop(Loop *self)
{
    if (self->timed) {
        nbp_samples_end(self->samples, self->armed);
    }
    self->finished += self->armed;
    self->armed = 0;
    return NULL;
}

/* Reached once at each end of a loop. */
static PyObject *
cross_boundary(Loop *self)
{
    if (self->armed > 0) {
        return finish_loop(self);
    }
    if (self->due == 0) {
        return NULL;
    }
    self->armed = self->due;
    self->left = self->due - 1;
    self->due = 0;
    if (self->timed) {
        nbp_status status = nbp_samples_begin(self->samples);
        if (status != NBP_OK) {
            self->armed = self->left = 0;
            return nbp_raise(status, "timing a loop");
        }
    }
    return Py_NewRef(Py_None);
}

static PyObject *
loop_next(PyObject *op)
{
    Loop *self = (Loop *)op;
    if (self->left > 0) {
        self->left--;
        return Py_NewRef(Py_None);
    }
    return cross_boundary(self);
}

static PyObject *
loop_mark(PyObject *op)
{
    Loop *self = (Loop *)op;
    nbp_status status;
    if (self->marking) {
        status = nbp_samples_end(self->samples, 1);
    }
    else {
        status = nbp_samples_begin(self->samples);
    }
    if (status != NBP_OK) {
        return nbp_raise(status, "timing an execution");
    }
    self->marking = !self->marking;
    return Py_NewRef(Py_None);
}

PyDoc_STRVAR(arm_doc, "arm($self, iterations, /)\n"
                      "--\n"
                      "\n"
                      "Let the next ``for`` over this object run `iterations` times.\n"
                      "\n"
                      "A loop that an exception left before its end is forgotten.\n");

static PyObject *
loop_arm(PyObject *op, PyObject *arg)
{
    Loop *self = (Loop *)op;
    long long iterations = PyLong_AsLongLong(arg);
    if (iterations == -1 && PyErr_Occurred()) {
        return NULL;
    }
    if (iterations < 0) {
        PyErr_Format(PyExc_ValueError, "a loop cannot run %lld times", iterations);
        return NULL;
    }
    if (self->armed > 0) {
        self->finished += self->armed - self->left;
    }
    self->armed = self->left = 0;
    self->marking = 0;
    self->due = iterations;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(
    samples_doc,
    "samples($self, /)\n"
    "--\n"
    "\n"
    "The samples taken since the last clear().\n"
    "\n"
    "Returns\n"
    "-------\n"
    "list of tuple of int\n"
    "    ``(time_ns, cpu_ns, iterations, involuntary_switches)``, in order of\n"
    "    time: `time_ns` by this loop's clock, `cpu_ns` user and system time of\n"
    "    the thread, `involuntary_switches` from getrusage(RUSAGE_THREAD).\n");

static PyObject *
loop_samples(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Loop *self = (Loop *)op;
    size_t count = nbp_samples_count(self->samples);
    PyObject *list = PyList_New((Py_ssize_t)count); /* owned, returned */
    for (size_t i = 0; list != NULL && i < count; i++) {
        const nbp_sample *row = nbp_samples_at(self->samples, i);
        PyObject *item = Py_BuildValue(
            "(LLLL)", (long long)row->time_ns, (long long)row->cpu_ns,
            (long long)row->iterations, (long long)row->involuntary_switches);
        if (item == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, (Py_ssize_t)i, item);
    }
    return list;
}

PyDoc_STRVAR(clear_doc, "clear($self, /)\n"
                        "--\n"
                        "\n"
                        "Forget the samples and the garbage collections; the count of\n"
                        "iterations stays.\n");

static PyObject *
loop_clear(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Loop *self = (Loop *)op;
    nbp_samples_clear(self->samples);
    self->marking = 0;
    self->collections = self->collecting_ns = 0;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(collection_doc,
             "on_collection($self, phase, info, /)\n"
             "--\n"
             "\n"
             "For gc.callbacks: counts and times the collections inside a sample.\n");

static PyObject *
loop_on_collection(PyObject *op, PyObject *const *args, Py_ssize_t nargs)
{
    Loop *self = (Loop *)op;
    if (nargs != 2 || !PyUnicode_Check(args[0])) {
        PyErr_SetString(PyExc_TypeError, "on_collection takes a phase and an info");
        return NULL;
    }
    if (self->armed == 0 && !self->marking) {
        Py_RETURN_NONE;
    }
    if (PyUnicode_CompareWithASCIIString(args[0], "start") == 0) {
        self->collection_start_ns = nbp_clock_now_ns(NBP_CLOCK_WALL);
    }
    else if (self->collection_start_ns != 0) {
        self->collecting_ns +=
            nbp_clock_now_ns(NBP_CLOCK_WALL) - self->collection_start_ns;
        self->collections++;
        self->collection_start_ns = 0;
    }
    Py_RETURN_NONE;
}

static PyObject *
loop_get_iterations(PyObject *op, void *Py_UNUSED(closure))
{
    Loop *self = (Loop *)op;
    int64_t running = self->armed > 0 ? self->armed - self->left : 0;
    return PyLong_FromLongLong(self->finished + running);
}

static PyObject *
loop_get_last_ns(PyObject *op, void *Py_UNUSED(closure))
{
    nbp_samples *samples = ((Loop *)op)->samples;
    size_t count = nbp_samples_count(samples);
    if (count == 0) {
        Py_RETURN_NONE;
    }
    return PyLong_FromLongLong(nbp_samples_at(samples, count - 1)->time_ns);
}

static PyMethodDef loop_methods[] = {
    {"arm", loop_arm, METH_O, arm_doc},
    {"samples", loop_samples, METH_NOARGS, samples_doc},
    {"clear", loop_clear, METH_NOARGS, clear_doc},
    {"on_collection", (PyCFunction)(void (*)(void))loop_on_collection, METH_FASTCALL,
     collection_doc},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef loop_getset[] = {
    {"iterations", loop_get_iterations, NULL,
     "Iterations begun in all loops so far, the running one included.", NULL},
    {"last_ns", loop_get_last_ns, NULL,
     "Time of the last sample, in ns; None when there is none.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef loop_members[] = {
    {"collections", T_LONGLONG, offsetof(Loop, collections), READONLY,
     "Garbage collections inside samples since the last clear()."},
    {"collecting_ns", T_LONGLONG, offsetof(Loop, collecting_ns), READONLY,
     "Time of these collections, in ns of the monotonic clock."},
    {NULL, 0, 0, 0, NULL},
};

PyDoc_STRVAR(
    loop_doc,
    "Loop(clock=CLOCK_WALL, timed=True)\n"
    "--\n"
    "\n"
    "An iterator that times the ``for`` loops that it drives.\n"
    "\n"
    "Parameters\n"
    "----------\n"
    "clock : int\n"
    "    One of ``CLOCK_WALL`` (CLOCK_MONOTONIC), ``CLOCK_REAL``,\n"
    "    ``CLOCK_PROCESS_CPU``, ``CLOCK_THREAD_CPU``.\n"
    "timed : bool\n"
    "    Take a sample of each loop. When false, the marks ``~loop`` inside the\n"
    "    loop start and stop the clock instead, one sample a pair.\n"
    "\n"
    "Notes\n"
    "-----\n"
    "A mark is written ``~loop`` because a unary operator reaches a C slot with\n"
    "neither a look-up nor a call between.\n");

static PyType_Slot loop_slots[] = {
    {Py_tp_doc, (void *)loop_doc}, {Py_tp_new, loop_new},
    {Py_tp_dealloc, loop_dealloc}, {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, loop_next},   {Py_nb_invert, loop_mark},
    {Py_tp_methods, loop_methods}, {Py_tp_getset, loop_getset},
    {Py_tp_members, loop_members}, {0, NULL},
};

static PyType_Spec loop_spec = {
    .name = "nbprobe._core.Loop",
    .basicsize = sizeof(Loop),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = loop_slots,
};

int
nbp_add_loop(PyObject *module)
{
    nbp_state *state = nbp_state_of(module);
    state->loop_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &loop_spec, NULL);
    if (state->loop_type == NULL) {
        return -1;
    }
    return PyModule_AddType(module, state->loop_type);
}
