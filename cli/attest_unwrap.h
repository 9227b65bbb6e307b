/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence out of what carries it (docs/proto/eat.md, sections 3 and 4). */
#ifndef QAIR_CLI_ATTEST_UNWRAP_H
#define QAIR_CLI_ATTEST_UNWRAP_H

#include "buf.h"
#include "pack.h"

/* Everything around a blob. */
#define ATTEST_WRAPPED_MAX (LIMIT_EVIDENCE_MAX + 65536)

/* Could a file that starts so be a wrapper or token: an array, map or tag of
 * CBOR?  No quote, log, list or text does. */
bool attest_is_wrapped(uint8_t first);
/*
 * In place: the evidence blob that bytes are, or that a wrapper (CMW) has, or
 * a token (EAT) that a zone of the pack signed; a token's nonce must be the
 * quote's.  *ret_signer is that zone, NULL when nobody signed: then the blob
 * stands for itself.  An unsigned token in a file is refused.
 */
int attest_unwrap(struct buf *bytes, const struct pack *p, uint64_t unix_s,
        const struct pack_zone **ret_signer, struct err *err) MUST_CHECK;

#endif
