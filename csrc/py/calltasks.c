/* SPDX-License-Identifier: BSD-3-Clause */
/* asyncio's tasks in the trees: one more node above the coroutine of a task, so that
 * what a task did can be told from what the others did.
 *
 * Only tasks of the type that asyncio itself makes are asked, because they answer in C:
 * a profile must not run Python of others between two events. What it takes to ask is
 * taken out of the times. */
#include <Python.h>

#include "calls.h"

enum { MAY_AWAIT = CO_COROUTINE | CO_ITERABLE_COROUTINE };

static bool
is_coroutine(const nbp_call_node *node)
{
    return node->kind == NBP_CALL_PYTHON && node->key != NULL &&
           (((const PyCodeObject *)node->key)->co_flags & MAY_AWAIT);
}

/* Finds the functions of asyncio, which the program may import at any time. */
static bool
has_asyncio(nbp_calls *self)
{
    if (self->current_task == NULL) {
        PyObject *modules = PyImport_GetModuleDict();                 /* borrowed */
        PyObject *native = PyDict_GetItemString(modules, "_asyncio"); /* borrowed */
        PyObject *module = PyDict_GetItemString(modules, NBP_CURRENT_TASK_MODULE);
        if (native == NULL || module == NULL) {
            return false;
        }
        Py_XSETREF(self->task_type, PyObject_GetAttrString(native, "Task"));
        self->current_task = PyObject_GetAttrString(module, "current_task");
    }
    return self->current_task != NULL && self->task_type != NULL;
}

/* The running task if the coroutine is its own; a new reference. */
static PyObject *
task_of(nbp_calls *self, const PyCodeObject *code)
{
    PyObject *task = has_asyncio(self) ? PyObject_CallNoArgs(self->current_task) : NULL;
    if (task == NULL || (PyObject *)Py_TYPE(task) != self->task_type) {
        Py_XDECREF(task);
        return NULL;
    }
    PyObject *coroutine = PyObject_CallMethod(task, "get_coro", NULL);
    bool is_own = coroutine != NULL && PyCoro_CheckExact(coroutine) &&
                  NBP_GENERATOR_CODE(coroutine) == code;
    Py_XDECREF(coroutine);
    if (!is_own) {
        Py_CLEAR(task);
    }
    return task;
}

/* What the task's node is known by: the one string that says this; borrowed. */
static PyObject *
key_of(nbp_calls *self, PyObject *task, const PyCodeObject *code)
{
    if (self->task_names == NULL) {
        self->task_names = PyDict_New();
    }
    PyObject *name =
        self->task_names == NULL ? NULL : PyObject_CallMethod(task, "get_name", NULL);
    PyObject *text = NULL;
    if (name != NULL && PyUnicode_Check(name)) {
        text = PyUnicode_FromFormat("<task %U: %U>", name, code->co_qualname);
    }
    PyObject *key =
        text == NULL ? NULL : PyDict_SetDefault(self->task_names, text, text);
    Py_XDECREF(text);
    Py_XDECREF(name);
    return key;
}

void
nbp_calls_enter_task(nbp_calls *self, PyThreadState *thread, const void *activation,
                     PyCodeObject *code, nbp_enter_how how)
{
    if (!(code->co_flags & MAY_AWAIT) || !self->active || self->timer != NULL) {
        return;
    }
    nbp_call_thread *here = nbp_calls_thread(self, thread);
    if (here == NULL || is_coroutine(here->tree->top->node)) {
        /* Awaited by another coroutine of the task. */
        return;
    }
    int64_t now = nbp_calls_now(self);
    PyObject *task = task_of(self, code);
    PyObject *key = task == NULL ? NULL : key_of(self, task, code);
    if (key != NULL && nbp_calltree_enter(here->tree, nbp_task_activation(activation),
                                          key, NBP_CALL_TASK, how, now) == 1) {
        nbp_calls_note_name(self, key);
    }
    Py_XDECREF(task);
    PyErr_Clear();
    nbp_calltree_pause(here->tree, nbp_calls_now(self) - now);
}

void
nbp_calls_leave_task(nbp_calls *self, PyThreadState *thread, const void *activation)
{
    nbp_call_thread *here = self->active ? nbp_calls_thread(self, thread) : NULL;
    const void *of_task = nbp_task_activation(activation);
    if (here != NULL && here->tree->top->activation == of_task) {
        nbp_calltree_leave(here->tree, of_task, nbp_calls_now(self));
    }
}
