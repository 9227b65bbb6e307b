/* SPDX-License-Identifier: Apache-2.0 */
/* Records in words: one line for a list. */
#ifndef QAIR_CLI_LOG_TEXT_H
#define QAIR_CLI_LOG_TEXT_H

#include "log_view.h"

#include <jansson.h>

/* "2026-11-25T02:06:00Z call ..."; printable ASCII, cut at cap. */
void log_text_line(const struct log_record *r, char *ret, size_t cap);
/* The time that the record claims; 0 when it has none. */
uint64_t log_text_time(const struct statement *s);
/* {"index", "keyid", "kind", "signer", "statement", "zone"}; NULL: memory. */
json_t *log_text_json(const struct log_view *v, const struct log_record *r);

#endif
