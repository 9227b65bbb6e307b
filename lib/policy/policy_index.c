/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index: rule numbers sorted by service, argument and source, so that a
 * request looks at the few groups that its words can be in.
 */
#include "policy_int.h"

#include <stdlib.h>

static int cmp_u32(uint32_t a, uint32_t b)
{
    return (a > b) - (a < b);
}

static int cmp_key(const struct policy_group *a, const struct policy_group *b)
{
    int c = cmp_u32(a->service, b->service);

    if (c == 0)
        c = cmp_u32(a->argument, b->argument);
    return c ? c : cmp_u32(a->source, b->source);
}

static struct policy_group key_of(const struct policy_rule *r)
{
    return (struct policy_group){.service = r->service,
            .argument = r->argument,
            .source = r->source};
}

static int cmp_rule(const void *a, const void *b, void *rules)
{
    uint32_t i = ((const struct policy_order *)a)->rule;
    uint32_t j = ((const struct policy_order *)b)->rule;
    const struct policy_rule *all = rules;
    struct policy_group x = key_of(&all[i]), y = key_of(&all[j]);
    int c = cmp_key(&x, &y);

    return c ? c : cmp_u32(i, j);
}

static int cmp_group(const void *a, const void *b)
{
    return cmp_key(a, b);
}

static void fill_groups(struct policy *p)
{
    for (uint32_t i = 0; i < p->n_rules; i++) {
        struct policy_group key = key_of(&p->rules[p->order[i].rule]);

        if (p->n_groups == 0 ||
                cmp_key(&p->groups[p->n_groups - 1], &key) != 0) {
            key.first = i;
            p->groups[p->n_groups++] = key;
        }
        p->groups[p->n_groups - 1].count++;
    }
}

int policy_index_build(struct policy *p, struct err *err)
{
    size_t n = p->n_rules;

    p->order = policy_arena_new(&p->arena, n * sizeof(*p->order));
    p->groups = policy_arena_new(&p->arena, n * sizeof(*p->groups));
    if (!p->order || !p->groups)
        return err_set(err, ERR_MEMORY, "out of memory");
    for (uint32_t i = 0; i < p->n_rules; i++)
        p->order[i] = (struct policy_order){i, p->rules[i].target};
    qsort_r(p->order, n, sizeof(*p->order), cmp_rule, p->rules);
    fill_groups(p);
    return 0;
}

const struct policy_group *policy_index_find(const struct policy *p,
        uint32_t service, uint32_t argument, uint32_t source)
{
    const struct policy_group key = {
            .service = service, .argument = argument, .source = source};

    if (p->n_groups == 0)
        return NULL;
    return bsearch(&key, p->groups, p->n_groups, sizeof(key), cmp_group);
}
