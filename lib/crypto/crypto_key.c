/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto_private.h"

#include <stdlib.h>

/* PKCS#8 of a P-256 key with its public point is 138 bytes. */
#define PKCS8_MAX 512

/* Takes pkey over. */
static struct crypto_key *key_of(enum crypto_key_type type, EVP_PKEY *pkey)
{
    struct crypto_key *k = pkey ? calloc(1, sizeof(*k)) : NULL;

    if (k) {
        k->pkey = TAKE_PTR(pkey);
        k->pub = crypto_pub_of_key(type, k->pkey);
        if (!k->pub) {
            crypto_key_free(k);
            k = NULL;
        }
    }
    EVP_PKEY_free(pkey);
    (void)crypto_fail(0);
    return k;
}

struct crypto_key *crypto_key_ed25519(const uint8_t seed[static 32])
{
    return key_of(CRYPTO_ED25519,
            EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, 32));
}

struct crypto_key *crypto_key_generate(enum crypto_key_type type)
{
    const char *curve;
    size_t size;

    if (type == CRYPTO_ED25519)
        return key_of(type, EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"));
    if (type != CRYPTO_P256 || !(curve = crypto_pub_curve(type, &size)))
        return NULL;
    return key_of(type, EVP_PKEY_Q_keygen(NULL, NULL, "EC", curve));
}

static EVP_PKEY *pkey_from_pkcs8(struct span der)
{
    const uint8_t *p = der.ptr;
    PKCS8_PRIV_KEY_INFO *info =
            d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, (long)der.len);
    EVP_PKEY *pkey =
            info && p == der.ptr + der.len ? EVP_PKCS82PKEY(info) : NULL;

    PKCS8_PRIV_KEY_INFO_free(info);
    return pkey;
}

/* The public point in a P-256 file must belong to the private number. */
static bool is_pair(EVP_PKEY *pkey)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    bool good = ctx && EVP_PKEY_pairwise_check(ctx) == 1;

    EVP_PKEY_CTX_free(ctx);
    return good;
}

struct crypto_key *crypto_key_from_private_pem(struct span pem)
{
    uint8_t der[PKCS8_MAX];
    char group[32] = "";
    size_t len;
    EVP_PKEY *pkey;

    if (crypto_pem_next(&pem, "PRIVATE KEY", der, sizeof(der), &len) ||
            text_trim(pem).len > 0)
        return NULL;
    pkey = pkey_from_pkcs8(SPAN(der, len));
    secret_wipe(der, sizeof(der));
    if (pkey && EVP_PKEY_is_a(pkey, "ED25519"))
        return key_of(CRYPTO_ED25519, pkey);
    if (pkey && EVP_PKEY_is_a(pkey, "EC") &&
            EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_GROUP_NAME,
                    group, sizeof(group), NULL) == 1 &&
            strcmp(group, "prime256v1") == 0 && is_pair(pkey))
        return key_of(CRYPTO_P256, pkey);
    EVP_PKEY_free(pkey);
    (void)crypto_fail(0);
    return NULL;
}

int crypto_key_private_pem(const struct crypto_key *k, char *ret, size_t cap)
{
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(k->pkey);
    uint8_t *der = NULL;
    int len = info ? i2d_PKCS8_PRIV_KEY_INFO(info, &der) : 0, rc = ERR_CRYPTO;

    if (len > 0)
        rc = crypto_pem_format("PRIVATE KEY", SPAN(der, (size_t)len), ret, cap);
    OPENSSL_clear_free(der, len > 0 ? (size_t)len : 0);
    PKCS8_PRIV_KEY_INFO_free(info);
    return crypto_fail(rc);
}

void crypto_key_free(struct crypto_key *k)
{
    if (!k)
        return;
    EVP_PKEY_free(k->pkey); /* OpenSSL clears private parts */
    crypto_pub_free(k->pub);
    free(k);
}

void crypto_key_free_ptr(struct crypto_key **k)
{
    crypto_key_free(*k);
}

const struct crypto_pub *crypto_key_pub(const struct crypto_key *k)
{
    return k->pub;
}

static int sign_ed25519(const struct crypto_key *k, struct span data,
        uint8_t ret[static CRYPTO_SIGNATURE_SIZE])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t len = CRYPTO_SIGNATURE_SIZE;
    bool good =
            ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, k->pkey) == 1 &&
            EVP_DigestSign(ctx, ret, &len,
                    data.len ? data.ptr : (const uint8_t *)"", data.len) == 1;

    EVP_MD_CTX_free(ctx);
    return good && len == CRYPTO_SIGNATURE_SIZE ? 0 : crypto_fail(ERR_CRYPTO);
}

int crypto_sign(const struct crypto_key *k, struct span data,
        uint8_t ret[static CRYPTO_SIGNATURE_SIZE])
{
    uint8_t digest[CRYPTO_SHA256_SIZE];

    if (k->pub->type == CRYPTO_ED25519)
        return sign_ed25519(k, data, ret);
    crypto_sha256(data, digest);
    return crypto_sign_digest(k, digest, ret);
}

int crypto_sign_digest(const struct crypto_key *k,
        const uint8_t digest[static 32],
        uint8_t ret[static CRYPTO_SIGNATURE_SIZE])
{
    uint8_t der[80];
    size_t len = sizeof(der);
    EVP_PKEY_CTX *ctx;
    bool good;

    if (k->pub->type != CRYPTO_P256)
        return ERR_UNSUPPORTED;
    ctx = EVP_PKEY_CTX_new_from_pkey(NULL, k->pkey, NULL);
    good = ctx && EVP_PKEY_sign_init(ctx) == 1 &&
           EVP_PKEY_sign(ctx, der, &len, digest, 32) == 1;
    EVP_PKEY_CTX_free(ctx);
    if (!good)
        return crypto_fail(ERR_CRYPTO);
    return crypto_ecdsa_from_der(
            SPAN(der, len), ret, CRYPTO_SIGNATURE_SIZE / 2);
}

static bool derive(EVP_PKEY *own, EVP_PKEY *peer, uint8_t *ret, size_t size)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, own, NULL);
    size_t len = size;
    bool good = ctx && EVP_PKEY_derive_init(ctx) == 1 &&
                EVP_PKEY_derive_set_peer(ctx, peer) == 1 &&
                EVP_PKEY_derive(ctx, ret, &len) == 1 && len == size;

    EVP_PKEY_CTX_free(ctx);
    return good;
}

int crypto_ecdh_ephemeral(const struct crypto_pub *k, uint8_t *ret_x,
        uint8_t *ret_eph_x, uint8_t *ret_eph_y, size_t size)
{
    uint8_t point[CRYPTO_RAW_MAX];
    size_t want = 0, len = 0;
    const char *curve = crypto_pub_curve(k->type, &want);
    EVP_PKEY *eph;
    bool good;

    if (!curve)
        return ERR_UNSUPPORTED;
    if (size != want)
        return ERR_LIMIT;
    eph = EVP_PKEY_Q_keygen(NULL, NULL, "EC", curve);
    good = eph &&
           EVP_PKEY_get_octet_string_param(eph, OSSL_PKEY_PARAM_PUB_KEY, point,
                   sizeof(point), &len) == 1 &&
           len == 1 + 2 * size && derive(eph, k->pkey, ret_x, size);
    EVP_PKEY_free(eph);
    if (!good)
        return crypto_fail(ERR_CRYPTO);
    memcpy(ret_eph_x, point + 1, size);
    memcpy(ret_eph_y, point + 1 + size, size);
    return 0;
}

void *crypto_key_native(const struct crypto_key *k)
{
    return k->pkey;
}
