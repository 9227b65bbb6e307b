/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the room: what the files of lib/crypto share. */
#ifndef QAIR_CRYPTO_PRIVATE_H
#define QAIR_CRYPTO_PRIVATE_H

/* OpenSSL has an opaque type of this name, and base an error code. */
#define ERR_STATE OPENSSL_ERR_STATE
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#undef ERR_STATE

#include "crypto.h"

/*
 * The SPKI is kept beside the key: comparing, printing and hashing a key are
 * then plain copies, and two keys are equal when these bytes are.
 */
struct crypto_pub {
    enum crypto_key_type type;
    unsigned bits;
    EVP_PKEY *pkey;
    size_t spki_len;
    uint8_t spki[CRYPTO_SPKI_MAX];
};

struct crypto_key {
    EVP_PKEY *pkey;
    struct crypto_pub *pub;
};

/* The longest public key of fixed length: a point of P-521. */
#define CRYPTO_RAW_MAX 133

/* Fetched once; aborts when OpenSSL lacks it. */
const EVP_MD *crypto_hash_md(enum crypto_hash alg);
/*
 * Empties OpenSSL's error queue and returns code: a stale entry there would
 * be taken by libssl for a failure of the connection.
 */
int crypto_fail(int code);
/* The public half of a private key of a type that signs. */
struct crypto_pub *crypto_pub_of_key(
        enum crypto_key_type type, const EVP_PKEY *pkey) MUST_CHECK;
/* Name of an elliptic curve, and bytes of a coordinate; NULL for others. */
const char *crypto_pub_curve(enum crypto_key_type type, size_t *ret_size);

int crypto_pem_format(const char *label, struct span der, char *ret, size_t cap)
        MUST_CHECK;

#endif
