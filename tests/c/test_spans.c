/* SPDX-License-Identifier: BSD-3-Clause */
#include "check.h"
#include "spans.h"

/* Adds the pairs of a list that ends with 0. */
static nbp_spans
spans_of(const uintptr_t *pairs)
{
    nbp_spans spans = {0};
    for (; pairs[1] != 0; pairs += 2) {
        CHECK_EQ(nbp_spans_add(&spans, (nbp_span){pairs[0], pairs[1]}), NBP_OK);
    }
    return spans;
}

static uint64_t
shared(const uintptr_t *of, const uintptr_t *with)
{
    nbp_spans left = spans_of(of), right = spans_of(with);
    uint64_t bytes = nbp_spans_shared(&left, &right);
    nbp_spans_clear(&left);
    nbp_spans_clear(&right);
    return bytes;
}

int
main(void)
{
    const uintptr_t none[] = {0, 0};
    const uintptr_t one[] = {100, 200, 0, 0};
    const uintptr_t inside[] = {120, 130, 150, 160, 0, 0};
    const uintptr_t across[] = {50, 110, 190, 250, 300, 400, 0, 0};
    const uintptr_t beside[] = {50, 100, 200, 250, 0, 0};
    const uintptr_t many[] = {300, 310, 100, 200, 60, 70, 0, 0};
    CHECK_EQ(shared(none, one), 0);
    CHECK_EQ(shared(one, none), 0);
    CHECK_EQ(shared(one, one), 100);
    CHECK_EQ(shared(one, inside), 20);
    CHECK_EQ(shared(inside, one), 20);
    CHECK_EQ(shared(one, across), 20);
    CHECK_EQ(shared(one, beside), 0);
    CHECK_EQ(shared(many, across), 10 + 20 + 10);
    return CHECK_RESULT();
}
