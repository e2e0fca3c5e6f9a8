/* SPDX-License-Identifier: BSD-3-Clause */
#include "drawing.h"

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
    pthread_once_t forks; /* the handlers below have been registered */
    GVC_t *context;       /* owned for the life of the process: gvFreeContext leaks */
} nbp_gv_lock = {.mutex = PTHREAD_MUTEX_INITIALIZER, .forks = PTHREAD_ONCE_INIT};

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
take(void)
{
    pthread_mutex_lock(&nbp_gv_lock.mutex);
}

static void
unlock(void)
{
    pthread_mutex_unlock(&nbp_gv_lock.mutex);
}

static void
wait_at_forks(void)
{
    pthread_atfork(take, unlock, unlock);
}

/* A fork waits for the picture that another thread is drawing: the child would inherit
 * a lock that nobody opens, and a library in the middle of its work. Its handlers are
 * there before the lock is first taken, or a fork just then would not know of it. */
static void
lock(void)
{
    pthread_once(&nbp_gv_lock.forks, wait_at_forks);
    take();
}

/* The context, made on first use; NULL where that fails. Called with the lock held. */
static GVC_t *
the_context(void)
{
    if (nbp_gv_lock.context == NULL) {
        agseterr(AGMAX); /* messages are kept for aglasterr(), never printed */
        nbp_gv_lock.context = new_context();
    }
    return nbp_gv_lock.context;
}

static void
set(void *object, const char *name, const char *value)
{
    const nbp_attribute attribute = {name, value};
    char safe[NBP_ATTRIBUTE_ROOM];
    if (nbp_attribute_read(&attribute, safe)) {
        agsafeset(object, (char *)name, safe, "");
    }
}

static void
set_all(void *object, const nbp_attributes_list *attributes, const char *left_out)
{
    for (size_t i = 0; i < attributes->count; i++) {
        if (left_out == NULL || strcmp(attributes->rows[i].name, left_out) != 0) {
            set(object, attributes->rows[i].name, attributes->rows[i].value);
        }
    }
}

/* The network simplex may take minutes to untangle what nobody could read anyway. */
static void
bound_the_layout(Agraph_t *graph, const nbp_picture *picture)
{
    if (picture->hurried || 10 * picture->edge_count > 13 * picture->node_count) {
        agsafeset(graph, "nslimit", "0.5", "");
        agsafeset(graph, "nslimit1", "0.5", "");
        agsafeset(graph, "mclimit", "0.01", "");
        agsafeset(graph, "splines", "line", "");
    }
}

/* Labels lie on ranks of their own, which doubles the work, and on each other. */
static const char *
too_much_on_edges(const nbp_picture *picture)
{
    bool dense =
        picture->edge_count > 150 && picture->edge_count > 2 * picture->node_count;
    return dense ? "label" : NULL;
}

static nbp_status
build(const nbp_picture *picture, Agraph_t *graph, Agnode_t **nodes)
{
    set_all(graph, &picture->attributes, NULL);
    bound_the_layout(graph, picture);
    for (size_t i = 0; i < picture->node_count; i++) {
        char name[32];
        snprintf(name, sizeof(name), "n%zu", i);
        nodes[i] = agnode(graph, name, 1);
        if (nodes[i] == NULL) {
            return NBP_UNAVAILABLE;
        }
        set_all(nodes[i], &picture->nodes[i], NULL);
    }
    const char *left_out = too_much_on_edges(picture);
    for (size_t i = 0; i < picture->edge_count; i++) {
        const nbp_picture_edge *row = &picture->edges[i];
        Agedge_t *edge = agedge(graph, nodes[row->tail], nodes[row->head], NULL, 1);
        if (edge == NULL) {
            return NBP_UNAVAILABLE;
        }
        set_all(edge, &row->attributes, left_out);
    }
    return NBP_OK;
}

/* Where text begins that a reader has no use for, `end` set to behind it: comments, and
 * titles, which are our names of nodes; NULL when there is no more. Text of the labels
 * has its angle brackets escaped, so these are the library's own. */
static char *
find_litter(char *from, char **end)
{
    static const struct {
        const char *open, *close;
    } kinds[] = {{"<!--", "-->\n"}, {"<title>", "</title>\n"}};
    char *first = NULL;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        char *open = strstr(from, kinds[i].open);
        char *close = open == NULL ? NULL : strstr(open, kinds[i].close);
        if (close != NULL && (first == NULL || open < first)) {
            first = open;
            *end = close + strlen(kinds[i].close);
        }
    }
    return first;
}

static void
drop_litter(char *svg)
{
    char *to = svg;
    char *from = svg;
    char *end = NULL;
    for (char *litter; (litter = find_litter(from, &end)) != NULL; from = end) {
        memmove(to, from, (size_t)(litter - from));
        to += litter - from;
    }
    memmove(to, from, strlen(from) + 1);
}

/* Graphviz counts from the lower left corner, and leaves a margin around. */
static void
measure(Agraph_t *graph, Agnode_t *const *nodes, size_t count, nbp_box *boxes)
{
    const double margin = 4;
    boxf all = GD_bb(graph);
    for (size_t i = 0; i < count; i++) {
        double x = ND_coord(nodes[i]).x - all.LL.x + margin;
        double y = all.UR.y - ND_coord(nodes[i]).y + margin;
        boxes[i] = (nbp_box){
            .left = (float)(x - ND_lw(nodes[i])),
            .top = (float)(y - ND_ht(nodes[i]) / 2),
            .right = (float)(x + ND_rw(nodes[i])),
            .bottom = (float)(y + ND_ht(nodes[i]) / 2),
        };
    }
}

static nbp_status
render(GVC_t *context, Agraph_t *graph, Agnode_t *const *nodes, nbp_drawn *drawn)
{
    char *text = NULL; /* owned by libgvc */
    unsigned int length = 0;
    if (gvLayout(context, graph, "dot") != 0) {
        return NBP_UNAVAILABLE;
    }
    nbp_status status = NBP_UNAVAILABLE;
    if (gvRenderData(context, graph, "svg", &text, &length) == 0 && text != NULL) {
        const char *element = strstr(text, "<svg");
        drawn->svg = element == NULL ? NULL : strdup(element);
        status = drawn->svg == NULL ? NBP_NO_MEMORY : NBP_OK;
        gvFreeRenderData(text);
    }
    if (status == NBP_OK) {
        drop_litter(drawn->svg);
        measure(graph, nodes, drawn->nodes, drawn->boxes);
    }
    gvFreeLayout(context, graph);
    return status;
}

void
nbp_drawn_free(nbp_drawn *drawn)
{
    free(drawn->svg);
    free(drawn->boxes);
    *drawn = (nbp_drawn){0};
}

nbp_status
nbp_drawing_make(const nbp_picture *picture, nbp_drawn *drawn)
{
    for (size_t i = 0; i < picture->edge_count; i++) {
        if (picture->edges[i].tail >= picture->node_count ||
            picture->edges[i].head >= picture->node_count) {
            return NBP_INVALID;
        }
    }
    *drawn = (nbp_drawn){.nodes = picture->node_count, .edges = picture->edge_count};
    drawn->boxes = calloc(picture->node_count + 1, sizeof(*drawn->boxes));
    /* Each borrowed from the graph. */
    Agnode_t **nodes = calloc(picture->node_count + 1, sizeof(Agnode_t *));
    nbp_status status = NBP_NO_MEMORY;
    if (drawn->boxes != NULL && nodes != NULL) {
        status = NBP_UNAVAILABLE;
        lock();
        GVC_t *context = the_context(); /* borrowed */
        Agraph_t *graph =
            context == NULL ? NULL : agopen("picture", Agdirected, NULL); /* owned */
        if (graph != NULL) {
            status = build(picture, graph, nodes);
            if (status == NBP_OK) {
                status = render(context, graph, nodes, drawn);
            }
            agclose(graph);
        }
        unlock();
    }
    free(nodes);
    if (status != NBP_OK) {
        nbp_drawn_free(drawn);
    }
    return status;
}

nbp_status
nbp_drawing_version(char *text, size_t size)
{
    const nbp_attributes_list node = {0};
    const nbp_picture picture = {.nodes = &node, .node_count = 1};
    nbp_drawn drawn;
    nbp_status status = nbp_drawing_make(&picture, &drawn);
    if (status == NBP_OK) {
        nbp_drawn_free(&drawn);
        lock();
        snprintf(text, size, "%s", gvcVersion(the_context()));
        unlock();
    }
    return status;
}

bool
nbp_drawing_has_builtin_plugins(void)
{
#ifdef NBP_BUILTIN_PLUGINS
    return true;
#else
    return false;
#endif
}
