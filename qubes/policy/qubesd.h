/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of this host's qubes, from qubesd, kept until something happens.
 *
 * A subscription to admin.Events invalidates what is kept, whatever the event;
 * so does time (QUBESD_AGE_US: a power state can change without an event).
 * While there is no subscription, each request has the state fetched anew, as
 * upstream does.  Nothing is answered from a state whose fetch began before
 * the last event or, without a subscription, before the request came.
 *
 *     need = qubesd_need(q);             when the request comes
 *     info = qubesd_info(q, need);       NULL: not yet, a fetch is under way
 *     done(ctx, began, err)              ask again; err: requests with a need
 *                                        of at most began got no state, why
 */
#ifndef QAIR_QUBES_POLICY_QUBESD_H
#define QAIR_QUBES_POLICY_QUBESD_H

#include "info.h"

#include <systemd/sd-event.h>

#define QUBESD_SOCKET          "/var/run/qubesd.sock"
#define QUBESD_INTERNAL_SOCKET "/var/run/qubesd.internal.sock"
#define QUBESD_AGE_US          (10u * 1000000)

struct qubesd;

typedef void qubesd_done(void *ctx, uint64_t began, const struct err *err);

int qubesd_new(sd_event *event, const char *socket, const char *internal_socket,
        qubesd_done *done, void *ctx, struct qubesd **ret, struct err *err)
        MUST_CHECK;
void qubesd_free(struct qubesd *q);
uint64_t qubesd_need(struct qubesd *q);
const struct info *qubesd_info(struct qubesd *q, uint64_t need);

#endif
