/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call from dom0 to a service of a GuiVM: policy.Ask, policy.Notify.  A
 * GuiVM other than dom0 is reached through qrexec-client (the one process this
 * daemon makes); in dom0 the service is a socket.  Either way a socket takes
 * the JSON and, after its end, gives the answer.
 */
#ifndef QAIR_QUBES_POLICY_QUESTION_H
#define QAIR_QUBES_POLICY_QUESTION_H

#include "base.h"

#include <systemd/sd-event.h>

#define QUESTION_ANSWER_MAX 128 /* "allow:" and a name */

struct question_paths {
    const char *qrexec_client;
    const char *rpc; /* folder of dom0's socket services */
};

struct question;

/* Once: the answer, or why there is none.  The question is gone after it. */
typedef void question_done(
        void *ctx, struct span answer, const struct err *err);

/* payload: JSON, taken over (free).  Fails at once, or calls done later. */
int question_ask(sd_event *event, const struct question_paths *paths,
        struct span guivm, const char *service, char *payload,
        uint64_t timeout_us, question_done *done, void *ctx,
        struct question **ret, struct err *err) MUST_CHECK;
/* done is not called any more; the program is ended. */
void question_cancel(struct question *q);

#endif
