/* SPDX-License-Identifier: BSD-3-Clause */
#include "logicallines.h"

#include <stdbool.h>
#include <string.h>

enum {
    NBP_MAX_STRINGS = 150, /* nested within each other's expressions */
};

/* A string that is open. Only one with replacement fields can have others inside. */
typedef struct {
    char quote;
    bool triple;
    bool formatted;  /* has replacement fields */
    bool raw;        /* a backslash is a character */
    bool in_field;   /* in the expression of a field; else in text */
    int brackets;    /* open in that expression */
    int field_depth; /* fields whose format specification we are in */
} nbp_open_string;

typedef struct {
    const char *at;
    const char *end;
    int32_t *first; /* of the caller */
    int32_t line;   /* that `at` is on, from 1 */
    int32_t start;  /* of the logical line */
    int brackets;   /* open outside strings */
    int n_strings;
    nbp_open_string strings[NBP_MAX_STRINGS];
} nbp_scan;

static char
peek(const nbp_scan *self, ptrdiff_t ahead)
{
    return self->end - self->at > ahead ? self->at[ahead] : '\0';
}

/* Passes a line feed that ends the logical line or not. */
static void
next_line(nbp_scan *self, bool ends)
{
    self->at++;
    self->line++;
    if (ends) {
        self->start = self->line;
    }
    self->first[self->line - 1] = self->start;
}

/* Passes the character that a backslash stands before. */
static void
skip_escaped(nbp_scan *self)
{
    self->at++;
    if (peek(self, 0) == '\n') {
        next_line(self, false);
    }
    else if (self->at < self->end) {
        self->at++;
    }
}

/* Opens the string whose first quote is at `at`; its prefix begins at `word`. */
static nbp_status
open_string(nbp_scan *self, const char *word)
{
    if (self->n_strings == NBP_MAX_STRINGS) {
        return NBP_INVALID;
    }
    nbp_open_string string = {.quote = *self->at};
    size_t length = (size_t)(self->at - word);
    if (length > 0 && length <= 2 && strspn(word, "bBfFrRtTuU") >= length) {
        for (size_t i = 0; i < length; i++) {
            string.formatted |= memchr("fFtT", word[i], 4) != NULL;
            string.raw |= memchr("rR", word[i], 2) != NULL;
        }
    }
    string.triple = peek(self, 1) == string.quote && peek(self, 2) == string.quote;
    self->at += string.triple ? 3 : 1;
    self->strings[self->n_strings++] = string;
    return NBP_OK;
}

/* A brace in the text of a formatted string. */
static void
pass_brace(nbp_scan *self, nbp_open_string *string)
{
    bool is_opening = *self->at == '{';
    if (string->field_depth == 0 && peek(self, 1) == *self->at) {
        self->at++; /* a doubled brace is one of the text */
    }
    else if (is_opening) {
        string->in_field = true;
        string->brackets = 0;
    }
    else if (string->field_depth > 0) {
        string->field_depth--;
    }
    self->at++;
}

static nbp_status
pass_backslash(nbp_scan *self, const nbp_open_string *string)
{
    char next = peek(self, 1);
    if (string->formatted && (next == '{' || next == '}')) {
        self->at++;
    }
    else if (string->formatted && !string->raw && next == 'N' && peek(self, 2) == '{') {
        const char *close = memchr(self->at, '}', (size_t)(self->end - self->at));
        if (close == NULL || memchr(self->at, '\n', (size_t)(close - self->at))) {
            return NBP_INVALID;
        }
        self->at = close + 1;
    }
    else {
        skip_escaped(self);
    }
    return NBP_OK;
}

/* One character or escape of the text of the innermost string. */
static nbp_status
scan_text(nbp_scan *self, nbp_open_string *string)
{
    char c = *self->at;
    if (c == '\\') {
        return pass_backslash(self, string);
    }
    if (c == '\n') {
        if (!string->triple) {
            return NBP_INVALID;
        }
        next_line(self, false);
    }
    else if (c == string->quote) {
        if (!string->triple) {
            self->at++;
            self->n_strings--;
        }
        else if (peek(self, 1) == c && peek(self, 2) == c) {
            self->at += 3;
            self->n_strings--;
        }
        else {
            self->at++;
        }
    }
    else if (string->formatted && (c == '{' || c == '}')) {
        pass_brace(self, string);
    }
    else {
        self->at++;
    }
    return NBP_OK;
}

static bool
is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '_' || (unsigned char)c >= 0x80;
}

/* A bracket, or what ends an expression in a field; NULL is no string around it. */
static nbp_status
pass_bracket(nbp_scan *self, nbp_open_string *field)
{
    int *brackets = field == NULL ? &self->brackets : &field->brackets;
    char c = *self->at++;
    if (c == '(' || c == '[' || c == '{') {
        ++*brackets;
    }
    else if (*brackets > 0) {
        --*brackets;
    }
    else if (field != NULL && c == '}') {
        field->in_field = false;
    }
    else {
        return NBP_INVALID;
    }
    return NBP_OK;
}

/* One token, more or less, of code: outside strings, or in a field of `field`. */
static nbp_status
scan_code(nbp_scan *self, nbp_open_string *field)
{
    const char *word = self->at;
    while (self->at < self->end && is_word(*self->at)) {
        self->at++;
    }
    switch (peek(self, 0)) {
    case '\'':
    case '"':
        return open_string(self, word);
    case '\n':
        next_line(self, field == NULL && self->brackets == 0);
        return NBP_OK;
    case '#':
        while (self->at < self->end && *self->at != '\n') {
            self->at++;
        }
        return NBP_OK;
    case '\\':
        skip_escaped(self);
        return NBP_OK;
    case '(':
    case '[':
    case '{':
    case ')':
    case ']':
    case '}':
        return pass_bracket(self, field);
    case ':':
        if (field != NULL && field->brackets == 0) {
            field->in_field = false;
            field->field_depth++;
        }
        break;
    default:
        break;
    }
    if (self->at < self->end) {
        self->at++;
    }
    return NBP_OK;
}

size_t
nbp_lines_in(const char *text, size_t size)
{
    size_t count = 1;
    const char *end = text + size;
    while ((text = memchr(text, '\n', (size_t)(end - text))) != NULL) {
        text++;
        count++;
    }
    return count;
}

nbp_status
nbp_logical_lines(const char *text, size_t size, int32_t *first)
{
    if (size > INT32_MAX - 1) {
        return NBP_INVALID;
    }
    nbp_scan scan = {
        .at = text, .end = text + size, .first = first, .line = 1, .start = 1};
    first[0] = 1;
    while (scan.at < scan.end) {
        nbp_open_string *inner =
            scan.n_strings == 0 ? NULL : &scan.strings[scan.n_strings - 1];
        nbp_status status = inner != NULL && !inner->in_field ? scan_text(&scan, inner)
                                                              : scan_code(&scan, inner);
        if (status != NBP_OK) {
            return status;
        }
    }
    return scan.n_strings == 0 && scan.brackets == 0 ? NBP_OK : NBP_INVALID;
}
