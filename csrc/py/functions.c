/* SPDX-License-Identifier: BSD-3-Clause */
/* The code objects that an engine measures, each beside its copy with probes. */
#include "engine.h"

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
    nbp_statements_clear(&function->statements);
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

/* The constants of `code` with the codes among them instrumented; a new reference. */
static PyObject *
instrument_nested(nbp_engine *self, PyCodeObject *code,
                  const nbp_statement_map *statements, int *changed)
{
    Py_ssize_t n = PyTuple_GET_SIZE(code->co_consts);
    PyObject *constants = PyTuple_New(n);
    for (Py_ssize_t i = 0; constants != NULL && i < n; i++) {
        PyObject *constant = PyTuple_GET_ITEM(code->co_consts, i);
        if (PyCode_Check(constant)) {
            if (nbp_engine_add(self, constant, statements) < 0) {
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
instrument(nbp_engine *self, nbp_function *function,
           const nbp_statement_map *statements)
{
    PyCodeObject *code = (PyCodeObject *)function->original;
    int changed = 0;
    PyObject *constants = instrument_nested(self, code, statements, &changed);
    if (constants == NULL) {
        return -1;
    }
    function->statements = nbp_statements_share(statements);
    function->instrumented = nbp_instrument(
        self->state, code, constants, &statements->view, self->lines, &function->table);
    function->has_probes = function->instrumented != NULL;
    if (!function->has_probes && !PyErr_Occurred()) {
        function->instrumented =
            changed ? nbp_replace_constants(self->state, code, constants)
                    : Py_NewRef(function->original);
        if (function->instrumented != NULL &&
            nbp_code_lines_of(code, &statements->view, self->lines, &function->table) <
                0) {
            Py_CLEAR(function->instrumented);
        }
    }
    Py_DECREF(constants);
    return function->instrumented == NULL ? -1 : 0;
}

int
nbp_engine_add(nbp_engine *self, PyObject *code, const nbp_statement_map *statements)
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

void
nbp_engine_clear_functions(nbp_engine *self)
{
    for (Py_ssize_t i = 0; i < self->n_functions; i++) {
        clear_function(&self->functions[i]);
    }
    free(self->functions);
    nbp_pointermap_clear(&self->by_original);
    nbp_pointermap_clear(&self->by_instrumented);
}
