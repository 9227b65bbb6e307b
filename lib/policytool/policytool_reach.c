/* SPDX-License-Identifier: Apache-2.0 */
/* Breadth first over calls; within one breadth, fewer questions first. */
#include "policytool_private.h"

#include "buf.h"

#include <stdlib.h>

#define NOWHERE SIZE_MAX

/* How a qube was come to. */
struct node {
    size_t from; /* NOWHERE: not, or it is the start */
    size_t hops, asks;
    bool seen;
    bool leaf; /* a disposable, or dom0: nobody who calls on is known */
    struct policytool_hop hop;
};

struct search {
    const struct policytool_universe *u;
    struct span service;
    struct node *node; /* by qube, then by template for disposables of it */
};

static size_t node_of(const struct search *s, const struct policy_target *t)
{
    size_t i = (size_t)(t->qube - s->u->qube);

    return t->dispvm ? s->u->n_qubes + i : i;
}

static bool is_better(const struct node *n, size_t hops, size_t asks)
{
    return !n->seen || hops < n->hops || (hops == n->hops && asks < n->asks);
}

/* What was asked. */
struct question {
    size_t source, service, target, state;
};

/* A call from source with service leads to t. */
static void arrive(struct search *s, const struct question *c,
        const struct policy_target *t, bool ask)
{
    size_t source = c->source, service = c->service;
    const struct node *from = &s->node[source];
    struct node *n = &s->node[node_of(s, t)];
    size_t hops = from->hops + 1, asks = from->asks + ask;

    if (n->seen && n->from == source && n->hops == hops && n->asks == asks) {
        if (n->hop.service != &s->u->service[service])
            n->hop.n_services++;
        return;
    }
    if (!is_better(n, hops, asks))
        return;
    *n = (struct node){.from = source,
            .hops = hops,
            .asks = asks,
            .seen = true,
            .leaf = t->dispvm || span_eq_str(t->qube->type, "AdminVM"),
            .hop = {.source = s->u->qube[source].name,
                    .target = t->qube->name,
                    .dispvm = t->dispvm,
                    .ask = ask,
                    .asked = (const char *)s->u->target[c->target].ptr,
                    .service = &s->u->service[service],
                    .n_services = 1,
                    .state = s->u->state[c->state],
                    .zone = t->dispvm ? SPAN_EMPTY : t->qube->zone,
                    .relay = t->dispvm ? SPAN_EMPTY : t->qube->relayvm}};
}

static void call(struct search *s, const struct question *c)
{
    struct policy_result r;
    struct policy_target t;
    size_t pos = 0;

    policytool_ask(s->u, 0, c->service, c->source, c->target, c->state, &r);
    if (r.verdict == POLICY_ALLOW)
        arrive(s, c, &r.target, false);
    while (r.verdict == POLICY_ASK &&
            policy_ask_next(&r, s->u->system, &pos, &t)) {
        if (t.qube)
            arrive(s, c, &t, true);
    }
}

static void expand(struct search *s, size_t source)
{
    for (size_t v = 0; v < s->u->n_services; v++) {
        if (s->service.len && !span_eq(s->service, s->u->service[v].name))
            continue;
        /* Ways that need no state first: they are kept. */
        for (size_t i = 0; i < s->u->n_states * s->u->n_targets; i++)
            call(s, &(struct question){.source = source,
                            .service = v,
                            .target = i % s->u->n_targets,
                            .state = i / s->u->n_targets});
    }
}

/* The way back from the target, turned round. */
static size_t write_way(const struct search *s, size_t at,
        struct policytool_hop ret[static POLICYTOOL_HOPS_MAX])
{
    size_t n = s->node[at].hops;

    for (size_t i = n; i > 0; i--) {
        ret[i - 1] = s->node[at].hop;
        at = s->node[at].from;
    }
    return n;
}

static int find_qube(const struct policytool_universe *u, struct span name,
        size_t *ret, struct err *err)
{
    const struct policy_qube *q = policy_system_find(u->system, name);

    if (!q)
        return err_set(err, ERR_NOT_FOUND, "no qube '%.*s'",
                (int)(name.len < 64 ? name.len : 64), (const char *)name.ptr);
    *ret = (size_t)(q - u->qube);
    return 0;
}

/* Until the target was come to, and all of that breadth. */
static void walk(struct search *s, size_t start, size_t to, size_t max_hops)
{
    s->node[start] = (struct node){.from = NOWHERE, .seen = true};
    for (size_t hops = 0; hops < max_hops && !s->node[to].seen; hops++) {
        for (size_t i = 0; i < s->u->n_qubes; i++) {
            if (s->node[i].seen && s->node[i].hops == hops && !s->node[i].leaf)
                expand(s, i);
        }
    }
}

int policytool_reach(const struct policytool_universe *u, struct span source,
        struct span target, struct span service, size_t max_hops,
        struct policytool_hop ret[static POLICYTOOL_HOPS_MAX], size_t *ret_n,
        struct err *err)
{
    static const char disposable[] = "@dispvm:";
    struct search s = {.u = u, .service = service};
    size_t n = sizeof(disposable) - 1, from = 0, to = 0;
    bool is_disposable =
            target.len > n && memcmp(target.ptr, disposable, n) == 0;
    int r = find_qube(u, source, &from, err);

    if (is_disposable)
        target = SPAN(target.ptr + n, target.len - n);
    if (r == 0)
        r = find_qube(u, target, &to, err);
    if (r != 0)
        return r;
    if (is_disposable)
        to += u->n_qubes;
    if (max_hops > POLICYTOOL_HOPS_MAX)
        max_hops = POLICYTOOL_HOPS_MAX;
    s.node = calloc(2 * u->n_qubes, sizeof(*s.node));
    if (!s.node)
        return err_set(err, ERR_MEMORY, "out of memory");
    walk(&s, from, to, max_hops);
    *ret_n = s.node[to].seen ? write_way(&s, to, ret) : 0;
    free(s.node);
    return 0;
}
