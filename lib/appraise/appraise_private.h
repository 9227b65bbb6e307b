/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of room appraise. */
#ifndef QAIR_APPRAISE_PRIVATE_H
#define QAIR_APPRAISE_PRIVATE_H

#include "appraise.h"

/* Adds a finding; the texts are made safe to show. */
void appraise_add(struct appraisal *a, enum appraise_reason reason,
        struct span claim, const char *expected, const char *actual);
/* The same with bytes as hex. */
void appraise_add_hex(struct appraisal *a, enum appraise_reason reason,
        const char *claim, struct span expected, struct span actual);

/* Every difference between genuine evidence and a reference is added. */
void appraise_compare(const struct evidence *e,
        const struct evidence_events *events, const struct pack_reference *ref,
        struct appraisal *a);

#endif
