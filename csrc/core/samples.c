/* SPDX-License-Identifier: BSD-3-Clause */
#include "samples.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

enum { FIRST_CAPACITY = 256 };

struct nbp_samples {
    nbp_sample *rows; /* owned */
    size_t count;
    size_t capacity;
    nbp_clock clock;
    /* The stretch that is running. */
    bool running;
    int64_t start_ns;
    int64_t start_cpu_ns;
    int64_t start_switches;
};

nbp_samples *
nbp_samples_new(nbp_clock clock)
{
    assert(clock >= 0 && clock < NBP_CLOCK_COUNT);
    nbp_samples *self = calloc(1, sizeof(*self));
    if (self != NULL) {
        self->clock = clock;
    }
    return self;
}

void
nbp_samples_destroy(nbp_samples **self)
{
    if (*self != NULL) {
        free((*self)->rows);
        free(*self);
        *self = NULL;
    }
}

static nbp_status
make_room(nbp_samples *self)
{
    if (self->count < self->capacity) {
        return NBP_OK;
    }
    size_t capacity = self->capacity == 0 ? FIRST_CAPACITY : 2 * self->capacity;
    nbp_sample *rows = realloc(self->rows, capacity * sizeof(*rows));
    if (rows == NULL) {
        return NBP_NO_MEMORY;
    }
    self->rows = rows;
    self->capacity = capacity;
    return NBP_OK;
}

nbp_status
nbp_samples_begin(nbp_samples *self)
{
    nbp_status status = make_room(self);
    if (status != NBP_OK) {
        return status;
    }
    self->running = true;
    self->start_switches = nbp_clock_switches().involuntary_switches;
    self->start_cpu_ns = nbp_clock_now_ns(NBP_CLOCK_THREAD_CPU);
    self->start_ns = nbp_clock_now_ns(self->clock);
    return NBP_OK;
}

nbp_status
nbp_samples_end(nbp_samples *self, int64_t iterations)
{
    int64_t end_ns = nbp_clock_now_ns(self->clock);
    if (!self->running) {
        return NBP_INVALID;
    }
    int64_t end_cpu_ns = nbp_clock_now_ns(NBP_CLOCK_THREAD_CPU);
    int64_t end_switches = nbp_clock_switches().involuntary_switches;
    assert(self->count < self->capacity);
    self->rows[self->count++] = (nbp_sample){
        .time_ns = end_ns - self->start_ns,
        .cpu_ns = end_cpu_ns - self->start_cpu_ns,
        .iterations = iterations,
        .involuntary_switches = end_switches - self->start_switches,
    };
    self->running = false;
    return NBP_OK;
}

size_t
nbp_samples_count(const nbp_samples *self)
{
    return self->count;
}

const nbp_sample *
nbp_samples_at(const nbp_samples *self, size_t index)
{
    assert(index < self->count);
    return &self->rows[index];
}

void
nbp_samples_clear(nbp_samples *self)
{
    self->count = 0;
    self->running = false;
}
