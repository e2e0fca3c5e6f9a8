/* SPDX-License-Identifier: BSD-3-Clause */
#include "heapedges.h"

#include <stdio.h>

#include "arrays.h"
#include "heapfields.h"

enum {
    MOST_LETTERS = 60, /* of a key or a name */
    CACHED = 8192,     /* strings whose text is remembered */
    MOST_MEMBERS = 64, /* of a type */
};

typedef struct {
    Py_ssize_t place;
    uint32_t name;
} member;

/* The fields that a type describes. */
typedef struct {
    member *members; /* owned; NULL: not looked for yet */
    uint32_t count;
} members;

struct nbp_namer {
    nbp_texts *texts; /* borrowed */
    struct {
        PyObject *key; /* borrowed: nothing dies while the walk lasts */
        uint32_t text;
    } cache[CACHED];
    members *types; /* owned; by number */
    uint32_t type_count;
    uint32_t class_name; /* the name __class__, and so on */
    uint32_t dict_name;
};

static uint32_t
attribute(nbp_namer *self, const char *name)
{
    uint32_t text = nbp_texts_add(self->texts, name, strlen(name));
    return text == NBP_NO_TEXT ? (uint32_t)NBP_UNNAMED
                               : nbp_name_make(NBP_ATTRIBUTE, text);
}

nbp_namer *
nbp_namer_new(nbp_texts *texts)
{
    nbp_namer *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return NULL;
    }
    self->texts = texts;
    self->class_name = attribute(self, "__class__");
    self->dict_name = attribute(self, "__dict__");
    return self;
}

void
nbp_namer_destroy(nbp_namer **self)
{
    if (*self != NULL) {
        for (uint32_t i = 0; i < (*self)->type_count; i++) {
            free((*self)->types[i].members);
        }
        free((*self)->types);
        free(*self);
        *self = NULL;
    }
}

/* Writes a character as UTF-8; the bytes. Encoding by Python would leave a copy in the
 * string. */
static size_t
encode(Py_UCS4 letter, char *out)
{
    if (letter < 0x80) {
        out[0] = (char)letter;
        return 1;
    }
    if (letter >= 0xD800 && letter < 0xE000) {
        letter = 0xFFFD; /* a lone surrogate cannot be written */
    }
    size_t count = letter < 0x800 ? 2 : letter < 0x10000 ? 3 : 4;
    for (size_t i = count - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (letter & 0x3F));
        letter >>= 6;
    }
    out[0] = (char)(0xF00 >> count | letter);
    return count;
}

uint32_t
nbp_namer_text(nbp_namer *self, PyObject *str)
{
    size_t slot = ((uintptr_t)str >> 4) * 31 % CACHED;
    if (self->cache[slot].key == str) {
        return self->cache[slot].text;
    }
    char bytes[4 * MOST_LETTERS + 4];
    size_t size = 0;
    Py_ssize_t length = PyUnicode_GET_LENGTH(str);
    int kind = PyUnicode_KIND(str);
    const void *data = PyUnicode_DATA(str);
    for (Py_ssize_t i = 0; i < length && i < MOST_LETTERS; i++) {
        size += encode(PyUnicode_READ(kind, data, i), bytes + size);
    }
    if (length > MOST_LETTERS) {
        size += encode(0x2026, bytes + size);
    }
    uint32_t text = nbp_texts_add(self->texts, bytes, size);
    self->cache[slot].key = str;
    self->cache[slot].text = text;
    return text;
}

static uint32_t
text_name(nbp_namer *self, nbp_name_kind kind, PyObject *str)
{
    if (!PyUnicode_Check(str)) {
        return NBP_UNNAMED;
    }
    uint32_t text = nbp_namer_text(self, str);
    return text == NBP_NO_TEXT ? (uint32_t)NBP_UNNAMED : nbp_name_make(kind, text);
}

/* The name of what a dictionary holds under `key`. A key that is a text gets it in
 * quotes; of other kinds only small numbers are written. */
static uint32_t
key_name(nbp_namer *self, PyObject *key)
{
    char words[4 * MOST_LETTERS + 16];
    if (PyUnicode_Check(key)) {
        size_t slot = (((uintptr_t)key >> 4) * 31 + 1) % CACHED;
        if (self->cache[slot].key == key) {
            return nbp_name_make(NBP_VALUE, self->cache[slot].text);
        }
        uint32_t plain = nbp_namer_text(self, key);
        if (plain == NBP_NO_TEXT) {
            return NBP_UNNAMED;
        }
        size_t length;
        const char *bytes = nbp_texts_get(self->texts, plain, &length);
        words[0] = '\'';
        memcpy(words + 1, bytes, length);
        words[length + 1] = '\'';
        uint32_t text = nbp_texts_add(self->texts, words, length + 2);
        if (text == NBP_NO_TEXT) {
            return NBP_UNNAMED;
        }
        self->cache[slot].key = key;
        self->cache[slot].text = text;
        return nbp_name_make(NBP_VALUE, text);
    }
    int length = 0, overflow = 0;
    if (PyLong_CheckExact(key)) {
        long long value = PyLong_AsLongLongAndOverflow(key, &overflow);
        if (overflow == 0 && value > -1000000 && value < 1000000) {
            length = snprintf(words, sizeof(words), "%lld", value);
        }
    }
    if (length == 0) {
        const char *name = Py_TYPE(key)->tp_name;
        length = snprintf(words, sizeof(words), "(%.60s)", name);
    }
    uint32_t text = nbp_texts_add(self->texts, words, (size_t)length);
    return text == NBP_NO_TEXT ? (uint32_t)NBP_UNNAMED : nbp_name_make(NBP_VALUE, text);
}

/* Items are reported last to first, at the end of the row. */
static void
name_items(PyObject *const *items, Py_ssize_t length, PyObject *const *row,
           size_t count, uint32_t *names)
{
    size_t at = count;
    for (Py_ssize_t i = 0; i < length && at > 0; i++) {
        if (items[i] == row[at - 1]) {
            names[--at] = nbp_name_make(NBP_INDEX, (uint32_t)i);
        }
    }
}

/* What a numpy array of objects holds is reported first to last. */
static void
name_array(nbp_namer *self, PyObject *op, PyObject *const *row, size_t count,
           uint32_t *names)
{
    Py_ssize_t length, next = 0;
    PyObject *const *items = nbp_arrays_items(op, &length);
    PyObject *base = nbp_arrays_base(op);
    for (size_t i = 0; i < count; i++) {
        if (row[i] == base) {
            names[i] = attribute(self, "base");
            continue;
        }
        Py_ssize_t at = next;
        while (at < length && items[at] != row[i]) {
            at++;
        }
        if (at < length) {
            names[i] = nbp_name_make(NBP_INDEX, (uint32_t)at);
            next = at + 1;
        }
    }
}

static void
name_values(nbp_namer *self, PyObject *dict, PyObject *const *row, size_t count,
            uint32_t *names)
{
    PyObject *key, *value; /* borrowed */
    Py_ssize_t at = 0;
    size_t next = 0;
    while (PyDict_Next(dict, &at, &key, &value)) {
        size_t found = next;
        /* Other references of a subclass stand before the first value. */
        while (found < count && row[found] != value && next == 0) {
            found++;
        }
        if (found < count && row[found] == value) {
            names[found] = key_name(self, key);
            next = found + 1;
        }
        if (next < count && row[next] == key && names[next] == NBP_UNNAMED) {
            names[next++] = nbp_name_make(NBP_KEY, 0);
        }
    }
}

/* The keys that are no longer reported with the values, at the end of the row. */
static void
name_keys(PyObject *dict, PyObject *const *row, size_t count, uint32_t *names)
{
    PyObject *key, *value; /* borrowed */
    Py_ssize_t at = 0;
    size_t length = (size_t)PyDict_GET_SIZE(dict);
    size_t next = count > length ? count - length : 0;
    while (next < count && PyDict_Next(dict, &at, &key, &value)) {
        if (row[next] == key && names[next] == NBP_UNNAMED) {
            names[next] = nbp_name_make(NBP_KEY, 0);
        }
        next++;
    }
}

static void
name_attributes(nbp_namer *self, PyObject *op, PyObject *const *row, size_t count,
                uint32_t *names)
{
    nbp_attributes attributes = nbp_layout_attributes(op);
    size_t next = 0;
    for (Py_ssize_t i = 0; i < attributes.count; i++) {
        PyObject *value = attributes.values[i];
        if (value == NULL) {
            continue;
        }
        size_t found = next;
        while (found < count && row[found] != value) {
            found++;
        }
        if (found < count) {
            PyObject *name = nbp_layout_attribute_name(&attributes, i);
            names[found] =
                name == NULL ? NBP_UNNAMED : text_name(self, NBP_ATTRIBUTE, name);
            next = found + 1;
        }
    }
}

typedef struct {
    nbp_namer *namer;
    member found[MOST_MEMBERS];
    uint32_t count;
} member_list;

static void
add_member(PyObject *name, Py_ssize_t place, void *arg)
{
    member_list *list = arg;
    if (list->count < MOST_MEMBERS) {
        uint32_t written = text_name(list->namer, NBP_ATTRIBUTE, name);
        list->found[list->count++] = (member){place, written};
    }
}

/* NULL when there is no memory for them: then they have no names. */
static const members *
members_of(nbp_namer *self, PyTypeObject *type, uint32_t number)
{
    if (number >= self->type_count) {
        uint32_t count = 2 * number + 64;
        members *types = realloc(self->types, count * sizeof(*types));
        if (types == NULL) {
            return NULL;
        }
        memset(types + self->type_count, 0,
               (count - self->type_count) * sizeof(*types));
        self->types = types;
        self->type_count = count;
    }
    members *it = &self->types[number];
    if (it->members == NULL) {
        member_list list = {.namer = self};
        nbp_visit_members(type, add_member, &list);
        it->members = malloc((list.count + 1) * sizeof(member));
        if (it->members == NULL) {
            return NULL;
        }
        memcpy(it->members, list.found, list.count * sizeof(member));
        it->count = list.count;
    }
    return it;
}

static uint32_t
field_name(nbp_namer *self, PyObject *target, const nbp_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (fields[i].value == target) {
            return attribute(self, fields[i].name);
        }
    }
    return NBP_UNNAMED;
}

/* Names what the rows of items, values and attributes have left. */
static void
name_rest(nbp_namer *self, PyObject *op, uint32_t type, PyObject *const *row,
          size_t count, uint32_t *names)
{
    PyObject *dict = nbp_layout_dict(op);
    const members *described = members_of(self, Py_TYPE(op), type);
    nbp_field fields[NBP_MOST_FIELDS];
    size_t field_count = nbp_fields_of(op, fields);
    for (size_t i = 0; i < count; i++) {
        if (names[i] != NBP_UNNAMED) {
            continue;
        }
        if (row[i] == (PyObject *)Py_TYPE(op)) {
            names[i] = self->class_name;
            continue;
        }
        if (row[i] == dict) {
            names[i] = self->dict_name;
            continue;
        }
        for (uint32_t j = 0; described != NULL && j < described->count; j++) {
            PyObject *held = *(PyObject **)((char *)op + described->members[j].place);
            if (held == row[i]) {
                names[i] = described->members[j].name;
                break;
            }
        }
        if (names[i] == NBP_UNNAMED) {
            names[i] = field_name(self, row[i], fields, field_count);
        }
    }
}

static void
name_variables(nbp_namer *self, nbp_frame *frame, PyObject *const *row, size_t count,
               uint32_t *names)
{
    PyCodeObject *code = nbp_layout_frame_code(frame);
    PyObject *const *variables = nbp_layout_frame_variables(frame);
    for (size_t i = 0; i < count; i++) {
        for (int j = 0; names[i] == NBP_UNNAMED && j < code->co_nlocalsplus; j++) {
            if (variables[j] == row[i]) {
                PyObject *name = PyTuple_GET_ITEM(code->co_localsplusnames, j);
                names[i] = text_name(self, NBP_VARIABLE, name);
            }
        }
    }
    nbp_field fields[NBP_MOST_FIELDS];
    size_t field_count = nbp_fields_of_frame(frame, fields);
    for (size_t i = 0; i < count; i++) {
        if (names[i] == NBP_UNNAMED) {
            names[i] = field_name(self, row[i], fields, field_count);
        }
    }
}

void
nbp_namer_frame(nbp_namer *self, nbp_frame *frame, PyObject *const *row, size_t count,
                uint32_t *names)
{
    memset(names, 0, count * sizeof(*names));
    name_variables(self, frame, row, count, names);
}

void
nbp_namer_row(nbp_namer *self, PyObject *op, uint32_t type, PyObject *const *row,
              size_t count, uint32_t *names)
{
    memset(names, 0, count * sizeof(*names));
    nbp_frame *frame = nbp_layout_frame_of(op);
    if (PyList_Check(op)) {
        name_items(((PyListObject *)op)->ob_item, PyList_GET_SIZE(op), row, count,
                   names);
    }
    else if (PyTuple_Check(op)) {
        name_items(((PyTupleObject *)op)->ob_item, PyTuple_GET_SIZE(op), row, count,
                   names);
    }
    else if (PyDict_Check(op)) {
        name_values(self, op, row, count, names);
        name_keys(op, row, count, names);
    }
    else if (PyAnySet_Check(op)) {
        for (size_t i = 0; i < count; i++) {
            if (row[i] != (PyObject *)Py_TYPE(op)) {
                names[i] = nbp_name_make(NBP_MEMBER, 0);
            }
        }
    }
    else if (strcmp(Py_TYPE(op)->tp_name, "collections.deque") == 0) {
        uint32_t index = 0;
        for (size_t i = 0; i < count; i++) {
            if (row[i] != (PyObject *)Py_TYPE(op)) {
                names[i] = nbp_name_make(NBP_INDEX, index++);
            }
        }
    }
    else if (nbp_arrays_is(op)) {
        name_array(self, op, row, count, names);
    }
    else if (frame != NULL) {
        name_variables(self, frame, row, count, names);
    }
    name_attributes(self, op, row, count, names);
    if (!PyList_CheckExact(op) && !PyTuple_CheckExact(op) && !PyDict_CheckExact(op)) {
        name_rest(self, op, type, row, count, names);
    }
}

static uint32_t
code_label(nbp_namer *self, PyCodeObject *code)
{
    /* Both cut to 60 characters by the way. */
    uint32_t name = nbp_namer_text(self, code->co_qualname);
    uint32_t file = nbp_namer_text(self, code->co_filename);
    if (name == NBP_NO_TEXT || file == NBP_NO_TEXT) {
        return NBP_NO_TEXT;
    }
    size_t name_length, file_length;
    const char *name_bytes = nbp_texts_get(self->texts, name, &name_length);
    const char *file_bytes = nbp_texts_get(self->texts, file, &file_length);
    char words[8 * MOST_LETTERS + 64];
    int length =
        snprintf(words, sizeof(words), "%.*s() (%.*s:%d)", (int)name_length, name_bytes,
                 (int)file_length, file_bytes, code->co_firstlineno);
    return nbp_texts_add(self->texts, words, (size_t)length);
}

uint32_t
nbp_namer_frame_label(nbp_namer *self, nbp_frame *frame)
{
    return code_label(self, nbp_layout_frame_code(frame));
}

uint32_t
nbp_namer_label(nbp_namer *self, PyObject *op)
{
    if (PyFunction_Check(op)) {
        return nbp_namer_text(self, ((PyFunctionObject *)op)->func_qualname);
    }
    if (PyType_Check(op)) {
        PyTypeObject *type = (PyTypeObject *)op;
        if (type->tp_flags & Py_TPFLAGS_HEAPTYPE) {
            return nbp_namer_text(self, ((PyHeapTypeObject *)op)->ht_qualname);
        }
        return nbp_texts_add(self->texts, type->tp_name, strlen(type->tp_name));
    }
    if (PyCode_Check(op)) {
        return code_label(self, (PyCodeObject *)op);
    }
    if (PyFrame_Check(op)) {
        nbp_frame *frame = nbp_layout_frame_of(op);
        return frame == NULL ? NBP_NO_TEXT : nbp_namer_frame_label(self, frame);
    }
    return NBP_NO_TEXT;
}
