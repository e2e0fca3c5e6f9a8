/* SPDX-License-Identifier: BSD-3-Clause */
/* The names of a heap's types, and its texts as str. */
#include "compat.h"
#include "heapobject.h"
#include "heaptake.h"
#include "state.h"

/* The name of a type with its module, without running the code of a metaclass. */
static PyObject *
full_name(PyTypeObject *type)
{
    if (!(type->tp_flags & Py_TPFLAGS_HEAPTYPE)) {
        return PyUnicode_FromString(type->tp_name);
    }
    PyObject *name = PyType_GetName(type); /* owned */
    PyObject *key, *module = NULL;         /* borrowed */
    PyObject *dict = NBP_TYPE_DICT(type);  /* owned */
    Py_ssize_t at = 0;
    while (dict != NULL && PyDict_Next(dict, &at, &key, &module)) {
        if (PyUnicode_CheckExact(key) &&
            PyUnicode_CompareWithASCIIString(key, "__module__") == 0) {
            break;
        }
        module = NULL;
    }
    PyObject *full = NULL; /* owned, returned */
    if (name != NULL && module != NULL && PyUnicode_Check(module) &&
        PyUnicode_CompareWithASCIIString(module, "builtins") != 0) {
        full = PyUnicode_FromFormat("%U.%U", module, name);
        Py_DECREF(name);
    }
    else {
        full = name;
    }
    Py_XDECREF(dict);
    return full;
}

/* The text of a str in UTF-8, what cannot be encoded replaced; NBP_NO_TEXT with an
 * exception set. */
static uint32_t
add_text(nbp_texts *texts, PyObject *str)
{
    PyObject *bytes = PyUnicode_AsEncodedString(str, "utf-8", "replace"); /* owned */
    if (bytes == NULL) {
        return NBP_NO_TEXT;
    }
    uint32_t text =
        nbp_texts_add(texts, PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes));
    Py_DECREF(bytes);
    if (text == NBP_NO_TEXT) {
        PyErr_NoMemory();
    }
    return text;
}

/* Keeps the types alive meanwhile: names are objects, and making them may start a
 * collection. */
int
nbp_heap_name_types(nbp_heap *self)
{
    const nbp_typetable *table = &self->table;
    nbp_heapimage *image = &self->image;
    uint32_t *numbers = malloc((table->count + 1) * sizeof(*numbers)); /* owned */
    int result = numbers == NULL ? -1 : 0;
    for (uint32_t i = 0; i < table->count; i++) {
        Py_INCREF(table->types[i]);
    }
    image->type_names = nbp_texts_new(SIZE_MAX);
    if (image->type_names == NULL || numbers == NULL) {
        PyErr_NoMemory();
        result = -1;
    }
    for (uint32_t i = 0; result == 0 && i < table->count; i++) {
        PyObject *name = full_name(table->types[i]); /* owned */
        numbers[i] = name == NULL ? NBP_NO_TEXT : add_text(image->type_names, name);
        Py_XDECREF(name);
        result = numbers[i] == NBP_NO_TEXT ? -1 : 0;
        if (result == 0) {
            image->type_kinds[numbers[i]] = image->type_kinds[i];
        }
    }
    for (uint32_t i = 0; i < table->count; i++) {
        Py_DECREF(table->types[i]);
    }
    size_t nodes = nbp_heapgraph_nodes(image->graph);
    for (size_t node = 0; result == 0 && node < nodes; node++) {
        image->types[node] = numbers[image->types[node]];
    }
    free(numbers);
    return result;
}

PyObject *
nbp_heap_text(const nbp_texts *texts, uint32_t number)
{
    size_t length;
    const char *bytes = nbp_texts_get(texts, number, &length);
    return PyUnicode_DecodeUTF8(bytes, (Py_ssize_t)length, "replace");
}

PyObject *
nbp_heap_names(const nbp_texts *texts)
{
    size_t count = nbp_texts_count(texts);
    PyObject *names = PyTuple_New((Py_ssize_t)count); /* owned, returned */
    for (size_t i = 0; names != NULL && i < count; i++) {
        PyObject *name = nbp_heap_text(texts, (uint32_t)i);
        if (name == NULL) {
            Py_CLEAR(names);
            break;
        }
        PyTuple_SET_ITEM(names, (Py_ssize_t)i, name);
    }
    return names;
}
