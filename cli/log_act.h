/* SPDX-License-Identifier: Apache-2.0 */
/* The records of one call over several logs, for qair log trace. */
#ifndef QAIR_CLI_LOG_ACT_H
#define QAIR_CLI_LOG_ACT_H

#include "log_trace.h"
#include "log_view.h"

#include <jansson.h>

/* Where one record stands and what it is. */
struct act_record {
    struct log_view *view;
    struct log_record rec;
};

struct act {
    struct act_record records[LOG_TRACE_VIEWS * LOG_TRACE_RECORDS];
    size_t n;
    unsigned bad; /* things that do not hold */
    json_t *findings;
};

/* Do they agree?  What does not becomes a finding. */
void log_check_act(struct act *a);
/* In the order in which it happened. */
void log_tell_act(const struct act *a);

#endif
