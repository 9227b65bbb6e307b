/* SPDX-License-Identifier: Apache-2.0 */
#include "netd.h"

#include <stdio.h>
#include <stdlib.h>

/* Asked of keyd or attestd for one channel. */
struct ask {
    struct netd *d;
    uint64_t conn;
};

static struct ask *ask_new(struct conn *c)
{
    struct ask *a = calloc(1, sizeof(*a));

    if (a == NULL)
        role_fatal(c->d->role, "out of memory");
    *a = (struct ask){.d = c->d, .conn = c->serial};
    return a;
}

/* Another role cannot or will not: the peer hears a class, people the rest. */
static void cannot(struct conn *c, enum channel_reason why,
        const struct msg_refused *refused)
{
    struct channel_time now = netd_now();

    netd_text(c->where, sizeof(c->where), refused->where);
    netd_text(c->reason, sizeof(c->reason), refused->reason);
    (void)channel_round_cannot(c->ch, why, &now);
}

static void on_own_evidence(
        struct role *r, const struct role_msg *m, void *user)
{
    struct ask *a = user;
    struct conn *c = conn_find(a->d, a->conn);
    struct channel_time now = netd_now();
    struct span evidence;
    struct err err;

    free(a);
    if (c == NULL)
        return;
    if (m->type == MSG_REFUSED) {
        cannot(c, CHANNEL_REASON_OWN, m->body);
        return;
    }
    if (ipc_map(m->fds->fd[0], LIMIT_EVIDENCE_MAX, &evidence, &err) != 0) {
        role_log(r, "keyd's evidence: %s", err.msg);
        (void)channel_round_cannot(c->ch, CHANNEL_REASON_OWN, &now);
        return;
    }
    (void)channel_round_evidence(c->ch, evidence, &now);
    ipc_unmap(evidence);
}

void attest_own(struct conn *c, const uint8_t binder[static CHANNEL_BINDER])
{
    struct msg_evidence_get get;

    memcpy(get.binder, binder, sizeof(get.binder));
    role_request(c->d->role, &(struct role_request){.to = MSG_ROLE_KEYD,
                                     .type = MSG_EVIDENCE_GET,
                                     .msg = &get,
                                     .expect = MSG_FILE,
                                     .done = on_own_evidence,
                                     .user = ask_new(c)});
}

/* ---- appraisal ------------------------------------------------------- */

/* False: accepted by attestd, and yet not what the channel stands on. */
static bool take(struct conn *c, const struct msg_appraised *v)
{
    struct netd *d = c->d;

    c->seen = (struct proof){.boot = v->boot,
            .until = v->until,
            /* Two intervals without a round end a channel in any case. */
            .fresh = role_now() + 2 * (uint64_t)d->conf->reattest_s};
    memcpy(c->seen.evidence, v->evidence, sizeof(c->seen.evidence));
    memcpy(c->seen.pack, v->pack, sizeof(c->seen.pack));
    netd_text(c->seen.state, sizeof(c->seen.state), v->state);
    if (v->accept != 1)
        return true;
    if (c->stands.number != 0 && c->stands.boot != v->boot)
        return false;
    c->seen.number = ++d->proofs;
    return true;
}

static struct span first_line(struct span s)
{
    const uint8_t *end = s.len > 0 ? memchr(s.ptr, '\n', s.len) : NULL;

    return end != NULL ? SPAN(s.ptr, (size_t)(end - s.ptr)) : s;
}

static void say_fallen(struct conn *c, const char *where, struct span finding)
{
    char text[NETD_TEXT_MAX];

    netd_text(text, sizeof(text), first_line(finding));
    (void)snprintf(c->where, sizeof(c->where), "%s of zone %s", where,
            role_zone(c->d->role));
    (void)snprintf(c->reason, sizeof(c->reason),
            "state of zone %.40s fell: %.*s", channel_peer(c->ch),
            NETD_TEXT_MAX - 64, text);
}

void conn_end_fallen(struct conn *c, const char *where, struct span finding)
{
    if (c->closed || c->where[0] != '\0')
        return; /* on its way out, and why is known */
    say_fallen(c, where, finding);
    channel_close_saying(c->ch, CHANNEL_REASON_EVIDENCE, ERR_DENIED, c->reason);
}

static void say_refused(struct conn *c, const struct msg_appraised *v)
{
    if (c->stands.number != 0) {
        say_fallen(c, "attestd", v->reason);
        return;
    }
    (void)snprintf(c->where, sizeof(c->where), "attestd of zone %s",
            role_zone(c->d->role));
    netd_text(c->reason, sizeof(c->reason), v->reason);
}

static void on_appraised(struct role *r, const struct role_msg *m, void *user)
{
    struct ask *a = user;
    struct conn *c = conn_find(a->d, a->conn);
    struct channel_time now = netd_now();

    free(a);
    if (c == NULL)
        return;
    if (m->type == MSG_REFUSED) {
        cannot(c, CHANNEL_REASON_BUSY, m->body);
        return;
    }
    const struct msg_appraised *v = m->body;
    if (!take(c, v))
        say_fallen(c, "netd",
                span_str("its TPM was reset while the channel was open"));
    else if (v->accept != 1)
        say_refused(c, v);
    (void)r;
    (void)channel_round_appraised(c->ch, c->seen.number != 0, &now);
}

static void tell_calld(const struct conn *c)
{
    struct role_link *calld = role_peer(c->d->role, MSG_ROLE_CALLD);
    struct msg_peer_state m = {.zone = span_str(channel_peer(c->ch)),
            .state = span_str(c->stands.state)};

    memcpy(m.evidence, c->stands.evidence, sizeof(m.evidence));
    if (calld != NULL)
        role_send(calld, MSG_PEER_STATE, &m, NULL, 0);
}

void attest_stands(struct conn *c)
{
    bool is_other = c->stands.number != 0 &&
                    strcmp(c->stands.state, c->seen.state) != 0;

    c->stands = c->seen;
    if (is_other)
        tell_calld(c);
}

/* ---- a new pack ------------------------------------------------------ */

static bool is_of(const struct conn *c, struct span zone)
{
    return !c->closed && c->seen.number != 0 &&
           span_eq_str(zone, channel_peer(c->ch));
}

static void rejudge(struct conn *c, const struct msg_reappraised *v)
{
    char state[NETD_STATE_MAX];
    bool is_other;

    if (v->accept != 1) {
        conn_end_fallen(c, "attestd", v->reason);
        return;
    }
    netd_text(state, sizeof(state), v->state);
    is_other = c->stands.number != 0 && strcmp(c->stands.state, state) != 0;
    memcpy(c->seen.pack, v->pack, sizeof(c->seen.pack));
    memcpy(c->seen.state, state, sizeof(c->seen.state));
    c->seen.until = v->until; /* it may have been renewed */
    if (c->stands.number == 0)
        return;
    memcpy(c->stands.pack, v->pack, sizeof(c->stands.pack));
    memcpy(c->stands.state, state, sizeof(c->stands.state));
    c->stands.until = v->until;
    if (!is_other)
        return;
    record_restated(c);
    tell_calld(c);
}

/* attestd forgets when it is started again, and what is too much. */
static void end_unjudged(struct netd *d, const uint8_t pack[static MSG_DIGEST])
{
    struct conn *c;

    TAILQ_FOREACH (c, &d->conns, entry) {
        if (!c->closed && c->seen.number != 0 &&
                memcmp(c->seen.pack, pack, MSG_DIGEST) != 0)
            conn_end_fallen(c, "attestd",
                    span_str("no evidence of it is kept to judge by the new "
                             "pack"));
    }
}

void attest_on_reappraised(struct role *r, const struct role_msg *m)
{
    const struct msg_reappraised *v = m->body;
    struct netd *d = role_user(r);
    struct conn *c;

    if (v->zone.len == 0) {
        end_unjudged(d, v->pack);
        return;
    }
    TAILQ_FOREACH (c, &d->conns, entry) {
        if (is_of(c, v->zone))
            rejudge(c, v);
    }
}

void attest_tick(struct netd *d)
{
    uint64_t now = role_now();
    struct conn *c;

    TAILQ_FOREACH (c, &d->conns, entry) {
        if (c->closed || c->stands.number == 0)
            continue;
        if (now >= c->stands.until)
            conn_end_fallen(
                    c, "netd", span_str("the time of its approval is over"));
        else if (now >= c->stands.fresh)
            conn_end_fallen(
                    c, "netd", span_str("no fresh evidence in two intervals"));
    }
}

void attest_peer(struct conn *c, const uint8_t binder[static CHANNEL_BINDER],
        struct span untrusted_evidence)
{
    struct msg_appraise msg = {.zone = span_str(channel_peer(c->ch))};
    struct channel_time now = netd_now();
    CLEANUP(buf_close_fd) int fd = -1;
    struct err err;

    if (ipc_seal(untrusted_evidence, "evidence", &fd, &err) != 0) {
        role_log(
                c->d->role, "evidence of %s: %s", channel_peer(c->ch), err.msg);
        (void)channel_round_cannot(c->ch, CHANNEL_REASON_BUSY, &now);
        return;
    }
    memcpy(msg.binder, binder, sizeof(msg.binder));
    role_request(c->d->role, &(struct role_request){.to = MSG_ROLE_ATTESTD,
                                     .type = MSG_APPRAISE,
                                     .msg = &msg,
                                     .fds = &fd,
                                     .n_fds = 1,
                                     .expect = MSG_APPRAISED,
                                     .done = on_appraised,
                                     .user = ask_new(c)});
}
