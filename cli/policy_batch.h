/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `qair policy batch`: JSON lines in, JSON lines out.  A line is a whole policy
 * with one request, and what it is answered with is what the policy daemon of
 * Qubes OS would write to its socket (docs/policy.md, "Batch").
 */
#ifndef QAIR_CLI_POLICY_BATCH_H
#define QAIR_CLI_POLICY_BATCH_H

#include "base.h"

#include <stdio.h>

/* 0, or ERR_IO, ERR_MEMORY; a line that is no good is answered with a deny. */
int policy_batch(FILE *in, FILE *out, struct err *err) MUST_CHECK;

#endif
