/* SPDX-License-Identifier: Apache-2.0 */
/* How much of this process one zone, and one qube, may have. */
#include "netd.h"

#include <stdio.h>

unsigned limit_channels_of(const struct netd *d, const char *zone)
{
    const struct conn *c;
    unsigned n = 0;

    TAILQ_FOREACH (c, &d->conns, entry)
        n += c->known && !c->closed && c->peer == NULL &&
             strcmp(channel_peer(c->ch), zone) == 0;
    return n;
}

unsigned limit_calls_to(const struct netd *d, struct span zone, uint64_t source)
{
    const struct conn *c;
    unsigned n = 0;

    TAILQ_FOREACH (c, &d->conns, entry) {
        if (!c->closed && c->peer != NULL && span_eq_str(zone, c->peer->zone))
            n += channel_calls(c->ch, source);
    }
    return n;
}

bool limit_is_broken(const struct conn *c, char ret[static NETD_TEXT_MAX])
{
    const struct conn *o;
    struct channel_status st;
    uint64_t held = 0;
    unsigned calls = 0;

    TAILQ_FOREACH (o, &c->d->conns, entry) {
        if (!conn_is_former(o, c) && o != c)
            continue;
        channel_status(o->ch, &st);
        calls += st.streams;
        held += st.held;
    }
    if (calls > NETD_PEER_CALLS_MAX)
        (void)snprintf(ret, NETD_TEXT_MAX,
                "limit: %d calls in flight of zone %s", NETD_PEER_CALLS_MAX,
                channel_peer(c->ch));
    else if (held > NETD_PEER_HELD_MAX)
        (void)snprintf(ret, NETD_TEXT_MAX,
                "limit: %u MiB of zone %s that nobody has read",
                NETD_PEER_HELD_MAX >> 20, channel_peer(c->ch));
    else
        return false;
    return true;
}
