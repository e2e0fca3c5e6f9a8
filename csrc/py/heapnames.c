/* SPDX-License-Identifier: BSD-3-Clause */
/* By what name one object holds another. Fields are compared with the target one by
 * one; nothing is looked up, so no stranger's code runs and no dictionary is made for
 * it. */
#include <Python.h>

#include <structmember.h>

#include "arrays.h"
#include "compat.h"
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

/* The fields that a type describes: __slots__, and the members of types written in C.
 */
static void
search_members(finding *it, PyObject *op)
{
    PyObject *mro = Py_TYPE(op)->tp_mro; /* borrowed */
    Py_ssize_t bases = mro == NULL ? 0 : PyTuple_GET_SIZE(mro);
    for (Py_ssize_t i = 0; i < bases; i++) {
        PyObject *dict = NBP_TYPE_DICT((PyTypeObject *)PyTuple_GET_ITEM(mro, i));
        PyObject *key, *value; /* borrowed */
        Py_ssize_t at = 0;
        while (dict != NULL && PyDict_Next(dict, &at, &key, &value)) {
            if (!Py_IS_TYPE(value, &PyMemberDescr_Type)) {
                continue;
            }
            PyMemberDef *member = ((PyMemberDescrObject *)value)->d_member;
            /* A descriptor can be put where it does not belong: only its own type and
             * those derived from it have the field. */
            if ((member->type == T_OBJECT || member->type == T_OBJECT_EX) &&
                PyType_IsSubtype(Py_TYPE(op), PyDescr_TYPE(value)) &&
                *(PyObject **)((char *)op + member->offset) == it->target) {
                note(it, BY_ATTRIBUTE, PyDescr_NAME(value), NULL, 0);
            }
        }
        Py_XDECREF(dict); /* the type keeps it */
    }
}

static void
search_exception(finding *it, PyObject *op)
{
    PyBaseExceptionObject *exception = (PyBaseExceptionObject *)op;
    compare(it, exception->args, "args");
    compare(it, exception->notes, "__notes__");
    compare(it, exception->traceback, "__traceback__");
    compare(it, exception->context, "__context__");
    compare(it, exception->cause, "__cause__");
}

static void
search_type(finding *it, PyObject *op)
{
    PyTypeObject *type = (PyTypeObject *)op;
    PyObject *dict = NBP_TYPE_DICT(type); /* owned */
    compare(it, dict, "__dict__");
    Py_XDECREF(dict);
    compare(it, type->tp_mro, "__mro__");
    compare(it, type->tp_bases, "__bases__");
    compare(it, (PyObject *)type->tp_base, "__base__");
    compare(it, type->tp_cache, "tp_cache");
}

static void
search_code(finding *it, PyObject *op)
{
    PyCodeObject *code = (PyCodeObject *)op;
    compare(it, code->co_consts, "co_consts");
    compare(it, code->co_names, "co_names");
    compare(it, code->co_localsplusnames, "co_varnames");
    compare(it, code->co_filename, "co_filename");
    compare(it, code->co_name, "co_name");
    compare(it, code->co_qualname, "co_qualname");
    compare(it, code->co_linetable, "co_linetable");
    compare(it, code->co_exceptiontable, "co_exceptiontable");
}

static void
search_array(finding *it, PyObject *op)
{
    Py_ssize_t count;
    PyObject *const *items = nbp_arrays_items(op, &count);
    compare(it, nbp_arrays_base(op), "base");
    search_items(it, items, count);
}

/* Kinds whose fields are described nowhere. */
static void
search_special(finding *it, PyObject *op)
{
    if (PyCell_Check(op)) {
        compare(it, ((PyCellObject *)op)->ob_ref, "cell_contents");
    }
    else if (PyWeakref_Check(op)) {
        compare(it, ((PyWeakReference *)op)->wr_callback, "__callback__");
    }
    else if (PyTraceBack_Check(op)) {
        compare(it, (PyObject *)((PyTracebackObject *)op)->tb_next, "tb_next");
        compare(it, (PyObject *)((PyTracebackObject *)op)->tb_frame, "tb_frame");
    }
    else if (PyExceptionInstance_Check(op)) {
        search_exception(it, op);
    }
    else if (PyCFunction_Check(op)) {
        compare(it, ((PyCFunctionObject *)op)->m_self, "__self__");
    }
    else if (PyFunction_Check(op)) {
        compare(it, ((PyFunctionObject *)op)->func_code, "__code__");
        compare(it, ((PyFunctionObject *)op)->func_defaults, "__defaults__");
        compare(it, ((PyFunctionObject *)op)->func_kwdefaults, "__kwdefaults__");
        compare(it, ((PyFunctionObject *)op)->func_annotations, "__annotations__");
        compare(it, ((PyFunctionObject *)op)->func_name, "__name__");
        compare(it, ((PyFunctionObject *)op)->func_qualname, "__qualname__");
    }
    else if (nbp_arrays_is(op)) {
        search_array(it, op);
    }
    else if (PyType_Check(op)) {
        search_type(it, op);
    }
    else if (PyCode_Check(op)) {
        search_code(it, op);
    }
}

static void
search_frame_fields(finding *it, nbp_frame *frame)
{
    compare(it, nbp_layout_frame_mapping(frame), "f_locals");
    compare(it, nbp_layout_frame_globals(frame), "f_globals");
    compare(it, (PyObject *)nbp_layout_frame_code(frame), "f_code");
    compare(it, nbp_layout_frame_function(frame), "f_func");
    compare(it, nbp_layout_frame_object(frame), "gi_frame");
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
            search_frame_fields(it, frame);
        }
    }
    search_attributes(it, op);
    if (it->count == 0) {
        search_members(it, op);
    }
    if (it->count == 0) {
        search_special(it, op);
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
