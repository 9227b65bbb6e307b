/* SPDX-License-Identifier: Apache-2.0 */
#include "netd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
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

bool conn_is_former(const struct conn *o, const struct conn *c)
{
    return o != c && o->known && !o->closed && o->peer == NULL &&
           strcmp(channel_peer(o->ch), channel_peer(c->ch)) == 0;
}

/* Nothing is closed that is alive: calls may still be on their way there, as
 * when the peer's certificate ends.  A peer that changed its address leaves
 * one that is dead. */
void conn_probe_former(struct conn *c)
{
    struct channel_time now = netd_now();
    struct conn *o;

    TAILQ_FOREACH (o, &c->d->conns, entry) {
        if (conn_is_former(o, c))
            channel_probe(o->ch, &now);
    }
}

/* What the pack in use has against this channel, or NULL.  The pins of a
 * channel's context may be those of a former pack. */
static const char *objection(const struct conn *c)
{
    const struct pack *pack = c->d->pack;
    const struct crypto_pub *proved_by = channel_identity(c->ch);
    const struct pack_zone *z =
            pack != NULL ? pack_zone(pack, span_str(channel_peer(c->ch)))
                         : NULL;

    if (z == NULL)
        return "the pack no longer vouches for the zone";
    if (z->revoked)
        return "the pack revokes the zone";
    if (!pack_zone_valid(z, role_now()))
        return "the zone's time in the pack is over";
    if (proved_by != NULL && !crypto_pub_eq(proved_by, z->identity))
        return "the pack has another identity for the zone";
    return NULL;
}

/* TLS has proved who the peer is; false: it gets no channel. */
static bool admitted(struct conn *c)
{
    const char *why = objection(c);
    bool first = !c->known;
    int code = ERR_DENIED;

    c->known = true;
    if (first && c->peer == NULL) {
        c->d->n_strangers--;
        if (why == NULL && limit_channels_of(c->d, channel_peer(c->ch)) >
                                   NETD_PER_PEER_MAX) {
            code = ERR_LIMIT;
            why = "zone has too many channels";
        } else if (why == NULL && dial_is_barred(c->d, channel_peer(c->ch))) {
            code = ERR_LIMIT;
            why = "zone broke a limit and comes back too soon";
        }
    }
    if (why != NULL)
        channel_close(c->ch, code, why);
    return why == NULL;
}

static void on_evidence(void *arg, struct channel *ch,
        const uint8_t binder[static CHANNEL_BINDER])
{
    (void)ch;
    if (admitted(arg))
        attest_own(arg, binder);
}

static void on_appraise(void *arg, struct channel *ch,
        const uint8_t binder[static CHANNEL_BINDER],
        struct span untrusted_evidence)
{
    (void)ch;
    if (admitted(arg))
        attest_peer(arg, binder, untrusted_evidence);
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

    record_closed(c, code, reason);
    c->closed = true;
    if (code == ERR_LIMIT && c->recorded && c->peer == NULL)
        dial_bar(c->d, channel_peer(ch));
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
    struct conn *c = calloc(1, sizeof(*c));

    if (c == NULL) {
        (void)err_set(err, ERR_MEMORY, "out of memory");
        return NULL;
    }
    c->d = d;
    c->serial = ++d->next_serial;
    c->peer = peer;
    (void)snprintf(c->addr, sizeof(c->addr), "%s", addr);
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

struct conn *conn_accept(
        struct netd *d, int fd, const char *addr, struct err *err)
{
    return conn_new(d, fd, addr, NULL, err);
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

/* ---- now and then ---------------------------------------------------- */

void conn_check_pack(struct netd *d)
{
    struct conn *c;

    TAILQ_FOREACH (c, &d->conns, entry) {
        /* Strangers are judged when they have proved who they are. */
        if (c->closed || (!c->known && c->peer == NULL))
            continue;
        const char *why = objection(c);
        if (why != NULL)
            channel_close_saying(
                    c->ch, CHANNEL_REASON_EVIDENCE, ERR_DENIED, why);
    }
}

void conn_end_all(struct netd *d, const char *where, const char *reason)
{
    struct conn *c;

    TAILQ_FOREACH (c, &d->conns, entry) {
        if (c->closed)
            continue;
        (void)snprintf(c->where, sizeof(c->where), "%s", where);
        (void)snprintf(c->reason, sizeof(c->reason), "%s", reason);
        channel_close_saying(c->ch, CHANNEL_REASON_OWN, ERR_DENIED,
                "this zone cannot prove itself any more");
    }
}

void conn_tick(struct netd *d)
{
    struct conn *c;

    TAILQ_FOREACH (c, &d->conns, entry) {
        struct channel_status st;
        channel_status(c->ch, &st);
        if (c->retiring && st.streams == 0)
            conn_end(c, ERR_TIMEOUT, "replaced by a fresh channel");
    }
}
