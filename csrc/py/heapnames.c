/* SPDX-License-Identifier: BSD-3-Clause */
/* By what name one object holds another. Fields are compared with the target one by
 * one; nothing is looked up, so no stranger's code runs and no dictionary is made for
 * it. */
#include <Python.h>

#include "arrays.h"
#include "compat.h"
#include "heapfields.h"
#include "heapwalk.h"
#include "state.h"

enum { MOST_NAMES = 8 };

/* Ways in which a reference is named; the words stand in `words` below. */
typedef enum { BY_INDEX, BY_KEY, IS_KEY, IS_MEMBER, BY_ATTRIBUTE, BY_VARIABLE } way;

static const char *const words[] = {
    "index", "value", "key", "member", "attribute", "variable",
};

/* What was found so far. */
typedef struct {
    PyObject *target; /* borrowed */
    size_t count;
    struct {
        way how;
        PyObject *key;    /* owned; NULL where `index` or `text` says it */
        const char *text; /* borrowed from the program */
        Py_ssize_t index;
    } names[MOST_NAMES];
} finding;

static void
note(finding *it, way how, PyObject *key, const char *text, Py_ssize_t index)
{
    if (it->count < MOST_NAMES) {
        it->names[it->count].how = how;
        it->names[it->count].key = Py_XNewRef(key);
        it->names[it->count].text = text;
        it->names[it->count].index = index;
        it->count++;
    }
}

static void
compare(finding *it, PyObject *field, const char *name)
{
    if (field == it->target) {
        note(it, BY_ATTRIBUTE, NULL, name, 0);
    }
}

static void
search_items(finding *it, PyObject *const *items, Py_ssize_t count)
{
    for (Py_ssize_t i = 0; i < count; i++) {
        if (items[i] == it->target) {
            note(it, BY_INDEX, NULL, NULL, i);
        }
    }
}

static void
search_dict(finding *it, PyObject *dict)
{
    PyObject *key, *value; /* borrowed */
    Py_ssize_t at = 0;
    while (PyDict_Next(dict, &at, &key, &value)) {
        if (value == it->target) {
            note(it, BY_KEY, key, NULL, 0);
        }
        if (key == it->target) {
            note(it, IS_KEY, NULL, NULL, 0);
        }
    }
}

static void
search_set(finding *it, PyObject *op)
{
    PySetObject *set = (PySetObject *)op;
    for (Py_ssize_t i = 0; i <= set->mask; i++) {
        if (set->table[i].key == it->target) {
            note(it, IS_MEMBER, NULL, NULL, 0);
            return;
        }
    }
}

static void
search_frame(finding *it, nbp_frame *frame)
{
    PyCodeObject *code = nbp_layout_frame_code(frame);
    PyObject *const *variables = nbp_layout_frame_variables(frame);
    for (int i = 0; i < code->co_nlocalsplus; i++) {
        if (variables[i] == it->target) {
            note(it, BY_VARIABLE, PyTuple_GET_ITEM(code->co_localsplusnames, i), NULL,
                 0);
        }
    }
}

/* Attributes that need no dictionary, and the dictionary itself. */
static void
search_attributes(finding *it, PyObject *op)
{
    nbp_attributes attributes = nbp_layout_attributes(op);
    for (Py_ssize_t i = 0; i < attributes.count; i++) {
        if (attributes.values[i] == it->target) {
            note(it, BY_ATTRIBUTE, nbp_layout_attribute_name(&attributes, i), NULL, 0);
        }
    }
    compare(it, nbp_layout_dict(op), "__dict__");
}

/* Where the fields that a type describes are looked at. */
typedef struct {
    finding *it;
    PyObject *op;
} member_search;

static void
compare_member(PyObject *name, Py_ssize_t place, void *arg)
{
    member_search *search = arg;
    if (*(PyObject **)((char *)search->op + place) == search->it->target) {
        note(search->it, BY_ATTRIBUTE, name, NULL, 0);
    }
}

static void
search_members(finding *it, PyObject *op)
{
    member_search search = {it, op};
    nbp_visit_members(Py_TYPE(op), compare_member, &search);
}

static void
search_array(finding *it, PyObject *op)
{
    Py_ssize_t count;
    PyObject *const *items = nbp_arrays_items(op, &count);
    compare(it, nbp_arrays_base(op), "base");
    search_items(it, items, count);
}

static void
search_fields(finding *it, const nbp_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        compare(it, fields[i].value, fields[i].name);
    }
}

static void
search(finding *it, PyObject *op)
{
    nbp_frame *frame = nbp_layout_frame_of(op);
    if (PyList_Check(op)) {
        search_items(it, ((PyListObject *)op)->ob_item, PyList_GET_SIZE(op));
    }
    else if (PyTuple_Check(op)) {
        search_items(it, ((PyTupleObject *)op)->ob_item, PyTuple_GET_SIZE(op));
    }
    else if (PyDict_Check(op)) {
        search_dict(it, op);
    }
    else if (PyAnySet_Check(op)) {
        search_set(it, op);
    }
    else if (frame != NULL) {
        search_frame(it, frame);
        if (it->count == 0) {
            nbp_field fields[NBP_MOST_FIELDS];
            search_fields(it, fields, nbp_fields_of_frame(frame, fields));
        }
    }
    search_attributes(it, op);
    if (it->count == 0) {
        search_members(it, op);
    }
    if (it->count == 0) {
        nbp_field fields[NBP_MOST_FIELDS];
        search_fields(it, fields, nbp_fields_of(op, fields));
        if (nbp_arrays_is(op)) {
            search_array(it, op);
        }
    }
    if (it->count == 0) {
        compare(it, (PyObject *)Py_TYPE(op), "__class__");
    }
}

static PyObject *
name_object(const finding *it, size_t i)
{
    if (it->names[i].key != NULL) {
        return Py_NewRef(it->names[i].key);
    }
    switch (it->names[i].how) {
    case BY_INDEX:
        return PyLong_FromSsize_t(it->names[i].index);
    case BY_ATTRIBUTE:
    case BY_VARIABLE:
        return PyUnicode_FromString(it->names[i].text);
    default:
        return Py_NewRef(Py_None);
    }
}

static PyObject *
names_between(PyObject *source, PyObject *target)
{
    finding it = {.target = target};
    nbp_arrays_prepare();
    search(&it, source);
    PyObject *list = PyList_New((Py_ssize_t)it.count); /* owned, returned */
    for (size_t i = 0; i < it.count; i++) {
        PyObject *item = NULL;
        if (list != NULL) {
            item = Py_BuildValue("(sN)", words[it.names[i].how], name_object(&it, i));
        }
        Py_XDECREF(it.names[i].key);
        if (item == NULL) {
            Py_CLEAR(list);
        }
        else {
            PyList_SET_ITEM(list, (Py_ssize_t)i, item);
        }
    }
    return list;
}

PyDoc_STRVAR(names_doc,
             "reference_names($module, source, target, /)\n"
             "--\n"
             "\n"
             "By what names one object holds another.\n"
             "\n"
             "Returns\n"
             "-------\n"
             "list of tuple of (str, object)\n"
             "    At most 8 of: ``('index', int)``, ``('value', its key)``,\n"
             "    ``('key', None)``, ``('member', None)``, ``('attribute', str)``,\n"
             "    ``('variable', str)``. Empty when the reference has no name.\n"
             "\n"
             "Notes\n"
             "-----\n"
             "Runs no code of the objects and makes no ``__dict__``.\n");

static PyObject *
reference_names(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t nargs)
{
    if (nargs != 2) {
        PyErr_SetString(PyExc_TypeError, "reference_names takes a source and a target");
        return NULL;
    }
    return names_between(args[0], args[1]);
}

static PyMethodDef names_methods[] = {
    {"reference_names", (PyCFunction)(void (*)(void))reference_names, METH_FASTCALL,
     names_doc},
    {NULL, NULL, 0, NULL},
};

int
nbp_add_names(PyObject *module)
{
    return PyModule_AddFunctions(module, names_methods);
}
