/* SPDX-License-Identifier: Apache-2.0 */
#include "policytool_private.h"

#include "buf.h"

#include <stdlib.h>

/* What no policy names, and when one does, with more of the tail. */
#define OTHER_SERVICE  "qair.AnyOtherService"
#define OTHER_ARGUMENT "+any-other-argument"
#define TAIL_MAX       8

/* ---- texts ------------------------------------------------------------ */

/* A copy that the universe owns; ptr NULL: memory. */
static struct span keep(
        struct policytool_universe *u, struct span a, struct span b)
{
    char **grown = reallocarray(u->text, u->n_texts + 1, sizeof(*grown));
    char *text;

    if (!grown)
        return SPAN_EMPTY;
    u->text = grown;
    text = malloc(a.len + b.len + 1);
    if (!text)
        return SPAN_EMPTY;
    if (a.len > 0)
        memcpy(text, a.ptr, a.len);
    if (b.len > 0)
        memcpy(text + a.len, b.ptr, b.len);
    text[a.len + b.len] = '\0';
    u->text[u->n_texts++] = text;
    return SPAN(text, a.len + b.len);
}

/* ---- services --------------------------------------------------------- */

static int add_service(struct policytool_universe *u, struct span name,
        struct span argument, struct span ask_name, struct span ask_argument)
{
    struct policytool_service *grown =
            reallocarray(u->service, u->n_services + 1, sizeof(*grown));
    struct policytool_service *s;

    if (!grown)
        return ERR_MEMORY;
    u->service = grown;
    s = &grown[u->n_services];
    s->name = name;
    s->argument = argument;
    s->text = keep(u, ask_name, ask_argument);
    if (!s->text.ptr)
        return ERR_MEMORY;
    u->n_services++;
    return 0;
}

static bool is_any(struct span word)
{
    return span_eq_str(word, "*");
}

/* Does a rule of any policy name it? */
static bool is_named(const struct policytool_universe *u, struct span word)
{
    struct policy_rule_view v;

    for (size_t p = 0; p < u->n_policies; p++) {
        for (size_t i = 0; i < policy_rule_count(u->policy[p]); i++) {
            policy_rule_at(u->policy[p], i, &v);
            if (span_eq(v.service, word) || span_eq(v.argument, word))
                return true;
        }
    }
    return false;
}

static int other(struct policytool_universe *u, const char *base,
        struct span *ret, struct err *err)
{
    static const char tail[TAIL_MAX + 1] = "--------";

    for (size_t n = 0; n <= TAIL_MAX; n++) {
        *ret = keep(u, span_str(base), SPAN(tail, n));
        if (!ret->ptr)
            return err_set(err, ERR_MEMORY, "out of memory");
        if (!is_named(u, *ret))
            return 0;
    }
    return err_set(
            err, ERR_LIMIT, "the policies name %s and all its kin", base);
}

/* By name, then argument; what stands for others comes last. */
static int service_cmp(const void *va, const void *vb)
{
    const struct policytool_service *a = va, *b = vb;
    struct span left[2] = {a->name, a->argument},
                right[2] = {b->name, b->argument};

    for (size_t i = 0; i < 2; i++) {
        struct span x = left[i], y = right[i];
        size_t n = x.len < y.len ? x.len : y.len;
        int c = is_any(x) - is_any(y);

        if (c == 0)
            c = memcmp(x.ptr, y.ptr, n);
        if (c == 0)
            c = (x.len > y.len) - (x.len < y.len);
        if (c != 0)
            return c;
    }
    return 0;
}

static void drop_twins(struct policytool_universe *u)
{
    size_t n = 0;

    qsort(u->service, u->n_services, sizeof(*u->service), service_cmp);
    for (size_t i = 0; i < u->n_services; i++) {
        if (n == 0 || service_cmp(&u->service[n - 1], &u->service[i]) != 0)
            u->service[n++] = u->service[i];
    }
    u->n_services = n;
}

/* The service of a rule, with its argument and with any other one. */
static int add_rule(struct policytool_universe *u,
        const struct policy_rule_view *v, struct span other_argument)
{
    int r;

    if (is_any(v->service))
        return 0;
    r = add_service(u, v->service, span_str("*"), v->service, other_argument);
    if (r == 0 && !is_any(v->argument))
        r = add_service(u, v->service, v->argument, v->service, v->argument);
    return r;
}

static int find_services(struct policytool_universe *u, struct err *err)
{
    struct span service, argument;
    int r = other(u, OTHER_SERVICE, &service, err);

    if (r == 0)
        r = other(u, OTHER_ARGUMENT, &argument, err);
    if (r != 0)
        return r;
    r = add_service(u, span_str("*"), span_str("*"), service, argument);
    for (size_t p = 0; p < u->n_policies; p++) {
        size_t n = policy_rule_count(u->policy[p]);

        for (size_t i = 0; i < n && r == 0; i++) {
            struct policy_rule_view v;

            policy_rule_at(u->policy[p], i, &v);
            r = add_rule(u, &v, argument);
        }
    }
    drop_twins(u);
    return r == 0 ? 0 : err_set(err, r, "out of memory");
}

/* ---- targets ---------------------------------------------------------- */

static int find_targets(struct policytool_universe *u, struct err *err)
{
    u->target = calloc(2 * u->n_qubes + 2, sizeof(*u->target));
    if (!u->target)
        return err_set(err, ERR_MEMORY, "out of memory");
    for (size_t i = 0; i < u->n_qubes; i++)
        u->target[u->n_targets++] = u->qube[i].name;
    u->target[u->n_targets++] = span_str("@default");
    u->target[u->n_targets++] = span_str("@dispvm");
    for (size_t i = 0; i < u->n_qubes; i++) {
        struct span t;

        if (!u->qube[i].template_for_dispvms)
            continue;
        t = keep(u, span_str("@dispvm:"), u->qube[i].name);
        if (!t.ptr)
            return err_set(err, ERR_MEMORY, "out of memory");
        u->target[u->n_targets++] = t;
    }
    return 0;
}

/* ---- states ----------------------------------------------------------- */

static int add_state(
        struct policytool_universe *u, struct span name, const char *suffix)
{
    struct span text = keep(u, name, span_str(suffix));
    struct span *grown =
            reallocarray(u->state, u->n_states + 1, sizeof(*grown));

    if (!grown || !text.ptr)
        return ERR_MEMORY;
    u->state = grown;
    grown[u->n_states++] = text;
    return 0;
}

static bool has_state(const struct policytool_universe *u, struct span name)
{
    for (size_t i = 0; i < u->n_states; i++) {
        if (span_eq(u->state[i], name))
            return true;
    }
    return false;
}

/* All that a rule wants, each of hardware and of a software TPM. */
static int find_states(struct policytool_universe *u, struct err *err)
{
    int r = add_state(u, SPAN_EMPTY, "");
    struct policy_rule_view v;

    for (size_t p = 0; p < u->n_policies; p++) {
        size_t n = policy_rule_count(u->policy[p]);

        for (size_t i = 0; i < n && r == 0; i++) {
            policy_rule_at(u->policy[p], i, &v);
            if (v.state.len == 0 || has_state(u, v.state))
                continue;
            r = add_state(u, v.state, "");
            if (r == 0)
                r = add_state(u, v.state, POLICY_EMULATED);
        }
    }
    return r == 0 ? 0 : err_set(err, ERR_MEMORY, "out of memory");
}

/* Whether a qube runs changes by the hour: what rules say must not. */
static int wake_all(struct policytool_universe *u,
        const struct policy_system *system, struct err *err)
{
    const struct policy_qube *qubes;
    size_t n = policy_system_qubes(system, &qubes);
    CLEANUP(buf_free_ptr) struct policy_qube *copy = calloc(n, sizeof(*copy));
    int r;

    if (!copy)
        return err_set(err, ERR_MEMORY, "out of memory");
    for (size_t i = 0; i < n; i++) {
        copy[i] = qubes[i];
        copy[i].running = true;
    }
    r = policy_system_new(copy, n, &u->system, err);
    if (r == 0)
        u->n_qubes = policy_system_qubes(u->system, &u->qube);
    return r;
}

/* ---- the universe ----------------------------------------------------- */

int policytool_universe_new(const struct policy *const *policies, size_t n,
        const struct policy_system *system, struct policytool_universe **ret,
        struct err *err)
{
    struct policytool_universe *u = calloc(1, sizeof(*u));
    int r;

    if (!u)
        return err_set(err, ERR_MEMORY, "out of memory");
    for (size_t i = 0; i < n && i < ARRAY_LEN(u->policy); i++)
        u->policy[u->n_policies++] = policies[i];
    r = wake_all(u, system, err);
    if (r == 0)
        r = find_services(u, err);
    if (r == 0)
        r = find_targets(u, err);
    if (r == 0)
        r = find_states(u, err);
    if (r == 0)
        r = policytool_size(u, err);
    if (r == 0)
        *ret = u;
    else
        policytool_universe_free(u);
    return r;
}

void policytool_universe_free(struct policytool_universe *u)
{
    if (!u)
        return;
    for (size_t i = 0; i < u->n_texts; i++)
        free(u->text[i]);
    policy_system_free(u->system);
    free(u->text);
    free(u->service);
    free(u->target);
    free(u->state);
    free(u);
}

void policytool_universe_free_ptr(struct policytool_universe **u)
{
    policytool_universe_free(*u);
}

size_t policytool_services(const struct policytool_universe *u,
        const struct policytool_service **ret)
{
    *ret = u->service;
    return u->n_services;
}

int policytool_size(const struct policytool_universe *u, struct err *err)
{
    uint64_t asks = (uint64_t)u->n_services * u->n_qubes;

    if (asks > POLICYTOOL_ASKS_MAX ||
            asks * u->n_targets > POLICYTOOL_ASKS_MAX ||
            asks * u->n_targets * u->n_states > POLICYTOOL_ASKS_MAX)
        return err_set(err, ERR_LIMIT,
                "%zu services, %zu qubes, %zu targets and %zu states are more "
                "than can be gone through",
                u->n_services, u->n_qubes, u->n_targets, u->n_states);
    return 0;
}

void policytool_ask(const struct policytool_universe *u, size_t policy,
        size_t service, size_t source, size_t target, size_t state,
        struct policy_result *ret)
{
    const struct policy_request request = {
            .source = u->qube[source].name,
            .target = u->target[target],
            .service = u->service[service].text,
            .state = u->state[state],
    };

    policy_eval(u->policy[policy], u->system, &request, ret);
}
