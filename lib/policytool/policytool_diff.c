/* SPDX-License-Identifier: Apache-2.0 */
/* Two policies, asked the same: what differs, said with as few words as go. */
#include "policytool_private.h"

#include "buf.h"

#include <stdlib.h>

#define PAIRS_MAX 64 /* of answers before and after, in one service */

/* Calls that change from the one answer to the other: a bit each. */
struct pair {
    char before[POLICYTOOL_ANSWER_MAX], after[POLICYTOOL_ANSWER_MAX];
    uint8_t *bit; /* by source, then target */
};

struct diff {
    const struct policytool_universe *u;
    void (*show)(void *ctx, const struct policytool_change *c);
    void *ctx;
    uint64_t calls;
    size_t row; /* bytes of one source */
    struct pair pair[PAIRS_MAX];
    size_t n_pairs;
    struct span *sources, *targets; /* room for one change */
    bool *told;
};

static uint8_t *row_of(
        const struct diff *d, const struct pair *p, size_t source)
{
    return p->bit + source * d->row;
}

static struct pair *find_pair(
        struct diff *d, const char *before, const char *after, struct err *err)
{
    struct pair *p;

    for (size_t i = 0; i < d->n_pairs; i++) {
        p = &d->pair[i];
        if (strcmp(p->before, before) == 0 && strcmp(p->after, after) == 0)
            return p;
    }
    if (d->n_pairs == PAIRS_MAX) {
        (void)err_set(err, ERR_LIMIT,
                "one service has more than %d kinds of change", PAIRS_MAX);
        return NULL;
    }
    p = &d->pair[d->n_pairs];
    p->bit = calloc(d->u->n_qubes, d->row);
    if (!p->bit) {
        (void)err_set(err, ERR_MEMORY, "out of memory");
        return NULL;
    }
    memcpy(p->before, before, POLICYTOOL_ANSWER_MAX);
    memcpy(p->after, after, POLICYTOOL_ANSWER_MAX);
    d->n_pairs++;
    return p;
}

static int compare_one(struct diff *d, size_t service, size_t source,
        size_t target, struct err *err)
{
    char answer[2][POLICYTOOL_ANSWER_MAX];
    struct policy_result r;
    struct pair *p;

    for (size_t i = 0; i < 2; i++) {
        policytool_ask(d->u, i, service, source, target, &r);
        policytool_answer(&r, d->u->system, answer[i]);
    }
    if (strcmp(answer[0], answer[1]) == 0)
        return 0;
    p = find_pair(d, answer[0], answer[1], err);
    if (!p)
        return err->code;
    row_of(d, p, source)[target / 8] |= (uint8_t)(1u << target % 8);
    d->calls++;
    return 0;
}

static bool is_empty(const uint8_t *row, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (row[i])
            return false;
    }
    return true;
}

/* first, and the sources behind it that have the same targets. */
static void show_row(
        struct diff *d, size_t service, const struct pair *p, size_t first)
{
    struct policytool_change c = {.service = &d->u->service[service],
            .before = p->before,
            .after = p->after,
            .sources = d->sources,
            .targets = d->targets};
    const uint8_t *row = row_of(d, p, first);

    for (size_t i = first; i < d->u->n_qubes; i++) {
        if (d->told[i] || memcmp(row, row_of(d, p, i), d->row) != 0)
            continue;
        d->told[i] = true;
        d->sources[c.n_sources++] = d->u->qube[i].name;
    }
    for (size_t i = 0; i < d->u->n_targets; i++) {
        if (row[i / 8] >> i % 8 & 1)
            d->targets[c.n_targets++] = d->u->target[i];
    }
    d->show(d->ctx, &c);
}

static void show_service(struct diff *d, size_t service)
{
    for (size_t k = 0; k < d->n_pairs; k++) {
        const struct pair *p = &d->pair[k];

        memset(d->told, 0, d->u->n_qubes * sizeof(*d->told));
        for (size_t i = 0; i < d->u->n_qubes; i++) {
            if (!d->told[i] && !is_empty(row_of(d, p, i), d->row))
                show_row(d, service, p, i);
        }
    }
}

static void forget_pairs(struct diff *d)
{
    for (size_t i = 0; i < d->n_pairs; i++)
        free(d->pair[i].bit);
    d->n_pairs = 0;
}

static int compare_service(struct diff *d, size_t service, struct err *err)
{
    int r = 0;

    for (size_t s = 0; s < d->u->n_qubes && r == 0; s++) {
        for (size_t t = 0; t < d->u->n_targets && r == 0; t++)
            r = compare_one(d, service, s, t, err);
    }
    if (r == 0)
        show_service(d, service);
    forget_pairs(d);
    return r;
}

static void diff_free_ptr(struct diff **d)
{
    if (*d) {
        forget_pairs(*d);
        free((*d)->sources);
        free((*d)->targets);
        free((*d)->told);
    }
    free(*d);
}

int policytool_diff(const struct policytool_universe *u,
        void (*show)(void *ctx, const struct policytool_change *c), void *ctx,
        uint64_t *ret_calls, struct err *err)
{
    CLEANUP(diff_free_ptr) struct diff *d = calloc(1, sizeof(*d));
    int r = 0;

    if (u->n_policies != 2)
        return err_set(err, ERR_USAGE, "two policies are compared");
    if (!d)
        return err_set(err, ERR_MEMORY, "out of memory");
    d->u = u;
    d->show = show;
    d->ctx = ctx;
    d->row = (u->n_targets + 7) / 8;
    d->sources = calloc(u->n_qubes + 1, sizeof(*d->sources));
    d->targets = calloc(u->n_targets + 1, sizeof(*d->targets));
    d->told = calloc(u->n_qubes + 1, sizeof(*d->told));
    if (!d->sources || !d->targets || !d->told)
        return err_set(err, ERR_MEMORY, "out of memory");
    for (size_t i = 0; i < u->n_services && r == 0; i++)
        r = compare_service(d, i, err);
    *ret_calls = d->calls;
    return r;
}
