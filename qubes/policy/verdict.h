/* SPDX-License-Identifier: Apache-2.0 */
/* Pure: what a request is answered with, and what a person is asked. */
#ifndef QAIR_QUBES_POLICY_VERDICT_H
#define QAIR_QUBES_POLICY_VERDICT_H

#include "info.h"
#include "policyline.h"

struct verdict {
    bool asks; /* a person decides; nothing else but result counts */
    bool allow;
    bool notify;
    struct policy_result result;
    struct policyline_store store;
    struct policyline_response response; /* allow, with its target */
    char reason[ERR_MSG_MAX];
};

/*
 * Judges a request.  choice: what a person answered, SPAN_EMPTY: nobody was
 * asked.  info may be NULL only for a policy that denies everything.
 */
void verdict_of(const struct policy *p, const struct info *info,
        const struct policyline_request *request, struct span choice,
        struct verdict *ret);

/* The JSON of policy.Ask and of policy.Notify; NULL: out of memory. */
char *verdict_question(const struct verdict *v, const struct info *info);
char *verdict_notice(
        const struct verdict *v, const struct policyline_request *request);
/* "allow:TARGET": true, and the target; "deny" and all else: false. */
bool verdict_parse_answer(struct span answer, struct span *ret) MUST_CHECK;

/* policy.EvalGUI: does the caller show the windows of both? */
bool verdict_is_guivm(const struct info *info, const struct policyline_eval *e);

#endif
