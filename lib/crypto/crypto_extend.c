/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The extend of a PCR.  A log of a million events is as many hashes of 40 to
 * 128 bytes, and EVP's start and end cost more than hashing those: the block
 * functions underneath save a third.  OpenSSL 3 calls them deprecated and
 * keeps them; nothing else here uses them.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto_private.h"

#include <openssl/sha.h>
#include <stdlib.h>

static bool extend_sha1(uint8_t *value, const uint8_t *digest)
{
    SHA_CTX c;

    return SHA1_Init(&c) && SHA1_Update(&c, value, 20) &&
           SHA1_Update(&c, digest, 20) && SHA1_Final(value, &c);
}

static bool extend_sha256(uint8_t *value, const uint8_t *digest)
{
    SHA256_CTX c;

    return SHA256_Init(&c) && SHA256_Update(&c, value, CRYPTO_SHA256_SIZE) &&
           SHA256_Update(&c, digest, CRYPTO_SHA256_SIZE) &&
           SHA256_Final(value, &c);
}

static bool extend_sha384(uint8_t *value, const uint8_t *digest)
{
    SHA512_CTX c;

    return SHA384_Init(&c) && SHA384_Update(&c, value, CRYPTO_SHA384_SIZE) &&
           SHA384_Update(&c, digest, CRYPTO_SHA384_SIZE) &&
           SHA384_Final(value, &c);
}

static bool extend_sha512(uint8_t *value, const uint8_t *digest)
{
    SHA512_CTX c;

    return SHA512_Init(&c) && SHA512_Update(&c, value, CRYPTO_SHA512_SIZE) &&
           SHA512_Update(&c, digest, CRYPTO_SHA512_SIZE) &&
           SHA512_Final(value, &c);
}

void crypto_extend(enum crypto_hash alg, uint8_t *value, const uint8_t *digest)
{
    static bool (*const extends[])(uint8_t *, const uint8_t *) = {
            [CRYPTO_SHA1] = extend_sha1,
            [CRYPTO_SHA256] = extend_sha256,
            [CRYPTO_SHA384] = extend_sha384,
            [CRYPTO_SHA512] = extend_sha512,
    };

    if (alg >= ARRAY_LEN(extends) || !extends[alg](value, digest))
        abort();
}
