/* SPDX-License-Identifier: BSD-3-Clause */
/* Heaps to and from files. */
#define PY_SSIZE_T_CLEAN /* lengths in formats, which Python before 3.13 asks for */
#include "heapobject.h"

PyObject *
nbp_heap_write(PyObject *op, PyObject *args)
{
    nbp_heap_object *self = (nbp_heap_object *)op;
    int fd;
    const char *about; /* borrowed */
    Py_ssize_t length;
    if (!PyArg_ParseTuple(args, "is#:write", &fd, &about, &length)) {
        return NULL;
    }
    int error;
    Py_BEGIN_ALLOW_THREADS
    error = nbp_heapimage_write(&self->image, about, (size_t)length, fd);
    Py_END_ALLOW_THREADS
    if (error != 0) {
        errno = error;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    Py_RETURN_NONE;
}

PyObject *
nbp_heap_read(PyObject *type, PyObject *bytes)
{
    if (!PyBytes_CheckExact(bytes)) {
        PyErr_SetString(PyExc_TypeError, "read takes bytes");
        return NULL;
    }
    nbp_heapimage image;
    const char *text = NULL; /* borrowed from `bytes` */
    size_t length = 0;
    const char *wrong =
        nbp_heapimage_read(&image, (const uint8_t *)PyBytes_AS_STRING(bytes),
                           (size_t)PyBytes_GET_SIZE(bytes), &text, &length);
    if (wrong != NULL) {
        PyErr_SetString(PyExc_ValueError, wrong);
        return NULL;
    }
    PyObject *names = nbp_heap_names(image.type_names); /* owned */
    PyObject *about = PyUnicode_DecodeUTF8(text, (Py_ssize_t)length, "replace");
    PyObject *self = nbp_heap_object_new((PyTypeObject *)type, &image, names, about);
    Py_XDECREF(names);
    Py_XDECREF(about);
    return self;
}
