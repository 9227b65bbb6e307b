/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room enrol (floor 3, pure): the four files of enrolment and their checks.
 * Specification: docs/proto/enrol.md.
 *
 * *_parse takes the bytes of a file and is strict: what *_format would not
 * have written is refused, so parse and format give the same bytes.  A parsed
 * struct holds its own copy (store) and is freed with its *_fini, also after
 * a failure.  For *_format the caller fills the spans and leaves store alone;
 * text is appended to ret, whose cap should be ENROL_FILE_MAX or, for an
 * answer, ENROL_ANSWER_MAX.
 *
 * A parsed file is well-formed, nothing more.  enrol_claim_check says that a
 * claim's keys are what they must be, enrol_claim_path that a maker vouches for
 * its TPM, enrol_answer_check that this TPM answered for this claim.
 */
#ifndef QAIR_ENROL_H
#define QAIR_ENROL_H

#include "base.h"
#include "buf.h"
#include "crypto.h"
#include "evidence.h"
#include "pack.h"

#define ENROL_FILE_MAX   49152
#define ENROL_ANSWER_MAX (6u << 20) /* LIMIT_EVIDENCE_MAX as base64 */
#define ENROL_CHAIN_MAX  6
#define ENROL_SECRET     32

struct enrol_claim {
    struct span zone;
    struct span address; /* may be empty */
    bool emulated;
    struct span ek_certificate; /* DER */
    size_t n_chain;
    struct span chain[ENROL_CHAIN_MAX]; /* DER, leaf side first */
    struct span ek_public, ak_public;   /* TPMT_PUBLIC */
    struct span identity, log;          /* SPKI DER */
    struct buf store;
};
int enrol_claim_parse(
        struct span text, struct enrol_claim *ret, struct err *err) MUST_CHECK;
int enrol_claim_format(const struct enrol_claim *c, struct buf *ret,
        struct err *err) MUST_CHECK;
void enrol_claim_fini(struct enrol_claim *c);

struct enrol_challenge {
    uint8_t claim[CRYPTO_SHA256_SIZE];
    struct span credential; /* TPM2B_ID_OBJECT */
    struct span secret;     /* TPM2B_ENCRYPTED_SECRET */
    struct buf store;
};
int enrol_challenge_parse(struct span text, struct enrol_challenge *ret,
        struct err *err) MUST_CHECK;
int enrol_challenge_format(const struct enrol_challenge *c, struct buf *ret,
        struct err *err) MUST_CHECK;
void enrol_challenge_fini(struct enrol_challenge *c);

/* What the owner keeps beside the challenge. */
struct enrol_secret {
    uint8_t claim[CRYPTO_SHA256_SIZE];
    uint8_t secret[ENROL_SECRET];
};
int enrol_secret_parse(
        struct span text, struct enrol_secret *ret, struct err *err) MUST_CHECK;
int enrol_secret_format(const struct enrol_secret *s, struct buf *ret,
        struct err *err) MUST_CHECK;

struct enrol_answer {
    uint8_t claim[CRYPTO_SHA256_SIZE];
    struct span evidence;
    struct buf store;
};
int enrol_answer_parse(
        struct span text, struct enrol_answer *ret, struct err *err) MUST_CHECK;
int enrol_answer_format(const struct enrol_answer *a, struct buf *ret,
        struct err *err) MUST_CHECK;
void enrol_answer_fini(struct enrol_answer *a);

/* ---- checks ---------------------------------------------------------- */

/* SHA-256("qair-enrol-1" || secret || claim bytes) */
int enrol_binder(const uint8_t secret[static ENROL_SECRET],
        struct span claim_text, uint8_t ret[static CRYPTO_SHA256_SIZE],
        struct err *err) MUST_CHECK;

/* The keys of a claim; spans point into it.  Freed with enrol_keys_fini. */
struct enrol_keys {
    struct crypto_cert *ek_cert;
    size_t n_chain;
    struct crypto_cert *chain[ENROL_CHAIN_MAX];
    struct tcg_public ek, ak;
    struct tcg_name ak_name;
    struct crypto_pub *identity, *log;
};
/* Checks 3 to 5; *ret is to be freed also after a failure. */
int enrol_claim_check(const struct enrol_claim *c, struct enrol_keys *ret,
        struct err *err) MUST_CHECK;
void enrol_keys_fini(struct enrol_keys *k);

/* Check 2, with the owner's CA certificates, at a time. */
#define ENROL_CA_MAX 64 /* of roots and of intermediates */
struct enrol_ca {
    size_t n_roots, n_inters;
    struct crypto_cert *root[ENROL_CA_MAX], *inter[ENROL_CA_MAX];
};
/* PEM; self-signed certificates are the roots, and there is at least one. */
int enrol_ca_parse(struct span pem, struct enrol_ca *ret, struct err *err)
        MUST_CHECK;
void enrol_ca_fini(struct enrol_ca *ca);
int enrol_claim_path(const struct enrol_keys *k, const struct enrol_ca *ca,
        uint64_t unix_s, struct tcg_ek *ret, struct err *err) MUST_CHECK;

/* Bytes of the four files, and what the owner knows. */
struct enrol_input {
    struct span claim, challenge, secret, answer;
    uint64_t time;
    bool hardware; /* the owner knows the TPM to be a chip */
};
/* What an answered challenge proves about a zone. */
struct enrol_zone {
    struct pack_zone zone; /* keys: freed with enrol_zone_fini */
    char manufacturer[TCG_EK_TEXT], model[TCG_EK_TEXT];
};
/* All checks but the certificate's path, which was the challenge's. */
int enrol_answer_check(const struct enrol_input *in, struct enrol_zone *ret,
        struct err *err) MUST_CHECK;
void enrol_zone_fini(struct enrol_zone *z);

#endif
