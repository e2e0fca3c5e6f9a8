/* SPDX-License-Identifier: BSD-3-Clause */
/* Calls: a recording of every call of every thread as trees, with the interface of
 * cProfile.Profile where that has one. */
#include "calls.h"

#include <Python.h>

#include <structmember.h>

#include "pacework.h"

enum { ROOM = 1000000 }; /* nodes of a recording by default: about 100 MB when full */

PyDoc_STRVAR(clear_doc, "clear($self, /)\n"
                        "--\n"
                        "\n"
                        "Forget what was recorded.\n");

static PyObject *
calls_clear(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    nbp_calls *self = (nbp_calls *)op;
    if (self->active || self->changing) {
        PyErr_SetString(PyExc_RuntimeError,
                        "disable() the recording before it is cleared");
        return NULL;
    }
    if (self->readers > 0) {
        PyErr_SetString(PyExc_RuntimeError, "the recording is being read");
        return NULL;
    }
    size_t used = 0;
    for (size_t i = 0; i < self->n_threads; i++) {
        if (self->threads[i]->busy) {
            PyErr_SetString(PyExc_RuntimeError,
                            "the recording is handing on an event of this thread");
            return NULL;
        }
        used += nbp_calltree_count(self->threads[i]->tree) - 1;
    }
    nbp_calls_forget(self);
    self->room += used;
    self->unseen = 0;
    self->displaced = false;
    Py_RETURN_NONE;
}

static PyObject *
calls_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"timer", "timeunit", "subcalls", "builtins",
                               "room",  "tasks",    "memory",   NULL};
    PyObject *timer = Py_None;
    double unit = 0;
    int subcalls = 1, builtins = 1, tasks = 0, memory = 0;
    Py_ssize_t room = ROOM;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|Odpp$npp:Calls", keywords, &timer,
                                     &unit, &subcalls, &builtins, &room, &tasks,
                                     &memory)) {
        return NULL;
    }
    if (timer != Py_None && !PyCallable_Check(timer)) {
        PyErr_SetString(PyExc_TypeError, "timer must be callable");
        return NULL;
    }
    if (room < 0 || !(unit >= 0)) {
        PyErr_SetString(PyExc_ValueError, "room and timeunit must not be negative");
        return NULL;
    }
    const nbp_state *state = nbp_state_of_type(type);
    nbp_calls *self = state == NULL ? NULL : (nbp_calls *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->builtins = builtins != 0;
    self->tasks = tasks != 0;
    self->wants_memory = memory != 0;
    self->room = (size_t)room;
    self->timer = timer == Py_None ? NULL : Py_NewRef(timer);
    self->timer_unit = unit;
    self->has_counter = nbp_ticks_has_counter();
    self->by_counter = self->has_counter && self->timer == NULL;
    self->pace.work = nbp_pacework_of(state);
    self->pace.due = INT64_MIN;
    self->origin = nbp_ticks_moment(self->has_counter);
    return (PyObject *)self;
}

static int
calls_traverse(PyObject *op, visitproc visit, void *arg)
{
    nbp_calls *self = (nbp_calls *)op;
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(self->timer);
    Py_VISIT(self->current_task);
    Py_VISIT(self->task_type);
    Py_VISIT(self->hook);
    Py_VISIT(self->old_hook);
    for (size_t i = 0; i < self->n_threads; i++) {
        Py_VISIT(self->threads[i]->previous_arg);
    }
    for (size_t i = 0; i < self->n_functions; i++) {
        Py_VISIT(self->functions[i].object);
    }
    return 0;
}

static int
calls_tp_clear(PyObject *op)
{
    nbp_calls *self = (nbp_calls *)op;
    /* Only an object that nothing refers to gets here, so it records nothing. */
    Py_CLEAR(self->timer);
    nbp_alloc_use_free(&self->memory);
    Py_CLEAR(self->current_task);
    Py_CLEAR(self->task_type);
    Py_CLEAR(self->hook);
    Py_CLEAR(self->old_hook);
    nbp_calls_forget(self);
    return 0;
}

static void
calls_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    calls_tp_clear(op);
    type->tp_free(op);
    Py_DECREF(type);
}

static PyObject *
calls_get_active(PyObject *op, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(((nbp_calls *)op)->active);
}

static PyObject *
calls_get_builtins(PyObject *op, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(((nbp_calls *)op)->builtins);
}

static PyObject *
calls_get_memory(PyObject *op, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(((nbp_calls *)op)->wants_memory);
}

static PyObject *
calls_get_timer(PyObject *op, void *Py_UNUSED(closure))
{
    PyObject *timer = ((nbp_calls *)op)->timer; /* borrowed */
    return Py_NewRef(timer == NULL ? Py_None : timer);
}

static PyObject *
calls_get_displaced(PyObject *op, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(((nbp_calls *)op)->displaced);
}

static PyObject *
calls_get_pace(PyObject *op, void *Py_UNUSED(closure))
{
    const nbp_calls *self = (nbp_calls *)op;
    double pace = nbp_pace_mean(&self->pace);
    return PyFloat_FromDouble(
        pace > 0 ? pace * nbp_ticks_length_ns(self->has_counter, self->origin) : 0.0);
}

static PyObject *
calls_get_unseen(PyObject *op, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLongLong(((nbp_calls *)op)->unseen);
}

static PyMethodDef calls_methods[] = {
    {"enable", (PyCFunction)(void (*)(void))nbp_calls_enable,
     METH_VARARGS | METH_KEYWORDS, nbp_calls_enable_doc},
    {"disable", nbp_calls_disable, METH_NOARGS, nbp_calls_disable_doc},
    {"__enter__", nbp_calls_context_enter, METH_NOARGS, NULL},
    {"__exit__", (PyCFunction)(void (*)(void))nbp_calls_context_exit, METH_FASTCALL,
     NULL},
    {"runcall", (PyCFunction)(void (*)(void))nbp_calls_runcall,
     METH_VARARGS | METH_KEYWORDS, nbp_calls_runcall_doc},
    {"runcode", (PyCFunction)(void (*)(void))nbp_calls_runcode, METH_FASTCALL,
     nbp_calls_runcode_doc},
    {"clear", calls_clear, METH_NOARGS, clear_doc},
    {"table", nbp_calls_table, METH_VARARGS, nbp_calls_table_doc},
    {"codes", nbp_calls_codes, METH_NOARGS, nbp_calls_codes_doc},
    {NULL, NULL, 0, NULL},
};

bool
nbp_calls_is_own(const void *key)
{
    return (const char *)key >= (const char *)calls_methods &&
           (const char *)key < (const char *)calls_methods + sizeof(calls_methods);
}

static PyGetSetDef calls_getset[] = {
    {"active", calls_get_active, NULL, "Whether calls are being recorded.", NULL},
    {"builtins", calls_get_builtins, NULL, "Whether functions in C are recorded too.",
     NULL},
    {"memory", calls_get_memory, NULL, "Whether allocations are counted.", NULL},
    {"timer", calls_get_timer, NULL, "The user's clock, or None.", NULL},
    {"displaced", calls_get_displaced, NULL,
     "Whether another profiler took over in some thread (CPython 3.11 only).", NULL},
    {"pace_ns", calls_get_pace, NULL,
     "Mean of pace_ns() meanwhile; 0 without a call, or with a timer.", NULL},
    {"unseen", calls_get_unseen, NULL,
     "Calls of threads that could not be recorded at all.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(
    calls_doc,
    "Calls(timer=None, timeunit=0.0, subcalls=True, builtins=True, *, room=1000000,"
    " tasks=False, memory=False)\n"
    "--\n"
    "\n"
    "A recording of every call of every thread, as trees.\n"
    "\n"
    "Parameters\n"
    "----------\n"
    "timer : callable, optional\n"
    "    The clock to read, as with `cProfile.Profile`; without one it is the\n"
    "    processor's counter, in ns.\n"
    "timeunit : float\n"
    "    Seconds a tick of `timer`; 0 when it gives seconds.\n"
    "subcalls : bool\n"
    "    There for cProfile's sake.\n"
    "builtins : bool\n"
    "    Record functions in C too.\n"
    "room : int\n"
    "    Nodes the trees may have in all; calls beyond are counted by function.\n"
    "tasks : bool\n"
    "    Give each of asyncio's tasks a node above its coroutine.\n"
    "memory : bool\n"
    "    Count what every node allocates, with Python's allocators.\n");

static PyType_Slot calls_slots[] = {
    {Py_tp_doc, (void *)calls_doc}, {Py_tp_new, calls_new},
    {Py_tp_dealloc, calls_dealloc}, {Py_tp_traverse, calls_traverse},
    {Py_tp_clear, calls_tp_clear},  {Py_tp_methods, calls_methods},
    {Py_tp_getset, calls_getset},   {0, NULL},
};

static PyType_Spec calls_spec = {
    .name = "nbprobe._core.Calls",
    .basicsize = sizeof(nbp_calls),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_BASETYPE |
             Py_TPFLAGS_HAVE_GC,
    .slots = calls_slots,
};

int
nbp_add_calls(PyObject *module)
{
    nbp_state *state = nbp_state_of(module);
    state->calls_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &calls_spec, NULL);
    if (state->calls_type == NULL || nbp_add_call_source(module) < 0) {
        return -1;
    }
    return PyModule_AddType(module, state->calls_type);
}
