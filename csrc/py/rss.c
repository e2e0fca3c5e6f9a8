/* SPDX-License-Identifier: BSD-3-Clause */
/* Resident memory for Python: core/rss.h, core/rsssampler.h and core/process.h. */
#include "rss.h"

#include <Python.h>

#include <errno.h>
#include <math.h>

#include "allochooks.h"
#include "process.h"
#include "rsssampler.h"
#include "state.h"

/* Raises what `error` (an errno) says about process `pid`; always NULL. */
static PyObject *
raise_for(pid_t pid, int error)
{
    if (error == ENOMEM) {
        return PyErr_NoMemory();
    }
    const char *what = error == ESRCH    ? "there is no process %ld"
                       : error == ENOSYS ? "process %ld: there is no /proc here"
                                         : "process %ld belongs to somebody else";
    PyObject *text = PyUnicode_FromFormat(what, (long)pid); /* owned */
    PyObject *args = text == NULL ? NULL : Py_BuildValue("(iN)", error, text);
    if (args != NULL) {
        PyErr_SetObject(PyExc_OSError, args); /* of the subclass that is due */
        Py_DECREF(args);
    }
    return NULL;
}

/* A process number from `arg` into `*pid`, 0 for a zero; -1 with an exception set. */
static int
pid_from(PyObject *arg, pid_t *pid)
{
    long number = PyLong_AsLong(arg);
    if (number == -1 && PyErr_Occurred()) {
        return -1;
    }
    if (number < 0 || number > INT_MAX) {
        PyErr_Format(PyExc_ValueError, "a process number is positive, not %ld", number);
        return -1;
    }
    *pid = number == 0 ? getpid() : (pid_t)number;
    return 0;
}

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
        return bytes < 0 ? raise_for(getpid(), ENOSYS) : PyLong_FromLongLong(bytes);
    }
    if (pid_from(args[0], &pid) < 0) {
        return NULL;
    }
    int error = nbp_process_rss(pid, &bytes);
    return error != 0 ? raise_for(pid, error) : PyLong_FromLongLong(bytes);
}

PyDoc_STRVAR(memory_doc,
             "process_memory($module, pid=0, /)\n"
             "--\n"
             "\n"
             "What a process holds, by four measures: (rss, pss, uss, swap), bytes.\n"
             "\n"
             "Resident (shared pages in full), proportional (a page that n processes\n"
             "share counts as 1/n of it: the one that adds up), unique, and swapped\n"
             "out. The kernel walks the process's page tables: about 2 ms for 300 MB,\n"
             "without the GIL.\n"
             "\n"
             "Raises\n"
             "------\n"
             "ProcessLookupError\n"
             "    If there is no such process, or it has ended.\n"
             "PermissionError\n"
             "    If it belongs to somebody else.\n");

static PyObject *
process_memory(PyObject *module, PyObject *args)
{
    PyObject *number = NULL; /* borrowed */
    pid_t pid = getpid();
    nbp_memory memory;
    int error;
    if (!PyArg_ParseTuple(args, "|O:process_memory", &number) ||
        (number != NULL && pid_from(number, &pid) < 0)) {
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    error = nbp_process_memory(pid, &memory);
    Py_END_ALLOW_THREADS
    if (error != 0) {
        return raise_for(pid, error);
    }
    return Py_BuildValue("(LLLL)", (long long)memory.rss, (long long)memory.pss,
                         (long long)memory.uss, (long long)memory.swap);
}

PyDoc_STRVAR(children_doc,
             "process_children($module, pid=0, all=True, /)\n"
             "--\n"
             "\n"
             "The numbers of the processes that a process has started.\n"
             "\n"
             "Those that run; with `all` also what they have started, the nearest\n"
             "first.\n"
             "\n"
             "Raises\n"
             "------\n"
             "ProcessLookupError\n"
             "    If there is no such process.\n");

static PyObject *
process_children(PyObject *module, PyObject *args)
{
    PyObject *number = NULL; /* borrowed */
    pid_t pid = getpid();
    int all = 1;
    pid_t *pids = NULL; /* owned */
    size_t count = 0;
    int error;
    if (!PyArg_ParseTuple(args, "|Op:process_children", &number, &all) ||
        (number != NULL && pid_from(number, &pid) < 0)) {
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    error = nbp_process_children(pid, all, &pids, &count);
    Py_END_ALLOW_THREADS
    if (error != 0) {
        return raise_for(pid, error);
    }
    PyObject *list = PyList_New((Py_ssize_t)count); /* owned, returned */
    for (size_t i = 0; list != NULL && i < count; i++) {
        PyObject *child = PyLong_FromLong((long)pids[i]);
        if (child == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, (Py_ssize_t)i, child);
    }
    free(pids);
    return list;
}

PyDoc_STRVAR(tree_doc,
             "process_tree($module, pid=0, /)\n"
             "--\n"
             "\n"
             "A process with all its descendants: (bytes, processes).\n"
             "\n"
             "The sum of the proportional sizes, in which no page counts twice, and\n"
             "how many processes could be read. Takes what :func:`process_memory`\n"
             "takes for each of them.\n");

static PyObject *
process_tree(PyObject *module, PyObject *args)
{
    PyObject *number = NULL; /* borrowed */
    pid_t pid = getpid();
    int64_t bytes;
    size_t processes;
    int error;
    if (!PyArg_ParseTuple(args, "|O:process_tree", &number) ||
        (number != NULL && pid_from(number, &pid) < 0)) {
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    error = nbp_process_tree_pss(pid, &bytes, &processes);
    Py_END_ALLOW_THREADS
    if (error != 0) {
        return raise_for(pid, error);
    }
    return Py_BuildValue("(Ln)", (long long)bytes, (Py_ssize_t)processes);
}

/* --- ResidentPeak ------------------------------------------------------------------
 */

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

/* --- ResidentSampler ---------------------------------------------------------------
 */

typedef struct {
    PyObject_HEAD
    nbp_rsssampler_options options;
    nbp_rsssampler_t *sampler; /* owned; NULL before the first start */
    bool running;
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
        (number != NULL && pid_from(number, &pid) < 0)) {
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
    if (!self->running) {
        return;
    }
    self->running = false;
    Py_BEGIN_ALLOW_THREADS
    nbp_rsssampler_stop(self->sampler);
    Py_END_ALLOW_THREADS
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
                   ? raise_for(self->options.pid == 0 ? getpid() : self->options.pid,
                               error)
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

static PyMethodDef functions[] = {
    {"resident", (PyCFunction)(void (*)(void))resident, METH_FASTCALL, resident_doc},
    {"process_memory", process_memory, METH_VARARGS, memory_doc},
    {"process_children", process_children, METH_VARARGS, children_doc},
    {"process_tree", process_tree, METH_VARARGS, tree_doc},
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
    state->sampler_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &sampler_spec, NULL);
    if (state->peak_type == NULL || state->sampler_type == NULL ||
        PyModule_AddType(module, state->peak_type) < 0 ||
        PyModule_AddType(module, state->sampler_type) < 0) {
        return -1;
    }
    return PyModule_AddFunctions(module, functions);
}
