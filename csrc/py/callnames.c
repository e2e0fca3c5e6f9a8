/* SPDX-License-Identifier: BSD-3-Clause */
/* Functions in C: which of them are told apart, and what they are called. */
#include <Python.h>

#include <string.h>

#include "calls.h"

static bool
is_ufunc(PyObject *callable)
{
    return strcmp(Py_TYPE(callable)->tp_name, "numpy.ufunc") == 0;
}

/* Functions of numpy and Cython: types that have what functions have, and call no
 * Python of their own. Cython's are in a module that is named for its version. */
static bool
is_like_a_function(PyObject *callable)
{
    const char *name = Py_TYPE(callable)->tp_name;
    const char *dot = strrchr(name, '.');
    return is_ufunc(callable) || strcmp(name, "numpy._ArrayFunctionDispatcher") == 0 ||
           strcmp(dot == NULL ? name : dot + 1, "cython_function_or_method") == 0;
}

const void *
nbp_native_key(PyObject *callable)
{
    if (PyCFunction_CheckExact(callable) || PyCMethod_CheckExact(callable)) {
        return ((PyCFunctionObject *)callable)->m_ml;
    }
    if (Py_IS_TYPE(callable, &PyMethodDescr_Type)) {
        return ((PyMethodDescrObject *)callable)->d_method;
    }
    return !PyType_Check(callable) && is_like_a_function(callable) ? callable : NULL;
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

/* As "<built-in method numpy.dot>". */
static PyObject *
name_by_attributes(PyObject *callable)
{
    PyObject *module = PyObject_GetAttrString(callable, "__module__");
    PyObject *name =
        module == NULL ? NULL : PyObject_GetAttrString(callable, "__name__");
    PyObject *whole = NULL;
    if (name != NULL && PyUnicode_Check(name)) {
        whole = PyUnicode_Check(module)
                    ? PyUnicode_FromFormat("<built-in method %U.%U>", module, name)
                    : PyUnicode_FromFormat("<built-in method %U>", name);
    }
    Py_XDECREF(module);
    Py_XDECREF(name);
    return whole;
}

PyObject *
nbp_native_name(PyObject *callable)
{
    PyObject *name;
    if (Py_IS_TYPE(callable, &PyMethodDescr_Type) || is_ufunc(callable)) {
        name = PyObject_Repr(callable);
    }
    else if (PyCFunction_CheckExact(callable) || PyCMethod_CheckExact(callable)) {
        name = name_of_function((PyCFunctionObject *)callable);
    }
    else {
        name = name_by_attributes(callable);
    }
    if (name == NULL) {
        PyErr_Clear();
    }
    return name;
}
