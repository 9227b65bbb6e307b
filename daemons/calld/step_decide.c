/* SPDX-License-Identifier: Apache-2.0 */
/* The step that has policyd decide. */
#include "calld.h"

#include "statement.h"

#include <stdio.h>

static bool copy(struct span s, char *ret, size_t size)
{
    if (s.len >= size || (s.len && memchr(s.ptr, 0, s.len)))
        return false;
    if (s.len)
        memcpy(ret, s.ptr, s.len);
    ret[s.len] = '\0';
    return true;
}

/* False: policyd said something that no call can hold. */
static bool take_decision(struct call *c, const struct msg_decision *d)
{
    static const uint8_t no_id[MSG_CALL_ID];
    bool ok = copy(d->source_zone, c->source_zone, sizeof(c->source_zone)) &&
              copy(d->source_qube, c->source_qube, sizeof(c->source_qube)) &&
              copy(d->zone, c->zone, sizeof(c->zone)) &&
              copy(d->qube, c->qube, sizeof(c->qube)) &&
              copy(d->user, c->user, sizeof(c->user)) &&
              copy(d->rule, c->rule, sizeof(c->rule));

    if (ok && d->source.len)
        ok = copy(d->source, c->source_name, sizeof(c->source_name));
    if (ok && c->origin == CALL_OF_ZONE) {
        ok = copy(d->requested, c->requested, sizeof(c->requested)) &&
             copy(d->service, c->service, sizeof(c->service));
        c->deadline = d->deadline;
        /* All zero: the envelope could not be read, ours stays. */
        if (memcmp(d->call_id, no_id, sizeof(no_id)) != 0)
            memcpy(c->id, d->call_id, sizeof(c->id));
    }
    memcpy(c->policy, d->policy, sizeof(c->policy));
    c->autostart = d->autostart;
    return ok;
}

static enum call_plan plan_of(uint8_t kind)
{
    if (kind == MSG_TARGET_LOCAL || kind == MSG_TARGET_DISPOSABLE)
        return PLAN_LOCAL;
    return kind == MSG_TARGET_REMOTE ? PLAN_REMOTE : PLAN_COUNT;
}

static void on_decision(
        struct role *r, const struct role_msg *answer, void *user)
{
    struct call *c = user;
    const struct msg_decision *d = answer->body;
    const struct share_of who = {.origin = c->origin,
            .source = c->source_name,
            .peer_zone = c->peer_zone};
    enum call_plan plan;
    struct err err;

    (void)r;
    if (call_is_refused(c, answer))
        return;
    if (!take_decision(c, d)) {
        call_refuse(c, ERR_LIMIT, c->d->where, "the decision is too long");
        return;
    }
    if (d->ask && !*c->choice) {
        ask_begin(c, d);
        return;
    }
    if (!d->allow) {
        call_refuse_as(c, &(struct msg_refused){.code = (uint32_t)-ERR_DENIED,
                                  .where = d->where,
                                  .reason = d->reason});
        return;
    }
    /* Which qube of another zone calls is known from here on. */
    if (c->origin == CALL_OF_ZONE && share_begin(c->d, &who, c, &err)) {
        call_refuse(c, ERR_LIMIT, c->d->where, "%s", err.msg);
        return;
    }
    c->allowed = true;
    c->policies = c->d->policies;
    plan = plan_of(d->kind);
    if (plan == PLAN_COUNT) {
        call_refuse(c, ERR_UNSUPPORTED, c->d->where,
                "the decision is of no kind that a call can follow");
        return;
    }
    if (d->kind == MSG_TARGET_DISPOSABLE) {
        if (!copy(d->qube, c->template, sizeof(c->template))) {
            call_refuse(c, ERR_LIMIT, c->d->where, "the template's name");
            return;
        }
        (void)snprintf(c->qube, sizeof(c->qube), "@dispvm:%s", c->template);
    }
    /* It goes on to a third zone, with an envelope of this one. */
    if (plan == PLAN_REMOTE && c->origin == CALL_OF_ZONE) {
        c->via = c->envelope;
        c->envelope = BUF_INIT(STATEMENT_ENVELOPE_MAX);
    }
    plan_start(c, plan);
}

void step_decide(struct call *c)
{
    const struct msg_decide local = {.source = span_str(c->source_name),
            .target = span_str(c->requested),
            .service = span_str(c->service),
            .choice = span_str(c->choice),
            .state = span_str(call_source_proof(c)->state)};
    const struct msg_decide_remote remote = {.zone = span_str(c->peer_zone),
            .envelope = buf_span(&c->envelope),
            .choice = span_str(c->choice),
            .state = span_str(call_source_proof(c)->state)};
    bool is_remote = c->origin == CALL_OF_ZONE;
    const struct role_request q = {.to = MSG_ROLE_POLICYD,
            .type = is_remote ? MSG_DECIDE_REMOTE : MSG_DECIDE,
            .msg = is_remote ? (const void *)&remote : (const void *)&local,
            .expect = MSG_DECISION,
            .done = on_decision,
            .user = c};

    role_request(c->d->role, &q);
}
