/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much of what is shared one source may hold, so that none keeps others
 * from calling, however many calls it starts or leaves open.
 *
 *   calls of one source          at most LIMIT_CALLS_PER_SOURCE
 *   calls of the zone, and       as many as are left for others: half for the
 *   services of one target       first, half of the rest for the next, and so
 * on
 *
 * A zone counts as one source where calls of the zone are shared out; what
 * begins here counts by its qube.  The owner is bound by the whole alone.
 */
#include "calld.h"

struct held {
    unsigned source; /* by the very source */
    unsigned group;  /* by its zone, when it is of another */
    unsigned target; /* services in the target, by the source */
    unsigned made;   /* disposables, by the source */
};

static bool is_owner(enum call_origin origin)
{
    return origin == CALL_OF_ADMIN || origin == CALL_OF_RUN ||
           origin == CALL_OF_ASK;
}

/* 2: the same source; 1: the same zone; 0: neither. */
static int likeness(const struct share_of *who, enum call_origin origin,
        const char *source, const char *peer_zone)
{
    if (is_owner(origin) || strcmp(who->peer_zone, peer_zone) != 0)
        return 0;
    if (who->source && strcmp(who->source, source) == 0)
        return 2;
    return *peer_zone ? 1 : 0;
}

static struct held count(const struct calld *d, const struct share_of *who,
        const struct call *except, const struct qube *target)
{
    struct held h = {0};
    const struct running *u;
    const struct call *c;

    LIST_FOREACH (c, &d->calls, entry) {
        int like = c == except ? 0
                               : likeness(who, c->origin, c->source_name,
                                         c->peer_zone);

        h.source += like == 2;
        h.group += like > 0;
        h.made += like == 2 && *c->template;
    }
    LIST_FOREACH (u, &d->running, entry) {
        int like = likeness(who, u->origin, u->source_name, u->peer_zone);

        h.source += like == 2;
        h.group += like > 0;
        h.target += like == 2 && u->target == target;
        h.made += like == 2 && *u->template;
    }
    return h;
}

int share_begin(const struct calld *d, const struct share_of *who,
        const struct call *except, struct err *err)
{
    unsigned all = d->n_calls + d->n_running - (except ? 1 : 0);
    unsigned left = all < LIMIT_CALLS_MAX ? LIMIT_CALLS_MAX - all : 0;
    struct held h;

    if (is_owner(who->origin))
        return 0;
    h = count(d, who, except, NULL);
    if (h.source >= LIMIT_CALLS_PER_SOURCE)
        return err_set(err, ERR_LIMIT, "%s has %u calls, and may have no more",
                who->source, h.source);
    if (h.group >= left)
        return err_set(err, ERR_LIMIT,
                "%s has %u calls, and the zone room for %u: that is for others",
                *who->peer_zone ? who->peer_zone : who->source, h.group, left);
    return 0;
}

static unsigned disposables(const struct calld *d)
{
    const struct qube *q;
    unsigned n = 0;

    LIST_FOREACH (q, &d->qubes, entry)
        n += *q->template != '\0';
    return n;
}

int share_make(const struct call *c, struct err *err)
{
    const struct share_of who = {.origin = c->origin,
            .source = c->source_name,
            .peer_zone = c->peer_zone};
    unsigned all = disposables(c->d);
    struct held h = {0};

    if (all >= LIMIT_DISPOSABLES_MAX)
        return err_set(err, ERR_LIMIT, "%u disposables run already", all);
    if (!is_owner(c->origin))
        h = count(c->d, &who, c, NULL);
    if (h.made >= LIMIT_DISPOSABLES_MAX - all)
        return err_set(err, ERR_LIMIT,
                "%s has %u disposables, and the zone room for %u: that is for "
                "others",
                c->source_name, h.made, LIMIT_DISPOSABLES_MAX - all);
    return 0;
}

int share_serve(const struct call *c, struct err *err)
{
    const struct share_of who = {.origin = c->origin,
            .source = c->source_name,
            .peer_zone = c->peer_zone};
    const struct qube *q = c->target;
    unsigned left = LIMIT_CALLS_PER_SOURCE - q->running;
    struct held h;

    if (is_owner(c->origin) || left == 0) /* the latter is told apart */
        return 0;
    h = count(c->d, &who, c, q);
    if (h.target >= left)
        return err_set(err, ERR_LIMIT,
                "%s has %u services running in %s, and it room for %u: that is "
                "for others",
                c->source_name, h.target, q->name, left);
    return 0;
}
