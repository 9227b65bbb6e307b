/* SPDX-License-Identifier: Apache-2.0 */
/*
 * minisign's signature format, prehashed.  Four lines:
 *
 *     untrusted comment: TEXT
 *     base64("ED" || key id (8) || Ed25519 over BLAKE2b-512(artefact))
 *     trusted comment: timestamp:N <tab> file:NAME <tab> hashed
 *     base64(Ed25519 over the 64 bytes of the signature || trusted comment)
 */
#include "profile_private.h"

#include <inttypes.h>

#define KEY_ID      8
#define COMMENT_MAX (PROFILE_ARTEFACT_MAX + 64)
#define UNTRUSTED   "untrusted comment: "
#define TRUSTED     "trusted comment: "
#define SIG_COMMENT "signature by a qair key"
#define SIG_BYTES   (2 + KEY_ID + CRYPTO_SIGNATURE_SIZE)

/* The key says its own id, so that a file names the key it needs. */
static int key_id(const struct crypto_pub *key, uint8_t raw[static 32],
        uint8_t ret[static KEY_ID])
{
    uint8_t digest[CRYPTO_SHA256_SIZE];
    size_t len;
    int rc = crypto_pub_raw(key, raw, 32, &len);

    if (rc)
        return rc;
    crypto_sha256(SPAN(raw, 32), digest);
    memcpy(ret, digest, KEY_ID);
    return 0;
}

static void put_b64(struct buf *ret, struct span s)
{
    uint8_t *p = buf_reserve(ret, TEXT_B64_SIZE(s.len));

    if (!p)
        return;
    text_format_b64(s, (char *)p);
    buf_commit(ret, TEXT_B64_SIZE(s.len) - 1);
}

static void put_comment(struct buf *ret, const struct profile_request *r)
{
    buf_printf(ret, "timestamp:%" PRIu64 "\tfile:%.*s\thashed", r->time,
            (int)r->name.len, (const char *)r->name.ptr);
}

static int tbs(const struct profile_request *r, unsigned step,
        const struct profile_sig *sigs, struct buf *ret, struct err *err)
{
    if (step == 0) {
        buf_append(ret, SPAN_OF(r->digests->blake2b512));
    } else {
        buf_append(ret, SPAN_OF(sigs[0].raw));
        put_comment(ret, r);
    }
    return buf_ok(ret, err);
}

static int assemble(const struct profile_request *r,
        const struct profile_sig *sigs, struct buf *ret, struct err *err)
{
    uint8_t sig[SIG_BYTES] = {'E', 'D'}, raw[32];

    if (key_id(r->key, raw, sig + 2))
        return err_set(err, ERR_UNSUPPORTED, "not an Ed25519 key");
    memcpy(sig + 2 + KEY_ID, sigs[0].raw, CRYPTO_SIGNATURE_SIZE);
    buf_append_str(ret, UNTRUSTED SIG_COMMENT "\n");
    put_b64(ret, SPAN_OF(sig));
    buf_append_str(ret, "\n" TRUSTED);
    put_comment(ret, r);
    buf_append_str(ret, "\n");
    put_b64(ret, SPAN_OF(sigs[1].raw));
    buf_append_str(ret, "\n");
    return buf_ok(ret, err);
}

/* timestamp:N <tab> file:NAME <tab> hashed */
static bool parse_comment(struct span s, struct profile_claims *ret)
{
    static const char end[] = "\thashed";
    size_t end_len = sizeof(end) - 1;
    const uint8_t *tab;

    if (!profile_take(&s, "timestamp:") || s.len < end_len ||
            memcmp(s.ptr + s.len - end_len, end, end_len) != 0)
        return false;
    s.len -= end_len;
    tab = memchr(s.ptr, '\t', s.len);
    if (!tab || !text_parse_u64(SPAN(s.ptr, (size_t)(tab - s.ptr)), &ret->time))
        return false;
    s = SPAN(tab, s.len - (size_t)(tab - s.ptr));
    if (!profile_take(&s, "\tfile:") || !profile_is_artefact_name(s))
        return false;
    ret->name = s;
    ret->has_comment = true;
    return true;
}

struct parsed {
    uint8_t sig[SIG_BYTES];
    uint8_t global[CRYPTO_SIGNATURE_SIZE];
    struct span comment; /* trusted */
};

static bool parse(struct span text, struct parsed *p)
{
    struct text_lines l = text_lines_of(text);
    struct span untrusted, sig, global;
    size_t n;

    /* text_next_line forgives a missing last '\n'; this does not. */
    return text.len > 0 && text.ptr[text.len - 1] == '\n' &&
           text_next_line(&l, &untrusted) &&
           span_eq_str(untrusted, UNTRUSTED SIG_COMMENT) &&
           text_next_line(&l, &sig) &&
           text_parse_b64(sig, p->sig, sizeof(p->sig), &n) &&
           n == sizeof(p->sig) && text_next_line(&l, &p->comment) &&
           profile_take(&p->comment, TRUSTED) && text_next_line(&l, &global) &&
           text_parse_b64(global, p->global, sizeof(p->global), &n) &&
           n == sizeof(p->global) && l.left == 0;
}

static int verify(const struct crypto_pub *key, const struct profile_digests *d,
        struct span text, struct profile_claims *ret, struct err *err)
{
    uint8_t id[KEY_ID], raw[32], both[CRYPTO_SIGNATURE_SIZE + COMMENT_MAX];
    struct wire_writer w = wire_writer_of(both, sizeof(both));
    struct span sig, global_tbs;
    struct parsed p;

    if (!parse(text, &p) || !parse_comment(p.comment, ret))
        return err_set(err, ERR_SYNTAX, "malformed");
    if (p.sig[0] != 'E' || p.sig[1] != 'D')
        return err_set(err, ERR_UNSUPPORTED, "not of the prehashed kind");
    if (key_id(key, raw, id) || !span_eq(SPAN_OF(id), SPAN(p.sig + 2, KEY_ID)))
        return err_set(err, ERR_MISMATCH, "by another key");
    sig = SPAN(p.sig + 2 + KEY_ID, CRYPTO_SIGNATURE_SIZE);
    if (profile_check_raw(key, SPAN_OF(d->blake2b512), sig))
        return err_set(err, ERR_MISMATCH, "does not belong to the artefact");
    wire_put_bytes(&w, sig.ptr, sig.len);
    wire_put_bytes(&w, p.comment.ptr, p.comment.len);
    if (!wire_finish(&w, &global_tbs) ||
            profile_check_raw(key, global_tbs, SPAN_OF(p.global)))
        return err_set(err, ERR_MISMATCH, "trusted comment was changed");
    return 0;
}

static int format_pub(struct span name, const struct crypto_pub *key,
        struct buf *ret, struct err *err)
{
    uint8_t raw[32], pub[2 + KEY_ID + 32] = {'E', 'd'};

    (void)name;
    if (key_id(key, raw, pub + 2))
        return err_set(err, ERR_UNSUPPORTED, "not an Ed25519 key");
    memcpy(pub + 2 + KEY_ID, raw, sizeof(raw));
    buf_append_str(ret, UNTRUSTED "minisign public key ");
    /* minisign prints the id as a little-endian number. */
    for (size_t i = KEY_ID; i > 0; i--)
        buf_printf(ret, "%02X", pub[2 + i - 1]);
    buf_append_str(ret, "\n");
    put_b64(ret, SPAN_OF(pub));
    buf_append_str(ret, "\n");
    return buf_ok(ret, err);
}

const struct profile_kind profile_minisign = {
        .name = "minisign",
        .suffix = ".minisig",
        .takes_p256 = false,
        .hashes_blake2b512 = true,
        .steps = 2,
        .tbs = tbs,
        .assemble = assemble,
        .verify = verify,
        .format_pub = format_pub,
};
