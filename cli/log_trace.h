/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qair log trace: the records of one act, out of one or two logs, joined by
 * call id, checked against each other, and told in the order they happened.
 */
#ifndef QAIR_CLI_LOG_TRACE_H
#define QAIR_CLI_LOG_TRACE_H

#include "log_view.h"

#define LOG_TRACE_VIEWS   (LIMIT_CALL_HOPS + 1) /* zones of one call */
#define LOG_TRACE_CALLS   4096 /* acts of one artefact: told, and no more */
#define LOG_TRACE_RECORDS 64   /* records of one act in one log */

struct log_trace {
    struct log_view *views[LOG_TRACE_VIEWS];
    size_t n_views;
    bool scan; /* do not use the index */
    bool json;
};

/* What is asked for: exactly one of the two is set. */
struct log_trace_what {
    bool is_call;
    uint8_t call_id[STATEMENT_CALL_ID];
    uint8_t sha256[STATEMENT_DIGEST];
};

/* Prints; 0, ERR_NOT_FOUND, or ERR_MISMATCH when something does not hold. */
int log_trace_run(const struct log_trace *t, const struct log_trace_what *what,
        struct err *err) MUST_CHECK;

#endif
