/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <threads.h>

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
        {CRYPTO_P521, 521, 133, 25,
                {0x30, 0x81, 0x9b, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48,
                        0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04,
                        0x00, 0x23, 0x03, 0x81, 0x86, 0x00},
                "secp521r1"},
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

/*
 * A key without a point for each curve: making the curve's group takes OpenSSL
 * longer than checking a signature with it, and a copy a few microseconds.
 */
static EVP_PKEY *curves[ARRAY_LEN(fixed)];
static once_flag curves_once = ONCE_FLAG_INIT;

static EVP_PKEY *curve_make(const char *curve)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    EVP_PKEY *pkey = NULL;

    if (ctx && bld &&
            OSSL_PARAM_BLD_push_utf8_string(
                    bld, OSSL_PKEY_PARAM_GROUP_NAME, curve, 0) &&
            (params = OSSL_PARAM_BLD_to_param(bld)) != NULL &&
            EVP_PKEY_fromdata_init(ctx) == 1)
        (void)EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_KEY_PARAMETERS, params);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(bld);
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

static void curves_make(void)
{
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++) {
        if (!fixed[i].curve)
            continue;
        curves[i] = curve_make(fixed[i].curve);
        if (!curves[i])
            abort();
    }
}

/* NULL when the point is not on the curve. */
static EVP_PKEY *ec_pkey(const struct fixed_spki *f, struct span point)
{
    EVP_PKEY *pkey;

    call_once(&curves_once, curves_make);
    pkey = EVP_PKEY_dup(curves[f - fixed]);
    if (pkey &&
            EVP_PKEY_set1_encoded_public_key(pkey, point.ptr, point.len) == 1)
        return pkey;
    EVP_PKEY_free(pkey);
    return NULL;
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
    k->pkey = f->curve ? ec_pkey(f, raw)
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

/* SubjectPublicKeyInfo of RFC 8017, A.1 by hand: OpenSSL's encoder takes
 * longer than a signature check. */
static void put_uint(struct wire_writer *w, struct span s)
{
    bool sign = s.ptr[0] & 0x80;

    der_put_header(w, DER_INTEGER, s.len + sign);
    if (sign)
        wire_put_u8(w, 0);
    wire_put_bytes(w, s.ptr, s.len);
}

static size_t uint_size(struct span s)
{
    size_t len = s.len + ((s.ptr[0] & 0x80) != 0);

    return der_header_size(len) + len;
}

static bool put_rsa_spki(
        struct wire_writer *w, struct span n, struct span e, struct span *ret)
{
    static const uint8_t algorithm[] = {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86,
            0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00};
    size_t ints = uint_size(n) + uint_size(e);
    size_t key = der_header_size(ints) + ints;
    size_t bits = der_header_size(key + 1) + key + 1;

    der_put_header(w, DER_SEQUENCE, sizeof(algorithm) + bits);
    wire_put_bytes(w, algorithm, sizeof(algorithm));
    der_put_header(w, DER_BIT_STRING, key + 1);
    wire_put_u8(w, 0);
    der_put_header(w, DER_SEQUENCE, ints);
    put_uint(w, n);
    put_uint(w, e);
    return wire_finish(w, ret);
}

/*
 * RSA by hand: OpenSSL 3.0 refuses the SPKI algorithm id-RSAES-OAEP that EK
 * certificates of real TPMs carry, though the key inside is a plain one.
 * Whatever it says beside the algorithm's name is not looked at: the key is
 * used for what its owner's profile says.
 */
static struct crypto_pub *pub_rsa_spki(struct span der)
{
    static const uint8_t rsa[] = {
            0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01};
    static const uint8_t oaep[] = {
            0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x07};
    struct wire_reader all = wire_reader_of(der), spki, alg, key;
    struct span oid, bits, n;
    uint64_t e;

    if (!der_get_sub(&all, DER_SEQUENCE, &spki) || !wire_end(&all) ||
            !der_get_sub(&spki, DER_SEQUENCE, &alg) ||
            !der_get_bits(&spki, &bits) || !wire_end(&spki) ||
            !der_get(&alg, DER_OID, &oid) ||
            (!span_eq(oid, SPAN_OF(rsa)) && !span_eq(oid, SPAN_OF(oaep))))
        return NULL;
    all = wire_reader_of(bits);
    if (!der_get_sub(&all, DER_SEQUENCE, &key) || !wire_end(&all) ||
            !der_get_unsigned(&key, &n) || !der_get_u64(&key, &e) ||
            !wire_end(&key) || e > UINT32_MAX)
        return NULL;
    return crypto_pub_rsa(n, (uint32_t)e);
}

struct crypto_pub *crypto_pub_ed25519(const uint8_t raw[static 32])
{
    return pub_fixed(fixed_of(CRYPTO_ED25519), SPAN(raw, 32));
}

struct crypto_pub *crypto_pub_ec(
        enum crypto_key_type type, struct span x, struct span y)
{
    const struct fixed_spki *f = fixed_of(type);
    uint8_t point[CRYPTO_RAW_MAX] = {0x04};
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

static EVP_PKEY *rsa_pkey(struct span n_be, uint32_t e)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    EVP_PKEY *pkey = NULL;
    BIGNUM *n = BN_bin2bn(n_be.ptr, (int)n_be.len, NULL);

    if (ctx && bld && n &&
            OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n) &&
            OSSL_PARAM_BLD_push_ulong(bld, OSSL_PKEY_PARAM_RSA_E, e) &&
            (params = OSSL_PARAM_BLD_to_param(bld)) != NULL &&
            EVP_PKEY_fromdata_init(ctx) == 1)
        (void)EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(bld);
    EVP_PKEY_CTX_free(ctx);
    BN_free(n);
    return pkey;
}

struct crypto_pub *crypto_pub_rsa(struct span n_be, uint32_t e)
{
    const uint8_t e_be[4] = {(uint8_t)(e >> 24), (uint8_t)(e >> 16),
            (uint8_t)(e >> 8), (uint8_t)e};
    struct span n = n_be, exp = SPAN(e_be, 4), spki;
    struct crypto_pub *k;
    struct wire_writer w;
    int bits;

    while (n.len > 0 && n.ptr[0] == 0)
        n = SPAN(n.ptr + 1, n.len - 1);
    if (n.len < RSA_BITS_MIN / 8 || n.len > RSA_BITS_MAX / 8 || e <= 2 ||
            e % 2 == 0)
        return NULL;
    while (exp.ptr[0] == 0)
        exp = SPAN(exp.ptr + 1, exp.len - 1);
    k = calloc(1, sizeof(*k));
    if (!k)
        return NULL;
    w = wire_writer_of(k->spki, sizeof(k->spki));
    k->pkey = rsa_pkey(n, e);
    bits = k->pkey ? EVP_PKEY_get_bits(k->pkey) : 0;
    if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX ||
            !put_rsa_spki(&w, n, exp, &spki)) {
        crypto_pub_free(k);
        (void)crypto_fail(0);
        return NULL;
    }
    k->type = CRYPTO_RSA;
    k->bits = (unsigned)bits;
    k->spki_len = spki.len;
    return k;
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
    uint8_t raw[CRYPTO_RAW_MAX];
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
