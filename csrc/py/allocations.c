/* SPDX-License-Identifier: BSD-3-Clause */
/* nbprobe._core.Allocations: allochooks.h for Python. */
#include <Python.h>

#include <stdlib.h>

#include "allochooks.h"
#include "allocobjects.h"
#include "allocrows.h"
#include "imports.h"
#include "state.h"

/* Not tracked by the collector: what it holds, code objects, makes no cycle with it. */
typedef struct {
    PyObject_HEAD
    nbp_alloc_use use;
} allocations_object;

static PyObject *
allocations_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"level", "frames", "native", NULL};
    int level = NBP_ALLOC_EXACT, frames = 1, native = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|i$ip:Allocations", keywords,
                                     &level, &frames, &native)) {
        return NULL;
    }
    if (level < NBP_ALLOC_COUNTS || level > NBP_ALLOC_SITES) {
        PyErr_Format(PyExc_ValueError,
                     "level must be one of _core.ALLOCATIONS_*, not %d", level);
        return NULL;
    }
    if (frames < 1 || frames > NBP_SITE_FRAMES_MOST) {
        PyErr_Format(PyExc_ValueError, "frames must be between 1 and %d, not %d",
                     (int)NBP_SITE_FRAMES_MOST, frames);
        return NULL;
    }
    allocations_object *self = (allocations_object *)type->tp_alloc(type, 0);
    if (self != NULL) {
        self->use.level = (nbp_alloc_level)level;
        self->use.frames = (uint32_t)frames;
        self->use.native = native;
    }
    return (PyObject *)self;
}

static void
allocations_dealloc(allocations_object *self)
{
    PyTypeObject *type = Py_TYPE(self);
    nbp_alloc_use_free(&self->use);
    type->tp_free(self);
    Py_DECREF(type);
}

PyDoc_STRVAR(start_doc, "start($self, /)\n"
                        "--\n"
                        "\n"
                        "Start counting from 0, and forget what was counted before.\n"
                        "\n"
                        "Raises\n"
                        "------\n"
                        "RuntimeError\n"
                        "    If it counts already.\n");

static PyObject *
allocations_start(allocations_object *self, PyObject *Py_UNUSED(ignored))
{
    if (nbp_alloc_use_open(&self->use) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(stop_doc, "stop($self, /)\n"
                       "--\n"
                       "\n"
                       "Stop counting; once more does nothing.\n");

static PyObject *
allocations_stop(allocations_object *self, PyObject *Py_UNUSED(ignored))
{
    nbp_alloc_use_close(&self->use);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(enter_doc, "__enter__($self, /)\n"
                        "--\n"
                        "\n"
                        "Start; the object itself.\n");

static PyObject *
allocations_enter(allocations_object *self, PyObject *Py_UNUSED(ignored))
{
    Py_INCREF(self);
    if (nbp_alloc_use_open(&self->use) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

PyDoc_STRVAR(exit_doc, "__exit__($self, type, value, traceback, /)\n"
                       "--\n"
                       "\n"
                       "Stop.\n");

static PyObject *
allocations_exit(allocations_object *self, PyObject *const *args, Py_ssize_t n_args)
{
    nbp_alloc_use_close(&self->use);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(reset_doc,
             "reset_peak($self, /)\n"
             "--\n"
             "\n"
             "Let the peak start again, from what is allocated and not freed now.\n");

static PyObject *
allocations_reset_peak(allocations_object *self, PyObject *Py_UNUSED(ignored))
{
    if (self->use.open && self->use.level >= NBP_ALLOC_EXACT) {
        nbp_alloctable_reset_peak(nbp_alloc_table(), &self->use.measure);
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(
    table_doc,
    "table($self, by='line', /)\n"
    "--\n"
    "\n"
    "What was allocated until now, by place.\n"
    "\n"
    "Parameters\n"
    "----------\n"
    "by : str\n"
    "    What the keys are: ``'line'``, (file, line); ``'file'``, file;\n"
    "    ``'function'``, (file, line of the function, qualified name);\n"
    "    ``'traceback'``, a tuple of (file, line, qualified name), innermost first,\n"
    "    as many as `frames`.\n"
    "\n"
    "Returns\n"
    "-------\n"
    "dict\n"
    "    By key, 8 ints: bytes and blocks that were allocated; those alive at the\n"
    "    measurement's peak; those that were temporary (freed by their thread before\n"
    "    it had allocated four others); those alive now. What no Python frame has\n"
    "    allocated is under the file ``'<no Python frame>'``, line 0. Empty but with\n"
    "    ALLOCATIONS_SITES.\n");

static PyObject *
allocations_table(allocations_object *self, PyObject *const *args, Py_ssize_t n_args)
{
    if (n_args > 1) {
        PyErr_SetString(PyExc_TypeError, "table() takes one argument");
        return NULL;
    }
    return nbp_allocrows(&self->use.measure, n_args == 0 ? NULL : args[0]);
}

PyDoc_STRVAR(
    objects_doc,
    "objects($self, /)\n"
    "--\n"
    "\n"
    "The objects that were allocated since the start and are alive.\n"
    "\n"
    "Only those that the collector tracks and what these hold: not what C code\n"
    "or a running expression alone has.\n"
    "\n"
    "Returns\n"
    "-------\n"
    "list\n"
    "    In no order; empty once it was stopped, and with ALLOCATIONS_COUNTS.\n");

static PyObject *
allocations_objects(allocations_object *self, PyObject *Py_UNUSED(ignored))
{
    if (!self->use.open || self->use.level < NBP_ALLOC_EXACT) {
        return PyList_New(0);
    }
    return nbp_alloc_objects(&self->use.measure);
}

PyDoc_STRVAR(
    types_doc,
    "types($self, /)\n"
    "--\n"
    "\n"
    "The same objects, counted by type.\n"
    "\n"
    "Returns\n"
    "-------\n"
    "list of tuple of (type, int, int)\n"
    "    How many, and their bytes with what belongs to them alone, such as the\n"
    "    items of a list or an array's data.\n");

static PyObject *
allocations_types(allocations_object *self, PyObject *Py_UNUSED(ignored))
{
    if (!self->use.open || self->use.level < NBP_ALLOC_EXACT) {
        return PyList_New(0);
    }
    return nbp_alloc_types(&self->use.measure);
}

PyDoc_STRVAR(
    place_doc,
    "place($self, obj, /)\n"
    "--\n"
    "\n"
    "Where an object was allocated since the start.\n"
    "\n"
    "Returns\n"
    "-------\n"
    "tuple of tuple of (str, int, str), or None\n"
    "    File, line and function of each frame, the innermost first; empty when\n"
    "    there was no Python frame. None for another object, once it was\n"
    "    stopped, and but with ALLOCATIONS_SITES.\n");

static PyObject *
allocations_place(allocations_object *self, PyObject *obj)
{
    if (!self->use.open || self->use.level < NBP_ALLOC_SITES) {
        Py_RETURN_NONE;
    }
    return nbp_allocrows_place(&self->use.measure, obj);
}

/* --- Figures -----------------------------------------------------------------------
 */

enum {
    ALLOCATED_BYTES,
    ALLOCATED_BLOCKS,
    FREED_BYTES,
    FREED_BLOCKS,
    CURRENT_BYTES,
    CURRENT_BLOCKS,
    PEAK_BYTES,
    PEAK_BLOCKS,
    NATIVE_BYTES,
    NATIVE_BLOCKS,
};

static PyObject *
allocations_figure(allocations_object *self, void *closure)
{
    nbp_alloc_totals totals = nbp_alloc_use_totals(&self->use);
    const uint64_t figures[] = {
        [ALLOCATED_BYTES] = totals.allocated_bytes,
        [ALLOCATED_BLOCKS] = totals.allocated_blocks,
        [FREED_BYTES] = totals.freed_bytes,
        [FREED_BLOCKS] = totals.freed_blocks,
        [CURRENT_BYTES] = totals.current_bytes,
        [CURRENT_BLOCKS] = totals.current_blocks,
        [PEAK_BYTES] = totals.peak_bytes,
        [PEAK_BLOCKS] = totals.peak_blocks,
        [NATIVE_BYTES] = totals.native_bytes,
        [NATIVE_BLOCKS] = totals.native_blocks,
    };
    return PyLong_FromUnsignedLongLong(figures[(intptr_t)closure]);
}

static PyObject *
allocations_level(allocations_object *self, void *Py_UNUSED(closure))
{
    return PyLong_FromLong(self->use.level);
}

static PyObject *
allocations_active(allocations_object *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(self->use.open);
}

static PyObject *
allocations_note(allocations_object *self, void *Py_UNUSED(closure))
{
    if (self->use.displaced) {
        return PyUnicode_FromString("another tool has removed the hooks meanwhile:"
                                    " what came after is not counted");
    }
    if (self->use.native && nbp_imports_unavailable()[0] != '\0') {
        return PyUnicode_FromString(nbp_imports_unavailable());
    }
    if (self->use.measure.incomplete) {
        return PyUnicode_FromString("memory ran out: some blocks were not counted");
    }
    return PyUnicode_FromString("");
}

PyDoc_STRVAR(
    allocations_doc,
    "Allocations(level=ALLOCATIONS_EXACT, *, frames=1, native=False)\n"
    "--\n"
    "\n"
    "What Python's allocators give out and take back, in all threads.\n"
    "\n"
    "Exact to the byte, in bytes as they were asked for; a block that grows is a\n"
    "free and an allocation. Objects from the interpreter's free lists (small\n"
    "tuples, floats, frames) are not allocations. Any number of them may overlap,\n"
    "also with tracemalloc; each counts only what is allocated after its own start.\n"
    "\n"
    "Parameters\n"
    "----------\n"
    "level : int\n"
    "    ALLOCATIONS_COUNTS: what is allocated, 5 ns an allocation; frees are not\n"
    "    seen. ALLOCATIONS_EXACT: also what is freed, and the peak, 20 to 50 ns.\n"
    "    ALLOCATIONS_SITES: also by place (:meth:`table`), some 30 ns more.\n"
    "frames : int\n"
    "    Frames of each place, innermost first, with ALLOCATIONS_SITES.\n"
    "native : bool\n"
    "    Libraries too, that call malloc() or mmap() on their own: on Linux with\n"
    "    glibc, elsewhere :attr:`note` says that they are not seen. While such a one\n"
    "    is open, overlapping ones count libraries as well.\n"
    "\n"
    "Examples\n"
    "--------\n"
    ">>> with Allocations() as counted:\n"
    "...     text = bytes(1000)\n"
    ">>> counted.allocations, counted.allocated_bytes, counted.current_bytes\n"
    "(1, 1033, 1033)\n");

PyDoc_STRVAR(
    leave_out_doc,
    "leave_out_thread(leave_out=True, ident=None, /)\n"
    "--\n"
    "\n"
    "Let nothing count what the calling thread allocates, until it ends or\n"
    "this is taken back with False.\n"
    "\n"
    "For threads that work for whoever measures. What they free of other\n"
    "threads' blocks is counted as freed. With `ident`, as threading gives it,\n"
    "it is for another thread, and has to be taken back as often as it was\n"
    "asked for.\n");

static PyObject *
leave_out_thread(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t n_args)
{
    int leave_out = n_args == 0 ? 1 : PyObject_IsTrue(args[0]);
    if (leave_out < 0) {
        return NULL;
    }
    if (n_args < 2 || args[1] == Py_None) {
        if (nbp_alloc_leave_out(leave_out) < 0) {
            return NULL;
        }
        Py_RETURN_NONE;
    }
    unsigned long ident = PyLong_AsUnsignedLong(args[1]);
    if (PyErr_Occurred() || nbp_alloc_leave_out_other(ident, leave_out) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"leave_out_thread", (PyCFunction)(void (*)(void))leave_out_thread, METH_FASTCALL,
     leave_out_doc},
    {NULL, NULL, 0, NULL},
};

static PyMethodDef allocations_methods[] = {
    {"start", (PyCFunction)allocations_start, METH_NOARGS, start_doc},
    {"stop", (PyCFunction)allocations_stop, METH_NOARGS, stop_doc},
    {"reset_peak", (PyCFunction)allocations_reset_peak, METH_NOARGS, reset_doc},
    {"table", (PyCFunction)(void (*)(void))allocations_table, METH_FASTCALL, table_doc},
    {"place", (PyCFunction)allocations_place, METH_O, place_doc},
    {"objects", (PyCFunction)allocations_objects, METH_NOARGS, objects_doc},
    {"types", (PyCFunction)allocations_types, METH_NOARGS, types_doc},
    {"__enter__", (PyCFunction)allocations_enter, METH_NOARGS, enter_doc},
    {"__exit__", (PyCFunction)(void (*)(void))allocations_exit, METH_FASTCALL,
     exit_doc},
    {NULL, NULL, 0, NULL},
};

#define FIGURE(name, number, text)                                                     \
    {name, (getter)allocations_figure, NULL, PyDoc_STR(text), (void *)(number)}

static PyGetSetDef allocations_properties[] = {
    FIGURE("allocated_bytes", ALLOCATED_BYTES, "int: bytes that were allocated."),
    FIGURE("allocations", ALLOCATED_BLOCKS, "int: blocks that were allocated."),
    FIGURE("freed_bytes", FREED_BYTES, "int: bytes of those that were freed."),
    FIGURE("frees", FREED_BLOCKS, "int: blocks of those that were freed."),
    FIGURE("current_bytes", CURRENT_BYTES, "int: bytes allocated and not freed."),
    FIGURE("current_blocks", CURRENT_BLOCKS, "int: blocks allocated and not freed."),
    FIGURE("peak_bytes", PEAK_BYTES, "int: the most bytes at once."),
    FIGURE("peak_blocks", PEAK_BLOCKS, "int: the blocks that there were then."),
    FIGURE("native_bytes", NATIVE_BYTES,
           "int: of the bytes that were allocated, those by libraries."),
    FIGURE("native_allocations", NATIVE_BLOCKS,
           "int: of the blocks that were allocated, those by libraries."),
    {"level", (getter)allocations_level, NULL,
     PyDoc_STR("int: one of ALLOCATIONS_*."), NULL},
     {"active", (getter)allocations_active, NULL, PyDoc_STR("bool: it counts."), NULL},
      {"note", (getter)allocations_note, NULL,
       PyDoc_STR("str: one line when the figures are not complete; else ''."), NULL},
       {NULL, NULL, NULL, NULL, NULL},
     };

static PyType_Slot allocations_slots[] = {
    {Py_tp_doc, (void *)allocations_doc},   {Py_tp_new, allocations_new},
    {Py_tp_dealloc, allocations_dealloc},   {Py_tp_methods, allocations_methods},
    {Py_tp_getset, allocations_properties}, {0, NULL},
};

static PyType_Spec allocations_spec = {
    .name = "nbprobe._core.Allocations",
    .basicsize = sizeof(allocations_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = allocations_slots,
};

int
nbp_add_allocations(PyObject *module)
{
    nbp_state *state = nbp_state_of(module);
    state->allocations_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &allocations_spec, NULL);
    if (state->allocations_type == NULL ||
        PyModule_AddFunctions(module, functions) < 0 ||
        PyModule_AddIntConstant(module, "ALLOCATIONS_COUNTS", NBP_ALLOC_COUNTS) < 0 ||
        PyModule_AddIntConstant(module, "ALLOCATIONS_EXACT", NBP_ALLOC_EXACT) < 0 ||
        PyModule_AddIntConstant(module, "ALLOCATIONS_SITES", NBP_ALLOC_SITES) < 0) {
        return -1;
    }
    return PyModule_AddType(module, state->allocations_type);
}
