/* SPDX-License-Identifier: Apache-2.0 */
/* Rules over claims: each line passes, fails or is undecided. */
#include "rules_private.h"

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

static bool is_member(const struct rules_set *s, const struct claim_value *v)
{
    for (size_t i = 0; i < s->n; i++) {
        if (claims_value_eq(&s->value[i], v))
            return true;
    }
    return false;
}

/* Of an attested claim; the set was looked at. */
static enum rules_outcome judge_value(const struct rules_line *l,
        const struct rules_set *set, const struct claim_value *v)
{
    const struct claim_value *want = &l->value;

    if (!set && v->type == CLAIM_VECTOR && v->n_parts != want->n_parts)
        return RULES_UNDECIDED;
    switch (l->op) {
    case RULES_IS:
        return outcome(claims_value_eq(v, want));
    case RULES_IS_NOT:
        return outcome(!claims_value_eq(v, want));
    case RULES_IN:
        return outcome(is_member(set, v));
    case RULES_NOT_IN:
        return outcome(!is_member(set, v));
    case RULES_AT_LEAST:
        return outcome(at_least(v, want));
    case RULES_AT_MOST:
        return outcome(at_least(want, v));
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
static void judge_claim(struct rules_judged *j, const struct rules_set *set,
        const struct claim *c)
{
    enum rules_outcome o = judge_value(j->line, set, &c->value);

    if (j->outcome == RULES_FAIL || (o == RULES_PASS && j->claim))
        return;
    if (j->outcome == RULES_UNDECIDED && o == RULES_UNDECIDED && j->claim)
        return;
    j->claim = c;
    j->outcome = o;
    j->doubt = o == RULES_UNDECIDED ? RULES_INCOMPARABLE : RULES_SURE;
}

static void judge_line(struct rules_judged *j, const struct rules_set *set,
        const struct claims *c)
{
    const struct claim *said = NULL;

    for (size_t i = 0; i < c->n; i++) {
        const struct claim *k = &c->claim[i];

        if (k->def != j->line->def || strcmp(k->name, j->line->name) != 0)
            continue;
        if (k->attested)
            judge_claim(j, set, k);
        else if (!said)
            said = k;
    }
    if (j->claim)
        return;
    undecided(j, said ? RULES_UNATTESTED : RULES_ABSENT);
    j->claim = said;
}

static void judge(struct rules_judged *j, const struct rules_sets *sets,
        const struct claims *c, uint64_t time, uint64_t skew)
{
    const struct rules_line *l = j->line;
    bool has_set = l->op == RULES_IN || l->op == RULES_NOT_IN;
    const struct rules_set *set = has_set ? rules_find_set(sets, l->set) : NULL;
    enum rules_doubt doubt =
            has_set ? set_doubt(set, l, time, skew) : RULES_SURE;

    if (doubt == RULES_SURE && c->error)
        doubt = RULES_INCOMPLETE;
    if (doubt == RULES_SURE) {
        judge_line(j, set, c);
        return;
    }
    undecided(j, doubt);
    j->claim = claims_get(c, l->name);
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
        ret->line[ret->n] = (struct rules_judged){.line = &r->line[ret->n]};
        judge(&ret->line[ret->n], sets, c, time, skew);
    }
    for (size_t i = 0; i < r->n_states && !ret->state; i++) {
        if (all_pass(ret, &r->state[i]))
            ret->state = &r->state[i];
    }
}
