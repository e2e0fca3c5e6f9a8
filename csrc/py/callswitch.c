/* SPDX-License-Identifier: BSD-3-Clause */
/* A recording is switched on and off. */
#include <Python.h>

#include "calls.h"
#include "holder.h"

static int
begin_change(nbp_calls *self)
{
    if (self->changing) {
        PyErr_SetString(PyExc_RuntimeError,
                        "another thread is switching this recording on or off");
        return -1;
    }
    self->changing = true;
    return 0;
}

static int
start(nbp_calls *self)
{
    if (self->active) {
        return 0;
    }
    if (begin_change(self) < 0) {
        return -1;
    }
    nbp_holder_find();
    int status = 0;
    if (self->wants_memory) {
        self->memory.level = NBP_ALLOC_COUNTS;
        status = nbp_alloc_use_open(&self->memory);
    }
    if (status == 0) {
        status = nbp_calls_connect(self);
    }
    self->active = status == 0;
    if (status < 0) {
        nbp_alloc_use_close(&self->memory);
    }
    else if (self->timer != NULL) {
        self->pace.due = INT64_MAX;
    }
    self->changing = false;
    return status;
}

static int
stop(nbp_calls *self)
{
    if (!self->active) {
        return 0;
    }
    if (begin_change(self) < 0) {
        return -1;
    }
    /* From here on no event changes a tree, be the timer's code as it may. */
    self->active = false;
    self->pace.due = INT64_MIN;
    int64_t now = nbp_calls_now(self);
    if (self->timer == NULL) {
        nbp_pace_take(&self->pace, self->has_counter);
        self->pace.due = INT64_MIN;
    }
    for (size_t i = 0; i < self->n_threads; i++) {
        nbp_calltree_finish(self->threads[i]->tree, now);
    }
    int status = nbp_calls_disconnect(self);
    nbp_alloc_use_close(&self->memory);
    self->changing = false;
    return status;
}

/* stop() after the user's code, whose exception is the one that counts. */
static int
stop_after(nbp_calls *self)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    int status = stop(self);
    if (type != NULL) {
        if (status < 0) {
            PyErr_WriteUnraisable((PyObject *)self);
        }
        PyErr_Restore(type, value, traceback);
        return -1;
    }
    return status;
}

const char nbp_calls_enable_doc[] =
    "enable($self, /, subcalls=True, builtins=True)\n"
    "--\n"
    "\n"
    "Start to record, or go on.\n"
    "\n"
    "`subcalls` is there for cProfile's sake: the tree always has\n"
    "them. Does nothing when the recording runs already.\n";

PyObject *
nbp_calls_enable(PyObject *op, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"subcalls", "builtins", NULL};
    nbp_calls *self = (nbp_calls *)op;
    int subcalls = 1, builtins = -1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|pp:enable", keywords, &subcalls,
                                     &builtins)) {
        return NULL;
    }
    if (builtins >= 0 && !self->active) {
        self->builtins = builtins != 0;
    }
    if (start(self) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

const char nbp_calls_disable_doc[] =
    "disable($self, /)\n"
    "--\n"
    "\n"
    "Stop to record: from any thread, and as often as wanted.\n"
    "\n"
    "Calls that still run end here, as far as the trees know.\n";

PyObject *
nbp_calls_disable(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    if (stop((nbp_calls *)op) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

PyObject *
nbp_calls_context_enter(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    return start((nbp_calls *)op) < 0 ? NULL : Py_NewRef(op);
}

PyObject *
nbp_calls_context_exit(PyObject *op, PyObject *const *Py_UNUSED(args),
                       Py_ssize_t Py_UNUSED(nargs))
{
    return nbp_calls_disable(op, NULL);
}

const char nbp_calls_runcall_doc[] =
    "runcall($self, func, /, *args, **kwargs)\n"
    "--\n"
    "\n"
    "Call a function under the recording, and return its value.\n";

/* Calls `func`. A function in C that is called from C makes no event of its own. */
static PyObject *
call_and_record(nbp_calls *self, PyObject *func, PyObject *args, PyObject *kwargs)
{
    const void *key = nbp_native_key(func);
    bool unseen = key != NULL && self->builtins && !nbp_calls_is_own(key);
    /* The address of a variable of ours is no other call's. */
    if (unseen) {
        nbp_calls_enter(self, nbp_thread_state(), &unseen, key, func, NBP_ENTER_START);
    }
    PyObject *result = PyObject_Call(func, args, kwargs);
    if (unseen) {
        /* A timer of the user's runs Python, which must not meet an exception. */
        PyObject *type, *value, *traceback;
        PyErr_Fetch(&type, &value, &traceback);
        nbp_calls_leave(self, nbp_thread_state(), &unseen);
        PyErr_Restore(type, value, traceback);
    }
    return result;
}

PyObject *
nbp_calls_runcall(PyObject *op, PyObject *args, PyObject *kwargs)
{
    nbp_calls *self = (nbp_calls *)op;
    if (PyTuple_GET_SIZE(args) < 1) {
        PyErr_SetString(PyExc_TypeError, "runcall() needs a function to call");
        return NULL;
    }
    PyObject *rest = PyTuple_GetSlice(args, 1, PY_SSIZE_T_MAX);
    if (rest == NULL || start(self) < 0) {
        Py_XDECREF(rest);
        return NULL;
    }
    PyObject *result = call_and_record(self, PyTuple_GET_ITEM(args, 0), rest, kwargs);
    Py_DECREF(rest);
    if (stop_after(self) < 0) {
        Py_CLEAR(result);
    }
    return result;
}

const char nbp_calls_runcode_doc[] =
    "runcode($self, code, globals, locals, /)\n"
    "--\n"
    "\n"
    "Run a code object under the recording, and return its value.\n"
    "\n"
    "Called from here, neither `exec` nor `disable` is among the calls.\n";

PyObject *
nbp_calls_runcode(PyObject *op, PyObject *const *args, Py_ssize_t nargs)
{
    nbp_calls *self = (nbp_calls *)op;
    if (nargs != 3 || !PyCode_Check(args[0]) || !PyDict_Check(args[1]) ||
        !PyMapping_Check(args[2])) {
        PyErr_SetString(PyExc_TypeError,
                        "runcode() takes a code object, a dict and a mapping");
        return NULL;
    }
    if (PyCode_GetNumFree((PyCodeObject *)args[0]) > 0) {
        PyErr_SetString(PyExc_TypeError,
                        "runcode() takes no code object with free variables");
        return NULL;
    }
    if (start(self) < 0) {
        return NULL;
    }
    PyObject *result = PyEval_EvalCode(args[0], args[1], args[2]);
    if (stop_after(self) < 0) {
        Py_CLEAR(result);
    }
    return result;
}
