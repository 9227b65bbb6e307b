/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define PUB CLEANUP(crypto_pub_free_ptr) struct crypto_pub
#define KEY CLEANUP(crypto_key_free_ptr) struct crypto_key

static void unhex(const char *hex, uint8_t *ret, size_t len)
{
    assert_true(text_parse_hex(span_str(hex), ret, len));
}

/* RFC 8032, 7.1 */
static const struct {
    const char *seed, *pub, *msg, *sig;
} ed_vectors[] = {
        {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
                "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f70751"
                "1a",
                "",
                "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901"
                "555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a"
                "100b"},
        {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
                "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af466"
                "0c",
                "72",
                "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69"
                "da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb"
                "0c00"},
        {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
                "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908"
                "025",
                "af82",
                "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3"
                "ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1e"
                "c40a"},
};

static int verify_ed(
        const struct crypto_pub *k, struct span msg, const uint8_t sig[64])
{
    return crypto_verify(
            k, CRYPTO_SIG_ED25519, CRYPTO_SHA256, msg, SPAN(sig, 64));
}

static void published_ed25519(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ed_vectors); i++) {
        uint8_t seed[32], pub[32], msg[2], sig[64], got[64];
        size_t msg_len = strlen(ed_vectors[i].msg) / 2, len;

        unhex(ed_vectors[i].seed, seed, 32);
        unhex(ed_vectors[i].pub, pub, 32);
        unhex(ed_vectors[i].msg, msg, msg_len);
        unhex(ed_vectors[i].sig, sig, 64);
        KEY *k = crypto_key_ed25519(seed);
        assert_non_null(k);
        assert_int_equal(
                crypto_pub_raw(crypto_key_pub(k), got, sizeof(got), &len), 0);
        assert_int_equal(len, 32);
        assert_memory_equal(got, pub, 32);
        assert_int_equal(crypto_sign(k, SPAN(msg, msg_len), got), 0);
        assert_memory_equal(got, sig, 64);
        assert_int_equal(
                verify_ed(crypto_key_pub(k), SPAN(msg, msg_len), sig), 0);
    }
}

static void ed25519_any_flipped_bit_is_refused(void **state)
{
    uint8_t sig[64], pub[32];

    (void)state;
    unhex(ed_vectors[1].pub, pub, 32);
    unhex(ed_vectors[1].sig, sig, 64);
    PUB *k = crypto_pub_ed25519(pub);
    assert_int_equal(verify_ed(k, span_str("r"), sig), 0);
    assert_int_equal(verify_ed(k, span_str("s"), sig), ERR_MISMATCH);
    assert_int_equal(verify_ed(k, span_str("rr"), sig), ERR_MISMATCH);
    assert_int_equal(verify_ed(k, SPAN_EMPTY, sig), ERR_MISMATCH);
    for (unsigned bit = 0; bit < 512; bit++) {
        sig[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(verify_ed(k, span_str("r"), sig), ERR_MISMATCH);
        sig[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t len = 0; len < 64; len++)
        assert_int_equal(crypto_verify(k, CRYPTO_SIG_ED25519, CRYPTO_SHA256,
                                 span_str("r"), SPAN(sig, len)),
                ERR_MISMATCH);
}

/* S + L is the same number to the curve: a second signature for free. */
static void ed25519_non_canonical_s_is_refused(void **state)
{
    static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12,
            0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};
    uint8_t sig[64], pub[32];
    unsigned carry = 0;

    (void)state;
    unhex(ed_vectors[1].pub, pub, 32);
    unhex(ed_vectors[1].sig, sig, 64);
    PUB *k = crypto_pub_ed25519(pub);
    for (size_t i = 0; i < 32; i++) {
        carry += (unsigned)sig[32 + i] + order[i];
        sig[32 + i] = (uint8_t)carry;
        carry >>= 8;
    }
    assert_int_equal(carry, 0);
    assert_int_equal(verify_ed(k, span_str("r"), sig), ERR_MISMATCH);
}

/* RFC 6979, A.2.5, SHA-256, "sample" */
#define P256_X                                                                 \
    "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
#define P256_Y                                                                 \
    "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
#define P256_SIG                                                               \
    "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"         \
    "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"

static struct crypto_pub *p256(void)
{
    uint8_t x[32], y[32];
    struct crypto_pub *k;

    unhex(P256_X, x, 32);
    unhex(P256_Y, y, 32);
    k = crypto_pub_ec(CRYPTO_P256, SPAN_OF(x), SPAN_OF(y));
    assert_non_null(k);
    return k;
}

static int verify_p256(
        const struct crypto_pub *k, const char *msg, struct span sig)
{
    return crypto_verify(
            k, CRYPTO_SIG_ECDSA, CRYPTO_SHA256, span_str(msg), sig);
}

static void published_ecdsa(void **state)
{
    uint8_t sig[64], digest[32];
    PUB *k = p256();

    (void)state;
    unhex(P256_SIG, sig, 64);
    assert_int_equal(verify_p256(k, "sample", SPAN_OF(sig)), 0);
    crypto_sha256(span_str("sample"), digest);
    assert_int_equal(crypto_verify_digest(k, CRYPTO_SIG_ECDSA, CRYPTO_SHA256,
                             SPAN_OF(digest), SPAN_OF(sig)),
            0);
    assert_int_equal(verify_p256(k, "simple", SPAN_OF(sig)), ERR_MISMATCH);
}

static void ecdsa_forgeries_are_refused(void **state)
{
    uint8_t sig[64], zero[64] = {0};
    PUB *k = p256();

    (void)state;
    unhex(P256_SIG, sig, 64);
    for (unsigned bit = 0; bit < 512; bit += 3) {
        sig[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(verify_p256(k, "sample", SPAN_OF(sig)), ERR_MISMATCH);
        sig[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t len = 0; len < 64; len++)
        assert_int_equal(
                verify_p256(k, "sample", SPAN(sig, len)), ERR_MISMATCH);
    /* r = s = 0 passes in verifiers that forget to look */
    assert_int_equal(verify_p256(k, "sample", SPAN_OF(zero)), ERR_MISMATCH);
    memcpy(zero, sig, 32);
    assert_int_equal(verify_p256(k, "sample", SPAN_OF(zero)), ERR_MISMATCH);
}

static void schemes_do_not_mix(void **state)
{
    uint8_t sig[64], digest[32], raw[32];
    PUB *ec = p256();

    (void)state;
    unhex(P256_SIG, sig, 64);
    unhex(ed_vectors[0].pub, raw, 32);
    PUB *ed = crypto_pub_ed25519(raw);
    crypto_sha256(span_str("sample"), digest);
    assert_int_equal(crypto_verify(ec, CRYPTO_SIG_ED25519, CRYPTO_SHA256,
                             span_str("sample"), SPAN_OF(sig)),
            ERR_UNSUPPORTED);
    assert_int_equal(crypto_verify(ec, CRYPTO_SIG_RSAPSS, CRYPTO_SHA256,
                             span_str("sample"), SPAN_OF(sig)),
            ERR_UNSUPPORTED);
    assert_int_equal(crypto_verify(ed, CRYPTO_SIG_ECDSA, CRYPTO_SHA256,
                             span_str("sample"), SPAN_OF(sig)),
            ERR_UNSUPPORTED);
    /* a digest is no message to Ed25519 */
    assert_int_equal(crypto_verify_digest(ed, CRYPTO_SIG_ED25519, CRYPTO_SHA256,
                             SPAN_OF(digest), SPAN_OF(sig)),
            ERR_UNSUPPORTED);
    /* SHA-1 decides nothing */
    assert_int_equal(crypto_verify(ec, CRYPTO_SIG_ECDSA, CRYPTO_SHA1,
                             span_str("sample"), SPAN_OF(sig)),
            ERR_UNSUPPORTED);
    assert_int_equal(crypto_verify_digest(ec, CRYPTO_SIG_ECDSA, CRYPTO_SHA256,
                             SPAN(digest, 31), SPAN_OF(sig)),
            ERR_MISMATCH);
}

static void points_off_the_curve_are_no_keys(void **state)
{
    uint8_t x[32], y[32], zero[32] = {0};

    (void)state;
    unhex(P256_X, x, 32);
    unhex(P256_Y, y, 32);
    y[31] ^= 1;
    assert_null(crypto_pub_ec(CRYPTO_P256, SPAN_OF(x), SPAN_OF(y)));
    y[31] ^= 1;
    assert_null(crypto_pub_ec(CRYPTO_P384, SPAN_OF(x), SPAN_OF(y)));
    assert_null(crypto_pub_ec(CRYPTO_ED25519, SPAN_OF(x), SPAN_OF(y)));
    assert_null(crypto_pub_ec(CRYPTO_P256, SPAN_OF(zero), SPAN_OF(zero)));
    assert_null(crypto_pub_ec(CRYPTO_P256, SPAN_EMPTY, SPAN_OF(y)));
}

static void spki_and_pem_have_one_spelling(void **state)
{
    const enum crypto_key_type types[] = {CRYPTO_ED25519, CRYPTO_P256};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        KEY *k = crypto_key_generate(types[i]);
        uint8_t der[CRYPTO_SPKI_MAX + 1], again[CRYPTO_SPKI_MAX];
        size_t len, again_len;
        char pem[512];

        assert_non_null(k);
        assert_int_equal(
                crypto_pub_spki(crypto_key_pub(k), der, CRYPTO_SPKI_MAX, &len),
                0);
        PUB *p = crypto_pub_from_spki(SPAN(der, len));
        assert_non_null(p);
        assert_true(crypto_pub_eq(p, crypto_key_pub(k)));
        assert_int_equal(
                crypto_pub_spki(p, again, sizeof(again), &again_len), 0);
        assert_true(span_eq(SPAN(der, len), SPAN(again, again_len)));
        der[len] = 0;
        assert_null(crypto_pub_from_spki(SPAN(der, len + 1)));
        for (size_t n = 0; n < len; n++)
            assert_null(crypto_pub_from_spki(SPAN(der, n)));
        assert_int_equal(crypto_pub_pem(p, pem, sizeof(pem)), 0);
        PUB *q = crypto_pub_from_pem(span_str(pem));
        assert_non_null(q);
        assert_true(crypto_pub_eq(p, q));
        assert_int_equal(crypto_pub_pem(p, pem, 60), ERR_LIMIT);
    }
}

static void foreign_pem_is_refused(void **state)
{
#define BODY "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
    static const struct {
        const char *pem;
        bool good;
    } cases[] = {
            {"-----BEGIN PUBLIC KEY-----\n" BODY "-----END PUBLIC KEY-----\n",
                    true},
            {"-----BEGIN PUBLIC KEY-----\r\n"
             "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\r\n"
             "-----END PUBLIC KEY-----\r\n",
                    true},
            {"-----BEGIN PUBLIC KEY-----\n" BODY "-----END PUBLIC KEY-----\nx",
                    false},
            {"-----BEGIN PUBLIC KEY-----\n" BODY, false},
            {"-----BEGIN PUBLIC KEY-----\n" BODY "-----END PRIVATE KEY-----\n",
                    false},
            {"-----BEGIN PRIVATE KEY-----\n" BODY "-----END PRIVATE KEY-----\n",
                    false},
            {"-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n", false},
            {"-----BEGIN PUBLIC KEY-----\nMCow\n" BODY
             "-----END PUBLIC KEY-----\n",
                    false},
            {"", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        PUB *k = crypto_pub_from_pem(span_str(cases[i].pem));

        assert_int_equal(k != NULL, cases[i].good);
    }
}

static void generated_keys_sign_and_travel_as_pem(void **state)
{
    const enum crypto_key_type types[] = {CRYPTO_ED25519, CRYPTO_P256};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        KEY *k = crypto_key_generate(types[i]);
        KEY *other = crypto_key_generate(types[i]);
        enum crypto_scheme scheme = types[i] == CRYPTO_ED25519
                                            ? CRYPTO_SIG_ED25519
                                            : CRYPTO_SIG_ECDSA;
        uint8_t sig[64];
        char pem[512];

        assert_int_equal(crypto_key_private_pem(k, pem, sizeof(pem)), 0);
        KEY *back = crypto_key_from_private_pem(span_str(pem));
        assert_non_null(back);
        assert_true(crypto_pub_eq(crypto_key_pub(back), crypto_key_pub(k)));
        assert_int_equal(crypto_sign(back, span_str("m"), sig), 0);
        assert_int_equal(crypto_verify(crypto_key_pub(k), scheme, CRYPTO_SHA256,
                                 span_str("m"), SPAN_OF(sig)),
                0);
        assert_int_equal(crypto_verify(crypto_key_pub(other), scheme,
                                 CRYPTO_SHA256, span_str("m"), SPAN_OF(sig)),
                ERR_MISMATCH);
        /* a public key is no private one, nor the other way */
        assert_null(crypto_pub_from_pem(span_str(pem)));
        assert_int_equal(
                crypto_pub_pem(crypto_key_pub(k), pem, sizeof(pem)), 0);
        assert_null(crypto_key_from_private_pem(span_str(pem)));
    }
    assert_null(crypto_key_generate(CRYPTO_RSA));
    assert_null(crypto_key_generate(CRYPTO_P384));
}

static void ecdsa_der_is_strict(void **state)
{
    static const struct {
        const char *hex;
        bool good;
    } cases[] = {
            {"3006020101020102", true},
            {"3007020200ff020102", true},
            {"300602010002010100", false}, /* trailing byte */
            {"3006020100020102", false},   /* r = 0 */
            {"3006020101020100", false},   /* s = 0 */
            {"3006020181020102", false},   /* negative */
            {"300702020001020102", false}, /* needless zero */
            {"30810602010102010200", false},
            {"308106020101020102", false},   /* long length */
            {"30800201010201020000", false}, /* indefinite */
            {"3005020101020102", false},
            {"3003020101", false},
            {"", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t der[32], rs[64] = {0}, again[32];
        size_t n = strlen(cases[i].hex) / 2, len;
        int rc;

        unhex(cases[i].hex, der, n);
        rc = crypto_ecdsa_from_der(SPAN(der, n), rs, 32);
        assert_int_equal(rc == 0, cases[i].good);
        if (rc)
            continue;
        assert_int_equal(crypto_ecdsa_to_der(SPAN(rs, 64), again, 32, &len), 0);
        assert_true(span_eq(SPAN(der, n), SPAN(again, len)));
    }
}

/* A key of 33 bytes does not fit the curve. */
static void ecdsa_der_number_over_the_curve_is_refused(void **state)
{
    uint8_t der[40] = {0x30, 38, 0x02, 33, 0x01}, rs[64];

    (void)state;
    der[37] = 0x02;
    der[38] = 1;
    der[39] = 1;
    assert_int_equal(crypto_ecdsa_from_der(SPAN(der, 40), rs, 32), ERR_SYNTAX);
}

/* ---- RSA: made by OpenSSL itself, as TPMs and CAs make them ------------ */

static EVP_PKEY *rsa;

static struct crypto_pub *rsa_pub(void)
{
    uint8_t *der = NULL;
    int len = i2d_PUBKEY(rsa, &der);
    struct crypto_pub *k = crypto_pub_from_spki(SPAN(der, (size_t)len));

    OPENSSL_free(der);
    assert_non_null(k);
    return k;
}

static int make_rsa(void **state)
{
    (void)state;
    rsa = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
    return rsa ? 0 : -1;
}

static int free_rsa(void **state)
{
    (void)state;
    EVP_PKEY_free(rsa);
    return 0;
}

static void rsa_sign(int padding, const EVP_MD *md, uint8_t ret[256])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx;
    size_t len = 256;

    assert_int_equal(EVP_DigestSignInit(ctx, &pctx, md, NULL, rsa), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(pctx, padding), 1);
    assert_int_equal(
            EVP_DigestSign(ctx, ret, &len, (const uint8_t *)"m", 1), 1);
    EVP_MD_CTX_free(ctx);
}

static void rsa_schemes_verify_and_do_not_mix(void **state)
{
    PUB *k = rsa_pub();
    uint8_t v15[256], pss[256];

    (void)state;
    assert_int_equal(crypto_pub_bits(k), 2048);
    rsa_sign(RSA_PKCS1_PADDING, EVP_sha256(), v15);
    rsa_sign(RSA_PKCS1_PSS_PADDING, EVP_sha384(), pss);
    assert_int_equal(crypto_verify(k, CRYPTO_SIG_RSASSA, CRYPTO_SHA256,
                             span_str("m"), SPAN_OF(v15)),
            0);
    assert_int_equal(crypto_verify(k, CRYPTO_SIG_RSAPSS, CRYPTO_SHA384,
                             span_str("m"), SPAN_OF(pss)),
            0);
    assert_int_equal(crypto_verify(k, CRYPTO_SIG_RSAPSS, CRYPTO_SHA256,
                             span_str("m"), SPAN_OF(v15)),
            ERR_MISMATCH);
    assert_int_equal(crypto_verify(k, CRYPTO_SIG_RSASSA, CRYPTO_SHA384,
                             span_str("m"), SPAN_OF(pss)),
            ERR_MISMATCH);
    assert_int_equal(crypto_verify(k, CRYPTO_SIG_RSASSA, CRYPTO_SHA384,
                             span_str("m"), SPAN_OF(v15)),
            ERR_MISMATCH);
    v15[255] ^= 1;
    assert_int_equal(crypto_verify(k, CRYPTO_SIG_RSASSA, CRYPTO_SHA256,
                             span_str("m"), SPAN_OF(v15)),
            ERR_MISMATCH);
}

static void rsa_spki_is_what_openssl_writes(void **state)
{
    PUB *k = rsa_pub();
    uint8_t *der = NULL, got[CRYPTO_SPKI_MAX];
    int len = i2d_PUBKEY(rsa, &der);
    size_t got_len;

    (void)state;
    assert_true(len > 0);
    assert_int_equal(crypto_pub_spki(k, got, sizeof(got), &got_len), 0);
    assert_int_equal(got_len, len);
    assert_memory_equal(got, der, got_len);
    /* Every truncation and a trailing byte are refused. */
    for (size_t i = 0; i < got_len; i++)
        assert_null(crypto_pub_from_spki(SPAN(got, i)));
    got[got_len] = 0;
    assert_null(crypto_pub_from_spki(SPAN(got, got_len + 1)));
    OPENSSL_free(der);
}

static void pss_salt_is_as_long_as_the_digest_where_that_is_asked(void **state)
{
    static const struct {
        int salt, rc;
    } cases[] = {{RSA_PSS_SALTLEN_DIGEST, 0}, {RSA_PSS_SALTLEN_MAX, -1},
            {0, -1}, {32, -1}};
    PUB *k = rsa_pub();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        EVP_PKEY_CTX *pctx;
        uint8_t sig[256];
        size_t len = sizeof(sig);

        assert_int_equal(
                EVP_DigestSignInit(ctx, &pctx, EVP_sha384(), NULL, rsa), 1);
        assert_int_equal(
                EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING), 1);
        assert_int_equal(
                EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, cases[i].salt), 1);
        assert_int_equal(
                EVP_DigestSign(ctx, sig, &len, (const uint8_t *)"m", 1), 1);
        EVP_MD_CTX_free(ctx);
        assert_int_equal(crypto_verify(k, CRYPTO_SIG_RSAPSS, CRYPTO_SHA384,
                                 span_str("m"), SPAN_OF(sig)),
                0);
        assert_int_equal(crypto_verify(k, CRYPTO_SIG_RSAPSS_DIGEST,
                                 CRYPTO_SHA384, span_str("m"), SPAN_OF(sig)),
                cases[i].rc ? ERR_MISMATCH : 0);
    }
}

static void rsa_from_modulus_is_the_same_key(void **state)
{
    PUB *k = rsa_pub();
    BIGNUM *n = NULL;
    uint8_t bytes[256];

    (void)state;
    assert_int_equal(EVP_PKEY_get_bn_param(rsa, OSSL_PKEY_PARAM_RSA_N, &n), 1);
    assert_int_equal(BN_bn2binpad(n, bytes, sizeof(bytes)), 256);
    BN_free(n);
    PUB *same = crypto_pub_rsa(SPAN_OF(bytes), 65537);
    assert_non_null(same);
    assert_true(crypto_pub_eq(k, same));
    assert_null(crypto_pub_rsa(SPAN(bytes, 128), 65537)); /* 1024 bits */
    assert_null(crypto_pub_rsa(SPAN_OF(bytes), 1));
    assert_null(crypto_pub_rsa(SPAN_OF(bytes), 65536));
    assert_null(crypto_pub_rsa(SPAN_EMPTY, 65537));
}

static void oaep_opens_with_its_label_only(void **state)
{
    PUB *k = rsa_pub();
    uint8_t sealed[256], out[256];
    size_t len, out_len;
    /* TPM 2.0 Part 1, 24.4: label "IDENTITY" with its NUL */
    struct span label = SPAN("IDENTITY", 9);
    static const char *const tries[] = {"IDENTITY", "INTEGRITY"};

    (void)state;
    assert_int_equal(crypto_rsa_oaep(k, CRYPTO_SHA256, label,
                             span_str("secret"), sealed, sizeof(sealed), &len),
            0);
    assert_int_equal(len, 256);
    for (size_t i = 0; i < ARRAY_LEN(tries); i++) {
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(rsa, NULL);
        size_t n = strlen(tries[i]) + 1;

        out_len = sizeof(out);
        assert_int_equal(EVP_PKEY_decrypt_init(ctx), 1);
        (void)EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING);
        (void)EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256());
        (void)EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256());
        (void)EVP_PKEY_CTX_set0_rsa_oaep_label(
                ctx, OPENSSL_memdup(tries[i], n), (int)n);
        assert_int_equal(
                EVP_PKEY_decrypt(ctx, out, &out_len, sealed, len) == 1, i == 0);
        EVP_PKEY_CTX_free(ctx);
        if (i == 0)
            assert_true(span_eq_str(SPAN(out, out_len), "secret"));
    }
    assert_int_equal(crypto_rsa_oaep(k, CRYPTO_SHA256, label,
                             span_str("secret"), sealed, 255, &len),
            ERR_LIMIT);
}

static void ephemeral_ecdh_agrees_with_the_owner_of_the_key(void **state)
{
    static const struct {
        enum crypto_key_type type;
        const char *curve;
        size_t size;
    } cases[] = {{CRYPTO_P256, "P-256", 32}, {CRYPTO_P384, "P-384", 48}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        EVP_PKEY *own = EVP_PKEY_Q_keygen(NULL, NULL, "EC", cases[i].curve);
        uint8_t x[48], ex[48], ey[48], want[48], *der = NULL;
        size_t size = cases[i].size, len = size;
        int der_len = i2d_PUBKEY(own, &der);
        PUB *k = crypto_pub_from_spki(SPAN(der, (size_t)der_len));

        assert_non_null(k);
        assert_int_equal(crypto_ecdh_ephemeral(k, x, ex, ey, size), 0);
        PUB *eph = crypto_pub_ec(cases[i].type, SPAN(ex, size), SPAN(ey, size));
        assert_non_null(eph);
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(own, NULL);
        assert_int_equal(EVP_PKEY_derive_init(ctx), 1);
        assert_int_equal(EVP_PKEY_derive_set_peer(ctx, eph->pkey), 1);
        assert_int_equal(EVP_PKEY_derive(ctx, want, &len), 1);
        assert_memory_equal(x, want, size);
        assert_int_equal(
                crypto_ecdh_ephemeral(k, x, ex, ey, size - 1), ERR_LIMIT);
        EVP_PKEY_CTX_free(ctx);
        EVP_PKEY_free(own);
        OPENSSL_free(der);
    }
}

static void p521_verifies_what_openssl_signs_and_nothing_else(void **state)
{
    EVP_PKEY *own = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-521");
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    uint8_t sig[160], rs[132], raw[133], *der = NULL;
    size_t len = sizeof(sig), raw_len;
    int der_len = i2d_PUBKEY(own, &der);
    PUB *k = crypto_pub_from_spki(SPAN(der, (size_t)der_len));

    (void)state;
    assert_non_null(k);
    assert_int_equal(crypto_pub_type(k), CRYPTO_P521);
    assert_true(
            span_eq(SPAN(k->spki, k->spki_len), SPAN(der, (size_t)der_len)));
    assert_int_equal(crypto_pub_raw(k, raw, sizeof(raw), &raw_len), 0);
    PUB *again =
            crypto_pub_ec(CRYPTO_P521, SPAN(raw + 1, 66), SPAN(raw + 67, 66));
    assert_true(again && crypto_pub_eq(k, again));
    raw[1] ^= 1;
    assert_null(
            crypto_pub_ec(CRYPTO_P521, SPAN(raw + 1, 66), SPAN(raw + 67, 66)));
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha512(), NULL, own), 1);
    assert_int_equal(
            EVP_DigestSign(ctx, sig, &len, (const uint8_t *)"a", 1), 1);
    assert_int_equal(crypto_ecdsa_from_der(SPAN(sig, len), rs, 66), 0);
    assert_int_equal(crypto_verify(k, CRYPTO_SIG_ECDSA, CRYPTO_SHA512,
                             span_str("a"), SPAN_OF(rs)),
            0);
    assert_int_equal(crypto_verify(k, CRYPTO_SIG_ECDSA, CRYPTO_SHA512,
                             span_str("b"), SPAN_OF(rs)),
            ERR_MISMATCH);
    assert_int_equal(crypto_verify(k, CRYPTO_SIG_ECDSA, CRYPTO_SHA512,
                             span_str("a"), SPAN(rs, 131)),
            ERR_MISMATCH);
    for (size_t i = 0; i < sizeof(rs) * 8; i += 5) {
        rs[i / 8] ^= (uint8_t)(1u << i % 8);
        assert_int_equal(crypto_verify(k, CRYPTO_SIG_ECDSA, CRYPTO_SHA512,
                                 span_str("a"), SPAN_OF(rs)),
                ERR_MISMATCH);
        rs[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(own);
    OPENSSL_free(der);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(published_ed25519),
            cmocka_unit_test(ed25519_any_flipped_bit_is_refused),
            cmocka_unit_test(ed25519_non_canonical_s_is_refused),
            cmocka_unit_test(published_ecdsa),
            cmocka_unit_test(ecdsa_forgeries_are_refused),
            cmocka_unit_test(schemes_do_not_mix),
            cmocka_unit_test(points_off_the_curve_are_no_keys),
            cmocka_unit_test(spki_and_pem_have_one_spelling),
            cmocka_unit_test(foreign_pem_is_refused),
            cmocka_unit_test(generated_keys_sign_and_travel_as_pem),
            cmocka_unit_test(ecdsa_der_is_strict),
            cmocka_unit_test(ecdsa_der_number_over_the_curve_is_refused),
            cmocka_unit_test(rsa_schemes_verify_and_do_not_mix),
            cmocka_unit_test(rsa_spki_is_what_openssl_writes),
            cmocka_unit_test(
                    pss_salt_is_as_long_as_the_digest_where_that_is_asked),
            cmocka_unit_test(rsa_from_modulus_is_the_same_key),
            cmocka_unit_test(oaep_opens_with_its_label_only),
            cmocka_unit_test(ephemeral_ecdh_agrees_with_the_owner_of_the_key),
            cmocka_unit_test(p521_verifies_what_openssl_signs_and_nothing_else),
    };

    return cmocka_run_group_tests(tests, make_rsa, free_rsa);
}
