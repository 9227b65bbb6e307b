/* SPDX-License-Identifier: Apache-2.0 */
/* Rules that are well-formed and can hardly be meant. */
#include "policy_int.h"

#include "buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct search {
    const struct policy *p;
    const struct policy_system *s;
    void (*show)(void *ctx, const struct policy_doubt *doubt);
    void *ctx;
};

static void tell(const struct search *l, const struct policy_rule *rule,
        const char *fmt, ...) PRINTF_LIKE(3, 4);

static void tell(const struct search *l, const struct policy_rule *rule,
        const char *fmt, ...)
{
    struct policy_doubt d = {
            .file = rule->file, .line = rule->line, .text = rule->text};
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(d.what, sizeof(d.what), fmt, ap);
    va_end(ap);
    l->show(l->ctx, &d);
}

/* A token that names a qube, and the qube is not there. */
static void check_name(const struct search *l, const struct policy_rule *rule,
        const struct policy_token *t, const char *what)
{
    if (!t->text.ptr || (t->kind != POLICY_TOKEN_NAME &&
                                t->kind != POLICY_TOKEN_DISPVM_NAME))
        return;
    if (!policy_system_find(l->s, t->value))
        tell(l, rule, "%s '%.*s' is no qube of this zone", what,
                (int)t->value.len, t->value.ptr);
}

static void check_names(const struct search *l, const struct policy_rule *rule)
{
    struct policy_token source;

    if (policy_token_parse(
                l->p->words.words[rule->source], POLICY_PLACE_SOURCE, &source))
        check_name(l, rule, &source, "source");
    check_name(l, rule, &rule->target_token, "target");
    check_name(l, rule, &rule->redirect, "target=");
    check_name(l, rule, &rule->default_target, "default_target=");
}

/* The rule before which all stops: "* * * *". */
static uint32_t find_stop(const struct policy *p)
{
    uint32_t i;

    for (i = 0; i < p->n_rules; i++) {
        const struct policy_rule *r = &p->rules[i];

        if (r->service == p->any && r->source == p->any &&
                r->target == p->any && !r->state.ptr)
            break;
    }
    return i;
}

/* twin[i]: 1 + the earlier rule with the same four words, or 0. */
static int find_twins(const struct policy *p, uint32_t *twin)
{
    CLEANUP(buf_free_ptr)
    struct policy_order *seen = calloc(p->words.n_words, sizeof(*seen));

    if (!seen)
        return ERR_MEMORY;
    /* seen[target] is {first rule with it, 1 + group of that} */
    for (uint32_t g = 0; g < p->n_groups; g++) {
        const struct policy_group *group = &p->groups[g];

        for (uint32_t k = 0; k < group->count; k++) {
            const struct policy_order *o = &p->order[group->first + k];

            if (seen[o->target].target == g + 1)
                twin[o->rule] = seen[o->target].rule + 1;
            else if (!p->rules[o->rule].state.ptr) /* others come past it */
                seen[o->target] = (struct policy_order){o->rule, g + 1};
        }
    }
    return 0;
}

int policy_doubts(const struct policy *p, const struct policy_system *s,
        void (*show)(void *ctx, const struct policy_doubt *doubt), void *ctx)
{
    const struct search l = {.p = p, .s = s, .show = show, .ctx = ctx};
    uint32_t stop = find_stop(p);
    CLEANUP(buf_free_ptr)
    uint32_t *twin = calloc((size_t)p->n_rules + 1, sizeof(*twin));

    if (!twin || find_twins(p, twin) < 0)
        return ERR_MEMORY;
    for (uint32_t i = 0; i < p->n_rules; i++) {
        const struct policy_rule *rule = &p->rules[i], *first;

        if (s)
            check_names(&l, rule);
        if (i <= stop && !twin[i])
            continue;
        first = &p->rules[i > stop ? stop : twin[i] - 1];
        tell(&l, rule, "never decides: %.*s:%u comes first",
                (int)first->file.len, first->file.ptr, first->line);
    }
    return 0;
}
