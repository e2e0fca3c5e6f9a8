/* SPDX-License-Identifier: BSD-3-Clause */
/* Sets of nodes of a heap image, a bit each, and the questions that are asked of them.
 * Where a set is asked for, NULL stands for all nodes. */
#ifndef NBP_HEAPSETS_H
#define NBP_HEAPSETS_H

#include "dominators.h"
#include "heapimage.h"

/* Bytes of a set. */
static inline size_t
nbp_set_bytes(size_t nodes)
{
    return (nodes + 7) / 8;
}

static inline bool
nbp_has(const uint8_t *set, nbp_node node)
{
    return set == NULL || (set[node / 8] >> node % 8 & 1);
}

static inline void
nbp_put(uint8_t *set, nbp_node node)
{
    set[node / 8] |= (uint8_t)(1u << node % 8);
}

/* Objects and their own bytes. */
typedef struct {
    uint64_t count;
    uint64_t bytes;
} nbp_tally;

/* Adds up the members of a set by class; `classes` has an entry a node, what is not
 * below `count` is left out. `rows` is all zero before. */
void nbp_set_tally(const nbp_heapimage *image, const uint8_t *set,
                   const uint32_t *classes, nbp_tally *rows, size_t count);

/* What members hold (or what holds members); `out` is all zero before, here and below.
 */
void nbp_set_neighbours(const nbp_heapimage *image, const uint8_t *set, bool backwards,
                        uint8_t *out);

/* All that members lead to, themselves included. `data`: not through modules, classes,
 * functions, code and frames, unless they are members. */
nbp_status nbp_set_reach(const nbp_heapimage *image, const uint8_t *set, bool data,
                         uint8_t *out);

/* What would be freed with the members: no root leads to it but through them. */
nbp_status nbp_set_retained(const nbp_heapimage *image, const uint8_t *set,
                            uint8_t *out);

/* What no root leads to, apart from what the frames that are left out hold; and, with
 * `concealed`, what only those hold. */
nbp_status nbp_set_unreached(const nbp_heapimage *image, bool concealed, uint8_t *out);

/* Bytes that would be freed with all objects of each type: of each, what those retain
 * that are not themselves below one of the same type. `bytes` has an entry a type. */
nbp_status nbp_types_retained(const nbp_heapimage *image,
                              const nbp_dominators *dominators, uint64_t *bytes);

/* How the members of a set are put into classes. */
typedef enum {
    NBP_BY_TYPE,    /* key: the type */
    NBP_BY_KIND,    /* the type, and of a dictionary of attributes also its owner's */
    NBP_BY_HOLDERS, /* the types of what holds it, ascending, at most NBP_MOST_TYPES */
    NBP_BY_SIZE,    /* its size: two numbers, the lower half first */
} nbp_class_key;

enum { NBP_MOST_TYPES = 16 };

/* Gives each node its class, and the keys of the classes: each is a text of `keys` that
 * consists of uint32_t. `classes` has an entry a node. NULL when memory is short. */
nbp_texts *nbp_set_classes(const nbp_heapimage *image, const uint8_t *set,
                           nbp_class_key by, uint32_t *classes);

/* The same by the names of the references to each: keys are names, ascending and each
 * once, at most NBP_MOST_TYPES; of items it is that of the first. */
nbp_texts *nbp_set_classes_by_name(const nbp_heapimage *image, const uint8_t *set,
                                   uint32_t *classes);

/* Gives each member the class of the member through which the tree of `parents` (of
 * nbp_heapgraph_grow_tree) enters the set: the last one before a parent that is none.
 * What is in no tree is an entrance itself. `entrances` has room for all nodes; how
 * many there are. */
size_t nbp_set_entrances(const nbp_heapimage *image, const uint8_t *set,
                         const nbp_node *parents, uint32_t *classes,
                         nbp_node *entrances);

#endif /* NBP_HEAPSETS_H */
