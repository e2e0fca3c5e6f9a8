/* SPDX-License-Identifier: BSD-3-Clause */
/* Calls as the profile function of every thread reports them (3.11). There is room for
 * one such function a thread: the one that was there is called on and put back. */
#include <Python.h>

#include "calls.h"

#if !NBP_HAS_MONITORING

#    include <opcode.h>

#    include "holder.h"

static inline bool
may_suspend(const PyCodeObject *code)
{
    return code->co_flags & (CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR);
}

/* Whether a frame begins, for a generator's goes on through the same event: the
 * argument of the RESUME that it stands at tells, and a throw() stands elsewhere.
 * RESUME_QUICK is what RESUME becomes in code that has run a few times. */
static bool
begins(PyFrameObject *frame, PyCodeObject *code)
{
    if (!may_suspend(code)) {
        return true;
    }
    int place = PyFrame_GetLasti(frame);
    const unsigned char *unit = (const unsigned char *)code->co_code_adaptive + place;
    return place < 0 ||
           ((unit[0] == RESUME || unit[0] == RESUME_QUICK) && unit[1] == 0);
}

/* What the interpreter allocates for the frame object that an event comes with: as an
 * object of the collector, whose header of two words stands before it. */
static size_t
size_of_frame(const PyCodeObject *code)
{
    size_t slots = (size_t)(code->co_nlocalsplus + code->co_stacksize);
    size_t size =
        (size_t)PyFrame_Type.tp_basicsize + slots * (size_t)PyFrame_Type.tp_itemsize;
    return 2 * sizeof(void *) + (size + 7) / 8 * 8;
}

static void
record_event(nbp_calls *self, PyFrameObject *frame, int what, PyObject *arg)
{
    PyThreadState *thread = nbp_thread_state();
    const void *key;
    if (what == PyTrace_CALL) {
        PyCodeObject *code = PyFrame_GetCode(frame);
        nbp_enter_how how = begins(frame, code) ? NBP_ENTER_START : NBP_ENTER_RESUME;
        if (self->wants_memory && how == NBP_ENTER_START) {
            nbp_calls_discount(self, thread, size_of_frame(code));
        }
        if (self->tasks) {
            nbp_calls_enter_task(self, thread, frame, code, how);
        }
        nbp_calls_enter(self, thread, frame, code, NULL, how);
        Py_DECREF(code);
    }
    else if (what == PyTrace_RETURN) {
        nbp_calls_leave(self, thread, frame);
        if (self->tasks) {
            nbp_calls_leave_task(self, thread, frame);
        }
    }
    else if (self->builtins && arg != NULL && (key = nbp_native_key(arg)) != NULL &&
             !nbp_calls_is_own(key)) {
        if (what == PyTrace_C_CALL) {
            nbp_calls_enter(self, thread, nbp_native_activation(frame), key, arg,
                            NBP_ENTER_START);
        }
        else {
            nbp_calls_leave(self, thread, nbp_native_activation(frame));
        }
    }
}

/* Several recordings can hand events on to each other in a circle, when one goes on
 * again that another has displaced: `busy` breaks it. Kept apart from the short way of
 * an event, which need not save the registers that this needs. */
static __attribute__((noinline)) int
on_any_event(nbp_calls *self, PyFrameObject *frame, int what, PyObject *arg)
{
    nbp_call_thread *here = nbp_calls_thread(self, nbp_thread_state());
    if (here == NULL) {
        self->unseen++;
        return 0;
    }
    if (here->busy) {
        return 0;
    }
    /* Whatever the other function does, these live until the end of this call. */
    Py_INCREF(self);
    here->busy = true;
    int status = 0;
    bool began = what == PyTrace_CALL || what == PyTrace_C_CALL;
    if (!began) {
        record_event(self, frame, what, arg);
    }
    if (here->previous != NULL) {
        PyObject *previous_arg = Py_XNewRef(here->previous_arg);
        status = here->previous(previous_arg, frame, what, arg);
        Py_XDECREF(previous_arg);
    }
    if (began) {
        record_event(self, frame, what, arg);
    }
    here->busy = false;
    Py_DECREF(self);
    return status;
}

/* What an event of Python code takes as a rule; false, and nothing is done, when it
 * takes more, as where it is handed on. */
static inline bool
record_at_once(nbp_calls *self, PyFrameObject *frame, int what)
{
    const nbp_call_thread *last = self->last;
    if (last == NULL || last->previous != NULL || last->busy || self->tasks ||
        self->wants_memory) {
        return false;
    }
    if (what == PyTrace_RETURN) {
        return nbp_calls_leave_at_once(self, nbp_thread_at_once(), frame);
    }
    if (what != PyTrace_CALL) {
        return false;
    }
    PyCodeObject *code = PyFrame_GetCode(frame);
    /* Not Py_DECREF, for the frame has one of its own: this never frees it. */
    Py_SET_REFCNT(code, Py_REFCNT(code) - 1);
    return !may_suspend(code) && nbp_calls_enter_at_once(self, nbp_thread_at_once(),
                                                         frame, code, NBP_ENTER_START);
}

static int
on_event(PyObject *arg_of_profile, PyFrameObject *frame, int what, PyObject *arg)
{
    nbp_calls *self = (nbp_calls *)arg_of_profile;
    return record_at_once(self, frame, what) ? 0 : on_any_event(self, frame, what, arg);
}

/* Makes ours the profile function of a thread, and remembers which it was. */
static void
take_over(nbp_calls *self, PyThreadState *thread)
{
    if (thread->c_profilefunc == on_event && thread->c_profileobj == (PyObject *)self) {
        return;
    }
    nbp_call_thread *here = nbp_calls_thread(self, thread);
    if (here == NULL) {
        self->unseen++;
        return;
    }
    PyObject *older = here->previous_arg;
    here->previous = thread->c_profilefunc;
    here->previous_arg = Py_XNewRef(thread->c_profileobj);
    nbp_set_profile(thread, on_event, (PyObject *)self);
    Py_XDECREF(older);
}

/* The youngest thread that is older than the one of this id; NULL when there is none.
 * So each gets its turn though code may run in between, and threads end. */
static PyThreadState *
thread_before(uint64_t id)
{
    PyThreadState *found = NULL;
    PyThreadState *thread =
        PyInterpreterState_ThreadHead(PyThreadState_GetInterpreter(nbp_thread_state()));
    for (; thread != NULL; thread = PyThreadState_Next(thread)) {
        if (thread->id < id && (found == NULL || thread->id > found->id)) {
            found = thread;
        }
    }
    return found;
}

/* The thread of this id, NULL when it has ended. */
static PyThreadState *
thread_of(uint64_t id)
{
    PyThreadState *thread = thread_before(id + 1);
    return thread != NULL && thread->id == id ? thread : NULL;
}

/* Takes out what the recording displaced in a thread, past recordings that have ended
 * since: `*arg` is a new reference. May run code. */
static Py_tracefunc
take_previous(nbp_call_thread *here, uint64_t thread, PyObject **arg)
{
    Py_tracefunc previous = here->previous;
    *arg = here->previous_arg;
    here->previous = NULL;
    here->previous_arg = NULL;
    while (previous == on_event && !((nbp_calls *)*arg)->active) {
        PyObject *ended = *arg;
        nbp_call_thread *there = nbp_calls_known_thread((nbp_calls *)ended, thread);
        previous = NULL;
        *arg = NULL;
        if (there != NULL) {
            previous = there->previous;
            *arg = there->previous_arg;
            there->previous = NULL;
            there->previous_arg = NULL;
        }
        Py_DECREF(ended);
    }
    return previous;
}

/* Puts back what a thread had; where another took our place meanwhile, it keeps it. */
static void
give_back(nbp_calls *self, PyThreadState *thread)
{
    uint64_t id = thread->id;
    nbp_call_thread *here = nbp_calls_known_thread(self, id);
    if (here == NULL) {
        return;
    }
    if (thread->c_profilefunc == on_event && thread->c_profileobj != (PyObject *)self) {
        /* A recording that began after this one, and puts back what we displaced. */
        return;
    }
    PyObject *previous_arg;
    Py_tracefunc previous = take_previous(here, id, &previous_arg);
    thread = thread_of(id);
    if (thread != NULL && thread->c_profilefunc == on_event) {
        nbp_set_profile(thread, previous, previous_arg);
    }
    else if (thread != NULL) {
        self->displaced = true;
    }
    Py_XDECREF(previous_arg);
}

static void
for_each_thread(nbp_calls *self, void (*act)(nbp_calls *, PyThreadState *))
{
    PyThreadState *thread = thread_before(UINT64_MAX);
    while (thread != NULL) {
        uint64_t id = thread->id;
        act(self, thread);
        thread = thread_before(id);
    }
}

/* What threading calls in a thread that starts: the profile function of Python code,
 * which replaces itself by ours and hands over the event that it got. */
static PyObject *
on_first_event(PyObject *op, PyObject *const *args, Py_ssize_t nargs)
{
    nbp_calls *self = (nbp_calls *)op;
    if (nargs != 3 || !PyFrame_Check(args[0]) || !PyUnicode_Check(args[1])) {
        PyErr_SetString(PyExc_TypeError, "only threading calls this");
        return NULL;
    }
    PyThreadState *thread = nbp_thread_state();
    if (!self->active) {
        PyEval_SetProfile(NULL, NULL);
        Py_RETURN_NONE;
    }
    PyEval_SetProfile(NULL, NULL);
    take_over(self, thread);
    if (PyUnicode_CompareWithASCIIString(args[1], "call") == 0) {
        record_event(self, (PyFrameObject *)args[0], PyTrace_CALL, NULL);
    }
    Py_RETURN_NONE;
}

static PyMethodDef first_event = {
    "first_event", (PyCFunction)(void (*)(void))on_first_event, METH_FASTCALL, NULL};

/* What threading installs in threads that start. The attribute, because the functions
 * that set and read it would be among the calls of another recording. */
static const char threading_hook[] = "_profile_hook";

static bool
is_hook_of_ended(PyObject *hook)
{
    return hook != NULL && PyCFunction_CheckExact(hook) &&
           ((PyCFunctionObject *)hook)->m_ml == &first_event &&
           !((nbp_calls *)PyCFunction_GET_SELF(hook))->active;
}

/* Takes out what the recording displaced in threading, past recordings that have ended
 * since; a new reference. */
static PyObject *
take_old_hook(nbp_calls *self)
{
    PyObject *old = self->old_hook;
    self->old_hook = NULL;
    while (is_hook_of_ended(old)) {
        nbp_calls *ended = (nbp_calls *)PyCFunction_GET_SELF(old);
        PyObject *older = ended->old_hook;
        ended->old_hook = NULL;
        Py_DECREF(old);
        old = older;
    }
    return old == NULL ? Py_NewRef(Py_None) : old;
}

static int
set_threading_hook(nbp_calls *self)
{
    PyObject *threading = PyImport_ImportModule("threading");
    PyObject *old =
        threading == NULL ? NULL : PyObject_GetAttrString(threading, threading_hook);
    int status = -1;
    if (old != NULL) {
        Py_XSETREF(self->old_hook, old);
        Py_XSETREF(self->hook, PyCFunction_New(&first_event, (PyObject *)self));
        if (self->hook != NULL) {
            status = PyObject_SetAttrString(threading, threading_hook, self->hook);
        }
    }
    Py_XDECREF(threading);
    return status;
}

/* Where somebody set another after us, it stays. */
static int
reset_threading_hook(nbp_calls *self)
{
    PyObject *threading = PyImport_ImportModule("threading");
    PyObject *current =
        threading == NULL ? NULL : PyObject_GetAttrString(threading, threading_hook);
    int status = current == NULL ? -1 : 0;
    if (current != NULL && current == self->hook) {
        PyObject *old = take_old_hook(self);
        status = PyObject_SetAttrString(threading, threading_hook, old);
        Py_DECREF(old);
        Py_CLEAR(self->hook);
    }
    Py_XDECREF(current);
    Py_XDECREF(threading);
    return status;
}

int
nbp_calls_connect(nbp_calls *self)
{
    if (PySys_Audit("sys.setprofile", NULL) == 0 && set_threading_hook(self) == 0) {
        for_each_thread(self, take_over);
        return 0;
    }
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    if (nbp_calls_disconnect(self) < 0) {
        PyErr_Clear();
    }
    PyErr_Restore(type, value, traceback);
    return -1;
}

int
nbp_calls_disconnect(nbp_calls *self)
{
    for_each_thread(self, give_back);
    return reset_threading_hook(self);
}

int
nbp_add_call_source(PyObject *Py_UNUSED(module))
{
    return 0;
}

#endif /* !NBP_HAS_MONITORING */
