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
    PyObject *device;        /* owned; str, empty for this machine's main memory */
} Memory;

static PyObject *
memory_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"address", "size", "device", NULL};
    unsigned long long address, size;
    PyObject *device = NULL; /* borrowed */
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "KK|U:Memory", keywords, &address,
                                     &size, &device)) {
        return NULL;
    }
    Memory *self = (Memory *)type->tp_alloc(type, 0); /* owned, returned */
    if (self != NULL) {
        self->address = address;
        self->size = size;
        self->device = device == NULL ? PyUnicode_FromString("") : Py_NewRef(device);
    }
    if (self != NULL && self->device == NULL) {
        Py_CLEAR(self);
    }
    return (PyObject *)self;
}

static void
memory_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);
    Py_XDECREF(((Memory *)op)->device);
    type->tp_free(op);
    Py_DECREF(type);
}

/* The memory alone: the object is ours, and stands for it. */
static PyObject *
memory_sizeof(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    return PyLong_FromUnsignedLongLong(((Memory *)op)->size);
}

/* That of a device is in no sum of this machine's memory. */
static PyObject *
device_sizeof(PyObject *Py_UNUSED(op), PyObject *Py_UNUSED(ignored))
{
    return PyLong_FromLong(0);
}

static PyMethodDef memory_methods[] = {
    {"__sizeof__", memory_sizeof, METH_NOARGS, "Bytes of the memory."},
    {NULL, NULL, 0, NULL},
};

static PyMethodDef device_methods[] = {
    {"__sizeof__", device_sizeof, METH_NOARGS, "0: it is not in main memory."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef memory_members[] = {
    {"address", T_ULONGLONG, offsetof(Memory, address), READONLY, "Where it begins."},
    {"size", T_ULONGLONG, offsetof(Memory, size), READONLY, "Bytes."},
    {"device", T_OBJECT_EX, offsetof(Memory, device), READONLY, "Whose it is."},
    {NULL, 0, 0, 0, NULL},
};

PyDoc_STRVAR(memory_doc, "Memory(address, size, device='')\n"
                         "--\n"
                         "\n"
                         "Memory that objects share and that is no object itself.\n");

PyDoc_STRVAR(device_doc, "DeviceMemory(address, size, device='')\n"
                         "--\n"
                         "\n"
                         "Memory of a device, which takes none of this machine's.\n");

static PyType_Slot memory_slots[] = {
    {Py_tp_doc, (void *)memory_doc}, {Py_tp_new, memory_new},
    {Py_tp_dealloc, memory_dealloc}, {Py_tp_methods, memory_methods},
    {Py_tp_members, memory_members}, {0, NULL},
};

static PyType_Slot device_slots[] = {
    {Py_tp_doc, (void *)device_doc}, {Py_tp_new, memory_new},
    {Py_tp_dealloc, memory_dealloc}, {Py_tp_methods, device_methods},
    {Py_tp_members, memory_members}, {0, NULL},
};

PyDoc_STRVAR(shown_doc, "shown_memory($module, object, /)\n"
                        "--\n"
                        "\n"
                        "Address and bytes of what an object shows as a buffer.\n");

static PyObject *
shown_memory(PyObject *Py_UNUSED(module), PyObject *object)
{
    Py_buffer view;
    if (PyObject_GetBuffer(object, &view, PyBUF_SIMPLE) < 0) {
        return NULL;
    }
    PyObject *pair =
        Py_BuildValue("(Kn)", (unsigned long long)(uintptr_t)view.buf, view.len);
    PyBuffer_Release(&view);
    return pair;
}

static PyMethodDef functions[] = {
    {"shown_memory", shown_memory, METH_O, shown_doc},
    {NULL, NULL, 0, NULL},
};

/* Its name is what tables and pictures say, so it tells what this is and not where the
 * type lives. */
static PyType_Spec memory_spec = {
    .name = "shared.memory",
    .basicsize = sizeof(Memory),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = memory_slots,
};

static PyType_Spec device_spec = {
    .name = "device.memory",
    .basicsize = sizeof(Memory),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = device_slots,
};

static int
add_type(PyObject *module, PyType_Spec *spec, const char *name)
{
    PyObject *type = PyType_FromModuleAndSpec(module, spec, NULL); /* owned */
    if (type == NULL) {
        return -1;
    }
    int result = PyModule_AddObjectRef(module, name, type);
    Py_DECREF(type);
    return result;
}

int
nbp_add_memory(PyObject *module)
{
    if (add_type(module, &memory_spec, "Memory") < 0 ||
        add_type(module, &device_spec, "DeviceMemory") < 0) {
        return -1;
    }
    return PyModule_AddFunctions(module, functions);
}
