/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QAIR_EVENTLOG_PRIVATE_H
#define QAIR_EVENTLOG_PRIVATE_H

#include "eventlog.h"

/* What the standard says about the digest of a type. */
enum eventlog_rule {
    EVENTLOG_RULE_NONE,
    EVENTLOG_RULE_DATA,      /* H(event data) */
    EVENTLOG_RULE_AUTHORITY, /* as DATA; shim left out a byte for years */
    EVENTLOG_RULE_TAG,       /* as DATA for our own tag alone */
};
enum eventlog_rule eventlog_type_rule(uint32_t type);

/* H(data) in every bank that we compute; false when there is none. */
bool eventlog_data_is(const struct eventlog_event *e, struct span data);
/* 0, ERR_MISMATCH, or ERR_UNSUPPORTED; *ret_short for RULE_AUTHORITY. */
int eventlog_data_demand(const struct eventlog_event *e, bool *ret_short);

/* What an event says; f is all zero but its kind. */
void eventlog_fact_of(const struct eventlog_event *e, struct eventlog_fact *f);

#define EVENTLOG_DRTM_FIRST 17
#define EVENTLOG_DRTM_LAST  22
#define EVENTLOG_DRTM_PCRS  0x7e0000u

#endif
