/* SPDX-License-Identifier: Apache-2.0 */
/* A signer of every algorithm, for tests: OpenSSL by hand. */
#ifndef QAIR_COSE_FIXTURE_H
#define QAIR_COSE_FIXTURE_H

#include "cose.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum cose_fixture_key {
    FIXTURE_P256,
    FIXTURE_P384,
    FIXTURE_P521,
    FIXTURE_ED25519,
    FIXTURE_RSA,
    FIXTURE_KEYS,
};

/* Made once a process; never freed. */
const struct crypto_pub *cose_fixture_pub(enum cose_fixture_key k);
/* Another key of the same kind. */
const struct crypto_pub *cose_fixture_other(enum cose_fixture_key k);
size_t cose_fixture_sign(enum cose_fixture_key k, enum crypto_hash hash,
        struct span data, uint8_t ret[static 512]);

/* COSE_Sign1 from parts that a test spoils at will; all encoded but payload. */
struct cose_fixture_msg {
    struct span protected_header; /* within its byte string */
    struct span unprotected_header;
    struct span payload;
    bool detached, untagged;
    struct span aad;
};
struct span cose_fixture_msg(const struct cose_fixture_msg *m,
        enum cose_fixture_key k, enum crypto_hash hash, uint8_t *ret,
        size_t cap);

#endif
