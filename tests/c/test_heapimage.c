/* SPDX-License-Identifier: BSD-3-Clause */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "cycles.h"
#include "heapimage.h"
#include "heapsets.h"

enum { NODES = 6 };

static uintptr_t
address_of(size_t vertex)
{
    return 0x7000 + vertex * 16;
}

static void *
copied(const void *data, size_t size)
{
    void *copy = malloc(size);
    memcpy(copy, data, size);
    return copy;
}

/* 0 -> 1 -> 2 -> 1, 1 -> 3, 4 -> 5 -> 4; 0 is a root, a module; 4 and 5 garbage. */
static nbp_heapimage
example(bool named)
{
    static const int edges[][2] = {{0, 1}, {1, 2}, {1, 3}, {2, 1}, {4, 5}, {5, 4}};
    static const uint32_t types[NODES] = {0, 1, 1, 2, 1, 1};
    nbp_heapimage image = {.graph = nbp_heapgraph_new(0), .root_count = 1};
    nbp_node node, zero = 0;
    for (size_t i = 0; i < NODES; i++) {
        nbp_heapgraph_add(image.graph, address_of(i), &node);
    }
    while (nbp_heapgraph_next(image.graph, &node) == 1) {
        for (size_t i = 0; i < 6; i++) {
            if (edges[i][0] == (int)node) {
                nbp_heapgraph_point(image.graph, address_of((size_t)edges[i][1]));
            }
        }
    }
    CHECK_EQ(nbp_heapgraph_finish(image.graph), NBP_OK);
    CHECK_EQ(nbp_sizes_reserve(&image.sizes, NODES), NBP_OK);
    for (uint32_t i = 0; i < NODES; i++) {
        CHECK_EQ(nbp_sizes_set(&image.sizes, i, i == 3 ? UINT64_C(1) << 33 : 10 + i),
                 NBP_OK);
    }
    image.types = copied(types, sizeof(types));
    image.type_names = nbp_texts_new(SIZE_MAX);
    nbp_texts_add(image.type_names, "module", 6);
    nbp_texts_add(image.type_names, "list", 4);
    nbp_texts_add(image.type_names, "ndarray", 7);
    image.type_kinds = copied("\1\0\0", 3);
    image.roots = copied(&zero, sizeof(zero));
    image.modules = copied(&zero, sizeof(zero));
    image.module_count = 1;
    if (named) {
        static const nbp_label labels[] = {{0, 1}};
        image.names = nbp_texts_new(SIZE_MAX);
        nbp_texts_add(image.names, "__dict__", 8);
        nbp_texts_add(image.names, "sys", 3);
        image.edge_names = calloc(6, sizeof(*image.edge_names));
        image.edge_names[0] = nbp_name_make(NBP_ATTRIBUTE, 0);
        image.edge_names[1] = nbp_name_make(NBP_INDEX, 1000);
        image.labels = copied(labels, sizeof(labels));
        image.label_count = 1;
    }
    return image;
}

static uint8_t *
file_of(const nbp_heapimage *image, size_t *size)
{
    char path[] = "/tmp/nbp_test_heapimage_XXXXXX";
    int fd = mkstemp(path);
    CHECK(fd >= 0);
    unlink(path);
    CHECK_EQ(nbp_heapimage_write(image, "{\"a\": 1}", 8, fd), 0);
    *size = (size_t)lseek(fd, 0, SEEK_END);
    uint8_t *bytes = malloc(*size);
    CHECK_EQ(pread(fd, bytes, *size, 0), (ssize_t)*size);
    close(fd);
    return bytes;
}

static void
test_what_was_written_is_read(void)
{
    for (int named = 0; named < 2; named++) {
        nbp_heapimage image = example(named), read;
        size_t size, length;
        const char *about;
        uint8_t *bytes = file_of(&image, &size);
        CHECK(nbp_heapimage_read(&read, bytes, size, &about, &length) == NULL);
        CHECK_EQ(length, 8);
        CHECK_EQ(memcmp(about, "{\"a\": 1}", 8), 0);
        CHECK_EQ(nbp_heapgraph_nodes(read.graph), NODES);
        CHECK_EQ(nbp_heapgraph_find(read.graph, address_of(4)), 4);
        CHECK_EQ(nbp_sizes_get(&read.sizes, 3), UINT64_C(1) << 33);
        CHECK_EQ(read.root_count, 1);
        CHECK_EQ(nbp_heapimage_name(&read, 1, 2),
                 named ? nbp_name_make(NBP_INDEX, 1000) : 0);
        CHECK_EQ(nbp_heapimage_label(&read, 0), named ? 1 : NBP_NO_TEXT);
        CHECK_EQ(nbp_heapimage_label(&read, 3), NBP_NO_TEXT);
        CHECK(nbp_heapimage_bytes(&read) > 100);
        nbp_heapimage_clear(&read);
        nbp_heapimage_clear(&image);
        free(bytes);
    }
}

/* Cuts the file at every length, and changes every byte of it in several ways: nothing
 * of it is read, or everything that was read can be used. */
static void
test_a_damaged_file_is_refused(void)
{
    nbp_heapimage image = example(true), read;
    size_t size, length;
    const char *about;
    uint8_t *bytes = file_of(&image, &size);
    for (size_t cut = 0; cut < size; cut++) {
        uint8_t *part = malloc(cut + 1); /* so that a sanitizer sees the end */
        memcpy(part, bytes, cut);
        CHECK(nbp_heapimage_read(&read, part, cut, &about, &length) != NULL);
        free(part);
    }
    static const uint8_t changes[] = {0x01, 0x80, 0xFF, 0x10};
    for (size_t i = 0; i < size; i++) {
        for (size_t j = 0; j < sizeof(changes); j++) {
            bytes[i] ^= changes[j];
            if (nbp_heapimage_read(&read, bytes, size, &about, &length) == NULL) {
                nbp_heapimage_clear(&read); /* padding */
            }
            bytes[i] ^= changes[j];
        }
    }
    nbp_heapimage_clear(&image);
    free(bytes);
}

/* The key of a class is the names of the references to a node, by their definition. */
static void
check_names_to(const nbp_heapimage *image, nbp_node node, const nbp_texts *keys,
               uint32_t class)
{
    uint32_t expected[64];
    size_t count = 0, length;
    for (nbp_node source = 0; source < NODES; source++) {
        nbp_row row = nbp_heapgraph_targets(image->graph, source);
        for (size_t i = 0; i < row.count; i++) {
            size_t edge = nbp_heapgraph_first_edge(image->graph, source) + i;
            uint32_t name = image->edge_names[edge];
            if ((name & 7) == NBP_INDEX) {
                name = NBP_INDEX;
            }
            if (row.nodes[i] == node) {
                size_t at = count;
                while (at > 0 && expected[at - 1] > name) {
                    at--;
                }
                if (at > 0 && expected[at - 1] == name) {
                    continue;
                }
                memmove(expected + at + 1, expected + at, (count - at) * sizeof(name));
                expected[at] = name;
                count++;
            }
        }
    }
    const char *key = nbp_texts_get(keys, class, &length);
    CHECK_EQ(length, count * sizeof(*expected));
    CHECK(memcmp(key, expected, length) == 0);
}

static void
test_sets_answer_questions(void)
{
    nbp_heapimage image = example(true);
    nbp_dominators *dominators =
        nbp_dominators_new(image.graph, image.roots, image.root_count, &image.sizes);
    uint8_t one = 1u << 1, out = 0;
    nbp_set_neighbours(&image, &one, false, &out);
    CHECK_EQ(out, 1u << 2 | 1u << 3);
    out = 0;
    nbp_set_neighbours(&image, &one, true, &out);
    CHECK_EQ(out, 1u << 0 | 1u << 2);
    out = 0;
    CHECK_EQ(nbp_set_reach(&image, &one, false, &out), NBP_OK);
    CHECK_EQ(out, 1u << 1 | 1u << 2 | 1u << 3);
    out = 0;
    CHECK_EQ(nbp_set_retained(&image, &one, &out), NBP_OK);
    CHECK_EQ(out, 1u << 1 | 1u << 2 | 1u << 3);
    out = 0;
    CHECK_EQ(nbp_set_retained(&image, NULL, &out), NBP_OK);
    CHECK_EQ(out, 0x0F);

    uint64_t bytes[3] = {0};
    CHECK_EQ(nbp_types_retained(&image, dominators, bytes), NBP_OK);
    CHECK_EQ(bytes[0], 10 + 11 + 12 + (UINT64_C(1) << 33));
    CHECK_EQ(bytes[1], 11 + 12 + (UINT64_C(1) << 33)); /* the second list is below */
    CHECK_EQ(bytes[2], UINT64_C(1) << 33);

    uint32_t classes[NODES];
    nbp_texts *keys = nbp_set_classes(&image, NULL, NBP_BY_HOLDERS, classes);
    CHECK_EQ(classes[2], classes[3]); /* held by lists */
    CHECK(classes[1] != classes[2] && classes[0] != classes[1]);
    nbp_tally rows[8] = {0};
    nbp_set_tally(&image, NULL, classes, rows, nbp_texts_count(keys));
    CHECK_EQ(rows[classes[0]].count, 1);
    CHECK_EQ(rows[classes[0]].bytes, 10);
    nbp_texts_destroy(&keys);
    keys = nbp_set_classes(&image, &one, NBP_BY_KIND, classes);
    CHECK_EQ(nbp_texts_count(keys), 1);
    CHECK_EQ(classes[0], NBP_NO_NODE);
    nbp_texts_destroy(&keys);

    keys = nbp_set_classes_by_name(&image, NULL, classes);
    for (nbp_node node = 0; node < NODES; node++) {
        check_names_to(&image, node, keys, classes[node]);
    }
    nbp_texts_destroy(&keys);

    uint32_t component[NODES], count;
    CHECK_EQ(nbp_cycles_find(image.graph, NULL, component, &count), NBP_OK);
    CHECK_EQ(count, 2);
    CHECK_EQ(component[1], component[2]);
    CHECK_EQ(component[4], component[5]);
    CHECK(component[1] != component[4]);
    CHECK_EQ(component[0], NBP_NO_NODE);
    CHECK_EQ(component[3], NBP_NO_NODE);
    uint8_t without = (uint8_t)~one;
    CHECK_EQ(nbp_cycles_find(image.graph, &without, component, &count), NBP_OK);
    CHECK_EQ(count, 1);
    nbp_dominators_destroy(&dominators);
    nbp_heapimage_clear(&image);
}

enum { MOST = 14 };

/* Components against the definition: each leads to the other. */
static void
test_components_of_random_graphs(void)
{
    for (unsigned seed = 0; seed < 2000; seed++) {
        int leads[MOST][MOST] = {{0}}, edge[MOST][MOST] = {{0}};
        srand(seed);
        size_t nodes = 1 + (size_t)rand() % MOST, edges = (size_t)rand() % (2 * nodes);
        nbp_heapgraph *graph = nbp_heapgraph_new(0);
        nbp_node node;
        for (size_t i = 0; i < nodes; i++) {
            nbp_heapgraph_add(graph, address_of(i), &node);
        }
        for (size_t i = 0; i < edges; i++) {
            size_t from = (size_t)rand() % nodes, to = (size_t)rand() % nodes;
            edge[from][to] = leads[from][to] = 1;
        }
        while (nbp_heapgraph_next(graph, &node) == 1) {
            for (size_t to = 0; to < nodes; to++) {
                if (edge[node][to]) {
                    nbp_heapgraph_point(graph, address_of(to));
                }
            }
        }
        CHECK_EQ(nbp_heapgraph_finish(graph), NBP_OK);
        for (size_t k = 0; k < nodes; k++) {
            for (size_t i = 0; i < nodes; i++) {
                for (size_t j = 0; j < nodes; j++) {
                    leads[i][j] |= leads[i][k] && leads[k][j];
                }
            }
        }
        uint32_t component[MOST], count;
        CHECK_EQ(nbp_cycles_find(graph, NULL, component, &count), NBP_OK);
        int wrong = 0;
        for (size_t i = 0; i < nodes; i++) {
            wrong += (component[i] != NBP_NO_NODE) != leads[i][i];
            for (size_t j = 0; j < nodes && leads[i][i]; j++) {
                bool together = component[i] == component[j];
                wrong += together != (leads[i][j] && leads[j][i]);
            }
        }
        CHECK_EQ(wrong, 0);
        nbp_heapgraph_destroy(&graph);
    }
}

static void
test_texts_are_kept_once(void)
{
    nbp_texts *texts = nbp_texts_new(20000);
    char word[16];
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 2000; i++) {
            int length = snprintf(word, sizeof(word), "%u", i);
            CHECK_EQ(nbp_texts_add(texts, word, (size_t)length), i);
        }
    }
    CHECK_EQ(nbp_texts_add(texts, "", 0), 2000);
    size_t length;
    CHECK_EQ(memcmp(nbp_texts_get(texts, 1234, &length), "1234", 4), 0);
    CHECK_EQ(length, 4);
    char *large = calloc(20000, 1);
    CHECK_EQ(nbp_texts_add(texts, large, 20000), NBP_NO_TEXT);
    free(large);
    CHECK(nbp_texts_size(texts) > 6000);
    nbp_texts_destroy(&texts);
    nbp_texts_destroy(&texts);
}

int
main(void)
{
    test_what_was_written_is_read();
    test_a_damaged_file_is_refused();
    test_sets_answer_questions();
    test_components_of_random_graphs();
    test_texts_are_kept_once();
    return CHECK_RESULT();
}
