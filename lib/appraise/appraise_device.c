/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Claims of devices that prove themselves over SPDM.  Which makers are trusted
 * is for the rules: a chain is checked up to the root that it brings, and the
 * root's digest is a claim.  Blocks that no signature covers are no claims.
 */
#include "appraise_private.h"

#include "spdm.h"

#include <stdio.h>

#define PART        "transcripts of devices"
#define DEVICES_MAX 16 /* of one guest or machine */
#define SVN_SIZE    8  /* of a raw block of type SVN (DSP0274, table 61) */

/* The root is the first certificate of the chain, or it cannot be checked. */
static int check_chain(const struct spdm_result *r, uint64_t time,
        struct span *ret_leaf, struct err *err)
{
    struct span cert[SPDM_CERTS_MAX];
    struct crypto_cert *root;
    uint8_t digest[CRYPTO_HASH_MAX];
    size_t n;
    int rc = spdm_chain_split(r->chain, cert, &n, err);

    if (rc != 0)
        return rc;
    if (n == 0)
        return err_set(err, ERR_SYNTAX, "a chain of no certificate");
    crypto_hash(r->agreed.hash, cert[0], digest);
    if (!span_eq(SPAN(digest, r->agreed.hash_size), r->root_hash))
        return err_set(err, ERR_MISMATCH,
                "the chain does not bring its root certificate");
    root = crypto_cert_from_der(cert[0]);
    if (!root)
        return err_set(err, ERR_SYNTAX, "its root is not a certificate");
    rc = spdm_chain_verify(r, &root, 1, time, err);
    crypto_cert_free(root);
    *ret_leaf = cert[n - 1];
    return rc;
}

static int check_nonce(
        const struct spdm_result *r, struct span binder, struct err *err)
{
    uint8_t want[32];

    spdm_requester_nonce(binder.ptr, want);
    return span_eq_ct(r->nonce, SPAN_OF(want))
                   ? 0
                   : err_set(err, ERR_MISMATCH,
                             "it was made for another channel or moment");
}

/* Signed by the same key; that of another moment is no proof of this one. */
static bool is_challenged(const struct spdm_result *r, struct span binder)
{
    uint8_t want[32];

    spdm_requester_challenge_nonce(binder.ptr, want);
    return r->challenge && span_eq_ct(r->challenge_nonce, SPAN_OF(want));
}

static uint64_t le64(struct span s)
{
    uint64_t v = 0;

    for (size_t i = s.len; i > 0; i--)
        v = v << 8 | s.ptr[i - 1];
    return v;
}

static void add_block(struct claims *c, unsigned device,
        const struct spdm_block *b, const char *source)
{
    char name[CLAIM_NAME_MAX + 1];
    const char *what = b->raw && b->type == SPDM_TYPE_SVN       ? "svn"
                       : b->raw && b->type == SPDM_TYPE_VERSION ? "version"
                                                                : "measurement";

    (void)snprintf(
            name, sizeof(name), "device.%u.%s.%u", device, what, b->index);
    if (b->raw && b->type == SPDM_TYPE_SVN && b->value.len == SVN_SIZE)
        claims_add_number(c, name, le64(b->value), source);
    else if (b->raw && b->type == SPDM_TYPE_VERSION)
        claims_add_text(c, name, b->value, source);
    else if (!b->raw && b->value.len >= 1 && b->value.len <= CLAIM_BYTES_MAX)
        claims_add_bytes(c, name, b->value, source);
}

static int add_key(struct claims *c, unsigned device, struct span leaf,
        const char *source, struct err *err)
{
    CLEANUP(crypto_cert_free_ptr)
    struct crypto_cert *cert = crypto_cert_from_der(leaf);
    CLEANUP(crypto_pub_free_ptr)
    struct crypto_pub *key = cert ? crypto_cert_pub(cert) : NULL;
    uint8_t spki[CRYPTO_SPKI_MAX], digest[CRYPTO_SHA256_SIZE];
    char name[CLAIM_NAME_MAX + 1];
    size_t len;

    if (!key || crypto_pub_spki(key, spki, sizeof(spki), &len) != 0)
        return err_set(err, ERR_SYNTAX, "its certificate has no usable key");
    crypto_sha256(SPAN(spki, len), digest);
    (void)snprintf(name, sizeof(name), "device.%u.key", device);
    claims_add_bytes(c, name, SPAN_OF(digest), source);
    return 0;
}

static int add_device(struct appraise_work *w, unsigned device,
        const struct spdm_result *r, struct span leaf, struct err *err)
{
    struct claims *c = &w->detail->claims;
    const uint64_t version[] = {
            r->agreed.version >> 4, r->agreed.version & 0xfu};
    char name[CLAIM_NAME_MAX + 1], source[64];
    int rc;

    (void)snprintf(source, sizeof(source), "signed SPDM transcript %u", device);
    rc = add_key(c, device, leaf, source, err);
    if (rc != 0)
        return rc;
    (void)snprintf(name, sizeof(name), "device.%u.spdm", device);
    claims_add_parts(c, name, version, ARRAY_LEN(version), source);
    (void)snprintf(name, sizeof(name), "device.%u.root", device);
    claims_add_bytes(c, name, r->root_hash, source);
    (void)snprintf(name, sizeof(name), "device.%u.challenged", device);
    claims_add_bool(c, name, is_challenged(r, w->in->binder), source);
    for (size_t i = 0; i < r->n_blocks; i++)
        add_block(c, device, &r->block[i], source);
    return 0;
}

static int judge(struct appraise_work *w, unsigned device, struct span record,
        struct err *err)
{
    CLEANUP(spdm_transcript_free_ptr)
    struct spdm_transcript *t = spdm_transcript_new(false);
    struct spdm_result r;
    struct span leaf = SPAN_EMPTY;
    int rc;

    if (!t)
        return err_set(err, ERR_MEMORY, "no memory for a transcript");
    rc = spdm_transcript_replay(t, record, err);
    if (rc != 0)
        return rc;
    spdm_transcript_result(t, &r);
    if (!r.attested || r.bad > 0)
        return err_set(err, ERR_MISMATCH, "no signature holds over its blocks");
    rc = check_nonce(&r, w->in->binder, err);
    if (rc == 0)
        rc = check_chain(&r, w->in->time, &leaf, err);
    return rc ? rc : add_device(w, device, &r, leaf, err);
}

/* u16 number of devices, then the record of each as vec32. */
void appraise_device(struct appraise_work *w)
{
    struct span part = w->e.part[EVIDENCE_SPDM], record[DEVICES_MAX];
    struct wire_reader r = wire_reader_of(part);
    uint16_t n = 0, got = 0;

    if (part.len == 0)
        return;
    if (wire_get_u16be(&r, &n) && n >= 1 && n <= DEVICES_MAX) {
        while (got < n && wire_get_vec32be(&r, &record[got]))
            got++;
    }
    if (n == 0 || got != n || !wire_end(&r)) {
        appraise_note(w, PART, "malformed");
        return;
    }
    for (unsigned i = 0; i < n; i++) {
        struct err err = {0};

        if (judge(w, i, record[i], &err) != 0) {
            (void)err_prefix(&err, err.code, "device %u", i);
            appraise_note(w, PART, err.msg);
        }
    }
}
