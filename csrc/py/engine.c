/* SPDX-License-Identifier: BSD-3-Clause */
/* LineEngine: puts probes into functions, takes them out again, and hands out what they
 * counted. */
#include "engine.h"

#include <math.h>
#include <stddef.h>

#include "compat.h"

/* ---- statements ---- */

/* Reads {line: first line of its statement} into `*out`; the caller owns its array. */
static int
read_statements(PyObject *mapping, nbp_statements *out)
{
    *out = (nbp_statements){0};
    if (mapping == NULL || mapping == Py_None) {
        return 0;
    }
    if (!PyDict_Check(mapping)) {
        PyErr_Format(PyExc_TypeError, "statements must be a dict of lines, not %.100s",
                     Py_TYPE(mapping)->tp_name);
        return -1;
    }
    PyObject *key, *value; /* borrowed */
    Py_ssize_t at = 0;
    long lowest = LONG_MAX, highest = LONG_MIN;
    while (PyDict_Next(mapping, &at, &key, &value)) {
        if (!PyLong_Check(key) || !PyLong_Check(value)) {
            PyErr_SetString(PyExc_TypeError, "statements: lines must be int");
            return -1;
        }
        long line = PyLong_AsLong(key), first = PyLong_AsLong(value);
        if (PyErr_Occurred()) {
            return -1;
        }
        if (line < 0 || first < 0 || line > (1 << 24) || first > (1 << 24)) {
            PyErr_SetString(PyExc_ValueError, "statements: a line is out of range");
            return -1;
        }
        lowest = line < lowest ? line : lowest;
        highest = line > highest ? line : highest;
    }
    if (lowest > highest) {
        return 0;
    }
    int32_t count = (int32_t)(highest - lowest + 1);
    int32_t *first = malloc((size_t)count * sizeof(*first));
    if (first == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (int32_t i = 0; i < count; i++) {
        first[i] = (int32_t)lowest + i;
    }
    at = 0;
    while (PyDict_Next(mapping, &at, &key, &value)) {
        first[PyLong_AsLong(key) - lowest] = (int32_t)PyLong_AsLong(value);
    }
    *out = (nbp_statements){.first = first, .from = (int32_t)lowest, .count = count};
    return 0;
}

static int
copy_statements(const nbp_statements *from, nbp_statements *to)
{
    *to = *from;
    if (from->first != NULL) {
        size_t bytes = (size_t)from->count * sizeof(*from->first);
        int32_t *first = malloc(bytes);
        if (first == NULL) {
            *to = (nbp_statements){0};
            PyErr_NoMemory();
            return -1;
        }
        memcpy(first, from->first, bytes);
        to->first = first;
    }
    return 0;
}

/* ---- functions ---- */

nbp_function *
nbp_engine_find(nbp_engine *self, PyObject *code)
{
    const nbp_pointer_entry *entry = nbp_pointermap_get(&self->by_original, code);
    if (entry == NULL) {
        entry = nbp_pointermap_get(&self->by_instrumented, code);
    }
    return entry == NULL ? NULL : &self->functions[entry->number];
}

static void
clear_function(nbp_function *function)
{
    Py_CLEAR(function->original);
    Py_CLEAR(function->instrumented);
    free(function->table.lines);
    free((void *)function->statements.first);
}

/* Takes over all that `function` owns, also when it fails. */
static int
append_function(nbp_engine *self, nbp_function *function)
{
    uint32_t index = (uint32_t)self->n_functions;
    nbp_function *functions =
        realloc(self->functions, (index + 1) * sizeof(*functions));
    if (functions != NULL) {
        self->functions = functions;
    }
    if (functions == NULL ||
        !nbp_pointermap_put(&self->by_original, function->original, 0, index) ||
        (function->instrumented != function->original &&
         !nbp_pointermap_put(&self->by_instrumented, function->instrumented, 0,
                             index))) {
        nbp_pointer_entry entry;
        nbp_pointermap_take(&self->by_original, function->original, &entry);
        clear_function(function);
        PyErr_NoMemory();
        return -1;
    }
    functions[index] = *function;
    functions[index].how = function->has_probes ? NBP_HOW_PROBES : NBP_HOW_EVENTS;
    self->n_functions++;
    return 0;
}

static int add_code(nbp_engine *self, PyObject *code, const nbp_statements *statements);

/* The constants of `code` with the codes among them instrumented; a new reference. */
static PyObject *
instrument_nested(nbp_engine *self, PyCodeObject *code,
                  const nbp_statements *statements, int *changed)
{
    Py_ssize_t n = PyTuple_GET_SIZE(code->co_consts);
    PyObject *constants = PyTuple_New(n);
    for (Py_ssize_t i = 0; constants != NULL && i < n; i++) {
        PyObject *constant = PyTuple_GET_ITEM(code->co_consts, i);
        if (PyCode_Check(constant)) {
            if (add_code(self, constant, statements) < 0) {
                Py_DECREF(constants);
                return NULL;
            }
            constant = nbp_engine_find(self, constant)->instrumented;
            *changed |= constant != PyTuple_GET_ITEM(code->co_consts, i);
        }
        PyTuple_SET_ITEM(constants, i, Py_NewRef(constant));
    }
    return constants;
}

/* Fills in what `function`, of which only `original` is known, becomes. */
static int
instrument(nbp_engine *self, nbp_function *function, const nbp_statements *statements)
{
    PyCodeObject *code = (PyCodeObject *)function->original;
    int changed = 0;
    PyObject *constants = instrument_nested(self, code, statements, &changed);
    if (constants == NULL || copy_statements(statements, &function->statements) < 0) {
        Py_XDECREF(constants);
        return -1;
    }
    function->instrumented = nbp_instrument(self->state, code, constants, statements,
                                            self->lines, &function->table);
    function->has_probes = function->instrumented != NULL;
    if (!function->has_probes && !PyErr_Occurred()) {
        function->instrumented = changed ? nbp_replace_constants(code, constants)
                                         : Py_NewRef(function->original);
        if (function->instrumented != NULL &&
            nbp_code_lines_of(code, statements, self->lines, &function->table) < 0) {
            Py_CLEAR(function->instrumented);
        }
    }
    Py_DECREF(constants);
    return function->instrumented == NULL ? -1 : 0;
}

static int
add_code(nbp_engine *self, PyObject *code, const nbp_statements *statements)
{
    if (nbp_engine_find(self, code) != NULL) {
        return 0;
    }
    if (Py_EnterRecursiveCall(" while instrumenting nested code")) {
        return -1;
    }
    nbp_function function = {.original = Py_NewRef(code)};
    int status = instrument(self, &function, statements);
    Py_LeaveRecursiveCall();
    if (status < 0) {
        clear_function(&function);
        return -1;
    }
    return append_function(self, &function);
}

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
    "start($self, /)\n"
    "--\n"
    "\n"
    "Put the probes in and switch them on. Does nothing when running.\n"
    "\n"
    "Every function in the process that has one of the added code objects gets\n"
    "the instrumented one. If that fails, everything is put back.\n");

static PyObject *
engine_start(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    nbp_engine *self = (nbp_engine *)op;
    if (claim(self) < 0) {
        return NULL;
    }
    int status = nbp_engine_start(self);
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

PyDoc_STRVAR(add_doc,
             "add($self, what, statements=None, /)\n"
             "--\n"
             "\n"
             "Measure a function or code object, and the code nested in it.\n"
             "\n"
             "Parameters\n"
             "----------\n"
             "what : function, method or code\n"
             "statements : dict of int to int, optional\n"
             "    First line of the statement of each line; a line that is missing is\n"
             "    its own. Lines of one statement are counted as one.\n"
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
    if (n_args < 1 || n_args > 2) {
        PyErr_SetString(PyExc_TypeError, "add() takes one or two arguments");
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
    nbp_statements statements;
    if (read_statements(n_args > 1 ? args[1] : NULL, &statements) < 0 ||
        claim(self) < 0) {
        return NULL;
    }
    Py_ssize_t before = self->n_functions;
    Py_INCREF(code);
    int status = add_code(self, code, &statements);
    Py_DECREF(code);
    free((void *)statements.first);
    if (status == 0 && self->swapped != NULL && self->n_functions > before) {
        status = nbp_engine_install(self);
    }
    self->busy = false;
    return status < 0 ? NULL : PyLong_FromSsize_t(self->n_functions - before);
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

static double
tick_ns(const nbp_engine *self)
{
    return nbp_ticks_length_ns(self->lines->has_counter, self->state->origin);
}

static int64_t
in_ns(int64_t ticks, double length)
{
    return llround((double)ticks * length);
}

/* The counters of one slot in all threads, or in the one whose number is `*thread`. */
static nbp_line
sum_of(const nbp_lines *lines, uint32_t slot, const uint64_t *thread)
{
    nbp_line sum = {0};
    for (size_t i = 0; i < lines->n_shadows; i++) {
        const nbp_shadow *shadow = lines->shadows[i];
        if (slot >= shadow->n_lines || (thread && shadow->thread != *thread)) {
            continue;
        }
        const nbp_line *line = &shadow->lines[slot];
        sum.hits += line->hits;
        sum.inclusive += line->inclusive;
        sum.own += line->own;
        sum.suspended += line->suspended;
        sum.inclusive_tool += line->inclusive_tool;
        sum.own_tool += line->own_tool;
    }
    return sum;
}

/* The rows of one function: a new list. */
static PyObject *
rows_of(const nbp_engine *self, const nbp_function *function, const uint64_t *thread,
        double tick)
{
    const nbp_code_lines *table = &function->table;
    PyObject *rows = PyList_New((Py_ssize_t)table->n_lines);
    for (uint32_t i = 0; rows != NULL && i < table->n_lines; i++) {
        nbp_line sum = sum_of(self->lines, table->first_slot + i, thread);
        PyObject *row = Py_BuildValue(
            "(iLLLLLL)", (int)table->lines[i], (long long)sum.hits,
            (long long)in_ns(sum.inclusive, tick), (long long)in_ns(sum.own, tick),
            (long long)in_ns(sum.suspended, tick),
            (long long)in_ns(sum.inclusive_tool, tick),
            (long long)in_ns(sum.own_tool, tick));
        if (row == NULL) {
            Py_CLEAR(rows);
        }
        else {
            PyList_SET_ITEM(rows, (Py_ssize_t)i, row);
        }
    }
    return rows;
}

static const char *
how_of(const nbp_function *function)
{
    switch (function->how) {
    case NBP_HOW_PROBES:
        return "probes";
    case NBP_HOW_EVENTS:
        return NBP_EVENTS_NAME;
    case NBP_HOW_PROBES | NBP_HOW_EVENTS:
        return "probes+" NBP_EVENTS_NAME;
    default:
        return "not measured";
    }
}

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

static PyObject *
engine_lines(PyObject *op, PyObject *const *args, Py_ssize_t n_args)
{
    nbp_engine *self = (nbp_engine *)op;
    uint64_t thread = 0;
    int one_thread = n_args > 0 && args[0] != Py_None;
    if (n_args > 1) {
        PyErr_SetString(PyExc_TypeError, "lines() takes one argument at most");
        return NULL;
    }
    if (one_thread) {
        thread = PyLong_AsUnsignedLongLong(args[0]);
        if (PyErr_Occurred()) {
            return NULL;
        }
    }
    double tick = tick_ns(self);
    PyObject *result = PyList_New(0);
    for (Py_ssize_t i = 0; result != NULL && i < self->n_functions; i++) {
        const nbp_function *function = &self->functions[i];
        PyObject *rows = rows_of(self, function, one_thread ? &thread : NULL, tick);
        PyObject *item = rows == NULL ? NULL
                                      : Py_BuildValue("(OsN)", function->original,
                                                      how_of(function), rows);
        if (item == NULL || PyList_Append(result, item) < 0) {
            Py_CLEAR(result);
        }
        Py_XDECREF(item);
    }
    return result;
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
    const nbp_lines *lines = ((nbp_engine *)op)->lines;
    PyObject *numbers = PySet_New(NULL);
    for (size_t i = 0; numbers != NULL && i < lines->n_shadows; i++) {
        PyObject *number = PyLong_FromUnsignedLongLong(lines->shadows[i]->thread);
        if (number == NULL || PySet_Add(numbers, number) < 0) {
            Py_CLEAR(numbers);
        }
        Py_XDECREF(number);
    }
    PyObject *list = numbers == NULL ? NULL : PySequence_List(numbers);
    Py_XDECREF(numbers);
    if (list != NULL && PyList_Sort(list) < 0) {
        Py_CLEAR(list);
    }
    return list;
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
    const nbp_costs *costs = &self->lines->costs;
    double tick = tick_ns(self);
    return Py_BuildValue("(ddd)", (double)costs->line * tick,
                         (double)costs->frame * tick, (double)costs->same * tick);
}

static int
set_costs(PyObject *op, PyObject *value, void *Py_UNUSED(closure))
{
    nbp_engine *self = (nbp_engine *)op;
    double line, frame, same;
    if (value == NULL || !PyTuple_Check(value)) {
        PyErr_SetString(PyExc_TypeError, "costs must be a tuple of three times in ns");
        return -1;
    }
    if (!PyArg_ParseTuple(value, "ddd;costs must be three times in ns", &line, &frame,
                          &same)) {
        return -1;
    }
    if (!(line >= 0 && line < 1e6 && frame >= 0 && frame < 1e6 && same >= 0 &&
          same < 1e6)) {
        PyErr_SetString(PyExc_ValueError, "costs must be from 0 to 1 ms");
        return -1;
    }
    double tick = tick_ns(self);
    self->lines->costs = (nbp_costs){
        .line = llround(line / tick),
        .frame = llround(frame / tick),
        .same = llround(same / tick),
    };
    return 0;
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
    if (PyTuple_GET_SIZE(args) > 0 || (kwargs != NULL && PyDict_Size(kwargs) > 0)) {
        PyErr_SetString(PyExc_TypeError, "LineEngine() takes no arguments");
        return NULL;
    }
    nbp_engine *self = (nbp_engine *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->state = (nbp_state *)PyType_GetModuleState(type);
    self->lines = nbp_lines_new();
    if (self->lines == NULL) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    return (PyObject *)self;
}

static int
engine_traverse(PyObject *op, visitproc visit, void *arg)
{
    nbp_engine *self = (nbp_engine *)op;
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(self->swapped);
    Py_VISIT(self->events);
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
    for (Py_ssize_t i = 0; i < self->n_functions; i++) {
        clear_function(&self->functions[i]);
    }
    free(self->functions);
    nbp_pointermap_clear(&self->by_original);
    nbp_pointermap_clear(&self->by_instrumented);
    if (self->lines != NULL) {
        nbp_lines_release(self->lines);
    }
    type->tp_free(op);
    Py_DECREF(type);
}

static PyMethodDef engine_methods[] = {
    {"add", (PyCFunction)(void (*)(void))engine_add, METH_FASTCALL, add_doc},
    {"replacement", engine_replacement, METH_O, replacement_doc},
    {"start", engine_start, METH_NOARGS, start_doc},
    {"stop", engine_stop, METH_NOARGS, stop_doc},
    {"lines", (PyCFunction)(void (*)(void))engine_lines, METH_FASTCALL, lines_doc},
    {"threads", engine_threads, METH_NOARGS, threads_doc},
    {"reset", engine_reset, METH_NOARGS, reset_doc},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef engine_attributes[] = {
    {"running", get_running, NULL, "Whether the probes are in.", NULL},
    {"costs", get_costs, set_costs,
     "What an event takes, in ns: a line, a frame entered or left, a probe passed on "
     "the\n"
     "same line. 0 at first; what is counted from then on is booked by them.",
     NULL},
    {"dropped", get_counter, NULL,
     "Frames that were not recorded, for lack of memory or beyond a million deep.",
     (void *)offsetof(nbp_shadow, dropped)},
    {"moved", get_counter, NULL, "Frames found out of order: greenlets were switched.",
     (void *)offsetof(nbp_shadow, moved)},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(
    engine_doc,
    "LineEngine()\n"
    "--\n"
    "\n"
    "Counts and times the lines of functions by probes in their code.\n"
    "\n"
    "Functions are added, then start() and stop() may be called any number of\n"
    "times; the counters go on. Several engines may run at once. While one\n"
    "runs, a measured function's ``__code__`` has probes: it runs, is pickled and\n"
    "inspected as ever, but must not be changed by ``code.replace``.\n");

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
    state->origin = nbp_ticks_moment(nbp_ticks_has_counter());
    state->engine_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &engine_spec, NULL);
    if (state->engine_type == NULL ||
        PyModule_AddType(module, state->engine_type) < 0 ||
        PyModule_AddFunctions(module, engine_functions) < 0) {
        return -1;
    }
    return register_fork(module);
}
