/* SPDX-License-Identifier: Apache-2.0 */
#include "calld.h"

#include "statement.h"

#include <stdio.h>
#include <time.h>

static bool take(struct rate *r, unsigned *ret_left_out)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return rate_take(r, (uint64_t)t.tv_sec, CALLD_REFUSALS_BURST, ret_left_out);
}

static struct rate *rate_of_peer(struct calld *d, const char *zone)
{
    size_t i = 0;

    while (i < ARRAY_LEN(d->peers) - 1 && *d->peers[i].zone &&
            strcmp(d->peers[i].zone, zone) != 0)
        i++;
    if (!*d->peers[i].zone)
        (void)snprintf(d->peers[i].zone, sizeof(d->peers[i].zone), "%s", zone);
    return &d->peers[i].refusals;
}

bool record_may_refuse(struct call *c)
{
    if (c->origin == CALL_OF_QUBE)
        return take(&c->source->refusals, &c->left_out);
    if (c->origin == CALL_OF_ZONE)
        return take(rate_of_peer(c->d, c->peer_zone), &c->left_out);
    if (c->origin == CALL_OF_HOST)
        return take(&c->d->host_refusals, &c->left_out);
    return true; /* the owner fills no own disk by surprise */
}

static void put_appraisal(const struct call *c, struct statement_decision *d)
{
    const struct proof *p = call_source_proof(c);

    if (!*p->state)
        return;
    d->appraisal = (struct statement_appraisal){
            .zone = d->source_zone.len ? d->source_zone : d->zone,
            .state = span_str(p->state)};
    memcpy(d->appraisal.evidence, p->evidence, sizeof(d->appraisal.evidence));
}

int record_decision(const struct call *c, struct buf *ret, struct err *err)
{
    bool allow = c->allowed && !c->refused;
    char reason[CALLD_REASON_MAX + 64];
    struct statement_decision d;

    (void)snprintf(reason, sizeof(reason), "%s", c->reason);
    if (c->left_out > 0)
        (void)snprintf(reason, sizeof(reason),
                "%s (and %u more refused before)", c->reason, c->left_out);
    d = (struct statement_decision){
            .time = role_now(),
            .allow = allow,
            .zone = span_str(role_zone(c->d->role)),
            .source_zone =
                    span_str(*c->source_zone ? c->source_zone : c->peer_zone),
            .source_qube = span_str(c->source_qube),
            .source = span_str(c->source_name),
            .target_zone = span_str(c->zone),
            .target_qube = span_str(c->qube),
            .requested = span_str(c->requested),
            .service = span_str(c->service),
            .rule = span_str(c->rule),
            .where = span_str(allow ? "" : c->where),
            .reason = span_str(allow ? "" : reason),
    };

    put_appraisal(c, &d);
    memcpy(d.call_id, c->id, sizeof(d.call_id));
    memcpy(d.policy, c->policy, sizeof(d.policy));
    if (c->via.len) /* the one that came, also when it goes on */
        crypto_sha256(buf_span(&c->via), d.envelope);
    else if (c->envelope.len)
        crypto_sha256(buf_span(&c->envelope), d.envelope);
    return statement_decision_format(&d, ret, err);
}

int record_ask(const struct call *c, struct buf *ret, struct err *err)
{
    const struct call *about = c->about ? c->about->c : NULL;
    char detail[STATEMENT_REASON_MAX];
    char id[CALLD_ID_TEXT] = "";
    struct statement_event e = {.time = role_now(),
            .zone = span_str(role_zone(c->d->role)),
            .kind = span_str("call-asks")};

    if (!about)
        return err_set(err, ERR_STATE, "it is answered already");
    text_format_hex(SPAN_OF(about->id), id);
    (void)snprintf(detail, sizeof(detail),
            "call %s from %s to %s, %.200s: asked in %s", id,
            about->source_name,
            *about->requested ? about->requested : "@default", about->service,
            c->qube);
    e.detail = span_str(detail);
    crypto_sha256(SPAN_OF(about->id), e.digest);
    return statement_event_format(&e, ret, err);
}

int record_run(const struct call *c, struct buf *ret, struct err *err)
{
    char safe[STATEMENT_REASON_MAX - 64];
    char detail[STATEMENT_REASON_MAX];
    struct statement_event e = {.time = role_now(),
            .zone = span_str(role_zone(c->d->role)),
            .kind = span_str("qube-run")};

    text_format_safe(span_str(c->command), safe, sizeof(safe));
    (void)snprintf(detail, sizeof(detail), "%s, uid %u: %s", c->qube,
            (unsigned)c->uid, safe);
    e.detail = span_str(detail);
    /* The whole command, should the text be cut. */
    crypto_sha256(span_str(c->command), e.digest);
    return statement_event_format(&e, ret, err);
}
