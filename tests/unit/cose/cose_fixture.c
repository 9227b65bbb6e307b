/* SPDX-License-Identifier: Apache-2.0 */
#include "cose_fixture.h"

#define ERR_STATE OPENSSL_ERR_STATE
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#undef ERR_STATE

static EVP_PKEY *own[FIXTURE_KEYS];
static struct crypto_pub *pub[FIXTURE_KEYS], *other[FIXTURE_KEYS];

static EVP_PKEY *generate(enum cose_fixture_key k)
{
    static const char *const curve[] = {"P-256", "P-384", "P-521"};

    if (k == FIXTURE_ED25519)
        return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    if (k == FIXTURE_RSA)
        return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
    return EVP_PKEY_Q_keygen(NULL, NULL, "EC", curve[k]);
}

static struct crypto_pub *pub_of(EVP_PKEY *pkey)
{
    uint8_t *der = NULL;
    int len = i2d_PUBKEY(pkey, &der);
    struct crypto_pub *k = crypto_pub_from_spki(SPAN(der, (size_t)len));

    OPENSSL_free(der);
    assert_non_null(k);
    return k;
}

static void make(enum cose_fixture_key k)
{
    EVP_PKEY *second;

    if (own[k])
        return;
    own[k] = generate(k);
    assert_non_null(own[k]);
    pub[k] = pub_of(own[k]);
    second = generate(k);
    other[k] = pub_of(second);
    EVP_PKEY_free(second);
}

const struct crypto_pub *cose_fixture_pub(enum cose_fixture_key k)
{
    make(k);
    return pub[k];
}

const struct crypto_pub *cose_fixture_other(enum cose_fixture_key k)
{
    make(k);
    return other[k];
}

static size_t to_fixed(
        enum cose_fixture_key k, const uint8_t *der, size_t len, uint8_t *ret)
{
    static const size_t size[] = {32, 48, 66};

    assert_int_equal(crypto_ecdsa_from_der(SPAN(der, len), ret, size[k]), 0);
    return 2 * size[k];
}

size_t cose_fixture_sign(enum cose_fixture_key k, enum crypto_hash hash,
        struct span data, uint8_t ret[static 512])
{
    const EVP_MD *md = hash == CRYPTO_SHA256   ? EVP_sha256()
                       : hash == CRYPTO_SHA384 ? EVP_sha384()
                                               : EVP_sha512();
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx;
    uint8_t der[512];
    size_t len = sizeof(der);

    make(k);
    assert_int_equal(EVP_DigestSignInit(ctx, &pctx,
                             k == FIXTURE_ED25519 ? NULL : md, NULL, own[k]),
            1);
    if (k == FIXTURE_RSA) {
        (void)EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING);
        (void)EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST);
    }
    assert_int_equal(EVP_DigestSign(ctx, der, &len, data.ptr, data.len), 1);
    EVP_MD_CTX_free(ctx);
    if (k <= FIXTURE_P521)
        return to_fixed(k, der, len, ret);
    memcpy(ret, der, len);
    return len;
}

struct span cose_fixture_msg(const struct cose_fixture_msg *m,
        enum cose_fixture_key k, enum crypto_hash hash, uint8_t *ret,
        size_t cap)
{
    struct buf tbs = BUF_INIT(1u << 20);
    struct wire_writer w = wire_writer_of(ret, cap);
    uint8_t sig[512];
    struct span out;
    size_t len;

    assert_int_equal(cose_sign1_to_be_signed(m->protected_header, m->aad,
                             m->payload, &tbs, NULL),
            0);
    len = cose_fixture_sign(k, hash, buf_span(&tbs), sig);
    buf_fini(&tbs);
    if (!m->untagged)
        cbor_put_tag(&w, COSE_TAG_SIGN1);
    cbor_put_array(&w, 4);
    cbor_put_bytes(&w, m->protected_header);
    if (m->unprotected_header.ptr)
        cbor_put_item(&w, m->unprotected_header);
    else
        cbor_put_map(&w, 0);
    if (m->detached)
        cbor_put_null(&w);
    else
        cbor_put_bytes(&w, m->payload);
    cbor_put_bytes(&w, SPAN(sig, len));
    assert_true(wire_finish(&w, &out));
    return out;
}
