/* SPDX-License-Identifier: BSD-3-Clause */
/* What an engine has counted, as Python objects. */
#include "linerows.h"

#include <math.h>

#include "compat.h"

double
nbp_engine_tick_ns(const nbp_engine *self)
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

/* The same of its memory. */
static nbp_line_memory
memory_of(const nbp_lines *lines, uint32_t slot, const uint64_t *thread)
{
    nbp_line_memory sum = {0};
    for (size_t i = 0; i < lines->n_shadows; i++) {
        const nbp_shadow *shadow = lines->shadows[i];
        if (slot < shadow->n_lines && (!thread || shadow->thread == *thread)) {
            nbp_line_memory_merge(&sum, &shadow->line_memory[slot]);
        }
    }
    return sum;
}

/* What rows are made of. */
typedef struct {
    const nbp_lines *lines;
    const uint64_t *thread; /* NULL: all */
    double tick;            /* ns */
} source;

/* A row of line `line`: a new tuple. */
typedef PyObject *(*row_maker)(const source *from, int32_t line, uint32_t slot);

static PyObject *
time_row(const source *from, int32_t line, uint32_t slot)
{
    nbp_line sum = sum_of(from->lines, slot, from->thread);
    double tick = from->tick;
    return Py_BuildValue("(iLLLLLL)", (int)line, (long long)sum.hits,
                         (long long)in_ns(sum.inclusive, tick),
                         (long long)in_ns(sum.own, tick),
                         (long long)in_ns(sum.suspended, tick),
                         (long long)in_ns(sum.inclusive_tool, tick),
                         (long long)in_ns(sum.own_tool, tick));
}

static PyObject *
memory_row(const source *from, int32_t line, uint32_t slot)
{
    nbp_line_memory sum = memory_of(from->lines, slot, from->thread);
    const nbp_traffic *all = &sum.inclusive, *own = &sum.own;
    return Py_BuildValue(
        "(i(KKKK)(KKKK)LLK)", (int)line, (unsigned long long)all->allocated_bytes,
        (unsigned long long)all->allocated_blocks, (unsigned long long)all->freed_bytes,
        (unsigned long long)all->freed_blocks, (unsigned long long)own->allocated_bytes,
        (unsigned long long)own->allocated_blocks, (unsigned long long)own->freed_bytes,
        (unsigned long long)own->freed_blocks, (long long)sum.peak_bytes,
        (long long)sum.own_peak_bytes, (unsigned long long)sum.entered);
}

static PyObject *
resident_row(const source *from, int32_t line, uint32_t slot)
{
    nbp_line_memory sum = memory_of(from->lines, slot, from->thread);
    return Py_BuildValue("(iL)", (int)line, (long long)sum.resident_bytes);
}

/* The rows of one function: a new list. */
static PyObject *
rows_of(const source *from, const nbp_code_lines *table, row_maker make)
{
    PyObject *rows = PyList_New((Py_ssize_t)table->n_lines);
    for (uint32_t i = 0; rows != NULL && i < table->n_lines; i++) {
        PyObject *row = make(from, table->lines[i], table->first_slot + i);
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

/* Those of all functions: a new list. */
static PyObject *
all_rows(const nbp_engine *self, const uint64_t *thread, row_maker make)
{
    source from = {self->lines, thread, nbp_engine_tick_ns(self)};
    PyObject *result = PyList_New(0);
    for (Py_ssize_t i = 0; result != NULL && i < self->n_functions; i++) {
        const nbp_function *function = &self->functions[i];
        PyObject *rows = rows_of(&from, &function->table, make);
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

PyObject *
nbp_linerows_of(const nbp_engine *self, const uint64_t *thread)
{
    return all_rows(self, thread, time_row);
}

PyObject *
nbp_linerows_memory(const nbp_engine *self, const uint64_t *thread)
{
    return all_rows(self, thread, memory_row);
}

PyObject *
nbp_linerows_resident(const nbp_engine *self, const uint64_t *thread)
{
    return all_rows(self, thread, resident_row);
}

PyObject *
nbp_linerows_threads(const nbp_engine *self)
{
    const nbp_lines *lines = self->lines;
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
