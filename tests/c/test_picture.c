/* SPDX-License-Identifier: BSD-3-Clause */
/* Pictures: what is drawn, what of hostile text and graphs, and in what time. The path
 * of the program that draws is the first argument. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "clock.h"
#include "drawer.h"
#include "picture.h"

enum { MANY = 200 };
static const int64_t second_ns = 1000000000;
/* What is drawn whole is not to depend on how busy the machine is. */
static const int64_t patience_ns = 100000000000;
static const char *program;

/* Draws `count` boxes with one label, in a chain. */
static nbp_status
draw_chain(const char *shape, const char *label, size_t count, nbp_drawn *drawn)
{
    nbp_attributes_list nodes[MANY] = {0};
    nbp_picture_edge edges[MANY] = {0};
    const nbp_attribute rows[] = {{"shape", shape}, {"label", label}};
    for (size_t i = 0; i < count; i++) {
        nodes[i] = (nbp_attributes_list){rows, 2};
        edges[i] = (nbp_picture_edge){.tail = i, .head = i + 1};
    }
    nbp_picture picture = {
        .nodes = nodes, .node_count = count, .edges = edges, .edge_count = count - 1};
    return nbp_picture_draw(&picture, program, patience_ns, drawn);
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
    for (size_t nodes = 10; nodes <= MANY; nodes += MANY - 10) { /* here and there */
        nbp_drawn drawn;
        CHECK_EQ(draw_chain("box", "a node", nodes, &drawn), NBP_OK);
        CHECK(strncmp(drawn.svg, "<svg", 4) == 0);
        CHECK_EQ(count_of(drawn.svg, "class=\"node\""), nodes);
        CHECK_EQ(count_of(drawn.svg, "class=\"edge\""), nodes - 1);
        CHECK_EQ(drawn.nodes, nodes);
        CHECK_EQ(drawn.edges, nodes - 1);
        CHECK(drawn.boxes[0].top >= 0 && drawn.boxes[0].top < drawn.boxes[0].bottom);
        CHECK(drawn.boxes[0].bottom < drawn.boxes[1].top);
        CHECK_NEAR(drawn.boxes[0].left, drawn.boxes[1].left, 1);
        nbp_drawn_free(&drawn);
        nbp_drawn_free(&drawn);
    }
}

static void
test_names_of_ours_are_not_in_it(void)
{
    nbp_drawn drawn;
    CHECK_EQ(draw_chain("box", "a <title>", 3, &drawn), NBP_OK);
    CHECK(strstr(drawn.svg, "<title>") == NULL);
    CHECK(strstr(drawn.svg, "<!--") == NULL);
    CHECK_EQ(count_of(drawn.svg, "a &lt;title&gt;"), 3);
    nbp_drawn_free(&drawn);
}

static void
test_labels_are_text_and_nothing_else(void)
{
    nbp_drawn drawn;
    CHECK_EQ(draw_chain("box", "<b>\\N \\G &lt; \x1b[31m\x01 {a|b}", 1, &drawn),
             NBP_OK);
    CHECK(strstr(drawn.svg, "&lt;b&gt;\\N \\G &amp;lt; ?[31m? {a|b}") != NULL);
    nbp_drawn_free(&drawn);
    /* No UTF-8, a surrogate, a number that is no letter, and letters that are fine. */
    CHECK_EQ(draw_chain("box", "\xff\xed\xa0\x80\xef\xbf\xbf\xc3\xa9\xe6\x97\xa5", 1,
                        &drawn),
             NBP_OK);
    CHECK(strstr(drawn.svg, "\xff") == NULL);
    CHECK(strstr(drawn.svg, ">???????\xc3\xa9\xe6\x97\xa5<") != NULL);
    nbp_drawn_free(&drawn);
}

static void
test_a_label_of_a_megabyte_is_cut(void)
{
    enum { SIZE = 1 << 20 };
    char *label = malloc(SIZE + 1);
    for (size_t nodes = 1; nodes < 100; nodes += 60) {
        nbp_drawn drawn;
        memset(label, 'x', SIZE);
        label[SIZE] = '\0';
        CHECK_EQ(draw_chain("box", label, nodes, &drawn), NBP_OK);
        CHECK(strlen(drawn.svg) < 3000 * nodes);
        nbp_drawn_free(&drawn);
        memset(label, '\n', SIZE);
        CHECK_EQ(draw_chain("box", label, nodes, &drawn), NBP_OK);
        CHECK(strlen(drawn.svg) < 3000 * nodes);
        nbp_drawn_free(&drawn);
    }
    free(label);
}

/* What is taken of an attribute; NULL when it is left out. */
static const char *
taken(const char *name, const char *value)
{
    static char safe[NBP_ATTRIBUTE_ROOM];
    const nbp_attribute attribute = {name, value};
    return nbp_attribute_read(&attribute, safe) ? safe : NULL;
}

#define CHECK_TAKEN(name, value, expected)                                             \
    CHECK(taken(name, value) != NULL && strcmp(taken(name, value), expected) == 0)

static void
test_attributes_are_checked(void)
{
    CHECK_TAKEN("shape", "ellipse", "ellipse");
    CHECK_TAKEN("style", "filled,rounded", "filled,rounded");
    CHECK_TAKEN("fontsize", "11.5", "11.5");
    CHECK_TAKEN("fontsize", "100000", "72");
    CHECK_TAKEN("margin", "0.18,0.06", "0.18,0.06");
    CHECK_TAKEN("margin", "99,0.06", "2");
    CHECK_TAKEN("color", "#ff0000", "#ff0000");
    CHECK_TAKEN("URL", "https://x.org/?a=1#b", "https://x.org/?a=1#b");
    CHECK_TAKEN("tooltip", "\\N & 1", "\xe2\x88\x96N &amp; 1");
    CHECK(taken("URL", "\"><script>") == NULL);
    CHECK_TAKEN("href", "a.html#b", "a.html#b");
    CHECK(taken("shape", "Mrecord") == NULL);
    CHECK(taken("shape", "") == NULL);
    CHECK(taken("style", "striped") == NULL);
    CHECK(taken("style", "filled,,") == NULL);
    CHECK(taken("splines", "ortho") == NULL);
    CHECK(taken("image", "/etc/passwd") == NULL);
    CHECK(taken("fontsize", "nan") == NULL);
    CHECK(taken("fontsize", "1e308") == NULL);
    CHECK(taken("fontsize", "-1") == NULL);
    CHECK(taken("fontsize", "11111111111111111111") == NULL);
    CHECK(taken("margin", "1,2,3") == NULL);
    CHECK(taken("margin", "1;2") == NULL);
    CHECK(taken("color", "red:\x01") == NULL);
    CHECK(taken("URL", "javascript:alert(1)") == NULL);
    CHECK(taken("URL", "JavaScript:alert(1)") == NULL);
    CHECK(taken("", "") == NULL);
}

static void
test_an_edge_of_no_node_is_refused(void)
{
    nbp_picture_edge edge = {.tail = 0, .head = 1};
    nbp_attributes_list node = {0};
    nbp_picture picture = {
        .nodes = &node, .node_count = 1, .edges = &edge, .edge_count = 1};
    nbp_drawn drawn = {0};
    CHECK_EQ(nbp_picture_draw(&picture, program, second_ns, &drawn), NBP_INVALID);
    CHECK_EQ(nbp_drawing_make(&picture, &drawn), NBP_INVALID);
    CHECK(drawn.svg == NULL);
}

static void
test_a_picture_of_nothing(void)
{
    nbp_drawn drawn;
    nbp_picture picture = {0};
    CHECK_EQ(nbp_picture_draw(&picture, program, second_ns, &drawn), NBP_OK);
    CHECK_EQ(drawn.nodes, 0);
    nbp_drawn_free(&drawn);
}

/* A graph of `nodes` nodes and `edges` edges at random; draws it. */
static nbp_status
draw_random(size_t nodes, size_t edges, const char *with, int64_t budget_ns,
            nbp_drawn *drawn)
{
    nbp_attributes_list *boxes = calloc(nodes, sizeof(*boxes));
    nbp_picture_edge *lines = calloc(edges, sizeof(*lines));
    const nbp_attribute label = {"label", ".x"};
    uint32_t state = 1;
    for (size_t i = 0; i < edges; i++) {
        state = state * 1664525 + 1013904223;
        lines[i].tail = (state >> 8) % nodes;
        state = state * 1664525 + 1013904223;
        lines[i].head = (state >> 8) % nodes;
        lines[i].attributes = (nbp_attributes_list){&label, 1};
    }
    nbp_picture picture = {
        .nodes = boxes, .node_count = nodes, .edges = lines, .edge_count = edges};
    nbp_status status = nbp_picture_draw(&picture, with, budget_ns, drawn);
    free(boxes);
    free(lines);
    return status;
}

static void
test_a_dense_graph_is_drawn_in_part(void)
{
    nbp_drawn drawn;
    int64_t start_ns = nbp_clock_now_ns(NBP_CLOCK_WALL);
    CHECK_EQ(draw_random(2000, 20000, program, 2 * second_ns, &drawn), NBP_OK);
    CHECK(nbp_clock_now_ns(NBP_CLOCK_WALL) - start_ns < patience_ns);
    CHECK(drawn.nodes > 0 && drawn.nodes <= NBP_PICTURE_NODES);
    CHECK_EQ(count_of(drawn.svg, "class=\"node\""), drawn.nodes);
    CHECK_EQ(count_of(drawn.svg, "class=\"edge\""), drawn.edges);
    nbp_drawn_free(&drawn);
}

static void
test_without_the_time_or_the_program_a_small_part_is_drawn(void)
{
    nbp_drawn drawn;
    CHECK_EQ(draw_random(200, 300, program, 0, &drawn), NBP_OK);
    CHECK_EQ(drawn.nodes, NBP_PICTURE_SMALL_NODES);
    nbp_drawn_free(&drawn);
    CHECK_EQ(draw_random(200, 300, NULL, second_ns, &drawn), NBP_OK);
    CHECK_EQ(drawn.nodes, NBP_PICTURE_SMALL_NODES);
    nbp_drawn_free(&drawn);
    CHECK_EQ(draw_random(200, 300, "/no/such/program", second_ns, &drawn), NBP_OK);
    CHECK_EQ(drawn.nodes, NBP_PICTURE_SMALL_NODES);
    nbp_drawn_free(&drawn);
}

static void
test_a_program_that_fails_or_hangs_is_ended(void)
{
    nbp_attributes_list nodes[MANY] = {0};
    nbp_picture picture = {.nodes = nodes, .node_count = MANY};
    nbp_drawn drawn;
    int64_t now = nbp_clock_now_ns(NBP_CLOCK_WALL), later = now + patience_ns;
    CHECK_EQ(nbp_drawer_draw("/bin/false", &picture, later, &drawn), NBP_CRASHED);
    CHECK_EQ(nbp_drawer_draw("/bin/echo", &picture, later, &drawn), NBP_CRASHED);
    /* It answers with the request. */
    CHECK_EQ(nbp_drawer_draw("/bin/cat", &picture, later, &drawn), NBP_CRASHED);
    CHECK_EQ(nbp_drawer_draw(program, &picture, now, &drawn), NBP_TIMEOUT);
    CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1); /* no process is left */
}

static void
test_requests_that_are_none_are_refused(void)
{
    const nbp_attribute row = {"label", "text"};
    const nbp_attributes_list nodes[] = {{&row, 1}, {NULL, 0}};
    const nbp_picture_edge edge = {.tail = 0, .head = 1, .attributes = {&row, 1}};
    const nbp_picture picture = {
        .nodes = nodes, .node_count = 2, .edges = &edge, .edge_count = 1};
    nbp_bytes bytes = {0};
    nbp_request request;
    nbp_request_write(&bytes, &picture);
    CHECK_EQ(nbp_request_read(bytes.data, bytes.size, &request), NBP_OK);
    CHECK_EQ(request.picture.node_count, 2);
    CHECK(strcmp(request.picture.edges[0].attributes.rows[0].value, "text") == 0);
    nbp_request_free(&request);
    for (size_t size = 0; size < bytes.size; size++) {
        CHECK_EQ(nbp_request_read(bytes.data, size, &request), NBP_INVALID);
    }
    for (size_t at = 0; at < bytes.size; at++) {
        bytes.data[at] ^= 0xFF;
        if (nbp_request_read(bytes.data, bytes.size, &request) == NBP_OK) {
            nbp_request_free(&request);
        }
        bytes.data[at] ^= 0xFF;
    }
    nbp_bytes_clear(&bytes);
}

static void
test_a_child_process_can_draw(void)
{
    nbp_drawn drawn;
    CHECK_EQ(draw_chain("box", "parent", 2, &drawn), NBP_OK);
    nbp_drawn_free(&drawn);
    pid_t child = fork();
    if (child == 0) {
        bool small = draw_chain("box", "child", 2, &drawn) == NBP_OK;
        bool large = draw_chain("box", "child", 90, &drawn) == NBP_OK;
        check_end_child(small && large ? 0 : 1);
    }
    int result = -1;
    CHECK_EQ(waitpid(child, &result, 0), child);
    CHECK_EQ(result, 0);
}

static void *
draw_some(void *failures)
{
    for (size_t i = 0; i < 12; i++) {
        nbp_drawn drawn;
        size_t nodes = i % 3 == 0 ? 60 : 20;
        if (draw_chain("box", "x", nodes, &drawn) != NBP_OK || drawn.nodes != nodes) {
            ++*(int *)failures;
        }
        nbp_drawn_free(&drawn);
    }
    return NULL;
}

static void
test_threads_draw_at_once_while_the_process_forks(void)
{
    enum { THREADS = 8 };
    pthread_t threads[THREADS];
    int failures[THREADS] = {0};
    for (size_t i = 0; i < THREADS; i++) {
        CHECK_EQ(pthread_create(&threads[i], NULL, draw_some, &failures[i]), 0);
    }
#ifndef __SANITIZE_ADDRESS__ /* its allocator stays locked in a fork that meets it at  \
                                work */
    for (size_t i = 0; i < 5; i++) {
        test_a_child_process_can_draw();
    }
#endif
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        CHECK_EQ(failures[i], 0);
    }
}

int
main(int count, char **arguments)
{
    program = count > 1 ? arguments[1] : NULL;
    CHECK(program != NULL);
    test_a_picture_is_an_svg_element_with_nodes_and_edges();
    test_names_of_ours_are_not_in_it();
    test_labels_are_text_and_nothing_else();
    test_a_label_of_a_megabyte_is_cut();
    test_attributes_are_checked();
    test_an_edge_of_no_node_is_refused();
    test_a_picture_of_nothing();
    test_a_dense_graph_is_drawn_in_part();
    test_without_the_time_or_the_program_a_small_part_is_drawn();
    test_a_program_that_fails_or_hangs_is_ended();
    test_requests_that_are_none_are_refused();
    test_a_child_process_can_draw();
    test_threads_draw_at_once_while_the_process_forks();
    return CHECK_RESULT();
}
