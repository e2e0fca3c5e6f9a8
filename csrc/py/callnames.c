/* SPDX-License-Identifier: BSD-3-Clause */
/* Functions in C: which of them are told apart, and what they are called. */
#include <Python.h>

#include "calls.h"

PyMethodDef *
nbp_native_definition(PyObject *callable)
{
    if (PyCFunction_CheckExact(callable) || PyCMethod_CheckExact(callable)) {
        return ((PyCFunctionObject *)callable)->m_ml;
    }
    if (Py_IS_TYPE(callable, &PyMethodDescr_Type)) {
        return ((PyMethodDescrObject *)callable)->d_method;
    }
    return NULL;
}

/* Descriptors and functions of C, whose repr runs nothing but C. */
static bool
has_plain_repr(PyObject *attribute)
{
    return Py_IS_TYPE(attribute, &PyMethodDescr_Type) ||
           Py_IS_TYPE(attribute, &PyClassMethodDescr_Type) ||
           Py_IS_TYPE(attribute, &PyWrapperDescr_Type) ||
           PyCFunction_CheckExact(attribute) || PyCMethod_CheckExact(attribute);
}

/* As "<method 'append' of 'list' objects>"; NULL when the type of the object that the
 * function is bound to does not have it under its own name. */
static PyObject *
name_by_type(PyCFunctionObject *function)
{
    PyObject *name = PyUnicode_FromString(function->m_ml->ml_name);
    if (name == NULL) {
        return NULL;
    }
    PyObject *attribute =
        _PyType_Lookup(Py_TYPE(function->m_self), name); /* borrowed */
    Py_DECREF(name);
    if (attribute == NULL || !has_plain_repr(attribute)) {
        return NULL;
    }
    return PyObject_Repr(attribute);
}

static PyObject *
name_of_function(PyCFunctionObject *function)
{
    PyObject *module = function->m_module; /* borrowed: a string as a rule */
    const char *name = function->m_ml->ml_name;
    if (module != NULL && !PyUnicode_Check(module)) {
        module = NULL;
    }
    if (function->m_self != NULL) {
        PyObject *by_type = name_by_type(function);
        if (by_type != NULL) {
            return by_type;
        }
        PyErr_Clear();
        if (module != NULL) {
            return PyUnicode_FromFormat("<built-in method %U.%s>", module, name);
        }
        return PyUnicode_FromFormat("<built-in method %s>", name);
    }
    if (module != NULL && PyUnicode_CompareWithASCIIString(module, "builtins") != 0) {
        return PyUnicode_FromFormat("<%U.%s>", module, name);
    }
    return PyUnicode_FromFormat("<%s>", name);
}

PyObject *
nbp_native_name(PyObject *callable)
{
    PyObject *name;
    if (Py_IS_TYPE(callable, &PyMethodDescr_Type)) {
        name = PyObject_Repr(callable);
    }
    else {
        name = name_of_function((PyCFunctionObject *)callable);
    }
    if (name == NULL) {
        PyErr_Clear();
    }
    return name;
}
