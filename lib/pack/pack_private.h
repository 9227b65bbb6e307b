/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of room pack. */
#ifndef QAIR_PACK_PRIVATE_H
#define QAIR_PACK_PRIVATE_H

#include "pack.h"
#include "statement.h"

struct pack {
    const struct crypto_pub *owner;
    size_t n_zones, n_keys, n_references, n_rules, n_sets;
    struct pack_zone *zone;
    struct pack_key *key;
    struct pack_reference *reference;
    struct pack_rules *rules;
    struct rules_set *set;
};

/* Predicate of a verified statement into a table entry; name: of its file. */
int pack_read_zone(const struct statement *s, struct span name,
        struct pack_zone *ret, struct err *err) MUST_CHECK;
int pack_read_key(const struct statement *s, struct span name,
        struct pack_key *ret, struct err *err) MUST_CHECK;
int pack_read_reference(const struct statement *s, struct span name,
        const struct crypto_pub *owner, struct pack_reference *ret,
        struct err *err) MUST_CHECK;

int pack_read_rules(const struct statement *s, struct span name,
        struct pack_rules *ret, struct err *err) MUST_CHECK;
int pack_read_set(const struct statement *s, struct span name,
        struct rules_set *ret, struct err *err) MUST_CHECK;
/* Rules are of zones that are there, and name sets that are there and fit. */
int pack_check_rules(const struct pack *p, struct err *err) MUST_CHECK;

void pack_rules_fini(struct pack_rules *r);
void pack_set_fini(struct rules_set *s);
void pack_zone_fini(struct pack_zone *z);
void pack_key_fini(struct pack_key *k);

/* Into to[cap] with a NUL; the getters have bounded s. */
void pack_copy_text(char *to, size_t cap, struct span s);
/* A time that may be absent: 0. */
bool pack_get_end(struct statement_reader *r, const char *key, uint64_t *ret)
        MUST_CHECK;
bool pack_put_end(struct json_t *o, const char *key, uint64_t t) MUST_CHECK;
/* Subject, file (unless empty) and the name inside all say the same. */
int pack_check_names(const struct statement *s, const char *prefix,
        const char *name, struct span file,
        const uint8_t digest[static CRYPTO_SHA256_SIZE], struct err *err)
        MUST_CHECK;
/* Statement and envelope. */
int pack_sign_statement(enum statement_kind kind, const char *name,
        const uint8_t digest[static CRYPTO_SHA256_SIZE],
        struct json_t *predicate, const struct crypto_key *owner,
        struct buf *ret, struct err *err) MUST_CHECK;

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
