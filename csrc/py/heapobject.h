/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files that make up the type Heap share. */
#ifndef NBP_HEAPOBJECT_H
#define NBP_HEAPOBJECT_H

#include <Python.h>

#include "dominators.h"
#include "heapimage.h"
#include "heapsets.h"

typedef struct {
    PyObject_HEAD
    nbp_heapimage image;
    PyObject *names;            /* owned; tuple of str, of each type by number */
    PyObject *about;            /* owned; str, what came with a file */
    nbp_dominators *dominators; /* owned; NULL until asked for */
    nbp_node *parents;          /* owned; of each node, on the shortest ways from
                                   modules, then frames, then the rest; NULL until
                                   asked for */
    uint8_t *origins;           /* owned; of each start of a way, an nbp_origin */
} nbp_heap_object;

typedef enum { NBP_FROM_MODULE, NBP_FROM_FRAME, NBP_FROM_OUTSIDE } nbp_origin;

/* Makes the analysis on first use; -1 with an exception set. */
int nbp_heap_analyse(nbp_heap_object *self);

/* Finds the shortest ways on first use; -1 with an exception set. */
int nbp_heap_find_ways(nbp_heap_object *self);

/* A new Heap that takes over `image`, which is cleared when it fails; NULL with an
 * exception set. Gives `names` and `about` (both owned by the caller) a reference. */
PyObject *nbp_heap_object_new(PyTypeObject *type, nbp_heapimage *image, PyObject *names,
                              PyObject *about);

/* Type names as a tuple of str; a new reference. */
PyObject *nbp_heap_names(const nbp_texts *texts);

/* A text of a table as str; a new reference. Bytes that are no UTF-8 are replaced. */
PyObject *nbp_heap_text(const nbp_texts *texts, uint32_t number);

/* The number that `arg` gives of a node; NBP_NO_NODE with an exception set. */
nbp_node nbp_heap_node(const nbp_heap_object *self, PyObject *arg);

/* Adds the functions and the type Mark to the module. */
int nbp_add_heap_marks(PyObject *module);

/* The methods that live in files of their own, for the one table of Heap. */
PyObject *nbp_heap_references_of(PyObject *op, PyObject *args);
PyObject *nbp_heap_path(PyObject *op, PyObject *number);
PyObject *nbp_heap_name_of(PyObject *op, PyObject *number);
PyObject *nbp_heap_write(PyObject *op, PyObject *args);
PyObject *nbp_heap_read(PyObject *type, PyObject *bytes);
PyObject *nbp_heap_new_since(PyObject *op, PyObject *mark);
PyObject *nbp_heap_common(PyObject *op, PyObject *args);
PyObject *nbp_heap_alive(PyObject *op, PyObject *args);
PyObject *nbp_heap_unreached(PyObject *op, PyObject *args);
PyObject *nbp_heap_total(PyObject *op, PyObject *set);
PyObject *nbp_heap_nodes(PyObject *op, PyObject *args);
PyObject *nbp_heap_set_of(PyObject *op, PyObject *nodes);
PyObject *nbp_heap_around(PyObject *op, PyObject *args);
PyObject *nbp_heap_neighbours(PyObject *op, PyObject *args);
PyObject *nbp_heap_reach(PyObject *op, PyObject *args);
PyObject *nbp_heap_retained_set(PyObject *op, PyObject *set);
PyObject *nbp_heap_retained_by_type(PyObject *op, PyObject *ignored);
PyObject *nbp_heap_classes(PyObject *op, PyObject *args);
PyObject *nbp_heap_tally(PyObject *op, PyObject *args);

/* Objects and bytes of each class from 0 to `count`, of those in `set` or, with NULL,
 * of all: a new list of tuples, which begin with the names where there are any. NULL
 * with an exception set when memory is short. */
PyObject *nbp_heap_list_tally(const nbp_heap_object *self, const uint8_t *set,
                              const uint32_t *classes, Py_ssize_t count,
                              PyObject *names);

PyObject *nbp_heap_select(PyObject *op, PyObject *args);
PyObject *nbp_heap_largest(PyObject *op, PyObject *args);
PyObject *nbp_heap_entrances(PyObject *op, PyObject *set);
PyObject *nbp_heap_cycles(PyObject *op, PyObject *set);

#endif /* NBP_HEAPOBJECT_H */
