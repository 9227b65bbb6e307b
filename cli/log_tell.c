/* SPDX-License-Identifier: Apache-2.0 */
/* One call, told to a person. */
#include "log_act.h"
#include "log_text.h"

#include <stdarg.h>
#include <stdio.h>

#define S(s) (int)(s).len, (const char *)(s).ptr

static void say(const char *label, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void say(const char *label, const char *fmt, ...)
{
    char text[8192], safe[8192];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    text_format_safe(span_str(text), safe, sizeof safe);
    printf("  %-10s %s\n", label, safe);
}

static void say_record(const struct act_record *r)
{
    char time[TEXT_TIME_SIZE] = "";

    (void)!text_format_time(log_text_time(&r->rec.s), time);
    say("", "%s, record %llu of %llu in the log of zone %s, signed by %s %s",
            time, (unsigned long long)r->rec.index,
            (unsigned long long)r->view->reader.head.size, r->view->zone,
            r->rec.signer == NULL ? "NO KEY OF THE ZONE" : "its key",
            r->rec.signer == NULL ? "" : r->rec.signer);
}

static void say_digest(const char *label, const char *what,
        const uint8_t d[static STATEMENT_DIGEST])
{
    char hex[TEXT_HEX_SIZE(STATEMENT_DIGEST)];

    text_format_hex(SPAN(d, STATEMENT_DIGEST), hex);
    say(label, "%s sha256 %s", what, hex);
}

/* On which state a zone acted, and what showed it. */
static void say_rests(const struct statement_appraisal *a)
{
    if (a->zone.len == 0)
        return;
    say("rests on", "zone %.*s being %.*s", S(a->zone), S(a->state));
    say_digest("", "evidence", a->evidence);
}

static void tell_call(const struct act_record *r)
{
    struct statement_call c;

    if (statement_call_parse(&r->rec.s, &c, NULL) < 0)
        return;
    say("who", "qube %.*s of zone %.*s", S(c.source_qube), S(c.origin));
    say("asked", "%.*s on %.*s", S(c.service), S(c.requested));
    say("allowed", "by zone %.*s, rule %.*s: to %.*s of zone %.*s", S(c.origin),
            S(c.rule), S(c.qube), S(c.zone));
    say_digest("", "policy", c.policy);
    say_rests(&c.appraisal);
    say_record(r);
}

static size_t depth_of(const struct act_record *r)
{
    struct statement_call c;

    return statement_call_parse(&r->rec.s, &c, NULL) < 0 ? 0 : c.via.len;
}

/* Each link holds those before it: the shortest is where the call began. */
static void tell_calls(const struct act *a)
{
    bool told[ARRAY_LEN(a->records)] = {false};

    for (;;) {
        size_t next = a->n;

        for (size_t i = 0; i < a->n; i++) {
            if (a->records[i].rec.s.kind == STATEMENT_CALL && !told[i] &&
                    (next == a->n || depth_of(&a->records[i]) <
                                             depth_of(&a->records[next])))
                next = i;
        }
        if (next == a->n)
            return;
        told[next] = true;
        tell_call(&a->records[next]);
    }
}

static void tell_decision(const struct act_record *r)
{
    struct statement_decision d;

    if (statement_decision_parse(&r->rec.s, &d, NULL) < 0)
        return;
    if (d.source_zone.len == 0) {
        say("who", "qube %.*s of zone %.*s", S(d.source), S(d.zone));
        say("asked", "%.*s on %.*s", S(d.service), S(d.requested));
    }
    if (d.allow)
        say("allowed", "by zone %.*s, rule %.*s: %.*s may call %.*s on %.*s",
                S(d.zone), S(d.rule), S(d.source), S(d.service),
                S(d.target_qube));
    else
        say("DENIED", "by %.*s: %.*s", S(d.where), S(d.reason));
    if (d.rule.len > 0)
        say_digest("", "policy", d.policy);
    say_rests(&d.appraisal);
    say_record(r);
}

static void tell_sign(const struct act_record *r)
{
    struct statement_sign g;

    if (statement_sign_parse(&r->rec.s, &g, NULL) < 0)
        return;
    say("signed", "%.*s, %llu bytes", S(g.artefact),
            (unsigned long long)g.artefact_size);
    say_digest("", "artefact", g.artefact_sha256);
    say_digest("", "signature", g.signature);
    say("key", "%.*s of zone %.*s, custody %.*s, profile %.*s", S(g.key),
            S(g.zone), S(g.custody), S(g.profile));
    say_digest("", "public key", g.key_sha256);
    say("state", "%.*s%s", S(g.state),
            g.emulated ? "; the TPM is emulated" : "");
    say_digest("", "evidence", g.evidence);
    say("requester", "qube %.*s of zone %.*s, here called %.*s",
            S(g.requester_qube), S(g.requester_zone), S(g.source));
    say_record(r);
}

static void tell_other(const struct act_record *r)
{
    char line[8192];

    log_text_line(&r->rec, line, sizeof line);
    printf("  %s\n", line);
    say_record(r);
}

static const struct {
    enum statement_kind kind;
    void (*tell)(const struct act_record *r);
} tells[] = {
        {STATEMENT_DECISION, tell_decision},
        {STATEMENT_SIGN, tell_sign},
        {STATEMENT_CHANNEL, tell_other},
        {STATEMENT_EVENT, tell_other},
        {STATEMENT_KEY, tell_other},
        {STATEMENT_ZONE, tell_other},
        {STATEMENT_REFERENCE, tell_other},
        {STATEMENT_RULES, tell_other},
        {STATEMENT_VALUES, tell_other},
        {STATEMENT_OTHER, tell_other},
};

/* The order of the table is the order of what happens. */
void log_tell_act(const struct act *a)
{
    tell_calls(a);
    for (size_t k = 0; k < ARRAY_LEN(tells); k++) {
        for (size_t i = 0; i < a->n; i++) {
            if (a->records[i].rec.s.kind == tells[k].kind)
                tells[k].tell(&a->records[i]);
        }
    }
    for (size_t i = 0; i < json_array_size(a->findings); i++)
        say("WRONG", "%s", json_string_value(json_array_get(a->findings, i)));
}
