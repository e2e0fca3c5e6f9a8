/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>

#include "check.h"
#include "heapgraph.h"

/* Addresses far apart and aligned as objects are, for node-like numbers. */
static uintptr_t
address_of(size_t number)
{
    return 0x10000 + number * 48;
}

/* Sweeps a graph whose vertex `v` points to `pairs[i][1]` for each `pairs[i][0] == v`.
 */
static nbp_heapgraph *
sweep(const size_t (*pairs)[2], size_t count, size_t start)
{
    nbp_heapgraph *graph = nbp_heapgraph_new(0);
    nbp_node node;
    CHECK_EQ(nbp_heapgraph_add(graph, address_of(start), &node), NBP_OK);
    while (nbp_heapgraph_next(graph, &node) == 1) {
        for (size_t i = 0; i < count; i++) {
            if (address_of(pairs[i][0]) == nbp_heapgraph_address(graph, node)) {
                nbp_heapgraph_point(graph, address_of(pairs[i][1]));
            }
        }
    }
    CHECK_EQ(nbp_heapgraph_finish(graph), NBP_OK);
    return graph;
}

static nbp_node
node_of(const nbp_heapgraph *graph, size_t number)
{
    return nbp_heapgraph_find(graph, address_of(number));
}

static void
test_the_sweep_meets_what_is_pointed_to_and_nothing_else(void)
{
    const size_t pairs[][2] = {{1, 2}, {1, 3}, {2, 3}, {3, 1}, {7, 8}};
    nbp_heapgraph *graph = sweep(pairs, 5, 1);
    CHECK_EQ(nbp_heapgraph_nodes(graph), 3);
    CHECK_EQ(nbp_heapgraph_edges(graph), 4);
    CHECK_EQ(node_of(graph, 7), NBP_NO_NODE);
    nbp_row targets = nbp_heapgraph_targets(graph, node_of(graph, 1));
    CHECK_EQ(targets.count, 2);
    CHECK_EQ(targets.nodes[0], node_of(graph, 2));
    CHECK_EQ(targets.nodes[1], node_of(graph, 3));
    nbp_row sources = nbp_heapgraph_sources(graph, node_of(graph, 3));
    CHECK_EQ(sources.count, 2);
    CHECK_EQ(sources.nodes[0], node_of(graph, 1));
    CHECK_EQ(sources.nodes[1], node_of(graph, 2));
    nbp_heapgraph_destroy(&graph);
    CHECK(graph == NULL);
    nbp_heapgraph_destroy(&graph);
}

static void
test_an_edge_that_is_there_twice_is_listed_twice(void)
{
    const size_t pairs[][2] = {{1, 2}, {1, 2}, {1, 1}};
    nbp_heapgraph *graph = sweep(pairs, 3, 1);
    CHECK_EQ(nbp_heapgraph_targets(graph, node_of(graph, 1)).count, 3);
    CHECK_EQ(nbp_heapgraph_sources(graph, node_of(graph, 2)).count, 2);
    CHECK_EQ(nbp_heapgraph_sources(graph, node_of(graph, 1)).count, 1);
    nbp_heapgraph_destroy(&graph);
}

static void
test_a_graph_of_nothing_is_finished_at_once(void)
{
    nbp_heapgraph *graph = nbp_heapgraph_new(0);
    nbp_node node;
    CHECK_EQ(nbp_heapgraph_next(graph, &node), 0);
    CHECK_EQ(nbp_heapgraph_finish(graph), NBP_OK);
    CHECK_EQ(nbp_heapgraph_nodes(graph), 0);
    CHECK_EQ(nbp_heapgraph_find(graph, address_of(1)), NBP_NO_NODE);
    CHECK_EQ(nbp_heapgraph_add(graph, address_of(1), &node), NBP_INVALID);
    nbp_heapgraph_destroy(&graph);
}

/* Many more come after the table was made than there were before, for many numbers
 * of those: the table must never be full. */
static void
test_nodes_that_were_appended_are_found(void)
{
    for (size_t first = 1; first < 9000; first = first * 5 / 4 + 1) {
        nbp_heapgraph *graph = nbp_heapgraph_new(0);
        nbp_node node;
        for (size_t i = 0; i < first; i++) {
            CHECK_EQ(nbp_heapgraph_append(graph, address_of(i)), NBP_OK);
        }
        CHECK_EQ(nbp_heapgraph_hash(graph), NBP_OK);
        for (size_t i = 0; i < 3 * first; i++) {
            CHECK_EQ(nbp_heapgraph_add(graph, address_of(i), &node), NBP_OK);
            CHECK_EQ(node, i);
        }
        CHECK_EQ(nbp_heapgraph_nodes(graph), 3 * first);
        nbp_heapgraph_destroy(&graph);
    }
}

static void
test_an_unfinished_sweep_cannot_be_finished(void)
{
    nbp_heapgraph *graph = nbp_heapgraph_new(0);
    nbp_node node;
    CHECK_EQ(nbp_heapgraph_add(graph, address_of(1), &node), NBP_OK);
    CHECK_EQ(nbp_heapgraph_finish(graph), NBP_INVALID);
    CHECK_EQ(nbp_heapgraph_next(graph, &node), 1);
    nbp_heapgraph_point(graph, address_of(2));
    CHECK_EQ(nbp_heapgraph_finish(graph), NBP_INVALID);
    nbp_heapgraph_destroy(&graph);
}

static void
test_a_chain_of_a_million_links_and_its_tree(void)
{
    enum { LINKS = 1000000 };
    nbp_heapgraph *graph = nbp_heapgraph_new(LINKS / 4);
    nbp_node node;
    nbp_heapgraph_add(graph, address_of(0), &node);
    while (nbp_heapgraph_next(graph, &node) == 1) {
        size_t number = (nbp_heapgraph_address(graph, node) - address_of(0)) / 48;
        if (number < LINKS) {
            nbp_heapgraph_point(graph, address_of(number + 1));
        }
    }
    CHECK_EQ(nbp_heapgraph_finish(graph), NBP_OK);
    CHECK_EQ(nbp_heapgraph_nodes(graph), LINKS + 1);
    CHECK_EQ(nbp_heapgraph_edges(graph), LINKS);
    CHECK(nbp_heapgraph_bytes(graph) < 80u * 1024 * 1024);

    nbp_node *parents = malloc((LINKS + 1) * sizeof(*parents));
    for (size_t i = 0; i <= LINKS; i++) {
        parents[i] = NBP_NO_NODE;
    }
    nbp_node start = node_of(graph, 0);
    CHECK_EQ(nbp_heapgraph_grow_tree(graph, &start, 1, NBP_NO_NODE, parents), NBP_OK);
    CHECK_EQ(parents[start], start);
    CHECK_EQ(parents[node_of(graph, LINKS)], node_of(graph, LINKS - 1));
    free(parents);
    nbp_heapgraph_destroy(&graph);
}

static void
test_a_tree_ends_at_its_barrier_and_a_second_search_carries_on(void)
{
    /* 1 -> 2 -> 3 -> 4 and 5 -> 4; the barrier is 3. */
    const size_t pairs[][2] = {{0, 1}, {0, 5}, {1, 2}, {2, 3}, {3, 4}, {5, 4}};
    nbp_heapgraph *graph = sweep(pairs, 6, 0);
    nbp_node parents[6];
    for (size_t i = 0; i < 6; i++) {
        parents[i] = NBP_NO_NODE;
    }
    nbp_node one = node_of(graph, 1), five = node_of(graph, 5);
    nbp_node barrier = node_of(graph, 3), four = node_of(graph, 4);
    CHECK_EQ(nbp_heapgraph_grow_tree(graph, &one, 1, barrier, parents), NBP_OK);
    CHECK_EQ(parents[barrier], node_of(graph, 2));
    CHECK_EQ(parents[four], NBP_NO_NODE);
    CHECK_EQ(nbp_heapgraph_grow_tree(graph, &five, 1, barrier, parents), NBP_OK);
    CHECK_EQ(parents[four], five);
    CHECK_EQ(parents[barrier], node_of(graph, 2));
    nbp_heapgraph_destroy(&graph);
}

static void
test_random_rows_come_back_both_ways(void)
{
    enum { VERTICES = 300, EDGES = 5000 };
    static size_t pairs[EDGES][2];
    static int forward[VERTICES][VERTICES], backward[VERTICES][VERTICES];
    srand(7);
    for (size_t i = 0; i < EDGES; i++) {
        pairs[i][0] = i < VERTICES - 1 ? 0 : (size_t)rand() % VERTICES;
        pairs[i][1] = i < VERTICES - 1 ? i + 1 : (size_t)rand() % VERTICES;
        forward[pairs[i][0]][pairs[i][1]]++;
    }
    nbp_heapgraph *graph = sweep(pairs, EDGES, 0);
    CHECK_EQ(nbp_heapgraph_nodes(graph), VERTICES);
    for (size_t v = 0; v < VERTICES; v++) {
        nbp_row row = nbp_heapgraph_sources(graph, node_of(graph, v));
        for (size_t i = 0; i < row.count; i++) {
            uintptr_t source = nbp_heapgraph_address(graph, row.nodes[i]);
            backward[(source - address_of(0)) / 48][v]++;
        }
        row = nbp_heapgraph_targets(graph, node_of(graph, v));
        for (size_t i = 0; i < row.count; i++) {
            uintptr_t target = nbp_heapgraph_address(graph, row.nodes[i]);
            forward[v][(target - address_of(0)) / 48]--;
            backward[v][(target - address_of(0)) / 48]--;
        }
    }
    int wrong = 0;
    for (size_t v = 0; v < VERTICES; v++) {
        for (size_t w = 0; w < VERTICES; w++) {
            wrong += forward[v][w] != 0 || backward[v][w] != 0;
        }
    }
    CHECK_EQ(wrong, 0);
    nbp_heapgraph_destroy(&graph);
}

int
main(void)
{
    test_the_sweep_meets_what_is_pointed_to_and_nothing_else();
    test_an_edge_that_is_there_twice_is_listed_twice();
    test_a_graph_of_nothing_is_finished_at_once();
    test_nodes_that_were_appended_are_found();
    test_an_unfinished_sweep_cannot_be_finished();
    test_a_chain_of_a_million_links_and_its_tree();
    test_a_tree_ends_at_its_barrier_and_a_second_search_carries_on();
    test_random_rows_come_back_both_ways();
    return CHECK_RESULT();
}
