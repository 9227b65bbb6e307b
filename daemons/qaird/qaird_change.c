/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policy, qubes and services taken anew while the zone serves.
 *
 * They are read once, into sealed memory; qair-measure extends the PCR with
 * them behind all that was measured before; only then do the roles get them.
 * keyd is started anew, because a software TPM serves one process at a time.
 * The zone's state is another one from then on, which opens keys when the
 * owner approves it.  What cannot be read or measured leaves all as it was.
 */
#include "qaird.h"

static void say(struct qaird *q, bool ok)
{
    q->policy_ok = ok;
    q->policy_reads++;
    qaird_status_write(q);
}

static void drop(struct qaird *q)
{
    for (size_t i = 0; i < BUNDLE_COUNT; i++)
        buf_close_fd(&q->change[i]);
    q->changing = false;
}

void qaird_change_begin(struct qaird *q)
{
    struct err err = {.msg = ""};

    if (!q->serving || q->changing) {
        qaird_log(q, "policy not taken: the zone is not ready, try again");
        say(q, false);
        return;
    }
    q->changing = true;
    if (qaird_config_read_change(q, &err) < 0) {
        qaird_log(q, "policy not taken: %s", err.msg);
        drop(q);
        say(q, false);
    } else if (q->roles[MSG_ROLE_KEYD].pid > 0) {
        qaird_role_end(&q->roles[MSG_ROLE_KEYD]);
    } else { /* it died, and is not waited for */
        qaird_change_measure(q);
    }
}

void qaird_change_measure(struct qaird *q)
{
    struct qaird_role *keyd = &q->roles[MSG_ROLE_KEYD];

    keyd->timer = sd_event_source_disable_unref(keyd->timer);
    qaird_role_start(q, MSG_ROLE_MEASURE);
}

void qaird_change_end(struct qaird *q, bool measured)
{
    static const enum qaird_bundle order[] = {
            BUNDLE_QUBES, BUNDLE_POLICY, BUNDLE_SERVICES};
    struct err err = {.msg = "it could not be measured"};
    bool ok = measured && qaird_config_take_change(q, &err) == 0;

    drop(q);
    if (!ok)
        qaird_log(q, "policy not taken: %s", err.msg);
    for (size_t i = 0; ok && i < ARRAY_LEN(order); i++)
        qaird_role_send_bundle(q, order[i]);
    /* An approval that was given ahead counts from now on. */
    if (ok)
        qaird_reload_pack(q);
    qaird_role_start(q, MSG_ROLE_KEYD);
    if (ok)
        qaird_log(q, "policy, qubes and services taken and measured");
    say(q, ok);
}
