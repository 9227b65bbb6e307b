/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Disposables: a qube made from another's definition for one call.  It has a
 * name that no qube has, a home of its own, its template's services and keys,
 * and is gone when its call is.  It is no source: the rules do not know it.
 */
#include "calld.h"

#include <stdio.h>

#define NUMBERS 10000 /* disp0 to disp9999, as in Qubes */

/* One that neither runs nor is somebody's; "" when none is found. */
static void find_name(struct calld *d, char ret[static LIMIT_NAME_MAX + 1])
{
    static unsigned start; /* what is told of a former one comes too late */
    struct qube *q;

    start = (start + 1) % NUMBERS;
    for (unsigned i = 0; i <= LIMIT_QUBES_MAX; i++) {
        (void)snprintf(
                ret, LIMIT_NAME_MAX + 1, "disp%u", (start + i) % NUMBERS);
        LIST_FOREACH (q, &d->qubes, entry) {
            if (strcmp(q->name, ret) == 0)
                break;
        }
        if (!q && !conf_qube_find(&d->qubes_conf, span_str(ret)))
            return;
    }
    *ret = '\0';
}

void qube_start_disposable(struct call *c)
{
    char name[LIMIT_NAME_MAX + 1];
    struct err err;

    if (!c->autostart) {
        call_refuse(c, ERR_DENIED, c->d->where,
                "a disposable never runs yet, and the rule says autostart=no");
        return;
    }
    if (share_make(c, &err)) {
        call_refuse(c, ERR_LIMIT, c->d->where, "%s", err.msg);
        return;
    }
    find_name(c->d, name);
    c->target = *name ? qube_new(c->d, name) : NULL;
    if (!c->target) {
        call_refuse(c, ERR_LIMIT, c->d->where, "too many qubes run");
        return;
    }
    (void)snprintf(c->target->template, sizeof(c->target->template), "%s",
            c->template);
    (void)snprintf(c->qube, sizeof(c->qube), "%s", name);
    qube_ask_start(c->target);
}

void qube_release(struct qube *target)
{
    if (target && *target->template)
        qube_end(target, "its call is over");
}
