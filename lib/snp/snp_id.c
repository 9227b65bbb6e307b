/* SPDX-License-Identifier: Apache-2.0 */
/* ID block and its authentication: SEV-SNP ABI, 8.18 (SNP_LAUNCH_FINISH). */
#include "snp_private.h"

#define SIG_SIZE  512
#define CURVE_384 2

int snp_id_block_parse(
        struct span bytes, struct snp_id_block *ret, struct err *err)
{
    struct wire_reader r = wire_reader_of(bytes);
    struct snp_id_block b;

    if (bytes.len != SNP_ID_BLOCK_SIZE ||
            !wire_get_span(&r, SNP_DIGEST, &b.launch_digest) ||
            !wire_get_span(&r, 16, &b.family_id) ||
            !wire_get_span(&r, 16, &b.image_id) ||
            !wire_get_u32le(&r, &b.version) ||
            !wire_get_u32le(&r, &b.guest_svn) ||
            !wire_get_u64le(&r, &b.policy) || !wire_end(&r))
        return err_set(err, ERR_SYNTAX, "ID block: %zu bytes, not %d",
                bytes.len, SNP_ID_BLOCK_SIZE);
    if (b.version != 1)
        return err_set(err, ERR_UNSUPPORTED, "ID block: version %u", b.version);
    *ret = b;
    return 0;
}

struct auth {
    uint32_t id_algo, author_algo;
    struct span id_sig, id_key, author_sig, author_key;
};

static int get_auth(struct span bytes, struct auth *ret, struct err *err)
{
    struct wire_reader r = wire_reader_of(bytes);
    struct span pad[3];
    struct auth a = {0};

    if (bytes.len != SNP_ID_AUTH_SIZE || !wire_get_u32le(&r, &a.id_algo) ||
            !wire_get_u32le(&r, &a.author_algo) ||
            !wire_get_span(&r, 56, &pad[0]) ||
            !wire_get_span(&r, SIG_SIZE, &a.id_sig) ||
            !wire_get_span(&r, SNP_ID_KEY_SIZE, &a.id_key) ||
            !wire_get_span(&r, 60, &pad[1]) ||
            !wire_get_span(&r, SIG_SIZE, &a.author_sig) ||
            !wire_get_span(&r, SNP_ID_KEY_SIZE, &a.author_key) ||
            !wire_get_span(&r, r.left, &pad[2]))
        return err_set(err, ERR_SYNTAX, "ID authentication: %zu bytes, not %d",
                bytes.len, SNP_ID_AUTH_SIZE);
    for (size_t i = 0; i < ARRAY_LEN(pad); i++) {
        if (!snp_is_zero(pad[i]))
            return err_set(err, ERR_SYNTAX,
                    "ID authentication: reserved bytes are not zero");
    }
    *ret = a;
    return 0;
}

/* {curve, x, y, reserved}; NULL when it is not a key on P-384. */
static struct crypto_pub *get_key(struct span bytes)
{
    struct wire_reader r = wire_reader_of(bytes);
    uint8_t x[48], y[48];
    struct span le_x, le_y;
    uint32_t curve;

    if (!wire_get_u32le(&r, &curve) || curve != CURVE_384 ||
            !wire_get_span(&r, 72, &le_x) || !wire_get_span(&r, 72, &le_y) ||
            !snp_is_zero(SPAN(r.ptr, r.left)) || !snp_be48(le_x, x) ||
            !snp_be48(le_y, y))
        return NULL;
    return crypto_pub_ec(CRYPTO_P384, SPAN_OF(x), SPAN_OF(y));
}

static bool is_signed(struct span data, struct span key, struct span sig)
{
    CLEANUP(crypto_pub_free_ptr) struct crypto_pub *pub = get_key(key);
    uint8_t rs[96];

    return pub && snp_be48(SPAN(sig.ptr, 72), rs) &&
           snp_be48(SPAN(sig.ptr + 72, 72), rs + 48) &&
           snp_is_zero(SPAN(sig.ptr + 144, SIG_SIZE - 144)) &&
           crypto_verify(pub, CRYPTO_SIG_ECDSA, CRYPTO_SHA384, data,
                   SPAN_OF(rs)) == 0;
}

int snp_id_verify(struct span block, struct span auth, struct snp_id_auth *ret,
        struct err *err)
{
    struct snp_id_auth v = {0};
    struct snp_id_block b;
    struct auth a = {0};
    int rc = snp_id_block_parse(block, &b, err);

    if (rc == 0)
        rc = get_auth(auth, &a, err);
    if (rc)
        return rc;
    /* An author is optional; without one its fields are empty. */
    v.has_author = !snp_is_zero(a.author_key) || !snp_is_zero(a.author_sig) ||
                   a.author_algo != 0;
    if (a.id_algo != 1 || (v.has_author && a.author_algo != 1))
        return err_set(err, ERR_UNSUPPORTED,
                "ID authentication: not ECDSA P-384 with SHA-384");
    if (!is_signed(block, a.id_key, a.id_sig))
        return err_set(err, ERR_MISMATCH,
                "ID block: not signed by the ID key beside it");
    if (v.has_author && !is_signed(a.id_key, a.author_key, a.author_sig))
        return err_set(err, ERR_MISMATCH,
                "ID key: not signed by the author key beside it");
    crypto_hash(CRYPTO_SHA384, a.id_key, v.id_key_digest);
    if (v.has_author)
        crypto_hash(CRYPTO_SHA384, a.author_key, v.author_key_digest);
    *ret = v;
    return 0;
}

int snp_id_check(const struct snp_report *r, const struct snp_id_block *block,
        const struct snp_id_auth *auth, struct err *err)
{
    const struct {
        const char *what;
        struct span report, id;
    } pairs[] = {
            {"launch digest", r->measurement, block->launch_digest},
            {"family id", r->family_id, block->family_id},
            {"image id", r->image_id, block->image_id},
            {"ID key", r->id_key_digest, SPAN_OF(auth->id_key_digest)},
            {"author key", r->author_key_digest,
                    SPAN_OF(auth->author_key_digest)},
    };

    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        if (!span_eq_ct(pairs[i].report, pairs[i].id))
            return err_set(err, ERR_MISMATCH,
                    "SNP report: another %s than the ID block's",
                    pairs[i].what);
    }
    if (r->guest_svn != block->guest_svn || r->policy != block->policy ||
            r->author_key_en != auth->has_author)
        return err_set(err, ERR_MISMATCH,
                "SNP report: another GUEST_SVN, POLICY or author than the ID "
                "block's");
    return 0;
}
