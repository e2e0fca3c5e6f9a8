/* SPDX-License-Identifier: BSD-3-Clause */
#include "heapimage.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void
nbp_heapimage_clear(nbp_heapimage *self)
{
    nbp_heapgraph_destroy(&self->graph);
    nbp_sizes_clear(&self->sizes);
    nbp_texts_destroy(&self->type_names);
    nbp_texts_destroy(&self->names);
    free(self->types);
    free(self->type_kinds);
    free(self->roots);
    free(self->modules);
    free(self->concealed);
    free(self->edge_names);
    free(self->labels);
    *self = (nbp_heapimage){0};
}

uint32_t
nbp_heapimage_label(const nbp_heapimage *self, nbp_node node)
{
    size_t low = 0, high = self->label_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (self->labels[middle].node < node) {
            low = middle + 1;
        }
        else {
            high = middle;
        }
    }
    return low < self->label_count && self->labels[low].node == node
               ? self->labels[low].text
               : NBP_NO_TEXT;
}

uint32_t
nbp_heapimage_name(const nbp_heapimage *self, nbp_node source, nbp_node target)
{
    nbp_row row = nbp_heapgraph_targets(self->graph, source);
    size_t first = nbp_heapgraph_first_edge(self->graph, source);
    for (size_t i = 0; self->edge_names != NULL && i < row.count; i++) {
        if (row.nodes[i] == target && self->edge_names[first + i] != NBP_UNNAMED) {
            return self->edge_names[first + i];
        }
    }
    return NBP_UNNAMED;
}

size_t
nbp_heapimage_bytes(const nbp_heapimage *self)
{
    size_t nodes = nbp_heapgraph_nodes(self->graph);
    size_t bytes = nbp_heapgraph_bytes(self->graph);
    bytes += self->sizes.capacity * sizeof(*self->sizes.small);
    bytes += self->sizes.large_capacity * sizeof(*self->sizes.large);
    bytes += nodes * sizeof(*self->types) + self->root_count * sizeof(*self->roots);
    bytes += self->label_count * sizeof(*self->labels);
    bytes += self->type_names == NULL ? 0 : nbp_texts_size(self->type_names);
    if (self->names != NULL) {
        bytes += nbp_texts_size(self->names);
        bytes += nbp_heapgraph_edges(self->graph) * sizeof(*self->edge_names);
    }
    return bytes;
}

/* The file: this header, then the sections in the order of `section`, each padded to
 * eight bytes. Numbers are those of the machine; the mark tells a strange order. */
enum { VERSION = 1 };

static const char MAGIC[8] = {'n', 'b', 'p', 'h', 'e', 'a', 'p', '\n'};

typedef enum {
    ABOUT,
    ADDRESSES,
    STARTS,
    TARGETS,
    SIZES,
    LARGE,
    TYPES,
    ROOTS,
    MODULES,
    TYPE_STARTS,
    TYPE_TEXTS,
    TYPE_KINDS,
    NAME_STARTS,
    NAME_TEXTS,
    EDGE_NAMES,
    LABELS,
    SECTIONS,
} section;

/* Bytes of one entry of each section. */
static const uint8_t entry_bytes[SECTIONS] = {
    [ABOUT] = 1,       [ADDRESSES] = 8,   [STARTS] = 4,     [TARGETS] = 4,
    [SIZES] = 4,       [LARGE] = 16,      [TYPES] = 4,      [ROOTS] = 4,
    [MODULES] = 4,     [TYPE_STARTS] = 4, [TYPE_TEXTS] = 1, [TYPE_KINDS] = 1,
    [NAME_STARTS] = 4, [NAME_TEXTS] = 1,  [EDGE_NAMES] = 4, [LABELS] = 8,
};

typedef struct {
    char magic[8];
    uint32_t mark; /* MARK */
    uint32_t version;
    uint64_t size;             /* of the whole file */
    uint64_t checksum;         /* of all that follows the header */
    uint64_t frames;           /* running frames */
    uint64_t counts[SECTIONS]; /* entries of each section */
} header;

#define MARK UINT32_C(0x01020304)

_Static_assert(sizeof(uintptr_t) == 8, "the file holds addresses of 64 bits");
_Static_assert(sizeof(nbp_label) == 8, "labels are written as they are");
_Static_assert(sizeof(nbp_large_size) == 16, "large sizes are written as they are");

static uint64_t
padded(uint64_t bytes)
{
    return (bytes + 7) & ~UINT64_C(7);
}

/* Not against forgery: it finds files that were damaged on their way. Four lanes, so
 * that it is as fast as the memory. */
static uint64_t
add_to_checksum(uint64_t sum, const uint8_t *data, size_t size)
{
    const uint64_t prime = UINT64_C(0x9E3779B97F4A7C15);
    uint64_t lanes[4] = {sum, sum + prime, sum ^ prime, ~sum};
    size_t done = 0;
    for (; done + 32 <= size; done += 32) {
        for (int i = 0; i < 4; i++) {
            uint64_t word;
            memcpy(&word, data + done + 8 * i, 8);
            lanes[i] = (lanes[i] ^ word) * prime;
            lanes[i] ^= lanes[i] >> 29;
        }
    }
    for (; done < size; done++) {
        lanes[0] = (lanes[0] ^ data[done]) * prime;
    }
    return (lanes[0] ^ lanes[1] * 3 ^ lanes[2] * 5 ^ lanes[3] * 7) * prime;
}

typedef struct {
    const void *data[SECTIONS]; /* borrowed */
    header head;
} file;

static int
write_all(int fd, const void *data, size_t size)
{
    const uint8_t *at = data;
    while (size > 0) {
        ssize_t written = write(fd, at, size < (1u << 30) ? size : 1u << 30);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return written == 0 ? EIO : errno;
        }
        at += written;
        size -= (size_t)written;
    }
    return 0;
}

static void
set_section(file *self, section which, const void *data, size_t count)
{
    self->data[which] = data;
    self->head.counts[which] = count;
}

static void
set_texts(file *self, section starts, section bytes, const nbp_texts *texts)
{
    size_t length;
    const char *text = nbp_texts_bytes(texts, &length);
    set_section(self, bytes, text, length);
    set_section(self, starts, nbp_texts_starts(texts), nbp_texts_count(texts) + 1);
}

int
nbp_heapimage_write(const nbp_heapimage *self, const char *about, size_t length, int fd)
{
    file it = {.head = {.mark = MARK, .version = VERSION, .frames = self->frame_count}};
    size_t nodes = nbp_heapgraph_nodes(self->graph);
    size_t edges = nbp_heapgraph_edges(self->graph);
    nbp_heapgraph_columns columns = nbp_heapgraph_borrow(self->graph);
    memcpy(it.head.magic, MAGIC, sizeof(MAGIC));
    set_section(&it, ABOUT, about, length);
    set_section(&it, ADDRESSES, columns.addresses, nodes);
    set_section(&it, STARTS, columns.starts, nodes + 1);
    set_section(&it, TARGETS, columns.targets, edges);
    set_section(&it, SIZES, self->sizes.small, nodes);
    set_section(&it, LARGE, self->sizes.large, self->sizes.large_count);
    set_section(&it, TYPES, self->types, nodes);
    set_section(&it, ROOTS, self->roots, self->root_count);
    set_section(&it, MODULES, self->modules, self->module_count);
    set_texts(&it, TYPE_STARTS, TYPE_TEXTS, self->type_names);
    set_section(&it, TYPE_KINDS, self->type_kinds, nbp_texts_count(self->type_names));
    if (self->names != NULL) {
        set_texts(&it, NAME_STARTS, NAME_TEXTS, self->names);
        set_section(&it, EDGE_NAMES, self->edge_names, edges);
        set_section(&it, LABELS, self->labels, self->label_count);
    }
    it.head.size = sizeof(it.head);
    for (int i = 0; i < SECTIONS; i++) {
        size_t bytes = it.head.counts[i] * entry_bytes[i];
        it.head.size += padded(bytes);
        it.head.checksum = add_to_checksum(it.head.checksum, it.data[i], bytes);
    }
    int error = write_all(fd, &it.head, sizeof(it.head));
    for (int i = 0; error == 0 && i < SECTIONS; i++) {
        static const uint8_t zeros[8] = {0};
        size_t bytes = it.head.counts[i] * entry_bytes[i];
        error = write_all(fd, it.data[i], bytes);
        if (error == 0) {
            error = write_all(fd, zeros, padded(bytes) - bytes);
        }
    }
    return error;
}

/* Finds the sections; NULL, or what is wrong. */
static const char *
take_apart(file *self, const uint8_t *bytes, size_t size)
{
    if (size < sizeof(self->head) || memcmp(bytes, MAGIC, sizeof(MAGIC)) != 0) {
        return "not a heap of nbprobe";
    }
    memcpy(&self->head, bytes, sizeof(self->head));
    if (self->head.mark != MARK) {
        return "written on a machine with another order of bytes";
    }
    if (self->head.version != VERSION) {
        return "written by another version of nbprobe";
    }
    if (self->head.size != size) {
        return "damaged: it does not have the length that it should have";
    }
    uint64_t at = sizeof(self->head);
    for (int i = 0; i < SECTIONS; i++) {
        uint64_t left = size - at;
        if (self->head.counts[i] > left / entry_bytes[i]) {
            return "damaged: a part is longer than the file";
        }
        uint64_t length = self->head.counts[i] * entry_bytes[i];
        if (padded(length) > left) {
            return "damaged: a part is longer than the file";
        }
        self->data[i] = bytes + at;
        at += padded(length);
    }
    return at == size ? NULL : "damaged: there is something behind its end";
}

/* Looked at last: what the parts must be holds for every file, whoever made it. */
static const char *
check_sum(const file *self)
{
    uint64_t sum = 0;
    for (int i = 0; i < SECTIONS; i++) {
        size_t bytes = (size_t)self->head.counts[i] * entry_bytes[i];
        sum = add_to_checksum(sum, self->data[i], bytes);
    }
    return sum == self->head.checksum ? NULL : "damaged: the checksum is wrong";
}

/* True when `starts` begins with 0, ascends, and ends with `end`. */
static bool
ascends(const uint32_t *starts, uint64_t count, uint64_t end)
{
    if (count == 0 || starts[0] != 0 || starts[count - 1] != end) {
        return false;
    }
    for (uint64_t i = 1; i < count; i++) {
        if (starts[i] < starts[i - 1]) {
            return false;
        }
    }
    return true;
}

static bool
all_below(const uint32_t *numbers, uint64_t count, uint64_t limit)
{
    for (uint64_t i = 0; i < count; i++) {
        if (numbers[i] >= limit) {
            return false;
        }
    }
    return true;
}

static const char *
check_graph(const file *self)
{
    const uint64_t *counts = self->head.counts;
    uint64_t nodes = counts[ADDRESSES];
    if (nodes >= NBP_NO_NODE - 1 || counts[TARGETS] >= UINT32_MAX ||
        counts[STARTS] != nodes + 1 || counts[SIZES] != nodes ||
        counts[TYPES] != nodes || self->head.frames > nodes || counts[ROOTS] > nodes ||
        counts[MODULES] > nodes) {
        return "damaged: its parts do not fit together";
    }
    if (!ascends(self->data[STARTS], counts[STARTS], counts[TARGETS]) ||
        !all_below(self->data[TARGETS], counts[TARGETS], nodes)) {
        return "damaged: a reference leads nowhere";
    }
    if (!all_below(self->data[ROOTS], counts[ROOTS], nodes) ||
        !all_below(self->data[MODULES], counts[MODULES], nodes)) {
        return "damaged: a root is not in it";
    }
    const nbp_large_size *large = self->data[LARGE];
    for (uint64_t i = 0; i < counts[LARGE]; i++) {
        if (large[i].node >= nodes || large[i].bytes > UINT64_C(1) << 56 ||
            (i > 0 && large[i].node <= large[i - 1].node)) {
            return "damaged: a size is wrong";
        }
    }
    return NULL;
}

static const char *
check_texts(const file *self)
{
    const uint64_t *counts = self->head.counts;
    if (!ascends(self->data[TYPE_STARTS], counts[TYPE_STARTS], counts[TYPE_TEXTS]) ||
        !all_below(self->data[TYPES], counts[TYPES], counts[TYPE_STARTS] - 1)) {
        return "damaged: a type has no name";
    }
    const uint8_t *kinds = self->data[TYPE_KINDS];
    for (uint64_t i = 0; i < counts[TYPE_KINDS]; i++) {
        if (kinds[i] >= NBP_TYPE_KINDS) {
            return "damaged: a type is of no kind";
        }
    }
    if (counts[TYPE_KINDS] != counts[TYPE_STARTS] - 1) {
        return "damaged: its parts do not fit together";
    }
    if (counts[NAME_STARTS] == 0) {
        return counts[NAME_TEXTS] == 0 && counts[EDGE_NAMES] == 0 && counts[LABELS] == 0
                   ? NULL
                   : "damaged: its parts do not fit together";
    }
    if (counts[EDGE_NAMES] != counts[TARGETS] ||
        !ascends(self->data[NAME_STARTS], counts[NAME_STARTS], counts[NAME_TEXTS])) {
        return "damaged: its names are wrong";
    }
    uint64_t texts = counts[NAME_STARTS] - 1;
    const uint32_t *names = self->data[EDGE_NAMES];
    for (uint64_t i = 0; i < counts[EDGE_NAMES]; i++) {
        uint32_t kind = names[i] & ((1u << NBP_NAME_BITS) - 1);
        bool text = kind == NBP_ATTRIBUTE || kind == NBP_VALUE || kind == NBP_VARIABLE;
        if (kind >= NBP_NAME_KINDS || (text && names[i] >> NBP_NAME_BITS >= texts)) {
            return "damaged: a reference has no name";
        }
    }
    const nbp_label *labels = self->data[LABELS];
    for (uint64_t i = 0; i < counts[LABELS]; i++) {
        if (labels[i].node >= counts[ADDRESSES] || labels[i].text >= texts ||
            (i > 0 && labels[i].node <= labels[i - 1].node)) {
            return "damaged: a label is wrong";
        }
    }
    return NULL;
}

/* A copy of a section; sets `failed` when memory is short. */
static void *
copy(const file *self, section which, bool *failed)
{
    size_t bytes = (size_t)self->head.counts[which] * entry_bytes[which];
    void *data = malloc(bytes + 1);
    if (data == NULL) {
        *failed = true;
        return NULL;
    }
    memcpy(data, self->data[which], bytes);
    return data;
}

static nbp_texts *
copy_texts(const file *self, section starts, section bytes, bool *failed)
{
    nbp_texts *texts =
        nbp_texts_copy(self->data[bytes], (size_t)self->head.counts[bytes],
                       self->data[starts], (size_t)self->head.counts[starts] - 1);
    *failed = *failed || texts == NULL;
    return texts;
}

const char *
nbp_heapimage_read(nbp_heapimage *self, const uint8_t *bytes, size_t size,
                   const char **about, size_t *length)
{
    *self = (nbp_heapimage){0};
    file it = {0};
    const char *wrong = take_apart(&it, bytes, size);
    if (wrong == NULL) {
        wrong = check_graph(&it);
    }
    if (wrong == NULL) {
        wrong = check_texts(&it);
    }
    if (wrong == NULL) {
        wrong = check_sum(&it);
    }
    if (wrong != NULL) {
        return wrong;
    }
    bool failed = false;
    const uint64_t *counts = it.head.counts;
    nbp_heapgraph_columns columns = {it.data[ADDRESSES], it.data[STARTS],
                                     it.data[TARGETS]};
    self->graph = nbp_heapgraph_copy(columns, (size_t)counts[ADDRESSES]);
    self->sizes.small = copy(&it, SIZES, &failed);
    self->sizes.capacity = (size_t)counts[SIZES];
    self->sizes.large = copy(&it, LARGE, &failed);
    self->sizes.large_count = self->sizes.large_capacity = (size_t)counts[LARGE];
    self->types = copy(&it, TYPES, &failed);
    self->roots = copy(&it, ROOTS, &failed);
    self->root_count = (size_t)counts[ROOTS];
    self->modules = copy(&it, MODULES, &failed);
    self->module_count = (size_t)counts[MODULES];
    self->frame_count = (size_t)it.head.frames;
    self->type_kinds = copy(&it, TYPE_KINDS, &failed);
    self->type_names = copy_texts(&it, TYPE_STARTS, TYPE_TEXTS, &failed);
    if (counts[NAME_STARTS] > 0) {
        self->names = copy_texts(&it, NAME_STARTS, NAME_TEXTS, &failed);
        self->edge_names = copy(&it, EDGE_NAMES, &failed);
        self->labels = copy(&it, LABELS, &failed);
        self->label_count = (size_t)counts[LABELS];
    }
    if (failed || self->graph == NULL) {
        nbp_heapimage_clear(self);
        return "too large for the memory of this machine";
    }
    *about = it.data[ABOUT];
    *length = (size_t)counts[ABOUT];
    return NULL;
}
