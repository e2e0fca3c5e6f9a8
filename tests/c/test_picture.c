/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "picture.h"

enum { MANY = 100 };

/* Draws `count` boxes with one label, in a chain. */
static nbp_status
draw_chain(const char *shape, const char *label, size_t count, char **svg)
{
    static nbp_attributes_list nodes[MANY];
    static nbp_picture_edge edges[MANY];
    const nbp_attribute rows[] = {{"shape", shape}, {"label", label}};
    for (size_t i = 0; i < count; i++) {
        nodes[i] = (nbp_attributes_list){rows, 2};
        edges[i] = (nbp_picture_edge){.tail = i, .head = i + 1};
    }
    nbp_picture picture = {
        .nodes = nodes, .node_count = count, .edges = edges, .edge_count = count - 1};
    return nbp_picture_draw(&picture, svg);
}

static size_t
count_of(const char *text, const char *word)
{
    size_t count = 0;
    while ((text = strstr(text, word)) != NULL) {
        count++;
        text++;
    }
    return count;
}

static void
test_a_picture_is_an_svg_element_with_nodes_and_edges(void)
{
    char *svg = NULL;
    CHECK_EQ(draw_chain("box", "a node", MANY, &svg), NBP_OK);
    CHECK(strncmp(svg, "<svg", 4) == 0);
    CHECK_EQ(count_of(svg, "class=\"node\""), MANY);
    CHECK_EQ(count_of(svg, "class=\"edge\""), MANY - 1);
    free(svg);
}

static void
test_labels_are_text_and_nothing_else(void)
{
    char *svg = NULL;
    CHECK_EQ(draw_chain("box", "<b>\\N \\G &lt; \x1b[31m\x01 {a|b}", 1, &svg), NBP_OK);
    CHECK(strstr(svg, "&lt;b&gt;\\N \\G &amp;lt; ?[31m? {a|b}") != NULL);
    free(svg);
}

static void
test_a_label_of_a_megabyte_is_cut(void)
{
    enum { SIZE = 1 << 20 };
    char *label = malloc(SIZE + 1);
    char *svg = NULL;
    memset(label, 'x', SIZE);
    label[SIZE] = '\0';
    CHECK_EQ(draw_chain("box", label, 1, &svg), NBP_OK);
    CHECK(strlen(svg) < 4000);
    free(svg);
    memset(label, '\n', SIZE);
    CHECK_EQ(draw_chain("box", label, 1, &svg), NBP_OK);
    CHECK(strlen(svg) < 4000);
    free(svg);
    free(label);
}

static void
test_what_could_crash_or_never_end_is_refused(void)
{
    char *svg = NULL;
    CHECK_EQ(draw_chain("Mrecord", "{{{{", 1, &svg), NBP_INVALID);
    nbp_picture_edge edge = {.tail = 0, .head = 1};
    nbp_attributes_list node = {0};
    nbp_picture picture = {
        .nodes = &node, .node_count = 1, .edges = &edge, .edge_count = 1};
    CHECK_EQ(nbp_picture_draw(&picture, &svg), NBP_INVALID);
    picture = (nbp_picture){.node_count = NBP_PICTURE_NODES + 1};
    CHECK_EQ(nbp_picture_draw(&picture, &svg), NBP_INVALID);
    CHECK(svg == NULL);
}

static void
test_a_picture_of_nothing(void)
{
    char *svg = NULL;
    nbp_picture picture = {0};
    CHECK_EQ(nbp_picture_draw(&picture, &svg), NBP_OK);
    free(svg);
}

static void
test_a_child_process_can_draw(void)
{
    char *svg = NULL;
    CHECK_EQ(draw_chain("box", "parent", 2, &svg), NBP_OK);
    free(svg);
    pid_t child = fork();
    if (child == 0) {
        _exit(draw_chain("box", "child", 2, &svg) == NBP_OK ? 0 : 1);
    }
    int result = -1;
    CHECK_EQ(waitpid(child, &result, 0), child);
    CHECK_EQ(result, 0);
}

int
main(void)
{
    test_a_picture_is_an_svg_element_with_nodes_and_edges();
    test_labels_are_text_and_nothing_else();
    test_a_label_of_a_megabyte_is_cut();
    test_what_could_crash_or_never_end_is_refused();
    test_a_picture_of_nothing();
    test_a_child_process_can_draw();
    return CHECK_RESULT();
}
