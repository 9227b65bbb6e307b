/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line a decision, to the journal with fields (QREXEC_REQUEST, _SOURCE,
 * _RELAY, _TARGET, _SERVICE, _RESULT, _RULE, _REASON), or to stderr where there
 * is no journal.  The line begins as upstream's: "qrexec: SERVICE: SOURCE ->
 * TARGET: allowed to X" or "denied: WHY".
 */
#ifndef QAIR_QUBES_POLICY_JOURNAL_H
#define QAIR_QUBES_POLICY_JOURNAL_H

#include "base.h"

struct journal_decision {
    const char *request; /* id of the request in this daemon's life */
    struct span source, target, service;
    struct span relay; /* who says that it speaks for source; or empty */
    bool allow;
    bool only_asked_about; /* just_evaluate: nothing follows from it */
    struct span chosen;    /* allow: where it goes */
    struct span rule_file; /* empty: no rule decided */
    unsigned rule_line;
    const char *reason;
};

/* stderr_only: for a start by hand, and for tests. */
void journal_init(bool stderr_only);
void journal_decision(const struct journal_decision *d);
/* What is not a decision: the policy's state, trouble. */
void journal_note(int priority, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
