/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "logicallines.h"

/* Checks that the logical lines of `text` begin on the lines that the digits of
 * `expected` say: one for each line. */
static void
expect(const char *text, const char *expected)
{
    size_t count = nbp_lines_in(text, strlen(text));
    int32_t first[16];
    CHECK(count <= 16);
    CHECK_EQ(count, strlen(expected));
    CHECK_EQ(nbp_logical_lines(text, strlen(text), first), NBP_OK);
    for (size_t i = 0; i < count; i++) {
        CHECK_EQ(first[i], expected[i] - '0');
    }
}

static void
refuse(const char *text)
{
    int32_t first[16];
    CHECK_EQ(nbp_logical_lines(text, strlen(text), first), NBP_INVALID);
}

static void
test_brackets_and_backslashes(void)
{
    expect("", "1");
    expect("a\nb\n", "123");
    expect("f(\n1,\n)\ng", "1114");
    expect("x = [{(\n)}] # (\ny", "113");
    expect("x = \\\n1\ny", "113");
    expect("if (a\n    and b):\n    c", "113");
    refuse(")");
    refuse("(");
    refuse("}");
}

static void
test_strings(void)
{
    expect("'''a\nb'''\nc", "113");
    expect("x = '('\ny", "12");
    expect("x = \"'\" + '\\''\ny", "12");
    expect("x = r'\\'('\ny", "12");
    expect("x = ''\ny = \"\"\nz", "123");
    expect("'a\\\nb'\nc", "113");
    expect("'''it''s ' '''\nc", "12");
    refuse("'a\nb'");
    refuse("'''a");
}

static void
test_formatted_strings(void)
{
    expect("f'{a}' '('\ny", "12");
    expect("f'{{' + f'}}'\ny", "12");
    expect("f'{a[\"(\"]!r:{w}.{\"3\"}}'\ny", "12");
    expect("f'{x:\">10}'\ny", "12");
    expect("f'''{\na\n:>10}\n'''\ny", "11115");
    expect("f'{f'{1}'}'\ny", "12");
    expect("f'{ {1: 2}[1] }'\ny", "12");
    expect("f'\\N{LEFT PARENTHESIS}'\ny", "12");
    expect("rf'\\{a}('\ny", "12");
    expect("if'(' == x: y\nz", "12");
    expect("f'{(lambda x: x)(1)}'\nz", "12");
    refuse("f'{'");
}

/* Whatever the bytes are, nothing is read or written beyond them. */
static void
test_random_text(void)
{
    static const char letters[] = "(){}[]'\"\\\n#:fr{}'\"N ";
    srand(1);
    for (int i = 0; i < 20000; i++) {
        size_t size = (size_t)(rand() % 30);
        char *text = malloc(size + 1);
        CHECK(text != NULL);
        for (size_t k = 0; k < size; k++) {
            text[k] = letters[(size_t)rand() % (sizeof(letters) - 1)];
        }
        size_t count = nbp_lines_in(text, size);
        int32_t *first = malloc(count * sizeof(*first));
        CHECK(first != NULL);
        if (nbp_logical_lines(text, size, first) == NBP_OK) {
            for (size_t k = 0; k < count; k++) {
                CHECK(first[k] >= 1 && first[k] <= (int32_t)k + 1);
            }
        }
        free(first);
        free(text);
    }
}

int
main(void)
{
    test_brackets_and_backslashes();
    test_strings();
    test_formatted_strings();
    test_random_text();
    return CHECK_RESULT();
}
