/* SPDX-License-Identifier: Apache-2.0 */
#include "cose_private.h"

static const struct cose_alg_row algs[] = {
        {COSE_ES256, "ES256", CRYPTO_P256, CRYPTO_SIG_ECDSA, CRYPTO_SHA256},
        {COSE_ESP256, "ESP256", CRYPTO_P256, CRYPTO_SIG_ECDSA, CRYPTO_SHA256},
        {COSE_ES384, "ES384", CRYPTO_P384, CRYPTO_SIG_ECDSA, CRYPTO_SHA384},
        {COSE_ESP384, "ESP384", CRYPTO_P384, CRYPTO_SIG_ECDSA, CRYPTO_SHA384},
        {COSE_ES512, "ES512", CRYPTO_P521, CRYPTO_SIG_ECDSA, CRYPTO_SHA512},
        {COSE_ESP512, "ESP512", CRYPTO_P521, CRYPTO_SIG_ECDSA, CRYPTO_SHA512},
        {COSE_EDDSA, "EdDSA", CRYPTO_ED25519, CRYPTO_SIG_ED25519,
                CRYPTO_SHA512},
        {COSE_ED25519, "Ed25519", CRYPTO_ED25519, CRYPTO_SIG_ED25519,
                CRYPTO_SHA512},
        {COSE_PS256, "PS256", CRYPTO_RSA, CRYPTO_SIG_RSAPSS_DIGEST,
                CRYPTO_SHA256},
        {COSE_PS384, "PS384", CRYPTO_RSA, CRYPTO_SIG_RSAPSS_DIGEST,
                CRYPTO_SHA384},
        {COSE_PS512, "PS512", CRYPTO_RSA, CRYPTO_SIG_RSAPSS_DIGEST,
                CRYPTO_SHA512},
};

const struct cose_alg_row *cose_alg_find(int64_t alg)
{
    for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
        if (algs[i].alg == alg)
            return &algs[i];
    }
    return NULL;
}

const char *cose_alg_name(int64_t alg)
{
    const struct cose_alg_row *row = cose_alg_find(alg);

    return row ? row->name : NULL;
}

/* Heads of what stands between the strings. */
#define TBS_HEADS 64

int cose_sign1_to_be_signed(struct span protected_header,
        struct span external_aad, struct span payload, struct buf *ret,
        struct err *err)
{
    size_t room =
            TBS_HEADS + protected_header.len + external_aad.len + payload.len;
    uint8_t *p = buf_reserve(ret, room);
    struct wire_writer w;

    if (!p)
        return buf_ok(ret, err);
    w = wire_writer_of(p, room);
    cbor_put_array(&w, 4);
    cbor_put_str(&w, "Signature1");
    cbor_put_bytes(&w, protected_header);
    cbor_put_bytes(&w, external_aad);
    cbor_put_bytes(&w, payload);
    buf_commit(ret, w.len);
    return 0;
}

static int check_alg(const struct cose_sign1 *m, const struct crypto_pub *k,
        const struct cose_alg_row **ret, struct err *err)
{
    const struct cose_alg_row *row = cose_alg_find(m->alg);

    if (!row)
        return err_set(err, ERR_UNSUPPORTED,
                "COSE: algorithm %lld is not one of ours", (long long)m->alg);
    if (row->key != crypto_pub_type(k))
        return err_set(err, ERR_MISMATCH,
                "COSE: %s is not an algorithm of this key", row->name);
    *ret = row;
    return 0;
}

int cose_sign1_verify(const struct cose_sign1 *m, const struct crypto_pub *k,
        struct span external_aad, const struct span *payload, struct err *err)
{
    struct buf tbs = BUF_INIT(CBOR_BYTES_MAX + COSE_OVERHEAD_MAX);
    const struct cose_alg_row *row = NULL;
    int rc;

    if (m->detached != (payload != NULL))
        return err_set(err, ERR_STATE,
                m->detached ? "COSE: the payload is detached and not given"
                            : "COSE: a payload within and one given");
    rc = check_alg(m, k, &row, err);
    if (rc)
        return rc;
    rc = cose_sign1_to_be_signed(m->protected_header, external_aad,
            payload ? *payload : m->payload, &tbs, err);
    if (rc == 0 && crypto_verify(k, row->scheme, row->hash, buf_span(&tbs),
                           m->signature))
        rc = err_set(err, ERR_MISMATCH,
                "COSE: the %s signature is not of this key over this message",
                row->name);
    buf_fini(&tbs);
    return rc;
}

/* Deterministic order: 1, 3, 4. */
static bool put_protected(const struct cose_write *m, enum cose_alg alg,
        struct wire_writer *w, struct span *ret)
{
    cbor_put_map(w, 1u + (m->content_type != NULL) + (m->kid.ptr != NULL));
    cbor_put_int(w, COSE_ALG);
    cbor_put_int(w, alg);
    if (m->content_type) {
        cbor_put_int(w, COSE_CONTENT_TYPE);
        cbor_put_str(w, m->content_type);
    }
    if (m->kid.ptr) {
        cbor_put_int(w, COSE_KID);
        cbor_put_bytes(w, m->kid);
    }
    return cbor_finish(w, ret);
}

static int put_message(const struct cose_write *m, struct span header,
        struct span sig, struct buf *ret, struct err *err)
{
    size_t room = TBS_HEADS + header.len + m->payload.len + sig.len;
    uint8_t *p = buf_reserve(ret, room);
    struct wire_writer w;

    if (!p)
        return buf_ok(ret, err);
    w = wire_writer_of(p, room);
    cbor_put_tag(&w, COSE_TAG_SIGN1);
    cbor_put_array(&w, 4);
    cbor_put_bytes(&w, header);
    cbor_put_map(&w, 0);
    if (m->detached)
        cbor_put_null(&w);
    else
        cbor_put_bytes(&w, m->payload);
    cbor_put_bytes(&w, sig);
    buf_commit(ret, w.len);
    return 0;
}

int cose_sign1_write(const struct cose_write *m, const struct crypto_key *k,
        struct buf *ret, struct err *err)
{
    bool ed = crypto_pub_type(crypto_key_pub(k)) == CRYPTO_ED25519;
    struct buf tbs = BUF_INIT(CBOR_BYTES_MAX + COSE_OVERHEAD_MAX);
    uint8_t header_buf[512], sig[CRYPTO_SIGNATURE_SIZE];
    struct wire_writer w = wire_writer_of(header_buf, sizeof(header_buf));
    struct span header;
    int rc;

    if (!put_protected(m, ed ? COSE_EDDSA : COSE_ES256, &w, &header))
        return err_set(err, ERR_LIMIT, "COSE: the header is too large");
    rc = cose_sign1_to_be_signed(
            header, m->external_aad, m->payload, &tbs, err);
    if (rc == 0 && crypto_sign(k, buf_span(&tbs), sig))
        rc = err_set(err, ERR_CRYPTO, "COSE: this key does not sign");
    buf_fini(&tbs);
    return rc ? rc : put_message(m, header, SPAN_OF(sig), ret, err);
}
