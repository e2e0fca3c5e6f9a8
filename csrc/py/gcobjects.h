/* SPDX-License-Identifier: BSD-3-Clause */
/* The objects that the garbage collector tracks, as a list. */
#ifndef NBP_PY_GCOBJECTS_H
#define NBP_PY_GCOBJECTS_H

#include <Python.h>

/* gc.get_objects(), checked: a program may have put its own function there. A new list,
 * NULL with an exception set. */
PyObject *nbp_gc_objects(void);

#endif /* NBP_PY_GCOBJECTS_H */
