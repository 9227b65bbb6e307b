/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence from a file, for the verbs of attest. */
#ifndef QAIR_CLI_ATTEST_LOAD_H
#define QAIR_CLI_ATTEST_LOAD_H

#include "appraise.h"
#include "pack_options.h"

struct attest_loaded {
    struct buf bytes;
    struct evidence e;
};
void attest_loaded_fini(struct attest_loaded *l);

/* The bytes, not yet looked into. */
int attest_read(const char *path, struct attest_loaded *ret, struct err *err)
        MUST_CHECK;
/* Takes apart what was read from path. */
int attest_parse(const char *path, struct attest_loaded *l, struct err *err)
        MUST_CHECK;
/* Both. */
int attest_load(const char *path, struct attest_loaded *ret, struct err *err)
        MUST_CHECK;
/* Evidence names no zone: the attestation key says whose it is. */
int attest_find_zone(const struct pack *p, const struct evidence *e,
        const struct pack_zone **ret, struct err *err) MUST_CHECK;
/* What is judged: the evidence of the first argument, whose it is, binder. */
int attest_take_input(const struct pack_options *o, const struct pack *p,
        struct attest_loaded *l, struct appraise_input *ret, struct err *err)
        MUST_CHECK;
/* On stdout, a line each, indented. */
void attest_print_findings(const struct appraisal *a);

#endif
