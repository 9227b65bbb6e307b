/* SPDX-License-Identifier: Apache-2.0 */
/* Every call is asked about once; what was never the answer, and what should
 * not have been. */
#include "policytool_private.h"

#include "buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define RELAY "qair.Relay" /* the transport service of packaging/qubes */

struct lint {
    const struct policytool_universe *u;
    void (*show)(void *ctx, const struct policytool_finding *f);
    void *ctx;
    bool *decides; /* by rule */
    bool *opens;   /* by rule: was told to open a transport service */
};

static void tell(const struct lint *l, size_t rule, bool is_error,
        const char *fmt, ...) PRINTF_LIKE(4, 5);

static void tell(
        const struct lint *l, size_t rule, bool is_error, const char *fmt, ...)
{
    struct policytool_finding f = {.is_error = is_error};
    struct policy_rule_view v;
    va_list ap;

    policy_rule_at(l->u->policy[0], rule, &v);
    f.file = v.file;
    f.line = v.line;
    f.text = v.text;
    va_start(ap, fmt);
    (void)vsnprintf(f.what, sizeof(f.what), fmt, ap);
    va_end(ap);
    l->show(l->ctx, &f);
}

static bool is_transport(const struct policytool_universe *u, struct span name)
{
    if (span_eq_str(name, RELAY))
        return true;
    for (size_t i = 0; i < u->n_qubes; i++) {
        if (u->qube[i].transport_rpc.len &&
                span_eq(u->qube[i].transport_rpc, name))
            return true;
    }
    return false;
}

static void look(struct lint *l, const struct policytool_service *service,
        bool transport, size_t source, const struct policy_result *r)
{
    const struct policy_qube *q = &l->u->qube[source];

    if (r->rule == 0)
        return;
    l->decides[r->rule - 1] = true;
    if (!transport || r->verdict == POLICY_DENY || l->opens[r->rule - 1] ||
            span_eq_str(q->type, "AdminVM"))
        return;
    l->opens[r->rule - 1] = true;
    tell(l, r->rule - 1, true,
            "lets %.*s call the transport service %.*s itself, past all rules "
            "for remotes: it is for rewriting only, deny it",
            (int)q->name.len, (const char *)q->name.ptr, (int)service->name.len,
            (const char *)service->name.ptr);
}

static void ask_all(struct lint *l, const struct policytool_service *service,
        size_t v, bool transport)
{
    struct policy_result r;

    for (size_t s = 0; s < l->u->n_qubes; s++) {
        for (size_t t = 0; t < l->u->n_targets; t++) {
            policytool_ask(l->u, 0, v, s, t, &r);
            look(l, service, transport, s, &r);
        }
    }
}

/* Transport services that no rule names are opened by "*" alone. */
static void ask_unnamed(struct lint *l, struct span name)
{
    const struct policytool_service service = {
            .name = name, .argument = span_str("*"), .text = name};
    struct policy_result r;

    for (size_t i = 0; i < l->u->n_services; i++) {
        if (span_eq(l->u->service[i].name, name))
            return;
    }
    for (size_t s = 0; s < l->u->n_qubes; s++) {
        for (size_t t = 0; t < l->u->n_targets; t++) {
            const struct policy_request request = {
                    .source = l->u->qube[s].name,
                    .target = l->u->target[t],
                    .service = name,
            };

            policy_eval(l->u->policy[0], l->u->system, &request, &r);
            look(l, &service, true, s, &r);
        }
    }
}

static void ask_transports(struct lint *l)
{
    ask_unnamed(l, span_str(RELAY));
    for (size_t i = 0; i < l->u->n_qubes; i++) {
        struct span name = l->u->qube[i].transport_rpc;
        bool again = span_eq_str(name, RELAY);

        for (size_t k = 0; k < i && !again; k++)
            again = span_eq(l->u->qube[k].transport_rpc, name);
        if (name.len && !again)
            ask_unnamed(l, name);
    }
}

int policytool_lint(const struct policytool_universe *u,
        void (*show)(void *ctx, const struct policytool_finding *f), void *ctx,
        struct err *err)
{
    size_t n = policy_rule_count(u->policy[0]);
    CLEANUP(buf_free_ptr) bool *decides = calloc(n + 1, sizeof(*decides));
    CLEANUP(buf_free_ptr) bool *opens = calloc(n + 1, sizeof(*opens));
    struct lint l = {u, show, ctx, decides, opens};

    if (!decides || !opens)
        return err_set(err, ERR_MEMORY, "out of memory");
    for (size_t i = 0; i < u->n_services; i++)
        ask_all(&l, &u->service[i], i, is_transport(u, u->service[i].name));
    ask_transports(&l);
    for (size_t i = 0; i < n; i++) {
        if (!decides[i])
            tell(&l, i, false,
                    "decides no call between the qubes there are: earlier "
                    "rules cover it, or nobody fits its words");
    }
    return 0;
}
