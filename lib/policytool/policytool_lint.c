/* SPDX-License-Identifier: Apache-2.0 */
/* Every call is asked about once; what was never the answer, and what should
 * not have been. */
#include "policytool_private.h"

#include "buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define DECIDERS_ASKS_MAX 200000       /* for a word more, not for a verdict */
#define RELAY             "qair.Relay" /* the transport service of packaging/qubes */

/* What a rule did in all the calls there can be. */
struct deeds {
    bool decides;
    bool takes_part;           /* in what an ask offers */
    bool works;                /* something was allowed, or asked about */
    bool leads;                /* elsewhere than was asked for */
    bool opens;                /* was told to open a transport service */
    char why_not[ERR_MSG_MAX]; /* of one call that it allows in vain */
};

struct lint {
    const struct policytool_universe *u;
    void (*show)(void *ctx, const struct policytool_finding *f);
    void *ctx;
    struct deeds *deeds; /* by rule */
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
    struct deeds *d;

    if (r->rule == 0)
        return;
    d = &l->deeds[r->rule - 1];
    d->decides = true;
    if (r->verdict == POLICY_DENY)
        memcpy(d->why_not, r->reason, sizeof(d->why_not));
    d->works |= r->verdict != POLICY_DENY;
    d->leads |= r->verdict != POLICY_ALLOW || policytool_is_redirected(r);
    if (!transport || r->verdict == POLICY_DENY || d->opens ||
            span_eq_str(q->type, "AdminVM"))
        return;
    d->opens = true;
    tell(l, r->rule - 1, true,
            "lets %.*s call the transport service %.*s itself, past all rules "
            "for remotes: it is for rewriting only, deny it",
            (int)q->name.len, (const char *)q->name.ptr, (int)service->name.len,
            (const char *)service->name.ptr);
}

/* One of the states in which a call can be made. */
struct point {
    size_t service, source, state;
};

struct walk {
    struct lint *l;
    size_t rule;
};

/* An ask offers what all rules say that fit but for the target. */
static void note_part(void *ctx, const struct policy_finding *f)
{
    struct walk *w = ctx;

    w->l->deeds[w->rule++].takes_part |= f->match == POLICY_MATCH ||
                                         f->match == POLICY_MATCH_LATER ||
                                         f->match == POLICY_MATCH_TARGET;
}

/* Is the answer made of more rules than the one that decided? */
static bool is_made_of_many(const struct lint *l, const struct policy_result *r)
{
    struct policy_rule_view v;

    if (r->rule == 0)
        return false;
    policy_rule_at(l->u->policy[0], r->rule - 1, &v);
    /* An ask that found nothing to offer is a deny. */
    return v.action == POLICY_ASK && !v.has_redirect &&
           (r->verdict == POLICY_ASK ||
                   (r->verdict == POLICY_DENY &&
                           r->deny_class == POLICY_CLASS_POLICY));
}

static void note_parts(struct lint *l, const struct point *at)
{
    const struct policy_request request = {
            .source = l->u->qube[at->source].name,
            .target = l->u->target[0],
            .service = l->u->service[at->service].text,
            .state = l->u->state[at->state],
    };
    struct walk w = {l, 0};
    struct policy_result r;

    policy_explain(l->u->policy[0], l->u->system, &request, note_part, &w, &r);
}

static void ask_all(struct lint *l, const struct policytool_service *service,
        size_t v, bool transport)
{
    struct policy_result r;

    for (size_t s = 0; s < l->u->n_qubes * l->u->n_states; s++) {
        const struct point at = {.service = v,
                .source = s % l->u->n_qubes,
                .state = s / l->u->n_qubes};
        bool many = false;

        for (size_t t = 0; t < l->u->n_targets; t++) {
            policytool_ask(l->u, 0, v, at.source, t, at.state, &r);
            look(l, service, transport, at.source, &r);
            many |= is_made_of_many(l, &r);
        }
        if (many)
            note_parts(l, &at);
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
    for (size_t s = 0; s < l->u->n_qubes * l->u->n_states; s++) {
        size_t source = s % l->u->n_qubes;

        for (size_t t = 0; t < l->u->n_targets; t++) {
            const struct policy_request request = {
                    .source = l->u->qube[source].name,
                    .target = l->u->target[t],
                    .service = name,
                    .state = l->u->state[s / l->u->n_qubes],
            };

            policy_eval(l->u->policy[0], l->u->system, &request, &r);
            look(l, &service, true, source, &r);
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

/* ---- rules that are not what they look like ----------------------------- */

/* "@tag:x" of a tag that no qube has; empty: none of that. */
static struct span lost_tag(const struct lint *l, struct span word)
{
    static const char *const prefixes[] = {"@tag:", "@dispvm:@tag:"};

    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        size_t n = strlen(prefixes[i]);
        struct span tag = SPAN(word.ptr + n, word.len - n);

        if (word.len <= n || memcmp(word.ptr, prefixes[i], n) != 0)
            continue;
        for (size_t q = 0; q < l->u->n_qubes; q++) {
            for (size_t k = 0; k < l->u->qube[q].n_tags; k++) {
                if (span_eq(l->u->qube[q].tags[k], tag))
                    return SPAN_EMPTY;
            }
        }
        return tag;
    }
    return SPAN_EMPTY;
}

/* Who decides the calls that a rule fits. */
struct deciders {
    size_t rule[2], n;
    bool more; /* there are others, or may be */
    size_t asks;
};

static bool names_service(
        const struct policy_rule_view *v, const struct policytool_service *s)
{
    return span_eq_str(v->service, "*") ||
           (span_eq(v->service, s->name) &&
                   (span_eq_str(v->argument, "*") ||
                           span_eq(v->argument, s->argument)));
}

static void add_decider(struct deciders *d, size_t rule)
{
    for (size_t i = 0; i < d->n; i++) {
        if (d->rule[i] == rule)
            return;
    }
    if (d->n == ARRAY_LEN(d->rule))
        d->more = true;
    else
        d->rule[d->n++] = rule;
}

/* Of one service. */
static void find_deciders(
        const struct lint *l, size_t rule, size_t service, struct deciders *ret)
{
    const struct policytool_universe *u = l->u;
    size_t n = u->n_qubes * u->n_targets * u->n_states;
    struct policy_result r;

    for (size_t i = 0; i < n && !ret->more; i++) {
        const struct policy_request request = {
                .source = u->qube[i / u->n_targets % u->n_qubes].name,
                .target = u->target[i % u->n_targets],
                .service = u->service[service].text,
                .state = u->state[i / u->n_targets / u->n_qubes],
        };

        if (++ret->asks > DECIDERS_ASKS_MAX)
            ret->more = true;
        if (!policy_rule_fits(u->policy[0], u->system, &request, rule))
            continue;
        policy_eval(u->policy[0], u->system, &request, &r);
        if (r.rule > 0)
            add_decider(ret, r.rule - 1);
    }
}

static void tell_dead(
        const struct lint *l, size_t rule, const struct policy_rule_view *v)
{
    struct policy_rule_view first[2];
    struct deciders d = {.n = 0};
    const char *others;

    for (size_t i = 0; i < l->u->n_services && !d.more; i++) {
        if (names_service(v, &l->u->service[i]))
            find_deciders(l, rule, i, &d);
    }
    if (d.n == 0) {
        tell(l, rule, false, "decides no call: %s fits its words",
                d.more ? "hardly anybody" : "nobody");
        return;
    }
    for (size_t i = 0; i < d.n; i++) /* in their order */
        policy_rule_at(l->u->policy[0],
                d.rule[d.n == 2 && d.rule[0] > d.rule[1] ? 1 - i : i],
                &first[i]);
    others = d.more ? " and others" : "";
    if (d.n == 1)
        tell(l, rule, false, "decides no call: %.*s:%u%s %s first",
                (int)first[0].file.len, (const char *)first[0].file.ptr,
                first[0].line, others, d.more ? "come" : "comes");
    else
        tell(l, rule, false, "decides no call: %.*s:%u%s %.*s:%u%s come first",
                (int)first[0].file.len, (const char *)first[0].file.ptr,
                first[0].line, d.more ? "," : " and", (int)first[1].file.len,
                (const char *)first[1].file.ptr, first[1].line, others);
}

static void conclude(const struct lint *l, size_t rule)
{
    const struct deeds *d = &l->deeds[rule];
    struct policy_rule_view v;
    struct span tag;

    policy_rule_at(l->u->policy[0], rule, &v);
    tag = lost_tag(l, v.source);
    if (!tag.len)
        tag = lost_tag(l, v.target);
    if (tag.len)
        tell(l, rule, false, "no qube has the tag '%.*s'", (int)tag.len,
                (const char *)tag.ptr);
    else if (!d->decides && !d->takes_part)
        tell_dead(l, rule, &v);
    else if (d->decides && v.action != POLICY_DENY && !d->works)
        tell(l, rule, false, "lets nothing through: %s", d->why_not);
    else if (d->decides && v.has_redirect && !d->leads)
        tell(l, rule, false,
                "its target= is where each of its calls goes anyway");
}

int policytool_lint(const struct policytool_universe *u,
        void (*show)(void *ctx, const struct policytool_finding *f), void *ctx,
        struct err *err)
{
    size_t n = policy_rule_count(u->policy[0]);
    CLEANUP(buf_free_ptr) struct deeds *deeds = calloc(n + 1, sizeof(*deeds));
    struct lint l = {u, show, ctx, deeds};

    if (!deeds)
        return err_set(err, ERR_MEMORY, "out of memory");
    for (size_t i = 0; i < u->n_services; i++)
        ask_all(&l, &u->service[i], i, is_transport(u, u->service[i].name));
    ask_transports(&l);
    for (size_t i = 0; i < n; i++)
        conclude(&l, i);
    return 0;
}
