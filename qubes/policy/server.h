/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Serves the policy socket and policy.EvalSimple / policy.EvalGUI: one loop,
 * no thread and no process a decision.  A connection is one request; there is
 * always an answer, and each decision is in the journal before it is given.
 */
#ifndef QAIR_QUBES_POLICY_SERVER_H
#define QAIR_QUBES_POLICY_SERVER_H

#include "qubesd.h"
#include "question.h"
#include "snapshot.h"

enum server_kind { SERVER_POLICY, SERVER_EVAL_SIMPLE, SERVER_EVAL_GUI };

/*
 * Connections at once.  Upstream's daemons have 256 requests pending each;
 * several may be silent.  What qubes may ask by themselves takes nothing away.
 */
#define SERVER_CLIENTS_MAX 1024
#define SERVER_EVALS_MAX   128 /* of EvalSimple, and of EvalGUI */
/* Open questions, and those about one caller: a person has one screen. */
#define SERVER_QUESTIONS_MAX         64
#define SERVER_QUESTIONS_PER_SOURCE  8
#define SERVER_NOTICES_MAX           16
#define SERVER_NOTICES_PER_SOURCE    2
#define SERVER_REQUEST_TIMEOUT_US    (5u * 1000000)
#define SERVER_STATE_TIMEOUT_US      (5u * 1000000)
#define SERVER_NOTICE_TIMEOUT_US     (30u * 1000000)
#define SERVER_ASK_TIMEOUT_DEFAULT_S 300

struct server_config {
    struct question_paths questions;
    const char *qubesd_socket, *qubesd_internal_socket;
    uint64_t ask_timeout_us;
};

struct server;

/* config and policy stay the caller's. */
int server_new(sd_event *event, const struct server_config *config,
        const struct snapshot *policy, struct server **ret, struct err *err)
        MUST_CHECK;
void server_free(struct server *s);
/* fd: a listening socket, taken over. */
int server_listen(struct server *s, enum server_kind kind, int fd,
        struct err *err) MUST_CHECK;

#endif
