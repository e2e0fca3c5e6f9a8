/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory: a piece of memory that objects show and that no object of Python owns, as an
 * object, so that a heap and a picture can have it. It is known by where it is; the
 * address is never followed. */
#include <Python.h>

#include <structmember.h>

#include "compat.h"
#include "state.h"

typedef struct {
    PyObject_HEAD
    unsigned long long address;
    unsigned long long size; /* bytes */
} Memory;

static PyObject *
memory_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"address", "size", NULL};
    unsigned long long address, size;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "KK:Memory", keywords, &address,
                                     &size)) {
        return NULL;
    }
    Memory *self = (Memory *)type->tp_alloc(type, 0); /* owned, returned */
    if (self != NULL) {
        self->address = address;
        self->size = size;
    }
    return (PyObject *)self;
}

static void
memory_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);
    type->tp_free(op);
    Py_DECREF(type);
}

/* The memory alone: the object is ours, and stands for it. */
static PyObject *
memory_sizeof(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    return PyLong_FromUnsignedLongLong(((Memory *)op)->size);
}

static PyMethodDef memory_methods[] = {
    {"__sizeof__", memory_sizeof, METH_NOARGS, "Bytes of the memory."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef memory_members[] = {
    {"address", T_ULONGLONG, offsetof(Memory, address), READONLY, "Where it begins."},
    {"size", T_ULONGLONG, offsetof(Memory, size), READONLY, "Bytes."},
    {NULL, 0, 0, 0, NULL},
};

PyDoc_STRVAR(memory_doc, "Memory(address, size)\n"
                         "--\n"
                         "\n"
                         "Memory that objects share and that is no object itself.\n");

static PyType_Slot memory_slots[] = {
    {Py_tp_doc, (void *)memory_doc}, {Py_tp_new, memory_new},
    {Py_tp_dealloc, memory_dealloc}, {Py_tp_methods, memory_methods},
    {Py_tp_members, memory_members}, {0, NULL},
};

/* Its name is what tables and pictures say, so it tells what this is and not where the
 * type lives. */
static PyType_Spec memory_spec = {
    .name = "shared.memory",
    .basicsize = sizeof(Memory),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = memory_slots,
};

int
nbp_add_memory(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &memory_spec, NULL); /* owned */
    if (type == NULL) {
        return -1;
    }
    int result = PyModule_AddObjectRef(module, "Memory", type);
    Py_DECREF(type);
    return result;
}
