/* SPDX-License-Identifier: BSD-3-Clause */
/* The trees of a recording as plain data. */
#include <Python.h>

#include "calls.h"

/* (file, line, name, qualified name), new. */
static PyObject *
describe(const nbp_called *called)
{
    if (called->code != NULL) {
        PyCodeObject *code = (PyCodeObject *)called->code;
        return Py_BuildValue("(OiOO)", code->co_filename, code->co_firstlineno,
                             code->co_name, code->co_qualname);
    }
    if (called->name != NULL) {
        return Py_BuildValue("(siOO)", "~", 0, called->name, called->name);
    }
    return Py_BuildValue("(siss)", "~", 0, "<unknown>", "<unknown>");
}

/* Those that there are as it begins: on 3.11 making an object may run a collection, and
 * code of finalizers that is recorded. */
static PyObject *
list_functions(const nbp_calls *self)
{
    size_t count = self->n_functions;
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; list != NULL && i < count; i++) {
        PyObject *item = describe(&self->functions[i]);
        if (item == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, (Py_ssize_t)i, item);
    }
    return list;
}

const char nbp_calls_codes_doc[] =
    "codes($self, /)\n"
    "--\n"
    "\n"
    "What the functions of `table` are: code objects, and names of functions in C.\n";

PyObject *
nbp_calls_codes(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    nbp_calls *self = (nbp_calls *)op;
    self->readers++;
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list != NULL && i < self->n_functions; i++) {
        const nbp_called *called = &self->functions[i];
        PyObject *item = called->code != NULL ? called->code : called->name;
        if (PyList_Append(list, item == NULL ? Py_None : item) < 0) {
            Py_CLEAR(list);
        }
    }
    self->readers--;
    return list;
}

/* The place of a node's function; -1 for the root, -2 for the crowd and the nameless.
 */
static long
function_of(const nbp_calls *self, const nbp_call_node *node)
{
    if (node->parent == NULL) {
        return -1;
    }
    const nbp_pointer_entry *entry =
        node->key == NULL ? NULL : nbp_pointermap_get(&self->by_key, node->key);
    return entry == NULL ? -2 : (long)entry->number;
}

/* A discount that was too large must not make much out of nothing. */
static unsigned long long
metered(const nbp_call_node *node, int meter)
{
    int64_t counted = (int64_t)node->metered[meter];
    return counted > 0 ? (unsigned long long)counted : 0;
}

static PyObject *
list_nodes(const nbp_calls *self, const nbp_calltree *tree, size_t count,
           double length_ns, const double *inclusive, const double *self_time)
{
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; list != NULL && i < count; i++) {
        const nbp_call_node *node = nbp_calltree_at(tree, i);
        PyObject *item = Py_BuildValue(
            "(nlKKKddddKK)",
            node->parent == NULL ? (Py_ssize_t)-1 : (Py_ssize_t)node->parent->index,
            function_of(self, node), (unsigned long long)node->calls,
            (unsigned long long)node->resumes, (unsigned long long)node->others,
            (double)node->inclusive * length_ns, (double)node->self * length_ns,
            inclusive[i] * length_ns, self_time[i] * length_ns, metered(node, 0),
            metered(node, 1));
        if (item == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, (Py_ssize_t)i, item);
    }
    return list;
}

static PyObject *
describe_thread(const nbp_calls *self, const nbp_call_thread *thread, double length_ns,
                const nbp_call_costs *costs)
{
    size_t count = nbp_calltree_count(thread->tree);
    double *corrected = PyMem_New(double, 2 * count);
    if (corrected == NULL) {
        return PyErr_NoMemory();
    }
    nbp_calltree_sum(thread->tree);
    nbp_calltree_correct(thread->tree, costs, corrected, corrected + count);
    PyObject *nodes =
        list_nodes(self, thread->tree, count, length_ns, corrected, corrected + count);
    PyMem_Free(corrected);
    if (nodes == NULL) {
        return NULL;
    }
    nbp_calltree_loss loss = nbp_calltree_losses(thread->tree);
    return Py_BuildValue(
        "(kN(KKKK))", thread->ident, nodes, (unsigned long long)loss.crowded,
        (unsigned long long)loss.dropped, (unsigned long long)loss.unmatched,
        (unsigned long long)loss.switched);
}

const char nbp_calls_table_doc[] =
    "table($self, costs=(0.0,) * 7, /)\n"
    "--\n"
    "\n"
    "What was recorded, as plain data.\n"
    "\n"
    "Parameters\n"
    "----------\n"
    "costs : tuple of 7 floats\n"
    "    What recording costs, ns: inside and outside of a Python call, of a C call\n"
    "    and of a resumption, and of an event that made no node.\n"
    "\n"
    "Returns\n"
    "-------\n"
    "(functions, threads)\n"
    "    A function is ``(file, line, name, qualified_name)``. A thread is ``(ident,\n"
    "    nodes, (crowded, dropped, unmatched, switched))``. A node is ``(parent,\n"
    "    function, calls, resumes, others, inclusive_ns, self_ns,\n"
    "    corrected_inclusive_ns, corrected_self_ns, allocated_bytes,\n"
    "    allocated_blocks)``; a parent comes before its\n"
    "    children, the root at 0 has -1 for both places, and a function of -2 heads\n"
    "    the calls for which the tree had no place.\n";

PyObject *
nbp_calls_table(PyObject *op, PyObject *args)
{
    nbp_calls *self = (nbp_calls *)op;
    double ns[7] = {0};
    if (!PyArg_ParseTuple(args, "|(ddddddd):table", &ns[0], &ns[1], &ns[2], &ns[3],
                          &ns[4], &ns[5], &ns[6])) {
        return NULL;
    }
    double length_ns = 1.0;
    if (self->timer == NULL) {
        length_ns = nbp_ticks_length_ns(self->has_counter, self->origin);
    }
    else if (self->timer_unit > 0) {
        length_ns = self->timer_unit * 1e9;
    }
    nbp_call_costs costs = {
        .call = {{ns[0] / length_ns, ns[1] / length_ns},
                 {ns[2] / length_ns, ns[3] / length_ns}},
        .resume = {ns[4] / length_ns, ns[5] / length_ns},
        .other = ns[6] / length_ns,
    };
    self->readers++;
    PyObject *functions = list_functions(self);
    PyObject *threads = functions == NULL ? NULL : PyList_New(0);
    for (size_t i = 0; threads != NULL && i < self->n_threads; i++) {
        PyObject *item = describe_thread(self, self->threads[i], length_ns, &costs);
        if (item == NULL || PyList_Append(threads, item) < 0) {
            Py_CLEAR(threads);
        }
        Py_XDECREF(item);
    }
    self->readers--;
    if (threads == NULL) {
        Py_XDECREF(functions);
        return NULL;
    }
    return Py_BuildValue("(NN)", functions, threads);
}
