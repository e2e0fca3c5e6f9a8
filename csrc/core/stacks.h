/* SPDX-License-Identifier: BSD-3-Clause */
/* The stacks of an interpreter's threads, read from outside while they run: which code
 * object each frame runs, and where in it. Nothing is stopped and no lock is taken, so
 * a stack may have changed while it was read; what shows that is refused (-1), and what
 * does not is a stack that some moment of the reading had.
 *
 * Where things lie comes from the caller: this file knows no CPython. */
#ifndef NBP_STACKS_H
#define NBP_STACKS_H

#include "peek.h"

enum {
    NBP_STACK_DEPTH = 4096, /* innermost frames that are kept */
    NBP_LAYOUT_HEAD = 320,  /* bytes of a structure that may be looked at */
};

/* A string inside of the interpreter, as far as its head tells. */
typedef struct {
    size_t length; /* characters */
    uint32_t kind; /* bytes a character: 1, 2 or 4 */
    uint32_t data; /* offset of the first from the head, bytes */
} nbp_text_place;

/* Offsets in bytes, and the addresses of types. Each head is at most NBP_LAYOUT_HEAD.
 */
typedef struct {
    uint32_t threads;                            /* interpreter: the first thread */
    uint32_t next, owner, id, ident, tid, frame; /* thread */
    uint32_t thread_size;
    uint32_t inner_frame; /* where `frame` points to a structure that has it, in that */
    bool frame_is_indirect;
    uint32_t code, caller, instruction, kind; /* frame */
    uint32_t frame_size;
    int marker; /* the kind (one byte) of frames that run no code; -1: there are none */
    int generator; /* the kind of frames that generators and coroutines own */
    uint32_t references, type;                               /* any object */
    uint32_t units, first_line, file, name, qualname, lines; /* code object */
    uint32_t instructions;    /* where its code begins, 2 bytes a unit */
    uint32_t first_traceable; /* code object: how many units only prepare the frame */
    uint32_t code_size;
    uint32_t length, bytes; /* byte string */
    uint32_t text_size;     /* head of a string */
    uintptr_t code_type, text_type, bytes_type;
    /* Reads a copy of a string's head; false when it is none. */
    bool (*text)(const void *head, nbp_text_place *out);
} nbp_interpreter_layout;

/* A thread, as its structure said. */
typedef struct {
    uintptr_t address;
    uintptr_t next;  /* 0: the last */
    uintptr_t frame; /* its innermost; 0 when it runs no Python */
    uint64_t id;     /* no two threads of a process ever have the same */
    uint64_t ident;  /* as threading.get_ident() */
    uint64_t tid;    /* the kernel's number */
} nbp_thread_view;

typedef struct {
    uintptr_t address;
    uintptr_t code;
    uintptr_t instruction;
    bool is_generator; /* a generator or a coroutine owns it */
} nbp_frame_view;

typedef struct {
    size_t depth;
    bool cut;   /* there were more than NBP_STACK_DEPTH */
    bool based; /* the frame asked for was reached; it is not among the frames */
    /* The outermost is a generator's, which has no caller since it was suspended or
     * ended while the stack was read. */
    bool adrift;
    nbp_frame_view frames[NBP_STACK_DEPTH]; /* the innermost first */
} nbp_stack_view;

/* The first thread of `interpreter`; 0 when it cannot be read. */
uintptr_t nbp_stacks_first(nbp_peek *peek, const nbp_interpreter_layout *layout,
                           uintptr_t interpreter);

/* 0, or -1 when there is no thread of `interpreter` at `address`. */
int nbp_stacks_thread(nbp_peek *peek, const nbp_interpreter_layout *layout,
                      uintptr_t interpreter, uintptr_t address, nbp_thread_view *out);

/* The heads of several threads that were there before, in one system call: thread i at
 * heads[i], NBP_LAYOUT_HEAD bytes each; returns how many could be read. */
size_t nbp_stacks_heads(nbp_peek *peek, const nbp_interpreter_layout *layout,
                        const uintptr_t *addresses, size_t count, unsigned char *heads);

/* nbp_stacks_thread() of a head that was read. */
int nbp_stacks_thread_of(nbp_peek *peek, const nbp_interpreter_layout *layout,
                         uintptr_t interpreter, uintptr_t address,
                         const unsigned char *head, nbp_thread_view *out);

/* The frames of a thread from `frame` on, up to the one at `base` (0: all of them); 0,
 * or -1 when they do not hang together. */
int nbp_stacks_read(nbp_peek *peek, const nbp_interpreter_layout *layout,
                    uintptr_t frame, uintptr_t base, nbp_stack_view *out);

/* Puts below a stack that is adrift what its thread runs a moment later: who called the
 * generator, or the generator again. 0, or -1 when they do not fit together. */
int nbp_stacks_moor(nbp_stack_view *adrift, const nbp_stack_view *later);

#endif /* NBP_STACKS_H */
