/* SPDX-License-Identifier: BSD-3-Clause */
#include "heapsets.h"

#include <stdlib.h>
#include <string.h>

void
nbp_set_tally(const nbp_heapimage *image, const uint8_t *set, const uint32_t *classes,
              nbp_tally *rows, size_t count)
{
    size_t nodes = nbp_heapgraph_nodes(image->graph);
    for (size_t node = 0; node < nodes; node++) {
        if (nbp_has(set, (nbp_node)node) && classes[node] < count) {
            rows[classes[node]].count++;
            rows[classes[node]].bytes += nbp_sizes_get(&image->sizes, (nbp_node)node);
        }
    }
}

void
nbp_set_neighbours(const nbp_heapimage *image, const uint8_t *set, bool backwards,
                   uint8_t *out)
{
    size_t nodes = nbp_heapgraph_nodes(image->graph);
    for (size_t node = 0; node < nodes; node++) {
        if (!nbp_has(set, (nbp_node)node)) {
            continue;
        }
        nbp_row row = backwards ? nbp_heapgraph_sources(image->graph, (nbp_node)node)
                                : nbp_heapgraph_targets(image->graph, (nbp_node)node);
        for (size_t i = 0; i < row.count; i++) {
            nbp_put(out, row.nodes[i]);
        }
    }
}

/* Follows what is on the stack; `barrier` (NULL: none) is not entered, and nothing is
 * followed from objects of the program when only data counts. */
static void
follow(const nbp_heapimage *image, nbp_node *stack, size_t depth,
       const uint8_t *barrier, bool data, uint8_t *out)
{
    while (depth > 0) {
        nbp_row row = nbp_heapgraph_targets(image->graph, stack[--depth]);
        for (size_t i = 0; i < row.count; i++) {
            nbp_node target = row.nodes[i];
            if (nbp_has(out, target) || (barrier != NULL && nbp_has(barrier, target)) ||
                (data && image->type_kinds[image->types[target]] != NBP_DATA)) {
                continue;
            }
            nbp_put(out, target);
            stack[depth++] = target;
        }
    }
}

nbp_status
nbp_set_reach(const nbp_heapimage *image, const uint8_t *set, bool data, uint8_t *out)
{
    size_t nodes = nbp_heapgraph_nodes(image->graph), depth = 0;
    nbp_node *stack = malloc((nodes + 1) * sizeof(*stack)); /* owned */
    if (stack == NULL) {
        return NBP_NO_MEMORY;
    }
    for (size_t node = 0; node < nodes; node++) {
        if (nbp_has(set, (nbp_node)node)) {
            nbp_put(out, (nbp_node)node);
            stack[depth++] = (nbp_node)node;
        }
    }
    follow(image, stack, depth, NULL, data, out);
    free(stack);
    return NBP_OK;
}

/* All that roots lead to without passing through `barrier`. */
static nbp_status
reach_from_roots(const nbp_heapimage *image, const uint8_t *barrier, uint8_t *out)
{
    size_t nodes = nbp_heapgraph_nodes(image->graph), depth = 0;
    nbp_node *stack = malloc((nodes + 1) * sizeof(*stack)); /* owned */
    if (stack == NULL) {
        return NBP_NO_MEMORY;
    }
    for (size_t i = 0; i < image->root_count; i++) {
        nbp_node root = image->roots[i];
        if (!nbp_has(out, root) && (barrier == NULL || !nbp_has(barrier, root))) {
            nbp_put(out, root);
            stack[depth++] = root;
        }
    }
    follow(image, stack, depth, barrier, false, out);
    free(stack);
    return NBP_OK;
}

nbp_status
nbp_set_retained(const nbp_heapimage *image, const uint8_t *set, uint8_t *out)
{
    size_t bytes = nbp_set_bytes(nbp_heapgraph_nodes(image->graph));
    uint8_t *rest = calloc(bytes + 1, 1); /* owned */
    nbp_status status = rest == NULL ? NBP_NO_MEMORY : NBP_OK;
    if (status == NBP_OK && set != NULL) {
        status = reach_from_roots(image, set, rest);
    }
    if (status == NBP_OK) {
        status = reach_from_roots(image, NULL, out);
    }
    for (size_t i = 0; status == NBP_OK && i < bytes; i++) {
        out[i] &= (uint8_t)~rest[i];
    }
    free(rest);
    return status;
}

nbp_status
nbp_set_unreached(const nbp_heapimage *image, bool concealed, uint8_t *out)
{
    size_t nodes = nbp_heapgraph_nodes(image->graph), bytes = nbp_set_bytes(nodes);
    uint8_t *starts = calloc(bytes + 1, 1); /* owned */
    uint8_t *hidden = calloc(bytes + 1, 1); /* owned */
    nbp_status status = NBP_NO_MEMORY;
    if (starts != NULL && hidden != NULL) {
        for (size_t i = 0; i < image->concealed_count; i++) {
            nbp_put(starts, image->concealed[i]);
        }
        status = nbp_set_reach(image, starts, false, hidden);
    }
    if (status == NBP_OK) {
        status = reach_from_roots(image, NULL, out);
    }
    for (size_t i = 0; status == NBP_OK && i < bytes; i++) {
        out[i] = (uint8_t)(~out[i] & (concealed ? hidden[i] : ~hidden[i]));
    }
    if (status == NBP_OK && nodes % 8 != 0) {
        out[bytes - 1] &= (uint8_t)((1u << nodes % 8) - 1);
    }
    free(starts);
    free(hidden);
    return status;
}

/* The tree of dominators, all owned, in which an object is named by its place in the
 * order in which they were found: what is close there is close in memory. */
typedef struct {
    uint32_t *above;   /* of each place; `count` for none */
    uint32_t *child;   /* first of each place, and last that of the roots */
    uint32_t *sibling; /* next of each place */
    uint32_t *type;    /* of each place */
    uint32_t *inside;  /* of each type, how many of the places on the path have it */
    uint32_t count;
} tree;

static void
free_tree(tree *self)
{
    free(self->above);
    free(self->child);
    free(self->sibling);
    free(self->type);
    free(self->inside);
}

/* False when memory is short; whatever there is has to be freed. */
static bool
make_tree(tree *self, const nbp_heapimage *image, const nbp_dominators *dominators)
{
    enum { AHEAD = 16 };
    size_t nodes = nbp_heapgraph_nodes(image->graph);
    nbp_row order = nbp_dominators_order(dominators);
    self->count = (uint32_t)order.count;
    self->above = malloc((order.count + 1) * sizeof(*self->above));
    self->child = malloc((order.count + 1) * sizeof(*self->child));
    self->type = malloc((order.count + 1) * sizeof(*self->type));
    self->inside =
        calloc(nbp_texts_count(image->type_names) + 1, sizeof(*self->inside));
    uint32_t *place = malloc((nodes + 1) * sizeof(*place)); /* owned; of each node */
    if (self->above == NULL || self->child == NULL || self->type == NULL ||
        self->inside == NULL || place == NULL) {
        free(place);
        return false;
    }
    for (uint32_t i = 0; i < self->count; i++) {
        if (i + AHEAD < self->count) {
            __builtin_prefetch(&place[order.nodes[i + AHEAD]], 1);
            __builtin_prefetch(&image->types[order.nodes[i + AHEAD]]);
        }
        nbp_node above = nbp_dominators_of(dominators, order.nodes[i]);
        place[order.nodes[i]] = i;
        self->above[i] = above == NBP_NO_NODE ? self->count : place[above];
        self->type[i] = image->types[order.nodes[i]];
    }
    free(place);
    self->sibling = malloc((order.count + 1) * sizeof(*self->sibling));
    if (self->sibling == NULL) {
        return false;
    }
    memset(self->child, 0xFF, (order.count + 1) * sizeof(*self->child));
    for (uint32_t i = self->count; i-- > 0;) {
        self->sibling[i] = self->child[self->above[i]];
        self->child[self->above[i]] = i;
    }
    return true;
}

nbp_status
nbp_types_retained(const nbp_heapimage *image, const nbp_dominators *dominators,
                   uint64_t *bytes)
{
    nbp_row order = nbp_dominators_order(dominators);
    tree it = {0};
    if (!make_tree(&it, image, dominators)) {
        free_tree(&it);
        return NBP_NO_MEMORY;
    }
    /* Down to the first child, else on to the next sibling, else up until there is one:
     * the tree is its own stack. */
    uint32_t at = it.child[it.count];
    while (at != UINT32_MAX) {
        uint32_t type = it.type[at];
        if (it.inside[type]++ == 0) {
            bytes[type] += nbp_dominators_retained_bytes(dominators, order.nodes[at]);
        }
        if (it.child[at] != UINT32_MAX) {
            at = it.child[at];
            continue;
        }
        for (;;) {
            it.inside[it.type[at]]--;
            if (it.sibling[at] != UINT32_MAX) {
                at = it.sibling[at];
                break;
            }
            at = it.above[at];
            if (at == it.count) {
                at = UINT32_MAX;
                break;
            }
        }
    }
    free_tree(&it);
    return NBP_OK;
}

/* Types of what holds a node: each once, ascending. `seen` keeps the last node for
 * which each type was met. */
static size_t
holder_types(const nbp_heapimage *image, nbp_node node, uint32_t *seen, uint32_t *types)
{
    nbp_row row = nbp_heapgraph_sources(image->graph, node);
    size_t count = 0;
    for (size_t i = 0; i < row.count && count < NBP_MOST_TYPES; i++) {
        uint32_t type = image->types[row.nodes[i]];
        if (seen[type] == node) {
            continue;
        }
        seen[type] = node;
        size_t at = count++;
        for (; at > 0 && types[at - 1] > type; at--) {
            types[at] = types[at - 1];
        }
        types[at] = type;
    }
    return count;
}

/* The type of what has `node` as its dictionary of attributes; UINT32_MAX for none. */
static uint32_t
owner_type(const nbp_heapimage *image, nbp_node node, uint32_t dict_name)
{
    nbp_row row = nbp_heapgraph_sources(image->graph, node);
    for (size_t i = 0; i < row.count && i < 64; i++) {
        /* A long list of dictionaries would be looked through for each of them. */
        if (nbp_heapgraph_targets(image->graph, row.nodes[i]).count <= 64 &&
            nbp_heapimage_name(image, row.nodes[i], node) == dict_name) {
            return image->types[row.nodes[i]];
        }
    }
    return UINT32_MAX;
}

/* The number of a text, without adding it; `count` when it is not there. */
static uint32_t
find_text(const nbp_texts *texts, const char *text)
{
    size_t count = nbp_texts_count(texts), length;
    for (size_t i = 0; i < count; i++) {
        const char *other = nbp_texts_get(texts, (uint32_t)i, &length);
        if (length == strlen(text) && memcmp(other, text, length) == 0) {
            return (uint32_t)i;
        }
    }
    return (uint32_t)count;
}

static size_t
key_of(const nbp_heapimage *image, nbp_node node, nbp_class_key by, uint32_t *seen,
       uint32_t dict_type, uint32_t dict_name, uint32_t *key)
{
    uint64_t size;
    switch (by) {
    case NBP_BY_HOLDERS:
        return holder_types(image, node, seen, key);
    case NBP_BY_SIZE:
        size = nbp_sizes_get(&image->sizes, node);
        key[0] = (uint32_t)size;
        key[1] = (uint32_t)(size >> 32);
        return 2;
    default:
        key[0] = image->types[node];
        if (by == NBP_BY_KIND && key[0] == dict_type) {
            key[1] = owner_type(image, node, dict_name);
            return key[1] == UINT32_MAX ? 1 : 2;
        }
        return 1;
    }
}

nbp_texts *
nbp_set_classes(const nbp_heapimage *image, const uint8_t *set, nbp_class_key by,
                uint32_t *classes)
{
    size_t nodes = nbp_heapgraph_nodes(image->graph);
    size_t types = nbp_texts_count(image->type_names);
    nbp_texts *keys = nbp_texts_new(SIZE_MAX);            /* owned, returned */
    uint32_t *seen = malloc((types + 1) * sizeof(*seen)); /* owned */
    if (keys == NULL || seen == NULL) {
        goto fail;
    }
    memset(seen, 0xFF, (types + 1) * sizeof(*seen));
    uint32_t dict_type = find_text(image->type_names, "dict");
    uint32_t dict_name = NBP_UNNAMED;
    if (by == NBP_BY_KIND && image->names != NULL) {
        uint32_t text = find_text(image->names, "__dict__");
        if (text < nbp_texts_count(image->names)) {
            dict_name = nbp_name_make(NBP_ATTRIBUTE, text);
        }
    }
    if (dict_name == NBP_UNNAMED) {
        dict_type = UINT32_MAX;
    }
    for (size_t node = 0; node < nodes; node++) {
        uint32_t key[NBP_MOST_TYPES];
        classes[node] = NBP_NO_NODE;
        if (!nbp_has(set, (nbp_node)node)) {
            continue;
        }
        size_t length =
            key_of(image, (nbp_node)node, by, seen, dict_type, dict_name, key);
        classes[node] = nbp_texts_add(keys, (const char *)key, length * sizeof(*key));
        if (classes[node] == NBP_NO_TEXT) {
            goto fail;
        }
    }
    free(seen);
    return keys;

fail:
    free(seen);
    nbp_texts_destroy(&keys);
    return NULL;
}

static int
compare_names(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

/* Puts names in order and leaves out what repeats; how many are left. */
static size_t
tidy_names(uint32_t *names, size_t count)
{
    size_t left = 0;
    qsort(names, count, sizeof(*names), compare_names);
    for (size_t i = 0; i < count; i++) {
        if (left == 0 || names[left - 1] != names[i]) {
            names[left++] = names[i];
        }
    }
    return left < NBP_MOST_TYPES ? left : NBP_MOST_TYPES;
}

/* Writes the names of the references to each node into `names`, those to node n from
 * ends[n - 1] to ends[n]; `ends` has an entry a node. */
static void
turn_names(const nbp_heapimage *image, size_t *ends, uint32_t *names)
{
    size_t nodes = nbp_heapgraph_nodes(image->graph), at = 0;
    for (size_t node = 0; node < nodes; node++) {
        ends[node] = at; /* its start, until it is filled */
        at += nbp_heapgraph_sources(image->graph, (nbp_node)node).count;
    }
    for (size_t node = 0; node < nodes; node++) {
        nbp_row row = nbp_heapgraph_targets(image->graph, (nbp_node)node);
        size_t first = nbp_heapgraph_first_edge(image->graph, (nbp_node)node);
        for (size_t i = 0; i < row.count; i++) {
            uint32_t name =
                image->edge_names == NULL ? NBP_UNNAMED : image->edge_names[first + i];
            if ((name & ((1u << NBP_NAME_BITS) - 1)) == NBP_INDEX) {
                name = NBP_INDEX;
            }
            names[ends[row.nodes[i]]++] = name;
        }
    }
}

nbp_texts *
nbp_set_classes_by_name(const nbp_heapimage *image, const uint8_t *set,
                        uint32_t *classes)
{
    size_t nodes = nbp_heapgraph_nodes(image->graph);
    size_t edges = nbp_heapgraph_edges(image->graph);
    nbp_texts *keys = nbp_texts_new(SIZE_MAX);              /* owned, returned */
    size_t *ends = malloc((nodes + 1) * sizeof(*ends));     /* owned */
    uint32_t *names = malloc((edges + 1) * sizeof(*names)); /* owned */
    if (keys == NULL || ends == NULL || names == NULL) {
        goto fail;
    }
    turn_names(image, ends, names);
    for (size_t node = 0; node < nodes; node++) {
        classes[node] = NBP_NO_NODE;
        if (!nbp_has(set, (nbp_node)node)) {
            continue;
        }
        size_t start = node == 0 ? 0 : ends[node - 1];
        size_t count = tidy_names(names + start, ends[node] - start);
        classes[node] =
            nbp_texts_add(keys, (const char *)(names + start), count * sizeof(*names));
        if (classes[node] == NBP_NO_TEXT) {
            goto fail;
        }
    }
    free(ends);
    free(names);
    return keys;

fail:
    free(ends);
    free(names);
    nbp_texts_destroy(&keys);
    return NULL;
}

size_t
nbp_set_entrances(const nbp_heapimage *image, const uint8_t *set,
                  const nbp_node *parents, uint32_t *classes, nbp_node *entrances)
{
    size_t nodes = nbp_heapgraph_nodes(image->graph), count = 0;
    memset(classes, 0xFF, nodes * sizeof(*classes));
    for (size_t i = 0; i < nodes; i++) {
        nbp_node node = (nbp_node)i;
        if (!nbp_has(set, node) || classes[node] != NBP_NO_NODE) {
            continue;
        }
        nbp_node top = node;
        while (classes[top] == NBP_NO_NODE && parents[top] != NBP_NO_NODE &&
               parents[top] != top && nbp_has(set, parents[top])) {
            top = parents[top];
        }
        if (classes[top] == NBP_NO_NODE) {
            entrances[count] = top;
            classes[top] = (uint32_t)count++;
        }
        /* The way up once more, so that nobody goes it again. */
        for (; node != top; node = parents[node]) {
            classes[node] = classes[top];
        }
    }
    return count;
}
