/* SPDX-License-Identifier: BSD-3-Clause */
/* Drawings made by a program of ours in a process of its own: one that takes too long
 * is ended, one that crashes takes nothing with it. The program (drawer_main.c) is
 * started with posix_spawn, which copies neither the memory nor the locks of a large
 * process with many threads; 2 to 3 ms. Nothing here has state: any number of threads
 * may draw at once, and a fork disturbs nobody. On Windows there is no posix_spawn and
 * nbprobe has not been built; pictures would be limited to what is drawn in-process. */
#ifndef NBP_DRAWER_H
#define NBP_DRAWER_H

#include <stdint.h>

#include "bytes.h"
#include "drawing.h"

/* Has `program` draw. NBP_OK: `drawn` is to be freed. NBP_TIMEOUT: not ready at
 * `deadline_ns` of NBP_CLOCK_WALL; NBP_UNAVAILABLE: the program does not start here;
 * NBP_CRASHED: it ended without an answer. No process is left in any case. */
nbp_status nbp_drawer_draw(const char *program, const nbp_picture *picture,
                           int64_t deadline_ns, nbp_drawn *drawn);

/* The program: reads one request from `input`, writes the answer to `output`. Gives the
 * exit code. */
int nbp_drawer_serve(int input, int output);

/* A request, and the picture that one holds. `rows` and the others are owned by
 * nbp_request; the strings are in the bytes. */
typedef struct {
    nbp_picture picture;
    nbp_attribute *rows;
    nbp_attributes_list *nodes;
    nbp_picture_edge *edges;
} nbp_request;

void nbp_request_write(nbp_bytes *bytes, const nbp_picture *picture);

/* NBP_INVALID for bytes that no nbp_request_write() made. `data` outlives `request`. */
nbp_status nbp_request_read(const uint8_t *data, size_t size, nbp_request *request);
void nbp_request_free(nbp_request *request);

#endif /* NBP_DRAWER_H */
