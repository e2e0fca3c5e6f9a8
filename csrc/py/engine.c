/* SPDX-License-Identifier: BSD-3-Clause */
/* LineEngine: puts probes into functions, takes them out again, and hands out what they
 * counted. */
#include "engine.h"

#include <math.h>
#include <stddef.h>

#include "compat.h"
#include "linerows.h"
#include "pacework.h"

/* ---- start and stop ---- */

/* Claims the engine for one change: what follows calls Python functions, in which
 * another thread may come in. */
static int
claim(nbp_engine *self)
{
    if (self->busy) {
        PyErr_SetString(PyExc_RuntimeError,
                        "another thread is changing this LineEngine");
        return -1;
    }
    self->busy = true;
    return 0;
}

PyDoc_STRVAR(
    start_doc,
    "start($self, /, *, everywhere=True)\n"
    "--\n"
    "\n"
    "Put the probes in and switch them on. Does nothing when running.\n"
    "\n"
    "Every function in the process that has one of the added code objects gets\n"
    "the instrumented one, for which the heap is searched, now and at the end. If\n"
    "that fails, everything is put back.\n"
    "\n"
    "Parameters\n"
    "----------\n"
    "everywhere : bool\n"
    "    False changes no function: only code from replacement() is measured.\n");

static PyObject *
engine_start(PyObject *op, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"everywhere", NULL};
    nbp_engine *self = (nbp_engine *)op;
    int everywhere = 1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$p:start", names, &everywhere) ||
        claim(self) < 0) {
        return NULL;
    }
    int status = nbp_engine_start(self, everywhere);
    self->busy = false;
    return status < 0 ? NULL : Py_NewRef(Py_None);
}

PyDoc_STRVAR(stop_doc,
             "stop($self, /)\n"
             "--\n"
             "\n"
             "Switch the probes off, end the lines that are running, and give every\n"
             "function its own code back. Does nothing when stopped.\n");

static PyObject *
engine_stop(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    nbp_engine *self = (nbp_engine *)op;
    if (claim(self) < 0) {
        return NULL;
    }
    nbp_engine_stop(self);
    self->busy = false;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(
    pause_doc,
    "pause($self, /)\n"
    "--\n"
    "\n"
    "Count nothing until resume(), and end the lines that are running. The probes\n"
    "stay in the code, so that this takes no time. Does nothing when stopped.\n");

static PyObject *
engine_pause(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    nbp_engine *self = (nbp_engine *)op;
    if (self->swapped != NULL && !self->lines->paused) {
        nbp_lines_switch(self->lines, false);
        self->lines->paused = true;
        nbp_lines_pause(self->lines);
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(resume_doc, "resume($self, /)\n"
                         "--\n"
                         "\n"
                         "Count on after a pause(). Does nothing when not paused.\n");

static PyObject *
engine_resume(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    nbp_engine *self = (nbp_engine *)op;
    if (self->lines->paused) {
        self->lines->paused = false;
        nbp_lines_switch(self->lines, true);
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(
    add_doc,
    "add($self, what, statements=None, is_new=False, /)\n"
    "--\n"
    "\n"
    "Measure a function or code object, and the code nested in it.\n"
    "\n"
    "Parameters\n"
    "----------\n"
    "what : function, method or code\n"
    "statements : dict of int to int, or bytes, optional\n"
    "    First line of the statement of each line; a line that is missing is\n"
    "    its own. Lines of one statement are counted as one. Bytes are those\n"
    "    of logical_lines(), for all of the file.\n"
    "is_new : bool, optional\n"
    "    No function has this code yet, and no frame runs it: there is nothing\n"
    "    to look for; see prepare().\n"
    "\n"
    "Returns\n"
    "-------\n"
    "int\n"
    "    How many code objects were new.\n"
    "\n"
    "Raises\n"
    "------\n"
    "TypeError\n"
    "    If `what` has no Python code.\n");

static PyObject *
engine_add(PyObject *op, PyObject *const *args, Py_ssize_t n_args)
{
    nbp_engine *self = (nbp_engine *)op;
    if (n_args < 1 || n_args > 3) {
        PyErr_SetString(PyExc_TypeError, "add() takes one to three arguments");
        return NULL;
    }
    int is_new = n_args > 2 ? PyObject_IsTrue(args[2]) : 0;
    if (is_new < 0) {
        return NULL;
    }
    PyObject *code = args[0]; /* borrowed, through the next two lines as well */
    code = PyMethod_Check(code) ? PyMethod_GET_FUNCTION(code) : code;
    code = PyFunction_Check(code) ? PyFunction_GET_CODE(code) : code;
    if (!PyCode_Check(code)) {
        PyErr_Format(PyExc_TypeError, "no Python code to measure in a %.100s",
                     Py_TYPE(args[0])->tp_name);
        return NULL;
    }
    nbp_statement_map statements;
    if (nbp_statements_read(n_args > 1 ? args[1] : NULL, &statements) < 0 ||
        claim(self) < 0) {
        return NULL;
    }
    Py_ssize_t before = self->n_functions;
    Py_INCREF(code);
    int status = nbp_engine_add(self, code, &statements);
    Py_DECREF(code);
    nbp_statements_clear(&statements);
    if (status == 0 && !is_new && self->swapped != NULL && self->n_functions > before) {
        status = nbp_engine_install(self);
    }
    self->busy = false;
    return status < 0 ? NULL : PyLong_FromSsize_t(self->n_functions - before);
}

PyDoc_STRVAR(prepare_doc,
             "prepare($self, code, /)\n"
             "--\n"
             "\n"
             "Have the code of a module, which is about to run, define functions with\n"
             "probes, as far as they were added. Until stop() it has other constants.\n"
             "\n"
             "Raises\n"
             "------\n"
             "ValueError\n"
             "    If the probes are not in.\n");

static PyObject *
engine_prepare(PyObject *op, PyObject *code)
{
    nbp_engine *self = (nbp_engine *)op;
    if (!PyCode_Check(code)) {
        PyErr_Format(PyExc_TypeError, "expected code, not a %.100s",
                     Py_TYPE(code)->tp_name);
        return NULL;
    }
    if (self->swapped == NULL) {
        PyErr_SetString(PyExc_ValueError, "the probes are not in");
        return NULL;
    }
    if (claim(self) < 0) {
        return NULL;
    }
    int status = nbp_engine_prepare(self, code);
    self->busy = false;
    return status < 0 ? NULL : Py_NewRef(Py_None);
}

PyDoc_STRVAR(replacement_doc,
             "replacement($self, code, /)\n"
             "--\n"
             "\n"
             "The code to execute instead of `code`, which add() was given: for code\n"
             "that belongs to no function, such as that of a cell.\n");

static PyObject *
engine_replacement(PyObject *op, PyObject *code)
{
    nbp_function *function = nbp_engine_find((nbp_engine *)op, code);
    if (function == NULL) {
        PyErr_SetString(PyExc_KeyError, "this code was not added");
        return NULL;
    }
    return Py_NewRef(function->instrumented);
}

/* ---- reading ---- */

PyDoc_STRVAR(
    lines_doc,
    "lines($self, thread=None, /)\n"
    "--\n"
    "\n"
    "What was counted so far.\n"
    "\n"
    "Parameters\n"
    "----------\n"
    "thread : int, optional\n"
    "    Only what ran in the thread of this number, one of threads().\n"
    "\n"
    "Returns\n"
    "-------\n"
    "list of (code, how, rows)\n"
    "    One for each code object, as added. `how` is ``'probes'``,\n"
    "    ``'monitoring'`` or ``'trace'`` (events of the interpreter, for code\n"
    "    that cannot be changed), ``'probes+...'`` where a frame was running\n"
    "    already, or ``'not measured'``. A row is (line, hits, total_ns,\n"
    "    self_ns, suspended_ns, total_tool_ns, self_tool_ns): the raw times,\n"
    "    and how much of total and self is the tool's own by its costs.\n");

/* Reads an optional thread number into `*thread`: 1 when it is there, 0 when not, -1
 * with an exception set. */
static int
read_thread(PyObject *const *args, Py_ssize_t n_args, uint64_t *thread)
{
    if (n_args > 1) {
        PyErr_SetString(PyExc_TypeError, "expected one argument at most: a thread");
        return -1;
    }
    if (n_args == 0 || args[0] == Py_None) {
        return 0;
    }
    *thread = PyLong_AsUnsignedLongLong(args[0]);
    return PyErr_Occurred() ? -1 : 1;
}

static PyObject *
engine_lines(PyObject *op, PyObject *const *args, Py_ssize_t n_args)
{
    uint64_t thread;
    int one_thread = read_thread(args, n_args, &thread);
    if (one_thread < 0) {
        return NULL;
    }
    return nbp_linerows_of((nbp_engine *)op, one_thread ? &thread : NULL);
}

PyDoc_STRVAR(
    resident_lines_doc,
    "resident_lines($self, thread=None, /)\n"
    "--\n"
    "\n"
    "How much memory was resident as the same lines ended, with\n"
    "``LineEngine(resident=True)``.\n"
    "\n"
    "Parameters\n"
    "----------\n"
    "thread : int, optional\n"
    "    Only what ran in the thread of this number, one of threads().\n"
    "\n"
    "Returns\n"
    "-------\n"
    "list of (code, how, rows)\n"
    "    In the order of lines(), line for line. A row is (line, bytes): of the whole\n"
    "    process, the most at the end of any execution; 0 when it was not read.\n"
    "\n"
    "Raises\n"
    "------\n"
    "ValueError\n"
    "    If the engine does not measure memory.\n");

PyDoc_STRVAR(
    memory_lines_doc,
    "memory_lines($self, thread=None, /)\n"
    "--\n"
    "\n"
    "What the same lines allocated and freed, with ``LineEngine(memory=True)``.\n"
    "\n"
    "Parameters\n"
    "----------\n"
    "thread : int, optional\n"
    "    Only what ran in the thread of this number, one of threads().\n"
    "\n"
    "Returns\n"
    "-------\n"
    "list of (code, how, rows)\n"
    "    In the order of lines(), line for line. A row is (line, inclusive, self,\n"
    "    peak_bytes, self_peak_bytes, entered); `inclusive` and `self` are each\n"
    "    (allocated_bytes, allocated_blocks, freed_bytes, freed_blocks), with all\n"
    "    that the line calls, and without callees that are measured too. Frees\n"
    "    are those of blocks that are as young as the measurement. The peak is\n"
    "    the most that there was above what there was as the line began, in any\n"
    "    execution; `self_peak_bytes` does not look while measured callees run.\n"
    "    `entered` is how many calls began on the line.\n"
    "\n"
    "Raises\n"
    "------\n"
    "ValueError\n"
    "    If the engine does not measure memory.\n");

/* What `rows_of` gives of all threads, or of the one that `args` name. */
static PyObject *
memory_rows(PyObject *op, PyObject *const *args, Py_ssize_t n_args,
            PyObject *(*rows_of)(const nbp_engine *self, const uint64_t *thread))
{
    nbp_engine *self = (nbp_engine *)op;
    uint64_t thread;
    int one_thread = read_thread(args, n_args, &thread);
    if (one_thread < 0) {
        return NULL;
    }
    if (!self->lines->with_memory) {
        PyErr_SetString(PyExc_ValueError, "this engine does not measure memory");
        return NULL;
    }
    return rows_of(self, one_thread ? &thread : NULL);
}

static PyObject *
engine_memory_lines(PyObject *op, PyObject *const *args, Py_ssize_t n_args)
{
    return memory_rows(op, args, n_args, nbp_linerows_memory);
}

static PyObject *
engine_resident_lines(PyObject *op, PyObject *const *args, Py_ssize_t n_args)
{
    return memory_rows(op, args, n_args, nbp_linerows_resident);
}

PyDoc_STRVAR(
    threads_doc,
    "threads($self, /)\n"
    "--\n"
    "\n"
    "The numbers (threading.get_ident) of the threads that ran measured code.\n"
    "\n"
    "Threads that ended are put together as number 0 once there are many.\n");

static PyObject *
engine_threads(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    return nbp_linerows_threads((nbp_engine *)op);
}

PyDoc_STRVAR(reset_doc,
             "reset($self, /)\n"
             "--\n"
             "\n"
             "Set all counters to 0; lines that are running start again now.\n");

static PyObject *
engine_reset(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    nbp_lines_reset(((nbp_engine *)op)->lines, 0);
    Py_RETURN_NONE;
}

/* ---- attributes ---- */

static PyObject *
get_costs(PyObject *op, void *Py_UNUSED(closure))
{
    nbp_engine *self = (nbp_engine *)op;
    const nbp_costs *costs = &self->lines->measured;
    double tick = nbp_engine_tick_ns(self);
    return Py_BuildValue("(dddd)", (double)costs->line * tick,
                         (double)costs->frame * tick, (double)costs->same * tick,
                         self->lines->measured_pace * tick);
}

static PyObject *
get_subtracted(PyObject *op, void *Py_UNUSED(closure))
{
    nbp_engine *self = (nbp_engine *)op;
    nbp_costs costs =
        nbp_lines_costs_at(self->lines, nbp_pace_mean(&self->lines->pace));
    double tick = nbp_engine_tick_ns(self);
    return Py_BuildValue("(ddd)", (double)costs.line * tick, (double)costs.frame * tick,
                         (double)costs.same * tick);
}

static int
set_costs(PyObject *op, PyObject *value, void *Py_UNUSED(closure))
{
    nbp_engine *self = (nbp_engine *)op;
    double line, frame, same, pace = 0;
    if (value == NULL || !PyTuple_Check(value)) {
        PyErr_SetString(PyExc_TypeError, "costs must be a tuple of times in ns");
        return -1;
    }
    if (!PyArg_ParseTuple(value, "ddd|d;costs must be three times in ns, and a pace",
                          &line, &frame, &same, &pace)) {
        return -1;
    }
    if (!(line >= 0 && line < 1e6 && frame >= 0 && frame < 1e6 && same >= 0 &&
          same < 1e6 && pace >= 0 && pace < 1e6)) {
        PyErr_SetString(PyExc_ValueError, "costs must be from 0 to 1 ms");
        return -1;
    }
    double tick = nbp_engine_tick_ns(self);
    nbp_costs costs = {
        .line = llround(line / tick),
        .frame = llround(frame / tick),
        .same = llround(same / tick),
    };
    nbp_lines_set_costs(self->lines, costs, pace / tick);
    return 0;
}

static PyObject *
get_memory(PyObject *op, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(((nbp_engine *)op)->lines->with_memory);
}

static PyObject *
get_running(PyObject *op, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(((nbp_engine *)op)->swapped != NULL);
}

/* The sum over all threads of the counter at offset `closure` of a shadow. */
static PyObject *
get_counter(PyObject *op, void *closure)
{
    const nbp_lines *lines = ((nbp_engine *)op)->lines;
    long long sum = 0;
    for (size_t i = 0; i < lines->n_shadows; i++) {
        sum += *(const int64_t *)((const char *)lines->shadows[i] + (size_t)closure);
    }
    return PyLong_FromLongLong(sum);
}

/* ---- life ---- */

static PyObject *
engine_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"memory", "native", "resident", NULL};
    int with_memory = 0, native = 0, resident = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$ppp:LineEngine", names,
                                     &with_memory, &native, &resident)) {
        return NULL;
    }
    nbp_engine *self = (nbp_engine *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->module = PyType_GetModule(type);
    self->state = nbp_state_of(self->module);
    self->lines = nbp_lines_new();
    if (self->lines == NULL) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    self->lines->pace.work = nbp_pacework_of(self->state);
    self->lines->with_memory = with_memory || resident;
    self->lines->with_resident = resident;
    self->memory.level = NBP_ALLOC_EXACT;
    self->memory.native = native;
    return (PyObject *)self;
}

static int
engine_traverse(PyObject *op, visitproc visit, void *arg)
{
    nbp_engine *self = (nbp_engine *)op;
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(self->swapped);
    Py_VISIT(self->events);
    Py_VISIT(self->prepared);
    return 0;
}

static void
engine_finalize(PyObject *op)
{
    nbp_engine_stop((nbp_engine *)op);
}

static void
engine_dealloc(PyObject *op)
{
    nbp_engine *self = (nbp_engine *)op;
    PyTypeObject *type = Py_TYPE(op);
    if (PyObject_CallFinalizerFromDealloc(op) < 0) {
        return;
    }
    PyObject_GC_UnTrack(op);
    nbp_engine_clear_functions(self);
    nbp_alloc_use_free(&self->memory);
    if (self->lines != NULL) {
        nbp_lines_release(self->lines);
    }
    type->tp_free(op);
    Py_DECREF(type);
}

static PyMethodDef engine_methods[] = {
    {"add", (PyCFunction)(void (*)(void))engine_add, METH_FASTCALL, add_doc},
    {"prepare", engine_prepare, METH_O, prepare_doc},
    {"replacement", engine_replacement, METH_O, replacement_doc},
    {"start", (PyCFunction)(void (*)(void))engine_start, METH_VARARGS | METH_KEYWORDS,
     start_doc},
    {"stop", engine_stop, METH_NOARGS, stop_doc},
    {"pause", engine_pause, METH_NOARGS, pause_doc},
    {"resume", engine_resume, METH_NOARGS, resume_doc},
    {"lines", (PyCFunction)(void (*)(void))engine_lines, METH_FASTCALL, lines_doc},
    {"memory_lines", (PyCFunction)(void (*)(void))engine_memory_lines, METH_FASTCALL,
     memory_lines_doc},
    {"resident_lines", (PyCFunction)(void (*)(void))engine_resident_lines,
     METH_FASTCALL, resident_lines_doc},
    {"threads", engine_threads, METH_NOARGS, threads_doc},
    {"reset", engine_reset, METH_NOARGS, reset_doc},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef engine_attributes[] = {
    {"memory", get_memory, NULL, "Whether memory is measured as well.", NULL},
    {"running", get_running, NULL, "Whether the probes are in.", NULL},
    {"costs", get_costs, set_costs,
     "What an event takes, in ns: a line, a frame entered or left, a probe passed on\n"
     "the same line; and pace_ns() as that was measured. 0 at first; what is counted\n"
     "from then on is booked by them, and with a pace by the ratio of the present one\n"
     "to it.",
     NULL},
    {"subtracted", get_subtracted, NULL,
     "The first three of `costs`, at the mean pace of what was counted.", NULL},
    {"dropped", get_counter, NULL,
     "Frames that were not recorded, for lack of memory or beyond a million deep.",
     (void *)offsetof(nbp_shadow, dropped)},
    {"moved", get_counter, NULL, "Frames found out of order: greenlets were switched.",
     (void *)offsetof(nbp_shadow, moved)},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(
    engine_doc,
    "LineEngine(*, memory=False, native=False, resident=False)\n"
    "--\n"
    "\n"
    "Counts and times the lines of functions by probes in their code.\n"
    "\n"
    "With `memory`, hooks in Python's allocators count besides what each line\n"
    "allocates and frees: memory_lines(). With `native`, what libraries allocate\n"
    "is counted too. With `resident`, which implies `memory`, what is resident is\n"
    "read at each event as well: resident_lines(). Of several engines with memory\n"
    "that run at once, peaks are right for the innermost probe only.\n"
    "\n"
    "Functions are added, then start() and stop() may be called any number of\n"
    "times; the counters go on. Several engines may run at once. While one\n"
    "runs, a measured function's ``__code__`` has probes: it runs, is pickled and\n"
    "inspected as ever, and ``code.replace`` changes what it was made from.\n");

static PyType_Slot engine_slots[] = {
    {Py_tp_new, engine_new},           {Py_tp_dealloc, engine_dealloc},
    {Py_tp_finalize, engine_finalize}, {Py_tp_traverse, engine_traverse},
    {Py_tp_methods, engine_methods},   {Py_tp_getset, engine_attributes},
    {Py_tp_doc, (void *)engine_doc},   {0, NULL},
};

static PyType_Spec engine_spec = {
    .name = "nbprobe._core.LineEngine",
    .basicsize = sizeof(nbp_engine),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = engine_slots,
};

/* ---- the module's part ---- */

/* The child of a fork has one thread, and counts from 0. */
static PyObject *
after_fork(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    nbp_engine *engine = (nbp_engine *)nbp_state_of(module)->running_engines;
    for (; engine != NULL; engine = engine->next_running) {
        nbp_lines_reset(engine->lines, nbp_thread_state()->id);
    }
    Py_RETURN_NONE;
}

static PyMethodDef engine_functions[] = {
    {"_after_fork", after_fork, METH_NOARGS,
     "_after_fork($module, /)\n--\n\nStart the running engines afresh in a child."},
    {NULL, NULL, 0, NULL},
};

static int
register_fork(PyObject *module)
{
    int status = -1;
    PyObject *os = PyImport_ImportModule("os");
    PyObject *hook = PyObject_GetAttrString(module, "_after_fork");
    PyObject *names =
        hook == NULL ? NULL : Py_BuildValue("{s:O}", "after_in_child", hook);
    PyObject *call = os == NULL ? NULL : PyObject_GetAttrString(os, "register_at_fork");
    PyObject *nothing = PyTuple_New(0);
    if (names != NULL && call != NULL && nothing != NULL) {
        PyObject *result = PyObject_Call(call, nothing, names);
        status = result == NULL ? -1 : 0;
        Py_XDECREF(result);
    }
    Py_XDECREF(nothing);
    Py_XDECREF(call);
    Py_XDECREF(names);
    Py_XDECREF(hook);
    Py_XDECREF(os);
    return status;
}

int
nbp_add_engine(PyObject *module)
{
    nbp_state *state = nbp_state_of(module);
    state->engine_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &engine_spec, NULL);
    if (state->engine_type == NULL ||
        PyModule_AddType(module, state->engine_type) < 0 ||
        PyModule_AddFunctions(module, engine_functions) < 0) {
        return -1;
    }
    return register_fork(module);
}
