/* SPDX-License-Identifier: BSD-3-Clause */
#include "layoutcheck.h"

#include <Python.h>

#include <string.h>

#include "codebook.h"
#include "layout.h"
#include "state.h"

enum {
    CHECKED = 6, /* frames that are compared with what the interpreter says */
};

/* Whether one frame, as it was read, is what the interpreter says it is. */
static bool
is_frame(PyFrameObject *frame, const nbp_frame_view *view, const nbp_function *function,
         int32_t unit)
{
    PyCodeObject *code = PyFrame_GetCode(frame);
    const char *file = PyUnicode_AsUTF8(code->co_filename);
    const char *name = PyUnicode_AsUTF8(code->co_qualname);
    bool same = (uintptr_t)code == view->code;
    /* A name that is not UTF-8, or is cut, proves nothing either way. */
    same = same &&
           (file == NULL || strlen(file) > 900 || strcmp(file, function->file) == 0);
    same = same && (name == NULL || strlen(name) > 900 ||
                    strcmp(name, function->qualname) == 0);
    int line = PyFrame_GetLineNumber(frame);
    same = same && (line <= 0 || line == nbp_function_line(function, unit));
    PyErr_Clear();
    Py_DECREF(code);
    return same;
}

/* Everything that a check needs, too large for the stack. */
typedef struct {
    nbp_interpreter_layout layout;
    nbp_peek *peek;
    nbp_codebook *book;
    nbp_stack_view stack;
    uint32_t numbers[NBP_STACK_DEPTH];
    int32_t units[NBP_STACK_DEPTH];
} check;

/* Reads the stack of the calling thread as the sampler would. */
static bool
read_own_stack(check *self, PyThreadState *thread)
{
    uintptr_t interpreter = (uintptr_t)thread->interp;
    uintptr_t at = nbp_stacks_first(self->peek, &self->layout, interpreter);
    nbp_thread_view view;
    while (at != 0) {
        if (nbp_stacks_thread(self->peek, &self->layout, interpreter, at, &view) < 0) {
            return false;
        }
        if (view.id == thread->id) {
            return view.ident == thread->thread_id && at == (uintptr_t)thread &&
                   nbp_stacks_read(self->peek, &self->layout, view.frame, 0,
                                   &self->stack) == 0 &&
                   nbp_codebook_read(self->book, self->peek, &self->layout,
                                     &self->stack, self->numbers, self->units) == 0;
        }
        at = view.next;
    }
    return false;
}

/* Compares it with the frames that the interpreter shows. */
static bool
agrees(const check *self, PyThreadState *thread)
{
    PyFrameObject *frame = PyThreadState_GetFrame(thread);
    size_t i = 0;
    bool same = true;
    for (; frame != NULL && same && i < CHECKED; i++) {
        same = i < self->stack.depth &&
               is_frame(frame, &self->stack.frames[i],
                        nbp_codebook_at(self->book, self->numbers[i]), self->units[i]);
        PyFrameObject *caller = PyFrame_GetBack(frame);
        Py_DECREF(frame);
        frame = caller;
    }
    same = same && (frame != NULL || i == self->stack.depth);
    Py_XDECREF(frame);
    return same;
}

int
nbp_layout_check(void)
{
    check *self = PyMem_Calloc(1, sizeof(*self));
    if (self == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    PyThreadState *thread = PyThreadState_Get();
    nbp_layout_describe(&self->layout);
    nbp_status status = nbp_peek_new(&self->peek);
    self->book = nbp_codebook_new();
    if (status == NBP_UNAVAILABLE) {
        PyErr_SetString(PyExc_RuntimeError,
                        "sampling is not possible here: the kernel lets no process "
                        "read memory through process_vm_readv or /proc/self/mem");
    }
    else if (status != NBP_OK || self->book == NULL) {
        PyErr_NoMemory();
    }
    else if (!read_own_stack(self, thread) || !agrees(self, thread)) {
        PyErr_Format(PyExc_RuntimeError,
                     "sampling is not possible here: frames of Python %s lie "
                     "elsewhere than nbprobe was built for (%s)",
                     Py_GetVersion(), PY_VERSION);
    }
    nbp_peek_destroy(&self->peek);
    nbp_codebook_destroy(&self->book);
    PyMem_Free(self);
    return PyErr_Occurred() ? -1 : 0;
}
