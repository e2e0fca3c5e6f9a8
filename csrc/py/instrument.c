/* SPDX-License-Identifier: BSD-3-Clause */
#define PY_SSIZE_T_CLEAN /* y# below takes Py_ssize_t */
#include "instrument.h"

#include "compat.h"
#include "probe.h"

/* ---- slots ---- */

static int
compare_lines(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

int64_t
nbp_code_lines_slot(const nbp_code_lines *self, int32_t line)
{
    if (self->n_lines == 0) {
        return -1;
    }
    const int32_t *found =
        bsearch(&line, self->lines, self->n_lines, sizeof(line), compare_lines);
    return found == NULL ? -1 : (int64_t)self->first_slot + (found - self->lines);
}

/* Sorts `lines` (taking ownership), drops repetitions and gives each a slot. */
static void
give_slots(nbp_code_lines *table, int32_t *lines, uint32_t count, nbp_lines *owner)
{
    qsort(lines, count, sizeof(*lines), compare_lines);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (kept == 0 || lines[i] != lines[kept - 1]) {
            lines[kept++] = lines[i];
        }
    }
    table->lines = lines;
    table->n_lines = kept;
    table->first_slot = owner->slots;
    for (uint32_t i = 0; i < kept; i++) {
        nbp_lines_add(owner);
    }
}

static int
give_probed_slots(nbp_code_lines *table, const nbp_probe *probes, size_t count,
                  nbp_lines *owner)
{
    int32_t *lines = malloc((count + 1) * sizeof(*lines));
    if (lines == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    uint32_t n = 0;
    for (size_t i = 0; i < count; i++) {
        if (probes[i].line >= 0) {
            lines[n++] = probes[i].line;
        }
    }
    give_slots(table, lines, n, owner);
    return 0;
}

/* ---- instrumented code ---- */

/* The name is interned, as the interpreter keeps a reference to each that it looks up
 * in a type. */
PyObject *
nbp_own_replace(nbp_state *state)
{
    if (state->code_replace[0] != NULL) {
        return Py_NewRef(state->code_replace[0]);
    }
    PyObject *name = PyUnicode_InternFromString("replace");
    PyObject *method =
        name == NULL ? NULL : PyObject_GetAttr((PyObject *)&PyCode_Type, name);
    Py_XDECREF(name);
    return method;
}

static PyObject *
replace(nbp_state *state, PyCodeObject *code, PyObject *fields)
{
    PyObject *result = NULL;
    PyObject *method = nbp_own_replace(state);
    PyObject *arguments = PyTuple_Pack(1, code);
    if (method != NULL && arguments != NULL && fields != NULL) {
        result = PyObject_Call(method, arguments, fields);
    }
    Py_XDECREF(method);
    Py_XDECREF(arguments);
    return result;
}

PyObject *
nbp_replace_constants(nbp_state *state, PyCodeObject *code, PyObject *constants)
{
    PyObject *fields = Py_BuildValue("{s:O}", "co_consts", constants);
    PyObject *result = replace(state, code, fields);
    Py_XDECREF(fields);
    return result;
}

/* `constants` with the probes behind them; a new reference. */
static PyObject *
append_probes(nbp_state *state, PyCodeObject *code, PyObject *constants,
              const nbp_probe *probes, size_t count, nbp_lines *lines,
              const nbp_code_lines *table)
{
    Py_ssize_t n = PyTuple_GET_SIZE(constants);
    PyObject *longer = PyTuple_New(n + (Py_ssize_t)count);
    if (longer == NULL) {
        return NULL;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        PyTuple_SET_ITEM(longer, i, Py_NewRef(PyTuple_GET_ITEM(constants, i)));
    }
    for (size_t i = 0; i < count; i++) {
        int64_t slot = nbp_code_lines_slot(table, probes[i].line);
        PyObject *original =
            probes[i].kind == NBP_PROBE_LEAVE ? (PyObject *)code : NULL;
        PyObject *probe = nbp_probe_new(state, probes[i].kind, lines,
                                        slot < 0 ? 0 : (uint32_t)slot, original);
        if (probe == NULL) {
            Py_DECREF(longer);
            return NULL;
        }
        PyTuple_SET_ITEM(longer, n + (Py_ssize_t)i, probe);
    }
    return longer;
}

/* The copy of `code` that `written` describes; a new reference. */
static PyObject *
build(nbp_state *state, PyCodeObject *code, PyObject *constants, nbp_rewrite *rewrite,
      const nbp_code *written, nbp_lines *lines, nbp_code_lines *table)
{
    size_t count;
    const nbp_probe *probes = nbp_rewrite_probes(rewrite, &count);
    if (give_probed_slots(table, probes, count, lines) < 0) {
        return NULL;
    }
    PyObject *longer =
        append_probes(state, code, constants, probes, count, lines, table);
    if (longer == NULL) {
        return NULL;
    }
    PyObject *fields = Py_BuildValue(
        "{s:N, s:y#, s:y#, s:y#, s:I}", "co_consts", longer, "co_code",
        (const char *)written->code, (Py_ssize_t)written->code_size, "co_linetable",
        (const char *)written->locations, (Py_ssize_t)written->locations_size,
        "co_exceptiontable", (const char *)written->handlers,
        (Py_ssize_t)written->handlers_size, "co_stacksize",
        (unsigned)written->stack_size);
    PyObject *result = replace(state, code, fields);
    Py_XDECREF(fields);
    return result;
}

nbp_code
nbp_code_parts(PyCodeObject *code, PyObject *bytes, PyObject *constants)
{
    return (nbp_code){
        .code = (const uint8_t *)PyBytes_AS_STRING(bytes),
        .code_size = (size_t)PyBytes_GET_SIZE(bytes),
        .locations = (const uint8_t *)PyBytes_AS_STRING(code->co_linetable),
        .locations_size = (size_t)PyBytes_GET_SIZE(code->co_linetable),
        .handlers = (const uint8_t *)PyBytes_AS_STRING(code->co_exceptiontable),
        .handlers_size = (size_t)PyBytes_GET_SIZE(code->co_exceptiontable),
        .first_line = code->co_firstlineno,
        .constants = (uint32_t)PyTuple_GET_SIZE(constants),
        .stack_size = (uint32_t)code->co_stacksize,
    };
}

PyObject *
nbp_instrument(nbp_state *state, PyCodeObject *code, PyObject *constants,
               const nbp_statements *statements, nbp_lines *lines,
               nbp_code_lines *table)
{
    const nbp_opcodes *opcodes = nbp_opcodes_of(NBP_MINOR_VERSION);
    if (opcodes == NULL) {
        return NULL;
    }
    PyObject *result = NULL;
    nbp_rewrite *rewrite = NULL;
    PyObject *bytes = PyCode_GetCode(code); /* owned; what follows points into it */
    if (bytes == NULL) {
        return NULL;
    }
    nbp_code in = nbp_code_parts(code, bytes, constants);
    nbp_code written;
    nbp_status status = nbp_rewrite_new(&rewrite, opcodes, &in);
    if (status == NBP_OK) {
        status = nbp_rewrite_plan(rewrite, statements);
    }
    if (status == NBP_OK) {
        status = nbp_rewrite_emit(rewrite, &written);
    }
    if (status == NBP_OK) {
        result = build(state, code, constants, rewrite, &written, lines, table);
    }
    else if (status == NBP_NO_MEMORY) {
        PyErr_NoMemory();
    }
    nbp_rewrite_destroy(&rewrite);
    Py_DECREF(bytes);
    return result;
}

/* ---- code without probes ---- */

/* Appends the statement of `item`, one (start, end, line) of co_lines(). */
static int
append_line(PyObject *item, const nbp_statements *statements, int32_t *lines,
            uint32_t *count)
{
    PyObject *number = PyTuple_GetItem(item, 2); /* borrowed */
    if (number == NULL) {
        return -1;
    }
    if (number == Py_None) {
        return 0;
    }
    long line = PyLong_AsLong(number);
    if (line == -1 && PyErr_Occurred()) {
        return -1;
    }
    int64_t at = line - (int64_t)statements->from;
    lines[(*count)++] =
        at >= 0 && at < statements->count ? statements->first[at] : (int32_t)line;
    return 0;
}

int
nbp_code_lines_of(PyCodeObject *code, const nbp_statements *statements,
                  nbp_lines *owner, nbp_code_lines *table)
{
    PyObject *iterator = PyObject_CallMethod((PyObject *)code, "co_lines", NULL);
    PyObject *items = iterator == NULL ? NULL : PySequence_List(iterator);
    Py_XDECREF(iterator);
    if (items == NULL) {
        return -1;
    }
    uint32_t count = 0;
    int32_t *lines = malloc(((size_t)PyList_GET_SIZE(items) + 1) * sizeof(*lines));
    if (lines == NULL) {
        PyErr_NoMemory();
    }
    for (Py_ssize_t i = 0; !PyErr_Occurred() && i < PyList_GET_SIZE(items); i++) {
        append_line(PyList_GET_ITEM(items, i), statements, lines, &count);
    }
    Py_DECREF(items);
    if (PyErr_Occurred()) {
        free(lines);
        return -1;
    }
    give_slots(table, lines, count, owner);
    return 0;
}
