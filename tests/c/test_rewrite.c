/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "soundness.h"

/* As each version of CPython compiles this, with `def` on line 2:
 *
 *     def sample(items):
 *         total = 0
 *         for item in items:
 *             try:
 *                 total += yield from item
 *             except ValueError:
 *                 total = -1
 *         return total
 */
/* clang-format off */
static const uint8_t code_311[] = {
    75, 0, 1, 0, 151, 0, 100, 1, 125, 1, 124, 0, 68, 0,
    93, 32, 125, 2, 9, 0, 124, 1, 124, 2, 69, 0, 100, 0,
    123, 3, 86, 0, 151, 2, 134, 4, 122, 13, 0, 0, 125, 1,
    140, 15, 35, 0, 116, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 36, 0, 114, 5, 1, 0, 100, 2, 125, 1, 89, 0,
    140, 29, 119, 0, 120, 3, 89, 0, 119, 1, 124, 1, 83, 0,
};
static const uint8_t locations_311[] = {
    232, 0, 232, 0, 128, 0, 216, 12, 13, 128, 69, 216, 16, 21,
    240, 0, 4, 5, 23, 240, 0, 4, 5, 23, 136, 4, 240, 2,
    3, 9, 23, 216, 12, 17, 160, 4, 144, 95, 144, 95, 144, 95,
    144, 95, 144, 95, 144, 95, 209, 12, 36, 136, 69, 136, 69, 248,
    221, 15, 25, 240, 0, 1, 9, 23, 240, 0, 1, 9, 23, 240,
    0, 1, 9, 23, 216, 20, 22, 136, 69, 136, 69, 136, 69, 240,
    3, 1, 9, 23, 248, 248, 248, 224, 11, 16, 128, 76,
};
static const uint8_t handlers_311[] = {
    138, 11, 22, 2, 150, 12, 37, 5, 164, 1, 37, 5,
};
static const uint8_t code_312[] = {
    75, 0, 1, 0, 151, 0, 100, 1, 125, 1, 124, 0, 68, 0,
    93, 16, 0, 0, 125, 2, 9, 0, 124, 1, 124, 2, 69, 0,
    100, 0, 123, 3, 0, 0, 150, 3, 151, 2, 134, 5, 5, 0,
    122, 13, 0, 0, 125, 1, 140, 18, 4, 0, 124, 1, 83, 0,
    55, 0, 140, 10, 35, 0, 116, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 36, 0, 114, 5, 1, 0, 100, 2, 125, 1, 89, 0,
    140, 36, 119, 0, 120, 3, 89, 0, 119, 1, 173, 3, 119, 1,
};
static const uint8_t locations_312[] = {
    232, 0, 248, 128, 0, 216, 12, 13, 128, 69, 216, 16, 21, 242,
    0, 4, 5, 23, 136, 4, 240, 2, 3, 9, 23, 216, 12, 17,
    160, 4, 151, 95, 209, 12, 36, 137, 69, 240, 5, 4, 5, 23,
    240, 10, 0, 12, 17, 128, 76, 240, 7, 0, 22, 37, 249, 220,
    15, 25, 242, 0, 1, 9, 23, 216, 20, 22, 138, 69, 240, 3,
    1, 9, 23, 252,
};
static const uint8_t handlers_312[] = {
    130, 8, 47, 1, 139, 6, 30, 2, 145, 1, 28, 8, 146, 6,
    30, 2, 152, 4, 47, 1, 156, 1, 30, 2, 158, 11, 44, 5,
    169, 2, 47, 1, 171, 1, 44, 5, 172, 3, 47, 1,
};
static const uint8_t code_313[] = {
    35, 0, 32, 0, 149, 0, 83, 1, 110, 1, 85, 0, 19, 0,
    72, 16, 0, 0, 110, 2, 30, 0, 88, 18, 21, 0, 83, 0,
    104, 3, 0, 0, 118, 1, 149, 2, 78, 5, 12, 0, 45, 13,
    0, 0, 110, 1, 77, 18, 0, 0, 11, 0, 32, 0, 85, 1,
    36, 0, 8, 0, 78, 12, 33, 0, 91, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 7, 0, 97, 6, 0, 0, 32, 0, 83, 2,
    110, 1, 31, 0, 77, 39, 0, 0, 102, 0, 61, 3, 31, 0,
    102, 1, 55, 3, 102, 1,
};
static const uint8_t locations_313[] = {
    233, 0, 128, 0, 216, 12, 13, 128, 69, 219, 16, 21, 136, 4,
    240, 2, 3, 9, 23, 216, 12, 17, 151, 95, 209, 12, 36, 138,
    69, 241, 5, 0, 17, 22, 240, 10, 0, 12, 17, 128, 76, 241,
    7, 0, 22, 37, 248, 220, 15, 25, 243, 0, 1, 9, 23, 216,
    20, 22, 139, 69, 240, 3, 1, 9, 23, 252,
};
static const uint8_t handlers_313[] = {
    130, 8, 50, 1, 139, 5, 31, 2, 144, 1, 29, 8, 145, 6,
    31, 2, 151, 6, 50, 1, 157, 1, 31, 2, 159, 12, 47, 5,
    171, 3, 50, 1, 174, 1, 47, 5, 175, 3, 50, 1,
};
/* clang-format on */

typedef struct {
    int minor;
    nbp_code code;
} sample;

#define SAMPLE(minor_version)                                                          \
    {                                                                                  \
        .minor = (minor_version),                                                      \
        .code =                                                                        \
            {                                                                          \
                .code = code_3##minor_version,                                         \
                .code_size = sizeof(code_3##minor_version),                            \
                .locations = locations_3##minor_version,                               \
                .locations_size = sizeof(locations_3##minor_version),                  \
                .handlers = handlers_3##minor_version,                                 \
                .handlers_size = sizeof(handlers_3##minor_version),                    \
                .first_line = 2,                                                       \
                .constants = 3,                                                        \
                .stack_size = 5,                                                       \
            },                                                                         \
    }

static const sample samples[] = {SAMPLE(11), SAMPLE(12), SAMPLE(13)};
enum { N_SAMPLES = 3 };

/* Units of `code` that hold `op`, looking at every second byte only. */
static size_t
count_op(const nbp_code *code, uint8_t op)
{
    size_t count = 0;
    for (size_t at = 0; at < code->code_size; at += 2) {
        count += code->code[at] == op;
    }
    return count;
}

static size_t
count_probes(const nbp_rewrite *rewrite, nbp_probe_kind kind)
{
    size_t count, found = 0;
    const nbp_probe *probes = nbp_rewrite_probes(rewrite, &count);
    for (size_t i = 0; i < count; i++) {
        found += probes[i].kind == kind;
    }
    return found;
}

static bool
has_probe(const nbp_rewrite *rewrite, nbp_probe_kind kind, int32_t line)
{
    size_t count;
    const nbp_probe *probes = nbp_rewrite_probes(rewrite, &count);
    for (size_t i = 0; i < count; i++) {
        if (probes[i].kind == kind && probes[i].line == line) {
            return true;
        }
    }
    return false;
}

static void
test_untested_versions_have_no_table(void)
{
    CHECK(nbp_opcodes_of(10) == NULL);
    CHECK(nbp_opcodes_of(14) == NULL);
    CHECK_EQ(nbp_opcodes_of(12)->minor, 12);
}

static void
test_every_statement_gets_its_probes(void)
{
    for (int i = 0; i < N_SAMPLES; i++) {
        nbp_rewrite *rewrite;
        const nbp_opcodes *opcodes = nbp_opcodes_of(samples[i].minor);
        CHECK_EQ(nbp_rewrite_new(&rewrite, opcodes, &samples[i].code), NBP_OK);
        CHECK_EQ(nbp_rewrite_plan(rewrite, NULL), NBP_OK);
        CHECK_EQ(count_probes(rewrite, NBP_PROBE_ENTER), 1);
        CHECK(has_probe(rewrite, NBP_PROBE_ENTER, 3));
        for (int32_t line = 4; line <= 9; line++) {
            CHECK(has_probe(rewrite, NBP_PROBE_LINE, line));
        }
        CHECK(has_probe(rewrite, NBP_PROBE_RESUME, 6));
        CHECK_EQ(count_probes(rewrite, NBP_PROBE_LEAVE), 1);
        CHECK_EQ(count_probes(rewrite, NBP_PROBE_SUSPEND), 1);
        nbp_rewrite_destroy(&rewrite);
        CHECK(rewrite == NULL);
    }
}

static void
test_lines_of_one_statement_share_a_probe(void)
{
    /* All but the first line of the body belong to line 4. */
    const int32_t first[] = {4, 4, 4, 4, 4, 4};
    const nbp_statements statements = {.first = first, .from = 4, .count = 6};
    nbp_rewrite *rewrite;
    CHECK_EQ(nbp_rewrite_new(&rewrite, nbp_opcodes_of(13), &samples[2].code), NBP_OK);
    CHECK_EQ(nbp_rewrite_plan(rewrite, &statements), NBP_OK);
    CHECK_EQ(count_probes(rewrite, NBP_PROBE_LINE), 1);
    CHECK(has_probe(rewrite, NBP_PROBE_LINE, 4));
    nbp_rewrite_destroy(&rewrite);
}

static void
test_written_code_can_be_read_and_instrumented_again(void)
{
    for (int i = 0; i < N_SAMPLES; i++) {
        const nbp_opcodes *opcodes = nbp_opcodes_of(samples[i].minor);
        nbp_rewrite *rewrite, *again;
        nbp_code once, twice;
        CHECK_EQ(nbp_rewrite_new(&rewrite, opcodes, &samples[i].code), NBP_OK);
        CHECK_EQ(nbp_rewrite_plan(rewrite, NULL), NBP_OK);
        CHECK_EQ(nbp_rewrite_emit(rewrite, &once), NBP_OK);
        size_t before = count_op(&samples[i].code, opcodes->unary_invert);
        CHECK(count_op(&once, opcodes->unary_invert) > before + 8);
        CHECK_EQ(once.stack_size, 6);
        CHECK_EQ(nbp_rewrite_new(&again, opcodes, &once), NBP_OK);
        CHECK_EQ(nbp_rewrite_plan(again, NULL), NBP_OK);
        CHECK_EQ(nbp_rewrite_emit(again, &twice), NBP_OK);
        CHECK(twice.code_size > once.code_size);
        nbp_rewrite_destroy(&again);
        nbp_rewrite_destroy(&rewrite);
    }
}

/* `return total` does nothing but return: its line and the end of the frame are one
 * probe. */
static void
test_a_line_that_only_returns_takes_one_probe(void)
{
    for (int i = 0; i < N_SAMPLES; i++) {
        nbp_rewrite *rewrite;
        const nbp_opcodes *opcodes = nbp_opcodes_of(samples[i].minor);
        CHECK_EQ(nbp_rewrite_new(&rewrite, opcodes, &samples[i].code), NBP_OK);
        CHECK_EQ(nbp_rewrite_plan(rewrite, NULL), NBP_OK);
        CHECK_EQ(count_probes(rewrite, NBP_PROBE_LAST), 1);
        CHECK(has_probe(rewrite, NBP_PROBE_LAST, 9));
        CHECK_EQ(count_probes(rewrite, NBP_PROBE_PAUSE), 0);
        nbp_rewrite_destroy(&rewrite);
    }
}

static void
test_code_put_together_from_two_is_found_out(void)
{
    for (int i = 0; i < N_SAMPLES; i++) {
        const nbp_opcodes *opcodes = nbp_opcodes_of(samples[i].minor);
        nbp_code mixed = samples[i].code, with_probes;
        nbp_rewrite *rewrite;
        CHECK_EQ(nbp_rewrite_new(&rewrite, opcodes, &samples[i].code), NBP_OK);
        CHECK_EQ(nbp_rewrite_plan(rewrite, NULL), NBP_OK);
        CHECK_EQ(nbp_rewrite_emit(rewrite, &with_probes), NBP_OK);
        CHECK(nbp_code_is_sound(opcodes, &samples[i].code));
        CHECK(nbp_code_is_sound(opcodes, &with_probes));
        CHECK_EQ(nbp_code_highest_constant(opcodes, mixed.code, mixed.code_size), 2);
        CHECK(nbp_code_highest_constant(opcodes, with_probes.code,
                                        with_probes.code_size) >= 3);
        /* The body without probes under the handlers of the one with them. */
        mixed.handlers = with_probes.handlers;
        mixed.handlers_size = with_probes.handlers_size;
        CHECK(!nbp_code_is_sound(opcodes, &mixed));
        /* The body with probes, and only the constants that it had without. */
        with_probes.constants = samples[i].code.constants;
        CHECK(!nbp_code_is_sound(opcodes, &with_probes));
        /* Handlers that cannot be read. */
        mixed.handlers = (const uint8_t *)"\x80";
        mixed.handlers_size = 1;
        CHECK(!nbp_code_is_sound(opcodes, &mixed));
        nbp_rewrite_destroy(&rewrite);
    }
}

/* Probes with constants beyond 255 and 65,535 take one and two units more; the jumps
 * over them must grow. */
static void
test_many_constants_widen_probes_and_jumps(void)
{
    for (int i = 0; i < N_SAMPLES; i++) {
        const nbp_opcodes *opcodes = nbp_opcodes_of(samples[i].minor);
        size_t narrower = 0;
        const uint32_t constants[] = {3, 300, 70000};
        for (int n = 0; n < 3; n++) {
            nbp_code code = samples[i].code, out;
            code.constants = constants[n];
            nbp_rewrite *rewrite, *again;
            CHECK_EQ(nbp_rewrite_new(&rewrite, opcodes, &code), NBP_OK);
            CHECK_EQ(nbp_rewrite_plan(rewrite, NULL), NBP_OK);
            CHECK_EQ(nbp_rewrite_emit(rewrite, &out), NBP_OK);
            CHECK(out.code_size > narrower);
            narrower = out.code_size;
            CHECK_EQ(nbp_rewrite_new(&again, opcodes, &out), NBP_OK);
            nbp_rewrite_destroy(&again);
            nbp_rewrite_destroy(&rewrite);
        }
    }
}

/* gen.throw() on 3.11 looks for SEND in the unit before YIELD_VALUE. */
static void
test_send_stays_before_yield_on_3_11(void)
{
    enum {
        SEND = 123,
        YIELD_VALUE = 86,
    };
    nbp_rewrite *rewrite;
    nbp_code out;
    CHECK_EQ(nbp_rewrite_new(&rewrite, nbp_opcodes_of(11), &samples[0].code), NBP_OK);
    CHECK_EQ(nbp_rewrite_plan(rewrite, NULL), NBP_OK);
    CHECK_EQ(nbp_rewrite_emit(rewrite, &out), NBP_OK);
    size_t yields = 0;
    for (size_t at = 2; at < out.code_size; at += 2) {
        if (out.code[at] == YIELD_VALUE) {
            CHECK_EQ(out.code[at - 2], SEND);
            yields++;
        }
    }
    CHECK_EQ(yields, 1);
    CHECK_EQ(count_op(&out, SEND), 2);
    nbp_rewrite_destroy(&rewrite);
}

static void
test_unknown_opcodes_are_refused(void)
{
    for (int i = 0; i < N_SAMPLES; i++) {
        uint8_t bytes[512];
        nbp_code code = samples[i].code;
        memcpy(bytes, code.code, code.code_size);
        code.code = bytes;
        bytes[code.code_size - 2] = 254; /* INSTRUMENTED_LINE, or nothing */
        nbp_rewrite *rewrite;
        CHECK_EQ(nbp_rewrite_new(&rewrite, nbp_opcodes_of(samples[i].minor), &code),
                 NBP_INVALID);
        CHECK(rewrite == NULL);
    }
}

/* The table of a handler written with a superfluous byte means the same, but would not
 * be written so again. */
static void
test_what_does_not_round_trip_is_refused(void)
{
    uint8_t bytes[128];
    nbp_code code = samples[2].code;
    bytes[0] = 128 | 64;
    bytes[1] = code.handlers[0] & 63;
    memcpy(bytes + 2, code.handlers + 1, code.handlers_size - 1);
    code.handlers = bytes;
    code.handlers_size++;
    nbp_rewrite *rewrite;
    CHECK_EQ(nbp_rewrite_new(&rewrite, nbp_opcodes_of(13), &code), NBP_INVALID);
}

/* A copy on the heap and of exact size, so that the sanitizers see every step outside.
 */
static uint8_t *
copy_of(const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size == 0 ? 1 : size);
    if (copy != NULL && size > 0) {
        memcpy(copy, bytes, size);
    }
    return copy;
}

static void
rewrite_all(int minor, const nbp_code *code)
{
    nbp_rewrite *rewrite;
    nbp_code out;
    if (nbp_rewrite_new(&rewrite, nbp_opcodes_of(minor), code) == NBP_OK) {
        if (nbp_rewrite_plan(rewrite, NULL) == NBP_OK) {
            nbp_rewrite_emit(rewrite, &out);
        }
        nbp_rewrite_destroy(&rewrite);
    }
}

static void
test_damaged_code_does_no_harm(void)
{
    srand(1);
    for (int round = 0; round < 20000; round++) {
        const sample *from = &samples[round % N_SAMPLES];
        nbp_code code = from->code;
        code.code_size -= (size_t)(rand() % 4 == 0 ? rand() % 9 : 0);
        code.locations_size -= (size_t)(rand() % 4 == 0 ? rand() % 9 : 0);
        code.handlers_size -= (size_t)(rand() % 4 == 0 ? rand() % 9 : 0);
        uint8_t *bytes[3] = {
            copy_of(code.code, code.code_size),
            copy_of(code.locations, code.locations_size),
            copy_of(code.handlers, code.handlers_size),
        };
        const size_t sizes[3] = {code.code_size, code.locations_size,
                                 code.handlers_size};
        for (int change = rand() % 4; change > 0; change--) {
            int which = rand() % 3;
            bytes[which][(size_t)rand() % sizes[which]] = (uint8_t)rand();
        }
        code.code = bytes[0];
        code.locations = bytes[1];
        code.handlers = bytes[2];
        rewrite_all(from->minor, &code);
        for (int i = 0; i < 3; i++) {
            free(bytes[i]);
        }
    }
}

int
main(void)
{
    test_untested_versions_have_no_table();
    test_every_statement_gets_its_probes();
    test_lines_of_one_statement_share_a_probe();
    test_written_code_can_be_read_and_instrumented_again();
    test_a_line_that_only_returns_takes_one_probe();
    test_code_put_together_from_two_is_found_out();
    test_many_constants_widen_probes_and_jumps();
    test_send_stays_before_yield_on_3_11();
    test_unknown_opcodes_are_refused();
    test_what_does_not_round_trip_is_refused();
    test_damaged_code_does_no_harm();
    return CHECK_RESULT();
}
