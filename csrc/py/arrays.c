/* SPDX-License-Identifier: BSD-3-Clause */
#include "arrays.h"

/* The beginning of PyArrayObject and of PyArray_Descr: part of numpy's binary
 * interface, the same in its versions 1 and 2. */
typedef struct {
    PyObject_HEAD
    char *data;
    int dimensions;
    Py_ssize_t *shape;
    Py_ssize_t *strides;
    PyObject *base;
    struct {
        PyObject_HEAD
        PyTypeObject *scalar;
        char kind, letter, order, flags;
        int number;
    } *type;
    int flags;
} array;

enum { OBJECT_ITEMS = 17, OWNS_DATA = 4 };

/* The functions that numpy hands to extensions: the version of the interface, and the
 * type of arrays. */
enum { GET_VERSION = 0, ARRAY_TYPE = 2 };
static const unsigned known_versions[] = {0x01000009, 0x02000000};

/* How arrays are told apart: by a slot that their subclasses inherit. It is written
 * once, under the GIL, and says the same for the life of the process, like the type it
 * is of; the functions here get no state because they are called for each object of a
 * heap. */
static getbufferproc array_getbuffer;

/* numpy's table of functions; NULL when numpy has not been imported, or is none that we
 * know. */
static void **
find_interface(void)
{
    static const char *const modules[] = {"numpy._core.multiarray",
                                          "numpy.core.multiarray"};
    PyObject *loaded = PyImport_GetModuleDict(); /* borrowed */
    PyObject *capsule = NULL;                    /* owned */
    for (size_t i = 0; capsule == NULL && i < 2; i++) {
        PyObject *module = PyDict_GetItemString(loaded, modules[i]); /* borrowed */
        if (module != NULL) {
            capsule = PyObject_GetAttrString(module, "_ARRAY_API");
        }
    }
    void **interface = capsule == NULL ? NULL : PyCapsule_GetPointer(capsule, NULL);
    Py_XDECREF(capsule); /* numpy keeps it */
    PyErr_Clear();
    return interface;
}

void
nbp_arrays_prepare(void)
{
    if (array_getbuffer != NULL) {
        return;
    }
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    void **interface = find_interface();
    if (interface != NULL) {
        unsigned version = ((unsigned (*)(void))interface[GET_VERSION])();
        PyTypeObject *arrays = interface[ARRAY_TYPE];
        for (size_t i = 0; i < 2; i++) {
            if (version == known_versions[i] && arrays->tp_as_buffer != NULL &&
                arrays->tp_basicsize >= (Py_ssize_t)sizeof(array)) {
                array_getbuffer = arrays->tp_as_buffer->bf_getbuffer;
            }
        }
    }
    PyErr_Restore(type, value, traceback);
}

bool
nbp_arrays_are_known(void)
{
    return array_getbuffer != NULL;
}

bool
nbp_arrays_is(PyObject *op)
{
    const PyBufferProcs *buffer = Py_TYPE(op)->tp_as_buffer;
    return buffer != NULL && buffer->bf_getbuffer != NULL &&
           buffer->bf_getbuffer == array_getbuffer;
}

PyObject *
nbp_arrays_base(PyObject *op)
{
    return ((array *)op)->base;
}

PyObject *const *
nbp_arrays_items(PyObject *op, Py_ssize_t *count)
{
    array *self = (array *)op;
    *count = 0;
    if (self->type == NULL || self->type->number != OBJECT_ITEMS ||
        !(self->flags & OWNS_DATA) || self->data == NULL) {
        return NULL;
    }
    /* Whoever owns the memory has it in one piece, in whatever order. */
    *count = 1;
    for (int i = 0; i < self->dimensions; i++) {
        *count *= self->shape[i];
    }
    return (PyObject *const *)self->data;
}

void
nbp_arrays_visit(PyObject *op, visitproc visit, void *arg)
{
    Py_ssize_t count;
    PyObject *const *items = nbp_arrays_items(op, &count);
    if (((array *)op)->base != NULL) {
        visit(((array *)op)->base, arg);
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        if (items[i] != NULL) {
            visit(items[i], arg);
        }
    }
}

nbp_span
nbp_arrays_memory(PyObject *op)
{
    array *self = (array *)op;
    if (!(self->flags & OWNS_DATA) || self->data == NULL) {
        return (nbp_span){0, 0};
    }
    /* Whoever owns the memory has it in one piece, in whatever order: all of it is what
     * the axis of the longest steps goes through. */
    uintptr_t bytes = 0;
    for (int i = 0; i < self->dimensions; i++) {
        Py_ssize_t length = self->shape[i], stride = self->strides[i];
        if (length == 0 || stride < 0) {
            return (nbp_span){0, 0};
        }
        if (length > 1 && (uintptr_t)(length * stride) > bytes) {
            bytes = (uintptr_t)(length * stride);
        }
    }
    return (nbp_span){(uintptr_t)self->data, (uintptr_t)self->data + bytes};
}
