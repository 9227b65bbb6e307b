/* SPDX-License-Identifier: Apache-2.0 */
#include "judge.h"

#include <inttypes.h>

/* A chain of checks: each refuses with a reason or passes. */
struct trial {
    struct judge *j;
    struct span peer;
    struct span envelope;
    uint64_t now;
    struct judge_call *c;
    struct err *err;
    size_t peer_number; /* in the pack */
    uint64_t until;     /* one of its links could be used so long */
    bool again;
};

typedef enum judge_verdict check_fn(struct trial *t);

#define refuse(t, ...)                                                         \
    (err_set((t)->err, ERR_DENIED, __VA_ARGS__), JUDGE_REFUSED)

static enum judge_verdict check_signature(struct trial *t)
{
    const struct pack_zone *zone, *all;
    int r;

    if (!t->j->pack)
        return refuse(t, "%s", t->j->no_pack);
    zone = pack_zone(t->j->pack, t->peer);
    if (!zone)
        return refuse(t, "the calling zone is not in the pack");
    if (!pack_zone_valid(zone, t->now))
        return refuse(t, "the calling zone's entry in the pack is revoked or "
                         "not valid now");
    (void)pack_zones(t->j->pack, &all);
    t->peer_number = (size_t)(zone - all);
    r = statement_open(t->envelope, zone->identity, &t->c->statement, t->err);
    if (r == 0)
        r = statement_call_parse(&t->c->statement, &t->c->call, t->err);
    if (r < 0) {
        (void)err_prefix(t->err, r, "call envelope");
        return JUDGE_REFUSED;
    }
    t->c->verified = true;
    return JUDGE_TRUE;
}

static enum judge_verdict check_zones(struct trial *t)
{
    const struct statement_call *c = &t->c->call;

    if (!span_eq(c->origin, t->peer))
        return refuse(t, "the envelope is zone '%.*s', the channel another's",
                (int)c->origin.len, c->origin.ptr);
    if (!span_eq_str(c->zone, t->j->zone))
        return refuse(t, "the envelope is for zone '%.*s', not for this one",
                (int)c->zone.len, c->zone.ptr);
    /* A statement's appraisal is of its target zone, or none. */
    if (c->appraisal.zone.len == 0)
        return refuse(t, "the envelope does not say on which state of this "
                         "zone it rests");
    return JUDGE_TRUE;
}

static enum judge_verdict check_time(struct trial *t)
{
    const struct statement_call *c = &t->c->call;

    /* Its second may have been shared with a former life of this process. */
    if (c->issued <= t->j->started)
        return refuse(t, "the envelope was issued before policyd started: "
                         "call again");
    if (c->issued > t->now + JUDGE_SKEW_S)
        return refuse(t,
                "the envelope is from %" PRIu64 " s in the future: "
                "set the clocks",
                c->issued - t->now);
    if (c->deadline < t->now)
        return refuse(t, "the envelope's deadline passed %" PRIu64 " s ago",
                t->now - c->deadline);
    if (c->deadline > t->now + LIMIT_CALL_DEADLINE_S)
        return refuse(t, "the envelope's deadline is over %d s ahead",
                LIMIT_CALL_DEADLINE_S);
    return c->issued > t->now ? JUDGE_LATER : JUDGE_TRUE;
}

static enum judge_verdict check_chain(struct trial *t)
{
    const struct statement_call *first;

    if (chain_open(&t->c->call, t->j->pack, t->now, &t->c->chain, t->err) < 0)
        return JUDGE_REFUSED;
    /* The zone before may have kept a link that we have forgotten. */
    first = chain_first(&t->c->chain, &t->c->call);
    if (first->issued <= t->j->started)
        return refuse(t, "the call began before policyd started: call again");
    if (first->deadline > t->now + LIMIT_CALL_DEADLINE_S)
        return refuse(t, "the call's first deadline is over %d s ahead",
                LIMIT_CALL_DEADLINE_S);
    t->until = first->deadline; /* no link's is later */
    return JUDGE_TRUE;
}

static enum judge_verdict check_source(struct trial *t)
{
    const struct statement_call *c = &t->c->call;

    t->c->source =
            conf_qube_find_remote(t->j->qubes, c->origin, c->source_qube);
    if (!t->c->source)
        return refuse(t,
                "no RemoteVM in qubes.d stands for qube '%.*s' of "
                "zone '%.*s'",
                (int)c->source_qube.len, c->source_qube.ptr, (int)c->origin.len,
                c->origin.ptr);
    return JUDGE_TRUE;
}

/* A gateway's word for who calls is enough, unless the owner wants more. */
static enum judge_verdict check_origin(struct trial *t)
{
    const struct statement_call *first = chain_first(&t->c->chain, &t->c->call);
    const struct conf_qube *q = t->c->source;

    if (*q->origin_zone &&
            (!span_eq_str(first->origin, q->origin_zone) ||
                    !span_eq_str(first->source_qube, q->origin_qube)))
        return refuse(t,
                "%s stands for calls that begin at %s/%s, and this one began "
                "at %.*s/%.*s",
                q->name, q->origin_zone, q->origin_qube, (int)first->origin.len,
                first->origin.ptr, (int)first->source_qube.len,
                first->source_qube.ptr);
    return JUDGE_TRUE;
}

static enum judge_verdict check_replay(struct trial *t)
{
    const struct statement_call *c = &t->c->call;
    int r = replay_add(
            t->j->replay, t->peer_number, c->call_id, t->until, t->now);

    if (t->again)
        return r == ERR_EXISTS
                       ? JUDGE_TRUE
                       : refuse(t, "no question about this call was open");
    if (r == ERR_EXISTS)
        return refuse(t, "the envelope was used before (replay)");
    if (r < 0)
        return refuse(t,
                "too many calls from this zone, or from all, within %d s",
                LIMIT_CALL_DEADLINE_S);
    return JUDGE_TRUE;
}

static enum judge_verdict judge(struct trial *t)
{
    /* The id is spent last: a call that must wait keeps it. */
    static check_fn *const checks[] = {check_signature, check_zones, check_time,
            check_chain, check_source, check_origin, check_replay};
    enum judge_verdict v = JUDGE_TRUE;

    *t->c = (struct judge_call){.verified = false};
    if (t->now > t->j->latest)
        t->j->latest = t->now;
    t->now = t->j->latest;
    for (size_t i = 0; i < ARRAY_LEN(checks) && v == JUDGE_TRUE; i++)
        v = checks[i](t);
    return v;
}

enum judge_verdict judge_envelope(struct judge *j, struct span peer,
        struct span envelope, uint64_t now, struct judge_call *ret,
        struct err *err)
{
    struct trial t = {.j = j,
            .peer = peer,
            .envelope = envelope,
            .now = now,
            .c = ret,
            .err = err};

    return judge(&t);
}

enum judge_verdict judge_answered(struct judge *j, struct span peer,
        struct span envelope, uint64_t now, struct judge_call *ret,
        struct err *err)
{
    struct trial t = {.j = j,
            .peer = peer,
            .envelope = envelope,
            .now = now,
            .c = ret,
            .err = err,
            .again = true};

    return judge(&t);
}

void judge_call_fini(struct judge_call *c)
{
    chain_fini(&c->chain);
    if (c->statement.doc)
        statement_fini(&c->statement);
    *c = (struct judge_call){.verified = false};
}
