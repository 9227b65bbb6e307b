/* SPDX-License-Identifier: Apache-2.0 */
#include "log_text.h"

#include <stdio.h>

/* A span's text for printf("%.*s"): statements hold printable ASCII. */
#define S(s) (int)(s).len, (const char *)(s).ptr

static void put_call(const struct statement *s, struct buf *ret)
{
    struct statement_call c;

    if (statement_call_parse(s, &c, NULL) < 0)
        return;
    buf_printf(ret,
            "call      %.*s may call %.*s on %.*s of zone %.*s (rule %.*s)",
            S(c.source_qube), S(c.service), S(c.qube), S(c.zone), S(c.rule));
    if (c.appraisal.zone.len > 0)
        buf_printf(ret, ", which is %.*s", S(c.appraisal.state));
}

static void put_decision(const struct statement *s, struct buf *ret)
{
    struct statement_decision d;

    if (statement_decision_parse(s, &d, NULL) < 0)
        return;
    buf_printf(ret, "%s   %.*s", d.allow ? "allowed" : "denied ", S(d.source));
    if (d.source_zone.len > 0)
        buf_printf(ret, " (%.*s of zone %.*s)", S(d.source_qube),
                S(d.source_zone));
    buf_printf(ret, " calls %.*s on %.*s", S(d.service),
            S(d.allow ? d.target_qube : d.requested));
    if (d.target_zone.len > 0)
        buf_printf(ret, " of zone %.*s", S(d.target_zone));
    if (d.rule.len > 0)
        buf_printf(ret, " (rule %.*s)", S(d.rule));
    if (d.appraisal.zone.len > 0)
        buf_printf(ret, ", zone %.*s being %.*s", S(d.appraisal.zone),
                S(d.appraisal.state));
    if (!d.allow)
        buf_printf(ret, ": %.*s: %.*s", S(d.where), S(d.reason));
}

static void put_sign(const struct statement *s, struct buf *ret)
{
    struct statement_sign g;

    if (statement_sign_parse(s, &g, NULL) < 0)
        return;
    buf_printf(ret,
            "sign      %.*s with key %.*s (%.*s, %.*s) for %.*s of zone %.*s,"
            " state %.*s",
            S(g.artefact), S(g.key), S(g.custody), S(g.profile),
            S(g.requester_qube), S(g.requester_zone), S(g.state));
}

static void put_channel(const struct statement *s, struct buf *ret)
{
    struct statement_channel c;

    if (statement_channel_parse(s, &c, NULL) < 0)
        return;
    buf_printf(ret, "channel   %s to zone %.*s",
            statement_channel_event_name(c.event), S(c.peer));
    if (c.state.len > 0)
        buf_printf(ret, ", state %.*s", S(c.state));
    if (c.where.len > 0)
        buf_printf(ret, ": %.*s", S(c.where));
    if (c.reason.len > 0)
        buf_printf(ret, ": %.*s", S(c.reason));
}

static void put_event(const struct statement *s, struct buf *ret)
{
    struct statement_event e;

    if (statement_event_parse(s, &e, NULL) < 0)
        return;
    buf_printf(ret, "event     %.*s: %.*s", S(e.kind), S(e.detail));
}

static void put_other(const struct statement *s, struct buf *ret)
{
    buf_printf(
            ret, "%-9s %.*s", statement_kind_name(s->kind), S(s->subject_name));
}

static void (*const put[STATEMENT_KIND_COUNT])(
        const struct statement *s, struct buf *ret) = {
        [STATEMENT_OTHER] = put_other,
        [STATEMENT_CALL] = put_call,
        [STATEMENT_DECISION] = put_decision,
        [STATEMENT_SIGN] = put_sign,
        [STATEMENT_CHANNEL] = put_channel,
        [STATEMENT_EVENT] = put_event,
        [STATEMENT_ZONE] = put_other,
        [STATEMENT_KEY] = put_other,
        [STATEMENT_REFERENCE] = put_other,
        [STATEMENT_RULES] = put_other,
        [STATEMENT_VALUES] = put_other,
};

uint64_t log_text_time(const struct statement *s)
{
    struct statement_reader r = statement_reader_of(s->predicate);
    uint64_t t = 0;

    if (statement_has(&r, "time") && !statement_get_time(&r, "time", &t))
        return 0;
    if (t == 0 && statement_has(&r, "issued") &&
            !statement_get_time(&r, "issued", &t))
        return 0;
    return t;
}

void log_text_line(const struct log_record *r, char *ret, size_t cap)
{
    CLEANUP(buf_fini) struct buf line = BUF_INIT(16384);
    char time[TEXT_TIME_SIZE] = "-";

    if (!text_format_time(log_text_time(&r->s), time))
        time[0] = '\0';
    buf_printf(&line, "%s ", time);
    put[r->s.kind](&r->s, &line);
    text_format_safe(buf_span(&line), ret, cap);
}

json_t *log_text_json(const struct log_view *v, const struct log_record *r)
{
    const struct buf *payload = &r->s.dsse->payload;
    json_t *statement =
            json_loadb((const char *)payload->ptr, payload->len, 0, NULL);
    char keyid[STATEMENT_KEYID_MAX + 1];

    text_format_safe(r->s.keyid, keyid, sizeof keyid);
    return json_pack("{s:I, s:s, s:s, s:s?, s:o, s:s}", "index",
            (json_int_t)r->index, "keyid", keyid, "kind",
            statement_kind_name(r->s.kind), "signer", r->signer, "statement",
            statement, "zone", v->zone);
}
