/* SPDX-License-Identifier: BSD-3-Clause */
#include "codebook.h"

#include <stdlib.h>
#include <string.h>

#include "codetables.h"
#include "pointermap.h"

enum {
    LONGEST_TEXT = 4000,     /* characters of a name */
    LONGEST_TABLE = 1 << 20, /* bytes of a table of lines */
    MOST_FUNCTIONS = 1 << 18,
    SLOTS = 512, /* of the codes of one stack; a power of two */
    BATCH = 128, /* heads of code objects that are read at once */
};

/* What tells a code object from another that was put in its place. */
typedef struct {
    uint64_t units, file, name, qualname, lines;
    uint32_t first_line;
} print;

/* A code object that was met: where, and as which function. */
typedef struct {
    print print;
    uint32_t function;
} met;

struct nbp_codebook {
    nbp_function *functions; /* owned */
    size_t count, room;
    met *met; /* owned */
    size_t n_met, met_room;
    nbp_pointermap by_code;    /* places in `met` */
    nbp_pointermap by_content; /* places in `functions`, by hash */
    /* Of the stack that is being read. */
    uintptr_t slots[SLOTS];
    uint32_t slot_functions[SLOTS];
    uint64_t slot_units[SLOTS];
    int32_t slot_traceable[SLOTS];
    unsigned char heads[BATCH][NBP_LAYOUT_HEAD];
};

nbp_codebook *
nbp_codebook_new(void)
{
    return calloc(1, sizeof(nbp_codebook));
}

void
nbp_codebook_destroy(nbp_codebook **self)
{
    nbp_codebook *book = *self;
    if (book == NULL) {
        return;
    }
    for (size_t i = 0; i < book->count; i++) {
        free(book->functions[i].file);
        free(book->functions[i].name);
        free(book->functions[i].qualname);
        free(book->functions[i].lines);
    }
    free(book->functions);
    free(book->met);
    nbp_pointermap_clear(&book->by_code);
    nbp_pointermap_clear(&book->by_content);
    free(book);
    *self = NULL;
}

size_t
nbp_codebook_count(const nbp_codebook *self)
{
    return self->count;
}

const nbp_function *
nbp_codebook_at(const nbp_codebook *self, uint32_t number)
{
    return &self->functions[number];
}

static uint64_t
word(const unsigned char *head, uint32_t offset)
{
    uint64_t value;
    memcpy(&value, head + offset, sizeof(value));
    return value;
}

/* Whether a head may be that of a living object of a type. The allocator puts pointers
 * where a freed object had its count, and no count is as large as those. */
static bool
is_object(const unsigned char *head, const nbp_interpreter_layout *layout,
          uintptr_t type)
{
    uint64_t references = word(head, layout->references);
    return word(head, layout->type) == type && references > 0 &&
           references <= UINT32_MAX;
}

static print
print_of(const unsigned char *head, const nbp_interpreter_layout *layout)
{
    uint32_t first_line;
    memcpy(&first_line, head + layout->first_line, sizeof(first_line));
    return (print){
        .units = word(head, layout->units),
        .file = word(head, layout->file),
        .name = word(head, layout->name),
        .qualname = word(head, layout->qualname),
        .lines = word(head, layout->lines),
        .first_line = first_line,
    };
}

static bool
same_print(const print *one, const print *other)
{
    return one->units == other->units && one->file == other->file &&
           one->name == other->name && one->qualname == other->qualname &&
           one->lines == other->lines && one->first_line == other->first_line;
}

/* ---- copying what a code object is called ---- */

static size_t
put_utf8(char *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | (c >> 6));
        out[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c > 0x10FFFF || (c >= 0xD800 && c < 0xE000)) {
        c = 0xFFFD;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xE0 | (c >> 12));
        out[1] = (char)(0x80 | ((c >> 6) & 0x3F));
        out[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | (c >> 18));
    out[1] = (char)(0x80 | ((c >> 12) & 0x3F));
    out[2] = (char)(0x80 | ((c >> 6) & 0x3F));
    out[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}

/* `length` characters as UTF-8; owned by the caller, NULL without memory. */
static char *
as_utf8(const unsigned char *data, size_t length, uint32_t kind)
{
    char *text = malloc(4 * length + 1);
    if (text == NULL) {
        return NULL;
    }
    size_t size = 0;
    for (size_t i = 0; i < length; i++) {
        uint32_t c = 0;
        /* The machine is little-endian wherever the pages of a process can be read so;
         * elsewhere the first check of the sampler finds wrong names and refuses. */
        memcpy(&c, data + i * kind, kind);
        size += put_utf8(text + size, c);
    }
    text[size] = '\0';
    return text;
}

/* The string at `address`; NULL when there is none. */
static char *
copy_text(nbp_peek *peek, const nbp_interpreter_layout *layout, uintptr_t address)
{
    unsigned char head[NBP_LAYOUT_HEAD], data[4 * LONGEST_TEXT];
    nbp_text_place place;
    if (address % sizeof(void *) != 0 ||
        !nbp_peek_read(peek, address, head, layout->text_size) ||
        !is_object(head, layout, layout->text_type) || !layout->text(head, &place)) {
        return NULL;
    }
    size_t length = place.length < LONGEST_TEXT ? place.length : LONGEST_TEXT;
    if (length > 0 &&
        !nbp_peek_read(peek, address + place.data, data, length * place.kind)) {
        return NULL;
    }
    return as_utf8(data, length, place.kind);
}

static bool
copy_lines(nbp_peek *peek, const nbp_interpreter_layout *layout, uintptr_t address,
           nbp_function *out)
{
    unsigned char head[NBP_LAYOUT_HEAD];
    if (address % sizeof(void *) != 0 ||
        !nbp_peek_read(peek, address, head, layout->bytes) ||
        !is_object(head, layout, layout->bytes_type)) {
        return false;
    }
    uint64_t size = word(head, layout->length);
    if (size > LONGEST_TABLE) {
        return true; /* without its lines */
    }
    out->lines = malloc(size + 1);
    out->lines_size = size;
    return out->lines != NULL &&
           (size == 0 ||
            nbp_peek_read(peek, address + layout->bytes, out->lines, size));
}

static uint64_t
mix(uint64_t hash, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ bytes[i]) * 0x100000001B3u; /* FNV-1a */
    }
    return hash;
}

static void
free_function(nbp_function *function)
{
    free(function->file);
    free(function->name);
    free(function->qualname);
    free(function->lines);
    *function = (nbp_function){0};
}

/* Copies what the code object at `address` is called; false when it is gone meanwhile.
 */
static bool
copy_function(nbp_peek *peek, const nbp_interpreter_layout *layout, uintptr_t address,
              const print *seen, nbp_function *out)
{
    unsigned char head[NBP_LAYOUT_HEAD];
    *out = (nbp_function){.first_line = (int32_t)seen->first_line};
    out->file = copy_text(peek, layout, seen->file);
    out->name = copy_text(peek, layout, seen->name);
    out->qualname = copy_text(peek, layout, seen->qualname);
    bool complete = out->file != NULL && out->name != NULL && out->qualname != NULL &&
                    copy_lines(peek, layout, seen->lines, out) &&
                    nbp_peek_read(peek, address, head, layout->code_size) &&
                    is_object(head, layout, layout->code_type);
    if (complete) {
        /* What was copied belongs to it only if it has been there all the time. */
        print now = print_of(head, layout);
        complete = same_print(seen, &now);
    }
    if (!complete) {
        free_function(out);
        return false;
    }
    uint64_t hash = mix(0xCBF29CE484222325u, out->file, strlen(out->file));
    hash = mix(hash, out->qualname, strlen(out->qualname));
    hash = mix(hash, out->name, strlen(out->name));
    hash = mix(hash, &out->first_line, sizeof(out->first_line));
    out->hash = mix(hash, out->lines, out->lines == NULL ? 0 : out->lines_size);
    return true;
}

/* ---- the book ---- */

static bool
same_function(const nbp_function *one, const nbp_function *other)
{
    return one->hash == other->hash && one->first_line == other->first_line &&
           one->lines_size == other->lines_size &&
           strcmp(one->file, other->file) == 0 &&
           strcmp(one->qualname, other->qualname) == 0;
}

/* Room for one more in an array; the array is left as it is when there is none. */
static bool
make_room(void **array, size_t count, size_t *room, size_t size)
{
    if (count < *room) {
        return true;
    }
    size_t more = *room == 0 ? 64 : 2 * *room;
    void *larger = realloc(*array, more * size);
    if (larger == NULL) {
        return false;
    }
    *array = larger;
    *room = more;
    return true;
}

/* Takes the function over: one that is there already, or a new one. */
static uint32_t
add_function(nbp_codebook *self, nbp_function *function)
{
    const void *key = (const void *)(uintptr_t)(function->hash | 1);
    const nbp_pointer_entry *entry = nbp_pointermap_get(&self->by_content, key);
    if (entry != NULL && same_function(function, &self->functions[entry->number])) {
        free_function(function);
        return entry->number;
    }
    if (self->count == MOST_FUNCTIONS ||
        !make_room((void **)&self->functions, self->count, &self->room,
                   sizeof(*function)) ||
        !nbp_pointermap_put(&self->by_content, key, 0, (uint32_t)self->count)) {
        free_function(function);
        return NBP_NO_FUNCTION;
    }
    self->functions[self->count] = *function;
    return (uint32_t)self->count++;
}

/* The function of the code object at `address`, whose head is given. */
static uint32_t
find_function(nbp_codebook *self, nbp_peek *peek, const nbp_interpreter_layout *layout,
              uintptr_t address, const unsigned char *head)
{
    print seen = print_of(head, layout);
    const void *key = (const void *)address;
    const nbp_pointer_entry *entry = nbp_pointermap_get(&self->by_code, key);
    if (entry != NULL && same_print(&self->met[entry->number].print, &seen)) {
        return self->met[entry->number].function;
    }
    nbp_function function;
    if (!copy_function(peek, layout, address, &seen, &function)) {
        return NBP_NO_FUNCTION;
    }
    uint32_t number = add_function(self, &function);
    if (number == NBP_NO_FUNCTION) {
        return number;
    }
    if (entry != NULL) {
        self->met[entry->number] = (met){seen, number};
    }
    else if (make_room((void **)&self->met, self->n_met, &self->met_room,
                       sizeof(met)) &&
             nbp_pointermap_put(&self->by_code, key, 0, (uint32_t)self->n_met)) {
        self->met[self->n_met++] = (met){seen, number};
    }
    return number;
}

static size_t
slot_of(uintptr_t code)
{
    return (size_t)(((uint64_t)code >> 4) * 0x9E3779B97F4A7C15u >> 32) & (SLOTS - 1);
}

/* Reads the heads of some code objects at once, and finds their functions; the slots
 * are those of the addresses. */
static int
read_batch(nbp_codebook *self, nbp_peek *peek, const nbp_interpreter_layout *layout,
           const size_t *slots, size_t count)
{
    nbp_piece pieces[BATCH];
    if (count == 0) {
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        uintptr_t code = self->slots[slots[i]];
        if (code == 0 || code % sizeof(void *) != 0) {
            return -1;
        }
        pieces[i] = (nbp_piece){code, self->heads[i], layout->code_size};
    }
    if (nbp_peek_pieces(peek, pieces, count) < count) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        if (!is_object(self->heads[i], layout, layout->code_type)) {
            return -1;
        }
        uint32_t number =
            find_function(self, peek, layout, pieces[i].address, self->heads[i]);
        if (number == NBP_NO_FUNCTION) {
            return -1;
        }
        self->slot_functions[slots[i]] = number;
        self->slot_units[slots[i]] = word(self->heads[i], layout->units);
        memcpy(&self->slot_traceable[slots[i]],
               self->heads[i] + layout->first_traceable, sizeof(int32_t));
    }
    return 0;
}

/* The unit that an instruction's address stands for; -2 when it is not in the code. */
static int32_t
unit_of(uint64_t units, uintptr_t code, uintptr_t instruction,
        const nbp_interpreter_layout *layout)
{
    int64_t bytes = (int64_t)(instruction - code - layout->instructions);
    if (bytes < -2 || bytes % 2 != 0 || bytes / 2 >= (int64_t)(units & 0x7fffffff)) {
        return -2;
    }
    return (int32_t)(bytes / 2);
}

/* Finds the functions of frames first..last-1, whose codes have slots of their own. */
static int
read_codes(nbp_codebook *self, nbp_peek *peek, const nbp_interpreter_layout *layout,
           const nbp_stack_view *stack, size_t first, size_t *last)
{
    size_t slots[BATCH];
    size_t count = 0, at = first;
    memset(self->slots, 0, sizeof(self->slots));
    for (; at < stack->depth && count < BATCH; at++) {
        uintptr_t code = stack->frames[at].code;
        size_t slot = slot_of(code);
        if (self->slots[slot] == code) {
            continue;
        }
        if (self->slots[slot] != 0) {
            break; /* taken: the rest comes with the next batch */
        }
        self->slots[slot] = code;
        slots[count++] = slot;
    }
    *last = at;
    return read_batch(self, peek, layout, slots, count);
}

/* Takes out the frames that have no function. */
static void
close_up(nbp_stack_view *stack, uint32_t *numbers, int32_t *units)
{
    size_t kept = 0;
    for (size_t i = 0; i < stack->depth; i++) {
        if (numbers[i] != NBP_NO_FUNCTION) {
            stack->frames[kept] = stack->frames[i];
            numbers[kept] = numbers[i];
            units[kept] = units[i];
            kept++;
        }
    }
    stack->depth = kept;
}

int
nbp_codebook_read(nbp_codebook *self, nbp_peek *peek,
                  const nbp_interpreter_layout *layout, nbp_stack_view *stack,
                  uint32_t *numbers, int32_t *units)
{
    for (size_t first = 0, last; first < stack->depth; first = last) {
        if (read_codes(self, peek, layout, stack, first, &last) < 0) {
            return -1;
        }
        for (size_t i = first; i < last; i++) {
            const nbp_frame_view *frame = &stack->frames[i];
            size_t slot = slot_of(frame->code);
            units[i] = unit_of(self->slot_units[slot], frame->code, frame->instruction,
                               layout);
            if (units[i] == -2) {
                return -1;
            }
            bool has_begun =
                frame->is_generator || units[i] >= self->slot_traceable[slot];
            numbers[i] = has_begun ? self->slot_functions[slot] : NBP_NO_FUNCTION;
        }
    }
    close_up(stack, numbers, units);
    return 0;
}

int32_t
nbp_function_line(const nbp_function *self, int32_t unit)
{
    nbp_location *locations = NULL;
    size_t count = 0;
    int32_t line = unit < 0 ? self->first_line : 0;
    if (unit < 0 || self->lines == NULL ||
        nbp_locations_read(self->lines, self->lines_size, self->first_line, &locations,
                           &count) != NBP_OK) {
        return line;
    }
    for (size_t i = 0; i < count; i++) {
        if ((uint32_t)unit < locations[i].unit + locations[i].units) {
            line = locations[i].line > 0 ? locations[i].line : 0;
            break;
        }
    }
    free(locations);
    return line;
}
