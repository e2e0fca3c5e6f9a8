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

#endif /* NBP_COMPAT_H */
