/* SPDX-License-Identifier: BSD-3-Clause */
/* Every difference between CPython versions, and nowhere else a PY_VERSION_HEX. */
#ifndef NBP_COMPAT_H
#define NBP_COMPAT_H

#include <Python.h>

#include <stdbool.h>

/* What lies where inside objects and frames (layout.c) is known of these, and with
 * another version or a header of another size the heap would be read wrong, or worse.
 */
#if PY_VERSION_HEX < 0x030B0000 || PY_VERSION_HEX >= 0x030E0000
#    error "nbprobe needs CPython 3.11 to 3.13"
#endif
#ifdef Py_GIL_DISABLED
#    error "nbprobe needs a CPython with the GIL; this one is free-threaded"
#endif

/* One interpreter only, and with the GIL: neither the probes nor the Graphviz lock have
 * been tested without. */
#if PY_VERSION_HEX >= 0x030C0000
#    define NBP_SLOT_INTERPRETERS                                                      \
        {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#else
#    define NBP_SLOT_INTERPRETERS
#endif
#if PY_VERSION_HEX >= 0x030D0000
#    define NBP_SLOT_GIL {Py_mod_gil, Py_MOD_GIL_USED},
#else
#    define NBP_SLOT_GIL
#endif

/* Where the lines of code that cannot have probes come from. */
#if PY_VERSION_HEX >= 0x030C0000
#    define NBP_HAS_MONITORING 1
#    define NBP_EVENTS_NAME    "monitoring"
#else
#    define NBP_HAS_MONITORING 0
#    define NBP_EVENTS_NAME    "trace"
#endif

/* 11 for CPython 3.11: which table of opcodes the rewriter needs. */
#define NBP_MINOR_VERSION PY_MINOR_VERSION

/* What a weak reference refers to, or NULL; a new reference. Never fails for one. */
static inline PyObject *
nbp_weakref_target(PyObject *reference)
{
#if PY_VERSION_HEX >= 0x030D0000
    PyObject *target = NULL;
    PyWeakref_GetRef(reference, &target);
    return target;
#else
    PyObject *target = PyWeakref_GET_OBJECT(reference);
    return target == Py_None ? NULL : Py_NewRef(target);
#endif
}

/* Where current_task() is: in C, or before in Python, which is harmless there because a
 * profile function gets no events while it runs. */
#if PY_VERSION_HEX >= 0x030C0000
#    define NBP_CURRENT_TASK_MODULE "_asyncio"
#else
#    define NBP_CURRENT_TASK_MODULE "asyncio.tasks"
#endif

/* What the interpreter allocates for the int that tells where an event happened. */
#if PY_VERSION_HEX >= 0x030D0000
#    define NBP_OFFSET_BYTES sizeof(PyLongObject)
#elif PY_VERSION_HEX >= 0x030C0000
#    define NBP_OFFSET_BYTES                                                           \
        (offsetof(PyLongObject, long_value.ob_digit) + sizeof(digit))
#endif

/* The code of a generator or coroutine, borrowed or immediately given back: it lives as
 * long as the generator does. */
#if PY_VERSION_HEX >= 0x030C0000
static inline PyCodeObject *
nbp_generator_code(PyObject *generator)
{
    PyCodeObject *code = PyGen_GetCode((PyGenObject *)generator);
    Py_DECREF(code);
    return code;
}
#    define NBP_GENERATOR_CODE(generator) nbp_generator_code(generator)
#else
#    define NBP_GENERATOR_CODE(generator) (((PyGenObject *)(generator))->gi_code)
#endif

/* None as a result that nobody counts references to: from 3.12 on it lives for ever. */
#if PY_VERSION_HEX >= 0x030C0000
#    define NBP_IMMORTAL_NONE Py_None
#else
#    define NBP_IMMORTAL_NONE Py_NewRef(Py_None)
#endif

/* Where a thread keeps its innermost frame. */
#if PY_VERSION_HEX >= 0x030D0000
#    define NBP_THREAD_FRAME(thread) ((thread)->current_frame)
#else
#    define NBP_THREAD_FRAME(thread) ((thread)->cframe->current_frame)
#endif

/* Whether a thread points to its innermost frame through a structure of its own. */
#if PY_VERSION_HEX >= 0x030D0000
#    define NBP_THREAD_FRAME_FIELD current_frame
#    define NBP_FRAME_IS_INDIRECT  false
#    define NBP_INNER_FRAME_OFFSET 0
#else
#    define NBP_THREAD_FRAME_FIELD cframe
#    define NBP_FRAME_IS_INDIRECT  true
#    define NBP_INNER_FRAME_OFFSET offsetof(_PyCFrame, current_frame)
#endif

/* The thread that runs, and the frame that it runs: an address that identifies the
 * frame as long as it lives. PyEval_GetFrame would make a frame object of it, which
 * takes longer than all the rest of a probe. */
static inline PyThreadState *
nbp_thread_state(void)
{
#if PY_VERSION_HEX >= 0x030D0000
    return PyThreadState_GetUnchecked();
#else
    return _PyThreadState_UncheckedGet();
#endif
}

/* Where an interpreter with a GIL keeps the thread that has it, as an address;
 * from 3.12 on, where the function above is two calls by way of the linker's tables. */
#if PY_VERSION_HEX >= 0x030C0000 && !defined(Py_GIL_DISABLED)
#    define NBP_GIL_HOLDER(interpreter) (&(interpreter)->ceval.gil->last_holder)
#endif

/* The same, but NULL in a thread that has not the GIL: before 3.12 there was one thread
 * state to the process, that of whoever has it. */
static inline PyThreadState *
nbp_attached_thread(void)
{
    PyThreadState *thread = nbp_thread_state();
#if PY_VERSION_HEX < 0x030C0000
    if (thread != PyGILState_GetThisThreadState()) {
        return NULL;
    }
#endif
    return thread;
}

static inline const void *
nbp_running_frame(const PyThreadState *thread)
{
    return NBP_THREAD_FRAME(thread);
}

/* Makes `function` the profile or the trace function of a thread, before 3.12: what
 * _PyEval_SetProfile and _PyEval_SetTrace do, but for the audit, whose hooks may run
 * code meanwhile in which that thread ends. What was there loses its reference last. */
#if PY_VERSION_HEX < 0x030C0000
static inline void
nbp_update_tracing(PyThreadState *thread)
{
    bool on = thread->tracing == 0 &&
              (thread->c_tracefunc != NULL || thread->c_profilefunc != NULL);
    thread->cframe->use_tracing = on ? 255 : 0;
}

static inline void
nbp_set_profile(PyThreadState *thread, Py_tracefunc function, PyObject *argument)
{
    PyObject *before = thread->c_profileobj;
    thread->c_profileobj = Py_XNewRef(argument);
    thread->c_profilefunc = function;
    nbp_update_tracing(thread);
    Py_XDECREF(before);
}

static inline void
nbp_set_trace(PyThreadState *thread, Py_tracefunc function, PyObject *argument)
{
    PyObject *before = thread->c_traceobj;
    thread->c_traceobj = Py_XNewRef(argument);
    thread->c_tracefunc = function;
    nbp_update_tracing(thread);
    Py_XDECREF(before);
}
#endif

/* How the collector's objects are listed: in place, or through gc.get_objects(). */
#if PY_VERSION_HEX >= 0x030C0000
#    define NBP_GC_IN_PLACE 1
#else
#    define NBP_GC_IN_PLACE 0
#endif

/* Where an instance keeps the attributes that have no dictionary (layout.c): next to
 * the object (1), or behind a pointer of its own, which from 3.12 on shares its word
 * with the dictionary's (2) and had one to itself before (3). */
#if PY_VERSION_HEX >= 0x030D0000
#    define NBP_ATTRIBUTES_INLINE 1
#elif PY_VERSION_HEX >= 0x030C0000
#    define NBP_ATTRIBUTES_INLINE 2
#else
#    define NBP_ATTRIBUTES_INLINE 3
#endif

/* Types whose objects have two words before the collector's. */
#if PY_VERSION_HEX >= 0x030C0000
#    define NBP_PREHEADER Py_TPFLAGS_PREHEADER
#else
#    define NBP_PREHEADER Py_TPFLAGS_MANAGED_DICT
#endif

/* The fields of an interpreter's frame that were renamed; the code may be no code. */
#if PY_VERSION_HEX >= 0x030D0000
#    define NBP_FRAME_CODE(frame)     ((frame)->f_executable)
#    define NBP_FRAME_FUNCTION(frame) ((frame)->f_funcobj)
#elif PY_VERSION_HEX >= 0x030C0000
#    define NBP_FRAME_CODE(frame)     ((PyObject *)(frame)->f_code)
#    define NBP_FRAME_FUNCTION(frame) ((frame)->f_funcobj)
#else
#    define NBP_FRAME_CODE(frame)     ((PyObject *)(frame)->f_code)
#    define NBP_FRAME_FUNCTION(frame) ((PyObject *)(frame)->f_func)
#endif

/* The same as offsets, and that of the instruction a frame is at. */
#if PY_VERSION_HEX >= 0x030D0000
#    define NBP_FRAME_CODE_FIELD        f_executable
#    define NBP_FRAME_INSTRUCTION_FIELD instr_ptr
#else
#    define NBP_FRAME_CODE_FIELD        f_code
#    define NBP_FRAME_INSTRUCTION_FIELD prev_instr
#endif

/* True when frames of no Python code stand where C called the interpreter. */
#if PY_VERSION_HEX >= 0x030C0000
#    define NBP_FRAME_MARKERS 1
#    define NBP_FRAME_MARKER  FRAME_OWNED_BY_CSTACK
#else
#    define NBP_FRAME_MARKERS 0
#    define NBP_FRAME_MARKER  -1
#endif

/* Whether the characters of a string follow its head; only those are read unasked. */
#if PY_VERSION_HEX >= 0x030C0000
#    define NBP_TEXT_IS_READY(ascii) true
#else
#    define NBP_TEXT_IS_READY(ascii) ((ascii)->state.ready)
#endif

/* The cached members of a code object, `visit` called with each; NULL among them. */
#if PY_VERSION_HEX >= 0x030C0000
#    define NBP_CODE_CACHES(code, visit)                                               \
        do {                                                                           \
            if ((code)->_co_cached != NULL) {                                          \
                visit((code)->_co_cached->_co_code);                                   \
                visit((code)->_co_cached->_co_varnames);                               \
                visit((code)->_co_cached->_co_cellvars);                               \
                visit((code)->_co_cached->_co_freevars);                               \
            }                                                                          \
        } while (0)
#else
#    define NBP_CODE_CACHES(code, visit) visit((code)->_co_code)
#endif

/* Digits of an int. */
#if PY_VERSION_HEX >= 0x030C0000
#    define NBP_LONG_DIGITS(op)                                                        \
        ((Py_ssize_t)(((PyLongObject *)(op))->long_value.lv_tag >> 3))
#else
#    define NBP_LONG_DIGITS(op) Py_ABS(Py_SIZE(op))
#endif

/* A new reference to the dictionary of a type; NULL without an exception for none. */
#if PY_VERSION_HEX >= 0x030C0000
#    define NBP_TYPE_DICT(type) PyType_GetDict(type)
#else
#    define NBP_TYPE_DICT(type) Py_XNewRef((type)->tp_dict)
#endif

#if PY_VERSION_HEX >= 0x030C0000
#    define NBP_IS_IMMORTAL(op) _Py_IsImmortal(op)
#else
#    define NBP_IS_IMMORTAL(op) 0
#endif

#endif /* NBP_COMPAT_H */
