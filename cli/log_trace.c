/* SPDX-License-Identifier: Apache-2.0 */
#include "log_trace.h"

#include "cli_json.h"
#include "log_text.h"

#include <stdio.h>
#include <stdlib.h>

#define S(s) (int)(s).len, (const char *)(s).ptr

/* ---- which entries ------------------------------------------------------ */

struct hits {
    uint64_t *index;
    size_t n, cap;
};

static int add_hit(void *arg, uint64_t index)
{
    struct hits *h = arg;

    if (h->n == h->cap)
        return ERR_LIMIT;
    h->index[h->n++] = index;
    return 0;
}

static bool has_call(const struct statement *s, uint8_t *ret)
{
    struct statement_reader r = statement_reader_of(s->predicate);

    return statement_has(&r, "call") &&
           statement_get_hex(&r, "call", ret, STATEMENT_CALL_ID);
}

static bool matches(
        const struct statement *s, const struct log_trace_what *what)
{
    uint8_t id[STATEMENT_CALL_ID];

    if (what->is_call)
        return has_call(s, id) && memcmp(id, what->call_id, sizeof id) == 0;
    return memcmp(s->subject, what->sha256, sizeof s->subject) == 0;
}

static int scan(struct log_view *v, const struct log_trace_what *what,
        struct hits *ret, struct err *err)
{
    for (uint64_t i = 0; i < v->reader.head.size; i++) {
        struct statement s;
        struct span entry;
        int r = store_reader_get(&v->reader, i, &entry, err);
        bool hit;

        if (r < 0)
            return r;
        if (statement_open_untrusted(entry, &s, NULL) < 0)
            continue;
        hit = matches(&s, what);
        statement_fini(&s);
        if (hit && add_hit(ret, i) < 0)
            return err_set(err, ERR_LIMIT, "more than %zu records", ret->cap);
    }
    return 0;
}

static int find(const struct log_trace *t, struct log_view *v,
        const struct log_trace_what *what, struct hits *ret, struct err *err)
{
    CLEANUP(store_index_close_ptr) struct store_index *x = NULL;
    struct store_query q = {0};
    int r;

    if (t->scan)
        return scan(v, what, ret, err);
    r = store_index_open(v->dir, &v->reader, &x, err);
    if (r < 0)
        return r;
    if (what->is_call)
        q.call_id = what->call_id;
    else
        q.subject = what->sha256;
    return store_index_query(x, &q, add_hit, ret, err);
}

/* ---- one act --------------------------------------------------------------
 */

/* Where one record stands and what it is. */
struct act_record {
    struct log_view *view;
    struct log_record rec;
};

struct act {
    struct act_record records[LOG_TRACE_VIEWS * LOG_TRACE_RECORDS];
    size_t n;
    unsigned bad; /* things that do not hold */
    json_t *findings;
};

static void act_fini(struct act *a)
{
    for (size_t i = 0; i < a->n; i++)
        log_record_fini(&a->records[i].rec);
    json_decref(a->findings);
    a->n = 0;
}

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

static int act_load(const struct log_trace *t,
        const struct log_trace_what *what, struct act *ret, struct err *err)
{
    static uint64_t room[LOG_TRACE_RECORDS];
    int r = 0;

    for (size_t v = 0; v < t->n_views && r == 0; v++) {
        struct hits hits = {room, 0, LOG_TRACE_RECORDS};

        r = find(t, t->views[v], what, &hits, err);
        for (size_t i = 0; i < hits.n && r == 0; i++) {
            struct act_record *a = &ret->records[ret->n];

            r = log_view_get(t->views[v], hits.index[i], &a->rec, err);
            if (r < 0)
                break;
            a->view = t->views[v];
            if (matches(&a->rec.s, what))
                ret->n++;
            else
                log_record_fini(&a->rec); /* the index was wrong */
        }
    }
    return r;
}

static const struct act_record *first_of(
        const struct act *a, enum statement_kind kind)
{
    for (size_t i = 0; i < a->n; i++) {
        if (a->records[i].rec.s.kind == kind)
            return &a->records[i];
    }
    return NULL;
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

/* ---- do the records agree --------------------------------------------------
 */

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

static void check_envelope(struct act *a, const struct act_record *r,
        const uint8_t named[static STATEMENT_DIGEST])
{
    static const uint8_t none[STATEMENT_DIGEST];
    const struct act_record *call = first_of(a, STATEMENT_CALL);
    uint8_t have[STATEMENT_DIGEST];

    if (memcmp(named, none, sizeof none) == 0 || call == NULL)
        return;
    crypto_sha256(buf_span(&call->rec.entry), have);
    if (memcmp(have, named, sizeof have) != 0)
        finding(a, "record %llu of zone %s names another call envelope",
                (unsigned long long)r->rec.index, r->view->zone);
}

static void check_sign(struct act *a, const struct act_record *r)
{
    struct statement_decision d;
    struct statement_sign g;

    if (statement_sign_parse(&r->rec.s, &g, NULL) < 0)
        return;
    check_envelope(a, r, g.envelope);
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

static void check_act(struct act *a)
{
    check_records(a);
    for (size_t i = 0; i < a->n; i++) {
        const struct act_record *r = &a->records[i];
        struct statement_decision d;

        if (statement_decision_parse(&r->rec.s, &d, NULL) == 0)
            check_envelope(a, r, d.envelope);
        if (r->rec.s.kind == STATEMENT_SIGN)
            check_sign(a, r);
    }
}

/* ---- telling it
 * -------------------------------------------------------------- */

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
    say_record(r);
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
        {STATEMENT_CALL, tell_call},
        {STATEMENT_DECISION, tell_decision},
        {STATEMENT_SIGN, tell_sign},
        {STATEMENT_CHANNEL, tell_other},
        {STATEMENT_EVENT, tell_other},
        {STATEMENT_KEY, tell_other},
        {STATEMENT_ZONE, tell_other},
        {STATEMENT_REFERENCE, tell_other},
        {STATEMENT_OTHER, tell_other},
};

/* The order of the table is the order of what happens. */
static void tell_act(const struct act *a)
{
    for (size_t k = 0; k < ARRAY_LEN(tells); k++) {
        for (size_t i = 0; i < a->n; i++) {
            if (a->records[i].rec.s.kind == tells[k].kind)
                tells[k].tell(&a->records[i]);
        }
    }
    for (size_t i = 0; i < json_array_size(a->findings); i++)
        say("WRONG", "%s", json_string_value(json_array_get(a->findings, i)));
}

static int print_act_json(
        const char *title, const struct act *a, struct err *err)
{
    json_t *records = json_array();

    for (size_t i = 0; i < a->n; i++)
        json_array_append_new(
                records, log_text_json(a->records[i].view, &a->records[i].rec));
    return cli_json_put(json_pack("{s:s, s:O, s:o}", "act", title, "findings",
                                a->findings, "records", records),
            stdout, err);
}

/* Loads, checks and prints what belongs to one call (or one digest). */
static int trace_act(const struct log_trace *t,
        const struct log_trace_what *what, unsigned *bad, struct err *err)
{
    CLEANUP(buf_free_ptr) struct act *a = calloc(1, sizeof *a);
    char hex[TEXT_HEX_SIZE(STATEMENT_DIGEST)], title[128];
    int r;

    if (a == NULL || (a->findings = json_array()) == NULL)
        return err_set(err, ERR_MEMORY, "out of memory");
    text_format_hex(
            what->is_call ? SPAN_OF(what->call_id) : SPAN_OF(what->sha256),
            hex);
    snprintf(title, sizeof title, "%s %s", what->is_call ? "call" : "sha256",
            hex);
    r = act_load(t, what, a, err);
    if (r == 0 && a->n > 0) {
        check_act(a);
        if (t->json)
            r = print_act_json(title, a, err);
        else
            printf("%s\n", title);
        if (!t->json)
            tell_act(a);
        *bad += a->bad;
    }
    if (r == 0 && a->n == 0)
        r = err_set(err, ERR_NOT_FOUND, "no record of %s", title);
    act_fini(a);
    return r;
}

/* ---- from an artefact to its calls -----------------------------------------
 */

struct calls {
    uint8_t (*id)[STATEMENT_CALL_ID];
    size_t n;
    bool others; /* records without a call have the digest too */
};

static int collect_calls(const struct log_trace *t,
        const struct log_trace_what *what, struct calls *ret, struct err *err)
{
    CLEANUP(buf_free_ptr)
    uint64_t *room = calloc(LOG_TRACE_CALLS, sizeof *room);
    int r = room == NULL ? err_set(err, ERR_MEMORY, "out of memory") : 0;

    for (size_t v = 0; v < t->n_views && r == 0; v++) {
        struct hits hits = {room, 0, LOG_TRACE_CALLS};

        r = find(t, t->views[v], what, &hits, err);
        for (size_t i = 0; i < hits.n && r == 0; i++) {
            uint8_t id[STATEMENT_CALL_ID];
            struct log_record rec;
            bool seen = false;

            r = log_view_get(t->views[v], hits.index[i], &rec, err);
            if (r < 0)
                break;
            if (!matches(&rec.s, what)) {
                seen = true;
            } else if (!has_call(&rec.s, id)) {
                ret->others = true;
                seen = true;
            }
            for (size_t k = 0; k < ret->n && !seen; k++)
                seen = memcmp(ret->id[k], id, sizeof id) == 0;
            if (!seen && ret->n < LOG_TRACE_CALLS)
                memcpy(ret->id[ret->n++], id, sizeof id);
            log_record_fini(&rec);
        }
    }
    return r;
}

static int trace_artefact(const struct log_trace *t,
        const struct log_trace_what *what, unsigned *bad, struct err *err)
{
    CLEANUP(buf_free_ptr)
    void *room = calloc(LOG_TRACE_CALLS, STATEMENT_CALL_ID);
    struct calls calls = {.id = room};
    int r;

    if (room == NULL)
        return err_set(err, ERR_MEMORY, "out of memory");
    r = collect_calls(t, what, &calls, err);
    for (size_t i = 0; i < calls.n && r == 0; i++) {
        struct log_trace_what call = {.is_call = true};

        memcpy(call.call_id, calls.id[i], sizeof call.call_id);
        r = trace_act(t, &call, bad, err);
    }
    if (r == 0 && (calls.others || calls.n == 0))
        r = trace_act(t, what, bad, err);
    return r;
}

int log_trace_run(const struct log_trace *t, const struct log_trace_what *what,
        struct err *err)
{
    unsigned bad = 0;
    int r = what->is_call ? trace_act(t, what, &bad, err)
                          : trace_artefact(t, what, &bad, err);

    if (r == 0 && bad > 0)
        return err_set(err, ERR_MISMATCH, "%u things do not hold", bad);
    return r;
}
