/* SPDX-License-Identifier: Apache-2.0 */
#include "quotes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#define ERR_STATE OPENSSL_ERR_STATE
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#undef ERR_STATE

const struct quotes_scheme quotes_schemes[] = {
        {"P-256 SHA-256", "P-256", 256, 3, TCG_ALG_ECDSA, TCG_ALG_SHA256},
        {"P-256 SHA-384", "P-256", 256, 3, TCG_ALG_ECDSA, TCG_ALG_SHA384},
        {"P-256 SHA-512", "P-256", 256, 3, TCG_ALG_ECDSA, TCG_ALG_SHA512},
        {"P-384 SHA-256", "P-384", 384, 4, TCG_ALG_ECDSA, TCG_ALG_SHA256},
        {"P-384 SHA-384", "P-384", 384, 4, TCG_ALG_ECDSA, TCG_ALG_SHA384},
        {"P-521 SHA-512", "P-521", 521, 5, TCG_ALG_ECDSA, TCG_ALG_SHA512},
        {"RSASSA SHA-256", NULL, 2048, 0, TCG_ALG_RSASSA, TCG_ALG_SHA256},
        {"RSASSA SHA-384", NULL, 2048, 0, TCG_ALG_RSASSA, TCG_ALG_SHA384},
        {"RSASSA SHA-512", NULL, 2048, 0, TCG_ALG_RSASSA, TCG_ALG_SHA512},
        {"RSAPSS SHA-256", NULL, 2048, 0, TCG_ALG_RSAPSS, TCG_ALG_SHA256},
        {"RSAPSS SHA-384", NULL, 2048, 0, TCG_ALG_RSAPSS, TCG_ALG_SHA384},
        {"RSAPSS SHA-512", NULL, 3072, 0, TCG_ALG_RSAPSS, TCG_ALG_SHA512},
};
const size_t quotes_n_schemes = ARRAY_LEN(quotes_schemes);

static const EVP_MD *md_of(uint16_t alg)
{
    return alg == TCG_ALG_SHA1     ? EVP_sha1()
           : alg == TCG_ALG_SHA256 ? EVP_sha256()
           : alg == TCG_ALG_SHA384 ? EVP_sha384()
                                   : EVP_sha512();
}

static void put_bn(
        struct wire_writer *w, EVP_PKEY *k, const char *name, size_t size)
{
    BIGNUM *n = NULL;
    uint8_t bytes[512];

    assert_int_equal(EVP_PKEY_get_bn_param(k, name, &n), 1);
    assert_int_equal(BN_bn2binpad(n, bytes, (int)size), (int)size);
    wire_put_vec16be(w, SPAN(bytes, size));
    BN_free(n);
}

void quotes_public(struct quotes *q, uint32_t attributes, uint16_t name_alg,
        uint16_t scheme, uint16_t hash)
{
    struct wire_writer w = wire_writer_of(q->public + 2, sizeof(q->public) - 2);
    size_t size = (q->scheme->bits + 7) / 8;

    wire_put_u16be(&w, q->scheme->curve ? TCG_ALG_ECC : TCG_ALG_RSA);
    wire_put_u16be(&w, name_alg);
    wire_put_u32be(&w, attributes);
    wire_put_vec16be(&w, SPAN_EMPTY);
    wire_put_u16be(&w, TCG_ALG_NULL);
    wire_put_u16be(&w, scheme);
    if (scheme != TCG_ALG_NULL)
        wire_put_u16be(&w, hash);
    if (q->scheme->curve) {
        wire_put_u16be(&w, q->scheme->curve_id);
        wire_put_u16be(&w, TCG_ALG_NULL);
        put_bn(&w, q->pkey, OSSL_PKEY_PARAM_EC_PUB_X, size);
        put_bn(&w, q->pkey, OSSL_PKEY_PARAM_EC_PUB_Y, size);
    } else {
        wire_put_u16be(&w, (uint16_t)q->scheme->bits);
        wire_put_u32be(&w, 0);
        put_bn(&w, q->pkey, OSSL_PKEY_PARAM_RSA_N, size);
    }
    assert_false(w.overflow);
    q->public[0] = (uint8_t)(w.len >> 8);
    q->public[1] = (uint8_t)w.len;
    q->public_len = 2 + w.len;
}

static void put_ecdsa(struct wire_writer *w, struct span der, size_t size)
{
    uint8_t rs[2 * 66];

    assert_int_equal(crypto_ecdsa_from_der(der, rs, size), 0);
    wire_put_vec16be(w, SPAN(rs, size));
    wire_put_vec16be(w, SPAN(rs + size, size));
}

void quotes_sign(struct quotes *q, uint16_t hash)
{
    struct wire_writer w = wire_writer_of(q->sig, sizeof(q->sig));
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx;
    uint8_t raw[600];
    size_t len = sizeof(raw);

    assert_int_equal(
            EVP_DigestSignInit(ctx, &pctx, md_of(hash), NULL, q->pkey), 1);
    if (q->scheme->alg == TCG_ALG_RSAPSS)
        assert_int_equal(
                EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING), 1);
    assert_int_equal(EVP_DigestSign(ctx, raw, &len, q->msg, q->msg_len), 1);
    wire_put_u16be(&w, q->scheme->alg);
    wire_put_u16be(&w, hash);
    if (q->scheme->curve)
        put_ecdsa(&w, SPAN(raw, len), (q->scheme->bits + 7) / 8);
    else
        wire_put_vec16be(&w, SPAN(raw, len));
    assert_false(w.overflow);
    q->sig_len = w.len;
    EVP_MD_CTX_free(ctx);
}

static void put_attest(struct quotes *q)
{
    struct wire_writer w = wire_writer_of(q->msg, sizeof(q->msg));
    uint8_t digest[64];
    unsigned size = 0;

    assert_int_equal(EVP_Digest(q->values, sizeof(q->values), digest, &size,
                             md_of(q->scheme->hash), NULL),
            1);
    wire_put_u32be(&w, 0xff544347);
    wire_put_u16be(&w, TCG_ATTEST_QUOTE);
    wire_put_vec16be(&w, SPAN("\x00\x0b", 2));
    wire_put_vec16be(&w, SPAN_OF(q->nonce));
    wire_put_u64be(&w, 5000);
    wire_put_u32be(&w, 7);
    wire_put_u32be(&w, 1);
    wire_put_u8(&w, 1);
    wire_put_u64be(&w, 0x20230101);
    wire_put_u32be(&w, 1);
    wire_put_u16be(&w, TCG_ALG_SHA256);
    wire_put_vec8(&w, SPAN("\x91\x00\x00", 3));
    wire_put_vec16be(&w, SPAN(digest, size));
    assert_false(w.overflow);
    q->msg_len = w.len;
}

void quotes_make(struct quotes *q, const struct quotes_scheme *s)
{
    *q = (struct quotes){.scheme = s};
    q->pkey = s->curve ? EVP_EC_gen(s->curve) : EVP_RSA_gen(s->bits);
    assert_non_null(q->pkey);
    for (size_t i = 0; i < 3; i++)
        memset(q->values[i], (int)(i + 1), 32);
    memset(q->nonce, 0x5a, sizeof(q->nonce));
    put_attest(q);
    quotes_public(q, QUOTES_AK_ATTRIBUTES, TCG_ALG_SHA256, s->alg, s->hash);
    quotes_sign(q, s->hash);
}

void quotes_fini(struct quotes *q)
{
    EVP_PKEY_free(q->pkey);
}

void quotes_want(const struct quotes *q, struct tcg_quote_want *ret,
        struct tcg_claim claims[static 3])
{
    static const unsigned pcrs[] = {0, 4, 7};

    for (size_t i = 0; i < 3; i++)
        claims[i] = (struct tcg_claim){
                TCG_ALG_SHA256, pcrs[i], SPAN(q->values[i], 32)};
    *ret = (struct tcg_quote_want){
            .nonce = SPAN_OF(q->nonce),
            .required = {.n = 1, .bank = {{TCG_ALG_SHA256, 0x91}}},
            .any_ak = true,
            .claims = claims,
            .n_claims = 3,
    };
}
