/* SPDX-License-Identifier: Apache-2.0 */
/* A kind for the test of the program itself: SHA-256 of a file. */
#include "crypto.h"
#include "vectors.h"

#include <stdlib.h>

static const char *const known[] = {"sha256", "size", "empty", NULL};

static void judge(struct vectors_case *c)
{
    struct span data = vectors_load(c, vectors_file(c, "data"));
    uint8_t digest[CRYPTO_SHA256_SIZE];

    if (vectors_text(c->json, "abort"))
        abort();
    crypto_sha256(data, digest);
    vectors_known(c, c->expect, known);
    vectors_is_hex(c, c->expect, "sha256", SPAN_OF(digest));
    vectors_is_u64(c, c->expect, "size", data.len);
    vectors_is_bool(c, c->expect, "empty", data.len == 0);
}

const struct vectors_kind vectors_selftest[] = {
        {.name = "selftest-sha256", .judge = judge},
        {0},
};
