/* SPDX-License-Identifier: BSD-3-Clause */
/* References of single objects: what they hold, and what holds them. Each function
 * finishes looking, and takes a reference to everything that it found, before it makes
 * the first object. */
#include <Python.h>

#include "arrays.h"
#include "heapscan.h"
#include "heapwalk.h"
#include "state.h"

PyDoc_STRVAR(
    referents_doc,
    "referents($module, object, /)\n"
    "--\n"
    "\n"
    "The objects that an object holds, each as often as it holds it.\n"
    "\n"
    "Like gc.get_referents, and also of code objects, of static types, and of\n"
    "instances whose ``__dict__`` was made after their attributes.\n");

static PyObject *
referents(PyObject *Py_UNUSED(module), PyObject *op)
{
    nbp_objects found = {0};
    nbp_arrays_prepare();
    nbp_walk_references(op, nbp_objects_append_visited, &found);
    nbp_objects_keep(&found);
    return nbp_objects_into_list(&found);
}

/* 1 after gc.freeze(), 0 otherwise, -1 with an exception set. */
static int
is_frozen(void)
{
    PyObject *gc = PyImport_ImportModule("gc"); /* owned */
    PyObject *count = NULL;                     /* owned */
    if (gc != NULL) {
        count = PyObject_CallMethod(gc, "get_freeze_count", NULL);
    }
    int frozen = count == NULL ? -1 : PyObject_IsTrue(count);
    Py_XDECREF(gc);
    Py_XDECREF(count);
    return frozen;
}

/* What was found, of which nothing is left in the scan. */
static PyObject *
scan_result(nbp_scan *self)
{
    for (size_t i = 0; i < self->count; i++) {
        nbp_objects_keep(&self->found[i]);
    }
    PyObject *result = PyList_New((Py_ssize_t)self->count); /* owned, returned */
    for (size_t i = 0; i < self->count; i++) {
        PyObject *list = nbp_objects_into_list(&self->found[i]);
        if (list == NULL || result == NULL) {
            Py_XDECREF(list);
            Py_CLEAR(result);
        }
        else {
            PyList_SET_ITEM(result, (Py_ssize_t)i, list);
        }
    }
    return result;
}

/* Takes the list of targets and that of all objects away from what was found: they are
 * ours, not the user's. False when there is a target that nobody holds. */
static bool
leave_out_ours(nbp_scan *self, const PyObject *targets, const PyObject *prepared)
{
    bool all_held = true;
    for (size_t i = 0; i < self->count; i++) {
        nbp_objects *found = &self->found[i];
        size_t left = 0;
        for (size_t j = 0; j < found->count; j++) {
            if (found->items[j] != targets && found->items[j] != prepared) {
                found->items[left++] = found->items[j];
            }
        }
        found->count = left;
        all_held = all_held && left > 0;
    }
    return all_held;
}

PyDoc_STRVAR(
    referrers_doc,
    "referrers($module, targets, search=None, /)\n"
    "--\n"
    "\n"
    "The objects that hold each of some objects.\n"
    "\n"
    "Parameters\n"
    "----------\n"
    "targets : list\n"
    "    However many there are, the heap is looked through once.\n"
    "search : list, optional\n"
    "    What start_search() gave: objects made since are not looked into.\n"
    "\n"
    "Returns\n"
    "-------\n"
    "list of list\n"
    "    For each target its holders, `targets` itself left out; also untracked\n"
    "    containers, code objects and static types. Running frames are not\n"
    "    objects and are not among them.\n");

/* `given`: what start_search() gave, or NULL. */
static PyObject *
look_for(PyObject *targets, bool tracked_only, PyObject *given)
{
    if (!PyList_CheckExact(targets)) {
        PyErr_SetString(PyExc_TypeError, "referrers takes a list");
        return NULL;
    }
    int frozen = is_frozen();
    PyObject *prepared = NULL; /* owned */
    if (frozen >= 0) {
        nbp_arrays_prepare();
        prepared = given == NULL ? nbp_walk_prepare() : Py_NewRef(given);
    }
    if (prepared == NULL) {
        return NULL;
    }
    nbp_scan *self = malloc(sizeof(*self)); /* owned; too large for the stack */
    PyObject *result = NULL;                /* owned, returned */
    nbp_status status = NBP_NO_MEMORY;
    if (self != NULL) {
        status = nbp_scan_start(self, ((PyListObject *)targets)->ob_item,
                                (size_t)PyList_GET_SIZE(targets));
        if (status == NBP_OK) {
            self->frozen = frozen;
            self->thorough = self->thorough && !tracked_only;
            status = nbp_scan_heap(self, prepared);
        }
        if (status == NBP_OK && !leave_out_ours(self, targets, prepared) &&
            !self->thorough && nbp_arrays_are_known()) {
            /* Something that nobody holds may be in an array of objects. */
            self->thorough = true;
            status = nbp_scan_heap(self, prepared);
            leave_out_ours(self, targets, prepared);
        }
    }
    if (status == NBP_OK) {
        result = scan_result(self);
    }
    else {
        nbp_raise(status, "looking for references");
    }
    if (self != NULL) {
        nbp_scan_free(self);
        free(self);
    }
    Py_DECREF(prepared);
    return result;
}

static PyObject *
read_and_look(PyObject *args, bool tracked_only)
{
    PyObject *targets, *search = Py_None; /* borrowed */
    if (!PyArg_ParseTuple(args, "O|O:referrers", &targets, &search)) {
        return NULL;
    }
    if (search != Py_None && !PyList_CheckExact(search)) {
        PyErr_SetString(PyExc_TypeError, "search must be what start_search() gave");
        return NULL;
    }
    return look_for(targets, tracked_only, search == Py_None ? NULL : search);
}

static PyObject *
referrers(PyObject *Py_UNUSED(module), PyObject *args)
{
    return read_and_look(args, false);
}

PyDoc_STRVAR(start_search_doc,
             "start_search($module, /)\n"
             "--\n"
             "\n"
             "What several calls of referrers() would make each, to be given up soon.\n"
             "\n"
             "On Python 3.11 a list of all objects, each of which it holds; None from\n"
             "3.12 on, where the interpreter lets them be visited.\n");

static PyObject *
start_search(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    return nbp_walk_prepare();
}

PyDoc_STRVAR(tracked_referrers_doc,
             "tracked_referrers($module, targets, search=None, /)\n"
             "--\n"
             "\n"
             "Like referrers(), without holders that the collector does not track.\n"
             "\n"
             "A third of the time where a target is untracked itself or a tuple.\n");

static PyObject *
tracked_referrers(PyObject *Py_UNUSED(module), PyObject *args)
{
    return read_and_look(args, true);
}

static PyMethodDef refs_methods[] = {
    {"referents", referents, METH_O, referents_doc},
    {"referrers", referrers, METH_VARARGS, referrers_doc},
    {"start_search", start_search, METH_NOARGS, start_search_doc},
    {"tracked_referrers", tracked_referrers, METH_VARARGS, tracked_referrers_doc},
    {NULL, NULL, 0, NULL},
};

int
nbp_add_refs(PyObject *module)
{
    return PyModule_AddFunctions(module, refs_methods);
}
