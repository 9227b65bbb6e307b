/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy in force.  A change is read by a helper thread into a new
 * immutable tree, while the old one goes on answering; then they are swapped
 * in one step, and the thread frees the old one.
 */
#ifndef QAIR_QUBES_POLICY_SNAPSHOT_H
#define QAIR_QUBES_POLICY_SNAPSHOT_H

#include "policytree.h"

#include <systemd/sd-event.h>

struct snapshot;

/* Reads the policy; paths stay the caller's.  Only memory can fail. */
int snapshot_new(sd_event *event, const struct policytree_paths *paths,
        struct snapshot **ret, struct err *err) MUST_CHECK;
void snapshot_free(struct snapshot *s);
const struct policytree *snapshot_tree(const struct snapshot *s);
void snapshot_reload(struct snapshot *s);

#endif
