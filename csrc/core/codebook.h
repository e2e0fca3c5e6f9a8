/* SPDX-License-Identifier: BSD-3-Clause */
/* What code objects are called, taken down while they are alive: a code object that was
 * met on a stack may be freed, and another put in its place, before anybody asks. So
 * its names and its table of lines are copied when it is first met, and every later
 * meeting checks that it is still the one at that address.
 *
 * A function is numbered from 0 in the order of first meetings. Code objects that say
 * the same (file, line, names, table of lines) are one function: a cell that is
 * executed again and again compiles to new ones. Not thread-safe. */
#ifndef NBP_CODEBOOK_H
#define NBP_CODEBOOK_H

#include "stacks.h"

enum {
    NBP_NO_FUNCTION = 0xffffffff,
};

typedef struct {
    char *file;     /* owned: UTF-8, at most 4 kB */
    char *name;     /* owned */
    char *qualname; /* owned */
    uint8_t *lines; /* owned: the table of lines, of lines_size bytes */
    size_t lines_size;
    int32_t first_line;
    uint64_t hash; /* of all that */
} nbp_function;

typedef struct nbp_codebook nbp_codebook;

nbp_codebook *nbp_codebook_new(void); /* NULL: no memory */
void nbp_codebook_destroy(nbp_codebook **self);

/* Finds the functions of the frames of a stack, numbers[i] that of frames[i], and the
 * unit of its code that it is at, units[i] (-1: before the first). Frames that have not
 * begun are taken out of the stack: the interpreter shows them to nobody, as it does
 * not show those that only call __init__. 0, or -1 when one of them is no code object,
 * or there is no memory. */
int nbp_codebook_read(nbp_codebook *self, nbp_peek *peek,
                      const nbp_interpreter_layout *layout, nbp_stack_view *stack,
                      uint32_t *numbers, int32_t *units);

size_t nbp_codebook_count(const nbp_codebook *self);

/* Borrowed until the book is destroyed. */
const nbp_function *nbp_codebook_at(const nbp_codebook *self, uint32_t number);

/* The line of a unit of a function; 0 when it has none. */
int32_t nbp_function_line(const nbp_function *self, int32_t unit);

#endif /* NBP_CODEBOOK_H */
