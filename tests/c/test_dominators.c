/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "dominators.h"

enum { MOST = 24 };

/* A random graph and the plain answers to compare with. */
typedef struct {
    size_t vertices;
    int edges[MOST][MOST];
    int roots[MOST];
    uint64_t sizes[MOST];
} example;

static uintptr_t
address_of(size_t vertex)
{
    return 0x5000 + vertex * 16;
}

static example
random_example(unsigned seed)
{
    example it = {0};
    srand(seed);
    it.vertices = 1 + (size_t)rand() % MOST;
    size_t edges = (size_t)rand() % (3 * it.vertices);
    for (size_t i = 0; i < edges; i++) {
        size_t from = (size_t)rand() % it.vertices, to = (size_t)rand() % it.vertices;
        it.edges[from][to]++;
    }
    for (size_t v = 0; v < it.vertices; v++) {
        it.roots[v] = rand() % 5 == 0;
        it.sizes[v] = (uint64_t)rand() % 1000;
        if (rand() % 10 == 0) {
            it.sizes[v] <<= 30; /* more than 32 bits hold */
        }
    }
    return it;
}

/* Marks what the roots reach when `without` is taken away; MOST for nothing. */
static void
reach(const example *it, size_t without, int *reached)
{
    size_t stack[MOST], depth = 0;
    memset(reached, 0, MOST * sizeof(*reached));
    for (size_t v = 0; v < it->vertices; v++) {
        if (it->roots[v] && v != without) {
            reached[v] = 1;
            stack[depth++] = v;
        }
    }
    while (depth > 0) {
        size_t v = stack[--depth];
        for (size_t w = 0; w < it->vertices; w++) {
            if (it->edges[v][w] && w != without && !reached[w]) {
                reached[w] = 1;
                stack[depth++] = w;
            }
        }
    }
}

static nbp_heapgraph *
graph_of(const example *it)
{
    nbp_heapgraph *graph = nbp_heapgraph_new(0);
    nbp_node node;
    for (size_t v = 0; v < it->vertices; v++) {
        nbp_heapgraph_add(graph, address_of(v), &node);
    }
    while (nbp_heapgraph_next(graph, &node) == 1) {
        for (size_t w = 0; w < it->vertices; w++) {
            for (int i = 0; i < it->edges[node][w]; i++) {
                nbp_heapgraph_point(graph, address_of(w));
            }
        }
    }
    CHECK_EQ(nbp_heapgraph_finish(graph), NBP_OK);
    return graph;
}

static nbp_dominators *
analyse(const example *it, const nbp_heapgraph *graph)
{
    nbp_node roots[MOST];
    size_t count = 0;
    for (size_t v = 0; v < it->vertices; v++) {
        if (it->roots[v]) {
            roots[count++] = (nbp_node)v;
        }
    }
    nbp_sizes sizes = {0};
    CHECK_EQ(nbp_sizes_reserve(&sizes, it->vertices), NBP_OK);
    for (uint32_t v = 0; v < it->vertices; v++) {
        CHECK_EQ(nbp_sizes_set(&sizes, v, it->sizes[v]), NBP_OK);
    }
    nbp_dominators *found = nbp_dominators_new(graph, roots, count, &sizes);
    nbp_sizes_clear(&sizes);
    return found;
}

/* By the definition: v's retained size is what is no longer reached without it, and its
 * dominator the one of its dominators that all its other dominators dominate. */
static void
compare(const example *it)
{
    static int lost[MOST][MOST]; /* [d][v]: v is not reached without d, v != d */
    int all[MOST], rest[MOST];
    nbp_heapgraph *graph = graph_of(it);
    nbp_dominators *found = analyse(it, graph);
    reach(it, MOST, all);
    for (size_t d = 0; d < it->vertices; d++) {
        reach(it, d, rest);
        uint64_t retained = 0;
        for (size_t v = 0; v < it->vertices; v++) {
            lost[d][v] = all[v] && !rest[v] && v != d;
            retained += all[v] && !rest[v] ? it->sizes[v] : 0;
        }
        CHECK_EQ(nbp_dominators_reached(found, (nbp_node)d), all[d]);
        CHECK_EQ(nbp_dominators_retained_bytes(found, (nbp_node)d),
                 all[d] ? retained : 0);
    }
    int done[MOST] = {0};
    nbp_row order = nbp_dominators_order(found);
    for (size_t i = 0; i < order.count; i++) {
        nbp_node above = nbp_dominators_of(found, order.nodes[i]);
        CHECK(above == NBP_NO_NODE || done[above]);
        done[order.nodes[i]]++;
    }
    for (size_t v = 0; v < it->vertices; v++) {
        CHECK_EQ(done[v], all[v]);
    }
    for (size_t v = 0; v < it->vertices; v++) {
        nbp_node nearest = NBP_NO_NODE;
        for (size_t d = 0; d < it->vertices; d++) {
            if (lost[d][v] && (nearest == NBP_NO_NODE || lost[nearest][d])) {
                nearest = (nbp_node)d;
            }
        }
        CHECK_EQ(nbp_dominators_of(found, (nbp_node)v), nearest);
    }
    nbp_dominators_destroy(&found);
    CHECK(found == NULL);
    nbp_heapgraph_destroy(&graph);
}

static void
test_thousands_of_random_graphs_agree_with_the_definition(void)
{
    for (unsigned seed = 0; seed < 5000; seed++) {
        example it = random_example(seed);
        compare(&it);
    }
}

static void
test_a_root_inside_another_roots_tree_has_no_dominator(void)
{
    example it = {.vertices = 3, .roots = {1, 1, 0}, .sizes = {1, 10, 100}};
    it.edges[0][1] = it.edges[1][2] = 1;
    compare(&it);
}

static void
test_a_long_chain_is_no_deep_recursion(void)
{
    enum { LINKS = 1000000 };
    nbp_heapgraph *graph = nbp_heapgraph_new(0);
    nbp_node node, root = 0;
    nbp_heapgraph_add(graph, address_of(0), &node);
    while (nbp_heapgraph_next(graph, &node) == 1) {
        if (node < LINKS) {
            nbp_heapgraph_point(graph, address_of(node + 1));
        }
    }
    CHECK_EQ(nbp_heapgraph_finish(graph), NBP_OK);
    nbp_sizes sizes = {0};
    CHECK_EQ(nbp_sizes_reserve(&sizes, LINKS + 1), NBP_OK);
    for (uint32_t i = 0; i <= LINKS; i++) {
        CHECK_EQ(nbp_sizes_set(&sizes, i, 2), NBP_OK);
    }
    nbp_dominators *found = nbp_dominators_new(graph, &root, 1, &sizes);
    CHECK_EQ(nbp_dominators_retained_bytes(found, 0), 2 * (LINKS + 1));
    CHECK_EQ(nbp_dominators_of(found, LINKS), LINKS - 1);
    nbp_dominators_destroy(&found);
    nbp_sizes_clear(&sizes);
    nbp_heapgraph_destroy(&graph);
}

static void
test_without_roots_nothing_is_reached(void)
{
    example it = {.vertices = 2, .sizes = {5, 6}};
    it.edges[0][1] = it.edges[1][0] = 1;
    compare(&it);
}

int
main(void)
{
    test_thousands_of_random_graphs_agree_with_the_definition();
    test_a_root_inside_another_roots_tree_has_no_dominator();
    test_a_long_chain_is_no_deep_recursion();
    test_without_roots_nothing_is_reached();
    return CHECK_RESULT();
}
