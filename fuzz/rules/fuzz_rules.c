/* SPDX-License-Identifier: Apache-2.0 */
/* The owner's rules: what parses is written canonically, and without claims
 * there is no state. */
#include "rules.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_canonical(const struct rules *r)
{
    CLEANUP(buf_fini) struct buf once = BUF_INIT(1u << 20);
    CLEANUP(buf_fini) struct buf twice = BUF_INIT(1u << 20);
    CLEANUP(rules_free_ptr) struct rules *back = NULL;

    rules_format(r, &once);
    assert(buf_ok(&once, NULL) == 0);
    if (once.len > RULES_TEXT_MAX)
        return;
    assert(rules_parse(buf_span(&once), &back, NULL) == 0);
    assert(back->n_states == r->n_states && back->n_lines == r->n_lines);
    rules_format(back, &twice);
    assert(span_eq(buf_span(&once), buf_span(&twice)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(claims_fini) struct claims c = {0};
    CLEANUP(rules_free_ptr) struct rules *r = NULL;
    static struct rules_verdict v;
    struct err err = {0};

    if (rules_parse(SPAN(data, size), &r, &err) != 0) {
        assert(!r && err.code < 0 && err.msg[0]);
        return 0;
    }
    assert(r->n_states > 0 && r->n_lines >= r->n_states);
    check_canonical(r);
    rules_eval(r, NULL, &c, 0, 0, &v);
    assert(!v.state && v.n == r->n_lines);
    /* One true claim alone decides nothing about lines of others. */
    claims_add_number(&c, "snp.vmpl", 0, "fuzz");
    rules_eval(r, NULL, &c, 0, 0, &v);
    for (size_t i = 0; i < v.n; i++)
        assert(v.line[i].outcome == RULES_UNDECIDED ||
                v.line[i].claim == &c.claim[0]);
    return 0;
}
