/* SPDX-License-Identifier: Apache-2.0 */
/* What public keys can do: check signatures, encrypt to an EK. */
#include "crypto_private.h"

#include <stdlib.h>

#define ECDSA_COORD_MAX 66 /* P-521 */
/* SEQUENCE of two INTEGERs, each with a sign byte. */
#define ECDSA_DER_MAX (3 + 2 * (3 + ECDSA_COORD_MAX))

static int verify_ed25519(
        const struct crypto_pub *k, struct span data, struct span sig)
{
    EVP_MD_CTX *ctx;
    bool good;

    if (sig.len != CRYPTO_SIGNATURE_SIZE)
        return ERR_MISMATCH;
    ctx = EVP_MD_CTX_new();
    if (!ctx)
        return ERR_MEMORY;
    /* RFC 8032, 5.1.7; OpenSSL refuses S >= L, so no second encoding. */
    good = EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, k->pkey) == 1 &&
           EVP_DigestVerify(ctx, sig.ptr, sig.len,
                   data.len ? data.ptr : (const uint8_t *)"", data.len) == 1;
    EVP_MD_CTX_free(ctx);
    return good ? 0 : crypto_fail(ERR_MISMATCH);
}

static bool set_scheme(
        EVP_PKEY_CTX *ctx, enum crypto_scheme scheme, const EVP_MD *md)
{
    if (EVP_PKEY_verify_init(ctx) != 1)
        return false;
    switch (scheme) {
    case CRYPTO_SIG_ED25519:
        return false;
    case CRYPTO_SIG_ECDSA:
        return true;
    case CRYPTO_SIG_RSASSA:
        return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
               EVP_PKEY_CTX_set_signature_md(ctx, md) == 1;
    case CRYPTO_SIG_RSAPSS:
        return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
               EVP_PKEY_CTX_set_signature_md(ctx, md) == 1 &&
               EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_AUTO) == 1;
    case CRYPTO_SIG_RSAPSS_DIGEST:
        return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
               EVP_PKEY_CTX_set_signature_md(ctx, md) == 1 &&
               EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) ==
                       1;
    }
    return false;
}

/* SHA-1 decides nothing, and BLAKE2b belongs to minisign's own encoding. */
static bool is_signature_hash(enum crypto_hash hash)
{
    return hash == CRYPTO_SHA256 || hash == CRYPTO_SHA384 ||
           hash == CRYPTO_SHA512;
}

static bool belongs(enum crypto_scheme scheme, enum crypto_key_type type)
{
    switch (scheme) {
    case CRYPTO_SIG_ED25519:
        return type == CRYPTO_ED25519;
    case CRYPTO_SIG_ECDSA:
        return type == CRYPTO_P256 || type == CRYPTO_P384 ||
               type == CRYPTO_P521;
    case CRYPTO_SIG_RSASSA:
    case CRYPTO_SIG_RSAPSS:
    case CRYPTO_SIG_RSAPSS_DIGEST:
        return type == CRYPTO_RSA;
    }
    return false;
}

int crypto_verify_digest(const struct crypto_pub *k, enum crypto_scheme scheme,
        enum crypto_hash hash, struct span digest, struct span sig)
{
    uint8_t der[ECDSA_DER_MAX];
    size_t size = 0, len = 0;
    EVP_PKEY_CTX *ctx;
    bool good;

    if (!belongs(scheme, k->type) || scheme == CRYPTO_SIG_ED25519 ||
            !is_signature_hash(hash))
        return ERR_UNSUPPORTED;
    if (digest.len != crypto_hash_size(hash))
        return ERR_MISMATCH;
    if (scheme == CRYPTO_SIG_ECDSA) {
        if (!crypto_pub_curve(k->type, &size) || sig.len != 2 * size ||
                crypto_ecdsa_to_der(sig, der, sizeof(der), &len))
            return ERR_MISMATCH;
        sig = SPAN(der, len);
    }
    ctx = EVP_PKEY_CTX_new_from_pkey(NULL, k->pkey, NULL);
    if (!ctx)
        return ERR_MEMORY;
    good = set_scheme(ctx, scheme, crypto_hash_md(hash)) &&
           EVP_PKEY_verify(ctx, sig.ptr, sig.len, digest.ptr, digest.len) == 1;
    EVP_PKEY_CTX_free(ctx);
    return good ? 0 : crypto_fail(ERR_MISMATCH);
}

int crypto_verify(const struct crypto_pub *k, enum crypto_scheme scheme,
        enum crypto_hash hash, struct span data, struct span sig)
{
    uint8_t digest[CRYPTO_HASH_MAX];

    if (!belongs(scheme, k->type))
        return ERR_UNSUPPORTED;
    if (scheme == CRYPTO_SIG_ED25519)
        return verify_ed25519(k, data, sig);
    crypto_hash(hash, data, digest);
    return crypto_verify_digest(
            k, scheme, hash, SPAN(digest, crypto_hash_size(hash)), sig);
}

int crypto_rsa_oaep(const struct crypto_pub *k, enum crypto_hash hash,
        struct span label, struct span plain, uint8_t *ret, size_t cap,
        size_t *ret_len)
{
    EVP_PKEY_CTX *ctx;
    const EVP_MD *md = crypto_hash_md(hash);
    uint8_t *owned = NULL;
    size_t len = cap;
    bool good;

    if (k->type != CRYPTO_RSA)
        return ERR_UNSUPPORTED;
    if (cap < k->bits / 8 || label.len > LIMIT_CONF_LINE_MAX)
        return ERR_LIMIT;
    ctx = EVP_PKEY_CTX_new_from_pkey(NULL, k->pkey, NULL);
    owned = OPENSSL_memdup(label.ptr, label.len);
    good = ctx && owned && EVP_PKEY_encrypt_init(ctx) == 1 &&
           EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_oaep_md(ctx, md) == 1 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md) == 1;
    if (good &&
            EVP_PKEY_CTX_set0_rsa_oaep_label(ctx, owned, (int)label.len) == 1)
        owned = NULL; /* the context's now */
    good = good && !owned &&
           EVP_PKEY_encrypt(ctx, ret, &len, plain.ptr, plain.len) == 1;
    OPENSSL_free(owned);
    EVP_PKEY_CTX_free(ctx);
    if (!good)
        return crypto_fail(ERR_CRYPTO);
    *ret_len = len;
    return 0;
}

int crypto_ecdsa_to_der(
        struct span rs, uint8_t *ret, size_t cap, size_t *ret_len)
{
    int half = (int)(rs.len / 2), len = 0;
    ECDSA_SIG *sig;
    BIGNUM *r, *s;
    uint8_t *der = NULL;

    if (rs.len == 0 || rs.len % 2 || half > ECDSA_COORD_MAX)
        return ERR_SYNTAX;
    sig = ECDSA_SIG_new();
    r = BN_bin2bn(rs.ptr, half, NULL);
    s = BN_bin2bn(rs.ptr + half, half, NULL);
    if (sig && r && s && ECDSA_SIG_set0(sig, r, s) == 1) {
        r = s = NULL; /* the signature's now */
        len = i2d_ECDSA_SIG(sig, &der);
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(sig);
    if (len > 0 && (size_t)len <= cap) {
        memcpy(ret, der, (size_t)len);
        *ret_len = (size_t)len;
    }
    OPENSSL_free(der);
    if (len <= 0)
        return crypto_fail(ERR_CRYPTO);
    return (size_t)len <= cap ? 0 : ERR_LIMIT;
}

int crypto_ecdsa_from_der(struct span der, uint8_t *ret, size_t size)
{
    const uint8_t *p = der.ptr;
    uint8_t rs[2 * ECDSA_COORD_MAX], again[ECDSA_DER_MAX];
    size_t again_len = 0;
    ECDSA_SIG *sig;
    bool good;

    if (size > ECDSA_COORD_MAX || der.len > ECDSA_DER_MAX)
        return ERR_SYNTAX;
    sig = d2i_ECDSA_SIG(NULL, &p, (long)der.len);
    good = sig && !BN_is_zero(ECDSA_SIG_get0_r(sig)) &&
           !BN_is_zero(ECDSA_SIG_get0_s(sig)) &&
           !BN_is_negative(ECDSA_SIG_get0_r(sig)) &&
           !BN_is_negative(ECDSA_SIG_get0_s(sig)) &&
           BN_bn2binpad(ECDSA_SIG_get0_r(sig), rs, (int)size) > 0 &&
           BN_bn2binpad(ECDSA_SIG_get0_s(sig), rs + size, (int)size) > 0;
    ECDSA_SIG_free(sig);
    /* OpenSSL reads BER; only what it would write itself is DER. */
    if (!good ||
            crypto_ecdsa_to_der(
                    SPAN(rs, 2 * size), again, sizeof(again), &again_len) ||
            !span_eq(der, SPAN(again, again_len)))
        return crypto_fail(ERR_SYNTAX);
    memcpy(ret, rs, 2 * size);
    return 0;
}
