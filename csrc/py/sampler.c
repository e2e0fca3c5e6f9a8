/* SPDX-License-Identifier: BSD-3-Clause */
/* Sampler: what all threads run, looked at from a thread that has no interpreter. */
#include "sampler.h"

#include <Python.h>

#include <structmember.h>

#include "compat.h"
#include "layout.h"
#include "layoutcheck.h"
#include "state.h"

typedef struct {
    PyObject_HEAD
    nbp_sampler *sampler; /* owned */
    double hz;
} sampler_object;

/* ---- the object ---- */

static PyObject *
sampler_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"hz", "share", NULL};
    double hz = 1000.0, share = 0.0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|d$d:Sampler", keywords, &hz,
                                     &share)) {
        return NULL;
    }
    nbp_interpreter_layout layout;
    nbp_layout_describe(&layout);
    uintptr_t interpreter = (uintptr_t)PyThreadState_Get()->interp;
    nbp_sampler *sampler;
    nbp_status status = nbp_sampler_new(&sampler, &layout, interpreter, hz, share);
    if (status == NBP_INVALID) {
        PyErr_SetString(PyExc_ValueError,
                        "hz must be between 0.01 and 100,000, share between 0 and 1");
        return NULL;
    }
    if (status != NBP_OK) {
        return nbp_raise(status, "sampling");
    }
    sampler_object *self = (sampler_object *)type->tp_alloc(type, 0);
    if (self == NULL) {
        nbp_sampler_destroy(&sampler);
        return NULL;
    }
    self->sampler = sampler;
    self->hz = hz;
    return (PyObject *)self;
}

static void
sampler_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    nbp_sampler_destroy(&((sampler_object *)op)->sampler);
    type->tp_free(op);
    Py_DECREF(type);
}

static int
sampler_traverse(PyObject *op, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(op));
    return 0;
}

PyDoc_STRVAR(start_doc,
             "start($self, /, everything=False)\n"
             "--\n"
             "\n"
             "Begin to look at the stacks of all threads.\n"
             "\n"
             "Of the calling thread only what the caller calls from now on is taken\n"
             "down, unless `everything` is true. Once only.\n"
             "\n"
             "Raises\n"
             "------\n"
             "RuntimeError\n"
             "    The stacks cannot be read here, in one line that says why.\n");

static PyObject *
sampler_start(PyObject *op, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"everything", NULL};
    sampler_object *self = (sampler_object *)op;
    int everything = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|p:start", keywords, &everything)) {
        return NULL;
    }
    if (nbp_layout_check() < 0) {
        return NULL;
    }
    PyThreadState *thread = PyThreadState_Get();
    uintptr_t base = (uintptr_t)nbp_layout_innermost(thread);
    uint64_t id = thread->id;
    if (everything) {
        id = base = 0;
    }
    nbp_status status = nbp_sampler_start(self->sampler, id, base);
    if (status == NBP_INVALID) {
        PyErr_SetString(PyExc_RuntimeError, "a sampler can be started once");
        return NULL;
    }
    if (status != NBP_OK) {
        PyErr_SetString(PyExc_RuntimeError,
                        "sampling is not possible here: no thread could be started");
        return NULL;
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(stop_doc, "stop($self, /)\n"
                       "--\n"
                       "\n"
                       "End the looking; what was seen stays. Again does nothing.\n");

static PyObject *
sampler_stop(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    /* The thread needs no interpreter to end, so this one need not be given up: other
     * threads would run meanwhile, and be in the last samples. */
    nbp_sampler_stop(((sampler_object *)op)->sampler);
    Py_RETURN_NONE;
}

/* ---- reading ----
 *
 * Making an object may run a collection and with it anybody's code, so what is to be
 * shown is copied first, under the sampler's lock, and shown afterwards. */

typedef struct {
    nbp_sample_node *nodes;
    nbp_sampled_thread *threads;
    nbp_sampled_place *places;
    nbp_function *functions; /* each owned by the book */
    size_t n_nodes, n_threads, n_places, n_functions;
    nbp_sampler_stats stats;
} copy;

static void
free_copy(copy *self)
{
    PyMem_RawFree(self->nodes);
    PyMem_RawFree(self->threads);
    PyMem_RawFree(self->places);
    PyMem_RawFree(self->functions);
}

/* A copy of an array; *failed is set without memory. */
static void *
duplicate(const void *array, size_t count, size_t size, bool *failed)
{
    void *copied = PyMem_RawMalloc(count * size + 1);
    if (copied == NULL) {
        *failed = true;
    }
    else if (count > 0) {
        memcpy(copied, array, count * size);
    }
    return copied;
}

/* 0, or -1 with an exception set. Empty in a child of fork(). */
static int
make_copy(sampler_object *op, copy *self)
{
    *self = (copy){0};
    bool failed = false;
    if (!nbp_sampler_lock(op->sampler)) {
        return 0;
    }
    const nbp_sampletree *tree = nbp_sampler_tree(op->sampler);
    const nbp_codebook *book = nbp_sampler_book(op->sampler);
    self->n_nodes = tree->n_nodes;
    self->n_threads = tree->n_threads;
    self->n_places = tree->n_places;
    self->n_functions = nbp_codebook_count(book);
    self->nodes = duplicate(tree->nodes, self->n_nodes, sizeof(*self->nodes), &failed);
    self->threads =
        duplicate(tree->threads, self->n_threads, sizeof(*self->threads), &failed);
    self->places =
        duplicate(tree->places, self->n_places, sizeof(*self->places), &failed);
    self->functions = duplicate(self->n_functions > 0 ? nbp_codebook_at(book, 0) : NULL,
                                self->n_functions, sizeof(*self->functions), &failed);
    self->stats = nbp_sampler_statistics(op->sampler);
    nbp_sampler_unlock(op->sampler);
    if (failed) {
        free_copy(self);
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

static PyObject *
text(const char *utf8)
{
    return PyUnicode_DecodeUTF8(utf8, (Py_ssize_t)strlen(utf8), "replace");
}

static PyObject *
describe_function(const nbp_function *function)
{
    return Py_BuildValue("(NiNN)", text(function->file), (int)function->first_line,
                         text(function->name), text(function->qualname));
}

static PyObject *
list_functions(const copy *self)
{
    PyObject *list = PyList_New((Py_ssize_t)self->n_functions);
    for (size_t i = 0; list != NULL && i < self->n_functions; i++) {
        PyObject *item = describe_function(&self->functions[i]);
        if (item == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, (Py_ssize_t)i, item);
    }
    return list;
}

/* A number that may be the sentinel, as Python's -1. */
static long long
number_of(uint32_t number)
{
    return number == NBP_NO_FUNCTION ? -1 : (long long)number;
}

static PyObject *
list_nodes(const copy *self)
{
    PyObject *list = PyList_New((Py_ssize_t)self->n_nodes);
    for (size_t i = 0; list != NULL && i < self->n_nodes; i++) {
        const nbp_sample_node *node = &self->nodes[i];
        PyObject *item =
            Py_BuildValue("(LLIK)", number_of(node->parent), number_of(node->function),
                          node->thread, (unsigned long long)node->samples);
        if (item == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, (Py_ssize_t)i, item);
    }
    return list;
}

static PyObject *
list_threads(const copy *self)
{
    PyObject *list = PyList_New((Py_ssize_t)self->n_threads);
    for (size_t i = 0; list != NULL && i < self->n_threads; i++) {
        const nbp_sampled_thread *thread = &self->threads[i];
        PyObject *item = Py_BuildValue(
            "(KKKKKLLLO)", (unsigned long long)thread->ident,
            (unsigned long long)thread->samples, (unsigned long long)thread->torn,
            (unsigned long long)thread->crowded, (unsigned long long)thread->preempted,
            (long long)thread->first_ns, (long long)thread->last_ns,
            (long long)thread->cpu_ns, thread->moved ? Py_True : Py_False);
        if (item == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, (Py_ssize_t)i, item);
    }
    return list;
}

static PyObject *
list_places(const copy *self)
{
    PyObject *list = PyList_New((Py_ssize_t)self->n_places);
    for (size_t i = 0; list != NULL && i < self->n_places; i++) {
        const nbp_sampled_place *place = &self->places[i];
        PyObject *item = Py_BuildValue("(IiK)", place->function, (int)place->line,
                                       (unsigned long long)place->samples);
        if (item == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, (Py_ssize_t)i, item);
    }
    return list;
}

PyDoc_STRVAR(
    table_doc,
    "table($self, /)\n"
    "--\n"
    "\n"
    "What was seen, as plain data; also while the sampler runs.\n"
    "\n"
    "Returns\n"
    "-------\n"
    "(functions, threads, nodes, places)\n"
    "    A function is ``(file, line, name, qualified_name)``. A thread is ``(ident,\n"
    "    samples, torn, crowded, preempted, first_ns, last_ns, cpu_ns, moved)``. A "
    "node is\n"
    "    ``(parent, function, thread, samples)``; a parent comes before its children,\n"
    "    a thread's first node has -1 for both, and a function of -1 stands for "
    "frames\n"
    "    that a stack too deep has lost. A place is ``(function, line, samples)``; a\n"
    "    line may be there several times.\n");

static PyObject *
sampler_table(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    copy copied;
    if (make_copy((sampler_object *)op, &copied) < 0) {
        return NULL;
    }
    PyObject *table =
        Py_BuildValue("(NNNN)", list_functions(&copied), list_threads(&copied),
                      list_nodes(&copied), list_places(&copied));
    free_copy(&copied);
    return table;
}

PyDoc_STRVAR(stats_doc,
             "stats($self, /)\n"
             "--\n"
             "\n"
             "How the looking went.\n"
             "\n"
             "Returns\n"
             "-------\n"
             "(rounds, skipped, torn, cost_ns, ran_ns, slowed)\n"
             "    Looks at all threads, looks that were due when the sampler had no\n"
             "    processor, looks that were given up because threads came and went,\n"
             "    processor time of the sampler, how long it was on, and whether it\n"
             "    looked less often than asked to keep its cost down.\n");

static PyObject *
sampler_stats(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    nbp_sampler *sampler = ((sampler_object *)op)->sampler;
    nbp_sampler_stats stats = {0};
    if (nbp_sampler_lock(sampler)) {
        stats = nbp_sampler_statistics(sampler);
        nbp_sampler_unlock(sampler);
    }
    return Py_BuildValue("(KKKLLO)", (unsigned long long)stats.rounds,
                         (unsigned long long)stats.skipped,
                         (unsigned long long)stats.torn, (long long)stats.cost_ns,
                         (long long)stats.ran_ns, stats.slowed ? Py_True : Py_False);
}

PyDoc_STRVAR(function_doc, "function($self, number, /)\n"
                           "--\n"
                           "\n"
                           "(file, line, name, qualified_name) of a function.\n");

static PyObject *
sampler_function(PyObject *op, PyObject *arg)
{
    nbp_sampler *sampler = ((sampler_object *)op)->sampler;
    size_t number = PyLong_AsSize_t(arg);
    if (number == (size_t)-1 && PyErr_Occurred()) {
        return NULL;
    }
    nbp_function function = {0};
    if (nbp_sampler_lock(sampler)) {
        const nbp_codebook *book = nbp_sampler_book(sampler);
        if (number < nbp_codebook_count(book)) {
            function = *nbp_codebook_at(book, (uint32_t)number);
        }
        nbp_sampler_unlock(sampler);
    }
    if (function.file == NULL) {
        PyErr_SetString(PyExc_IndexError, "there is no function of that number");
        return NULL;
    }
    return describe_function(&function);
}

PyDoc_STRVAR(
    spans_doc,
    "spans($self, after=0, /)\n"
    "--\n"
    "\n"
    "Stretches of samples that found a thread at one line.\n"
    "\n"
    "Those with a number above `after` as far as they are still known, and each\n"
    "thread's latest, the oldest first: ``(ident, function, line, samples,\n"
    "first_ns, last_ns, number)``, times as `time.monotonic_ns`.\n");

static PyObject *
sampler_spans(PyObject *op, PyObject *const *args, Py_ssize_t nargs)
{
    nbp_sampler *sampler = ((sampler_object *)op)->sampler;
    unsigned long long after = 0;
    if (nargs > 1) {
        PyErr_SetString(PyExc_TypeError, "spans() takes one argument");
        return NULL;
    }
    if (nargs == 1) {
        after = PyLong_AsUnsignedLongLong(args[0]);
        if (PyErr_Occurred()) {
            return NULL;
        }
    }
    nbp_span *spans = PyMem_RawMalloc(NBP_SPANS * sizeof(*spans));
    uint64_t *idents = PyMem_RawMalloc(NBP_SPANS * sizeof(*idents));
    size_t count = 0;
    if (spans != NULL && idents != NULL && nbp_sampler_lock(sampler)) {
        const nbp_sampletree *tree = nbp_sampler_tree(sampler);
        count = nbp_sampletree_spans(tree, after, spans, NBP_SPANS);
        for (size_t i = 0; i < count; i++) {
            idents[i] = tree->threads[spans[i].thread].ident;
        }
        nbp_sampler_unlock(sampler);
    }
    PyObject *list = spans == NULL || idents == NULL ? PyErr_NoMemory()
                                                     : PyList_New((Py_ssize_t)count);
    for (size_t i = 0; list != NULL && i < count; i++) {
        PyObject *item = Py_BuildValue(
            "(KIiILLK)", (unsigned long long)idents[i], spans[i].function,
            (int)spans[i].line, spans[i].samples, (long long)spans[i].first_ns,
            (long long)spans[i].last_ns, (unsigned long long)spans[i].number);
        if (item == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, (Py_ssize_t)i, item);
    }
    PyMem_RawFree(spans);
    PyMem_RawFree(idents);
    return list;
}

static PyObject *
get_running(PyObject *op, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(nbp_sampler_is_running(((sampler_object *)op)->sampler));
}

static PyMethodDef sampler_methods[] = {
    {"start", (PyCFunction)(void (*)(void))sampler_start, METH_VARARGS | METH_KEYWORDS,
     start_doc},
    {"stop", sampler_stop, METH_NOARGS, stop_doc},
    {"table", sampler_table, METH_NOARGS, table_doc},
    {"stats", sampler_stats, METH_NOARGS, stats_doc},
    {"function", sampler_function, METH_O, function_doc},
    {"spans", (PyCFunction)(void (*)(void))sampler_spans, METH_FASTCALL, spans_doc},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef sampler_members[] = {
    {"hz", T_DOUBLE, offsetof(sampler_object, hz), READONLY,
     "How often it looks, times a second."},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef sampler_getset[] = {
    {"running", get_running, NULL, "Whether it looks now.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(
    sampler_doc,
    "Sampler(hz=1000.0, *, share=0.0)\n"
    "--\n"
    "\n"
    "Looks at what all threads run, `hz` times a second, at random moments.\n"
    "\n"
    "It does so from a thread of its own that neither stops the others nor has\n"
    "the interpreter, so it sees them also while one call to C holds that. It\n"
    "looks less often when it would take more than `share` of a processor; 0 is a\n"
    "fiftieth.\n");

static PyType_Slot sampler_slots[] = {
    {Py_tp_doc, (void *)sampler_doc}, {Py_tp_new, sampler_new},
    {Py_tp_dealloc, sampler_dealloc}, {Py_tp_traverse, sampler_traverse},
    {Py_tp_methods, sampler_methods}, {Py_tp_members, sampler_members},
    {Py_tp_getset, sampler_getset},   {0, NULL},
};

static PyType_Spec sampler_spec = {
    .name = "nbprobe._core.Sampler",
    .basicsize = sizeof(sampler_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = sampler_slots,
};

int
nbp_add_sampler(PyObject *module)
{
    nbp_state *state = nbp_state_of(module);
    state->stack_sampler_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &sampler_spec, NULL);
    if (state->stack_sampler_type == NULL) {
        return -1;
    }
    return PyModule_AddType(module, state->stack_sampler_type);
}
