/* SPDX-License-Identifier: BSD-3-Clause */
#include "heapfields.h"

#include <structmember.h>

#include "compat.h"

typedef struct {
    nbp_field *fields; /* borrowed */
    size_t count;
} list;

static void
put(list *it, void *value, const char *name)
{
    it->fields[it->count++] = (nbp_field){(PyObject *)value, name};
}

static void
put_exception(list *it, PyObject *op)
{
    PyBaseExceptionObject *exception = (PyBaseExceptionObject *)op;
    put(it, exception->args, "args");
    put(it, exception->notes, "__notes__");
    put(it, exception->traceback, "__traceback__");
    put(it, exception->context, "__context__");
    put(it, exception->cause, "__cause__");
}

static void
put_function(list *it, PyObject *op)
{
    PyFunctionObject *function = (PyFunctionObject *)op;
    put(it, function->func_code, "__code__");
    put(it, function->func_defaults, "__defaults__");
    put(it, function->func_kwdefaults, "__kwdefaults__");
    put(it, function->func_annotations, "__annotations__");
    put(it, function->func_name, "__name__");
    put(it, function->func_qualname, "__qualname__");
}

static void
put_type(list *it, PyObject *op)
{
    PyTypeObject *type = (PyTypeObject *)op;
    PyObject *dict = NBP_TYPE_DICT(type); /* owned, but the type keeps it too */
    put(it, dict, "__dict__");
    Py_XDECREF(dict);
    put(it, type->tp_mro, "__mro__");
    put(it, type->tp_bases, "__bases__");
    put(it, type->tp_base, "__base__");
    put(it, type->tp_cache, "tp_cache");
}

static void
put_code(list *it, PyObject *op)
{
    PyCodeObject *code = (PyCodeObject *)op;
    put(it, code->co_consts, "co_consts");
    put(it, code->co_names, "co_names");
    put(it, code->co_localsplusnames, "co_varnames");
    put(it, code->co_filename, "co_filename");
    put(it, code->co_name, "co_name");
    put(it, code->co_qualname, "co_qualname");
    put(it, code->co_linetable, "co_linetable");
    put(it, code->co_exceptiontable, "co_exceptiontable");
}

size_t
nbp_fields_of(PyObject *op, nbp_field *fields)
{
    list it = {fields, 0};
    if (PyCell_Check(op)) {
        put(&it, ((PyCellObject *)op)->ob_ref, "cell_contents");
    }
    else if (PyWeakref_Check(op)) {
        put(&it, ((PyWeakReference *)op)->wr_callback, "__callback__");
    }
    else if (PyTraceBack_Check(op)) {
        put(&it, ((PyTracebackObject *)op)->tb_next, "tb_next");
        put(&it, ((PyTracebackObject *)op)->tb_frame, "tb_frame");
    }
    else if (PyExceptionInstance_Check(op)) {
        put_exception(&it, op);
    }
    else if (PyCFunction_Check(op)) {
        put(&it, ((PyCFunctionObject *)op)->m_self, "__self__");
    }
    else if (PyFunction_Check(op)) {
        put_function(&it, op);
    }
    else if (PyType_Check(op)) {
        put_type(&it, op);
    }
    else if (PyCode_Check(op)) {
        put_code(&it, op);
    }
    return it.count;
}

size_t
nbp_fields_of_frame(nbp_frame *frame, nbp_field *fields)
{
    list it = {fields, 0};
    put(&it, nbp_layout_frame_mapping(frame), "f_locals");
    put(&it, nbp_layout_frame_globals(frame), "f_globals");
    put(&it, nbp_layout_frame_code(frame), "f_code");
    put(&it, nbp_layout_frame_function(frame), "f_func");
    put(&it, nbp_layout_frame_object(frame), "gi_frame");
    return it.count;
}

void
nbp_visit_members(PyTypeObject *type, nbp_member_visit visit, void *arg)
{
    PyObject *mro = type->tp_mro; /* borrowed */
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
                PyType_IsSubtype(type, PyDescr_TYPE(value))) {
                visit(PyDescr_NAME(value), member->offset, arg);
            }
        }
        Py_XDECREF(dict); /* the type keeps it */
    }
}
