/* SPDX-License-Identifier: BSD-3-Clause */
/* Drawings of graphs, laid out by libcgraph and libgvc in this process.
 *
 * Both libraries keep state in static variables and crash under two threads even with a
 * context each, so every call into them happens under one lock of the process, taken
 * here. The caller must not hold the GIL: the thread inside may need it to finish. A
 * layout takes as long as it takes and cannot be ended: see picture.h for bounds. */
#ifndef NBP_DRAWING_H
#define NBP_DRAWING_H

#include <stdbool.h>
#include <stddef.h>

#include "attributes.h"
#include "status.h"

typedef struct {
    size_t tail, head; /* numbers of nodes */
    nbp_attributes_list attributes;
} nbp_picture_edge;

/* What to draw. Attributes that attributes.h does not take are left out. */
typedef struct {
    nbp_attributes_list attributes;   /* of the graph */
    const nbp_attributes_list *nodes; /* borrowed; of each node */
    size_t node_count;
    const nbp_picture_edge *edges; /* borrowed */
    size_t edge_count;
    bool hurried; /* lay it out fast rather than well, as is done with dense ones */
} nbp_picture;

/* Where a node is, in points from the upper left corner of the drawing. */
typedef struct {
    float left, top, right, bottom;
} nbp_box;

/* What was drawn: the first `nodes` nodes, and `edges` edges between them. */
typedef struct {
    char *svg; /* owned; the <svg> element, NUL-terminated */
    size_t nodes, edges;
    nbp_box *boxes; /* owned; one a node */
} nbp_drawn;

/* Safe to call twice, and on what was never filled but is zero. */
void nbp_drawn_free(nbp_drawn *drawn);

/* Draws from top to bottom, or as the graph's rankdir says. NBP_OK: `drawn` is to be
 * freed. NBP_INVALID: an edge of no node; NBP_UNAVAILABLE: Graphviz failed. */
nbp_status nbp_drawing_make(const nbp_picture *picture, nbp_drawn *drawn);

/* Copies the version of the loaded Graphviz, for example "2.43.0", into `text`
 * (NUL-terminated, cut at `size`), after drawing one node to see that its libraries
 * work together. NBP_UNAVAILABLE where they do not. */
nbp_status nbp_drawing_version(char *text, size_t size);

/* True when the layout and output plugins are linked in, false when Graphviz looks for
 * them in its own directories at run time. */
bool nbp_drawing_has_builtin_plugins(void);

#endif /* NBP_DRAWING_H */
