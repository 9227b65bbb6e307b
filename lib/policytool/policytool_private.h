/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QAIR_POLICYTOOL_PRIVATE_H
#define QAIR_POLICYTOOL_PRIVATE_H

#include "policytool.h"

struct policytool_universe {
    const struct policy *policy[2];
    size_t n_policies;
    struct policy_system *system; /* where all qubes run */
    struct policytool_service *service;
    size_t n_services;
    const struct policy_qube *qube; /* sources */
    size_t n_qubes;
    struct span *target; /* that can be asked for */
    size_t n_targets;
    struct span *state; /* of the source's zone; the first is "not known" */
    size_t n_states;
    char **text; /* what spans point into */
    size_t n_texts;
};

/* How many questions all of them are; ERR_LIMIT when too many. */
int policytool_size(const struct policytool_universe *u, struct err *err);
void policytool_ask(const struct policytool_universe *u, size_t policy,
        size_t service, size_t source, size_t target, size_t state,
        struct policy_result *ret);
/* Exactly when policytool_answer says the same. */
bool policytool_is_same(
        const struct policy_result *a, const struct policy_result *b);
/* An allow that leads elsewhere than was asked for. */
bool policytool_is_redirected(const struct policy_result *r);

#endif
