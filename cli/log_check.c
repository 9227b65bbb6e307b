/* SPDX-License-Identifier: Apache-2.0 */
/* Do the records of one call agree with one another? */
#include "log_act.h"

#include <stdarg.h>
#include <stdio.h>

#define S(s) (int)(s).len, (const char *)(s).ptr

static void finding(struct act *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void finding(struct act *a, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    a->bad++;
    json_array_append_new(a->findings, json_string(text));
}

static const struct act_record *decision_of(
        const struct act *a, struct span zone, struct statement_decision *ret)
{
    for (size_t i = 0; i < a->n; i++) {
        if (statement_decision_parse(&a->records[i].rec.s, ret, NULL) == 0 &&
                span_eq(ret->zone, zone))
            return &a->records[i];
    }
    return NULL;
}

static void check_records(struct act *a)
{
    for (size_t i = 0; i < a->n; i++) {
        const struct act_record *r = &a->records[i];
        struct err err = {0};

        if (r->rec.signer == NULL)
            finding(a, "record %llu of zone %s is signed by no key of the zone",
                    (unsigned long long)r->rec.index, r->view->zone);
        if (log_view_prove(r->view, &r->rec, &err) < 0)
            finding(a, "record %llu of zone %s: %s",
                    (unsigned long long)r->rec.index, r->view->zone, err.msg);
    }
}

/* The call record of a zone; NULL: its log is not at hand, or has none. */
static const struct act_record *call_of(
        const struct act *a, struct span zone, struct statement_call *ret)
{
    for (size_t i = 0; i < a->n; i++) {
        if (statement_call_parse(&a->records[i].rec.s, ret, NULL) == 0 &&
                span_eq(ret->origin, zone))
            return &a->records[i];
    }
    return NULL;
}

/* r names an envelope of zone: is it the one in that zone's log? */
static void check_envelope(struct act *a, const struct act_record *r,
        struct span zone, const uint8_t named[static STATEMENT_DIGEST])
{
    static const uint8_t none[STATEMENT_DIGEST];
    struct statement_call c;
    const struct act_record *call = call_of(a, zone, &c);
    uint8_t have[STATEMENT_DIGEST];

    if (memcmp(named, none, sizeof none) == 0 || call == NULL)
        return;
    crypto_sha256(buf_span(&call->rec.entry), have);
    if (memcmp(have, named, sizeof have) != 0)
        finding(a, "record %llu of zone %s names another call envelope",
                (unsigned long long)r->rec.index, r->view->zone);
}

/* A call that went on: is the link before it the one in that zone's log? */
static void check_via(struct act *a, const struct act_record *r)
{
    CLEANUP(statement_fini) struct statement before = {0};
    struct statement_call c, b;
    uint8_t digest[STATEMENT_DIGEST];

    if (statement_call_parse(&r->rec.s, &c, NULL) < 0 || c.via.len == 0)
        return;
    if (statement_open_untrusted(c.via, &before, NULL) < 0 ||
            statement_call_parse(&before, &b, NULL) < 0) {
        finding(a, "record %llu of zone %s goes on from no call envelope",
                (unsigned long long)r->rec.index, r->view->zone);
        return;
    }
    crypto_sha256(c.via, digest);
    check_envelope(a, r, b.origin, digest);
}

static void check_sign(struct act *a, const struct act_record *r)
{
    struct statement_decision d;
    struct statement_sign g;

    if (statement_sign_parse(&r->rec.s, &g, NULL) < 0)
        return;
    check_envelope(a, r, g.requester_zone, g.envelope);
    if (decision_of(a, g.zone, &d) == NULL) {
        finding(a, "no decision of zone %.*s precedes the signature",
                S(g.zone));
        return;
    }
    if (!d.allow || memcmp(d.policy, g.policy, sizeof d.policy) != 0 ||
            !span_eq(d.rule, g.rule) || !span_eq(d.target_qube, g.qube))
        finding(a, "decision and signature of zone %.*s do not agree",
                S(g.zone));
}

void log_check_act(struct act *a)
{
    check_records(a);
    for (size_t i = 0; i < a->n; i++) {
        const struct act_record *r = &a->records[i];
        struct statement_decision d;

        if (statement_decision_parse(&r->rec.s, &d, NULL) == 0)
            check_envelope(a, r, d.source_zone.len > 0 ? d.source_zone : d.zone,
                    d.envelope);
        check_via(a, r);
        if (r->rec.s.kind == STATEMENT_SIGN)
            check_sign(a, r);
    }
}
