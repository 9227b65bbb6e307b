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
    bool allow;
    struct span zone, qube; /* the target, when allowed */
};

struct replay {
    const struct policy *policy;
    const struct policy_system *system;
    json_t *list; /* NULL: text */
    size_t asked, changed, elsewhere, unknown;
};

/* False: no decision of a policy, or one of a caller that was never known. */
static bool read_past(
        const struct log_record *rec, struct replay *p, struct past *ret)
{
    struct statement_decision d;
    struct statement_call c;
    struct err err;

    if (rec->s.kind == STATEMENT_CALL &&
            statement_call_parse(&rec->s, &c, &err) == 0) {
        *ret = (struct past){.source = c.source_qube,
                .requested = c.requested,
                .service = c.service,
                .allow = true,
                .zone = c.zone,
                .qube = c.qube};
        return true;
    }
    if (rec->s.kind != STATEMENT_DECISION ||
            statement_decision_parse(&rec->s, &d, &err) != 0)
        return false;
    if (!d.allow &&
            (d.where.len < 6 || memcmp(d.where.ptr, "policy", 6) != 0)) {
        p->elsewhere++;
        return false;
    }
    *ret = (struct past){.source = d.source,
            .requested = d.requested,
            .service = d.service,
            .allow = d.allow,
            .zone = d.target_zone,
            .qube = d.target_qube};
    return true;
}

static bool is_same(const struct past *then, const struct policy_result *now)
{
    const struct policy_qube *q = now->target.qube;

    if (!then->allow || now->verdict != POLICY_ALLOW)
        return !then->allow && now->verdict == POLICY_DENY;
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
    if (now->verdict == POLICY_ALLOW &&
            policy_target_format(&now->target, target, sizeof(target)))
        (void)snprintf(buf, size, "would go to %s: %s", target, now->reason);
    else
        (void)snprintf(buf, size, "would be refused: %s", now->reason);
    return buf;
}

static void tell(struct replay *p, const struct log_record *rec,
        const struct past *then, const struct policy_result *now)
{
    char words[ERR_MSG_MAX + 160], when[TEXT_TIME_SIZE];
    const char *text = now_text(now, words, sizeof(words));
    bool dated = text_format_time(log_text_time(&rec->s), when);

    if (p->list) {
        (void)json_array_append_new(p->list,
                json_pack("{s:I, s:s, s:b, s:s%, s:s%, s:s%, s:s, s:b}",
                        "index", (json_int_t)rec->index, "time",
                        dated ? when : "", "allowed", then->allow, "source",
                        then->source.ptr, then->source.len, "requested",
                        then->requested.ptr, then->requested.len, "service",
                        then->service.ptr, then->service.len, "now", text,
                        "signed", rec->signer != NULL));
        return;
    }
    (void)printf("%6llu %s %.*s -> %.*s %.*s%s\n       was %s, %s\n",
            (unsigned long long)rec->index, dated ? when : "", S(then->source),
            S(then->requested), S(then->service),
            rec->signer ? "" : " [signature does not hold]",
            then->allow ? "allowed" : "refused", text);
}

static void judge(struct replay *p, const struct log_record *rec)
{
    struct past then;
    struct policy_request request;
    struct policy_result now;

    if (!read_past(rec, p, &then))
        return;
    if (!policy_system_find(p->system, then.source)) {
        p->unknown++;
        return;
    }
    request = (struct policy_request){.source = then.source,
            .target = then.requested,
            .service = then.service};
    policy_eval(p->policy, p->system, &request, &now);
    p->asked++;
    if (is_same(&then, &now))
        return;
    p->changed++;
    tell(p, rec, &then, &now);
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
    if (p->list)
        return cli_json_put(json_pack("{s:I, s:I, s:I, s:O}", "calls",
                                    (json_int_t)p->asked, "refused_elsewhere",
                                    (json_int_t)p->elsewhere, "unknown_callers",
                                    (json_int_t)p->unknown, "changed", p->list),
                stdout, err);
    (void)printf("%zu of %zu recorded calls would have gone otherwise\n",
            p->changed, p->asked);
    if (p->elsewhere)
        (void)printf(
                "%zu were refused by others than the policy\n", p->elsewhere);
    if (p->unknown)
        (void)printf("%zu came from qubes that this zone does not have now\n",
                p->unknown);
    return 0;
}

static int replay(struct cli *cli, const struct policy_args *a,
        struct replay *p, struct err *err)
{
    CLEANUP(policy_view_fini) struct policy_view zone = {0}, new = {0};
    int r = policy_view_zone(cli, &zone, err);

    if (r == 0)
        r = policy_view_bundle(cli, a->words[0], &new, err);
    if (r == 0)
        r = policy_new_from_bundle(buf_span(&new.bundle), &new.policy, err);
    if (r < 0)
        return r;
    p->policy = new.policy;
    p->system = zone.system;
    r = read_log(cli, a->log, p, err);
    return r == 0 ? conclude(p, err) : r;
}

int policy_replay(struct cli *cli, int argc, char **argv)
{
    struct replay p = {.asked = 0};
    struct policy_args a;
    struct err err = {.code = 0};
    int r;

    if (!policy_args_take(cli, argc, argv, POLICY_ARG_LOG, 1, 1, &a))
        return CLI_MISUSE;
    if (a.json)
        p.list = json_array();
    r = replay(cli, &a, &p, &err);
    json_decref(p.list);
    if (r < 0) {
        (void)cli_fail(&err);
        return CLI_MISUSE; /* 1 says that something would change */
    }
    return p.changed ? CLI_NO : CLI_OK;
}
