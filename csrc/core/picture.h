/* SPDX-License-Identifier: BSD-3-Clause */
/* Pictures of graphs, drawn in-process by libcgraph and libgvc.
 *
 * Both libraries keep state in static variables and crash under two threads even with a
 * context each, so every call into them happens under one lock of the process, taken
 * here. The caller must not hold the GIL: the thread inside may need it to finish. */
#ifndef NBP_PICTURE_H
#define NBP_PICTURE_H

#include <stdbool.h>
#include <stddef.h>

#include "status.h"

/* Copies the version of the loaded Graphviz, for example "2.43.0", into `text`
 * (NUL-terminated, cut at `size`), after drawing one node through cgraph and the dot
 * layout to see that they work together. NBP_UNAVAILABLE where they do not. */
nbp_status nbp_picture_version(char *text, size_t size);

/* True when the layout and output plugins are linked in, false when Graphviz looks for
 * them in its own directories at run time. */
bool nbp_picture_has_builtin_plugins(void);

/* An attribute of Graphviz, both borrowed: UTF-8. A `value` is shown as it is: what
 * Graphviz or XML would take for more than text in it is made harmless, and it is cut
 * at 900 bytes and 10 lines, beyond which the library has crashed. */
typedef struct {
    const char *name;
    const char *value;
} nbp_attribute;

typedef struct {
    const nbp_attribute *rows; /* borrowed */
    size_t count;
} nbp_attributes_list;

typedef struct {
    size_t tail, head; /* numbers of nodes */
    nbp_attributes_list attributes;
} nbp_picture_edge;

/* What to draw. The attributes of the graph come first, so that they may also set those
 * that dense graphs get from us. */
typedef struct {
    nbp_attributes_list attributes;
    const nbp_attributes_list *nodes; /* borrowed; of each node */
    size_t node_count;
    const nbp_picture_edge *edges; /* borrowed */
    size_t edge_count;
} nbp_picture;

/* The most that is laid out in-process: the time grows without bounds with the number
 * of edges, and nothing can stop it. At the limits it is about a second. */
enum { NBP_PICTURE_NODES = 200, NBP_PICTURE_EDGES = 400 };

/* Draws from top to bottom, or as the graph's rankdir says. NBP_OK: `svg` is the <svg>
 * element, NUL-terminated, to be freed with free(). NBP_INVALID: an edge of no node, a
 * shape "record", or more than the limits; NBP_UNAVAILABLE: Graphviz failed. */
nbp_status nbp_picture_draw(const nbp_picture *picture, char **svg);

#endif /* NBP_PICTURE_H */
