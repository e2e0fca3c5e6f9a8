/* SPDX-License-Identifier: BSD-3-Clause */
/* The functions of core/fit.h for Python. */
#include "fit.h"

#include <Python.h>

#include "doubles.h"
#include "state.h"

/* Reads both series of `name`(x, y), of equal length and at least 3: 0, or -1 with an
 * exception set and nothing to clear. */
static int
read_points(const char *name, PyObject *const *args, Py_ssize_t count, nbp_doubles *x,
            nbp_doubles *y)
{
    if (count != 2) {
        PyErr_Format(PyExc_TypeError, "%s() takes 2 arguments (%zd given)", name,
                     count);
        return -1;
    }
    if (nbp_doubles_read(x, args[0], "x", 3) < 0) {
        return -1;
    }
    if (nbp_doubles_read(y, args[1], "y", 3) < 0) {
        nbp_doubles_clear(x);
        return -1;
    }
    if (x->count != y->count) {
        PyErr_Format(PyExc_ValueError, "x and y must be of one length, not %zd and %zd",
                     x->count, y->count);
        nbp_doubles_clear(x);
        nbp_doubles_clear(y);
        return -1;
    }
    return 0;
}

/* NBP_INVALID in the words of the arguments; always returns NULL. */
static PyObject *
raise_status(nbp_status status, const char *name, const char *rule)
{
    if (status == NBP_INVALID) {
        PyErr_Format(PyExc_ValueError, "%s() needs %s", name, rule);
        return NULL;
    }
    return nbp_raise(status, name);
}

PyDoc_STRVAR(fit_power_doc,
             "fit_power($module, x, y, /)\n"
             "--\n"
             "\n"
             "The exponent of the power law through the points.\n"
             "\n"
             "Parameters\n"
             "----------\n"
             "x, y : sequence of float or buffer of C doubles\n"
             "    At least three positive numbers each; not all of x equal.\n"
             "\n"
             "Returns\n"
             "-------\n"
             "exponent, standard_error : float\n"
             "    Of the least-squares line through ``log(y)`` over ``log(x)``.\n"
             "\n"
             "Raises\n"
             "------\n"
             "ValueError\n"
             "    If the numbers are fewer, not positive or not finite.\n");

static PyObject *
fit_power(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    nbp_doubles x, y;
    double exponent, error;
    if (read_points("fit_power", args, count, &x, &y) < 0) {
        return NULL;
    }
    nbp_status status =
        nbp_fit_power(x.items, y.items, (size_t)x.count, &exponent, &error);
    nbp_doubles_clear(&x);
    nbp_doubles_clear(&y);
    if (status != NBP_OK) {
        return raise_status(status, "fit_power",
                            "positive x and y, and at least 2 different x");
    }
    return Py_BuildValue("(dd)", exponent, error);
}

PyDoc_STRVAR(
    fit_complexity_doc,
    "fit_complexity($module, x, y, /)\n"
    "--\n"
    "\n"
    "The complexity classes that explain how times `y` grow with sizes `x`.\n"
    "\n"
    "Fits ``y = offset + coefficient * f(x)``, ``offset >= 0`` and\n"
    "``coefficient > 0``, for O(1), O(log n), O(n), O(n log n), O(n²),\n"
    "O(n² log n), O(n³) and O(2ⁿ); logarithms are to base 2.\n"
    "\n"
    "Parameters\n"
    "----------\n"
    "x : sequence of float or buffer of C doubles\n"
    "    Sizes; at least three different ones.\n"
    "y : sequence of float or buffer of C doubles\n"
    "    Times, positive, in any unit.\n"
    "\n"
    "Returns\n"
    "-------\n"
    "list of (name, coefficient, offset, error, residuals)\n"
    "    Best first. ``coefficient`` and ``offset`` are in the unit of `y`;\n"
    "    ``residuals`` are ``(y - fit) / y`` point by point and ``error`` is the\n"
    "    root of their mean square. A class that the sizes do not allow is left\n"
    "    out: one that overflows, a logarithmic one below 1, a power below 0.\n"
    "\n"
    "Raises\n"
    "------\n"
    "ValueError\n"
    "    If there are fewer points, or a time is not positive and finite.\n"
    "\n"
    "Notes\n"
    "-----\n"
    "O(1) wins unless the best slope differs from 0 with 95 % confidence; else\n"
    "the simplest class wins that is within 2 of the best by Akaike's criterion.\n");

static PyObject *
fit_residuals(const nbp_fit *fit, const nbp_doubles *x, const nbp_doubles *y)
{
    PyObject *residuals = PyTuple_New(x->count); /* owned */
    for (Py_ssize_t i = 0; residuals != NULL && i < x->count; i++) {
        double expected = nbp_fit_time(fit, x->items[i]);
        PyObject *residual = PyFloat_FromDouble(1 - expected / y->items[i]);
        if (residual == NULL) {
            Py_CLEAR(residuals);
            break;
        }
        PyTuple_SET_ITEM(residuals, i, residual);
    }
    return residuals;
}

static PyObject *
fit_list(const nbp_fit *fits, size_t fit_count, const nbp_doubles *x,
         const nbp_doubles *y)
{
    PyObject *list = PyList_New((Py_ssize_t)fit_count); /* owned */
    for (size_t i = 0; list != NULL && i < fit_count; i++) {
        const nbp_fit *fit = &fits[i];
        PyObject *residuals = fit_residuals(fit, x, y); /* owned, given to the tuple */
        PyObject *item = NULL;
        if (residuals != NULL) {
            item = Py_BuildValue("(sdddN)", nbp_fit_name(fit->growth), fit->coefficient,
                                 fit->offset, fit->error, residuals);
        }
        if (item == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, (Py_ssize_t)i, item);
    }
    return list;
}

static PyObject *
fit_complexity(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    nbp_doubles x, y;
    nbp_fit fits[NBP_GROWTH_COUNT];
    size_t fit_count;
    PyObject *result;
    if (read_points("fit_complexity", args, count, &x, &y) < 0) {
        return NULL;
    }
    nbp_status status =
        nbp_fit_complexity(x.items, y.items, (size_t)x.count, fits, &fit_count);
    if (status == NBP_OK) {
        result = fit_list(fits, fit_count, &x, &y);
    }
    else {
        result = raise_status(status, "fit_complexity",
                              "positive y, and at least 3 different x");
    }
    nbp_doubles_clear(&x);
    nbp_doubles_clear(&y);
    return result;
}

static PyMethodDef fit_methods[] = {
    {"fit_power", (PyCFunction)(void (*)(void))fit_power, METH_FASTCALL, fit_power_doc},
    {"fit_complexity", (PyCFunction)(void (*)(void))fit_complexity, METH_FASTCALL,
     fit_complexity_doc},
    {NULL, NULL, 0, NULL},
};

int
nbp_add_fit(PyObject *module)
{
    return PyModule_AddFunctions(module, fit_methods);
}
