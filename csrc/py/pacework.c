/* SPDX-License-Identifier: BSD-3-Clause */
/* The processor's pace, by work that the interpreter does all the time. A hyperthread
 * that shares the core slows one kind of code down more than another: reading the clock
 * not at all, a chain of loads hardly, arithmetic by half. What an event costs goes for
 * the most part into short functions of the interpreter that call each other, and this
 * is made of such: it slowed down by 1.88 where events did by 1.86. */
#include "pacework.h"

enum { ROUNDS = 20 }; /* about 1 us */

static void
run(const void *material)
{
    const nbp_state *state = material;
    PyObject *names = state->pace_names; /* borrowed, all of them */
    PyObject *pair = state->pace_pair;
    if (names == NULL || pair == NULL) {
        return; /* the interpreter ends */
    }
    PyObject *first = PyTuple_GET_ITEM(pair, 0), *second = PyTuple_GET_ITEM(pair, 1);
    PyObject *there = PyTuple_GET_ITEM(pair, 2), *absent = PyTuple_GET_ITEM(pair, 3);
    volatile Py_ssize_t result;
    for (int i = 0; i < ROUNDS; i++) {
        Py_ssize_t sum = (Py_ssize_t)PyObject_Hash(there);
        sum += PyDict_GetItemWithError(names, there) != NULL;
        sum += PyDict_GetItemWithError(names, absent) != NULL;
        sum += PyUnicode_Compare(there, absent);
        sum += PyObject_IsTrue(pair);
        /* One of the small numbers, of which there is one object each. */
        PyObject *number = PyNumber_Add(first, second);
        Py_DECREF(number);
        sum += PyLong_AsLong(first);
        sum += PyObject_Size(names);
        sum += PyType_IsSubtype(Py_TYPE(there), Py_TYPE(names));
        result = sum;
    }
    (void)result;
}

nbp_pace_work
nbp_pacework_of(const nbp_state *state)
{
    return (nbp_pace_work){.run = run, .material = state};
}

PyDoc_STRVAR(pace_doc,
             "pace_ns($module, /)\n"
             "--\n"
             "\n"
             "How long a fixed piece of work takes now, in ns.\n"
             "\n"
             "It slows down as events of the engines do. Takes about 3 us.\n");

static PyObject *
pace_ns(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    const nbp_state *state = nbp_state_of(module);
    int64_t pace = nbp_pace_now(nbp_pacework_of(state), state->has_counter);
    return PyFloat_FromDouble((double)pace *
                              nbp_ticks_length_ns(state->has_counter, state->origin));
}

PyDoc_STRVAR(ratio_doc, "pace_ratio($module, now, then, /)\n"
                        "--\n"
                        "\n"
                        "By how much an event costs more at one pace than at another.\n"
                        "\n"
                        "1 when one of them is 0, which stands for not known.\n");

static PyObject *
pace_ratio(PyObject *Py_UNUSED(module), PyObject *args)
{
    double now, then;
    if (!PyArg_ParseTuple(args, "dd:pace_ratio", &now, &then)) {
        return NULL;
    }
    return PyFloat_FromDouble(nbp_pace_ratio(now, then));
}

static PyMethodDef pace_methods[] = {
    {"pace_ns", pace_ns, METH_NOARGS, pace_doc},
    {"pace_ratio", pace_ratio, METH_VARARGS, ratio_doc},
    {NULL, NULL, 0, NULL},
};

int
nbp_add_pacework(PyObject *module)
{
    nbp_state *state = nbp_state_of(module);
    state->has_counter = nbp_ticks_has_counter();
    state->origin = nbp_ticks_moment(state->has_counter);
    state->pace_names = Py_BuildValue("{s:i,s:i,s:i}", "calls", 1, "nodes", 2, "of", 3);
    state->pace_pair = Py_BuildValue("(iiss)", 3, 40, "calls", "lines");
    if (state->pace_names == NULL || state->pace_pair == NULL) {
        return -1;
    }
    return PyModule_AddFunctions(module, pace_methods);
}
