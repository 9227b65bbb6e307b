/* SPDX-License-Identifier: Apache-2.0 */
#include "log_trace.h"

#include "cli_json.h"
#include "log_act.h"
#include "log_text.h"

#include <stdio.h>
#include <stdlib.h>

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

static void act_fini(struct act *a)
{
    for (size_t i = 0; i < a->n; i++)
        log_record_fini(&a->records[i].rec);
    json_decref(a->findings);
    a->n = 0;
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

/* ---- what it rests on --------------------------------------------------- */

/* Is it a record of a channel that showed this? */
static bool shows(
        const struct log_record *rec, const struct statement_appraisal *a)
{
    struct statement_channel c;

    return statement_channel_parse(&rec->s, &c, NULL) == 0 &&
           (c.event == STATEMENT_CHANNEL_OPENED ||
                   c.event == STATEMENT_CHANNEL_REATTESTED) &&
           span_eq(c.peer, a->zone) && span_eq(c.state, a->state) &&
           memcmp(c.evidence, a->evidence, sizeof c.evidence) == 0;
}

/* One before r in the same log. */
static int is_shown(const struct log_trace *t, const struct act_record *r,
        const struct statement_appraisal *a, bool *ret, struct err *err)
{
    struct log_trace_what what = {.is_call = false};
    uint64_t room[LOG_TRACE_RECORDS];
    struct hits hits = {room, 0, LOG_TRACE_RECORDS};
    int rc;

    memcpy(what.sha256, a->evidence, sizeof what.sha256);
    rc = find(t, r->view, &what, &hits, err);
    *ret = false;
    for (size_t i = 0; i < hits.n && rc == 0 && !*ret; i++) {
        struct log_record rec;

        if (hits.index[i] >= r->rec.index)
            continue;
        rc = log_view_get(r->view, hits.index[i], &rec, err);
        if (rc < 0)
            break;
        *ret = shows(&rec, a);
        log_record_fini(&rec);
    }
    return rc;
}

/* A call, or the decision about one of another zone, names an appraisal that
 * its own log has to have. */
static bool rests_of(
        const struct act_record *r, struct statement_appraisal *ret)
{
    struct statement_decision d;
    struct statement_call c;

    *ret = (struct statement_appraisal){.zone = SPAN_EMPTY};
    if (statement_call_parse(&r->rec.s, &c, NULL) == 0)
        *ret = c.appraisal;
    else if (statement_decision_parse(&r->rec.s, &d, NULL) == 0 &&
             d.source_zone.len > 0)
        *ret = d.appraisal;
    return ret->zone.len > 0;
}

static int check_rests(
        const struct log_trace *t, struct act *a, struct err *err)
{
    int r = 0;

    for (size_t i = 0; i < a->n && r == 0; i++) {
        const struct act_record *rec = &a->records[i];
        struct statement_appraisal rests;
        bool shown = true;

        if (rests_of(rec, &rests))
            r = is_shown(t, rec, &rests, &shown, err);
        if (shown)
            continue;
        a->bad++;
        json_array_append_new(a->findings,
                json_sprintf("record %llu of zone %s rests on evidence that "
                             "no channel before it showed",
                        (unsigned long long)rec->rec.index, rec->view->zone));
    }
    return r;
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
        log_check_act(a);
        r = check_rests(t, a, err);
    }
    if (r == 0 && a->n > 0) {
        if (t->json)
            r = print_act_json(title, a, err);
        else
            printf("%s\n", title);
        if (!t->json)
            log_tell_act(a);
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
