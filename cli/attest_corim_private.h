/* SPDX-License-Identifier: Apache-2.0 */
/* What the two verbs over a manifest share. */
#ifndef QAIR_CLI_ATTEST_CORIM_PRIVATE_H
#define QAIR_CLI_ATTEST_CORIM_PRIVATE_H

#include "attest_corim.h"
#include "corim.h"

struct handed;

struct attest_corim_job {
    const struct pack_options *o;
    struct buf file;
    struct crypto_pub *key;
    enum corim_product product;
    uint64_t time;
    struct handed *out; /* NULL: show only */
    struct corim *c;
};

/* Reads files, parses none of them. */
int attest_corim_init(struct attest_corim_job *j, const struct pack_options *o,
        const char *path, struct err *err) MUST_CHECK;
void attest_corim_job_fini(struct attest_corim_job *j);
/* In the child: into j->c, signature and time checked. */
int attest_corim_read(struct attest_corim_job *j, struct err *err) MUST_CHECK;
/* A value as a line of rules: claim, op, and the value's text appended; the
 * claim is one of room rules and takes values of this kind. */
int attest_corim_line(const struct attest_corim_job *j,
        const struct corim_value *v, struct corim_claim *ret, struct buf *text,
        struct err *err) MUST_CHECK;

#endif
