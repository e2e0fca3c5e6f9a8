/* SPDX-License-Identifier: BSD-3-Clause */
/* A heap as figures: the graph of its objects, their sizes and types, where they are
 * held from, and by which names they hold each other. Plain data that outlives the
 * objects; it can be written to a file and read elsewhere. Not thread-safe. */
#ifndef NBP_HEAPIMAGE_H
#define NBP_HEAPIMAGE_H

#include "heapgraph.h"
#include "sizes.h"
#include "texts.h"

/* How a reference is named. A name is such a kind in its lowest bits, and above it a
 * number: of a text in `names`, of an item, or nothing. */
typedef enum {
    NBP_UNNAMED,
    NBP_ATTRIBUTE, /* text */
    NBP_VALUE,     /* text: its key, as it is written in code */
    NBP_INDEX,     /* item */
    NBP_VARIABLE,  /* text */
    NBP_KEY,
    NBP_MEMBER,
    NBP_NAME_KINDS,
} nbp_name_kind;

enum { NBP_NAME_BITS = 3 };

static inline uint32_t
nbp_name_make(nbp_name_kind kind, uint32_t number)
{
    return number < UINT32_MAX >> NBP_NAME_BITS ? number << NBP_NAME_BITS | kind
                                                : (uint32_t)NBP_UNNAMED;
}

/* What objects of a type are to somebody who adds up data. */
typedef enum {
    NBP_DATA,
    NBP_PROGRAM, /* modules, classes, functions, code, frames: held, not owned */
    NBP_TYPE_KINDS,
} nbp_type_kind;

/* Words about a node: the name of a class, a function, a module. */
typedef struct {
    nbp_node node;
    uint32_t text; /* in `names` */
} nbp_label;

typedef struct {
    nbp_heapgraph *graph; /* owned; finished */
    nbp_sizes sizes;
    uint32_t *types;   /* owned; of each node, a number in `type_names` */
    nbp_node *roots;   /* owned; what something outside of the graph holds; ascending */
    nbp_node *modules; /* owned; what sys.modules holds */
    size_t root_count;
    size_t module_count;
    nbp_node *concealed; /* owned; what only frames that are left out may hold; not in
                            files */
    size_t concealed_count;
    size_t frame_count;    /* the running frames are the first nodes */
    nbp_texts *type_names; /* owned */
    uint8_t *type_kinds;   /* owned; of each type, an nbp_type_kind */
    nbp_texts *names;      /* owned; NULL when names were not asked for, as the next */
    uint32_t *edge_names;  /* owned; of each edge */
    nbp_label *labels;     /* owned; ascending by node */
    size_t label_count;
} nbp_heapimage;

void nbp_heapimage_clear(nbp_heapimage *self);

/* The text of a node's label in `names`; NBP_NO_TEXT when it has none. */
uint32_t nbp_heapimage_label(const nbp_heapimage *self, nbp_node node);

/* The name of the first reference from `source` to `target`; NBP_UNNAMED also when
 * there is none. */
uint32_t nbp_heapimage_name(const nbp_heapimage *self, nbp_node source,
                            nbp_node target);

/* Memory that the image takes. */
size_t nbp_heapimage_bytes(const nbp_heapimage *self);

/* Writes the image to a file, after `about`, a text that is given back on reading: 0,
 * or an errno. */
int nbp_heapimage_write(const nbp_heapimage *self, const char *about, size_t length,
                        int fd);

/* Reads what write() wrote. The bytes may be anybody's: every number is checked before
 * it is used. NULL, or what is wrong with them, in words; then `self` is empty. `about`
 * is borrowed from `bytes`. */
const char *nbp_heapimage_read(nbp_heapimage *self, const uint8_t *bytes, size_t size,
                               const char **about, size_t *length);

#endif /* NBP_HEAPIMAGE_H */
