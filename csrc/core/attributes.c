/* SPDX-License-Identifier: BSD-3-Clause */
#include "attributes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum { TEXT, TOOLTIP, LINK, WORD, STYLE, SHAPE, SPLINES, NUMBER, PAIR } kind;

/* Not among them because Graphviz crashes on some: labels at the ends of edges, and
 * what puts both ends of an edge into one rank ("constraint", "minlen"). Numbers beyond
 * `most` are brought back to it; they are counted from 0. */
static const struct rule {
    char name[16]; /* no pointer: such a table would not be read-only */
    kind kind;
    int most;
} rules[] = {
    {"URL", LINK, 0},
    {"arrowhead", WORD, 0},
    {"arrowsize", NUMBER, 5},
    {"arrowtail", WORD, 0},
    {"bgcolor", WORD, 0},
    {"class", WORD, 0},
    {"color", WORD, 0},
    {"dir", WORD, 0},
    {"edgetooltip", TOOLTIP, 0},
    {"fillcolor", WORD, 0},
    {"fontcolor", WORD, 0},
    {"fontname", WORD, 0},
    {"fontsize", NUMBER, 72},
    {"headtooltip", TOOLTIP, 0},
    {"height", NUMBER, 20},
    {"href", LINK, 0},
    {"id", WORD, 0},
    {"label", TEXT, 0},
    {"labeltooltip", TOOLTIP, 0},
    {"margin", PAIR, 2},
    {"nodesep", NUMBER, 5},

    {"penwidth", NUMBER, 20},
    {"peripheries", NUMBER, 4},
    {"rankdir", WORD, 0},
    {"ranksep", NUMBER, 5},
    {"shape", SHAPE, 0},
    {"splines", SPLINES, 0},
    {"style", STYLE, 0},
    {"tailtooltip", TOOLTIP, 0},
    {"target", WORD, 0},
    {"tooltip", TOOLTIP, 0},
    {"weight", NUMBER, 100},
    {"width", NUMBER, 20},
};

/* Lists of words end with an empty one. */
typedef char word[16];

/* Record shapes parse their labels and crash on some; others read files. */
static const word shapes[] = {
    "box",          "box3d",   "circle",    "component", "cylinder", "diamond",
    "doublecircle", "ellipse", "folder",    "hexagon",   "none",     "note",
    "octagon",      "oval",    "plaintext", "point",     "rect",     "rectangle",
    "square",       "tab",     "",
};

/* Those that take a list of colours are left out with it. */
static const word styles[] = {
    "bold", "dashed", "dotted", "filled", "invis", "rounded", "solid", "",
};

/* "ortho" gives up on many graphs, some of them by ending the process. */
static const word splines[] = {"line", "polyline", "true", "false", "curved", ""};

/* Addresses that run no code; what has no scheme is relative. */
static const word schemes[] = {"http", "https", "file", "mailto", ""};

static bool
is_among(const char *text, size_t length, const word *words)
{
    for (; (*words)[0] != '\0'; words++) {
        if (strlen(*words) == length && memcmp(*words, text, length) == 0) {
            return true;
        }
    }
    return false;
}

static bool
is_all(const char *value, const word *words)
{
    for (;;) {
        size_t length = strcspn(value, ",");
        if (!is_among(value, length, words)) {
            return false;
        }
        if (value[length] == '\0') {
            return true;
        }
        value += length + 1;
    }
}

static bool
is_letter_or_digit(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9');
}

static bool
is_word(const char *value)
{
    size_t length = strlen(value);
    for (size_t i = 0; i < length; i++) {
        if (!is_letter_or_digit(value[i]) && strchr("#,. _-", value[i]) == NULL) {
            return false;
        }
    }
    return length > 0 && length < 64;
}

/* Written as they are by Graphviz, without any escape: they must not need one. */
static bool
is_link(const char *value)
{
    size_t length = strlen(value);
    for (size_t i = 0; i < length; i++) {
        if (!is_letter_or_digit(value[i]) &&
            strchr("-._~:/?#[]@!$()*+,;=%", value[i]) == NULL) {
            return false;
        }
    }
    size_t scheme = strcspn(value, ":/?#");
    return length > 0 && length < NBP_ATTRIBUTE_BYTES &&
           (value[scheme] != ':' || is_among(value, scheme, schemes));
}

/* Reads "12.5"; NULL for anything else. By hand: strtod() has the user's decimal point,
 * and takes "nan" and "1e308". */
static const char *
read_number(const char *text, double *number)
{
    double scale = 1;
    bool point = false;
    const char *next = text;
    *number = 0;
    for (; (*next >= '0' && *next <= '9') || (*next == '.' && !point); next++) {
        if (*next == '.') {
            point = true;
            continue;
        }
        scale = point ? scale / 10 : scale;
        *number = point ? *number + (*next - '0') * scale : *number * 10 + *next - '0';
    }
    return next == text || next - text > 12 ? NULL : next;
}

static bool
take_numbers(const char *value, size_t count, int most, char *safe)
{
    const char *from = value;
    bool large = false;
    for (size_t i = 0; i < count; i++) {
        double number;
        from = read_number(from, &number);
        if (from == NULL) {
            return false;
        }
        large = large || number > most;
        if (*from == '\0') {
            break;
        }
        if (*from++ != ',' || i + 1 == count) {
            return false;
        }
    }
    if (large) {
        snprintf(safe, 16, "%d", most);
    }
    else {
        strcpy(safe, value);
    }
    return true;
}

/* The bytes of the letter that begins here; 0 when it is none, or none that XML has. */
static size_t
letter(const unsigned char *at)
{
    size_t more = at[0] < 0x80   ? 0
                  : at[0] < 0xC2 ? 9
                  : at[0] < 0xE0 ? 1
                  : at[0] < 0xF0 ? 2
                  : at[0] < 0xF5 ? 3
                                 : 9;
    if (more == 9) {
        return 0;
    }
    for (size_t i = 1; i <= more; i++) {
        if ((at[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    bool longer_than_need =
        (at[0] == 0xE0 && at[1] < 0xA0) || (at[0] == 0xF0 && at[1] < 0x90);
    bool beyond = at[0] == 0xF4 && at[1] > 0x8F;
    bool surrogate = at[0] == 0xED && at[1] > 0x9F;
    bool none = at[0] == 0xEF && at[1] == 0xBF && at[2] > 0xBD;
    return longer_than_need || beyond || surrogate || none ? 0 : more + 1;
}

/* `backslash` is what one is written as: else \\N would be the node's name, and so on.
 */
static void
take_text(const char *value, const char *backslash, char *safe)
{
    size_t lines = 1;
    const unsigned char *next = (const unsigned char *)value;
    const unsigned char *end = next + NBP_ATTRIBUTE_BYTES;
    while (*next != '\0' && next < end) {
        size_t length = letter(next);
        if (*next == '\n' && ++lines > NBP_ATTRIBUTE_LINES) {
            break;
        }
        if (length == 0 || (*next < ' ' && *next != '\n') || *next == 0x7F) {
            *safe++ = *next == '\t' ? ' ' : '?';
            next++;
        }
        else if (*next == '&') {
            memcpy(safe, "&amp;", 5); /* else &lt; would be a less-than sign */
            safe += 5;
            next++;
        }
        else if (*next == '\\') {
            memcpy(safe, backslash, strlen(backslash));
            safe += strlen(backslash);
            next++;
        }
        else {
            memcpy(safe, next, length);
            safe += length;
            next += length;
        }
    }
    *safe = '\0';
}

static bool
take_word(const char *value, bool right, char *safe)
{
    if (right) {
        strcpy(safe, value);
    }
    return right;
}

bool
nbp_attribute_read(const nbp_attribute *attribute, char safe[NBP_ATTRIBUTE_ROOM])
{
    const char *value = attribute->value;
    const struct rule *rule = NULL;
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (strcmp(rules[i].name, attribute->name) == 0) {
            rule = &rules[i];
        }
    }
    if (rule == NULL) {
        return false;
    }
    switch (rule->kind) {
    case TEXT:
        take_text(value, "\\\\", safe);
        return true;
    case TOOLTIP:
        /* Escapes are looked for more than once in these, beyond their end too: a sign
         * that looks the same takes the backslash's place. */
        take_text(value, "\xe2\x88\x96", safe);
        return true;
    case LINK:
        return take_word(value, is_link(value), safe);
    case WORD:
        return take_word(value, is_word(value), safe);
    case STYLE:
        return take_word(value, is_word(value) && is_all(value, styles), safe);
    case SHAPE:
        return take_word(value, is_among(value, strlen(value), shapes), safe);
    case SPLINES:
        return take_word(value, is_among(value, strlen(value), splines), safe);
    case NUMBER:
        return take_numbers(value, 1, rule->most, safe);
    case PAIR:
        return take_numbers(value, 2, rule->most, safe);
    }
    return false;
}
