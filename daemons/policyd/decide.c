/* SPDX-License-Identifier: Apache-2.0 */
#include "decide.h"

#include <stdio.h>

static struct span safe(struct span untrusted, char *ret, size_t cap)
{
    text_format_safe(untrusted, ret, cap);
    return span_str(ret);
}

#define SAFE(untrusted, field) safe(untrusted, field, sizeof(field))

static void deny(const struct decide *d, const char *where, const char *reason,
        struct decide_text *text, struct msg_decision *ret)
{
    ret->allow = 0;
    ret->kind = 0;
    ret->zone = ret->qube = ret->user = SPAN_EMPTY;
    (void)snprintf(
            text->where, sizeof(text->where), "%s of zone %s", where, d->zone);
    ret->where = span_str(text->where);
    ret->reason = SAFE(span_str(reason), text->reason);
}

/* A call of another zone that goes on to a third. */
static const char *cannot_go_on(
        const struct policy_result *r, const struct judge_call *c)
{
    if (chain_has_zone(&c->chain, &c->call, r->target.qube->zone))
        return "the call has been in that zone before (loop)";
    /* Its links until now, and the one to come. */
    if (c->chain.n + 2 > LIMIT_CALL_HOPS)
        return "the call has been handed on too often";
    return NULL;
}

struct question {
    struct policy_request request;
    const struct judge_call *from; /* NULL: the call begins here */
    bool running;                  /* whose envelope was judged when it began */
    struct span choice;
};

/* What the zone cannot do although its rules allow it; NULL: it can. */
static const char *cannot(
        const struct policy_result *r, const struct question *q)
{
    const struct judge_call *from = q->from;

    /* Calls of a RemoteVM come with an envelope, or not at all. */
    if (!from && !q->running && span_eq_str(r->source->type, "RemoteVM"))
        return "a RemoteVM calls from its own zone alone";
    if (span_eq_str(r->target.qube->type, "AdminVM"))
        return "the zone itself offers no services";
    if (r->route == POLICY_ROUTE_RELAY)
        return "this zone reaches other zones itself, not over a relay";
    if (r->route == POLICY_ROUTE_ZONE && from)
        return cannot_go_on(r, from);
    return NULL;
}

static void allow(const struct policy_result *r, struct msg_decision *ret)
{
    const struct policy_qube *q = r->target.qube;
    bool remote = r->route == POLICY_ROUTE_ZONE;

    ret->allow = 1;
    ret->kind = r->target.dispvm ? MSG_TARGET_DISPOSABLE
                : remote         ? MSG_TARGET_REMOTE
                                 : MSG_TARGET_LOCAL;
    ret->autostart = r->autostart;
    ret->zone = remote ? q->zone : SPAN_EMPTY;
    ret->qube = remote ? q->remote_name : q->name;
    /* The other zone's rules say as whom its service runs. */
    ret->user = remote ? SPAN_EMPTY : r->user;
}

static void put_service(
        const struct policy_result *r, struct span asked, char *ret, size_t cap)
{
    text_format_safe(asked, ret, cap);
    if (r->verdict == POLICY_ALLOW)
        (void)snprintf(ret, cap, "%.*s%.*s", (int)r->service.len,
                r->service.ptr, (int)r->argument.len, r->argument.ptr);
}

/* ---- a person is to choose ---------------------------------------------- */

/* The zone itself serves nobody (cannot). */
static bool is_offered(const struct policy_target *t)
{
    return t->qube && !span_eq_str(t->qube->type, "AdminVM");
}

static bool put_candidates(const struct decide *d,
        const struct policy_result *r, struct decide_text *text,
        struct span *ret)
{
    size_t pos = 0, len = 0;
    struct policy_target t;

    while (policy_ask_next(r, d->system, &pos, &t)) {
        char *at = text->candidates + len;
        size_t room = sizeof(text->candidates) - len - 1;

        if (!is_offered(&t))
            continue;
        if (!policy_target_format(&t, at, room))
            return false;
        len += strlen(at);
        text->candidates[len++] = '\n';
    }
    *ret = SPAN(text->candidates, len);
    return len > 0;
}

static const char *ask(const struct decide *d, const struct policy_result *r,
        struct decide_text *text, struct msg_decision *ret)
{
    if (!put_candidates(d, r, text, &ret->candidates))
        return "the rule asks, and there is nothing to choose from";
    if (is_offered(&r->target) &&
            policy_target_format(
                    &r->target, text->fallback, sizeof(text->fallback)))
        ret->fallback = span_str(text->fallback);
    ret->guivm = r->source->guivm;
    ret->ask = 1;
    return NULL;
}

/* ---- deciding ----------------------------------------------------------- */

static void eval(const struct decide *d, const struct question *q,
        struct policy_result *r)
{
    policy_eval(d->policy, d->system, &q->request, r);
    /* One that runs may be allowed by now without a question. */
    if (q->choice.len > 0 && (!q->running || r->verdict == POLICY_ASK))
        policy_choose(d->policy, d->system, &q->request, q->choice, r);
}

static void settle(const struct decide *d, const struct question *q,
        const struct policy_result *r, struct decide_text *text,
        struct msg_decision *ret)
{
    const char *reason = r->reason;

    if (r->verdict == POLICY_ALLOW)
        reason = cannot(r, q);
    else if (r->verdict == POLICY_ASK && q->running)
        reason = "the rules have a person asked now";
    else if (r->verdict == POLICY_ASK)
        reason = ask(d, r, text, ret);
    if (reason)
        deny(d, "policy", reason, text, ret);
    else if (r->verdict == POLICY_ALLOW)
        allow(r, ret);
}

static void decide(const struct decide *d, const struct question *q,
        struct decide_text *text, struct msg_decision *ret)
{
    struct policy_result r;

    eval(d, q, &r);
    memcpy(ret->policy, d->digest, sizeof(ret->policy));
    ret->source =
            SAFE(r.source ? r.source->name : q->request.source, text->source);
    ret->requested = SAFE(q->request.target, text->requested);
    put_service(&r, q->request.service, text->service, sizeof(text->service));
    ret->service = span_str(text->service);
    if (r.rule_file.len) {
        (void)snprintf(text->rule, sizeof(text->rule), "%.*s:%u",
                (int)r.rule_file.len, r.rule_file.ptr, r.rule_line);
        ret->rule = span_str(text->rule);
    }
    settle(d, q, &r, text, ret);
}

void decide_local(const struct decide *d, const struct msg_decide *m,
        struct decide_text *text, struct msg_decision *ret)
{
    const struct question q = {.request = {.source = m->source,
                                       .target = m->target,
                                       .service = m->service,
                                       .state = m->state},
            .choice = m->choice,
            .running = m->running};

    *ret = (struct msg_decision){.allow = 0};
    decide(d, &q, text, ret);
    ret->source_qube = ret->source;
}

/* What is known of the call, whether it is allowed or not. */
static void put_origin(const struct judge_call *c, struct decide_text *text,
        struct msg_decision *ret)
{
    memcpy(ret->call_id, c->call.call_id, sizeof(ret->call_id));
    ret->deadline = c->call.deadline;
    ret->source_zone = c->call.origin;
    ret->source_qube = SAFE(c->call.source_qube, text->source_qube);
}

void decide_remote(const struct decide *d, const struct judge_call *c,
        const struct msg_decide_remote *m, struct decide_text *text,
        struct msg_decision *ret)
{
    const struct question q = {.request = {.source = span_str(c->source->name),
                                       .target = c->call.qube,
                                       .service = c->call.service,
                                       .state = m->state},
            .from = c,
            .choice = m->choice};

    *ret = (struct msg_decision){.allow = 0};
    decide(d, &q, text, ret);
    /* Every zone on the way may say that nothing is to be started. */
    ret->autostart = ret->autostart && c->call.autostart;
    put_origin(c, text, ret);
}

void decide_refuse(const struct decide *d, struct span peer,
        const struct judge_call *c, const char *reason,
        struct decide_text *text, struct msg_decision *ret)
{
    *ret = (struct msg_decision){.source_zone = peer};
    memcpy(ret->policy, d->digest, sizeof(ret->policy));
    deny(d, "envelope check", reason, text, ret);
    if (!c->verified)
        return;
    put_origin(c, text, ret);
    /* The signer may have named another origin: the proved peer counts. */
    ret->source_zone = peer;
    ret->requested = SAFE(c->call.qube, text->requested);
    ret->service = SAFE(c->call.service, text->service);
}
