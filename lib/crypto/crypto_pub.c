/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto_private.h"

#include <stdio.h>
#include <stdlib.h>

/*
 * SubjectPublicKeyInfo of the keys with one encoding (RFC 8410, RFC 5480 with
 * a named curve and an uncompressed point): constant bytes, then the key.
 * Explicit curve parameters and compressed points have no way in.
 */
struct fixed_spki {
    enum crypto_key_type type;
    unsigned bits;
    size_t raw_len;
    size_t prefix_len;
    uint8_t prefix[26];
    const char *curve; /* OpenSSL's name */
};

static const struct fixed_spki fixed[] = {
        {CRYPTO_ED25519, 256, 32, 12,
                {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03,
                        0x21, 0x00},
                NULL},
        {CRYPTO_P256, 256, 65, 26,
                {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce,
                        0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
                        0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00},
                "prime256v1"},
        {CRYPTO_P384, 384, 97, 23,
                {0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce,
                        0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00,
                        0x22, 0x03, 0x62, 0x00},
                "secp384r1"},
};

/* Smaller is broken; larger only costs the verifier. */
#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 8192

static const struct fixed_spki *fixed_of(enum crypto_key_type type)
{
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++) {
        if (fixed[i].type == type)
            return &fixed[i];
    }
    return NULL;
}

const char *crypto_pub_curve(enum crypto_key_type type, size_t *ret_size)
{
    const struct fixed_spki *f = fixed_of(type);

    if (!f || !f->curve)
        return NULL;
    *ret_size = (f->raw_len - 1) / 2;
    return f->curve;
}

/* NULL when the point is not on the curve. */
static EVP_PKEY *ec_pkey(const char *curve, struct span point)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    EVP_PKEY *pkey = NULL;

    if (ctx && bld &&
            OSSL_PARAM_BLD_push_utf8_string(
                    bld, OSSL_PKEY_PARAM_GROUP_NAME, curve, 0) &&
            OSSL_PARAM_BLD_push_octet_string(
                    bld, OSSL_PKEY_PARAM_PUB_KEY, point.ptr, point.len) &&
            (params = OSSL_PARAM_BLD_to_param(bld)) != NULL &&
            EVP_PKEY_fromdata_init(ctx) == 1)
        (void)EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(bld);
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

static struct crypto_pub *pub_fixed(const struct fixed_spki *f, struct span raw)
{
    struct crypto_pub *k;

    if (raw.len != f->raw_len || (f->curve && raw.ptr[0] != 0x04))
        return NULL;
    k = calloc(1, sizeof(*k));
    if (!k)
        return NULL;
    k->type = f->type;
    k->bits = f->bits;
    k->pkey = f->curve ? ec_pkey(f->curve, raw)
                       : EVP_PKEY_new_raw_public_key(
                                 EVP_PKEY_ED25519, NULL, raw.ptr, raw.len);
    if (!k->pkey) {
        free(k);
        (void)crypto_fail(0);
        return NULL;
    }
    memcpy(k->spki, f->prefix, f->prefix_len);
    memcpy(k->spki + f->prefix_len, raw.ptr, raw.len);
    k->spki_len = f->prefix_len + raw.len;
    return k;
}

/* Takes pkey over. */
static struct crypto_pub *pub_rsa(EVP_PKEY *pkey)
{
    struct crypto_pub *k = NULL;
    uint8_t *der = NULL;
    int bits = pkey ? EVP_PKEY_get_bits(pkey) : 0;
    int len = bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX
                      ? i2d_PUBKEY(pkey, &der)
                      : 0;

    if (len > 0 && len <= CRYPTO_SPKI_MAX)
        k = calloc(1, sizeof(*k));
    if (k) {
        k->type = CRYPTO_RSA;
        k->bits = (unsigned)bits;
        k->pkey = TAKE_PTR(pkey);
        memcpy(k->spki, der, (size_t)len);
        k->spki_len = (size_t)len;
    }
    OPENSSL_free(der);
    EVP_PKEY_free(pkey);
    (void)crypto_fail(0);
    return k;
}

/*
 * RSA by hand: OpenSSL 3.0 refuses the SPKI algorithm id-RSAES-OAEP that EK
 * certificates of real TPMs carry, though the key inside is a plain one.
 */
static struct crypto_pub *pub_rsa_spki(struct span der)
{
    const uint8_t *p = der.ptr, *bits = NULL, *q;
    X509_PUBKEY *x = d2i_X509_PUBKEY(NULL, &p, (long)der.len);
    ASN1_OBJECT *oid = NULL;
    EVP_PKEY *pkey = NULL;
    int len = 0, nid;

    if (x && p == der.ptr + der.len &&
            X509_PUBKEY_get0_param(&oid, &bits, &len, NULL, x) == 1) {
        nid = OBJ_obj2nid(oid);
        q = bits;
        if (nid == NID_rsaEncryption || nid == NID_rsaesOaep)
            pkey = d2i_PublicKey(EVP_PKEY_RSA, NULL, &q, len);
        if (pkey && q != bits + len) {
            EVP_PKEY_free(pkey);
            pkey = NULL;
        }
    }
    X509_PUBKEY_free(x);
    return pub_rsa(pkey);
}

struct crypto_pub *crypto_pub_ed25519(const uint8_t raw[static 32])
{
    return pub_fixed(fixed_of(CRYPTO_ED25519), SPAN(raw, 32));
}

struct crypto_pub *crypto_pub_ec(
        enum crypto_key_type type, struct span x, struct span y)
{
    const struct fixed_spki *f = fixed_of(type);
    uint8_t point[97] = {0x04};
    size_t size;

    if (!f || !f->curve)
        return NULL;
    size = (f->raw_len - 1) / 2;
    if (x.len > size || y.len > size || x.len == 0 || y.len == 0)
        return NULL;
    /* A TPM may strip leading zeros (TPM 2.0 Part 2, 11.2.5.1). */
    memcpy(point + 1 + size - x.len, x.ptr, x.len);
    memcpy(point + 1 + 2 * size - y.len, y.ptr, y.len);
    return pub_fixed(f, SPAN(point, f->raw_len));
}

struct crypto_pub *crypto_pub_rsa(struct span n_be, uint32_t e)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    EVP_PKEY *pkey = NULL;
    BIGNUM *n = n_be.len <= RSA_BITS_MAX / 8
                        ? BN_bin2bn(n_be.ptr, (int)n_be.len, NULL)
                        : NULL;

    if (ctx && bld && n && e > 2 && e % 2 == 1 &&
            OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n) &&
            OSSL_PARAM_BLD_push_ulong(bld, OSSL_PKEY_PARAM_RSA_E, e) &&
            (params = OSSL_PARAM_BLD_to_param(bld)) != NULL &&
            EVP_PKEY_fromdata_init(ctx) == 1)
        (void)EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(bld);
    EVP_PKEY_CTX_free(ctx);
    BN_free(n);
    return pub_rsa(pkey);
}

struct crypto_pub *crypto_pub_from_spki(struct span der)
{
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++) {
        const struct fixed_spki *f = &fixed[i];

        if (der.len == f->prefix_len + f->raw_len &&
                memcmp(der.ptr, f->prefix, f->prefix_len) == 0)
            return pub_fixed(f, SPAN(der.ptr + f->prefix_len, f->raw_len));
    }
    return der.len <= CRYPTO_SPKI_MAX ? pub_rsa_spki(der) : NULL;
}

struct crypto_pub *crypto_pub_from_pem(struct span pem)
{
    uint8_t der[CRYPTO_SPKI_MAX];
    size_t len;

    if (crypto_pem_next(&pem, "PUBLIC KEY", der, sizeof(der), &len) ||
            text_trim(pem).len > 0)
        return NULL;
    return crypto_pub_from_spki(SPAN(der, len));
}

struct crypto_pub *crypto_pub_of_key(
        enum crypto_key_type type, const EVP_PKEY *pkey)
{
    const struct fixed_spki *f = fixed_of(type);
    uint8_t raw[97];
    size_t len = sizeof(raw);

    if (f->curve ? EVP_PKEY_get_octet_string_param(pkey,
                           OSSL_PKEY_PARAM_PUB_KEY, raw, sizeof(raw), &len)
                 : EVP_PKEY_get_raw_public_key(pkey, raw, &len))
        return pub_fixed(f, SPAN(raw, len));
    (void)crypto_fail(0);
    return NULL;
}

void crypto_pub_free(struct crypto_pub *k)
{
    if (!k)
        return;
    EVP_PKEY_free(k->pkey);
    free(k);
}

void crypto_pub_free_ptr(struct crypto_pub **k)
{
    crypto_pub_free(*k);
}

enum crypto_key_type crypto_pub_type(const struct crypto_pub *k)
{
    return k->type;
}

unsigned crypto_pub_bits(const struct crypto_pub *k)
{
    return k->bits;
}

static int copy_out(struct span s, uint8_t *ret, size_t cap, size_t *ret_len)
{
    if (s.len > cap)
        return ERR_LIMIT;
    memcpy(ret, s.ptr, s.len);
    *ret_len = s.len;
    return 0;
}

int crypto_pub_raw(
        const struct crypto_pub *k, uint8_t *ret, size_t cap, size_t *ret_len)
{
    const struct fixed_spki *f = fixed_of(k->type);

    if (!f)
        return ERR_UNSUPPORTED;
    return copy_out(
            SPAN(k->spki + f->prefix_len, f->raw_len), ret, cap, ret_len);
}

int crypto_pub_spki(
        const struct crypto_pub *k, uint8_t *ret, size_t cap, size_t *ret_len)
{
    return copy_out(SPAN(k->spki, k->spki_len), ret, cap, ret_len);
}

int crypto_pub_pem(const struct crypto_pub *k, char *ret, size_t cap)
{
    return crypto_pem_format(
            "PUBLIC KEY", SPAN(k->spki, k->spki_len), ret, cap);
}

bool crypto_pub_eq(const struct crypto_pub *a, const struct crypto_pub *b)
{
    return span_eq(SPAN(a->spki, a->spki_len), SPAN(b->spki, b->spki_len));
}
