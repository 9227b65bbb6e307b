/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of room pack. */
#ifndef QAIR_PACK_PRIVATE_H
#define QAIR_PACK_PRIVATE_H

#include "pack.h"
#include "statement.h"

/* Predicate of a verified statement into a table entry; name: of its file. */
int pack_read_zone(const struct statement *s, struct span name,
        struct pack_zone *ret, struct err *err) MUST_CHECK;
int pack_read_key(const struct statement *s, struct span name,
        struct pack_key *ret, struct err *err) MUST_CHECK;
int pack_read_reference(const struct statement *s, struct span name,
        const struct crypto_pub *owner, struct pack_reference *ret,
        struct err *err) MUST_CHECK;

void pack_zone_fini(struct pack_zone *z);
void pack_key_fini(struct pack_key *k);

/* SHA-256 of the SPKI. */
int pack_spki_sha256(const struct crypto_pub *k,
        uint8_t ret[static CRYPTO_SHA256_SIZE]) MUST_CHECK;
/* Borrowed view of a reference's values. */
struct tcg_values pack_values(const struct pack_reference *r);
/* Does the list of files give the value of PCR 14? */
int pack_check_events(const struct pack_reference *r, struct err *err)
        MUST_CHECK;
/* Digest, policy and policyRef from the selection, values and zone. */
int pack_derive(struct pack_reference *r, struct err *err) MUST_CHECK;
/* "references/server@1764037560.json", "server" -> true. */
bool pack_reference_name(struct span name, const char *zone, uint64_t issued);

#endif
