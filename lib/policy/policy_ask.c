/* SPDX-License-Identifier: Apache-2.0 */
/* Which targets a person may choose from when a rule says ask. */
#include "policy_int.h"

#include <stdio.h>

struct choice {
    const struct policy_query *q;
    struct policy_result *r;
    bool dispvm;  /* the plain "@dispvm" */
    bool adminvm; /* dom0 by that name: "*" and tags count apart, as in Qubes */
};

static void set_bit(uint64_t *bits, size_t i, bool value)
{
    if (value)
        bits[i / 64] |= UINT64_C(1) << i % 64;
    else
        bits[i / 64] &= ~(UINT64_C(1) << i % 64);
}

static bool get_bit(const uint64_t *bits, size_t i)
{
    return bits[i / 64] >> i % 64 & 1;
}

static bool any_bit(const uint64_t *bits)
{
    uint64_t all = 0;

    for (size_t i = 0; i < POLICY_ASK_WORDS; i++)
        all |= bits[i];
    return all != 0;
}

static void set_qube(
        struct choice *c, const struct policy_qube *qube, bool value)
{
    set_bit(c->r->ask_qubes, policy_system_index(c->q->system, qube), value);
}

static void set_template(
        struct choice *c, const struct policy_qube *qube, bool value)
{
    set_bit(c->r->ask_dispvms, policy_system_index(c->q->system, qube), value);
}

/* Whether a token that stands for many stands for this qube. */
static bool covers_qube(const struct choice *c, const struct policy_token *t,
        const struct policy_qube *qube)
{
    if (t->kind == POLICY_TOKEN_ANY)
        return true;
    if (t->kind == POLICY_TOKEN_ANYVM)
        return qube != c->q->system->dom0;
    /* A tag or type offers dom0 to a person, as in Qubes, but never matches. */
    return (t->kind == POLICY_TOKEN_TYPE && span_eq(qube->type, t->value)) ||
           (t->kind == POLICY_TOKEN_TAG && policy_qube_has_tag(qube, t->value));
}

static bool covers_template(
        const struct policy_token *t, const struct policy_qube *qube)
{
    if (!qube->template_for_dispvms)
        return false;
    return t->kind == POLICY_TOKEN_ANY || t->kind == POLICY_TOKEN_ANYVM ||
           (t->kind == POLICY_TOKEN_DISPVM_TAG &&
                   policy_qube_has_tag(qube, t->value));
}

static void expand_many(
        struct choice *c, const struct policy_token *t, bool value)
{
    const struct policy_system *s = c->q->system;

    for (size_t i = 0; i < s->n_qubes; i++) {
        if (covers_qube(c, t, &s->qubes[i]))
            set_qube(c, &s->qubes[i], value);
        if (covers_template(t, &s->qubes[i]))
            set_template(c, &s->qubes[i], value);
    }
    if (t->kind == POLICY_TOKEN_ANY || t->kind == POLICY_TOKEN_ANYVM)
        c->dispvm = value;
}

/* False when the token names a template that does not exist. */
static bool expand(struct choice *c, const struct policy_token *t, bool value)
{
    const struct policy_qube *qube;

    switch (t->kind) {
    case POLICY_TOKEN_NAME:
        qube = policy_system_find(c->q->system, t->text);
        if (qube)
            set_qube(c, qube, value);
        return true;
    case POLICY_TOKEN_ADMINVM:
        c->adminvm = value;
        return true;
    case POLICY_TOKEN_DISPVM:
        c->dispvm = value;
        return true;
    case POLICY_TOKEN_DISPVM_NAME:
        qube = policy_system_find(c->q->system, t->value);
        if (qube && qube->template_for_dispvms)
            set_template(c, qube, value);
        return qube != NULL;
    case POLICY_TOKEN_DEFAULT:
        return true;
    case POLICY_TOKEN_ANY:
    case POLICY_TOKEN_ANYVM:
    case POLICY_TOKEN_DISPVM_TAG:
    case POLICY_TOKEN_TAG:
    case POLICY_TOKEN_TYPE:
        expand_many(c, t, value);
        return true;
    }
    return false; /* not reached */
}

/*
 * All rules that fit but for the target, from the last to the first: what a
 * later rule offers, an earlier one may take away.
 */
static bool collect(struct choice *c)
{
    const struct policy *p = c->q->policy;

    for (uint32_t i = p->n_rules; i-- > 0;) {
        const struct policy_rule *rule = &p->rules[i];
        bool deny = rule->action == POLICY_ACTION_DENY;
        const struct policy_token *t =
                rule->redirect.text.ptr ? &rule->redirect : &rule->target_token;

        if ((rule->service != p->any && rule->service != c->q->service) ||
                (rule->argument != p->any &&
                        rule->argument != c->q->argument) ||
                !policy_query_has_source(c->q, rule->source) ||
                !policy_query_has_state(c->q, rule))
            continue;
        if (!expand(c, t, !deny)) {
            policy_result_deny(c->r, POLICY_CLASS_POLICY,
                    "%.*s:%u names a template '%.*s' that does not exist",
                    (int)rule->file.len, rule->file.ptr, rule->line,
                    (int)t->value.len, t->value.ptr);
            return false;
        }
    }
    return true;
}

static void tidy(struct choice *c, const struct policy_rule *rule)
{
    const struct policy_system *s = c->q->system;
    const struct policy_qube *template = policy_query_dispvm(c->q);

    if (c->dispvm && template)
        set_template(c, template, true);
    if (c->adminvm)
        set_qube(c, s->dom0, true);
    set_qube(c, c->q->source, false);
    for (size_t i = 0; i < s->n_qubes; i++) {
        const struct policy_qube *qube = &s->qubes[i];
        struct policy_target as_qube = {.qube = qube};
        struct policy_target as_dispvm = {.qube = qube, .dispvm = true};

        if (qube->internal || !policy_may_start(rule, &as_qube))
            set_qube(c, qube, false);
        if (qube->internal || !policy_may_start(rule, &as_dispvm))
            set_template(c, qube, false);
    }
}

static bool is_set(const struct policy_target *t)
{
    return t->dispvm || t->text.len > 0;
}

bool policy_ask_next(const struct policy_result *r,
        const struct policy_system *s, size_t *pos, struct policy_target *ret)
{
    if (is_set(&r->ask_only)) {
        if (*pos > 0)
            return false;
        *ret = r->ask_only;
        (*pos)++;
        return true;
    }
    for (; *pos < 2 * s->n_qubes; (*pos)++) {
        bool dispvm = *pos % 2;
        const struct policy_qube *qube = &s->qubes[*pos / 2];

        if (!get_bit(dispvm ? r->ask_dispvms : r->ask_qubes, *pos / 2))
            continue;
        *ret = (struct policy_target){
                .qube = qube, .dispvm = dispvm, .text = qube->name};
        (*pos)++;
        return true;
    }
    return false;
}

static bool is_offered(const struct policy_result *r,
        const struct policy_system *s, const struct policy_target *wanted)
{
    struct policy_target t;
    size_t pos = 0;

    while (policy_ask_next(r, s, &pos, &t)) {
        if (t.qube && t.qube == wanted->qube && t.dispvm == wanted->dispvm &&
                (t.qube == s->dom0 || span_eq(t.text, wanted->text)))
            return true;
    }
    return false;
}

static void no_choice(struct policy_result *r, const struct policy_rule *rule)
{
    policy_result_deny(r, POLICY_CLASS_POLICY,
            "%.*s:%u asks, but there is no target to choose",
            (int)rule->file.len, rule->file.ptr, rule->line);
}

/*
 * target= leaves one candidate, which Qubes shows as it is written; whether it
 * exists and may be called is judged when it is chosen.
 */
static bool ask_only(const struct policy_query *q,
        const struct policy_rule *rule, struct policy_result *r)
{
    r->ask_only = policy_target_of(q, &rule->redirect);
    if (rule->redirect.kind == POLICY_TOKEN_DISPVM)
        r->ask_only.text = SPAN_EMPTY;
    return rule->autostart ||
           (r->ask_only.qube && policy_may_start(rule, &r->ask_only));
}

static bool ask_many(const struct policy_query *q,
        const struct policy_rule *rule, struct policy_result *r)
{
    struct choice c = {.q = q, .r = r};

    if (!collect(&c))
        return false;
    tidy(&c, rule);
    return any_bit(r->ask_qubes) || any_bit(r->ask_dispvms);
}

void policy_ask(const struct policy_query *q, const struct policy_rule *rule,
        struct policy_result *ret)
{
    bool only = rule->redirect.text.ptr != NULL;

    if (!(only ? ask_only(q, rule, ret) : ask_many(q, rule, ret))) {
        if (ret->reason[0] == '\0')
            no_choice(ret, rule);
        return;
    }
    ret->verdict = POLICY_ASK;
    ret->target = policy_target_of(q, &rule->default_target);
    if (!is_offered(ret, q->system, &ret->target))
        ret->target = (struct policy_target){0};
    (void)snprintf(ret->reason, sizeof(ret->reason), "to be asked by %.*s:%u",
            (int)rule->file.len, rule->file.ptr, rule->line);
}
