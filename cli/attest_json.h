/* SPDX-License-Identifier: Apache-2.0 */
/* Verdicts as JSON, on stdout. */
#ifndef QAIR_CLI_ATTEST_JSON_H
#define QAIR_CLI_ATTEST_JSON_H

#include "appraise.h"

/* accept, genuine, zone, state, evidence, findings. */
int attest_json_verdict(const struct pack_zone *z, const struct appraisal *a,
        struct err *err) MUST_CHECK;
/* And lines of the rules, claims, notes, changes. */
int attest_json_explain(const struct appraise_input *in,
        const struct appraisal *a, const struct appraise_detail *d,
        struct err *err) MUST_CHECK;

#endif
