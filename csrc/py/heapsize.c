/* SPDX-License-Identifier: BSD-3-Clause */
/* How large an object is itself. sys.getsizeof() asks __sizeof__, which may be
 * anybody's code and leaves attributes without a dictionary out; here the built-in
 * types are added up from their fields, and of the others only methods that are known
 * to be plain C are asked. */
#include "compat.h"
#include "heapwalk.h"

/* Words in front of an object: the collector's, the dictionary's, the weak references'.
 */
size_t
nbp_walk_headers(PyTypeObject *type)
{
    size_t bytes = type->tp_flags & Py_TPFLAGS_HAVE_GC ? 2 * sizeof(PyObject *) : 0;
    if (type->tp_flags & NBP_PREHEADER) {
        bytes += 2 * sizeof(PyObject *);
    }
    return bytes;
}

static size_t
str_bytes(PyObject *op)
{
    size_t length = (size_t)PyUnicode_GET_LENGTH(op);
    size_t kind = PyUnicode_KIND(op);
    if (PyUnicode_IS_COMPACT_ASCII(op)) {
        return sizeof(PyASCIIObject) + length + 1;
    }
    PyCompactUnicodeObject *compact = (PyCompactUnicodeObject *)op;
    size_t bytes = (length + 1) * kind;
    bytes += PyUnicode_IS_COMPACT(op) ? sizeof(PyCompactUnicodeObject)
                                      : sizeof(PyUnicodeObject);
    if (compact->utf8 != NULL && compact->utf8 != PyUnicode_DATA(op)) {
        bytes += (size_t)compact->utf8_length + 1;
    }
    return bytes;
}

/* Whose __sizeof__ may be called: written in C, by people who we know run no code in
 * it. By the name of the type that defines it. */
static const char *const trusted[] = {
    "array.array",       "collections.deque", "collections.OrderedDict",
    "numpy.ndarray",     "_io.BytesIO",       "_io.StringIO",
    "bytearray",         "OrderedDict",       "_random.Random",
    "mmap.mmap",         "_pickle.Pickler",   "re.Pattern",
    "shared.memory",     "device.memory",     "_struct.Struct",
    "itertools.product",
};

PyMethodDef *
nbp_walk_size_method(PyTypeObject *type)
{
    PyObject *mro = type->tp_mro; /* borrowed */
    if (mro == NULL || !PyTuple_CheckExact(mro)) {
        return NULL;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(mro); i++) {
        PyTypeObject *base = (PyTypeObject *)PyTuple_GET_ITEM(mro, i);
        for (size_t j = 0; j < sizeof(trusted) / sizeof(trusted[0]); j++) {
            if (base->tp_methods == NULL || strcmp(base->tp_name, trusted[j]) != 0) {
                continue;
            }
            for (PyMethodDef *method = base->tp_methods; method->ml_name; method++) {
                if (strcmp(method->ml_name, "__sizeof__") == 0 &&
                    method->ml_flags == METH_NOARGS) {
                    return method;
                }
            }
        }
    }
    return NULL;
}

/* Bytes of the items that follow a fixed part. */
static size_t
item_bytes(PyObject *op, size_t item)
{
    nbp_frame *frame = nbp_layout_frame_of(op);
    if (frame != NULL) {
        PyCodeObject *code = nbp_layout_frame_code(frame);
        return (size_t)(code->co_nlocalsplus + code->co_stacksize) * item;
    }
    if (PyFrame_Check(op) || PyGen_Check(op) || PyCoro_CheckExact(op) ||
        PyAsyncGen_CheckExact(op)) {
        return 0;
    }
    /* A type may declare items and keep something else where their number belongs. */
    size_t count = (size_t)Py_ABS(Py_SIZE(op));
    return count <= UINT32_MAX || PyBytes_Check(op) ? count * item : 0;
}

/* Bytes that __sizeof__ would give. */
static size_t
own_bytes(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);
    size_t bytes = (size_t)type->tp_basicsize;
    if (PyUnicode_Check(op)) {
        size_t more = PyUnicode_CheckExact(op) ? 0 : bytes - sizeof(PyUnicodeObject);
        return str_bytes(op) + more;
    }
    if (PyLong_Check(op)) {
        Py_ssize_t digits = NBP_LONG_DIGITS(op);
        /* bool says that it has room for a digit, and then counts one. */
        bytes = PyBool_Check(op) ? (size_t)PyLong_Type.tp_basicsize : bytes;
        return bytes + (size_t)(digits > 0 ? digits : 1) * (size_t)type->tp_itemsize;
    }
    if (PyDict_Check(op)) {
        return bytes + nbp_layout_dict_bytes(op);
    }
    if (PyList_Check(op)) {
        return bytes + (size_t)((PyListObject *)op)->allocated * sizeof(PyObject *);
    }
    if (PyAnySet_Check(op)) {
        PySetObject *set = (PySetObject *)op;
        bool small = set->table == set->smalltable;
        return bytes + (small ? 0 : ((size_t)set->mask + 1) * sizeof(setentry));
    }
    if (PyType_Check(op)) {
        PyTypeObject *self = (PyTypeObject *)op;
        return self->tp_flags & Py_TPFLAGS_HEAPTYPE
                   ? bytes + (size_t)Py_SIZE(op) * (size_t)type->tp_itemsize +
                         nbp_layout_type_bytes(self)
                   : sizeof(PyTypeObject);
    }
    return type->tp_itemsize > 0 ? bytes + item_bytes(op, (size_t)type->tp_itemsize)
                                 : bytes;
}

size_t
nbp_walk_size(PyObject *op, PyMethodDef *method)
{
    PyTypeObject *type = Py_TYPE(op);
    size_t bytes = 0;
    if (method != NULL) {
        PyObject *answer = method->ml_meth(op, NULL); /* owned */
        bytes = answer == NULL ? 0 : PyLong_AsSize_t(answer);
        Py_XDECREF(answer);
    }
    else {
        bytes = own_bytes(op);
    }
    if (PyObject_IS_GC(op)) {
        bytes += nbp_walk_headers(type);
    }
    if (type->tp_flags & Py_TPFLAGS_MANAGED_DICT) {
        bytes += nbp_layout_attributes_bytes(op);
    }
    return bytes;
}
