/* SPDX-License-Identifier: BSD-3-Clause */
/* Pictures of graphs: any graph in, an SVG out, in the time that is allowed.
 *
 * What is small and sparse is laid out in-process, at once. The time for anything else
 * has no bound that could be known before, so a program of ours does it and is ended
 * when it is late (drawer.h); the picture is then tried again with fewer nodes, and
 * says how many it has. Thread-safe; the caller must not hold the GIL. */
#ifndef NBP_PICTURE_H
#define NBP_PICTURE_H

#include <stdint.h>

#include "drawing.h"

/* The most that one picture shows, however simple the graph is: more is 300 kB, and
 * nobody reads it. */
enum { NBP_PICTURE_NODES = 300, NBP_PICTURE_EDGES = 600 };

/* Up to here the layout is done in-process: the worst such graph that could be found
 * takes 0.1 s. */
enum { NBP_PICTURE_SMALL_NODES = 40, NBP_PICTURE_SMALL_EDGES = 60 };

/* Draws the first nodes of a graph, and as many edges between them as can be laid out
 * in `budget_ns`: those that make the nodes hang together, then the first ones.
 * `program` is the path of the helper program, or NULL for what can be done without.
 * NBP_OK: `drawn` says how much it is, and is to be freed; a small part is drawn
 * however late it is. NBP_INVALID: an edge of no node; NBP_UNAVAILABLE: Graphviz does
 * not work. */
nbp_status nbp_picture_draw(const nbp_picture *picture, const char *program,
                            int64_t budget_ns, nbp_drawn *drawn);

#endif /* NBP_PICTURE_H */
