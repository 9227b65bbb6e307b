/* SPDX-License-Identifier: Apache-2.0 */
/* C2SP signed-note and tlog-checkpoint. */
#include "merkle.h"

#include <stdio.h>
#include <stdlib.h>

/* U+2014 and a space: how a signature line starts. */
static const char sig_mark[] = "\xe2\x80\x94 ";

/* Unicode White_Space above ASCII, as UTF-8 (signed-note: names). */
static const char *const unicode_space[] = {"\xc2\x85", "\xc2\xa0",
        "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81", "\xe2\x80\x82",
        "\xe2\x80\x83", "\xe2\x80\x84", "\xe2\x80\x85", "\xe2\x80\x86",
        "\xe2\x80\x87", "\xe2\x80\x88", "\xe2\x80\x89", "\xe2\x80\x8a",
        "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f",
        "\xe3\x80\x80"};

static bool is_key_name(struct span s)
{
    if (s.len == 0 || s.len > MERKLE_NAME_MAX || !text_is_utf8(s))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] <= ' ' || s.ptr[i] == 0x7f || s.ptr[i] == '+')
            return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(unicode_space); i++) {
        if (memmem(s.ptr, s.len, unicode_space[i], strlen(unicode_space[i])) !=
                NULL)
            return false;
    }
    return true;
}

/* SHA-256(name || 0x0A || type || key)[:4] */
static void key_id(const struct merkle_vkey *k, uint8_t ret[static 4])
{
    uint8_t in[MERKLE_NAME_MAX + 2 + sizeof k->key];
    uint8_t digest[CRYPTO_SHA256_SIZE];
    size_t n = strlen(k->name);

    memcpy(in, k->name, n);
    in[n++] = '\n';
    in[n++] = k->type;
    memcpy(in + n, k->key, sizeof k->key);
    crypto_sha256(SPAN(in, n + sizeof k->key), digest);
    memcpy(ret, digest, 4);
}

static bool cut(struct span *rest, char at, struct span *ret)
{
    const uint8_t *p = rest->len == 0 ? NULL : memchr(rest->ptr, at, rest->len);
    size_t n;

    if (p == NULL)
        return false;
    n = (size_t)(p - rest->ptr);
    *ret = SPAN(rest->ptr, n);
    *rest = SPAN(p + 1, rest->len - n - 1);
    return true;
}

int merkle_vkey_parse(
        struct span text, struct merkle_vkey *ret, struct err *err)
{
    struct merkle_vkey k = {0};
    struct span name, hash;
    uint8_t data[1 + sizeof k.key], id[4];
    size_t len;

    if (!cut(&text, '+', &name) || !cut(&text, '+', &hash) ||
            !is_key_name(name) || !text_parse_hex(hash, k.id, sizeof k.id) ||
            !text_parse_b64(text, data, sizeof data, &len) || len == 0)
        return err_set(err, ERR_SYNTAX, "verifier key: malformed");
    if ((data[0] != MERKLE_ED25519 && data[0] != MERKLE_COSIGNATURE) ||
            len != sizeof data)
        return err_set(
                err, ERR_UNSUPPORTED, "verifier key: type 0x%02x", data[0]);
    memcpy(k.name, name.ptr, name.len);
    k.type = data[0];
    memcpy(k.key, data + 1, sizeof k.key);
    key_id(&k, id);
    if (memcmp(id, k.id, sizeof id) != 0)
        return err_set(
                err, ERR_MISMATCH, "verifier key: hash is not its key's");
    *ret = k;
    return 0;
}

void merkle_vkey_format(
        const struct merkle_vkey *k, char ret[static MERKLE_VKEY_SIZE])
{
    uint8_t data[1 + sizeof k->key];
    char b64[TEXT_B64_SIZE(sizeof data)];
    char id[TEXT_HEX_SIZE(4)];

    data[0] = k->type;
    memcpy(data + 1, k->key, sizeof k->key);
    text_format_b64(SPAN_OF(data), b64);
    text_format_hex(SPAN_OF(k->id), id);
    snprintf(ret, MERKLE_VKEY_SIZE, "%s+%s+%s", k->name, id, b64);
}

int merkle_vkey_make(
        const char *name, const uint8_t key[static 32], struct merkle_vkey *ret)
{
    struct merkle_vkey k = {.type = MERKLE_ED25519};

    if (!is_key_name(span_str(name)))
        return ERR_SYNTAX;
    memcpy(k.name, name, strlen(name));
    memcpy(k.key, key, sizeof k.key);
    key_id(&k, k.id);
    *ret = k;
    return 0;
}

int merkle_vkey_for_zone(struct span zone, const struct crypto_pub *log_key,
        struct merkle_vkey *ret, struct err *err)
{
    char name[LIMIT_ZONE_NAME_MAX + 16];
    uint8_t raw[32];
    size_t len;

    if (!text_is_name(zone, LIMIT_ZONE_NAME_MAX))
        return err_set(err, ERR_SYNTAX, "log key: bad zone name");
    if (crypto_pub_type(log_key) != CRYPTO_ED25519 ||
            crypto_pub_raw(log_key, raw, sizeof raw, &len) < 0 ||
            len != sizeof raw)
        return err_set(err, ERR_UNSUPPORTED, "log key: not Ed25519");
    snprintf(name, sizeof name, "qair/%.*s/log", (int)zone.len,
            (const char *)zone.ptr);
    return merkle_vkey_make(name, raw, ret);
}

/* signed-note: UTF-8 without control characters but newline. */
static bool is_note_text(struct span s)
{
    if (s.len > MERKLE_NOTE_MAX || !text_is_utf8(s))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < 0x20 && s.ptr[i] != '\n')
            return false;
    }
    return true;
}

int merkle_note_sign(struct span text, const struct merkle_vkey *vkey,
        const struct crypto_key *key, struct buf *ret, struct err *err)
{
    uint8_t blob[4 + CRYPTO_SIGNATURE_SIZE];
    char b64[TEXT_B64_SIZE(sizeof blob)];
    int r;

    if (text.len == 0 || text.ptr[text.len - 1] != '\n' || !is_note_text(text))
        return err_set(err, ERR_SYNTAX, "note: not a text that can be signed");
    memcpy(blob, vkey->id, 4);
    r = crypto_sign(key, text, blob + 4);
    if (r < 0)
        return err_set(err, r, "note: signing failed");
    text_format_b64(SPAN_OF(blob), b64);
    buf_append(ret, text);
    buf_printf(ret, "\n%s%s %s\n", sig_mark, vkey->name, b64);
    return buf_ok(ret, err);
}

/* One signature line, taken apart. */
struct note_sig {
    struct span name;
    uint8_t blob[4 + 8 + CRYPTO_SIGNATURE_SIZE + 256]; /* id, then signature */
    size_t len;
};

static bool note_sig_parse(struct span line, struct note_sig *ret)
{
    size_t mark = sizeof sig_mark - 1;

    if (line.len < mark || memcmp(line.ptr, sig_mark, mark) != 0)
        return false;
    line = SPAN(line.ptr + mark, line.len - mark);
    return cut(&line, ' ', &ret->name) && is_key_name(ret->name) &&
           text_parse_b64(line, ret->blob, sizeof ret->blob, &ret->len) &&
           ret->len > 4;
}

static bool ed25519_ok(const struct merkle_vkey *k, struct span msg,
        const uint8_t *sig, size_t len)
{
    CLEANUP(crypto_pub_free_ptr)
    struct crypto_pub *pub = crypto_pub_ed25519(k->key);

    return pub != NULL && len == CRYPTO_SIGNATURE_SIZE &&
           crypto_verify(pub, CRYPTO_SIG_ED25519, CRYPTO_SHA256, msg,
                   SPAN(sig, len)) == 0;
}

/* C2SP tlog-cosignature: u64be time, signature over time and note. */
static bool cosignature_ok(
        const struct merkle_vkey *k, struct span text, const struct note_sig *s)
{
    CLEANUP(buf_fini) struct buf msg = BUF_INIT(MERKLE_NOTE_MAX + 64);
    struct wire_reader r = wire_reader_of(SPAN(s->blob + 4, s->len - 4));
    uint64_t time;

    if (!wire_get_u64be(&r, &time))
        return false;
    buf_printf(&msg, "cosignature/v1\ntime %llu\n", (unsigned long long)time);
    buf_append(&msg, text);
    return buf_ok(&msg, NULL) == 0 &&
           ed25519_ok(k, buf_span(&msg), r.ptr, r.left);
}

static bool note_sig_ok(
        const struct merkle_vkey *k, struct span text, const struct note_sig *s)
{
    if (k->type == MERKLE_COSIGNATURE)
        return cosignature_ok(k, text, s);
    return ed25519_ok(k, text, s->blob + 4, s->len - 4);
}

static int find_key(const struct merkle_vkey *keys, size_t n_keys,
        const struct note_sig *s, size_t *ret)
{
    for (size_t i = 0; i < n_keys; i++) {
        if (span_eq_str(s->name, keys[i].name) &&
                memcmp(keys[i].id, s->blob, sizeof keys[i].id) == 0) {
            *ret = i;
            return 0;
        }
    }
    return ERR_NOT_FOUND;
}

/* Splits at the last empty line. */
static bool note_split(
        struct span note, struct span *ret_text, struct span *ret)
{
    for (size_t i = note.len; i > 2; i--) {
        if (note.ptr[i - 1] == '\n' && note.ptr[i - 2] == '\n') {
            *ret_text = SPAN(note.ptr, i - 1);
            *ret = SPAN(note.ptr + i, note.len - i);
            return ret->len > 0;
        }
    }
    return false;
}

/* Counts good signatures in *ret; a bad one of a known key is fatal. */
static int note_count(struct span text, struct span sigs,
        const struct merkle_vkey *keys, size_t n_keys, size_t *ret,
        struct err *err)
{
    uint64_t seen = 0; /* a bit a key: a repeated line counts once */
    struct span line;
    struct note_sig s;
    size_t n, k;

    for (n = 0; cut(&sigs, '\n', &line); n++) {
        if (n >= MERKLE_SIGS_MAX)
            return err_set(err, ERR_LIMIT, "note: too many signatures");
        if (!note_sig_parse(line, &s))
            return err_set(err, ERR_SYNTAX, "note: bad signature line");
        if (find_key(keys, n_keys, &s, &k) < 0 || (seen >> k & 1) != 0)
            continue;
        if (!note_sig_ok(&keys[k], text, &s))
            return err_set(err, ERR_MISMATCH,
                    "note: signature of %s does not hold", keys[k].name);
        seen |= UINT64_C(1) << k;
    }
    if (sigs.len != 0)
        return err_set(err, ERR_SYNTAX, "note: last line is cut off");
    *ret = (size_t)__builtin_popcountll(seen);
    return 0;
}

int merkle_note_verify(struct span note, const struct merkle_vkey *keys,
        size_t n_keys, struct span *ret_text, size_t *ret_good, struct err *err)
{
    struct span text, sigs;
    size_t good = 0;
    int r;

    if (n_keys > 64)
        return err_set(err, ERR_LIMIT, "note: more than 64 keys");
    if (!is_note_text(note) || !note_split(note, &text, &sigs))
        return err_set(err, ERR_SYNTAX, "note: malformed");
    r = note_count(text, sigs, keys, n_keys, &good, err);
    if (r < 0)
        return r;
    if (good == 0)
        return err_set(err, ERR_MISMATCH, "note: no signature of a known key");
    if (ret_text != NULL)
        *ret_text = text;
    if (ret_good != NULL)
        *ret_good = good;
    return 0;
}

int merkle_checkpoint_format(const struct merkle_checkpoint *c, struct buf *ret)
{
    char root[TEXT_B64_SIZE(MERKLE_HASH)];

    text_format_b64(SPAN_OF(c->root), root);
    buf_printf(ret, "%s\n%llu\n%s\n", c->origin, (unsigned long long)c->size,
            root);
    return buf_ok(ret, NULL);
}

int merkle_checkpoint_parse(
        struct span text, struct merkle_checkpoint *ret, struct err *err)
{
    struct merkle_checkpoint c = {0};
    struct span origin, size, root, more;
    size_t len;

    if (!cut(&text, '\n', &origin) || !cut(&text, '\n', &size) ||
            !cut(&text, '\n', &root) || origin.len == 0 ||
            origin.len > MERKLE_NAME_MAX || !text_is_utf8(origin) ||
            !text_parse_u64(size, &c.size) ||
            !text_parse_b64(root, c.root, sizeof c.root, &len) ||
            len != sizeof c.root)
        return err_set(err, ERR_SYNTAX, "checkpoint: malformed");
    while (cut(&text, '\n', &more)) {
        if (more.len == 0)
            return err_set(err, ERR_SYNTAX, "checkpoint: empty line");
    }
    if (text.len != 0)
        return err_set(err, ERR_SYNTAX, "checkpoint: last line is cut off");
    if (c.size > MERKLE_SIZE_MAX)
        return err_set(err, ERR_LIMIT, "checkpoint: size above 2^62");
    memcpy(c.origin, origin.ptr, origin.len);
    *ret = c;
    return 0;
}

int merkle_checkpoint_open(struct span note, const struct merkle_vkey *key,
        struct merkle_checkpoint *ret, struct err *err)
{
    struct merkle_checkpoint c;
    struct span text;
    int r = merkle_note_verify(note, key, 1, &text, NULL, err);

    if (r == 0)
        r = merkle_checkpoint_parse(text, &c, err);
    if (r < 0)
        return r;
    if (strcmp(c.origin, key->name) != 0)
        return err_set(
                err, ERR_MISMATCH, "checkpoint: origin is not %s", key->name);
    *ret = c;
    return 0;
}
