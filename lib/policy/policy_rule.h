/* SPDX-License-Identifier: Apache-2.0 */
/* One rule, from its words. */
#ifndef QAIR_POLICY_RULE_H
#define QAIR_POLICY_RULE_H

#include "policy_int.h"

/* SERVICE or "*", and "+ARG" or "*", as a rule may have them. */
int policy_rule_check_service(
        struct span service, struct span argument, struct err *err);
/* Checks and appends; words and line are copied. */
int policy_rule_add(struct policy *p, struct span file, unsigned line_number,
        struct span line, const struct span *words, size_t n_words,
        struct err *err) MUST_CHECK;

#endif
