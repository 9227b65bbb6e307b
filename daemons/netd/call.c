/* SPDX-License-Identifier: Apache-2.0 */
#include "netd.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- calls of this zone ---------------------------------------------- */

static void call_free(struct netd *d, struct call *c)
{
    TAILQ_REMOVE(&d->calls, c, entry);
    d->n_calls--;
    buf_fini(&c->envelope);
    if (c->fd >= 0)
        (void)close(c->fd);
    free(c);
}

static void refuse(struct netd *d, struct call *c, int code, const char *where,
        const char *reason)
{
    role_refuse(d->role, c->ticket, code, where, "%s", reason);
    call_free(d, c);
}

/* The channel stands on what the envelope names, or on something newer of the
 * same machine since it was started, in the same state. */
static bool is_same_proof(const struct proof *named, const struct proof *stands)
{
    return memcmp(named->evidence, stands->evidence, MSG_DIGEST) == 0 ||
           (stands->number >= named->number && stands->boot == named->boot &&
                   strcmp(stands->state, named->state) == 0);
}

static void answer_asked(struct netd *d, struct call *c, const struct conn *via)
{
    struct msg_appraisal m = {.number = via->stands.number,
            .boot = via->stands.boot,
            .state = span_str(via->stands.state)};

    memcpy(m.evidence, via->stands.evidence, sizeof(m.evidence));
    role_reply(d->role, c->ticket, MSG_APPRAISAL, &m, NULL, 0);
    call_free(d, c);
}

static void send_call(struct netd *d, struct call *c, struct conn *via)
{
    struct channel_time now = netd_now();
    char text[NETD_TEXT_MAX];

    if (c->asks) {
        answer_asked(d, c, via);
        return;
    }
    if (!is_same_proof(&c->named, &via->stands)) {
        (void)snprintf(text, sizeof(text),
                "zone %s is not in the state any more that the call rests on: "
                "call again",
                c->zone);
        refuse(d, c, ERR_DENIED, "netd", text);
        return;
    }
    int rc = channel_call(via->ch, buf_span(&c->envelope), c->fd, c->source,
            &now, &c->stream);

    if (rc == ERR_LIMIT) {
        (void)snprintf(text, sizeof(text),
                "limit: %u calls in flight to zone %s", CHANNEL_STREAMS_MAX,
                c->zone);
        refuse(d, c, rc, "netd", text);
        return;
    }
    if (rc != 0) {
        refuse(d, c, rc, "netd", err_name(rc));
        return;
    }
    c->fd = -1;
    c->conn = via->serial;
    c->give_up_ms = c->deadline_ms; /* the far side may start a qube first */
    buf_fini(&c->envelope);
}

/* The caller went before its call was sent: then it never is. */
static bool is_abandoned(const struct call *c)
{
    struct pollfd p = {.fd = c->fd};

    return c->conn == 0 && poll(&p, 1, 0) == 1 &&
           (p.revents & (POLLHUP | POLLERR)) != 0;
}

void call_send_waiting(struct conn *via)
{
    struct netd *d = via->d;
    struct call *c = TAILQ_FIRST(&d->calls);

    while (c != NULL) {
        struct call *next = TAILQ_NEXT(c, entry);
        if (is_abandoned(c))
            refuse(d, c, ERR_PEER, "netd", "the caller went");
        else if (c->conn == 0 && strcmp(c->zone, via->peer->zone) == 0)
            send_call(d, c, via);
        c = next;
    }
}

void call_refuse_waiting(struct netd *d, const char *zone, int code,
        const char *where, const char *reason)
{
    struct call *c = TAILQ_FIRST(&d->calls);

    while (c != NULL) {
        struct call *next = TAILQ_NEXT(c, entry);
        if (c->conn == 0 && (zone == NULL || strcmp(c->zone, zone) == 0))
            refuse(d, c, code, where, reason);
        c = next;
    }
}

bool call_is_waiting(const struct netd *d, const char *zone)
{
    const struct call *c;

    TAILQ_FOREACH (c, &d->calls, entry) {
        if (c->conn == 0 && strcmp(c->zone, zone) == 0)
            return true;
    }
    return false;
}

/* Two names with one number would share a limit, and nothing else. */
static uint64_t source_number(struct span source)
{
    uint8_t digest[CRYPTO_SHA256_SIZE];
    uint64_t n;

    crypto_sha256(source, digest);
    memcpy(&n, digest, sizeof(n));
    return n;
}

static unsigned calls_of(
        const struct netd *d, struct span zone, struct span source)
{
    uint64_t number = source_number(source);
    const struct call *c;
    unsigned n = limit_calls_to(d, zone, number);

    TAILQ_FOREACH (c, &d->calls, entry)
        n += c->conn == 0 && c->source == number && span_eq_str(zone, c->zone);
    return n;
}

static int check_zone(const struct netd *d, struct span zone,
        struct span source, uint64_t deadline, struct err *err)
{
    if (d->pack == NULL)
        return err_set(
                err, ERR_DENIED, "the pack is not used: %s", d->pack_reason);
    if (netd_zone(d, zone) == NULL)
        return err_set(err, ERR_DENIED, "zone %.*s is not in the pack",
                (int)zone.len, (const char *)zone.ptr);
    if (span_eq_str(zone, role_zone(d->role)))
        return err_set(err, ERR_USAGE, "the call is for this zone itself");
    if (deadline <= role_now())
        return err_set(err, ERR_TIMEOUT, "the call's deadline has passed");
    if (d->n_calls >= NETD_CALLS_MAX)
        return err_set(err, ERR_LIMIT, "limit: %d calls wait in this zone",
                NETD_CALLS_MAX);
    if (calls_of(d, zone, source) >= NETD_SOURCE_CALLS_MAX)
        return err_set(err, ERR_LIMIT,
                "limit: %d calls in flight of %.*s to zone %.*s",
                NETD_SOURCE_CALLS_MAX, (int)source.len,
                (const char *)source.ptr, (int)zone.len,
                (const char *)zone.ptr);
    return 0;
}

static int check_open(
        const struct netd *d, const struct msg_open *o, struct err *err)
{
    static const uint8_t none[MSG_DIGEST];
    int rc = check_zone(d, o->zone, o->source, o->deadline, err);

    if (rc == 0 &&
            (o->envelope.len == 0 || o->envelope.len > LIMIT_LOG_ENTRY_MAX))
        rc = err_set(err, ERR_LIMIT, "size of the envelope");
    if (rc == 0 && (memcmp(o->evidence, none, sizeof(none)) == 0 ||
                           o->state.len == 0 || o->state.len >= NETD_STATE_MAX))
        rc = err_set(err, ERR_USAGE, "the call rests on no appraisal");
    return rc;
}

/* check_open has seen that it is not past; the answer is no later than what
 * the target's policyd would take. */
static uint64_t mono_deadline(uint64_t deadline)
{
    uint64_t left = deadline - role_now();

    if (left > LIMIT_CALL_DEADLINE_S)
        left = LIMIT_CALL_DEADLINE_S;
    return netd_now().mono_ms + left * 1000;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* It is in the list; takes the descriptor of m. */
static struct call *call_new(struct netd *d, const struct role_msg *m,
        struct span zone, struct span source, uint64_t deadline)
{
    struct call *c = calloc(1, sizeof(*c));

    if (c == NULL)
        role_fatal(d->role, "out of memory");
    c->ticket = m->ticket;
    c->envelope = BUF_INIT(LIMIT_LOG_ENTRY_MAX);
    memcpy(c->zone, zone.ptr, zone.len); /* a name of the pack fits */
    c->source = source_number(source);
    c->fd = TAKE_FD(m->fds->fd[0]);
    c->deadline_ms = mono_deadline(deadline);
    c->give_up_ms = earlier(c->deadline_ms, netd_now().mono_ms + NETD_WAIT_MS);
    TAILQ_INSERT_TAIL(&d->calls, c, entry);
    d->n_calls++;
    return c;
}

void call_on_open(struct role *r, const struct role_msg *m)
{
    const struct msg_open *o = m->body;
    struct netd *d = role_user(r);
    struct err err = {0};
    int rc = check_open(d, o, &err);

    if (rc != 0) {
        role_refuse(r, m->ticket, rc, "netd", "%s", err.msg);
        return;
    }
    struct call *c = call_new(d, m, o->zone, o->source, o->deadline);
    buf_append(&c->envelope, o->envelope);
    if (buf_ok(&c->envelope, NULL) != 0)
        role_fatal(r, "out of memory");
    c->named = (struct proof){.number = o->number, .boot = o->boot};
    memcpy(c->named.evidence, o->evidence, sizeof(c->named.evidence));
    memcpy(c->named.state, o->state.ptr, o->state.len);
    dial_for(d, c->zone);
}

/* Before a call's envelope is signed: it waits for a channel as a call does,
 * and the caller that goes meanwhile takes it along. */
void call_on_appraisal_get(struct role *r, const struct role_msg *m)
{
    const struct msg_appraisal_get *q = m->body;
    struct netd *d = role_user(r);
    struct err err = {0};
    int rc = check_zone(d, q->zone, q->source, q->deadline, &err);

    if (rc != 0) {
        role_refuse(r, m->ticket, rc, "netd", "%s", err.msg);
        return;
    }
    struct call *c = call_new(d, m, q->zone, q->source, q->deadline);
    c->asks = true;
    dial_for(d, c->zone);
}

void call_answered(
        struct conn *via, uint32_t stream, const struct channel_answer *a)
{
    struct netd *d = via->d;
    struct call *c;
    char where[NETD_WHERE_MAX], reason[NETD_TEXT_MAX];

    TAILQ_FOREACH (c, &d->calls, entry) {
        if (c->conn == via->serial && c->stream == stream)
            break;
    }
    if (c == NULL)
        return;
    if (a->code == 0) {
        role_reply_ok(d->role, c->ticket);
    } else {
        netd_text(where, sizeof(where), a->where);
        netd_text(reason, sizeof(reason), a->reason);
        role_refuse(d->role, c->ticket, a->code,
                where[0] != '\0' ? where : "netd", "%s", reason);
    }
    call_free(d, c);
}

static void expire(struct netd *d, struct call *c)
{
    struct channel_time now = netd_now();
    struct conn *via = conn_find(d, c->conn);
    const char *why = dial_failure(d, c->zone);
    char text[2 * NETD_TEXT_MAX];

    (void)snprintf(text, sizeof(text), "no channel to zone %s in time%s%s",
            c->zone, *why != '\0' ? "; last attempt: " : "", why);
    if (c->conn == 0 || via == NULL)
        refuse(d, c, ERR_TIMEOUT, "netd", text);
    else /* answers the call, and with that frees it */
        channel_call_cancel(via->ch, c->stream, ERR_TIMEOUT,
                "the other zone did not answer in time", &now);
}

void call_tick(struct netd *d)
{
    uint64_t now = netd_now().mono_ms;
    struct call *c = TAILQ_FIRST(&d->calls);

    while (c != NULL) {
        struct call *next = TAILQ_NEXT(c, entry);
        if (is_abandoned(c))
            refuse(d, c, ERR_PEER, "netd", "the caller went");
        else if (now >= c->give_up_ms)
            expire(d, c);
        c = next;
    }
}

/* ---- calls of other zones -------------------------------------------- */

struct ask {
    struct netd *d;
    uint64_t conn;
    uint32_t stream;
    int fd; /* this side's end of the data */
};

static void on_decided(struct role *r, const struct role_msg *m, void *user)
{
    struct ask *a = user;
    struct conn *c = conn_find(a->d, a->conn);
    struct channel_time now = netd_now();
    (void)r;

    if (c != NULL && m->type == MSG_REFUSED) {
        const struct msg_refused *no = m->body;
        (void)channel_call_refuse(
                c->ch, a->stream, no->where, no->reason, &now);
    } else if (c != NULL &&
               channel_call_serve(c->ch, a->stream, a->fd, &now) == 0) {
        a->fd = -1;
    }
    /* The caller is gone: closing tells the callee. */
    if (a->fd >= 0)
        (void)close(a->fd);
    free(a);
}

/* The caller may be zones away: it hears whose netd this is. */
static void refuse_incoming(struct conn *c, uint32_t stream, const char *reason)
{
    struct channel_time now = netd_now();
    char where[NETD_WHERE_MAX];

    (void)snprintf(
            where, sizeof(where), "netd of zone %s", role_zone(c->d->role));
    (void)channel_call_refuse(
            c->ch, stream, span_str(where), span_str(reason), &now);
}

void call_incoming(
        struct conn *c, uint32_t stream, struct span untrusted_envelope)
{
    struct netd *d = c->d;
    char limit[NETD_TEXT_MAX];
    struct ask *a;
    int fds[2];

    if (limit_is_broken(c, limit)) {
        refuse_incoming(c, stream, limit);
        record_limit(c, limit);
        return;
    }
    a = calloc(1, sizeof(*a));
    if (a == NULL ||
            socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) {
        free(a);
        refuse_incoming(c, stream, "out of descriptors");
        return;
    }
    *a = (struct ask){
            .d = d, .conn = c->serial, .stream = stream, .fd = fds[0]};
    struct msg_incoming msg = {.zone = span_str(channel_peer(c->ch)),
            .envelope = untrusted_envelope,
            .state = span_str(c->stands.state)};
    memcpy(msg.evidence, c->stands.evidence, sizeof(msg.evidence));
    role_request(d->role, &(struct role_request){.to = MSG_ROLE_CALLD,
                                  .type = MSG_INCOMING,
                                  .msg = &msg,
                                  .fds = &fds[1],
                                  .n_fds = 1,
                                  .expect = MSG_OK,
                                  .done = on_decided,
                                  .user = a});
    (void)close(fds[1]); /* the request has its own */
}
