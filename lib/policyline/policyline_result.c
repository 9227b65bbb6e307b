/* SPDX-License-Identifier: Apache-2.0 */
/* What the engine allowed, in the words of the policy socket. */
#include "policyline.h"

#include <stdio.h>

#define S(span) (int)(span).len, (span).ptr

static bool is_dom0(const struct policy_target *t)
{
    return !t->dispvm && span_eq_str(t->qube->name, "dom0");
}

static bool fits(int n, size_t cap)
{
    return n > 0 && (size_t)n < cap;
}

/* False when a name does not fit. */
static bool put_target(const struct policy_target *t,
        struct policyline_store *store, struct policyline_response *ret)
{
    const char *prefix = t->dispvm ? "@dispvm:" : "";
    bool fit;

    if (is_dom0(t)) {
        ret->target = span_str("dom0");
        return true;
    }
    fit = fits(snprintf(store->target, sizeof(store->target), "%s%.*s", prefix,
                       S(t->text)),
            sizeof(store->target));
    ret->target = span_str(store->target);
    if (t->qube->uuid.len == 0)
        return fit;
    fit &= fits(snprintf(store->target_uuid, sizeof(store->target_uuid),
                        "%suuid:%.*s", prefix, S(t->qube->uuid)),
            sizeof(store->target_uuid));
    ret->target_uuid = span_str(store->target_uuid);
    return fit;
}

/* Through the relay: its transport service is told the decided target. */
static int put_relay(const struct policy_result *r,
        const struct policy_system *system, struct policyline_store *store,
        struct policyline_response *ret, struct err *err)
{
    const struct policy_qube *remote = r->target.qube;
    struct policy_target relay = {.text = remote->relayvm,
            .qube = policy_system_find(system, remote->relayvm)};
    struct span via = r->relayed ? r->source->relayvm : r->source->name;

    if (!relay.qube)
        return err_set(err, ERR_DENIED, "RemoteVM '%.*s' has no relay '%.*s'",
                S(remote->name), S(remote->relayvm));
    /* qubes-issues 951: no qube can connect to itself. */
    if (policy_system_find(system, via) == relay.qube)
        return err_set(err, ERR_DENIED,
                "RemoteVM '%.*s' is behind '%.*s', which is where the call "
                "comes from",
                S(remote->name), S(relay.qube->name));
    if (!policy_format_relay(r, store->service, sizeof(store->service)))
        return err_set(err, ERR_DENIED,
                "service is over %d bytes with what the relay must know",
                LIMIT_SERVICE_MAX);
    ret->service = span_str(store->service);
    if (!put_target(&relay, store, ret))
        return err_set(err, ERR_DENIED, "name of the relay is too long");
    return 0;
}

int policyline_from_result(const struct policy_result *r,
        const struct policy_system *system, struct policyline_store *store,
        struct policyline_response *ret, struct err *err)
{
    struct policyline_response got = {.allow = true,
            .has_target = true,
            .autostart = r->autostart,
            .user = r->user.len ? r->user : span_str("DEFAULT"),
            .requested_target = r->requested};
    int res = 0;

    if (r->verdict != POLICY_ALLOW)
        return err_set(err, ERR_DENIED, "%s", r->reason);
    switch (r->route) {
    case POLICY_ROUTE_LOCAL:
        if (!put_target(&r->target, store, &got))
            return err_set(err, ERR_DENIED, "name of the target is too long");
        break;
    case POLICY_ROUTE_ZONE:
        return err_set(err, ERR_DENIED,
                "RemoteVM '%.*s' is of a zone: a relay must carry it here",
                S(r->target.qube->name));
    case POLICY_ROUTE_RELAY:
        got.user = span_str("DEFAULT"); /* a rule's user is the remote's */
        res = put_relay(r, system, store, &got, err);
        break;
    }
    if (res < 0)
        return res;
    /* Also for dom0, which upstream leaves with the name of the relay. */
    if (r->relayed)
        got.policy_source = r->source->name;
    *ret = got;
    return 0;
}
