/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of room rules. */
#ifndef QAIR_RULES_PRIVATE_H
#define QAIR_RULES_PRIVATE_H

#include "rules.h"

/* Letters to change, at most, before a suggestion is a guess. */
#define RULES_NEAR 3
/* Levenshtein's; SIZE_MAX when one of them is too long to be close. */
size_t rules_distance(struct span a, struct span b);

/* Has the set values of that claim? */
bool rules_set_fits(const struct rules_set *s, const struct rules_line *l);
/* NULL when there is none of that name. */
const struct rules_set *rules_find_set(
        const struct rules_sets *sets, const char *name);

/* As many as the table says, and a value that its type can have. */
bool claims_fits(const struct claim_def *d, const struct claim_value *v);

#endif
