/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room cose (floor 2, pure): COSE_Sign1 (RFC 9052, 4.2; tag 18) with one
 * signer, read, verified and written.  Any process may call it; only who holds
 * a private key has use for the writer.
 *
 * Reading checks the shape alone and trusts nothing: four elements, header
 * maps whose labels stand in one of the two buckets and once, `alg` in the
 * protected one (RFC 9052, 3.1: it must be, where it can), `crit` there too
 * and naming only parameters that are there and understood.  Verifying takes
 * the algorithm that the header names, which must be one of the table below
 * and the one that the key is for: a header can choose among RSA-PSS's hashes
 * and nothing else.  What is signed is the Sig_structure of section 4.4 with
 * the caller's external data; an empty protected header is signed as a string
 * of no bytes, however it was sent.
 *
 * A message without payload (nil: detached) needs the caller's; a message with
 * a payload and a caller with another one is an error, not a choice.
 *
 * Not here: COSE_Sign with several signers, MACs, encryption, countersignatures
 * (they stay unread in the unprotected header), hash envelopes, text labels
 * for algorithms.  Spans point into the message.
 */
#ifndef QAIR_COSE_H
#define QAIR_COSE_H

#include "buf.h"
#include "cbor.h"
#include "crypto.h"

/* RFC 9053, 2; RFC 8230, 2; RFC 9864 with the curve in the algorithm. */
enum cose_alg {
    COSE_ES256 = -7,
    COSE_EDDSA = -8, /* Ed25519 here */
    COSE_ESP256 = -9,
    COSE_ED25519 = -19,
    COSE_ES384 = -35,
    COSE_ES512 = -36,
    COSE_PS256 = -37,
    COSE_PS384 = -38,
    COSE_PS512 = -39,
    COSE_ESP384 = -51,
    COSE_ESP512 = -52,
};
/* "ES256", or NULL. */
const char *cose_alg_name(int64_t alg);

/* RFC 9052, 3.1, and the registry. */
enum cose_label {
    COSE_ALG = 1,
    COSE_CRIT = 2,
    COSE_CONTENT_TYPE = 3,
    COSE_KID = 4,
    COSE_CWT_CLAIMS = 15,
    COSE_X5CHAIN = 33,
};

#define COSE_TAG_SIGN1 18
/* Parameters of a bucket: real ones have five. */
#define COSE_HEADERS_MAX 32
/* What is not payload: headers with a chain of certificates. */
#define COSE_OVERHEAD_MAX (64u << 10)

/* What a reader allows beyond the strict form; all zero is that form. */
struct cose_options {
    enum cbor_order order;
    bool untagged;        /* without tag 18, where a protocol says so */
    bool alg_unprotected; /* old signers; the key decides anyway */
    /* Labels that the caller processes and that crit may name, beside alg,
     * content type and kid. */
    const int64_t *crit;
    size_t n_crit;
};

struct cose_sign1 {
    struct span protected_header;   /* encoded map, or no bytes */
    struct span unprotected_header; /* encoded map */
    bool has_alg;
    int64_t alg;
    struct span kid; /* ptr NULL: none */
    struct span content_type;
    bool has_content_format; /* content type as a CoAP number */
    uint64_t content_format;
    bool detached;
    struct span payload; /* of no bytes when detached */
    struct span signature;
};

int cose_sign1_parse(struct span msg, const struct cose_options *options,
        struct cose_sign1 *ret, struct err *err) MUST_CHECK;

enum cose_bucket { COSE_PROTECTED, COSE_UNPROTECTED };
/* The value of an integer label, as a reader of that one item. */
bool cose_header(const struct cose_sign1 *m, enum cose_bucket bucket,
        int64_t label, struct wire_reader *ret) MUST_CHECK;

/*
 * 0 when k signed it.  payload is for a detached message, else NULL.
 * ERR_UNSUPPORTED: no such algorithm; ERR_MISMATCH: not the key's algorithm,
 * or not its signature; ERR_STATE: payload missing, or twice.
 */
int cose_sign1_verify(const struct cose_sign1 *m, const struct crypto_pub *k,
        struct span external_aad, const struct span *payload, struct err *err)
        MUST_CHECK;
/* The bytes that are signed: appended to ret, whose cap bounds them. */
int cose_sign1_to_be_signed(struct span protected_header,
        struct span external_aad, struct span payload, struct buf *ret,
        struct err *err) MUST_CHECK;

struct cose_write {
    struct span kid;          /* ptr NULL: none; protected */
    const char *content_type; /* or NULL */
    struct span external_aad;
    struct span payload;
    bool detached;
};
/* Appends a tagged message, signed as ES256 or EdDSA by the kind of key. */
int cose_sign1_write(const struct cose_write *m, const struct crypto_key *k,
        struct buf *ret, struct err *err) MUST_CHECK;

/*
 * A COSE_Key (RFC 9052, 7) as a public key: OKP Ed25519, EC2 on the curves of
 * crypto with both coordinates, RSA.  A private key in it is refused: it has no
 * business with a verifier.
 */
int cose_key_parse(struct span key, enum cbor_order order,
        struct crypto_pub **ret, struct err *err) MUST_CHECK;

#endif
