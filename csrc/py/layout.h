/* SPDX-License-Identifier: BSD-3-Clause */
/* What CPython's public interface can only show by changing it: attributes that have no
 * dictionary yet, frames that have no frame object yet. Read, never written; nothing
 * here makes an object, runs code or sets an exception. The GIL is held throughout, so
 * the threads that own the frames stand still. */
#ifndef NBP_LAYOUT_H
#define NBP_LAYOUT_H

#include <Python.h>

#include <stdbool.h>

#include "compat.h"
#include "sites.h"
#include "stacks.h"

/* The attributes that `op` keeps without a dictionary: `count` names and values, any of
 * which may be NULL. All borrowed, valid until code runs. */
typedef struct {
    PyObject *const *values;
    void *keys;
    Py_ssize_t count;
} nbp_attributes;

nbp_attributes nbp_layout_attributes(PyObject *op);
PyObject *nbp_layout_attribute_name(const nbp_attributes *attributes, Py_ssize_t index);

/* The dictionary of `op` if it has been made; borrowed, else NULL. */
PyObject *nbp_layout_dict(PyObject *op);

/* True when that dictionary has to be added to what tp_traverse reports. */
bool nbp_layout_hides_dict(PyObject *op);

/* True when a dictionary does not report its keys to the collector. */
bool nbp_layout_dict_hides_keys(PyObject *dict);
/* True when the table of keys is the dictionary's own and not its type's. */
bool nbp_layout_dict_owns_keys(PyObject *dict);

/* Bytes of the attributes kept without a dictionary, of a dictionary's table, and of
 * the names that a type keeps for the attributes of its instances. */
size_t nbp_layout_attributes_bytes(PyObject *op);
size_t nbp_layout_dict_bytes(PyObject *dict);
size_t nbp_layout_type_bytes(PyTypeObject *type);

/* True when the collector's lists are where this was compiled to find them. Makes an
 * object, for this is what shows where they are, but starts no collection. Always false
 * where the interpreter has a function that visits the lists. */
bool nbp_layout_finds_tracked(void);

/* Calls `visit` with each object of those lists, until a call gives something other
 * than 0. Only where they are found; no object is made or freed meanwhile. */
void nbp_layout_visit_tracked(visitproc visit, void *arg);

/* Brings into the cache what `op` has outside of itself, and tp_traverse will read:
 * `op` itself is there already. */
void nbp_layout_prefetch(PyObject *op);

#ifdef NBP_GIL_HOLDER
/* Where the interpreter of a thread keeps which thread has the GIL; the place is there
 * as long as the interpreter. */
PyThreadState *const volatile *nbp_layout_holder(const PyThreadState *thread);
#endif

/* A frame as the interpreter keeps it; borrowed, valid until its code goes on. */
typedef struct _PyInterpreterFrame nbp_frame;

/* The innermost frame of Python code of a thread, and the one that called it; NULL when
 * there is none. */
nbp_frame *nbp_layout_innermost(PyThreadState *thread);
nbp_frame *nbp_layout_caller(nbp_frame *frame);

/* Puts the innermost frames of a thread, `limit` of them at most, on `stack`; those
 * that have not begun are left out. */
void nbp_layout_stack(PyThreadState *thread, nbp_stack *stack, uint32_t limit);

/* The frame inside a frame object, a generator or a coroutine; NULL when it is over. */
nbp_frame *nbp_layout_frame_of(PyObject *op);

PyCodeObject *nbp_layout_frame_code(nbp_frame *frame);
PyObject *nbp_layout_frame_globals(nbp_frame *frame);
PyObject *nbp_layout_frame_function(nbp_frame *frame);
PyObject *nbp_layout_frame_object(nbp_frame *frame); /* NULL: none was asked for yet */
PyObject *
nbp_layout_frame_mapping(nbp_frame *frame); /* locals of a class or a module */

/* Its variables, one for each name of the code's co_localsplusnames; NULL when unset.
 */
PyObject *const *nbp_layout_frame_variables(nbp_frame *frame);

/* True when a generator or a coroutine, which is an object of its own, holds it. */
bool nbp_layout_frame_is_held(nbp_frame *frame);

/* Where the sampler finds threads, frames and code, as the headers say that this was
 * compiled with: check before relying on it. Needs no GIL. */
void nbp_layout_describe(nbp_interpreter_layout *out);

#endif /* NBP_LAYOUT_H */
