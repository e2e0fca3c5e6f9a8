/* SPDX-License-Identifier: BSD-3-Clause */
/* Calls: a recording of every call of every thread as trees, with the interface of
 * cProfile.Profile where that has one. */
#include "calls.h"

#include <Python.h>

#include <math.h>
#include <structmember.h>

enum {
    ROOM = 1000000,      /* nodes of a recording by default: about 100 MB when full */
    MANY_THREADS = 4096, /* beyond, events are not recorded */
};

/* ---- recording ---- */

/* The user's clock, in its ticks or in ns. It runs Python, so anything may have
 * happened meanwhile: the callers read it before they look at anything else. */
static int64_t
read_timer(nbp_calls *self)
{
    PyObject *timer = Py_NewRef(self->timer);
    PyObject *value = PyObject_CallNoArgs(timer);
    if (value != NULL && self->timer_unit > 0) {
        long long ticks = PyLong_AsLongLong(value);
        if (ticks != -1 || !PyErr_Occurred()) {
            self->timer_last = ticks;
        }
    }
    else if (value != NULL) {
        double seconds = PyFloat_AsDouble(value);
        if (fabs(seconds) < 9e9) {
            self->timer_last = (int64_t)(seconds * 1e9);
        }
    }
    Py_XDECREF(value);
    if (PyErr_Occurred()) {
        PyErr_WriteUnraisable(timer);
    }
    Py_DECREF(timer);
    return self->timer_last;
}

static inline int64_t
read_clock(nbp_calls *self)
{
    return self->timer == NULL ? nbp_ticks_now(self->has_counter) : read_timer(self);
}

static nbp_call_thread *
add_thread(nbp_calls *self, PyThreadState *thread)
{
    if (self->n_threads == MANY_THREADS) {
        return NULL;
    }
    nbp_call_thread **threads =
        PyMem_Realloc(self->threads, (self->n_threads + 1) * sizeof(*threads));
    if (threads == NULL) {
        return NULL;
    }
    self->threads = threads;
    nbp_call_thread *added = PyMem_Calloc(1, sizeof(*added));
    if (added == NULL) {
        return NULL;
    }
    added->tree = nbp_calltree_new(&self->room);
    if (added->tree == NULL) {
        PyMem_Free(added);
        return NULL;
    }
    added->id = thread->id;
    added->ident = thread->thread_id;
    self->threads[self->n_threads++] = added;
    return added;
}

nbp_call_thread *
nbp_calls_thread(nbp_calls *self, PyThreadState *thread)
{
    if (self->last != NULL && self->last->id == thread->id) {
        return self->last;
    }
    nbp_call_thread *found = NULL;
    for (size_t i = 0; i < self->n_threads && found == NULL; i++) {
        if (self->threads[i]->id == thread->id) {
            found = self->threads[i];
        }
    }
    if (found == NULL) {
        found = add_thread(self, thread);
    }
    if (found != NULL) {
        self->last = found;
    }
    return found;
}

/* Takes down what a key stands for; without memory it stays nameless. */
static void
note_function(nbp_calls *self, const void *key, PyObject *native)
{
    if (nbp_pointermap_get(&self->by_key, key) != NULL) {
        return;
    }
    if (self->n_functions == self->functions_room) {
        size_t room = self->functions_room == 0 ? 64 : 2 * self->functions_room;
        nbp_called *functions =
            PyMem_Realloc(self->functions, room * sizeof(*functions));
        if (functions == NULL) {
            return;
        }
        self->functions = functions;
        self->functions_room = room;
    }
    if (!nbp_pointermap_put(&self->by_key, key, 0, (uint32_t)self->n_functions)) {
        return;
    }
    nbp_called *called = &self->functions[self->n_functions++];
    *called = (nbp_called){0};
    if (native == NULL) {
        called->code = Py_NewRef((PyObject *)key);
    }
    else {
        called->name = nbp_native_name(native);
    }
}

void
nbp_calls_enter(nbp_calls *self, PyThreadState *thread, const void *activation,
                const void *key, PyObject *native, nbp_enter_how how)
{
    int64_t now = read_clock(self);
    if (!self->active) {
        return;
    }
    nbp_call_thread *here = nbp_calls_thread(self, thread);
    if (here == NULL) {
        self->unseen++;
        return;
    }
    nbp_call_kind kind = native == NULL ? NBP_CALL_PYTHON : NBP_CALL_NATIVE;
    if (nbp_calltree_enter(here->tree, activation, key, kind, how, now) == 1) {
        /* Rare and slow, so its time is left out exactly and not by an average. */
        note_function(self, key, native);
        if (self->timer == NULL) {
            nbp_calltree_pause(here->tree, read_clock(self) - now);
        }
    }
}

void
nbp_calls_leave(nbp_calls *self, PyThreadState *thread, const void *activation)
{
    int64_t now = read_clock(self);
    if (!self->active) {
        return;
    }
    nbp_call_thread *here = nbp_calls_thread(self, thread);
    if (here != NULL) {
        nbp_calltree_leave(here->tree, activation, now);
    }
}

void
nbp_calls_other(nbp_calls *self, PyThreadState *thread)
{
    nbp_call_thread *here = self->active ? nbp_calls_thread(self, thread) : NULL;
    if (here != NULL) {
        nbp_calltree_other(here->tree);
    }
}

/* ---- switching on and off ---- */

static int
begin_change(nbp_calls *self)
{
    if (self->changing) {
        PyErr_SetString(PyExc_RuntimeError,
                        "another thread is switching this recording on or off");
        return -1;
    }
    self->changing = true;
    return 0;
}

static int
start(nbp_calls *self)
{
    if (self->active) {
        return 0;
    }
    if (begin_change(self) < 0) {
        return -1;
    }
    int status = nbp_calls_connect(self);
    self->active = status == 0;
    self->changing = false;
    return status;
}

static int
stop(nbp_calls *self)
{
    if (!self->active) {
        return 0;
    }
    if (begin_change(self) < 0) {
        return -1;
    }
    /* From here on no event changes a tree, be the timer's code as it may. */
    self->active = false;
    int64_t now = read_clock(self);
    for (size_t i = 0; i < self->n_threads; i++) {
        nbp_calltree_finish(self->threads[i]->tree, now);
    }
    int status = nbp_calls_disconnect(self);
    self->changing = false;
    return status;
}

/* stop() after the user's code, whose exception is the one that counts. */
static int
stop_after(nbp_calls *self)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    int status = stop(self);
    if (type != NULL) {
        if (status < 0) {
            PyErr_WriteUnraisable((PyObject *)self);
        }
        PyErr_Restore(type, value, traceback);
        return -1;
    }
    return status;
}

PyDoc_STRVAR(enable_doc,
             "enable($self, /, subcalls=True, builtins=True)\n"
             "--\n"
             "\n"
             "Start to record, or go on.\n"
             "\n"
             "`subcalls` is there for cProfile's sake: the tree always has\n"
             "them. Does nothing when the recording runs already.\n");

static PyObject *
calls_enable(PyObject *op, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"subcalls", "builtins", NULL};
    nbp_calls *self = (nbp_calls *)op;
    int subcalls = 1, builtins = -1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|pp:enable", keywords, &subcalls,
                                     &builtins)) {
        return NULL;
    }
    if (builtins >= 0 && !self->active) {
        self->builtins = builtins != 0;
    }
    if (start(self) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(disable_doc, "disable($self, /)\n"
                          "--\n"
                          "\n"
                          "Stop to record: from any thread, and as often as wanted.\n"
                          "\n"
                          "Calls that still run end here, as far as the trees know.\n");

static PyObject *
calls_disable(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    if (stop((nbp_calls *)op) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
calls_context_enter(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    return start((nbp_calls *)op) < 0 ? NULL : Py_NewRef(op);
}

static PyObject *
calls_context_exit(PyObject *op, PyObject *const *Py_UNUSED(args),
                   Py_ssize_t Py_UNUSED(nargs))
{
    return calls_disable(op, NULL);
}

PyDoc_STRVAR(runcall_doc,
             "runcall($self, func, /, *args, **kwargs)\n"
             "--\n"
             "\n"
             "Call a function under the recording, and return its value.\n");

/* Calls `func`. A function in C that is called from C makes no event of its own. */
static PyObject *
call_and_record(nbp_calls *self, PyObject *func, PyObject *args, PyObject *kwargs)
{
    PyMethodDef *definition = nbp_native_definition(func);
    bool unseen = definition != NULL && self->builtins && !nbp_calls_is_own(definition);
    /* The address of a variable of ours is no other call's. */
    if (unseen) {
        nbp_calls_enter(self, nbp_thread_state(), &unseen, definition, func,
                        NBP_ENTER_START);
    }
    PyObject *result = PyObject_Call(func, args, kwargs);
    if (unseen) {
        nbp_calls_leave(self, nbp_thread_state(), &unseen);
    }
    return result;
}

static PyObject *
calls_runcall(PyObject *op, PyObject *args, PyObject *kwargs)
{
    nbp_calls *self = (nbp_calls *)op;
    if (PyTuple_GET_SIZE(args) < 1) {
        PyErr_SetString(PyExc_TypeError, "runcall() needs a function to call");
        return NULL;
    }
    PyObject *rest = PyTuple_GetSlice(args, 1, PY_SSIZE_T_MAX);
    if (rest == NULL || start(self) < 0) {
        Py_XDECREF(rest);
        return NULL;
    }
    PyObject *result = call_and_record(self, PyTuple_GET_ITEM(args, 0), rest, kwargs);
    Py_DECREF(rest);
    if (stop_after(self) < 0) {
        Py_CLEAR(result);
    }
    return result;
}

PyDoc_STRVAR(runcode_doc,
             "runcode($self, code, globals, locals, /)\n"
             "--\n"
             "\n"
             "Run a code object under the recording, and return its value.\n"
             "\n"
             "Called from here, neither `exec` nor `disable` is among the calls.\n");

static PyObject *
calls_runcode(PyObject *op, PyObject *const *args, Py_ssize_t nargs)
{
    nbp_calls *self = (nbp_calls *)op;
    if (nargs != 3 || !PyCode_Check(args[0]) || !PyDict_Check(args[1]) ||
        !PyMapping_Check(args[2])) {
        PyErr_SetString(PyExc_TypeError,
                        "runcode() takes a code object, a dict and a mapping");
        return NULL;
    }
    if (PyCode_GetNumFree((PyCodeObject *)args[0]) > 0) {
        PyErr_SetString(PyExc_TypeError,
                        "runcode() takes no code object with free variables");
        return NULL;
    }
    if (start(self) < 0) {
        return NULL;
    }
    PyObject *result = PyEval_EvalCode(args[0], args[1], args[2]);
    if (stop_after(self) < 0) {
        Py_CLEAR(result);
    }
    return result;
}

/* ---- reading ---- */

static void
forget(nbp_calls *self)
{
    for (size_t i = 0; i < self->n_threads; i++) {
        nbp_call_thread *thread = self->threads[i];
        nbp_calltree_destroy(&thread->tree);
        Py_CLEAR(thread->previous_arg);
        PyMem_Free(thread);
    }
    PyMem_Free(self->threads);
    self->threads = NULL;
    self->n_threads = 0;
    self->last = NULL;
    nbp_called *functions = self->functions;
    size_t count = self->n_functions;
    self->functions = NULL;
    self->n_functions = self->functions_room = 0;
    nbp_pointermap_clear(&self->by_key);
    for (size_t i = 0; i < count; i++) {
        Py_XDECREF(functions[i].code);
        Py_XDECREF(functions[i].name);
    }
    PyMem_Free(functions);
}

PyDoc_STRVAR(clear_doc, "clear($self, /)\n"
                        "--\n"
                        "\n"
                        "Forget what was recorded.\n");

static PyObject *
calls_clear(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    nbp_calls *self = (nbp_calls *)op;
    if (self->active || self->changing) {
        PyErr_SetString(PyExc_RuntimeError,
                        "disable() the recording before it is cleared");
        return NULL;
    }
    size_t used = 0;
    for (size_t i = 0; i < self->n_threads; i++) {
        if (self->threads[i]->busy) {
            PyErr_SetString(PyExc_RuntimeError,
                            "the recording is handing on an event of this thread");
            return NULL;
        }
        used += nbp_calltree_count(self->threads[i]->tree) - 1;
    }
    forget(self);
    self->room += used;
    self->unseen = 0;
    self->displaced = false;
    Py_RETURN_NONE;
}

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

static PyObject *
list_functions(const nbp_calls *self)
{
    PyObject *list = PyList_New((Py_ssize_t)self->n_functions);
    for (size_t i = 0; list != NULL && i < self->n_functions; i++) {
        PyObject *item = describe(&self->functions[i]);
        if (item == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, (Py_ssize_t)i, item);
    }
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

static PyObject *
list_nodes(const nbp_calls *self, const nbp_calltree *tree, double length_ns,
           const double *inclusive, const double *self_time)
{
    size_t count = nbp_calltree_count(tree);
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; list != NULL && i < count; i++) {
        const nbp_call_node *node = nbp_calltree_at(tree, i);
        PyObject *item = Py_BuildValue(
            "(nlKKKdddd)",
            node->parent == NULL ? (Py_ssize_t)-1 : (Py_ssize_t)node->parent->index,
            function_of(self, node), (unsigned long long)node->calls,
            (unsigned long long)node->resumes, (unsigned long long)node->others,
            (double)node->inclusive * length_ns, (double)node->self * length_ns,
            inclusive[i] * length_ns, self_time[i] * length_ns);
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
    nbp_calltree_correct(thread->tree, costs, corrected, corrected + count);
    PyObject *nodes =
        list_nodes(self, thread->tree, length_ns, corrected, corrected + count);
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

PyDoc_STRVAR(
    table_doc,
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
    "    corrected_inclusive_ns, corrected_self_ns)``; a parent comes before its\n"
    "    children, the root at 0 has -1 for both places, and a function of -2 heads\n"
    "    the calls for which the tree had no place.\n");

static PyObject *
calls_table(PyObject *op, PyObject *args)
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
    PyObject *functions = list_functions(self);
    PyObject *threads = functions == NULL ? NULL : PyList_New(0);
    for (size_t i = 0; threads != NULL && i < self->n_threads; i++) {
        PyObject *item = describe_thread(self, self->threads[i], length_ns, &costs);
        if (item == NULL || PyList_Append(threads, item) < 0) {
            Py_CLEAR(threads);
        }
        Py_XDECREF(item);
    }
    if (threads == NULL) {
        Py_XDECREF(functions);
        return NULL;
    }
    return Py_BuildValue("(NN)", functions, threads);
}

/* ---- the type ---- */

static PyObject *
calls_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"timer",    "timeunit", "subcalls",
                               "builtins", "room",     NULL};
    PyObject *timer = Py_None;
    double unit = 0;
    int subcalls = 1, builtins = 1;
    Py_ssize_t room = ROOM;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|Odpp$n:Calls", keywords, &timer,
                                     &unit, &subcalls, &builtins, &room)) {
        return NULL;
    }
    if (timer != Py_None && !PyCallable_Check(timer)) {
        PyErr_SetString(PyExc_TypeError, "timer must be callable");
        return NULL;
    }
    if (room < 0 || !(unit >= 0)) {
        PyErr_SetString(PyExc_ValueError, "room and timeunit must not be negative");
        return NULL;
    }
    nbp_calls *self = (nbp_calls *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->builtins = builtins != 0;
    self->room = (size_t)room;
    self->timer = timer == Py_None ? NULL : Py_NewRef(timer);
    self->timer_unit = unit;
    self->has_counter = nbp_ticks_has_counter();
    self->origin = nbp_ticks_moment(self->has_counter);
    return (PyObject *)self;
}

static int
calls_traverse(PyObject *op, visitproc visit, void *arg)
{
    nbp_calls *self = (nbp_calls *)op;
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(self->timer);
    Py_VISIT(self->hook);
    Py_VISIT(self->old_hook);
    for (size_t i = 0; i < self->n_threads; i++) {
        Py_VISIT(self->threads[i]->previous_arg);
    }
    return 0;
}

static int
calls_tp_clear(PyObject *op)
{
    nbp_calls *self = (nbp_calls *)op;
    /* Only an object that nothing refers to gets here, so it records nothing. */
    Py_CLEAR(self->timer);
    Py_CLEAR(self->hook);
    Py_CLEAR(self->old_hook);
    forget(self);
    return 0;
}

static void
calls_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    calls_tp_clear(op);
    type->tp_free(op);
    Py_DECREF(type);
}

static PyObject *
calls_get_active(PyObject *op, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(((nbp_calls *)op)->active);
}

static PyObject *
calls_get_builtins(PyObject *op, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(((nbp_calls *)op)->builtins);
}

static PyObject *
calls_get_timer(PyObject *op, void *Py_UNUSED(closure))
{
    PyObject *timer = ((nbp_calls *)op)->timer; /* borrowed */
    return Py_NewRef(timer == NULL ? Py_None : timer);
}

static PyObject *
calls_get_displaced(PyObject *op, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(((nbp_calls *)op)->displaced);
}

static PyObject *
calls_get_unseen(PyObject *op, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLongLong(((nbp_calls *)op)->unseen);
}

static PyMethodDef calls_methods[] = {
    {"enable", (PyCFunction)(void (*)(void))calls_enable, METH_VARARGS | METH_KEYWORDS,
     enable_doc},
    {"disable", calls_disable, METH_NOARGS, disable_doc},
    {"__enter__", calls_context_enter, METH_NOARGS, NULL},
    {"__exit__", (PyCFunction)(void (*)(void))calls_context_exit, METH_FASTCALL, NULL},
    {"runcall", (PyCFunction)(void (*)(void))calls_runcall,
     METH_VARARGS | METH_KEYWORDS, runcall_doc},
    {"runcode", (PyCFunction)(void (*)(void))calls_runcode, METH_FASTCALL, runcode_doc},
    {"clear", calls_clear, METH_NOARGS, clear_doc},
    {"table", calls_table, METH_VARARGS, table_doc},
    {NULL, NULL, 0, NULL},
};

bool
nbp_calls_is_own(const PyMethodDef *definition)
{
    return definition >= calls_methods &&
           definition < calls_methods + sizeof(calls_methods) / sizeof(*calls_methods);
}

static PyGetSetDef calls_getset[] = {
    {"active", calls_get_active, NULL, "Whether calls are being recorded.", NULL},
    {"builtins", calls_get_builtins, NULL, "Whether functions in C are recorded too.",
     NULL},
    {"timer", calls_get_timer, NULL, "The user's clock, or None.", NULL},
    {"displaced", calls_get_displaced, NULL,
     "Whether another profiler took over in some thread (CPython 3.11 only).", NULL},
    {"unseen", calls_get_unseen, NULL,
     "Calls of threads that could not be recorded at all.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(
    calls_doc,
    "Calls(timer=None, timeunit=0.0, subcalls=True, builtins=True, *, room=1000000)\n"
    "--\n"
    "\n"
    "A recording of every call of every thread, as trees.\n"
    "\n"
    "Parameters\n"
    "----------\n"
    "timer : callable, optional\n"
    "    The clock to read, as with `cProfile.Profile`; without one it is the\n"
    "    processor's counter, in ns.\n"
    "timeunit : float\n"
    "    Seconds a tick of `timer`; 0 when it gives seconds.\n"
    "subcalls : bool\n"
    "    There for cProfile's sake.\n"
    "builtins : bool\n"
    "    Record functions in C too.\n"
    "room : int\n"
    "    Nodes the trees may have in all; calls beyond are counted by function.\n");

static PyType_Slot calls_slots[] = {
    {Py_tp_doc, (void *)calls_doc}, {Py_tp_new, calls_new},
    {Py_tp_dealloc, calls_dealloc}, {Py_tp_traverse, calls_traverse},
    {Py_tp_clear, calls_tp_clear},  {Py_tp_methods, calls_methods},
    {Py_tp_getset, calls_getset},   {0, NULL},
};

static PyType_Spec calls_spec = {
    .name = "nbprobe._core.Calls",
    .basicsize = sizeof(nbp_calls),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_BASETYPE |
             Py_TPFLAGS_HAVE_GC,
    .slots = calls_slots,
};

int
nbp_add_calls(PyObject *module)
{
    nbp_state *state = nbp_state_of(module);
    state->calls_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &calls_spec, NULL);
    if (state->calls_type == NULL || nbp_add_call_source(module) < 0) {
        return -1;
    }
    return PyModule_AddType(module, state->calls_type);
}
