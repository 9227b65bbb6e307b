/* SPDX-License-Identifier: Apache-2.0 */
#include "netd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

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
    if (conn_accept(d, fd, addr, &err) == NULL) {
        role_log(d->role, "connection of %s: %s", addr, err.msg);
        (void)close(fd);
    }
}

void listen_unpark(struct netd *d, bool accept)
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

int listen_start(struct netd *d, struct err *err)
{
    d->listener = role_listener_take(d->role, "net");
    if (d->listener < 0)
        return 0; /* this zone only dials */
    if (sd_event_add_io(
                d->event, &d->listen, d->listener, EPOLLIN, on_listen, d) < 0)
        return err_set(err, ERR_MEMORY, "event loop");
    return 0;
}

void listen_tick(struct netd *d)
{
    if (d->listen != NULL)
        (void)sd_event_source_set_enabled(d->listen, SD_EVENT_ON);
}
