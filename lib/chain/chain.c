/* SPDX-License-Identifier: Apache-2.0 */
#include "chain.h"

#include <stdio.h>

#define STR(s) (int)(s).len, (const char *)(s).ptr

/* What is wrong between two links of a chain; NULL: nothing. */
static const char *broken(
        const struct statement_call *before, const struct statement_call *after)
{
    if (memcmp(before->call_id, after->call_id, STATEMENT_CALL_ID) != 0)
        return "links of two calls";
    if (!span_eq(before->zone, after->origin))
        return "a link was for another zone than the one that went on";
    if (!span_eq(before->qube, after->requested))
        return "a zone went on with another qube than it was asked for";
    if (!span_eq(before->service, after->service))
        return "the service changed on the way";
    if (after->issued < before->issued)
        return "a link is older than the one before it";
    if (after->deadline > before->deadline)
        return "the deadline was extended on the way";
    return NULL;
}

static int open_link(const struct statement_call *after,
        const struct pack *pack, uint64_t at, struct statement *ret,
        struct statement_call *ret_call, struct err *err)
{
    const struct pack_zone *zone;
    struct statement untrusted;
    struct statement_call c;
    int r = statement_open_untrusted(after->via, &untrusted, err);

    if (r < 0)
        return r;
    r = statement_call_parse(&untrusted, &c, err);
    if (r == 0) {
        zone = pack_zone(pack, c.origin);
        if (!zone)
            r = err_set(err, ERR_DENIED, "zone '%.*s' is not in the pack",
                    STR(c.origin));
        else if (statement_verify(&untrusted, zone->identity, err) < 0)
            r = err_set(err, ERR_MISMATCH,
                    "a link is not signed by the identity of zone '%.*s'",
                    STR(c.origin));
        if (r == 0 && !pack_zone_valid(zone, at ? at : c.issued))
            r = err_set(err, ERR_DENIED,
                    "zone '%.*s' is revoked or not valid then", STR(c.origin));
    }
    if (r < 0) {
        statement_fini(&untrusted);
        return r;
    }
    *ret = untrusted;
    *ret_call = c;
    return 0;
}

/* Of the n links before last, the newest first, and last itself. */
static bool is_origin(const struct statement_call *links, size_t n,
        const struct statement_call *last, struct span zone)
{
    if (span_eq(last->origin, zone))
        return true;
    for (size_t i = 0; i < n; i++) {
        if (span_eq(links[i].origin, zone))
            return true;
    }
    return false;
}

static int add_link(struct chain *c, const struct statement_call *last,
        const struct pack *pack, uint64_t at, struct err *err)
{
    const struct statement_call *after = c->n ? &c->call[c->n - 1] : last;
    struct statement_call *call = &c->call[c->n];
    const char *wrong;
    int r;

    /* The last is a link as well. */
    if (c->n + 1 >= LIMIT_CALL_HOPS)
        return err_set(err, ERR_LIMIT, "more than %d zones hand the call on",
                LIMIT_CALL_HOPS);
    r = open_link(after, pack, at, &c->statement[c->n], call, err);
    if (r < 0)
        return r;
    c->n++;
    wrong = broken(call, after);
    if (wrong)
        return err_set(err, ERR_MISMATCH, "%s", wrong);
    if (is_origin(c->call, c->n - 1, last, call->origin) ||
            span_eq(last->zone, call->origin))
        return err_set(err, ERR_DENIED, "it comes to zone '%.*s' twice",
                STR(call->origin));
    return 0;
}

int chain_open(const struct statement_call *last, const struct pack *pack,
        uint64_t at, struct chain *ret, struct err *err)
{
    const struct statement_call *first = last;
    struct chain c = {.n = 0};
    int r = 0;

    if (span_eq(last->origin, last->zone))
        return err_set(err, ERR_DENIED, "chain: it comes to zone '%.*s' twice",
                STR(last->origin));
    while (r == 0 && first->via.len > 0) {
        r = add_link(&c, last, pack, at, err);
        if (r == 0)
            first = &c.call[c.n - 1];
    }
    if (r < 0) {
        chain_fini(&c);
        return err_prefix(err, r, "chain");
    }
    *ret = c;
    return 0;
}

void chain_fini(struct chain *c)
{
    for (size_t i = 0; i < c->n; i++)
        statement_fini(&c->statement[i]);
    c->n = 0;
}

const struct statement_call *chain_first(
        const struct chain *c, const struct statement_call *last)
{
    return c->n ? &c->call[c->n - 1] : last;
}

bool chain_has_zone(const struct chain *c, const struct statement_call *last,
        struct span zone)
{
    return is_origin(c->call, c->n, last, zone);
}

static size_t put(char *ret, size_t at, struct span zone, struct span qube)
{
    int n = snprintf(ret + at, CHAIN_PATH_MAX - at, "%s%.*s/%.*s",
            at ? " -> " : "", STR(zone), STR(qube));

    return n > 0 && at + (size_t)n < CHAIN_PATH_MAX ? at + (size_t)n
                                                    : CHAIN_PATH_MAX - 1;
}

void chain_path(const struct chain *c, const struct statement_call *last,
        char ret[static CHAIN_PATH_MAX])
{
    size_t at = 0;

    ret[0] = '\0';
    for (size_t i = c->n; i > 0; i--)
        at = put(ret, at, c->call[i - 1].origin, c->call[i - 1].source_qube);
    at = put(ret, at, last->origin, last->source_qube);
    (void)put(ret, at, last->zone, last->qube);
}
