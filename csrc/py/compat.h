/* SPDX-License-Identifier: BSD-3-Clause */
/* Every difference between CPython versions, and nowhere else a PY_VERSION_HEX. */
#ifndef NBP_COMPAT_H
#define NBP_COMPAT_H

#include <Python.h>

#if PY_VERSION_HEX < 0x030B0000
#    error "nbprobe needs CPython 3.11 or newer"
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

static inline const void *
nbp_running_frame(PyThreadState *thread)
{
#if PY_VERSION_HEX >= 0x030D0000
    return thread->current_frame;
#else
    return thread->cframe->current_frame;
#endif
}

#endif /* NBP_COMPAT_H */
