/* SPDX-License-Identifier: Apache-2.0 */
#include "netd.h"

#include <stdio.h>
#include <stdlib.h>

static struct peer *peer_find(struct netd *d, const char *zone)
{
    struct peer *p;

    TAILQ_FOREACH (p, &d->peers, entry) {
        if (strcmp(p->zone, zone) == 0)
            return p;
    }
    return NULL;
}

/* At most one for each zone of the pack: calls to others never get here. */
static struct peer *peer_get(struct netd *d, const char *zone)
{
    struct peer *p = peer_find(d, zone);

    if (p != NULL)
        return p;
    p = calloc(1, sizeof(*p));
    if (p == NULL)
        role_fatal(d->role, "out of memory");
    (void)snprintf(p->zone, sizeof(p->zone), "%s", zone);
    TAILQ_INSERT_TAIL(&d->peers, p, entry);
    return p;
}

/* A quarter at most, so that short certificates do not mean a channel for
 * each call; by then both sides have new ones (cert.c). */
static uint64_t retire_at(const struct conn *c)
{
    uint64_t now = role_now(), left;
    struct channel_status st;

    channel_status(c->ch, &st);
    left = st.expires > now ? st.expires - now : 0;
    return st.expires - (left / 4 < NETD_RETIRE_S ? left / 4 : NETD_RETIRE_S);
}

struct conn *dial_usable(struct netd *d, const char *zone)
{
    struct peer *p = peer_find(d, zone);
    struct channel_status st;

    if (p == NULL || p->conn == NULL)
        return NULL;
    channel_status(p->conn->ch, &st);
    if (st.state != CHANNEL_OPEN)
        return NULL;
    if (role_now() >= p->conn->retire_s) {
        p->conn->retiring = true;
        p->conn = NULL;
        return NULL;
    }
    return p->conn;
}

/* Where the zone is: this zone's own configuration, else the pack. */
static int find_address(struct netd *d, const char *zone, struct conf_addr *ret,
        struct err *err)
{
    const struct conf_addr *a = conf_peer_find(d->conf, span_str(zone));
    const struct pack_zone *z = netd_zone(d, span_str(zone));

    if (a != NULL) {
        *ret = *a;
        return 0;
    }
    if (z == NULL || z->address[0] == '\0')
        return err_set(err, ERR_NOT_FOUND,
                "no address: write peer.%s = ADDRESS:PORT in zone.conf", zone);
    return conf_addr_parse(span_str(z->address), ret, err);
}

static void failed(struct peer *p)
{
    uint32_t jitter;

    p->backoff_ms =
            p->backoff_ms == 0 ? NETD_BACKOFF_MIN_MS : 2 * p->backoff_ms;
    if (p->backoff_ms > NETD_BACKOFF_MAX_MS)
        p->backoff_ms = NETD_BACKOFF_MAX_MS;
    crypto_random((uint8_t *)&jitter, sizeof(jitter));
    p->next_dial_ms =
            netd_now().mono_ms + p->backoff_ms - jitter % (p->backoff_ms / 2);
}

/* The line failed, and may be back soon; what a side said stays said. */
static bool may_pass(int code)
{
    return code == ERR_IO || code == ERR_TIMEOUT;
}

const char *dial_failure(struct netd *d, const char *zone)
{
    const struct peer *p = peer_find(d, zone);

    return p != NULL ? p->failure : "";
}

void dial_bar(struct netd *d, const char *zone)
{
    peer_get(d, zone)->barred_ms = netd_now().mono_ms + NETD_PENALTY_MS;
}

bool dial_is_barred(struct netd *d, const char *zone)
{
    const struct peer *p = peer_find(d, zone);

    return p != NULL && netd_now().mono_ms < p->barred_ms;
}

static void dial(struct netd *d, struct peer *p)
{
    char reason[ERR_MSG_MAX + LIMIT_ZONE_NAME_MAX + 16];
    struct conf_addr addr;
    struct err err = {0};

    if (find_address(d, p->zone, &addr, &err) == 0)
        p->conn = conn_dial(d, p, &addr, &err);
    if (p->conn != NULL)
        return;
    failed(p);
    (void)snprintf(p->failure, sizeof(p->failure), "%s", err.msg);
    if (may_pass(err.code))
        return;
    (void)snprintf(reason, sizeof(reason), "zone %s: %s", p->zone, err.msg);
    call_refuse_waiting(d, p->zone, err.code, "netd", reason);
}

void dial_for(struct netd *d, const char *zone)
{
    struct peer *p = peer_get(d, zone);
    struct conn *c = dial_usable(d, zone);

    if (c != NULL) {
        call_send_waiting(c);
        return;
    }
    if (p->conn != NULL || netd_now().mono_ms < p->next_dial_ms)
        return; /* on its way, or soon: dial_tick */
    if (cert_ready(d))
        dial(d, p);
    else if (!cert_is_pending(d))
        call_refuse_waiting(d, zone, ERR_DENIED, d->cert_where, d->cert_reason);
}

void dial_opened(struct conn *c)
{
    c->peer->backoff_ms = 0;
    c->peer->failure[0] = '\0';
    if (c->retire_s == 0)
        c->retire_s = retire_at(c);
    if (c->peer->conn == c)
        call_send_waiting(c);
}

void dial_closed(struct conn *c, int code, const char *reason)
{
    struct peer *p = c->peer;
    char text[2 * NETD_TEXT_MAX];

    if (p->conn != c)
        return;
    p->conn = NULL;
    failed(p);
    (void)snprintf(p->failure, sizeof(p->failure), "%s", reason);
    /* Calls that wait now came later, or the line was not there. */
    if (c->recorded || may_pass(code))
        return;
    (void)snprintf(
            text, sizeof(text), "channel to zone %s: %s", p->zone, reason);
    call_refuse_waiting(
            c->d, p->zone, code, c->where[0] != '\0' ? c->where : "netd", text);
}

void dial_refused(struct netd *d)
{
    call_refuse_waiting(d, NULL, ERR_DENIED, d->cert_where, d->cert_reason);
}

void dial_tick(struct netd *d)
{
    struct peer *p;

    TAILQ_FOREACH (p, &d->peers, entry) {
        if (call_is_waiting(d, p->zone))
            dial_for(d, p->zone);
    }
}
