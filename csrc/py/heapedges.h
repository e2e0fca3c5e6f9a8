/* SPDX-License-Identifier: BSD-3-Clause */
/* Names of all references of an object at once, for an image of the heap. Like the rest
 * of the walk it makes no object and runs no code. */
#ifndef NBP_HEAPEDGES_H
#define NBP_HEAPEDGES_H

#include <Python.h>

#include "heapimage.h"
#include "layout.h"

typedef struct nbp_namer nbp_namer;

/* Puts texts into `texts`, which is borrowed. NULL when memory is short. */
nbp_namer *nbp_namer_new(nbp_texts *texts);
void nbp_namer_destroy(nbp_namer **self);

/* Gives each of the `count` references in `row`, which tp_traverse reported in this
 * order, its name. `type` numbers the type of `op`. */
void nbp_namer_row(nbp_namer *self, PyObject *op, uint32_t type, PyObject *const *row,
                   size_t count, uint32_t *names);

/* The same for the references of a running frame. */
void nbp_namer_frame(nbp_namer *self, nbp_frame *frame, PyObject *const *row,
                     size_t count, uint32_t *names);

/* The text of a label for classes, functions and code objects; NBP_NO_TEXT for others.
 */
uint32_t nbp_namer_label(nbp_namer *self, PyObject *op);
uint32_t nbp_namer_frame_label(nbp_namer *self, nbp_frame *frame);

/* The text of a str, cut to 60 characters. */
uint32_t nbp_namer_text(nbp_namer *self, PyObject *str);

#endif /* NBP_HEAPEDGES_H */
