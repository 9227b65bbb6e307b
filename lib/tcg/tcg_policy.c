/* SPDX-License-Identifier: Apache-2.0 */
/* Digests of authorisation policies (TPM 2.0 Part 3, 23). */
#include "tcg_private.h"

#define CC_POLICY_AUTHORIZE 0x0000016au
#define CC_POLICY_PCR       0x0000017fu
#define REF_PREFIX          "qair-state-1"

int tcg_policy_pcr(const struct tcg_selection *s,
        const uint8_t pcr_digest[static CRYPTO_SHA256_SIZE],
        uint8_t ret[static CRYPTO_SHA256_SIZE])
{
    static const uint8_t start[CRYPTO_SHA256_SIZE];
    uint8_t buf[128];
    struct wire_writer w = wire_writer_of(buf, sizeof(buf));
    struct span all;

    wire_put_bytes(&w, start, sizeof(start));
    wire_put_u32be(&w, CC_POLICY_PCR);
    tcg_put_selection(&w, s);
    wire_put_bytes(&w, pcr_digest, CRYPTO_SHA256_SIZE);
    if (!wire_finish(&w, &all))
        return ERR_LIMIT;
    crypto_sha256(all, ret);
    return 0;
}

int tcg_policy_authorize_name(const struct tcg_name *signer,
        struct span policy_ref, uint8_t ret[static CRYPTO_SHA256_SIZE])
{
    static const uint8_t start[CRYPTO_SHA256_SIZE];
    uint8_t buf[CRYPTO_SHA256_SIZE + 4 + TCG_NAME_MAX];
    uint8_t first[CRYPTO_SHA256_SIZE];
    struct wire_writer w = wire_writer_of(buf, sizeof(buf));
    struct span all;

    wire_put_bytes(&w, start, sizeof(start));
    wire_put_u32be(&w, CC_POLICY_AUTHORIZE);
    wire_put_bytes(&w, signer->bytes, signer->len);
    if (!wire_finish(&w, &all))
        return ERR_LIMIT;
    crypto_sha256(all, first);
    crypto_sha256_two(SPAN_OF(first), policy_ref, ret);
    return 0;
}

int tcg_policy_authorize(const struct crypto_pub *signer,
        struct span policy_ref, uint8_t ret[static CRYPTO_SHA256_SIZE])
{
    uint8_t bytes[TCG_SIGNER_MAX];
    struct tcg_public p;
    struct tcg_name name;
    size_t len;
    int r = tcg_signer_public(signer, bytes, sizeof(bytes), &len);

    if (r == 0)
        r = tcg_public(SPAN(bytes, len), &p, NULL);
    if (r == 0)
        r = tcg_name(&p, &name);
    return r == 0 ? tcg_policy_authorize_name(&name, policy_ref, ret) : r;
}

void tcg_policy_ahash(const uint8_t approved[static CRYPTO_SHA256_SIZE],
        struct span policy_ref, uint8_t ret[static CRYPTO_SHA256_SIZE])
{
    crypto_sha256_two(SPAN(approved, CRYPTO_SHA256_SIZE), policy_ref, ret);
}

void tcg_policy_ref(struct span zone, uint8_t ret[static CRYPTO_SHA256_SIZE])
{
    crypto_sha256_two(span_str(REF_PREFIX), zone, ret);
}
