/* SPDX-License-Identifier: Apache-2.0 */
/* Rules over claims: each line passes, fails or is undecided. */
#include "rules_private.h"

#include <stdlib.h>

static const char *const outcome_names[RULES_OUTCOME_COUNT] = {
        [RULES_PASS] = "pass",
        [RULES_FAIL] = "fail",
        [RULES_UNDECIDED] = "undecided",
};

const char *rules_outcome_name(enum rules_outcome o)
{
    return o > 0 && o < RULES_OUTCOME_COUNT ? outcome_names[o] : "unknown";
}

static const char *const doubt_texts[RULES_DOUBT_COUNT] = {
        [RULES_SURE] = "",
        [RULES_ABSENT] = "no evidence yields it",
        [RULES_UNATTESTED] = "it is said, and nothing proves it",
        [RULES_INCOMPARABLE] = "it has another number of parts",
        [RULES_NO_SET] = "there is no such set",
        [RULES_SET_EMPTY] = "its set is empty",
        [RULES_SET_REVOKED] = "its set is revoked",
        [RULES_SET_EARLY] = "its set is not valid yet",
        [RULES_SET_LATE] = "its set is not valid any more",
        [RULES_INCOMPLETE] = "the list of claims is not whole",
};

const char *rules_doubt_text(enum rules_doubt d)
{
    return d < RULES_DOUBT_COUNT ? doubt_texts[d] : "unknown";
}

/* ---- one value ------------------------------------------------------- */

static enum rules_outcome outcome(bool holds)
{
    return holds ? RULES_PASS : RULES_FAIL;
}

/* Parts that are not there count as zero: 1.55 is before 1.55.1. */
static int version_cmp(const struct claim_value *a, const struct claim_value *b)
{
    for (size_t i = 0; i < CLAIM_PARTS_MAX; i++) {
        uint64_t x = i < a->n_parts ? a->part[i] : 0;
        uint64_t y = i < b->n_parts ? b->part[i] : 0;

        if (x != y)
            return x < y ? -1 : 1;
    }
    return 0;
}

/* Never as one number: a lower part is not made good by a higher one. */
static bool vector_at_least(
        const struct claim_value *a, const struct claim_value *b)
{
    for (size_t i = 0; i < a->n_parts; i++) {
        if (a->part[i] < b->part[i])
            return false;
    }
    return true;
}

static bool at_least(const struct claim_value *a, const struct claim_value *b)
{
    if (a->type == CLAIM_NUMBER)
        return a->number >= b->number;
    return a->type == CLAIM_VERSION ? version_cmp(a, b) >= 0
                                    : vector_at_least(a, b);
}

static int bytes_cmp(const void *key, const void *value)
{
    struct span a = *(const struct span *)key;
    struct span b = ((const struct claim_value *)value)->bytes;
    size_t n = a.len < b.len ? a.len : b.len;
    int d = n ? memcmp(a.ptr, b.ptr, n) : 0;

    return d ? d : (a.len > b.len) - (a.len < b.len);
}

/* Sets of digests are long, and in order. */
static bool is_member(const struct rules_set *s, const struct claim_value *v)
{
    if (v->type == CLAIM_BYTES)
        return bsearch(&v->bytes, s->value, s->n, sizeof(*s->value),
                       bytes_cmp) != NULL;
    for (size_t i = 0; i < s->n; i++) {
        if (claims_value_eq(&s->value[i], v))
            return true;
    }
    return false;
}

/* A line, and the sets of it that can be believed now. */
struct question {
    const struct rules_line *line;
    size_t n;
    const struct rules_set *set[RULES_SETS_MAX];
    enum rules_doubt doubt; /* of a set that is not among them */
};

/* What is in none of the sets may be in one that cannot be believed. */
static enum rules_outcome judge_member(
        const struct question *q, const struct claim_value *v)
{
    bool in = q->line->op == RULES_IN;

    for (size_t i = 0; i < q->n; i++) {
        if (is_member(q->set[i], v))
            return outcome(in);
    }
    return q->doubt ? RULES_UNDECIDED : outcome(!in);
}

/* Of an attested claim. */
static enum rules_outcome judge_value(
        const struct question *q, const struct claim_value *v)
{
    const struct claim_value *want = &q->line->value;

    switch (q->line->op) {
    case RULES_IN:
    case RULES_NOT_IN:
        return judge_member(q, v);
    case RULES_IS:
    case RULES_IS_NOT:
    case RULES_AT_LEAST:
    case RULES_AT_MOST:
    case RULES_OP_COUNT:
        break;
    }
    if (v->type == CLAIM_VECTOR && v->n_parts != want->n_parts)
        return RULES_UNDECIDED;
    switch (q->line->op) {
    case RULES_IS:
        return outcome(claims_value_eq(v, want));
    case RULES_IS_NOT:
        return outcome(!claims_value_eq(v, want));
    case RULES_AT_LEAST:
        return outcome(at_least(v, want));
    case RULES_AT_MOST:
        return outcome(at_least(want, v));
    case RULES_IN:
    case RULES_NOT_IN:
    case RULES_OP_COUNT:
        break;
    }
    return RULES_UNDECIDED;
}

/* ---- one line -------------------------------------------------------- */

static uint64_t plus(uint64_t t, uint64_t n)
{
    return t > UINT64_MAX - n ? UINT64_MAX : t + n;
}

static enum rules_doubt set_doubt(const struct rules_set *s,
        const struct rules_line *l, uint64_t time, uint64_t skew)
{
    if (!s || !rules_set_fits(s, l))
        return RULES_NO_SET;
    if (s->revoked)
        return RULES_SET_REVOKED;
    if (s->since > plus(time, skew))
        return RULES_SET_EARLY;
    if (s->until != 0 && time >= s->until)
        return RULES_SET_LATE;
    return s->n == 0 ? RULES_SET_EMPTY : RULES_SURE;
}

static void undecided(struct rules_judged *j, enum rules_doubt d)
{
    j->outcome = RULES_UNDECIDED;
    j->doubt = d;
}

/*
 * What one claim adds to what those before it gave: a failure stays, doubt
 * gives way to failure alone, and a pass to both.
 */
static void judge_claim(
        struct rules_judged *j, const struct question *q, const struct claim *c)
{
    enum rules_outcome o = judge_value(q, &c->value);

    if (j->outcome == RULES_FAIL || (o == RULES_PASS && j->claim))
        return;
    if (j->outcome == RULES_UNDECIDED && o == RULES_UNDECIDED && j->claim)
        return;
    j->claim = c;
    j->outcome = o;
    if (o == RULES_UNDECIDED)
        j->doubt = q->doubt ? q->doubt : RULES_INCOMPARABLE;
    else
        j->doubt = RULES_SURE;
}

static void judge_line(struct rules_judged *j, const struct question *q,
        const struct claims *c)
{
    const struct claim *said = NULL;

    for (size_t i = 0; i < c->n; i++) {
        const struct claim *k = &c->claim[i];

        if (k->def != j->line->def || strcmp(k->name, j->line->name) != 0)
            continue;
        if (k->attested)
            judge_claim(j, q, k);
        else if (!said)
            said = k;
    }
    if (j->claim)
        return;
    undecided(j, said ? RULES_UNATTESTED : RULES_ABSENT);
    j->claim = said;
}

static void ask(struct question *q, const struct rules *r,
        const struct rules_sets *sets, uint64_t time, uint64_t skew)
{
    for (size_t i = 0; i < q->line->n_sets; i++) {
        const struct rules_set *s =
                rules_find_set(sets, r->set[q->line->first_set + i]);
        enum rules_doubt d = set_doubt(s, q->line, time, skew);

        if (d == RULES_SURE)
            q->set[q->n++] = s;
        else if (q->doubt == RULES_SURE)
            q->doubt = d;
    }
}

static void judge(struct rules_judged *j, const struct question *q,
        const struct claims *c)
{
    enum rules_doubt doubt = RULES_SURE;

    if (q->line->n_sets > 0 && q->n == 0)
        doubt = q->doubt;
    else if (c->error)
        doubt = RULES_INCOMPLETE;
    if (doubt == RULES_SURE) {
        judge_line(j, q, c);
        return;
    }
    undecided(j, doubt);
    j->claim = claims_get(c, q->line->name);
}

/* ---- all of them ----------------------------------------------------- */

static bool all_pass(const struct rules_verdict *v, const struct rules_state *s)
{
    for (size_t i = s->first; i < s->first + s->n; i++) {
        if (v->line[i].outcome != RULES_PASS)
            return false;
    }
    return s->n > 0;
}

void rules_eval(const struct rules *r, const struct rules_sets *sets,
        const struct claims *c, uint64_t time, uint64_t skew,
        struct rules_verdict *ret)
{
    ret->state = NULL;
    ret->n = 0;
    if (!r)
        return;
    for (; ret->n < r->n_lines; ret->n++) {
        struct question q = {.line = &r->line[ret->n]};

        ret->line[ret->n] = (struct rules_judged){.line = q.line};
        ask(&q, r, sets, time, skew);
        judge(&ret->line[ret->n], &q, c);
    }
    for (size_t i = 0; i < r->n_states && !ret->state; i++) {
        if (all_pass(ret, &r->state[i]))
            ret->state = &r->state[i];
    }
}
