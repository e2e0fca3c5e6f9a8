/* SPDX-License-Identifier: BSD-3-Clause */
#include "picture.h"

#include <cgraph.h>
#include <gvc.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* Guards every call into libcgraph and libgvc, and `context` below: the only mutable
 * state of the core, because the libraries' own state is one to the process as well. */
static struct {
    pthread_mutex_t mutex;
    GVC_t *context; /* owned for the life of the process: gvFreeContext leaks */
} nbp_gv_lock = {.mutex = PTHREAD_MUTEX_INITIALIZER};

#ifdef NBP_BUILTIN_PLUGINS
extern gvplugin_library_t gvplugin_core_LTX_library;
extern gvplugin_library_t gvplugin_dot_layout_LTX_library;
#endif

static GVC_t *
new_context(void)
{
#ifdef NBP_BUILTIN_PLUGINS
    const lt_symlist_t builtins[] = {
        {"gvplugin_core_LTX_library", &gvplugin_core_LTX_library},
        {"gvplugin_dot_layout_LTX_library", &gvplugin_dot_layout_LTX_library},
        {NULL, NULL},
    };
    return gvContextPlugins(builtins, 0);
#else
    return gvContext();
#endif
}

/* Draws a graph of one node; 0 when an SVG came out. Called with the lock held. */
static int
draw_one_node(GVC_t *context)
{
    int failed = -1;
    char *svg = NULL; /* owned by libgvc */
    unsigned int length = 0;
    Agraph_t *graph = agopen("check", Agdirected, NULL);
    if (graph == NULL) {
        return failed;
    }
    if (agnode(graph, "node", 1) != NULL && gvLayout(context, graph, "dot") == 0) {
        if (gvRenderData(context, graph, "svg", &svg, &length) == 0 && length > 0) {
            failed = 0;
            gvFreeRenderData(svg);
        }
        gvFreeLayout(context, graph);
    }
    agclose(graph);
    return failed;
}

nbp_status
nbp_picture_version(char *text, size_t size)
{
    nbp_status status = NBP_UNAVAILABLE;
    pthread_mutex_lock(&nbp_gv_lock.mutex);
    if (nbp_gv_lock.context == NULL) {
        agseterr(AGMAX); /* messages are kept for aglasterr(), never printed */
        nbp_gv_lock.context = new_context();
    }
    if (nbp_gv_lock.context != NULL && draw_one_node(nbp_gv_lock.context) == 0) {
        snprintf(text, size, "%s", gvcVersion(nbp_gv_lock.context));
        status = NBP_OK;
    }
    pthread_mutex_unlock(&nbp_gv_lock.mutex);
    return status;
}

bool
nbp_picture_has_builtin_plugins(void)
{
#ifdef NBP_BUILTIN_PLUGINS
    return true;
#else
    return false;
#endif
}
