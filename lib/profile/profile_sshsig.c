/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenSSH PROTOCOL.sshsig, version 1.  Signed:
 *
 *     "SSHSIG" string namespace, string reserved, string hash, string H(file)
 *
 * and the armoured file:
 *
 *     "SSHSIG" u32 1, string public key, string namespace, string reserved,
 *     string hash, string signature
 */
#include "profile_private.h"

#define MAGIC     "SSHSIG"
#define NAMESPACE "file"
#define HASH      "sha512"
#define BEGIN     "-----BEGIN SSH SIGNATURE-----\n"
#define END       "-----END SSH SIGNATURE-----\n"
#define ARMOUR    70 /* columns, as ssh-keygen writes */
#define BLOB_MAX  1024
#define HALF      (CRYPTO_SIGNATURE_SIZE / 2)

/* The names of RFC 8709 and RFC 5656. */
static const char *type_name(const struct crypto_pub *key)
{
    return crypto_pub_type(key) == CRYPTO_ED25519 ? "ssh-ed25519"
                                                  : "ecdsa-sha2-nistp256";
}

static void put_str(struct wire_writer *w, const char *s)
{
    wire_put_vec32be(w, span_str(s));
}

/* RFC 4251, 5: no needless zeros, one where the top bit is set. */
static void put_mpint(struct wire_writer *w, struct span n)
{
    while (n.len > 0 && n.ptr[0] == 0)
        n = SPAN(n.ptr + 1, n.len - 1);
    if (n.len > 0 && n.ptr[0] & 0x80) {
        wire_put_u32be(w, (uint32_t)n.len + 1);
        wire_put_u8(w, 0);
        wire_put_bytes(w, n.ptr, n.len);
    } else {
        wire_put_vec32be(w, n);
    }
}

static bool get_mpint(struct wire_reader *r, uint8_t ret[static HALF])
{
    struct span n;

    if (!wire_get_vec32be(r, &n) || n.len == 0 || n.ptr[0] & 0x80)
        return false; /* zero and negative numbers are no signature */
    if (n.ptr[0] == 0) {
        if (n.len == 1 || !(n.ptr[1] & 0x80))
            return false;
        n = SPAN(n.ptr + 1, n.len - 1);
    }
    if (n.len > HALF)
        return false;
    memset(ret, 0, HALF - n.len);
    memcpy(ret + HALF - n.len, n.ptr, n.len);
    return true;
}

/* The key as OpenSSH spells it. */
static bool put_key(struct wire_writer *w, const struct crypto_pub *key)
{
    uint8_t raw[65];
    size_t len;

    if (crypto_pub_raw(key, raw, sizeof(raw), &len))
        return false;
    put_str(w, type_name(key));
    if (crypto_pub_type(key) == CRYPTO_P256)
        put_str(w, "nistp256");
    wire_put_vec32be(w, SPAN(raw, len));
    return true;
}

static bool key_blob(const struct crypto_pub *key, uint8_t *blob, size_t cap,
        struct span *ret)
{
    struct wire_writer w = wire_writer_of(blob, cap);

    return put_key(&w, key) && wire_finish(&w, ret);
}

static bool make_tbs(const struct profile_digests *d, uint8_t *blob, size_t cap,
        struct span *ret)
{
    struct wire_writer w = wire_writer_of(blob, cap);

    wire_put_bytes(&w, (const uint8_t *)MAGIC, sizeof(MAGIC) - 1);
    put_str(&w, NAMESPACE);
    put_str(&w, "");
    put_str(&w, HASH);
    wire_put_vec32be(&w, SPAN_OF(d->sha512));
    return wire_finish(&w, ret);
}

static int tbs(const struct profile_request *r, unsigned step,
        const struct profile_sig *sigs, struct buf *ret, struct err *err)
{
    uint8_t blob[256];
    struct span s;

    (void)step;
    (void)sigs;
    if (!make_tbs(r->digests, blob, sizeof(blob), &s))
        return err_set(err, ERR_LIMIT, "bytes to be signed do not fit");
    buf_append(ret, s);
    return buf_ok(ret, err);
}

static void put_signature(struct wire_writer *w, const struct crypto_pub *key,
        const uint8_t raw[static CRYPTO_SIGNATURE_SIZE])
{
    uint8_t pair[2 * (4 + 1 + HALF)];
    struct wire_writer p = wire_writer_of(pair, sizeof(pair));
    struct span s = SPAN(raw, CRYPTO_SIGNATURE_SIZE);

    put_str(w, type_name(key));
    if (crypto_pub_type(key) == CRYPTO_P256) {
        put_mpint(&p, SPAN(raw, HALF));
        put_mpint(&p, SPAN(raw + HALF, HALF));
        s = SPAN(pair, p.len);
    }
    wire_put_vec32be(w, s);
}

static void put_armour(struct buf *ret, struct span blob)
{
    char text[TEXT_B64_SIZE(BLOB_MAX)];
    size_t len = TEXT_B64_SIZE(blob.len) - 1;

    text_format_b64(blob, text);
    buf_append_str(ret, BEGIN);
    for (size_t i = 0; i < len; i += ARMOUR) {
        buf_append(ret, SPAN(text + i, len - i < ARMOUR ? len - i : ARMOUR));
        buf_append_str(ret, "\n");
    }
    buf_append_str(ret, END);
}

static int assemble(const struct profile_request *r,
        const struct profile_sig *sigs, struct buf *ret, struct err *err)
{
    uint8_t blob[BLOB_MAX], part[256];
    struct wire_writer w = wire_writer_of(blob, sizeof(blob));
    struct wire_writer p = wire_writer_of(part, sizeof(part));
    struct span key, sig, all;

    if (!key_blob(r->key, part, sizeof(part), &key))
        return err_set(err, ERR_LIMIT, "public key does not fit");
    wire_put_bytes(&w, (const uint8_t *)MAGIC, sizeof(MAGIC) - 1);
    wire_put_u32be(&w, 1);
    wire_put_vec32be(&w, key);
    put_str(&w, NAMESPACE);
    put_str(&w, "");
    put_str(&w, HASH);
    put_signature(&p, r->key, sigs[0].raw);
    if (!wire_finish(&p, &sig))
        return err_set(err, ERR_LIMIT, "signature does not fit");
    wire_put_vec32be(&w, sig);
    if (!wire_finish(&w, &all))
        return err_set(err, ERR_LIMIT, "signature file does not fit");
    put_armour(ret, all);
    return buf_ok(ret, err);
}

/* The blob of an armoured text; one spelling only. */
static bool open_armour(struct span text, uint8_t *blob, size_t *ret_len)
{
    CLEANUP(buf_fini) struct buf again = BUF_INIT(PROFILE_TEXT_MAX);
    char joined[TEXT_B64_SIZE(BLOB_MAX)];
    struct span body = text, line;
    struct text_lines l;
    size_t len = 0;

    if (!profile_take(&body, BEGIN) || body.len < sizeof(END) - 1)
        return false;
    body.len -= sizeof(END) - 1;
    l = text_lines_of(body);
    while (text_next_line(&l, &line)) {
        if (line.len > sizeof(joined) - len)
            return false;
        memcpy(joined + len, line.ptr, line.len);
        len += line.len;
    }
    if (!text_parse_b64(SPAN(joined, len), blob, BLOB_MAX, ret_len))
        return false;
    put_armour(&again, SPAN(blob, *ret_len));
    return buf_ok(&again, NULL) == 0 && span_eq(text, buf_span(&again));
}

struct parsed {
    struct span key, space, reserved, hash;
    struct span sig_type, sig;
};

static bool parse(struct span blob, struct parsed *p)
{
    struct wire_reader r = wire_reader_of(blob), s;
    struct span magic, signature;
    uint32_t version;

    if (!wire_get_span(&r, sizeof(MAGIC) - 1, &magic) ||
            !wire_get_u32be(&r, &version) || !wire_get_vec32be(&r, &p->key) ||
            !wire_get_vec32be(&r, &p->space) ||
            !wire_get_vec32be(&r, &p->reserved) ||
            !wire_get_vec32be(&r, &p->hash) ||
            !wire_get_vec32be(&r, &signature) || !wire_end(&r))
        return false;
    s = wire_reader_of(signature);
    return span_eq_str(magic, MAGIC) && version == 1 &&
           wire_get_vec32be(&s, &p->sig_type) &&
           wire_get_vec32be(&s, &p->sig) && wire_end(&s);
}

static bool raw_signature(const struct crypto_pub *key, struct span sig,
        uint8_t ret[static CRYPTO_SIGNATURE_SIZE])
{
    struct wire_reader r = wire_reader_of(sig);

    if (crypto_pub_type(key) == CRYPTO_ED25519)
        return wire_get_copy(&r, ret, CRYPTO_SIGNATURE_SIZE) && wire_end(&r);
    return get_mpint(&r, ret) && get_mpint(&r, ret + HALF) && wire_end(&r);
}

static int verify(const struct crypto_pub *key, const struct profile_digests *d,
        struct span text, struct profile_claims *ret, struct err *err)
{
    uint8_t blob[BLOB_MAX], own[256], signed_bytes[256];
    uint8_t raw[CRYPTO_SIGNATURE_SIZE];
    struct span own_key, message;
    struct parsed p;
    size_t len;

    (void)ret;
    if (!open_armour(text, blob, &len) || !parse(SPAN(blob, len), &p))
        return err_set(err, ERR_SYNTAX, "malformed");
    if (!key_blob(key, own, sizeof(own), &own_key) ||
            !span_eq(p.key, own_key) ||
            !span_eq_str(p.sig_type, type_name(key)))
        return err_set(err, ERR_MISMATCH, "by another key");
    if (!span_eq_str(p.space, NAMESPACE) || !span_eq_str(p.hash, HASH) ||
            p.reserved.len > 0)
        return err_set(err, ERR_MISMATCH,
                "namespace is not " NAMESPACE " or hash not " HASH);
    if (!raw_signature(key, p.sig, raw))
        return err_set(err, ERR_SYNTAX, "malformed signature number");
    if (!make_tbs(d, signed_bytes, sizeof(signed_bytes), &message) ||
            profile_check_raw(key, message, SPAN_OF(raw)))
        return err_set(err, ERR_MISMATCH, "does not belong to the artefact");
    return 0;
}

/* `TYPE BASE64` */
static int put_pub(
        const struct crypto_pub *key, struct buf *ret, struct err *err)
{
    uint8_t blob[256];
    char text[TEXT_B64_SIZE(sizeof(blob))];
    struct span s;

    if (!key_blob(key, blob, sizeof(blob), &s))
        return err_set(err, ERR_LIMIT, "public key does not fit");
    text_format_b64(s, text);
    buf_printf(ret, "%s %s", type_name(key), text);
    return 0;
}

static int format_pub(struct span name, const struct crypto_pub *key,
        struct buf *ret, struct err *err)
{
    int rc;

    /* A name with a comma, space or '*' would be a pattern there. */
    if (!text_is_name(name, LIMIT_NAME_MAX))
        return err_set(err, ERR_SYNTAX, "not the name of a key");
    buf_append(ret, name);
    buf_append_str(ret, " namespaces=\"" NAMESPACE "\" ");
    rc = put_pub(key, ret, err);
    buf_append_str(ret, "\n");
    return rc ? rc : buf_ok(ret, err);
}

int profile_format_ssh_pub(const struct crypto_pub *key, struct span comment,
        struct buf *ret, struct err *err)
{
    int rc;

    if (!profile_takes_key(PROFILE_SSHSIG, crypto_pub_type(key)))
        return err_set(err, ERR_UNSUPPORTED, "not a type that OpenSSH has");
    rc = put_pub(key, ret, err);
    if (comment.len > 0) {
        buf_append_str(ret, " ");
        buf_append(ret, comment);
    }
    buf_append_str(ret, "\n");
    return rc ? rc : buf_ok(ret, err);
}

const struct profile_kind profile_sshsig = {
        .name = "sshsig",
        .suffix = ".sshsig",
        .takes_p256 = true,
        .hashes_blake2b512 = false,
        .steps = 1,
        .tbs = tbs,
        .assemble = assemble,
        .verify = verify,
        .format_pub = format_pub,
};
