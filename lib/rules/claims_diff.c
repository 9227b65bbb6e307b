/* SPDX-License-Identifier: Apache-2.0 */
/* What changed between two lists of claims. */
#include "rules_private.h"

#include <stdlib.h>

struct sorted {
    size_t n;
    const struct claim **claim;
};

static int span_cmp(struct span a, struct span b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int d = n ? memcmp(a.ptr, b.ptr, n) : 0;

    return d ? d : (a.len > b.len) - (a.len < b.len);
}

/* By name; what is many (bytes or text) by its value too. */
static int key_cmp(const struct claim *a, const struct claim *b)
{
    int d = strcmp(a->name, b->name);

    if (d || !(a->def->flags & CLAIM_MANY))
        return d;
    return span_cmp(a->value.bytes, b->value.bytes);
}

static int pointer_cmp(const void *a, const void *b)
{
    const struct claim *const *x = a, *const *y = b;

    return key_cmp(*x, *y);
}

static bool sort(const struct claims *c, struct sorted *ret)
{
    ret->claim = calloc(c->n ? c->n : 1, sizeof(const struct claim *));
    if (!ret->claim)
        return false;
    for (size_t i = 0; i < c->n; i++) {
        if (!(c->claim[i].def->flags & CLAIM_MOVES))
            ret->claim[ret->n++] = &c->claim[i];
    }
    qsort(ret->claim, ret->n, sizeof(const struct claim *), pointer_cmp);
    return true;
}

static bool is_news(const struct claims_change *c)
{
    return !c->was || !c->is || c->was->attested != c->is->attested ||
           !claims_value_eq(&c->was->value, &c->is->value);
}

static size_t merge(const struct sorted *was, const struct sorted *is,
        struct claims_change *ret, size_t max)
{
    size_t w = 0, i = 0, n = 0;

    while (w < was->n || i < is->n) {
        struct claims_change c = {0};
        int d = w == was->n  ? 1
                : i == is->n ? -1
                             : key_cmp(was->claim[w], is->claim[i]);

        if (d <= 0)
            c.was = was->claim[w++];
        if (d >= 0)
            c.is = is->claim[i++];
        if (!is_news(&c))
            continue;
        if (n < max)
            ret[n] = c;
        n++;
    }
    return n;
}

int claims_diff(const struct claims *was, const struct claims *is,
        struct claims_change *ret, size_t max, size_t *ret_n, struct err *err)
{
    struct sorted a = {0}, b = {0};
    int r = 0;

    if (sort(was, &a) && sort(is, &b))
        *ret_n = merge(&a, &b, ret, max);
    else
        r = err_set(err, ERR_MEMORY, "no memory to compare claims");
    free(a.claim);
    free(b.claim);
    return r;
}
