/* SPDX-License-Identifier: Apache-2.0 */
/* Two policies, asked the same: what differs, said with as few words as go. */
#include "policytool_private.h"

#include <stdlib.h>

#define ANSWER_MAX (1u << 18) /* every qube and a disposable of it, by name */
#define NO_KIND    UINT32_MAX

/* A kind of change, in one service: the answers, and whose calls change so. */
struct kind {
    char *before, *after;
    uint32_t *source; /* in order, each once */
    size_t n_sources;
};

struct diff {
    const struct policytool_universe *u;
    void (*show)(void *ctx, const struct policytool_change *c);
    void *ctx;
    uint64_t calls;
    size_t state; /* that is asked about */
    bool any_state;
    struct kind *kind;
    size_t n_kinds;
    uint32_t *cell; /* kind of each call, by source, then target */
    struct span *sources, *targets; /* room for one change */
    uint64_t *mark;                 /* a row's digest, by source */
    bool *told;
    /* The change before this one: those of a row are mostly alike. */
    struct policy_result last[2];
    uint32_t last_kind;
};

static uint32_t *row_of(const struct diff *d, size_t source)
{
    return d->cell + source * d->u->n_targets;
}

/* ---- kinds ------------------------------------------------------------- */

static int write_answer(const struct diff *d, const struct policy_result *r,
        char **ret, struct err *err)
{
    struct buf text = BUF_INIT(ANSWER_MAX);
    int e;

    policytool_answer(r, d->u, &text);
    e = buf_ok(&text, err);
    if (e == 0)
        *ret = (char *)TAKE_PTR(text.ptr);
    buf_fini(&text);
    return e;
}

static int add_kind(struct diff *d, char *before, char *after, uint32_t *ret)
{
    struct kind *grown = reallocarray(d->kind, d->n_kinds + 1, sizeof(*grown));

    if (!grown)
        return ERR_MEMORY;
    d->kind = grown;
    grown[d->n_kinds] = (struct kind){.before = before, .after = after};
    *ret = (uint32_t)d->n_kinds++;
    return 0;
}

static int find_kind(struct diff *d, const struct policy_result r[static 2],
        uint32_t *ret, struct err *err)
{
    CLEANUP(buf_free_ptr) char *before = NULL;
    CLEANUP(buf_free_ptr) char *after = NULL;
    int e = write_answer(d, &r[0], &before, err);

    if (e == 0)
        e = write_answer(d, &r[1], &after, err);
    if (e != 0)
        return e;
    for (size_t i = 0; i < d->n_kinds; i++) {
        if (strcmp(d->kind[i].before, before) == 0 &&
                strcmp(d->kind[i].after, after) == 0) {
            *ret = (uint32_t)i;
            return 0;
        }
    }
    if (add_kind(d, before, after, ret) != 0)
        return err_set(err, ERR_MEMORY, "out of memory");
    before = after = NULL;
    return 0;
}

static int note_source(struct kind *k, uint32_t source)
{
    uint32_t *grown;

    if (k->n_sources > 0 && k->source[k->n_sources - 1] == source)
        return 0;
    grown = reallocarray(k->source, k->n_sources + 1, sizeof(*grown));
    if (!grown)
        return ERR_MEMORY;
    k->source = grown;
    grown[k->n_sources++] = source;
    return 0;
}

static void forget_kinds(struct diff *d)
{
    for (size_t i = 0; i < d->n_kinds; i++) {
        free(d->kind[i].before);
        free(d->kind[i].after);
        free(d->kind[i].source);
    }
    d->n_kinds = 0;
    d->last_kind = NO_KIND;
}

/* ---- one call ---------------------------------------------------------- */

static int compare_one(struct diff *d, size_t service, size_t source,
        size_t target, struct err *err)
{
    uint32_t *cell = row_of(d, source) + target;
    struct policy_result r[2];
    int e;

    *cell = NO_KIND;
    for (size_t i = 0; i < 2; i++)
        policytool_ask(d->u, i, service, source, target, d->state, &r[i]);
    if (policytool_is_same(&r[0], &r[1]))
        return 0;
    d->calls++;
    /* An allow is told by what was asked for, which differs by target. */
    if (d->last_kind != NO_KIND && r[0].verdict != POLICY_ALLOW &&
            r[1].verdict != POLICY_ALLOW && r[0].source == d->last[0].source &&
            policytool_is_same(&r[0], &d->last[0]) &&
            policytool_is_same(&r[1], &d->last[1])) {
        *cell = d->last_kind;
        return 0;
    }
    e = find_kind(d, r, cell, err);
    if (e == 0 && note_source(&d->kind[*cell], (uint32_t)source) != 0)
        e = err_set(err, ERR_MEMORY, "out of memory");
    if (e != 0)
        return e;
    memcpy(d->last, r, sizeof(r));
    d->last_kind = *cell;
    return 0;
}

/* ---- what changes alike ------------------------------------------------ */

static bool is_same_row(const struct diff *d, size_t a, size_t b, uint32_t kind)
{
    const uint32_t *x = row_of(d, a), *y = row_of(d, b);

    if (d->mark[a] != d->mark[b])
        return false;
    for (size_t i = 0; i < d->u->n_targets; i++) {
        if ((x[i] == kind) != (y[i] == kind))
            return false;
    }
    return true;
}

/* Which targets: rows of one set have one digest (FNV-1a). */
static uint64_t mark_of(const struct diff *d, size_t source, uint32_t kind)
{
    const uint32_t *row = row_of(d, source);
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < d->u->n_targets; i++) {
        if (row[i] == kind)
            h = (h ^ i) * UINT64_C(0x100000001b3);
    }
    return h;
}

/* The source at first, and those behind it that have the same targets. */
static void show_row(struct diff *d, size_t service, uint32_t kind, size_t at)
{
    const struct kind *k = &d->kind[kind];
    struct policytool_change c = {.service = &d->u->service[service],
            .state = d->any_state ? NULL
                                  : (const char *)d->u->state[d->state].ptr,
            .before = k->before,
            .after = k->after,
            .sources = d->sources,
            .targets = d->targets};
    size_t first = k->source[at];
    const uint32_t *row = row_of(d, first);

    for (size_t i = at; i < k->n_sources; i++) {
        size_t source = k->source[i];

        if (d->told[source] || !is_same_row(d, first, source, kind))
            continue;
        d->told[source] = true;
        d->sources[c.n_sources++] = d->u->qube[source].name;
    }
    for (size_t i = 0; i < d->u->n_targets; i++) {
        if (row[i] == kind)
            d->targets[c.n_targets++] = d->u->target[i];
    }
    d->show(d->ctx, &c);
}

static void show_service(struct diff *d, size_t service)
{
    for (uint32_t kind = 0; kind < d->n_kinds; kind++) {
        const struct kind *k = &d->kind[kind];

        for (size_t i = 0; i < k->n_sources; i++) {
            d->told[k->source[i]] = false;
            d->mark[k->source[i]] = mark_of(d, k->source[i], kind);
        }
        for (size_t i = 0; i < k->n_sources; i++) {
            if (!d->told[k->source[i]])
                show_row(d, service, kind, i);
        }
    }
}

/* The next rule from *i on that a call of the service can meet. */
static bool next_rule(const struct policy *p, struct span service, size_t *i,
        struct policy_rule_view *ret)
{
    while (*i < policy_rule_count(p)) {
        policy_rule_at(p, (*i)++, ret);
        if (span_eq_str(ret->service, "*") || span_eq(ret->service, service))
            return true;
    }
    return false;
}

/* The same rules in the same order decide the same: nothing is to be asked. */
static bool has_same_rules(const struct diff *d, size_t service)
{
    struct span name = d->u->service[service].name;
    struct policy_rule_view a, b;
    size_t i = 0, k = 0;

    for (;;) {
        bool more = next_rule(d->u->policy[0], name, &i, &a);

        if (more != next_rule(d->u->policy[1], name, &k, &b))
            return false;
        if (!more)
            return true;
        if (!span_eq(a.service, b.service) ||
                !span_eq(a.argument, b.argument) ||
                !span_eq(a.source, b.source) || !span_eq(a.target, b.target) ||
                !span_eq(a.text, b.text))
            return false;
    }
}

/* Does a rule that a call of the service can meet want this state, or any? */
static bool wants_state(const struct diff *d, size_t service, struct span state)
{
    struct span name = d->u->service[service].name;
    struct policy_rule_view v;

    for (size_t p = 0; p < 2; p++) {
        size_t i = 0;

        while (next_rule(d->u->policy[p], name, &i, &v)) {
            if (v.state.len > 0 && policy_is_state(state, v.state))
                return true;
        }
    }
    return false;
}

static int compare_in_state(struct diff *d, size_t service, struct err *err)
{
    int r = 0;

    for (size_t s = 0; s < d->u->n_qubes && r == 0; s++) {
        for (size_t t = 0; t < d->u->n_targets && r == 0; t++)
            r = compare_one(d, service, s, t, err);
    }
    if (r == 0)
        show_service(d, service);
    forget_kinds(d);
    return r;
}

static int compare_service(struct diff *d, size_t service, struct err *err)
{
    int r = 0;

    if (has_same_rules(d, service))
        return 0;
    d->any_state = true;
    for (size_t i = 1; i < d->u->n_states; i++)
        d->any_state &= !wants_state(d, service, d->u->state[i]);
    for (size_t i = 0; i < d->u->n_states && r == 0; i++) {
        d->state = i;
        if (i == 0 || wants_state(d, service, d->u->state[i]))
            r = compare_in_state(d, service, err);
    }
    return r;
}

/* ---- all --------------------------------------------------------------- */

static void diff_free_ptr(struct diff **d)
{
    if (*d) {
        forget_kinds(*d);
        free((*d)->kind);
        free((*d)->cell);
        free((*d)->sources);
        free((*d)->targets);
        free((*d)->mark);
        free((*d)->told);
    }
    free(*d);
}

static struct diff *diff_new(const struct policytool_universe *u)
{
    CLEANUP(diff_free_ptr) struct diff *d = calloc(1, sizeof(*d));

    if (!d)
        return NULL;
    d->u = u;
    d->last_kind = NO_KIND;
    d->cell = calloc(u->n_qubes * u->n_targets + 1, sizeof(*d->cell));
    d->sources = calloc(u->n_qubes + 1, sizeof(*d->sources));
    d->targets = calloc(u->n_targets + 1, sizeof(*d->targets));
    d->mark = calloc(u->n_qubes + 1, sizeof(*d->mark));
    d->told = calloc(u->n_qubes + 1, sizeof(*d->told));
    if (!d->cell || !d->sources || !d->targets || !d->mark || !d->told)
        return NULL;
    return TAKE_PTR(d);
}

int policytool_diff(const struct policytool_universe *u,
        void (*show)(void *ctx, const struct policytool_change *c), void *ctx,
        uint64_t *ret_calls, struct err *err)
{
    CLEANUP(diff_free_ptr) struct diff *d = NULL;
    int r = 0;

    if (u->n_policies != 2)
        return err_set(err, ERR_USAGE, "two policies are compared");
    d = diff_new(u);
    if (!d)
        return err_set(err, ERR_MEMORY, "out of memory");
    d->show = show;
    d->ctx = ctx;
    for (size_t i = 0; i < u->n_services && r == 0; i++)
        r = compare_service(d, i, err);
    if (r == 0)
        *ret_calls = d->calls;
    return r;
}
