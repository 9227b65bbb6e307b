/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy admin API of Qubes OS: policy.List, Get, Replace, Remove, GetFiles
 * and policy.include.List, Get, Replace, Remove, as dom0's services have them.
 *
 * A file is known by its token, "sha256:" and the digest of its content.  A
 * change names the token that it was made for, "new" for a file that must not
 * be there, or "any".  It is made only when the whole policy that would result
 * can be read; then by an atomic rename, so that neither a crash nor a full
 * disk leaves less than the old file.  One change is made at a time (flock on
 * the policy folder, as upstream's tool does).
 */
#ifndef QAIR_QUBES_POLICY_ADMIN_H
#define QAIR_QUBES_POLICY_ADMIN_H

#include "buf.h"
#include "policytree.h"

/* A token's line and a file. */
#define ADMIN_PAYLOAD_MAX (LIMIT_CONF_FILE_MAX + 128)

struct admin_request {
    struct span service; /* "policy.Replace" */
    struct span argument;
    struct span payload;
    const char *folder;            /* what is changed: /etc/qubes/policy.d */
    struct policytree_paths paths; /* what is read: folder among them */
};

/*
 * Appends the answer to ret.  ERR_MISMATCH, ERR_EXISTS: the file is not what
 * the token says; all others: the request is refused or failed.
 */
int admin_run(const struct admin_request *request, struct buf *ret,
        struct err *err) MUST_CHECK;

#endif
