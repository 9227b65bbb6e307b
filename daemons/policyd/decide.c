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

/* What the zone cannot do although its rules allow it; NULL: it can. */
static const char *cannot(
        const struct policy_result *r, const struct judge_call *from)
{
    /* Calls of a RemoteVM come with an envelope, or not at all. */
    if (!from && span_eq_str(r->source->type, "RemoteVM"))
        return "a RemoteVM calls from its own zone alone";
    if (r->target.dispvm)
        return "this zone has no disposable qubes";
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
    ret->kind = remote ? MSG_TARGET_REMOTE : MSG_TARGET_LOCAL;
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

/* from: NULL when the call begins here. */
static void decide(const struct decide *d, const struct policy_request *request,
        const struct judge_call *from, struct decide_text *text,
        struct msg_decision *ret)
{
    struct policy_result r;
    const char *reason;

    policy_eval(d->policy, d->system, request, &r);
    memcpy(ret->policy, d->digest, sizeof(ret->policy));
    ret->source =
            SAFE(r.source ? r.source->name : request->source, text->source);
    ret->requested = SAFE(request->target, text->requested);
    put_service(&r, request->service, text->service, sizeof(text->service));
    ret->service = span_str(text->service);
    if (r.rule_file.len) {
        (void)snprintf(text->rule, sizeof(text->rule), "%.*s:%u",
                (int)r.rule_file.len, r.rule_file.ptr, r.rule_line);
        ret->rule = span_str(text->rule);
    }
    reason = r.verdict == POLICY_ALLOW ? cannot(&r, from) : r.reason;
    if (r.verdict == POLICY_ASK)
        reason = "nobody to ask: this zone has no agent that asks a person";
    if (reason)
        deny(d, "policy", reason, text, ret);
    else
        allow(&r, ret);
}

void decide_local(const struct decide *d, const struct msg_decide *m,
        struct decide_text *text, struct msg_decision *ret)
{
    const struct policy_request request = {
            .source = m->source, .target = m->target, .service = m->service};

    *ret = (struct msg_decision){.allow = 0};
    decide(d, &request, NULL, text, ret);
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
        struct decide_text *text, struct msg_decision *ret)
{
    const struct policy_request request = {.source = span_str(c->source->name),
            .target = c->call.qube,
            .service = c->call.service};

    *ret = (struct msg_decision){.allow = 0};
    decide(d, &request, c, text, ret);
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
