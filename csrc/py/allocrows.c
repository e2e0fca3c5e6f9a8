/* SPDX-License-Identifier: BSD-3-Clause */
/* Places are instructions, hence several to a line: their costs are added up here, over
 * thousands of places and not over millions of blocks. */
#include "allocrows.h"

#include <Python.h>

#include <stdlib.h>
#include <string.h>

#include "allochooks.h"
#include "heapwalk.h"

enum {
    FIGURES = 8,
};

typedef enum { BY_LINE, BY_FILE, BY_FUNCTION, BY_TRACEBACK } row_kind;

static const char *const kind_names[] = {"line", "file", "function", "traceback"};

/* What table() is made of. */
typedef struct {
    row_kind kind;
    PyObject *frames;  /* owned dict: (code address, offset) -> what stands for it */
    PyObject *numbers; /* owned dict: key -> number of the row */
    PyObject *no_file; /* owned str */
    uint64_t (*sums)[FIGURES]; /* owned */
    Py_ssize_t count;
    Py_ssize_t capacity;
} rows;

static int
kind_from(PyObject *by, row_kind *kind)
{
    *kind = BY_LINE;
    if (by == NULL) {
        return 0;
    }
    for (int i = 0; PyUnicode_Check(by) && i < 4; i++) {
        if (PyUnicode_CompareWithASCIIString(by, kind_names[i]) == 0) {
            *kind = (row_kind)i;
            return 0;
        }
    }
    PyErr_Format(PyExc_ValueError,
                 "by must be 'line', 'file', 'function' or 'traceback', not %R", by);
    return -1;
}

/* What one frame is in a key: a new reference. */
static PyObject *
describe(const rows *self, const nbp_site_frame *frame)
{
    PyCodeObject *code = (PyCodeObject *)frame->code;
    int line = PyCode_Addr2Line(code, (int)frame->offset);
    switch (self->kind) {
    case BY_LINE:
        return Py_BuildValue("(Oi)", code->co_filename, line < 0 ? 0 : line);
    case BY_FILE:
        return Py_NewRef(code->co_filename);
    case BY_FUNCTION:
        return Py_BuildValue("(OiO)", code->co_filename, code->co_firstlineno,
                             code->co_qualname);
    case BY_TRACEBACK:
        break;
    }
    return Py_BuildValue("(OiO)", code->co_filename, line < 0 ? 0 : line,
                         code->co_qualname);
}

/* The same object for the same frame, however many places it is in: a new reference. */
static PyObject *
described(rows *self, const nbp_site_frame *frame)
{
    PyObject *known = NULL; /* owned, returned */
    PyObject *id = Py_BuildValue("(nI)", (Py_ssize_t)frame->code,
                                 (unsigned int)frame->offset); /* owned */
    if (id == NULL) {
        return NULL;
    }
    known = Py_XNewRef(PyDict_GetItemWithError(self->frames, id));
    if (known == NULL && !PyErr_Occurred()) {
        known = describe(self, frame);
        if (known != NULL && PyDict_SetItem(self->frames, id, known) < 0) {
            Py_CLEAR(known);
        }
    }
    Py_DECREF(id);
    return known;
}

/* The key of a place: a new reference. */
static PyObject *
key_of(rows *self, const nbp_site_frame *frames, uint32_t count)
{
    if (count == 0) {
        switch (self->kind) {
        case BY_LINE:
            return Py_BuildValue("(Oi)", self->no_file, 0);
        case BY_FILE:
            return Py_NewRef(self->no_file);
        case BY_FUNCTION:
            return Py_BuildValue("(Ois)", self->no_file, 0, "");
        case BY_TRACEBACK:
            break;
        }
        return PyTuple_New(0);
    }
    if (self->kind != BY_TRACEBACK) {
        return described(self, &frames[0]);
    }
    PyObject *key = PyTuple_New((Py_ssize_t)count); /* owned, returned */
    for (uint32_t i = 0; key != NULL && i < count; i++) {
        PyObject *frame = described(self, &frames[i]);
        if (frame == NULL) {
            Py_CLEAR(key);
            break;
        }
        PyTuple_SET_ITEM(key, (Py_ssize_t)i, frame);
    }
    return key;
}

/* The number of the row of `key`, a new one if need be; -1 with an exception set. */
static Py_ssize_t
row_of(rows *self, PyObject *key)
{
    PyObject *number = PyDict_GetItemWithError(self->numbers, key); /* borrowed */
    if (number != NULL) {
        return PyLong_AsSsize_t(number);
    }
    if (PyErr_Occurred()) {
        return -1;
    }
    if (self->count == self->capacity) {
        Py_ssize_t capacity = self->capacity * 2 + 64;
        void *sums = realloc(self->sums, (size_t)capacity * sizeof(*self->sums));
        if (sums == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        self->sums = sums;
        self->capacity = capacity;
    }
    number = PyLong_FromSsize_t(self->count); /* owned from here on */
    int failed = number == NULL || PyDict_SetItem(self->numbers, key, number) < 0;
    Py_XDECREF(number);
    if (failed) {
        return -1;
    }
    memset(self->sums[self->count], 0, sizeof(*self->sums));
    return self->count++;
}

static int
add_place(rows *self, const nbp_measure *measure, uint32_t site,
          const nbp_site_cost *cost)
{
    uint32_t count = 0;
    /* Copied, and the code kept: what is allocated here is a new place itself while the
     * measurement is open, and moves the others; a collection may run code that opens
     * it anew. */
    nbp_site_frame frames[NBP_SITE_FRAMES_MOST];
    if (cost->allocated_blocks == 0 ||
        !nbp_alloctable_frames(nbp_alloc_table(), measure, site, frames, &count)) {
        return 0; /* a place of another measurement */
    }
    for (uint32_t i = 0; i < count; i++) {
        Py_INCREF((PyObject *)frames[i].code);
    }
    PyObject *key = key_of(self, frames, count); /* owned */
    Py_ssize_t row = key == NULL ? -1 : row_of(self, key);
    Py_XDECREF(key);
    for (uint32_t i = 0; i < count; i++) {
        Py_DECREF((PyObject *)frames[i].code);
    }
    if (row < 0) {
        return -1;
    }
    const uint64_t figures[FIGURES] = {
        cost->allocated_bytes, cost->allocated_blocks, cost->peak_bytes,
        cost->peak_blocks,     cost->temporary_bytes,  cost->temporary_blocks,
        cost->alive_bytes,     cost->alive_blocks,
    };
    for (int i = 0; i < FIGURES; i++) {
        self->sums[row][i] += figures[i];
    }
    return 0;
}

/* Puts the sums in the place of the numbers; 0, or -1 with an exception set. */
static int
finish(rows *self)
{
    PyObject *key, *number; /* borrowed */
    Py_ssize_t at = 0;
    while (PyDict_Next(self->numbers, &at, &key, &number)) {
        const uint64_t *sums = self->sums[PyLong_AsSsize_t(number)];
        PyObject *row = PyTuple_New(FIGURES); /* owned */
        for (int i = 0; row != NULL && i < FIGURES; i++) {
            PyObject *figure = PyLong_FromUnsignedLongLong(sums[i]);
            if (figure == NULL) {
                Py_CLEAR(row);
                break;
            }
            PyTuple_SET_ITEM(row, i, figure);
        }
        if (row == NULL || PyDict_SetItem(self->numbers, key, row) < 0) {
            Py_XDECREF(row);
            return -1;
        }
        Py_DECREF(row);
    }
    return 0;
}

PyObject *
nbp_allocrows(nbp_measure *measure, PyObject *by)
{
    rows self = {0};
    uint32_t count = 0;
    if (kind_from(by, &self.kind) < 0) {
        return NULL;
    }
    if (measure->sites == NULL) {
        return PyDict_New();
    }
    nbp_site_cost *costs =
        nbp_alloctable_costs(nbp_alloc_table(), measure, &count); /* owned */
    if (costs == NULL) {
        return PyErr_NoMemory();
    }
    self.frames = PyDict_New();
    self.numbers = PyDict_New();
    self.no_file = PyUnicode_FromString("<no Python frame>");
    int failed = self.frames == NULL || self.numbers == NULL || self.no_file == NULL;
    for (uint32_t site = 0; !failed && site < count; site++) {
        failed = add_place(&self, measure, site, &costs[site]) < 0;
    }
    failed = failed || finish(&self) < 0;
    free(costs);
    free(self.sums);
    Py_XDECREF(self.frames);
    Py_XDECREF(self.no_file);
    if (failed) {
        Py_CLEAR(self.numbers);
    }
    return self.numbers;
}

PyObject *
nbp_allocrows_place(nbp_measure *measure, PyObject *op)
{
    uint32_t count = 0;
    nbp_alive_block block;
    nbp_site_frame frames[NBP_SITE_FRAMES_MOST]; /* see add_place() */
    size_t before = PyObject_IS_GC(op) ? nbp_walk_headers(Py_TYPE(op)) : 0;
    rows self = {.kind = BY_TRACEBACK, .frames = PyDict_New()};
    if (self.frames == NULL) {
        return NULL;
    }
    if (measure->sites == NULL ||
        !nbp_alloctable_find(nbp_alloc_table(), measure, (const char *)op - before,
                             &block) ||
        !nbp_alloctable_frames(nbp_alloc_table(), measure, block.site, frames,
                               &count)) {
        Py_DECREF(self.frames);
        Py_RETURN_NONE;
    }
    for (uint32_t i = 0; i < count; i++) {
        Py_INCREF((PyObject *)frames[i].code);
    }
    PyObject *place = key_of(&self, frames, count); /* owned, returned */
    for (uint32_t i = 0; i < count; i++) {
        Py_DECREF((PyObject *)frames[i].code);
    }
    Py_DECREF(self.frames);
    return place;
}
