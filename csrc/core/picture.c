/* SPDX-License-Identifier: BSD-3-Clause */
#include "picture.h"

#include <stdlib.h>

#include "clock.h"
#include "drawer.h"

/* Union and find, to see which edges connect what is not connected yet. */
static size_t
group_of(size_t *groups, size_t node)
{
    while (groups[node] != node) {
        groups[node] = groups[groups[node]];
        node = groups[node];
    }
    return node;
}

/* A part of a picture: its first nodes, and some edges between them. */
typedef struct {
    nbp_picture picture;
    nbp_picture_edge *edges; /* owned, at most `most_edges` */
    bool *chosen;            /* owned; of each edge of the whole */
    size_t *groups;          /* owned; of each node */
} part;

static void
free_part(part *self)
{
    free(self->edges);
    free(self->chosen);
    free(self->groups);
}

static nbp_status
prepare_part(part *self, const nbp_picture *whole)
{
    *self = (part){.picture = *whole};
    self->edges = calloc(NBP_PICTURE_EDGES + 1, sizeof(*self->edges));
    self->chosen = calloc(whole->edge_count + 1, sizeof(*self->chosen));
    self->groups = calloc(whole->node_count + 1, sizeof(*self->groups));
    if (self->edges == NULL || self->chosen == NULL || self->groups == NULL) {
        return NBP_NO_MEMORY;
    }
    self->picture.edges = self->edges;
    return NBP_OK;
}

static bool
is_within(const nbp_picture_edge *edge, size_t nodes)
{
    return edge->tail < nodes && edge->head < nodes;
}

/* True when the edge connects two groups, which then are one. */
static bool
connects(part *self, const nbp_picture_edge *edge)
{
    size_t tail = group_of(self->groups, edge->tail);
    size_t head = group_of(self->groups, edge->head);
    self->groups[tail] = head;
    return tail != head;
}

static void
cut(part *self, const nbp_picture *whole, size_t nodes, size_t most_edges)
{
    size_t left = most_edges;
    for (size_t i = 0; i < nodes; i++) {
        self->groups[i] = i;
    }
    for (size_t i = 0; i < whole->edge_count; i++) {
        const nbp_picture_edge *edge = &whole->edges[i];
        self->chosen[i] = left > 0 && is_within(edge, nodes) && connects(self, edge);
        left -= self->chosen[i];
    }
    size_t count = 0;
    for (size_t i = 0; i < whole->edge_count; i++) {
        const nbp_picture_edge *edge = &whole->edges[i];
        if (!self->chosen[i] && left > 0 && is_within(edge, nodes)) {
            self->chosen[i] = true;
            left--;
        }
        if (self->chosen[i]) {
            self->edges[count++] = *edge;
        }
    }
    self->picture.node_count = nodes;
    self->picture.edge_count = count;
}

static bool
is_small(const nbp_picture *picture)
{
    return picture->node_count <= NBP_PICTURE_SMALL_NODES &&
           picture->edge_count <= NBP_PICTURE_SMALL_EDGES;
}

static size_t
least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Tries first less care and then smaller parts, each in half of the time that is left.
 */
static nbp_status
draw_in_time(part *self, const nbp_picture *whole, const char *program,
             int64_t deadline_ns, nbp_drawn *drawn)
{
    size_t nodes = least(whole->node_count, NBP_PICTURE_NODES);
    size_t edges = least(whole->edge_count, NBP_PICTURE_EDGES);
    for (;;) {
        cut(self, whole, nodes, edges);
        if (is_small(&self->picture)) {
            return nbp_drawing_make(&self->picture, drawn);
        }
        int64_t now = nbp_clock_now_ns(NBP_CLOCK_WALL);
        nbp_status status = NBP_UNAVAILABLE;
        if (program != NULL && now < deadline_ns) {
            status = nbp_drawer_draw(program, &self->picture,
                                     now + (deadline_ns - now) / 2, drawn);
        }
        if (status == NBP_OK || status == NBP_NO_MEMORY) {
            return status;
        }
        if (status == NBP_UNAVAILABLE) {
            /* It will not start the next time either. */
            program = NULL;
            nodes = least(nodes, NBP_PICTURE_SMALL_NODES);
            edges = NBP_PICTURE_SMALL_EDGES;
        }
        else if (status == NBP_TIMEOUT && !self->picture.hurried) {
            self->picture.hurried = true;
        }
        else {
            nodes /= 2;
            edges = least(self->picture.edge_count / 2, nodes + nodes / 2);
        }
    }
}

nbp_status
nbp_picture_draw(const nbp_picture *picture, const char *program, int64_t budget_ns,
                 nbp_drawn *drawn)
{
    int64_t start_ns = nbp_clock_now_ns(NBP_CLOCK_WALL);
    *drawn = (nbp_drawn){0};
    for (size_t i = 0; i < picture->edge_count; i++) {
        if (!is_within(&picture->edges[i], picture->node_count)) {
            return NBP_INVALID;
        }
    }
    part self;
    nbp_status status = prepare_part(&self, picture);
    if (status == NBP_OK) {
        status = draw_in_time(&self, picture, program, start_ns + budget_ns, drawn);
    }
    free_part(&self);
    return status;
}
