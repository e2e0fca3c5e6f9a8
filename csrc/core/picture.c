/* SPDX-License-Identifier: BSD-3-Clause */
#include "picture.h"

#include <cgraph.h>
#include <gvc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Guards every call into libcgraph and libgvc, and `context` below: the only mutable
 * state of the core, because the libraries' own state is one to the process as well. */
static struct {
    pthread_mutex_t mutex;
    GVC_t *context; /* owned for the life of the process: gvFreeContext leaks */
    bool forks;     /* the handlers below have been registered */
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

static void
lock(void)
{
    pthread_mutex_lock(&nbp_gv_lock.mutex);
}

static void
unlock(void)
{
    pthread_mutex_unlock(&nbp_gv_lock.mutex);
}

/* The context, made on first use; NULL where that fails. Called with the lock held. A
 * fork waits for the picture that another thread is drawing: the child would inherit a
 * lock that nobody opens, and a library in the middle of its work. */
static GVC_t *
the_context(void)
{
    if (!nbp_gv_lock.forks) {
        nbp_gv_lock.forks = pthread_atfork(lock, unlock, unlock) == 0;
    }
    if (nbp_gv_lock.context == NULL) {
        agseterr(AGMAX); /* messages are kept for aglasterr(), never printed */
        nbp_gv_lock.context = new_context();
    }
    return nbp_gv_lock.context;
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
    lock();
    GVC_t *context = the_context(); /* borrowed */
    if (context != NULL && draw_one_node(context) == 0) {
        snprintf(text, size, "%s", gvcVersion(context));
        status = NBP_OK;
    }
    unlock();
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

enum { MOST_BYTES = 900, MOST_LINES = 10 };

/* Copies a value into `safe`, which has room for 6 times MOST_BYTES. */
static void
sanitise(const char *value, char *safe)
{
    size_t lines = 1;
    for (const char *next = value; *next != '\0'; next++) {
        unsigned char byte = (unsigned char)*next;
        bool begins = (byte & 0xC0) != 0x80; /* a letter, not the middle of one */
        if ((begins && next - value >= MOST_BYTES) ||
            (byte == '\n' && ++lines > MOST_LINES)) {
            break;
        }
        if (byte == '&') {
            memcpy(safe, "&amp;", 5);
            safe += 5;
        }
        else if (byte == '\\') {
            memcpy(safe, "\\\\", 2); /* else \N is the node's name, and so on */
            safe += 2;
        }
        else if ((byte < ' ' && byte != '\n') || byte == 0x7F) {
            *safe++ = '?'; /* not allowed in XML */
        }
        else {
            *safe++ = (char)byte;
        }
    }
    *safe = '\0';
}

static void
set(void *object, const char *name, const char *value)
{
    char safe[6 * MOST_BYTES + 32];
    sanitise(value, safe);
    agsafeset(object, (char *)name, safe, "");
}

static void
set_all(void *object, const nbp_attributes_list *attributes)
{
    for (size_t i = 0; i < attributes->count; i++) {
        set(object, attributes->rows[i].name, attributes->rows[i].value);
    }
}

/* The network simplex may take minutes to untangle what nobody could read anyway. */
static void
bound_the_layout(Agraph_t *graph, const nbp_picture *picture)
{
    if (10 * picture->edge_count > 13 * picture->node_count) {
        set(graph, "nslimit", "0.5");
        set(graph, "nslimit1", "0.5");
        set(graph, "mclimit", "0.01");
        set(graph, "splines", "line");
    }
}

static nbp_status
build(const nbp_picture *picture, Agraph_t *graph, Agnode_t **nodes)
{
    set_all(graph, &picture->attributes);
    bound_the_layout(graph, picture);
    for (size_t i = 0; i < picture->node_count; i++) {
        char name[32];
        snprintf(name, sizeof(name), "n%zu", i);
        nodes[i] = agnode(graph, name, 1);
        if (nodes[i] == NULL) {
            return NBP_UNAVAILABLE;
        }
        set_all(nodes[i], &picture->nodes[i]);
    }
    for (size_t i = 0; i < picture->edge_count; i++) {
        const nbp_picture_edge *row = &picture->edges[i];
        Agedge_t *edge = agedge(graph, nodes[row->tail], nodes[row->head], NULL, 1);
        if (edge == NULL) {
            return NBP_UNAVAILABLE;
        }
        set_all(edge, &row->attributes);
    }
    return NBP_OK;
}

static nbp_status
render(GVC_t *context, Agraph_t *graph, char **svg)
{
    char *text = NULL; /* owned by libgvc */
    unsigned int length = 0;
    if (gvLayout(context, graph, "dot") != 0) {
        return NBP_UNAVAILABLE;
    }
    nbp_status status = NBP_UNAVAILABLE;
    if (gvRenderData(context, graph, "svg", &text, &length) == 0 && text != NULL) {
        const char *element = strstr(text, "<svg");
        *svg = element == NULL ? NULL : strdup(element);
        status = *svg == NULL ? NBP_NO_MEMORY : NBP_OK;
        gvFreeRenderData(text);
    }
    gvFreeLayout(context, graph);
    return status;
}

/* Record shapes parse their labels, and crash on some. */
static bool
is_record(const nbp_attributes_list *attributes)
{
    for (size_t i = 0; i < attributes->count; i++) {
        if (strcmp(attributes->rows[i].name, "shape") == 0 &&
            strstr(attributes->rows[i].value, "record") != NULL) {
            return true;
        }
    }
    return false;
}

static bool
is_drawable(const nbp_picture *picture)
{
    if (picture->node_count > NBP_PICTURE_NODES ||
        picture->edge_count > NBP_PICTURE_EDGES) {
        return false;
    }
    for (size_t i = 0; i < picture->node_count; i++) {
        if (is_record(&picture->nodes[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < picture->edge_count; i++) {
        if (picture->edges[i].tail >= picture->node_count ||
            picture->edges[i].head >= picture->node_count) {
            return false;
        }
    }
    return true;
}

nbp_status
nbp_picture_draw(const nbp_picture *picture, char **svg)
{
    if (!is_drawable(picture)) {
        return NBP_INVALID;
    }
    Agnode_t *nodes[NBP_PICTURE_NODES]; /* borrowed from the graph */
    nbp_status status = NBP_UNAVAILABLE;
    lock();
    GVC_t *context = the_context(); /* borrowed */
    Agraph_t *graph =
        context == NULL ? NULL : agopen("picture", Agdirected, NULL); /* owned */
    if (graph != NULL) {
        status = build(picture, graph, nodes);
        if (status == NBP_OK) {
            status = render(context, graph, svg);
        }
        agclose(graph);
    }
    unlock();
    return status;
}
