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

#endif /* NBP_PICTURE_H */
