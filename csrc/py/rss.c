/* SPDX-License-Identifier: BSD-3-Clause */
/* Resident memory for Python, now and at its highest: core/rss.h. */
#include "rss.h"

#include <Python.h>

#include <errno.h>
#include <unistd.h>

#include "allochooks.h"
#include "process.h"
#include "processes.h"
#include "state.h"

PyDoc_STRVAR(resident_doc,
             "resident($module, pid=0, /)\n"
             "--\n"
             "\n"
             "Bytes of a process that are resident in memory now; 0: this process.\n"
             "\n"
             "For this process, 0.7 us, and without the tables of the allocator hooks\n"
             "while they are in use.\n"
             "\n"
             "Raises\n"
             "------\n"
             "ProcessLookupError\n"
             "    If there is no such process, or it has ended.\n"
             "OSError\n"
             "    If the platform does not tell.\n");

static PyObject *
resident(PyObject *module, PyObject *const *args, Py_ssize_t n_args)
{
    pid_t pid;
    int64_t bytes;
    if (n_args > 1) {
        PyErr_Format(PyExc_TypeError, "resident() takes one process, not %zd", n_args);
        return NULL;
    }
    if (n_args == 0) {
        bytes = nbp_rss_now_bytes(nbp_state_of(module)->rss);
        return bytes < 0 ? nbp_raise_for_process(getpid(), ENOSYS)
                         : PyLong_FromLongLong(bytes);
    }
    if (nbp_process_number(args[0], &pid) < 0) {
        return NULL;
    }
    int error = nbp_process_rss(pid, &bytes);
    return error != 0 ? nbp_raise_for_process(pid, error) : PyLong_FromLongLong(bytes);
}

/* Not tracked by the collector: it holds no object. */
typedef struct {
    PyObject_HEAD
    nbp_rss_t *rss;   /* the module's, or owned when `owns` */
    PyObject *module; /* owned: keeps its rss alive */
    bool owns;
    nbp_rss_peak peak;
} peak_object;

static PyObject *
peak_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"sampled", NULL};
    int sampled = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$p:ResidentPeak", keywords,
                                     &sampled)) {
        return NULL;
    }
    nbp_state *state = nbp_state_of_type(type);
    peak_object *self =
        state == NULL ? NULL : (peak_object *)type->tp_alloc(type, 0); /* owned */
    if (self == NULL) {
        return NULL;
    }
    self->module = Py_NewRef(PyType_GetModule(type));
    self->owns = sampled;
    self->rss = sampled ? nbp_rss_new(true) : state->rss;
    if (self->rss == NULL) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    return (PyObject *)self;
}

static void
peak_dealloc(peak_object *self)
{
    PyTypeObject *type = Py_TYPE(self);
    if (self->rss != NULL) {
        nbp_rss_end(self->rss, &self->peak);
        if (self->owns) {
            nbp_rss_destroy(&self->rss);
        }
    }
    Py_CLEAR(self->module);
    type->tp_free(self);
    Py_DECREF(type);
}

PyDoc_STRVAR(peak_start_doc, "start($self, /)\n"
                             "--\n"
                             "\n"
                             "Start from now.\n"
                             "\n"
                             "Raises\n"
                             "------\n"
                             "RuntimeError\n"
                             "    If it has started, or nothing is known here.\n");

static PyObject *
peak_start(peak_object *self, PyObject *Py_UNUSED(ignored))
{
    nbp_status status = nbp_rss_begin(self->rss, &self->peak);
    if (status == NBP_INVALID) {
        PyErr_SetString(PyExc_RuntimeError, "this peak has been started already");
        return NULL;
    }
    if (status != NBP_OK) {
        return nbp_raise(status, "reading resident memory");
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(peak_stop_doc,
             "stop($self, /)\n"
             "--\n"
             "\n"
             "Stop, and say the peak, bytes; once more says it again.\n");

static PyObject *
peak_stop(peak_object *self, PyObject *Py_UNUSED(ignored))
{
    return PyLong_FromLongLong(nbp_rss_end(self->rss, &self->peak));
}

PyDoc_STRVAR(peak_lap_doc, "lap($self, /)\n"
                           "--\n"
                           "\n"
                           "Say the peak, bytes, and start again from now.\n");

static PyObject *
peak_lap(peak_object *self, PyObject *Py_UNUSED(ignored))
{
    return PyLong_FromLongLong(nbp_rss_lap(self->rss, &self->peak));
}

PyDoc_STRVAR(peak_enter_doc, "__enter__($self, /)\n"
                             "--\n"
                             "\n"
                             "Start; the peak itself.\n");

static PyObject *
peak_enter(peak_object *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *started = peak_start(self, NULL);
    if (started == NULL) {
        return NULL;
    }
    Py_DECREF(started);
    return Py_NewRef((PyObject *)self);
}

PyDoc_STRVAR(peak_exit_doc, "__exit__($self, type, value, traceback, /)\n"
                            "--\n"
                            "\n"
                            "Stop.\n");

static PyObject *
peak_exit(peak_object *self, PyObject *const *args, Py_ssize_t n_args)
{
    nbp_rss_end(self->rss, &self->peak);
    Py_RETURN_NONE;
}

static PyObject *
peak_peak_bytes(peak_object *self, void *Py_UNUSED(closure))
{
    return PyLong_FromLongLong(nbp_rss_read(self->rss, &self->peak));
}

static PyObject *
peak_start_bytes(peak_object *self, void *Py_UNUSED(closure))
{
    return PyLong_FromLongLong(self->peak.start_bytes);
}

static PyObject *
peak_active(peak_object *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(self->peak.open);
}

static PyObject *
peak_exact(peak_object *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(nbp_rss_is_exact(self->rss));
}

static PyObject *
peak_how(peak_object *self, void *Py_UNUSED(closure))
{
    return PyUnicode_DecodeLocale(nbp_rss_how(self->rss), "surrogateescape");
}

PyDoc_STRVAR(
    peak_doc,
    "ResidentPeak(*, sampled=False)\n"
    "--\n"
    "\n"
    "The most memory of this process that was resident between two moments.\n"
    "\n"
    "Exact where the kernel lets a process reset its high-water mark, however\n"
    "short the peak; elsewhere, or with `sampled`, a thread without the GIL\n"
    "looks every millisecond. :attr:`how` says which. Any number of them may\n"
    "overlap.\n"
    "\n"
    "Examples\n"
    "--------\n"
    ">>> with ResidentPeak() as peak:\n"
    "...     del (text := bytearray(50_000_000))[:]\n"
    ">>> round((peak.peak_bytes - peak.start_bytes) / 1e6)\n"
    "50\n");

static PyMethodDef peak_methods[] = {
    {"start", (PyCFunction)peak_start, METH_NOARGS, peak_start_doc},
    {"stop", (PyCFunction)peak_stop, METH_NOARGS, peak_stop_doc},
    {"lap", (PyCFunction)peak_lap, METH_NOARGS, peak_lap_doc},
    {"__enter__", (PyCFunction)peak_enter, METH_NOARGS, peak_enter_doc},
    {"__exit__", (PyCFunction)(void (*)(void))peak_exit, METH_FASTCALL, peak_exit_doc},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef peak_properties[] = {
    {"peak_bytes", (getter)peak_peak_bytes, NULL,
     PyDoc_STR("int: the most resident since the start or the last lap."), NULL},
     {"start_bytes", (getter)peak_start_bytes, NULL,
      PyDoc_STR("int: resident at the start."), NULL},
      {"active", (getter)peak_active, NULL, PyDoc_STR("bool: it has started."), NULL},
       {"exact", (getter)peak_exact, NULL,
        PyDoc_STR("bool: it is the kernel's own mark."), NULL},
        {"how", (getter)peak_how, NULL,
         PyDoc_STR("str: how the peak is found, in words."), NULL},
         {NULL, NULL, NULL, NULL, NULL},
       };

static PyType_Slot peak_slots[] = {
    {Py_tp_doc, (void *)peak_doc},   {Py_tp_new, peak_new},
    {Py_tp_dealloc, peak_dealloc},   {Py_tp_methods, peak_methods},
    {Py_tp_getset, peak_properties}, {0, NULL},
};

static PyType_Spec peak_spec = {
    .name = "nbprobe._core.ResidentPeak",
    .basicsize = sizeof(peak_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = peak_slots,
};

static PyMethodDef functions[] = {
    {"resident", (PyCFunction)(void (*)(void))resident, METH_FASTCALL, resident_doc},
    {NULL, NULL, 0, NULL},
};

int
nbp_add_rss(PyObject *module)
{
    nbp_state *state = nbp_state_of(module);
    state->rss = nbp_rss_new(false);
    if (state->rss == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    nbp_alloc_discount_from(state->rss);
    state->peak_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &peak_spec, NULL);
    if (state->peak_type == NULL || PyModule_AddType(module, state->peak_type) < 0) {
        return -1;
    }
    return PyModule_AddFunctions(module, functions);
}
