/* SPDX-License-Identifier: Apache-2.0 */
/* The one path from a request to a verdict (docs/policy.md, "Evaluation"). */
#include "policy_int.h"

#include <stdarg.h>
#include <stdio.h>

void policy_result_deny(
        struct policy_result *r, enum policy_class cls, const char *fmt, ...)
{
    va_list ap;

    r->verdict = POLICY_DENY;
    r->deny_class = cls;
    r->target = (struct policy_target){0};
    r->notify = true;
    va_start(ap, fmt);
    (void)vsnprintf(r->reason, sizeof(r->reason), fmt, ap);
    va_end(ap);
}

/* ---- the rule that decides ------------------------------------------------
 */

/* The first rule of the group that comes before limit and fits the target. */
static uint32_t first_in_group(const struct policy_query *q,
        const struct policy_group *g, bool any_state, uint32_t limit)
{
    const struct policy *p = q->policy;

    for (uint32_t i = g->first; i < g->first + g->count; i++) {
        if (p->order[i].rule >= limit)
            break;
        if (policy_query_has_target(q, p->order[i].target) &&
                (any_state ||
                        policy_query_has_state(q, &p->rules[p->order[i].rule])))
            return p->order[i].rule;
    }
    return limit;
}

static const struct policy_rule *find_rule(
        const struct policy_query *q, bool any_state)
{
    const struct policy *p = q->policy;
    const uint32_t keys[][2] = {
            {q->service, q->argument}, {q->service, p->any}, {p->any, p->any}};
    uint32_t best = p->n_rules;

    for (size_t k = 0; k < ARRAY_LEN(keys); k++) {
        if (keys[k][0] == POLICY_WORD_NONE || keys[k][1] == POLICY_WORD_NONE)
            continue;
        for (size_t s = 0; s < q->n_sources; s++) {
            const struct policy_group *g =
                    policy_index_find(p, keys[k][0], keys[k][1], q->sources[s]);

            if (g)
                best = first_in_group(q, g, any_state, best);
        }
    }
    return best < p->n_rules ? &p->rules[best] : NULL;
}

/* ---- what an allow leads to -----------------------------------------------
 */

bool policy_may_start(
        const struct policy_rule *rule, const struct policy_target *t)
{
    return rule->autostart || (!t->dispvm && t->qube->running);
}

static void route_remote(struct policy_result *r)
{
    const struct policy_qube *q = r->target.qube;

    if (r->target.dispvm || !span_eq_str(q->type, "RemoteVM")) {
        r->route = POLICY_ROUTE_LOCAL;
    } else if (q->zone.len && q->remote_name.len) {
        r->route = POLICY_ROUTE_ZONE;
    } else if (q->relayvm.len && q->transport_rpc.len) {
        r->route = POLICY_ROUTE_RELAY;
    } else {
        policy_result_deny(r, POLICY_CLASS_EXECUTE,
                "RemoteVM '%.*s' has neither a zone nor a relay with a "
                "transport service",
                (int)q->name.len, q->name.ptr);
    }
}

/*
 * Qubes compares spellings, so that a uuid gets through: this is a check of
 * what can work, not of what may.
 */
static bool is_loop(const struct policy_result *r, const struct policy_query *q)
{
    struct span text = r->target.text;

    return !r->target.dispvm && r->target.qube == r->source &&
           (span_eq(text, r->source->name) ||
                   (r->source == q->system->dom0 &&
                           span_eq_str(text, "@adminvm")));
}

/* named: the template of a disposable was spelled out. */
static void settle(const struct policy_query *q, const struct policy_rule *rule,
        bool named, struct policy_result *r)
{
    const char *file = (const char *)rule->file.ptr;
    int len = (int)rule->file.len;

    if (!r->target.qube) {
        policy_result_deny(r, POLICY_CLASS_POLICY,
                "%.*s:%u allows, but no such target exists", len, file,
                rule->line);
    } else if (!policy_may_start(rule, &r->target)) {
        policy_result_deny(r, POLICY_CLASS_POLICY,
                "%.*s:%u allows only targets that run already", len, file,
                rule->line);
        r->notify = rule->notify;
    } else if (named && !r->target.qube->template_for_dispvms) {
        policy_result_deny(r, POLICY_CLASS_POLICY,
                "%.*s:%u allows, but '%.*s' is no template of disposables", len,
                file, rule->line, (int)r->target.qube->name.len,
                r->target.qube->name.ptr);
    } else if (is_loop(r, q)) {
        policy_result_deny(r, POLICY_CLASS_EXECUTE,
                "%.*s:%u allows, but a qube cannot call itself", len, file,
                rule->line);
    } else {
        r->verdict = POLICY_ALLOW;
        (void)snprintf(r->reason, sizeof(r->reason), "allowed by %.*s:%u", len,
                file, rule->line);
        route_remote(r);
    }
}

static void allow(const struct policy_query *q, const struct policy_rule *rule,
        struct policy_result *r)
{
    const struct policy_token *token =
            rule->redirect.text.ptr ? &rule->redirect : &q->target;

    r->target = policy_target_of(q, token);
    settle(q, rule, token->kind == POLICY_TOKEN_DISPVM_NAME, r);
}

static void apply(const struct policy_query *q, const struct policy_rule *rule,
        struct policy_result *r)
{
    r->rule = (size_t)(rule - q->policy->rules) + 1;
    r->rule_file = rule->file;
    r->rule_line = rule->line;
    r->user = rule->user;
    r->autostart = rule->autostart;
    r->notify = rule->notify;
    switch (rule->action) {
    case POLICY_ACTION_DENY:
        policy_result_deny(r, POLICY_CLASS_POLICY, "denied by %.*s:%u",
                (int)rule->file.len, rule->file.ptr, rule->line);
        r->notify = rule->notify;
        break;
    case POLICY_ACTION_ALLOW:
        allow(q, rule, r);
        break;
    case POLICY_ACTION_ASK:
        policy_ask(q, rule, r);
        break;
    }
}

/* A rule would have decided, but for the state of the source zone. */
static void tell_state(const struct policy_query *q,
        const struct policy_rule *rule, struct policy_result *r)
{
    const struct policy_rule *wants = find_rule(q, true);
    size_t len = strlen(r->reason);
    char state[POLICY_STATE_MAX + sizeof(POLICY_EMULATED)];

    if (!wants || wants == rule)
        return;
    text_format_safe(q->state, state, sizeof(state));
    (void)snprintf(r->reason + len, sizeof(r->reason) - len,
            "; %.*s:%u wants state=%.*s, and the state of the source zone is "
            "%s%s",
            (int)wants->file.len, wants->file.ptr, wants->line,
            (int)wants->state.len, wants->state.ptr,
            q->state.len ? state : "not known",
            q->emulated ? POLICY_EMULATED : "");
}

static void decide(const struct policy_query *q, struct policy_result *r)
{
    const struct policy_rule *rule = find_rule(q, false);

    if (rule)
        apply(q, rule, r);
    else
        policy_result_deny(r, POLICY_CLASS_POLICY, "no rule matches");
    if (r->verdict == POLICY_DENY)
        tell_state(q, rule, r);
}

void policy_eval(const struct policy *p, const struct policy_system *s,
        const struct policy_request *request, struct policy_result *ret)
{
    struct policy_query q;

    if (policy_query_init(&q, p, s, request, ret))
        decide(&q, ret);
}

/* ---- a person's answer -----------------------------------------------------
 */

/* The candidate that choice names, among those of r. */
static bool find_choice(const struct policy_query *q,
        const struct policy_result *r, struct span choice,
        struct policy_target *ret, bool *ret_named)
{
    struct policy_token token;
    struct policy_target t, wanted;
    size_t pos = 0;

    if (!policy_token_parse(choice, POLICY_PLACE_REQUEST, &token))
        return false;
    wanted = policy_target_of(q, &token);
    while (wanted.qube && policy_ask_next(r, q->system, &pos, &t)) {
        bool plain = t.dispvm && t.text.len == 0;

        if (t.qube != wanted.qube || t.dispvm != wanted.dispvm ||
                plain != (token.kind == POLICY_TOKEN_DISPVM))
            continue;
        *ret = t;
        *ret_named = token.kind == POLICY_TOKEN_DISPVM_NAME;
        if (plain)
            ret->text = q->source->default_dispvm;
        return true;
    }
    return false;
}

void policy_choose(const struct policy *p, const struct policy_system *s,
        const struct policy_request *request, struct span choice,
        struct policy_result *ret)
{
    const struct policy_rule *rule;
    struct policy_target target;
    struct policy_query q;
    bool named;
    char safe[48];

    if (!policy_query_init(&q, p, s, request, ret))
        return;
    rule = find_rule(&q, false);
    decide(&q, ret);
    if (ret->verdict == POLICY_DENY)
        return;
    if (ret->verdict == POLICY_ALLOW) {
        policy_result_deny(ret, POLICY_CLASS_POLICY,
                "the policy changed while the question was open");
        return;
    }
    if (!find_choice(&q, ret, choice, &target, &named)) {
        text_format_safe(choice, safe, sizeof(safe));
        policy_result_deny(ret, POLICY_CLASS_POLICY,
                "%.*s:%u asks, and '%s' is not among what it offers",
                (int)ret->rule_file.len, ret->rule_file.ptr, ret->rule_line,
                safe);
        return;
    }
    ret->target = target;
    settle(&q, rule, named, ret);
    if (ret->verdict == POLICY_ALLOW)
        (void)snprintf(ret->reason, sizeof(ret->reason),
                "allowed by the person whom %.*s:%u asks",
                (int)ret->rule_file.len, ret->rule_file.ptr, ret->rule_line);
}

bool policy_target_format(const struct policy_target *t, char *ret, size_t cap)
{
    int n;

    if (t->dispvm && t->text.len == 0)
        n = snprintf(ret, cap, "@dispvm");
    else if (!t->dispvm && t->qube && span_eq_str(t->qube->name, "dom0"))
        n = snprintf(ret, cap, "dom0");
    else
        n = snprintf(ret, cap, "%s%.*s", t->dispvm ? "@dispvm:" : "",
                (int)t->text.len, t->text.ptr);
    return n > 0 && (size_t)n < cap;
}

/* ---- explanation ----------------------------------------------------------
 */

const char *policy_match_name(enum policy_match m)
{
    switch (m) {
    case POLICY_MATCH:
        return "decides";
    case POLICY_MATCH_LATER:
        return "matches, but an earlier rule decides";
    case POLICY_MATCH_SERVICE:
        return "service differs";
    case POLICY_MATCH_ARGUMENT:
        return "argument differs";
    case POLICY_MATCH_SOURCE:
        return "source differs";
    case POLICY_MATCH_TARGET:
        return "target differs";
    case POLICY_MATCH_STATE:
        return "the state of the source zone differs";
    }
    return "?";
}

static enum policy_match match_rule(
        const struct policy_query *q, const struct policy_rule *rule)
{
    uint32_t any = q->policy->any;

    if (rule->service != any && rule->service != q->service)
        return POLICY_MATCH_SERVICE;
    if (rule->argument != any && rule->argument != q->argument)
        return POLICY_MATCH_ARGUMENT;
    if (!policy_query_has_source(q, rule->source))
        return POLICY_MATCH_SOURCE;
    if (!policy_query_has_state(q, rule))
        return POLICY_MATCH_STATE;
    if (!policy_query_has_target(q, rule->target))
        return POLICY_MATCH_TARGET;
    return POLICY_MATCH;
}

bool policy_rule_fits(const struct policy *p, const struct policy_system *s,
        const struct policy_request *request, size_t i)
{
    struct policy_result unused;
    struct policy_query q;

    return policy_query_init(&q, p, s, request, &unused) &&
           match_rule(&q, &p->rules[i]) == POLICY_MATCH;
}

void policy_explain(const struct policy *p, const struct policy_system *s,
        const struct policy_request *request,
        void (*show)(void *ctx, const struct policy_finding *finding),
        void *ctx, struct policy_result *ret)
{
    struct policy_query q;
    bool decided = false;

    if (!policy_query_init(&q, p, s, request, ret))
        return;
    for (uint32_t i = 0; i < p->n_rules; i++) {
        const struct policy_rule *rule = &p->rules[i];
        struct policy_finding f = {.file = rule->file,
                .line = rule->line,
                .text = rule->text,
                .match = match_rule(&q, rule)};

        if (f.match == POLICY_MATCH && decided)
            f.match = POLICY_MATCH_LATER;
        decided |= f.match == POLICY_MATCH;
        show(ctx, &f);
    }
    decide(&q, ret);
}

bool policy_format_relay(const struct policy_result *r, char *ret, size_t cap)
{
    const struct policy_qube *q = r->target.qube;
    int n;

    if (r->verdict != POLICY_ALLOW || r->route != POLICY_ROUTE_RELAY)
        return false;
    n = snprintf(ret, cap, "%.*s+%.*s+%.*s%.*s", (int)q->transport_rpc.len,
            q->transport_rpc.ptr, (int)q->name.len, q->name.ptr,
            (int)r->service.len, r->service.ptr, (int)r->argument.len,
            r->argument.ptr);
    return n > 0 && (size_t)n < cap;
}
