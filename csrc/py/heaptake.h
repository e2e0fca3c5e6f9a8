/* SPDX-License-Identifier: BSD-3-Clause */
/* Takes the interpreter's heap apart: an image of it, and what makes the image more
 * than figures as long as no code has run since. */
#ifndef NBP_HEAPTAKE_H
#define NBP_HEAPTAKE_H

#include <Python.h>

#include "heapimage.h"
#include "heaplent.h"
#include "heapwalk.h"

typedef struct {
    nbp_heapimage image; /* without type_names, which take objects to make */
    nbp_frame **frames;  /* owned; the running frames, which are the first nodes */
    nbp_typetable table; /* of the image's types */
} nbp_heap;

/* Takes the heap apart; frames of the packages `hidden` (a tuple of str) are left out
 * and what they hold does not count. `lent` may be NULL. `named`: with names of
 * references and labels of nodes, which takes half as long again. 0, or -1 with an
 * exception set and nothing to free. */
int nbp_heap_take(nbp_heap *self, PyObject *hidden, const nbp_lent *lent, bool named);
void nbp_heap_free(nbp_heap *self);

/* Gives the image the names of its types. Two types may have one name: then they become
 * one. -1 with an exception set. */
int nbp_heap_name_types(nbp_heap *self);

/* The nodes of sys.modules' values in `nodes`, which has room for `most`; how many. */
size_t nbp_heap_modules(const nbp_heapgraph *graph, nbp_node *nodes, size_t most);

#endif /* NBP_HEAPTAKE_H */
