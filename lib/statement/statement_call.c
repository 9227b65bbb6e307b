/* SPDX-License-Identifier: Apache-2.0 */
/* Calls and the decisions about them. */
#include "statement_private.h"

/* ---- call ------------------------------------------------------------ */

static const struct statement_member call_members[] = {
        M("appraisal", APPRAISAL_OPT, statement_call, appraisal, 0),
        M("autostart", BOOL, statement_call, autostart, 0),
        M("call", ID, statement_call, call_id, 0),
        M("deadline", TIME, statement_call, deadline, 0),
        M("issued", TIME, statement_call, issued, 0),
        M("logRoot", DIGEST_OPT, statement_call, log_root, 0),
        M("logSize", U64, statement_call, log_size, 0),
        M("origin", NAME, statement_call, origin, LIMIT_ZONE_NAME_MAX),
        M("policy", DIGEST, statement_call, policy, 0),
        M("qube", TEXT, statement_call, qube, QUBE_MAX),
        M("requested", TEXT_OPT, statement_call, requested,
                LIMIT_SERVICE_NAME_MAX),
        M("rule", TEXT, statement_call, rule, STATEMENT_RULE_MAX),
        M("service", TEXT, statement_call, service, LIMIT_SERVICE_MAX),
        M("sourceQube", TEXT, statement_call, source_qube, QUBE_MAX),
        M("via", TEXT_OPT, statement_call, via, STATEMENT_ENVELOPE_MAX),
        M("zone", NAME, statement_call, zone, LIMIT_ZONE_NAME_MAX),
        {0},
};

static void call_subject(const void *in, struct buf *name, uint8_t *ret)
{
    const struct statement_call *c = in;

    statement_predicate_subject_call(c->call_id, name, ret);
}

static const char *call_check(const void *in)
{
    const struct statement_call *c = in;

    if (c->appraisal.zone.len > 0 && !span_eq(c->appraisal.zone, c->zone))
        return "rests on the state of another zone";
    return c->deadline < c->issued ? "deadline before issued" : NULL;
}

static const struct statement_predicate call_predicate = {
        STATEMENT_CALL, call_members, call_subject, call_check};

int statement_call_format(
        const struct statement_call *c, struct buf *ret, struct err *err)
{
    struct statement_call scratch = {0};

    return statement_predicate_format(&call_predicate, c, &scratch, ret, err);
}

int statement_call_parse(
        const struct statement *s, struct statement_call *ret, struct err *err)
{
    struct statement_call c = {0};
    int r = statement_predicate_parse(&call_predicate, s, &c, err);

    if (r == 0)
        *ret = c;
    return r;
}

/* ---- decision -------------------------------------------------------- */

static const struct statement_member decision_members[] = {
        M("allow", BOOL, statement_decision, allow, 0),
        M("appraisal", APPRAISAL_OPT, statement_decision, appraisal, 0),
        M("call", ID, statement_decision, call_id, 0),
        M("envelope", DIGEST_OPT, statement_decision, envelope, 0),
        M("policy", DIGEST_OPT, statement_decision, policy, 0),
        M("reason", TEXT_OPT, statement_decision, reason, STATEMENT_REASON_MAX),
        M("requested", TEXT_OPT, statement_decision, requested,
                LIMIT_SERVICE_NAME_MAX),
        M("rule", TEXT_OPT, statement_decision, rule, STATEMENT_RULE_MAX),
        M("service", TEXT_OPT, statement_decision, service, LIMIT_SERVICE_MAX),
        M("source", TEXT_OPT, statement_decision, source, QUBE_MAX),
        M("sourceQube", TEXT_OPT, statement_decision, source_qube, QUBE_MAX),
        M("sourceZone", NAME_OPT, statement_decision, source_zone,
                LIMIT_ZONE_NAME_MAX),
        M("targetQube", TEXT_OPT, statement_decision, target_qube, QUBE_MAX),
        M("targetZone", NAME_OPT, statement_decision, target_zone,
                LIMIT_ZONE_NAME_MAX),
        M("time", TIME, statement_decision, time, 0),
        M("where", TEXT_OPT, statement_decision, where, WHERE_MAX),
        M("zone", NAME, statement_decision, zone, LIMIT_ZONE_NAME_MAX),
        {0},
};

static void decision_subject(const void *in, struct buf *name, uint8_t *ret)
{
    const struct statement_decision *d = in;

    statement_predicate_subject_call(d->call_id, name, ret);
}

static const char *decision_check(const void *in)
{
    const struct statement_decision *d = in;

    if (d->appraisal.zone.len > 0 &&
            !span_eq(d->appraisal.zone,
                    d->source_zone.len > 0 ? d->source_zone : d->zone))
        return "rests on the state of another zone";
    if (!d->allow)
        return d->where.len == 0 ? "denied without where" : NULL;
    if (d->where.len != 0 || d->reason.len != 0)
        return "allowed, but with a reason for a refusal";
    if (d->target_qube.len == 0 || statement_predicate_is_zero(d->policy))
        return "allowed without a target or a policy";
    return NULL;
}

static const struct statement_predicate decision_predicate = {
        STATEMENT_DECISION, decision_members, decision_subject, decision_check};

int statement_decision_format(
        const struct statement_decision *d, struct buf *ret, struct err *err)
{
    struct statement_decision scratch = {0};

    return statement_predicate_format(
            &decision_predicate, d, &scratch, ret, err);
}

int statement_decision_parse(const struct statement *s,
        struct statement_decision *ret, struct err *err)
{
    struct statement_decision d = {0};
    int r = statement_predicate_parse(&decision_predicate, s, &d, err);

    if (r == 0)
        *ret = d;
    return r;
}
