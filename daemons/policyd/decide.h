/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a request to the MSG_DECISION that answers it.  Pure.  Whatever a
 * caller chose comes back as printable ASCII of bounded length, because it
 * goes into records and to people.
 */
#ifndef QAIR_POLICYD_DECIDE_H
#define QAIR_POLICYD_DECIDE_H

#include "judge.h"
#include "msg.h"
#include "policy.h"

struct decide {
    const char *zone;
    uint8_t digest[MSG_DIGEST]; /* of the policy bundle */
    const struct policy *policy;
    const struct policy_system *system;
};

/* All qubes and their disposables, by name. */
#define DECIDE_CANDIDATES_MAX 81920

/* What an answer's spans point into. */
struct decide_text {
    char candidates[DECIDE_CANDIDATES_MAX];
    char fallback[POLICY_TARGET_TEXT_MAX];
    char source[65];
    char source_qube[65];
    char requested[LIMIT_SERVICE_NAME_MAX + 1];
    char service[LIMIT_SERVICE_MAX + 1];
    char rule[300];
    char where[LIMIT_ZONE_NAME_MAX + 32];
    char reason[ERR_MSG_MAX];
};

/* A call that begins in this zone, or one that runs (m->running). */
void decide_local(const struct decide *d, const struct msg_decide *m,
        struct decide_text *text, struct msg_decision *ret);
/* A call from another zone whose envelope (in m) is true. */
void decide_remote(const struct decide *d, const struct judge_call *c,
        const struct msg_decide_remote *m, struct decide_text *text,
        struct msg_decision *ret);
/* One whose envelope is not: c tells what is known of it. */
void decide_refuse(const struct decide *d, struct span peer,
        const struct judge_call *c, const char *reason,
        struct decide_text *text, struct msg_decision *ret);

#endif
