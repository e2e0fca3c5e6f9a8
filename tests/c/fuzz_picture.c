/* SPDX-License-Identifier: BSD-3-Clause */
/* Draws random graphs with random attributes and looks whether what comes out is
 * well-formed: fuzz_picture PROGRAM [PICTURES [SEED]]. The default is a selection for
 * every day; the sanitizers and some 50,000 pictures are for afterwards. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "clock.h"
#include "picture.h"

enum { MOST_NODES = 60, MOST_EDGES = 120, ROWS = 4, TEXT = 2000 };

static uint64_t state;

static uint32_t
below(uint32_t limit)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(state >> 33) % limit;
}

static const char *const names[] = {
    "label",   "tooltip",   "shape",    "style",   "fontsize", "URL",
    "margin",  "penwidth",  "width",    "color",   "fontname", "headlabel",
    "minlen",  "weight",    "dir",      "rankdir", "splines",  "peripheries",
    "nodesep", "arrowhead", "image",    "layout",  "href",     "fillcolor",
    "class",   "id",        "ordering", "ranksep", "target",   "constraint",
};

/* What has been trouble: markup, entities, escapes, controls, broken letters, numbers,
 * and values that mean something. */
static const char *const fragments[] = {
    "<b>",
    "</svg>",
    "]]>",
    "<!--",
    "-->",
    "&lt;",
    "&#0;",
    "&",
    "\\N",
    "\\G",
    "\\l",
    "\\",
    "\n",
    "\x01",
    "\x1b[31m",
    "\x7f",
    "\xff",
    "\xc3",
    "\xed\xa0\x80",
    "\xef\xbf\xbe",
    "\xf4\x90\x80\x80",
    "{",
    "}",
    "|",
    "\"",
    "'",
    "a",
    "xyz",
    " ",
    "\t",
    "\r",
    "1e308",
    "nan",
    "-1",
    "99999",
    "0",
    "1.5",
    "2",
    ",",
    "box",
    "Mrecord",
    "ellipse",
    "point",
    "filled",
    "striped",
    "ortho",
    "line",
    "LR",
    "BT",
    "red",
    "#00ff00",
    ":",
    "javascript:",
    "html",
    "\xe6\x97\xa5",
    "\xd7\x90",
    "both",
    "dot",
    "invis",
    "rounded",
    "Courier",
    "false",
    "%s%n",
};

static char *
random_text(char *text)
{
    size_t size = 0;
    /* Mostly short, so that values with a meaning come up; now and then very long. */
    uint32_t parts = below(8) == 0 ? below(200) : 1 + below(3);
    for (uint32_t i = 0; i < parts; i++) {
        const char *fragment = fragments[below(sizeof(fragments) / sizeof(*fragments))];
        size_t length = strlen(fragment);
        if (size + length >= TEXT) {
            break;
        }
        memcpy(text + size, fragment, length);
        size += length;
    }
    text[size] = '\0';
    return text;
}

static struct {
    nbp_attribute rows[(1 + MOST_NODES + MOST_EDGES) * ROWS];
    char texts[(1 + MOST_NODES + MOST_EDGES) * ROWS][TEXT];
    size_t used;
} pool;

static nbp_attributes_list
random_attributes(void)
{
    nbp_attributes_list list = {pool.rows + pool.used, below(ROWS + 1)};
    for (size_t i = 0; i < list.count; i++) {
        const char *name = below(50) == 0 ? fragments[below(20)]
                           : below(2) == 0
                               ? names[below(2)]
                               : names[below(sizeof(names) / sizeof(*names))];
        pool.rows[pool.used] =
            (nbp_attribute){name, random_text(pool.texts[pool.used])};
        pool.used++;
    }
    return list;
}

static bool
is_text_of_xml(const unsigned char *at)
{
    for (; *at != '\0'; at++) {
        bool control = *at < ' ' && *at != '\n' && *at != '\t';
        bool broken = *at >= 0xF5 || *at == 0xC0 || *at == 0xC1 ||
                      (*at == 0xED && at[1] > 0x9F) ||
                      (*at == 0xEF && at[1] == 0xBF && at[2] > 0xBD);
        size_t more = *at < 0xC0 ? 0 : *at < 0xE0 ? 1 : *at < 0xF0 ? 2 : 3;
        if (control || broken || (*at >= 0x80 && *at < 0xC0)) {
            return false;
        }
        for (; more > 0; more--) {
            if ((*++at & 0xC0) != 0x80) {
                return false;
            }
        }
    }
    return true;
}

static bool
is_entity(const char *at)
{
    size_t length = strcspn(at, ";");
    return at[length] == ';' && length > 1 && length < 10 &&
           strspn(at + 1, "#abcdefghijklmnopqrstuvwxyz0123456789") == length - 1;
}

/* True when every element that opens closes, in order, and every ampersand begins an
 * entity. Attributes have their angle brackets escaped. */
static bool
is_well_formed(const char *svg)
{
    const char *open[64];
    size_t depth = 0;
    if (!is_text_of_xml((const unsigned char *)svg)) {
        return false;
    }
    for (const char *at = svg; (at = strpbrk(at, "<>&")) != NULL;) {
        if (*at == '&') {
            if (!is_entity(at++)) {
                return false;
            }
            continue;
        }
        const char *close = *at == '<' ? strpbrk(at + 1, "<>") : NULL;
        if (close == NULL || *close != '>') {
            return false;
        }
        if (at[1] == '/') {
            size_t length = (size_t)(close - at) - 2;
            if (depth == 0 || strncmp(open[--depth], at + 2, length) != 0) {
                return false;
            }
        }
        else if (close[-1] != '/') {
            if (depth == 64) {
                return false;
            }
            open[depth++] = at + 1;
        }
        at = close + 1;
    }
    return depth == 0;
}

static void
draw_one(const char *program, uint64_t seed)
{
    static nbp_attributes_list nodes[MOST_NODES];
    static nbp_picture_edge edges[MOST_EDGES];
    state = seed * UINT64_C(0x9E3779B97F4A7C15);
    pool.used = 0;
    /* Few are so large that a process is needed for them. */
    bool large = below(50) == 0;
    nbp_picture picture = {
        .attributes = random_attributes(),
        .nodes = nodes,
        .node_count = 1 + below(large ? MOST_NODES : 9),
        .edges = edges,
        .edge_count = below(large ? MOST_EDGES : 15),
    };
    for (size_t i = 0; i < picture.node_count; i++) {
        nodes[i] = random_attributes();
    }
    for (size_t i = 0; i < picture.edge_count; i++) {
        edges[i].tail = below((uint32_t)picture.node_count);
        edges[i].head = below((uint32_t)picture.node_count);
        edges[i].attributes = random_attributes();
    }
    nbp_drawn drawn;
    int64_t start_ns = nbp_clock_now_ns(NBP_CLOCK_WALL);
    nbp_status status = nbp_picture_draw(&picture, program, 2000000000, &drawn);
    int64_t took_ns = nbp_clock_now_ns(NBP_CLOCK_WALL) - start_ns;
    if (status != NBP_OK || !is_well_formed(drawn.svg) || drawn.nodes == 0) {
        fprintf(stderr, "seed %llu, status %d\n%.3000s\n", (unsigned long long)seed,
                status, status == NBP_OK ? drawn.svg : "");
    }
    CHECK_EQ(status, NBP_OK);
    CHECK(status != NBP_OK || is_well_formed(drawn.svg));
    if (took_ns > INT64_C(3000000000)) {
        printf("seed %llu took %lld ms\n", (unsigned long long)seed,
               (long long)took_ns / 1000000);
    }
    nbp_drawn_free(&drawn);
}

int
main(int count, char **arguments)
{
    const char *program = count > 1 ? arguments[1] : NULL;
    uint64_t pictures = count > 2 ? strtoull(arguments[2], NULL, 10) : 400;
    uint64_t seed = count > 3 ? strtoull(arguments[3], NULL, 10) : 1;
    CHECK(is_well_formed("<a b=\"&lt;\"><c/>x</a>"));
    CHECK(!is_well_formed("<a><b></a></b>"));
    CHECK(!is_well_formed("<a>\x01</a>"));
    CHECK(!is_well_formed("<a>& </a>"));
    for (uint64_t i = 0; i < pictures && check_failures < 10; i++) {
        draw_one(program, seed + i);
    }
    return CHECK_RESULT();
}
