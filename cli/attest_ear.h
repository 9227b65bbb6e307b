/* SPDX-License-Identifier: Apache-2.0 */
/* A verdict as an attestation result of RATS (docs/proto/eat.md, section 5). */
#ifndef QAIR_CLI_ATTEST_EAR_H
#define QAIR_CLI_ATTEST_EAR_H

#include "appraise.h"

/* "veraison", "ietf", either with "-cbor"; what else is ERR_USAGE. */
int attest_ear_check(const char *format, struct err *err) MUST_CHECK;
/* On stdout; nonce: the binder that was asked for, or none. */
int attest_ear_print(const char *format, const struct appraise_input *in,
        const struct appraisal *a, const struct appraise_detail *d,
        struct span nonce, struct err *err) MUST_CHECK;

#endif
