/* SPDX-License-Identifier: BSD-3-Clause */
/* Types that do what no type should, for the tests of everything that walks the heap. */
#include <Python.h>

typedef struct {
    PyObject_HEAD
    PyObject *held;
} holder;

static int
report_nothing(PyObject *self, visitproc visit, void *arg)
{
    return 0;
}

/* Reports what it holds three times, although it has one reference. */
static int
report_too_often(PyObject *self, visitproc visit, void *arg)
{
    for (int i = 0; i < 3; i++) {
        Py_VISIT(((holder *)self)->held);
    }
    return 0;
}

/* Reports what it does not hold: itself, and its type without a reference to it. */
static int
report_strangers(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(self);
    Py_VISIT(Py_None);
    Py_VISIT((PyObject *)&PyType_Type);
    Py_VISIT(((holder *)self)->held);
    return 0;
}

/* Does not stop when it is told to, and gives an error of its own. */
static int
report_and_fail(PyObject *self, visitproc visit, void *arg)
{
    if (((holder *)self)->held != NULL) {
        visit(((holder *)self)->held, arg);
    }
    return -1;
}

static int
drop(PyObject *self)
{
    Py_CLEAR(((holder *)self)->held);
    return 0;
}

static void
dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    drop(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *
make(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *held = NULL; /* borrowed */
    if (!PyArg_ParseTuple(args, "O", &held)) {
        return NULL;
    }
    holder *self = (holder *)type->tp_alloc(type, 0);
    if (self != NULL) {
        self->held = Py_NewRef(held);
    }
    return (PyObject *)self;
}

/* A size that is a lie, and an exception for whoever asks. */
static PyObject *
size_of(PyObject *self, PyObject *ignored)
{
    PyErr_SetString(PyExc_RuntimeError, "nobody may ask");
    return NULL;
}

static PyMethodDef methods[] = {
    {"__sizeof__", size_of, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyObject *
add_type(PyObject *module, const char *name, traverseproc traverse)
{
    PyType_Slot slots[] = {
        {Py_tp_new, make},        {Py_tp_dealloc, dealloc}, {Py_tp_traverse, traverse},
        {Py_tp_clear, drop},      {Py_tp_methods, methods}, {0, NULL},
    };
    PyType_Spec spec = {
        .name = name,
        .basicsize = sizeof(holder),
        .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
        .slots = slots,
    };
    PyObject *type = PyType_FromSpec(&spec);
    if (type == NULL || PyModule_AddType(module, (PyTypeObject *)type) < 0) {
        return NULL;
    }
    return type;
}

/* An object of the collector that has never been filled: what another thread could meet
 * between its making and its first field. */
static PyObject *
half_built(PyObject *module, PyObject *type)
{
    return ((PyTypeObject *)type)->tp_alloc((PyTypeObject *)type, 0);
}

/* A tuple that has items missing. */
static PyObject *
tuple_of_nothing(PyObject *module, PyObject *ignored)
{
    return PyTuple_New(3);
}

static PyMethodDef functions[] = {
    {"half_built", half_built, METH_O, NULL},
    {"tuple_of_nothing", tuple_of_nothing, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module_of = {
    PyModuleDef_HEAD_INIT,
    .m_name = "hostile",
    .m_size = -1,
    .m_methods = functions,
};

PyMODINIT_FUNC
PyInit_hostile(void)
{
    PyObject *module = PyModule_Create(&module_of);
    if (module == NULL || add_type(module, "hostile.Silent", report_nothing) == NULL ||
        add_type(module, "hostile.Loud", report_too_often) == NULL ||
        add_type(module, "hostile.Lying", report_strangers) == NULL ||
        add_type(module, "hostile.Failing", report_and_fail) == NULL) {
        return NULL;
    }
    return module;
}
