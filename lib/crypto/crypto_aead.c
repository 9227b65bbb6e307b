/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto_private.h"

#include <limits.h>
#include <stdlib.h>

#define CTX CLEANUP(ctx_free_ptr) EVP_CIPHER_CTX

static void ctx_free_ptr(EVP_CIPHER_CTX **ctx)
{
    EVP_CIPHER_CTX_free(*ctx);
}

/* OpenSSL counts in int, and wants a pointer even for nothing. */
static bool fits(struct span s)
{
    return s.len <= INT_MAX / 2;
}

static const uint8_t *bytes_of(struct span s)
{
    return s.len ? s.ptr : (const uint8_t *)"";
}

int crypto_aead_seal(const uint8_t key[static CRYPTO_AEAD_KEY],
        const uint8_t nonce[static CRYPTO_AEAD_NONCE], struct span aad,
        struct span plain, uint8_t *ret)
{
    CTX *ctx = EVP_CIPHER_CTX_new();
    int n = 0, last = 0;

    if (!fits(aad) || !fits(plain))
        return ERR_LIMIT;
    if (!ctx)
        return ERR_MEMORY;
    if (EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce) != 1 ||
            EVP_EncryptUpdate(ctx, NULL, &n, bytes_of(aad), (int)aad.len) !=
                    1 ||
            EVP_EncryptUpdate(ctx, ret, &n, bytes_of(plain), (int)plain.len) !=
                    1 ||
            EVP_EncryptFinal_ex(ctx, ret + n, &last) != 1 ||
            EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, CRYPTO_AEAD_TAG,
                    ret + plain.len) != 1)
        return crypto_fail(ERR_CRYPTO);
    return 0;
}

int crypto_aead_open(const uint8_t key[static CRYPTO_AEAD_KEY],
        const uint8_t nonce[static CRYPTO_AEAD_NONCE], struct span aad,
        struct span sealed, uint8_t *ret)
{
    CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t tag[CRYPTO_AEAD_TAG];
    size_t len = sealed.len - CRYPTO_AEAD_TAG;
    uint8_t *plain;
    int n = 0, rc = 0;

    if (!fits(aad) || !fits(sealed))
        return ERR_LIMIT;
    if (sealed.len < CRYPTO_AEAD_TAG)
        return ERR_MISMATCH;
    /* GCM writes before it knows; the caller must not see that. */
    plain = malloc(len + 1);
    if (!ctx || !plain) {
        free(plain);
        return ERR_MEMORY;
    }
    memcpy(tag, sealed.ptr + len, sizeof(tag));
    if (EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce) != 1 ||
            EVP_DecryptUpdate(ctx, NULL, &n, bytes_of(aad), (int)aad.len) !=
                    1 ||
            EVP_DecryptUpdate(ctx, plain, &n, sealed.ptr, (int)len) != 1 ||
            EVP_CIPHER_CTX_ctrl(
                    ctx, EVP_CTRL_AEAD_SET_TAG, CRYPTO_AEAD_TAG, tag) != 1 ||
            EVP_DecryptFinal_ex(ctx, plain + n, &n) != 1)
        rc = crypto_fail(ERR_MISMATCH);
    else
        memcpy(ret, plain, len);
    secret_wipe(plain, len);
    free(plain);
    return rc;
}

int crypto_aes_cfb_encrypt(struct span key, struct span plain, uint8_t *ret)
{
    static const uint8_t zero_iv[16];
    CTX *ctx = EVP_CIPHER_CTX_new();
    const EVP_CIPHER *cipher = key.len == 16   ? EVP_aes_128_cfb128()
                               : key.len == 32 ? EVP_aes_256_cfb128()
                                               : NULL;
    int n = 0;

    if (!cipher)
        return ERR_UNSUPPORTED;
    if (!fits(plain))
        return ERR_LIMIT;
    if (!ctx)
        return ERR_MEMORY;
    if (EVP_EncryptInit_ex(ctx, cipher, NULL, key.ptr, zero_iv) != 1 ||
            EVP_EncryptUpdate(ctx, ret, &n, bytes_of(plain), (int)plain.len) !=
                    1 ||
            EVP_EncryptFinal_ex(ctx, ret + n, &n) != 1)
        return crypto_fail(ERR_CRYPTO);
    return 0;
}
