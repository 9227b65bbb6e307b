/* SPDX-License-Identifier: Apache-2.0 */
/* qair policy replay: what a policy would have said to the calls of the log. */
#include "cli_json.h"
#include "log_text.h"
#include "log_view.h"
#include "policy_tools.h"
#include "policy_view.h"

/* One call as it was decided. */
struct past {
    struct span source, requested, service;
    const uint8_t *policy; /* that decided */
    bool allow;
    struct span zone, qube; /* the target, when allowed */
    struct span state;      /* of the source's zone, as it was proved */
};

struct replay {
    const struct policy *policy;
    const struct policy_system *system;
    uint8_t digest[STATEMENT_DIGEST];        /* of the policy */
    char own_state[STATEMENT_STATE_MAX + 1]; /* as the log last said */
    json_t *changed, *gone;                  /* lists; NULL: text */
    size_t n_asked, n_changed, n_elsewhere, n_gone;
};

static void past_of_call(const struct statement_call *c, struct past *ret)
{
    *ret = (struct past){.source = c->source_qube,
            .requested = c->requested,
            .service = c->service,
            .policy = c->policy,
            .allow = true,
            .zone = c->zone,
            .qube = c->qube};
}

static void past_of_decision(
        const struct statement_decision *d, struct past *ret)
{
    *ret = (struct past){.source = d->source,
            .requested = d->requested,
            .service = d->service,
            .policy = d->policy,
            .allow = d->allow,
            .zone = d->target_zone,
            .qube = d->target_qube,
            .state = d->appraisal.state};
}

/* What keyd has the log say of its own zone's state. */
static void note_state(struct replay *p, const struct statement *s)
{
    struct statement_event e;
    struct err err;

    if (s->kind != STATEMENT_EVENT || statement_event_parse(s, &e, &err) != 0)
        return;
    if (span_eq_str(e.kind, "state-approved"))
        text_format_safe(e.detail, p->own_state, sizeof(p->own_state));
    else if (span_eq_str(e.kind, "state-fallen"))
        p->own_state[0] = '\0';
}

/* Not another zone's policy, nor who else may refuse. */
static bool is_own_refusal(const struct statement_decision *d)
{
    static const char head[] = "policy of zone ";
    size_t n = sizeof(head) - 1;

    return d->where.len > n && memcmp(d->where.ptr, head, n) == 0 &&
           span_eq(SPAN(d->where.ptr + n, d->where.len - n), d->zone);
}

/* False: no decision of this zone's policy. */
static bool read_past(const struct log_record *rec, struct replay *p,
        struct statement_call *c, struct statement_decision *d,
        struct past *ret)
{
    struct err err;

    if (rec->s.kind == STATEMENT_CALL &&
            statement_call_parse(&rec->s, c, &err) == 0) {
        past_of_call(c, ret);
        ret->state = span_str(p->own_state);
        return true;
    }
    if (rec->s.kind != STATEMENT_DECISION ||
            statement_decision_parse(&rec->s, d, &err) != 0)
        return false;
    if (!d->allow && !is_own_refusal(d)) {
        p->n_elsewhere++;
        return false;
    }
    past_of_decision(d, ret);
    if (ret->state.len == 0 && d->source_zone.len == 0)
        ret->state = span_str(p->own_state);
    return true;
}

/* Whom the call needs and this zone does not have now; empty: nobody. */
static struct span who_is_gone(const struct replay *p, const struct past *then)
{
    bool named = then->requested.len > 0 && then->requested.ptr[0] != '@';

    if (!policy_system_find(p->system, then->source))
        return then->source;
    /* Who asked in vain for a name that nobody had still does. */
    if (then->allow && named && !policy_system_find(p->system, then->requested))
        return then->requested;
    if (then->allow && then->zone.len == 0 &&
            !policy_system_find(p->system, then->qube))
        return then->qube;
    return SPAN_EMPTY;
}

/* What a zone cannot do although rules allow it (policyd says so too). */
static bool can_carry_out(const struct policy_result *r)
{
    return !r->target.dispvm && r->route != POLICY_ROUTE_RELAY &&
           !span_eq_str(r->target.qube->type, "AdminVM");
}

static bool is_same(const struct replay *p, const struct past *then,
        const struct policy_result *now)
{
    const struct policy_qube *q = now->target.qube;

    /* What the person said then, nobody can say again. */
    if (now->verdict == POLICY_ASK)
        return memcmp(then->policy, p->digest, sizeof(p->digest)) == 0;
    if (now->verdict == POLICY_DENY || !can_carry_out(now))
        return !then->allow;
    if (!then->allow)
        return false;
    if (now->route == POLICY_ROUTE_ZONE)
        return span_eq(q->zone, then->zone) &&
               span_eq(q->remote_name, then->qube);
    return span_eq(q->name, then->qube);
}

static const char *now_text(
        const struct policy_result *now, char *buf, size_t size)
{
    char target[96] = "";

    if (now->verdict == POLICY_ASK)
        return "would be asked about";
    if (now->verdict == POLICY_ALLOW && !can_carry_out(now))
        return "would be refused: a zone has neither disposables nor relays, "
               "and offers no services itself";
    if (now->verdict == POLICY_ALLOW &&
            policy_target_format(&now->target, target, sizeof(target)))
        (void)snprintf(buf, size, "would go to %s: %s", target, now->reason);
    else
        (void)snprintf(buf, size, "would be refused: %s", now->reason);
    return buf;
}

/* list: NULL for text. */
static void tell(json_t *list, const struct log_record *rec,
        const struct past *then, const char *key, const char *text)
{
    char when[TEXT_TIME_SIZE] = "";
    bool dated = text_format_time(log_text_time(&rec->s), when);

    if (list) {
        (void)json_array_append_new(list,
                json_pack("{s:I, s:s, s:b, s:s%, s:s%, s:s%, s:s, s:b}",
                        "index", (json_int_t)rec->index, "time",
                        dated ? when : "", "allowed", then->allow, "source",
                        then->source.ptr, then->source.len, "requested",
                        then->requested.ptr, then->requested.len, "service",
                        then->service.ptr, then->service.len, key, text,
                        "signed", rec->signer != NULL));
        return;
    }
    (void)printf("%6llu %s %.*s -> %.*s %.*s%s\n       was %s, %s%s\n",
            (unsigned long long)rec->index, dated ? when : "", S(then->source),
            S(then->requested), S(then->service),
            rec->signer ? "" : " [signature does not hold]",
            then->allow ? "allowed" : "refused",
            strcmp(key, "gone") == 0 ? "not judged: this zone has no qube "
                                     : "",
            text);
}

static void judge(struct replay *p, const struct log_record *rec)
{
    char words[ERR_MSG_MAX + 160];
    struct policy_request request;
    struct statement_decision d;
    struct policy_result now;
    struct statement_call c;
    struct past then;
    struct span gone;

    note_state(p, &rec->s);
    if (!read_past(rec, p, &c, &d, &then))
        return;
    gone = who_is_gone(p, &then);
    if (gone.len) {
        p->n_gone++;
        text_format_safe(gone, words, sizeof(words));
        tell(p->gone, rec, &then, "gone", words);
        return;
    }
    request = (struct policy_request){.source = then.source,
            .target = then.requested,
            .service = then.service,
            .state = then.state};
    policy_eval(p->policy, p->system, &request, &now);
    p->n_asked++;
    if (is_same(p, &then, &now))
        return;
    p->n_changed++;
    tell(p->changed, rec, &then, "now", now_text(&now, words, sizeof(words)));
}

static int read_log(
        struct cli *cli, const char *dir, struct replay *p, struct err *err)
{
    CLEANUP(log_view_fini) struct log_view log = {.dirfd = -1};
    const struct log_options o = {.vkey = NULL};
    int r = log_view_open(dir ? dir : cli->zone_dir, &o, &log, err);

    for (uint64_t i = 0; r == 0 && i < log.reader.head.size; i++) {
        struct log_record rec;

        r = log_view_get(&log, i, &rec, err);
        if (r < 0)
            break;
        judge(p, &rec);
        log_record_fini(&rec);
    }
    return r;
}

static int conclude(const struct replay *p, struct err *err)
{
    if (p->changed)
        return cli_json_put(json_pack("{s:I, s:I, s:O, s:O}", "calls",
                                    (json_int_t)p->n_asked, "refused_elsewhere",
                                    (json_int_t)p->n_elsewhere, "changed",
                                    p->changed, "gone", p->gone),
                stdout, err);
    (void)printf("%zu of %zu recorded calls would have gone otherwise\n",
            p->n_changed, p->n_asked);
    if (p->n_elsewhere)
        (void)printf(
                "%zu were refused by others than the policy\n", p->n_elsewhere);
    if (p->n_gone)
        (void)printf("%zu were of qubes that this zone does not have now\n",
                p->n_gone);
    return 0;
}

static int replay(struct cli *cli, const struct policy_args *a,
        struct replay *p, struct err *err)
{
    CLEANUP(policy_view_fini) struct policy_view v = {0};
    int r = policy_view_policy(cli, a, a->words[0], &v, err);

    if (r == 0)
        r = policy_view_system(cli, a, &v, err);
    if (r < 0)
        return r;
    crypto_sha256(buf_span(&v.bundle), p->digest);
    p->policy = v.policy;
    p->system = v.system;
    r = read_log(cli, a->log, p, err);
    return r == 0 ? conclude(p, err) : r;
}

int policy_replay(struct cli *cli, int argc, char **argv)
{
    struct replay p = {.n_asked = 0};
    struct policy_args a;
    struct err err = {.code = 0};
    int r;

    if (!policy_args_take(cli, argc, argv, POLICY_ARG_LOG, 1, 1, &a))
        return CLI_MISUSE;
    if (a.json) {
        p.changed = json_array();
        p.gone = json_array();
    }
    r = replay(cli, &a, &p, &err);
    json_decref(p.changed);
    json_decref(p.gone);
    if (r < 0) {
        (void)cli_fail(&err);
        return CLI_MISUSE; /* 1 says that something would change */
    }
    return p.n_changed ? CLI_NO : CLI_OK;
}
