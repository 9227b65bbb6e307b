/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Roles that hang.  Each is asked now and then and answers from its loop; one
 * that has not answered, or has not ended when it was told to, for as long as
 * the slowest TPM may take is killed, and started again like one that died.
 */
#include "qaird.h"

static bool is_late(const struct qaird_role *r)
{
    return r->asked_ms != 0 &&
           qaird_now_ms() - r->asked_ms >= 1000ull * r->q->watch_s;
}

static void look(struct qaird_role *r)
{
    if (r->pid == 0)
        return;
    if (is_late(r)) {
        qaird_log(r->q, "%s does not answer and is killed",
                msg_role_name(r->role));
        qaird_role_kill(r);
    } else if (r->asked_ms == 0 && r->ready) {
        r->asked_ms = qaird_now_ms();
        (void)qaird_role_put(r, MSG_PING, 0, &(struct msg_empty){0}, -1);
    }
}

static int on_time(sd_event_source *s, uint64_t usec, void *user)
{
    struct qaird *q = user;

    for (size_t i = 0; qaird_roles[i] && !q->stopping; i++)
        look(&q->roles[qaird_roles[i]]);
    if (!q->stopping)
        look(&q->roles[MSG_ROLE_MEASURE]);
    if (sd_event_source_set_time(s, usec + q->watch_s * 250000ull) < 0 ||
            sd_event_source_set_enabled(s, SD_EVENT_ONESHOT) < 0)
        qaird_stop(q, 1);
    return 0;
}

int qaird_watch_roles(struct qaird *q, struct err *err)
{
    if (sd_event_add_time_relative(q->event, NULL, CLOCK_MONOTONIC,
                q->watch_s * 250000ull, 0, on_time, q) < 0)
        return err_set(err, ERR_MEMORY, "event loop");
    return 0;
}
