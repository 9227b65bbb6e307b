/* SPDX-License-Identifier: Apache-2.0 */
/* Policy and qubes of a folder, for the reading verbs of `qair policy`. */
#ifndef QAIR_CLI_POLICY_LOAD_H
#define QAIR_CLI_POLICY_LOAD_H

#include "buf.h"
#include "policy.h"

/*
 * The bundle of the policy in DIR/SUB, as the zone's daemons get it.  Its
 * SHA-256 is the policy's digest.
 */
int policy_load_bundle(const char *dir, const char *sub, struct buf *ret,
        struct err *err) MUST_CHECK;
/* The qubes of ZONE/qubes.d. */
int policy_load_system(const char *zone_dir, struct policy_system **ret,
        struct err *err) MUST_CHECK;

#endif
