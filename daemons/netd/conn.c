/* SPDX-License-Identifier: Apache-2.0 */
#include "netd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* ---- finding and ending ---------------------------------------------- */

struct conn *conn_find(struct netd *d, uint64_t serial)
{
    struct conn *c;

    TAILQ_FOREACH (c, &d->conns, entry) {
        if (c->serial == serial && !c->closed)
            return c;
    }
    return NULL;
}

void conn_end(struct conn *c, int code, const char *reason)
{
    if (!c->closed)
        channel_close(c->ch, code, reason);
}

static void conn_free(struct conn *c)
{
    struct netd *d = c->d;

    TAILQ_REMOVE(&d->conns, c, entry);
    d->n_conns--;
    if (!c->known && c->peer == NULL)
        d->n_strangers--;
    sd_event_source_disable_unref(c->io);
    sd_event_source_disable_unref(c->timer);
    channel_free(c->ch);
    free(c);
}

/* ---- what the channel asks for --------------------------------------- */

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
    (void)r;

    free(a);
    if (c == NULL)
        return;
    if (m->type == MSG_REFUSED) {
        cannot(c, CHANNEL_REASON_OWN, m->body);
        return;
    }
    const struct msg_blob *blob = m->body;
    (void)channel_round_evidence(c->ch, blob->bytes, &now);
}

static unsigned channels_from(const struct netd *d, const char *zone)
{
    const struct conn *c;
    unsigned n = 0;

    TAILQ_FOREACH (c, &d->conns, entry)
        n += c->known && !c->closed && c->peer == NULL &&
             strcmp(channel_peer(c->ch), zone) == 0;
    return n;
}

static void on_evidence(void *arg, struct channel *ch,
        const uint8_t binder[static CHANNEL_BINDER])
{
    struct conn *c = arg;
    struct netd *d = c->d;
    struct msg_evidence_get get;

    if (!c->known && c->peer == NULL) {
        d->n_strangers--;
        c->known = true; /* TLS is done: this is one of the pack's zones */
        if (channels_from(d, channel_peer(ch)) > NETD_PER_PEER_MAX) {
            channel_close(ch, ERR_LIMIT, "zone has too many channels");
            return;
        }
    }
    memcpy(get.binder, binder, sizeof(get.binder));
    role_request(d->role, &(struct role_request){.to = MSG_ROLE_KEYD,
                                  .type = MSG_EVIDENCE_GET,
                                  .msg = &get,
                                  .expect = MSG_BLOB,
                                  .done = on_own_evidence,
                                  .user = ask_new(c)});
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
    memcpy(c->evidence, v->evidence, sizeof(c->evidence));
    netd_text(c->state, sizeof(c->state), v->state);
    if (v->accept != 1) {
        (void)snprintf(
                c->where, sizeof(c->where), "attestd of zone %s", role_zone(r));
        netd_text(c->reason, sizeof(c->reason), v->reason);
    }
    (void)channel_round_appraised(c->ch, v->accept == 1, &now);
}

static void on_appraise(void *arg, struct channel *ch,
        const uint8_t binder[static CHANNEL_BINDER],
        struct span untrusted_evidence)
{
    struct conn *c = arg;
    struct msg_appraise msg = {
            .zone = span_str(channel_peer(ch)), .evidence = untrusted_evidence};

    c->known = true;
    memcpy(msg.binder, binder, sizeof(msg.binder));
    role_request(c->d->role, &(struct role_request){.to = MSG_ROLE_ATTESTD,
                                     .type = MSG_APPRAISE,
                                     .msg = &msg,
                                     .expect = MSG_APPRAISED,
                                     .done = on_appraised,
                                     .user = ask_new(c)});
}

static void on_accepted(void *arg, struct channel *ch, unsigned round)
{
    (void)ch;
    record_accepted(arg, round);
}

static void on_incoming(void *arg, struct channel *ch, uint32_t stream,
        struct span untrusted_envelope)
{
    (void)ch;
    call_incoming(arg, stream, untrusted_envelope);
}

static void on_answered(void *arg, struct channel *ch, uint32_t stream,
        const struct channel_answer *answer)
{
    (void)ch;
    call_answered(arg, stream, answer);
}

static void on_closed(
        void *arg, struct channel *ch, int code, const char *reason)
{
    struct conn *c = arg;
    (void)ch;

    record_closed(c, code, reason);
    c->closed = true;
    if (c->peer != NULL)
        dial_closed(c, code, c->reason[0] != '\0' ? c->reason : reason);
}

static const struct channel_ops ops = {
        .evidence = on_evidence,
        .appraise = on_appraise,
        .accepted = on_accepted,
        .incoming = on_incoming,
        .answered = on_answered,
        .closed = on_closed,
};

/* ---- events ---------------------------------------------------------- */

static void run(struct conn *c)
{
    struct channel_time now = netd_now();

    channel_run(c->ch, &now);
    if (c->closed)
        conn_free(c);
}

static int on_io(sd_event_source *s, int fd, uint32_t revents, void *user)
{
    (void)s;
    (void)fd;
    (void)revents;
    run(user);
    return 0;
}

static int on_timer(sd_event_source *s, uint64_t usec, void *user)
{
    (void)s;
    (void)usec;
    run(user);
    return 0;
}

/* Before each wait: the timer says what the channel's deadline is now. */
static int on_prepare(sd_event_source *s, void *user)
{
    struct conn *c = user;
    uint64_t due = channel_deadline(c->ch);
    (void)s;

    if (due > UINT64_MAX / 1000)
        return sd_event_source_set_enabled(c->timer, SD_EVENT_OFF);
    int rc = sd_event_source_set_time(c->timer, due * 1000);
    return rc < 0 ? rc
                  : sd_event_source_set_enabled(c->timer, SD_EVENT_ONESHOT);
}

static int watch(struct conn *c, struct err *err)
{
    sd_event *e = c->d->event;

    if (sd_event_add_io(e, &c->io, channel_fd(c->ch), EPOLLIN, on_io, c) < 0 ||
            sd_event_source_set_prepare(c->io, on_prepare) < 0 ||
            sd_event_add_time(
                    e, &c->timer, CLOCK_MONOTONIC, 0, 1000, on_timer, c) < 0)
        return err_set(err, ERR_MEMORY, "event loop");
    return 0;
}

/* ---- making ---------------------------------------------------------- */

/* Takes fd on success.  peer: NULL for an accepted connection. */
static struct conn *conn_new(struct netd *d, int fd, const char *addr,
        struct peer *peer, struct err *err)
{
    struct channel_time now = netd_now();
    const int one = 1;
    struct conn *c = calloc(1, sizeof(*c));

    if (c == NULL) {
        (void)err_set(err, ERR_MEMORY, "out of memory");
        return NULL;
    }
    c->d = d;
    c->serial = ++d->next_serial;
    c->peer = peer;
    (void)snprintf(c->addr, sizeof(c->addr), "%s", addr);
    /* Calls are small messages back and forth. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    c->ch = peer != NULL ? channel_dial(d->context, fd, peer->zone, &ops, c,
                                   &now, err)
                         : channel_accept(d->context, fd, &ops, c, &now, err);
    if (c->ch == NULL) {
        free(c);
        return NULL;
    }
    TAILQ_INSERT_TAIL(&d->conns, c, entry);
    d->n_conns++;
    d->n_strangers += peer == NULL;
    if (watch(c, err) != 0) {
        conn_free(c);
        role_fatal(d->role, "%s", err->msg);
    }
    return c;
}

/* Numbers only: there is no resolver in an empty root. */
static int address_of(const struct conf_addr *a, struct sockaddr_storage *ret,
        socklen_t *ret_len, struct err *err)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(a->port)};
    struct sockaddr_in6 v6 = {
            .sin6_family = AF_INET6, .sin6_port = htons(a->port)};
    const char *host =
            strcmp(a->host, "localhost") == 0 ? "127.0.0.1" : a->host;

    if (a->port == 0)
        return err_set(err, ERR_USAGE, "address of the zone has port 0");
    if (inet_pton(AF_INET, host, &v4.sin_addr) == 1) {
        memcpy(ret, &v4, sizeof(v4));
        *ret_len = sizeof(v4);
    } else if (inet_pton(AF_INET6, host, &v6.sin6_addr) == 1) {
        memcpy(ret, &v6, sizeof(v6));
        *ret_len = sizeof(v6);
    } else {
        return err_set(err, ERR_USAGE,
                "address %s is a name: write the numeric address", a->host);
    }
    return 0;
}

struct conn *conn_dial(struct netd *d, struct peer *p,
        const struct conf_addr *addr, struct err *err)
{
    struct sockaddr_storage sa = {0};
    socklen_t len = 0;

    if (d->n_conns >= NETD_CONNS_MAX) {
        (void)err_set(err, ERR_LIMIT, "too many channels");
        return NULL;
    }
    if (address_of(addr, &sa, &len, err) != 0)
        return NULL;
    int fd =
            socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        (void)err_errno(err, "socket");
        return NULL;
    }
    if (connect(fd, (struct sockaddr *)&sa, len) != 0 && errno != EINPROGRESS) {
        (void)err_errno(err, "%s:%u", addr->host, addr->port);
        (void)close(fd);
        return NULL;
    }
    struct conn *c = conn_new(d, fd, addr->host, p, err);
    if (c == NULL)
        (void)close(fd);
    return c;
}

/* ---- listening ------------------------------------------------------- */

static void peer_address(int fd, char ret[static NETD_ADDR_MAX])
{
    struct sockaddr_storage sa = {0};
    socklen_t len = sizeof(sa);
    const void *a = NULL;

    (void)snprintf(ret, NETD_ADDR_MAX, "unknown");
    if (getpeername(fd, (struct sockaddr *)&sa, &len) != 0)
        return;
    if (sa.ss_family == AF_INET)
        a = &((struct sockaddr_in *)&sa)->sin_addr;
    else if (sa.ss_family == AF_INET6)
        a = &((struct sockaddr_in6 *)&sa)->sin6_addr;
    if (a != NULL)
        (void)inet_ntop(sa.ss_family, a, ret, NETD_ADDR_MAX);
}

static bool has_room(const struct netd *d, const char *addr)
{
    const struct conn *c;
    unsigned same = 0;

    if (d->n_strangers >= NETD_STRANGERS_MAX || d->n_conns >= NETD_CONNS_MAX)
        return false;
    TAILQ_FOREACH (c, &d->conns, entry)
        same += !c->known && c->peer == NULL && strcmp(c->addr, addr) == 0;
    return same < NETD_STRANGERS_PER_ADDR_MAX;
}

/* Takes fd. */
static void admit(struct netd *d, int fd)
{
    char addr[NETD_ADDR_MAX];
    struct err err = {0};

    peer_address(fd, addr);
    if (!has_room(d, addr)) {
        record_refused(d, "", "too many connections without a proved peer");
        (void)close(fd);
        return;
    }
    if (conn_new(d, fd, addr, NULL, &err) == NULL) {
        role_log(d->role, "connection of %s: %s", addr, err.msg);
        (void)close(fd);
    }
}

void conn_unpark(struct netd *d, bool accept)
{
    unsigned n = d->n_parked;

    d->n_parked = 0;
    for (unsigned i = 0; i < n; i++) {
        if (accept)
            admit(d, d->parked[i]);
        else
            (void)close(d->parked[i]);
    }
}

static int on_listen(sd_event_source *s, int fd, uint32_t revents, void *user)
{
    struct netd *d = user;
    int peer = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    (void)revents;

    if (peer < 0) {
        /* Out of descriptors: the tick turns it on again. */
        if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
            (void)sd_event_source_set_enabled(s, SD_EVENT_OFF);
        return 0;
    }
    if (cert_ready(d))
        admit(d, peer);
    else if (cert_is_pending(d) && d->n_parked < NETD_PARKED_MAX)
        d->parked[d->n_parked++] = peer;
    else
        (void)close(peer);
    return 0;
}

int conn_listen(struct netd *d, struct err *err)
{
    d->listener = role_listener_take(d->role, "net");
    if (d->listener < 0)
        return 0; /* this zone only dials */
    if (sd_event_add_io(
                d->event, &d->listen, d->listener, EPOLLIN, on_listen, d) < 0)
        return err_set(err, ERR_MEMORY, "event loop");
    return 0;
}

/* ---- now and then ---------------------------------------------------- */

void conn_check_pack(struct netd *d)
{
    struct conn *c;

    TAILQ_FOREACH (c, &d->conns, entry) {
        if (c->closed || (!c->known && c->peer == NULL))
            continue;
        if (netd_zone(d, span_str(channel_peer(c->ch))) == NULL)
            conn_end(c, ERR_DENIED, "the pack no longer vouches for the zone");
    }
}

void conn_tick(struct netd *d)
{
    struct conn *c;

    if (d->listen != NULL)
        (void)sd_event_source_set_enabled(d->listen, SD_EVENT_ON);
    TAILQ_FOREACH (c, &d->conns, entry) {
        struct channel_status st;
        channel_status(c->ch, &st);
        if (c->retiring && st.streams == 0)
            conn_end(c, ERR_TIMEOUT, "replaced by a fresh channel");
    }
}
