/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room crypto (floor 1): the sole user of OpenSSL's libcrypto.
 *
 * Algorithms are fixed by this header; nothing is negotiated.  All functions
 * are deterministic given their input except the *_generate functions and
 * crypto_random.  Private keys exist as secret memory of known size; they are
 * created, used and freed here and never formatted except by the functions
 * named *_private_pem.  Any process may link this room; only keyd, netd (its
 * day-long channel key), logd (the log key) and the owner's CLI hold private
 * keys.
 *
 * Wire encodings: Ed25519 public 32 bytes, signature 64 (RFC 8032).  P-256
 * public: SEC1 uncompressed 65 bytes.  ECDSA signatures are r||s, 64 bytes
 * fixed width; crypto_ecdsa_der_* convert.
 */
#ifndef QAIR_CRYPTO_H
#define QAIR_CRYPTO_H

#include "base.h"

#include <sys/types.h>

/* ---- hashes ---------------------------------------------------------- */

enum crypto_hash {
    CRYPTO_SHA1, /* event logs only, never for a decision */
    CRYPTO_SHA256,
    CRYPTO_SHA384,
    CRYPTO_SHA512,
    CRYPTO_BLAKE2B512, /* minisign */
};

#define CRYPTO_HASH_MAX    64
#define CRYPTO_SHA256_SIZE 32
#define CRYPTO_SHA384_SIZE 48
#define CRYPTO_SHA512_SIZE 64

size_t crypto_hash_size(enum crypto_hash alg);
const char *crypto_hash_name(enum crypto_hash alg); /* "sha256" */
/* One shot.  ret holds crypto_hash_size(alg).  Aborts if OpenSSL fails. */
void crypto_hash(enum crypto_hash alg, struct span data, uint8_t *ret);
void crypto_sha256(struct span data, uint8_t ret[static CRYPTO_SHA256_SIZE]);
/* H(a || b), the shape of a PCR extend and of a tree node. */
void crypto_sha256_two(
        struct span a, struct span b, uint8_t ret[static CRYPTO_SHA256_SIZE]);

/* H(value || digest) into value: one extend of a PCR, both of alg's size.
 * SHA-1 and SHA-2 alone; aborts for another. */
void crypto_extend(enum crypto_hash alg, uint8_t *value, const uint8_t *digest);

struct crypto_hasher; /* incremental */
struct crypto_hasher *crypto_hasher_new(enum crypto_hash alg) MUST_CHECK;
void crypto_hasher_free(struct crypto_hasher *h);
void crypto_hasher_free_ptr(struct crypto_hasher **h);
void crypto_hasher_update(struct crypto_hasher *h, struct span data);
/* Result so far; the hasher can be updated further. */
void crypto_hasher_final(struct crypto_hasher *h, uint8_t *ret);

void crypto_hmac(
        enum crypto_hash alg, struct span key, struct span data, uint8_t *ret);
/* RFC 5869 extract and expand; info is a label, at most this long. */
#define CRYPTO_HKDF_INFO_MAX 512
int crypto_hkdf(enum crypto_hash alg, struct span salt, struct span ikm,
        struct span info, uint8_t *ret, size_t len) MUST_CHECK;
/* Aborts if the kernel's generator fails. */
void crypto_random(uint8_t *ret, size_t len);

/* ---- AEAD ------------------------------------------------------------ */

#define CRYPTO_AEAD_KEY   32
#define CRYPTO_AEAD_NONCE 12
#define CRYPTO_AEAD_TAG   16
/* AES-256-GCM.  ret holds plain.len + CRYPTO_AEAD_TAG. */
int crypto_aead_seal(const uint8_t key[static CRYPTO_AEAD_KEY],
        const uint8_t nonce[static CRYPTO_AEAD_NONCE], struct span aad,
        struct span plain, uint8_t *ret) MUST_CHECK;
/* ret holds sealed.len - CRYPTO_AEAD_TAG; untouched unless authentic. */
int crypto_aead_open(const uint8_t key[static CRYPTO_AEAD_KEY],
        const uint8_t nonce[static CRYPTO_AEAD_NONCE], struct span aad,
        struct span sealed, uint8_t *ret) MUST_CHECK;
/* AES-CFB with a zero IV (TPM 2.0 Part 1, 24.5: credential protection). */
int crypto_aes_cfb_encrypt(struct span key, struct span plain, uint8_t *ret)
        MUST_CHECK;

/* ---- public keys ----------------------------------------------------- */

enum crypto_key_type {
    CRYPTO_ED25519 = 1,
    CRYPTO_P256 = 2,
    CRYPTO_RSA = 3,  /* EK certificates and AKs of real TPMs: verify only */
    CRYPTO_P384 = 4, /* EK of swtpm, AMD keys: verify and ECDH only */
    CRYPTO_P521 = 5, /* devices over SPDM, COSE's ES512: verify only */
};

struct crypto_pub; /* immutable, heap */
struct crypto_pub *crypto_pub_ed25519(const uint8_t raw[static 32]) MUST_CHECK;
/* NULL when the point is not on the curve. */
struct crypto_pub *crypto_pub_ec(
        enum crypto_key_type type, struct span x, struct span y) MUST_CHECK;
struct crypto_pub *crypto_pub_rsa(struct span n_be, uint32_t e) MUST_CHECK;
/* DER SubjectPublicKeyInfo; any type above, else NULL. */
struct crypto_pub *crypto_pub_from_spki(struct span der) MUST_CHECK;
/* "-----BEGIN PUBLIC KEY-----" text. */
struct crypto_pub *crypto_pub_from_pem(struct span pem) MUST_CHECK;
void crypto_pub_free(struct crypto_pub *k);
void crypto_pub_free_ptr(struct crypto_pub **k);
enum crypto_key_type crypto_pub_type(const struct crypto_pub *k);
unsigned crypto_pub_bits(const struct crypto_pub *k);
/* Ed25519: 32 bytes.  P-256: 65.  P-384: 97.  P-521: 133.  RSA:
 * ERR_UNSUPPORTED. */
int crypto_pub_raw(const struct crypto_pub *k, uint8_t *ret, size_t cap,
        size_t *ret_len) MUST_CHECK;
#define CRYPTO_SPKI_MAX 1100
int crypto_pub_spki(const struct crypto_pub *k, uint8_t *ret, size_t cap,
        size_t *ret_len) MUST_CHECK;
int crypto_pub_pem(const struct crypto_pub *k, char *ret, size_t cap)
        MUST_CHECK;
bool crypto_pub_eq(const struct crypto_pub *a, const struct crypto_pub *b);

enum crypto_scheme {
    CRYPTO_SIG_ED25519, /* over the message */
    CRYPTO_SIG_ECDSA,   /* over a digest; r||s */
    CRYPTO_SIG_RSASSA,  /* PKCS#1 v1.5 over a digest */
    CRYPTO_SIG_RSAPSS,  /* over a digest; salt length as in the signature */
    CRYPTO_SIG_RSAPSS_DIGEST, /* the same with a salt as long as the digest */
};
/*
 * 0, or ERR_MISMATCH.  For ED25519 hash is ignored and data is the message;
 * for the others data is the message too and is hashed here.  ERR_UNSUPPORTED
 * for a scheme that is not the key's, and for SHA-1 and BLAKE2b.
 */
int crypto_verify(const struct crypto_pub *k, enum crypto_scheme scheme,
        enum crypto_hash hash, struct span data, struct span sig) MUST_CHECK;
/* As crypto_verify for a digest that is already computed (not ED25519). */
int crypto_verify_digest(const struct crypto_pub *k, enum crypto_scheme scheme,
        enum crypto_hash hash, struct span digest, struct span sig) MUST_CHECK;
/* RSA-OAEP to an EK (TPM 2.0 Part 1, B.4): hash, label with its NUL. */
int crypto_rsa_oaep(const struct crypto_pub *k, enum crypto_hash hash,
        struct span label, struct span plain, uint8_t *ret, size_t cap,
        size_t *ret_len) MUST_CHECK;

/* ECDSA between r||s (each size bytes) and DER. */
int crypto_ecdsa_to_der(
        struct span rs, uint8_t *ret, size_t cap, size_t *ret_len) MUST_CHECK;
/* Strict DER; 0 < r, s; each fits size bytes. */
int crypto_ecdsa_from_der(struct span der, uint8_t *ret, size_t size)
        MUST_CHECK;

/* ---- private keys ---------------------------------------------------- */

struct crypto_key; /* private, heap, wiped on free */
struct crypto_key *crypto_key_ed25519(const uint8_t seed[static 32]) MUST_CHECK;
/* type: CRYPTO_ED25519 or CRYPTO_P256. */
struct crypto_key *crypto_key_generate(enum crypto_key_type type) MUST_CHECK;
/* PKCS#8 PEM, not encrypted; for the owner's key file. */
struct crypto_key *crypto_key_from_private_pem(struct span pem) MUST_CHECK;
int crypto_key_private_pem(const struct crypto_key *k, char *ret, size_t cap)
        MUST_CHECK;
void crypto_key_free(struct crypto_key *k);
void crypto_key_free_ptr(struct crypto_key **k);
const struct crypto_pub *crypto_key_pub(const struct crypto_key *k);
/* Ed25519 over data, or ECDSA P-256 with SHA-256 over data; 64 bytes. */
#define CRYPTO_SIGNATURE_SIZE 64
int crypto_sign(const struct crypto_key *k, struct span data,
        uint8_t ret[static CRYPTO_SIGNATURE_SIZE]) MUST_CHECK;
/* ECDSA P-256 over a SHA-256 digest. */
int crypto_sign_digest(const struct crypto_key *k,
        const uint8_t digest[static 32],
        uint8_t ret[static CRYPTO_SIGNATURE_SIZE]) MUST_CHECK;
/* Fresh ephemeral ECDH on k's curve: shared x, and the ephemeral point. */
int crypto_ecdh_ephemeral(const struct crypto_pub *k, uint8_t *ret_x,
        uint8_t *ret_eph_x, uint8_t *ret_eph_y, size_t size) MUST_CHECK;

/* ---- PEM ------------------------------------------------------------- */

/*
 * RFC 7468, strict: lines of 64 characters, nothing inside the block but
 * base64.  Lines before the block are skipped; *rest is advanced behind it.
 * label: "CERTIFICATE", "X509 CRL", ...
 */
int crypto_pem_next(struct span *rest, const char *label, uint8_t *ret,
        size_t cap, size_t *ret_len) MUST_CHECK;

/* ---- X.509 ----------------------------------------------------------- */

struct crypto_cert;
/* Strict DER, no trailing bytes (the caller trims NV padding first). */
struct crypto_cert *crypto_cert_from_der(struct span der) MUST_CHECK;
/* First certificate of a PEM text; *rest is advanced behind it. */
struct crypto_cert *crypto_cert_from_pem(struct span *rest) MUST_CHECK;
void crypto_cert_free(struct crypto_cert *c);
void crypto_cert_free_ptr(struct crypto_cert **c);
int crypto_cert_der(const struct crypto_cert *c, uint8_t *ret, size_t cap,
        size_t *ret_len) MUST_CHECK;
/* The SPKI's key; also for rsaesOaep SPKIs, which OpenSSL 3.0 refuses. */
struct crypto_pub *crypto_cert_pub(const struct crypto_cert *c) MUST_CHECK;
/* Algorithm of that key, dotted: "1.2.840.113549.1.1.1". */
int crypto_cert_spki_oid(const struct crypto_cert *c, char *ret, size_t cap)
        MUST_CHECK;
/* Content of an extension; ERR_NOT_FOUND when absent. */
int crypto_cert_extension(const struct crypto_cert *c, const char *oid,
        uint8_t *ret, size_t cap, size_t *ret_len) MUST_CHECK;
/* Common name of the subject; ERR_NOT_FOUND when it has none or several. */
int crypto_cert_cn(const struct crypto_cert *c, char *ret, size_t cap)
        MUST_CHECK;
bool crypto_cert_valid_at(const struct crypto_cert *c, uint64_t unix_s);
/* Both ends of the validity in unix seconds; ERR_SYNTAX when not a time. */
int crypto_cert_validity(const struct crypto_cert *c, uint64_t *ret_not_before,
        uint64_t *ret_not_after) MUST_CHECK;
/*
 * 0 when signed by k, else ERR_MISMATCH; nothing else is looked at.  SHA-1 is
 * good enough here: makers signed EK certificates with it.
 */
int crypto_cert_verify(const struct crypto_cert *c, const struct crypto_pub *k)
        MUST_CHECK;
bool crypto_cert_has_eku(const struct crypto_cert *c, const char *oid);
/* May it issue: basicConstraints, or keyCertSign, or a self-signed v1. */
bool crypto_cert_is_ca(const struct crypto_cert *c);
/*
 * TCG attributes in the SAN directoryName (2.23.133.2.1 .2 .3) as text;
 * ERR_NOT_FOUND when absent.
 */
int crypto_cert_tpm_san(const struct crypto_cert *c, const char *oid, char *ret,
        size_t cap) MUST_CHECK;
/*
 * Path from leaf over inters to one of roots at a time: signatures, validity,
 * basic constraints, key usage, names; a critical extension that is not
 * understood is a refusal (SAN is understood), and so are name constraints.
 * A signature picks the issuer, roots first; at most 8 links.  A root may be
 * of X.509 version 1, where nothing says that it is a CA but its owner's trust,
 * when it signed itself.  0 or ERR_MISMATCH with reason.
 */
int crypto_cert_path(const struct crypto_cert *leaf,
        struct crypto_cert *const *inters, size_t n_inters,
        struct crypto_cert *const *roots, size_t n_roots, uint64_t unix_s,
        struct err *err) MUST_CHECK;
/*
 * A leaf for a channel key, issued by a zone identity: subject CN = name,
 * issuer CN = name, keyUsage digitalSignature, EKU client and server, random
 * 16-byte serial.  DER into ret.
 */
#define CRYPTO_CERT_MAX 4096
int crypto_cert_issue(const struct crypto_key *issuer, const char *name,
        const struct crypto_pub *subject, uint64_t not_before,
        uint64_t not_after, uint8_t *ret, size_t cap, size_t *ret_len)
        MUST_CHECK;

/* For lib/channel alone, which hands the key and certificate to libssl. */
void *crypto_key_native(const struct crypto_key *k);   /* EVP_PKEY, borrowed */
void *crypto_cert_native(const struct crypto_cert *c); /* X509, borrowed */

#endif
