/* SPDX-License-Identifier: BSD-3-Clause */
/* nbprobe._core.ResidentSampler: core/rsssampler.h for Python. */
#include "rsssampler.h"

#include <Python.h>

#include <math.h>
#include <stdbool.h>
#include <unistd.h>

#include "processes.h"
#include "state.h"

typedef struct {
    PyObject_HEAD
    nbp_rsssampler_options options;
    nbp_rsssampler_t *sampler; /* owned; NULL before the first start */
    bool running;
    bool ending; /* another thread waits for the end, without the GIL */
} sampler_object;

static PyObject *
sampler_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"interval", "capacity", "pid", "children", NULL};
    double interval = 0.001;
    Py_ssize_t capacity = 512;
    PyObject *number = NULL; /* borrowed */
    int children = 0;
    pid_t pid = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|dn$Op:ResidentSampler", keywords,
                                     &interval, &capacity, &number, &children) ||
        (number != NULL && nbp_process_number(number, &pid) < 0)) {
        return NULL;
    }
    if (!(interval >= 0.0001 && interval <= 3600)) {
        PyErr_SetString(PyExc_ValueError,
                        "interval must be between 0.0001 and 3600 seconds");
        return NULL;
    }
    if (capacity < 2 || capacity > 10000000) {
        PyErr_SetString(PyExc_ValueError,
                        "capacity must be between 2 and 10,000,000 samples");
        return NULL;
    }
    sampler_object *self = (sampler_object *)type->tp_alloc(type, 0);
    if (self != NULL) {
        self->options = (nbp_rsssampler_options){
            .pid = number == NULL ? 0 : pid,
            .children = children,
            .interval_ns = (int64_t)llround(interval * 1e9),
            .capacity = (size_t)capacity,
        };
    }
    return (PyObject *)self;
}

/* Waits for the thread, which may be reading, without the GIL. */
static void
end_sampling(sampler_object *self)
{
    if (!self->running || self->ending) {
        return;
    }
    self->ending = true;
    Py_BEGIN_ALLOW_THREADS
    nbp_rsssampler_stop(self->sampler);
    Py_END_ALLOW_THREADS
    self->running = self->ending = false;
}

static void
sampler_dealloc(sampler_object *self)
{
    PyTypeObject *type = Py_TYPE(self);
    end_sampling(self);
    nbp_rsssampler_destroy(&self->sampler);
    type->tp_free(self);
    Py_DECREF(type);
}

PyDoc_STRVAR(sampler_start_doc,
             "start($self, /)\n"
             "--\n"
             "\n"
             "Start sampling, with an empty table.\n"
             "\n"
             "Raises\n"
             "------\n"
             "RuntimeError\n"
             "    If it is sampling.\n"
             "ProcessLookupError, PermissionError\n"
             "    If the process has ended, or belongs to somebody else.\n");

static PyObject *
sampler_start(sampler_object *self, PyObject *Py_UNUSED(ignored))
{
    nbp_status status;
    int error;
    if (self->running) {
        PyErr_SetString(PyExc_RuntimeError, "this sampler is sampling already");
        return NULL;
    }
    nbp_rsssampler_destroy(&self->sampler);
    self->sampler = nbp_rsssampler_new(&self->options, &status, &error);
    if (self->sampler == NULL) {
        return status == NBP_UNAVAILABLE
                   ? nbp_raise_for_process(
                         self->options.pid == 0 ? getpid() : self->options.pid, error)
                   : nbp_raise(status, "sampling resident memory");
    }
    self->running = true;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(sampler_stop_doc,
             "stop($self, /)\n"
             "--\n"
             "\n"
             "Take a last sample and end the thread; once more does nothing.\n");

static PyObject *
sampler_stop(sampler_object *self, PyObject *Py_UNUSED(ignored))
{
    end_sampling(self);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(sampler_samples_doc,
             "samples($self, /)\n"
             "--\n"
             "\n"
             "What was seen so far: a list of (ns since the start, bytes).\n"
             "\n"
             "From the start until now, at most `capacity`: the most in each of as\n"
             "many equal time spans, and the moment of it.\n");

static PyObject *
sampler_samples(sampler_object *self, PyObject *Py_UNUSED(ignored))
{
    nbp_rss_sample *samples =
        PyMem_Calloc(self->options.capacity, sizeof(*samples)); /* owned */
    if (samples == NULL) {
        return PyErr_NoMemory();
    }
    size_t count = 0;
    if (self->sampler != NULL) {
        count = nbp_rsssampler_samples(self->sampler, samples, self->options.capacity);
    }
    PyObject *list = PyList_New((Py_ssize_t)count); /* owned, returned */
    for (size_t i = 0; list != NULL && i < count; i++) {
        PyObject *pair = Py_BuildValue("(LL)", (long long)samples[i].time_ns,
                                       (long long)samples[i].bytes);
        if (pair == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, (Py_ssize_t)i, pair);
    }
    PyMem_Free(samples);
    return list;
}

PyDoc_STRVAR(sampler_enter_doc, "__enter__($self, /)\n"
                                "--\n"
                                "\n"
                                "Start; the sampler itself.\n");

static PyObject *
sampler_enter(sampler_object *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *started = sampler_start(self, NULL);
    if (started == NULL) {
        return NULL;
    }
    Py_DECREF(started);
    return Py_NewRef((PyObject *)self);
}

PyDoc_STRVAR(sampler_exit_doc, "__exit__($self, type, value, traceback, /)\n"
                               "--\n"
                               "\n"
                               "Stop.\n");

static PyObject *
sampler_exit(sampler_object *self, PyObject *const *args, Py_ssize_t n_args)
{
    end_sampling(self);
    Py_RETURN_NONE;
}

static PyObject *
sampler_peak_bytes(sampler_object *self, void *Py_UNUSED(closure))
{
    return PyLong_FromLongLong(
        self->sampler == NULL ? 0 : nbp_rsssampler_peak(self->sampler, 0));
}

static PyObject *
sampler_readings(sampler_object *self, void *Py_UNUSED(closure))
{
    uint64_t taken = 0, failed = 0;
    if (self->sampler != NULL) {
        nbp_rsssampler_readings(self->sampler, &taken, &failed);
    }
    return Py_BuildValue("(KK)", (unsigned long long)taken, (unsigned long long)failed);
}

static PyObject *
sampler_active(sampler_object *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(self->running);
}

PyDoc_STRVAR(
    sampler_doc,
    "ResidentSampler(interval=0.001, capacity=512, *, pid=0, children=False)\n"
    "--\n"
    "\n"
    "A process's resident memory over time, seen by a thread without the GIL.\n"
    "\n"
    "Parameters\n"
    "----------\n"
    "interval : float\n"
    "    Seconds between two readings.\n"
    "capacity : int\n"
    "    The most samples that are kept; a full table keeps the most of each\n"
    "    two time spans.\n"
    "pid : int\n"
    "    The process; 0 is this one.\n"
    "children : bool\n"
    "    Add all descendants: proportional sizes, milliseconds a reading.\n");

static PyMethodDef sampler_methods[] = {
    {"start", (PyCFunction)sampler_start, METH_NOARGS, sampler_start_doc},
    {"stop", (PyCFunction)sampler_stop, METH_NOARGS, sampler_stop_doc},
    {"samples", (PyCFunction)sampler_samples, METH_NOARGS, sampler_samples_doc},
    {"__enter__", (PyCFunction)sampler_enter, METH_NOARGS, sampler_enter_doc},
    {"__exit__", (PyCFunction)(void (*)(void))sampler_exit, METH_FASTCALL,
     sampler_exit_doc},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef sampler_properties[] = {
    {"peak_bytes", (getter)sampler_peak_bytes, NULL,
     PyDoc_STR("int: the most seen in any reading; 0 before the start."), NULL},
     {"readings", (getter)sampler_readings, NULL,
      PyDoc_STR("tuple of two ints: readings taken, and those of them that failed\n"
               "because the process has ended."),
                NULL},
      {"active", (getter)sampler_active, NULL,
       PyDoc_STR("bool: it is sampling."), NULL},
       {NULL, NULL, NULL, NULL, NULL},
     };

static PyType_Slot sampler_slots[] = {
    {Py_tp_doc, (void *)sampler_doc},   {Py_tp_new, sampler_new},
    {Py_tp_dealloc, sampler_dealloc},   {Py_tp_methods, sampler_methods},
    {Py_tp_getset, sampler_properties}, {0, NULL},
};

static PyType_Spec sampler_spec = {
    .name = "nbprobe._core.ResidentSampler",
    .basicsize = sizeof(sampler_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = sampler_slots,
};

int
nbp_add_rsssampler(PyObject *module)
{
    nbp_state *state = nbp_state_of(module);
    state->sampler_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &sampler_spec, NULL);
    return state->sampler_type == NULL ? -1
                                       : PyModule_AddType(module, state->sampler_type);
}
