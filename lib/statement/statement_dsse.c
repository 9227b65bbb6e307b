/* SPDX-License-Identifier: Apache-2.0 */
/* DSSE v1: secure-systems-lab/dsse, protocol.md and envelope.md. */
#include "statement.h"

#include <stdlib.h>

int statement_dsse_pae(
        const char *type, struct span payload, struct buf *ret, struct err *err)
{
    buf_printf(ret, "DSSEv1 %zu %s %zu ", strlen(type), type, payload.len);
    buf_append(ret, payload);
    return buf_ok(ret, err);
}

int statement_dsse_format(const char *type, struct span payload,
        const char *keyid, struct span sig, struct buf *ret, struct err *err)
{
    CLEANUP(statement_json_free_ptr)
    struct json_t *env = statement_json_object();
    struct json_t *sigs, *entry;

    if (strlen(keyid) > STATEMENT_KEYID_MAX || sig.len > STATEMENT_SIG_MAX)
        return err_set(err, ERR_LIMIT, "DSSE: key id or signature too long");
    if (env == NULL || !statement_put_b64(env, "payload", payload) ||
            !statement_put_str(env, "payloadType", type) ||
            (sigs = statement_put_array(env, "signatures")) == NULL ||
            (entry = statement_add_object(sigs)) == NULL ||
            !statement_put_str(entry, "keyid", keyid) ||
            !statement_put_b64(entry, "sig", sig))
        return err_set(err, ERR_SYNTAX, "DSSE: cannot be written");
    return statement_json_format(env, ret, err);
}

int statement_dsse_sign(const char *type, struct span payload,
        const char *keyid, const struct crypto_key *key, struct buf *ret,
        struct err *err)
{
    CLEANUP(buf_fini) struct buf pae = BUF_INIT(payload.len + 128);
    uint8_t sig[CRYPTO_SIGNATURE_SIZE];
    int r;

    r = statement_dsse_pae(type, payload, &pae, err);
    if (r < 0)
        return r;
    r = crypto_sign(key, buf_span(&pae), sig);
    if (r < 0)
        return err_set(err, r, "DSSE: signing failed");
    return statement_dsse_format(type, payload, keyid, SPAN_OF(sig), ret, err);
}

/* Foreign producers write either alphabet. */
static bool dsse_b64(struct statement_reader *r, const char *key, uint8_t *ret,
        size_t cap, size_t *ret_len)
{
    struct span text;

    return statement_get_text(r, key, LIMIT_LOG_ENTRY_MAX * 2, &text) &&
           text_parse_b64_any(text, ret, cap, ret_len);
}

static int dsse_parse_payload(
        struct statement_reader *r, struct buf *ret, struct err *err)
{
    struct span text;
    uint8_t *room;
    size_t len;

    if (!statement_get_text(r, "payload", LIMIT_LOG_ENTRY_MAX * 2, &text))
        return statement_bad(r, "DSSE", err);
    *ret = BUF_INIT(TEXT_B64_DECODED_MAX(text.len) + 1);
    room = buf_reserve(ret, TEXT_B64_DECODED_MAX(text.len) + 1);
    if (room == NULL)
        return buf_ok(ret, err);
    if (!text_parse_b64_any(text, room, TEXT_B64_DECODED_MAX(text.len), &len))
        return err_set(err, ERR_SYNTAX, "DSSE: payload is not base64");
    buf_commit(ret, len);
    return 0;
}

static int dsse_parse_sigs(
        struct statement_reader *r, struct statement_dsse *d, struct err *err)
{
    const struct json_t *array;

    if (!statement_get_array(r, "signatures", &array, &d->n_sigs))
        return statement_bad(r, "DSSE", err);
    if (d->n_sigs > STATEMENT_SIGS_MAX)
        return err_set(err, ERR_LIMIT, "DSSE: %zu signatures", d->n_sigs);
    for (size_t i = 0; i < d->n_sigs; i++) {
        struct statement_sig *sig = &d->sigs[i];
        struct statement_reader item;

        if (!statement_item_object(array, i, &item) ||
                !dsse_b64(&item, "sig", sig->sig, sizeof sig->sig, &sig->len))
            return err_set(err, ERR_SYNTAX, "DSSE: bad signature entry");
        sig->keyid = SPAN("", 0);
        if (statement_has(&item, "keyid") &&
                !statement_get_text(
                        &item, "keyid", STATEMENT_KEYID_MAX, &sig->keyid))
            return err_set(err, ERR_SYNTAX, "DSSE: bad key id");
    }
    return 0;
}

int statement_dsse_parse(
        struct span envelope, struct statement_dsse *ret, struct err *err)
{
    struct statement_dsse d = {0};
    struct statement_reader r;
    int e;

    d.doc = statement_json_parse(envelope, err);
    if (d.doc == NULL)
        return err == NULL ? ERR_SYNTAX : err->code;
    r = statement_reader_of(d.doc);
    e = dsse_parse_payload(&r, &d.payload, err);
    if (e == 0 && !statement_get_text(&r, "payloadType", 255, &d.payload_type))
        e = statement_bad(&r, "DSSE", err);
    if (e == 0)
        e = dsse_parse_sigs(&r, &d, err);
    if (e < 0) {
        statement_dsse_fini(&d);
        return e;
    }
    *ret = d;
    return 0;
}

void statement_dsse_fini(struct statement_dsse *d)
{
    statement_json_free(d->doc);
    buf_fini(&d->payload);
    d->doc = NULL;
}

/* ECDSA is seen as r||s and as DER: told apart by length, then by trying. */
static bool dsse_ecdsa_ok(const struct crypto_pub *key, enum crypto_hash hash,
        size_t size, struct span pae, const struct statement_sig *sig)
{
    uint8_t rs[2 * CRYPTO_SHA384_SIZE];

    if (sig->len == 2 * size && crypto_verify(key, CRYPTO_SIG_ECDSA, hash, pae,
                                        SPAN(sig->sig, sig->len)) == 0)
        return true;
    return crypto_ecdsa_from_der(SPAN(sig->sig, sig->len), rs, size) == 0 &&
           crypto_verify(
                   key, CRYPTO_SIG_ECDSA, hash, pae, SPAN(rs, 2 * size)) == 0;
}

static bool dsse_sig_ok(const struct crypto_pub *key, struct span pae,
        const struct statement_sig *sig)
{
    struct span s = SPAN(sig->sig, sig->len);

    switch (crypto_pub_type(key)) {
    case CRYPTO_ED25519:
        return crypto_verify(key, CRYPTO_SIG_ED25519, CRYPTO_SHA256, pae, s) ==
               0;
    case CRYPTO_P256:
        return dsse_ecdsa_ok(key, CRYPTO_SHA256, 32, pae, sig);
    case CRYPTO_P384:
        return dsse_ecdsa_ok(key, CRYPTO_SHA384, 48, pae, sig);
    case CRYPTO_P521: /* nobody signs statements with it */
        return false;
    case CRYPTO_RSA:
        return crypto_verify(key, CRYPTO_SIG_RSAPSS, CRYPTO_SHA256, pae, s) ==
               0;
    }
    return false;
}

static bool dsse_key_signed(const struct statement_dsse *d, struct span pae,
        const struct crypto_pub *key)
{
    for (size_t i = 0; i < d->n_sigs; i++) {
        if (dsse_sig_ok(key, pae, &d->sigs[i]))
            return true;
    }
    return false;
}

/* One person with a key listed twice is one signer. */
static bool dsse_key_seen(const struct crypto_pub *const *keys, size_t n,
        const struct crypto_pub *k)
{
    for (size_t i = 0; i < n; i++) {
        if (crypto_pub_eq(keys[i], k))
            return true;
    }
    return false;
}

int statement_dsse_verify_any(const struct statement_dsse *d, const char *type,
        const struct crypto_pub *const *keys, size_t n_keys, size_t threshold,
        struct err *err)
{
    CLEANUP(buf_fini) struct buf pae = BUF_INIT(d->payload.len + 128);
    size_t good = 0;
    int r;

    if (threshold == 0)
        return err_set(err, ERR_MISMATCH, "DSSE: a threshold of 0");
    if (!span_eq_str(d->payload_type, type))
        return err_set(err, ERR_MISMATCH, "DSSE: payload type is not %s", type);
    r = statement_dsse_pae(type, buf_span(&d->payload), &pae, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < n_keys; i++) {
        if (!dsse_key_seen(keys, i, keys[i]) &&
                dsse_key_signed(d, buf_span(&pae), keys[i]))
            good++;
    }
    if (good < threshold)
        return err_set(err, ERR_MISMATCH,
                "DSSE: %zu of %zu needed signatures hold", good, threshold);
    return 0;
}

int statement_dsse_verify(const struct statement_dsse *d, const char *type,
        const struct crypto_pub *key, struct err *err)
{
    return statement_dsse_verify_any(d, type, &key, 1, 1, err);
}
