/* SPDX-License-Identifier: Apache-2.0 */
/* Templates, entries, and template hashes of both forms of list. */
#include "ima_private.h"

struct field_name {
    const char *name;
    enum ima_kind kind;
};

static const struct field_name field_names[] = {
        {"d", IMA_D},
        {"n", IMA_N},
        {"d-ng", IMA_D_NG},
        {"d-ngv2", IMA_D_NGV2},
        {"n-ng", IMA_N_NG},
        {"sig", IMA_SIG},
        {"buf", IMA_BUF},
        {"d-modsig", IMA_D_MODSIG},
        {"modsig", IMA_MODSIG},
        {"evmsig", IMA_EVMSIG},
        {"xattrnames", IMA_XATTRNAMES},
        {"xattrlengths", IMA_XATTRLENGTHS},
        {"xattrvalues", IMA_XATTRVALUES},
        {"iuid", IMA_IUID},
        {"igid", IMA_IGID},
        {"imode", IMA_IMODE},
};

struct template_format {
    const char *name;
    const char *fields;
};

static const struct template_format templates[] = {
        {"ima", "d|n"},
        {"ima-ng", "d-ng|n-ng"},
        {"ima-ngv2", "d-ngv2|n-ng"},
        {"ima-sig", "d-ng|n-ng|sig"},
        {"ima-sigv2", "d-ngv2|n-ng|sig"},
        {"ima-buf", "d-ng|n-ng|buf"},
        {"ima-modsig", "d-ng|n-ng|sig|d-modsig|modsig"},
        {"evm-sig", "d-ng|n-ng|evmsig|xattrnames|xattrlengths|xattrvalues|"
                    "iuid|igid|imode"},
};

static bool field_kind(struct span name, enum ima_kind *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(field_names); i++) {
        if (span_eq_str(name, field_names[i].name)) {
            *ret = field_names[i].kind;
            return true;
        }
    }
    return false;
}

/* "d-ng|n-ng|sig": at least a digest and a name, and each field once. */
static bool format_fields(struct span format, struct ima_entry *e)
{
    uint32_t seen = 0;

    e->n_fields = 0;
    for (;;) {
        const uint8_t *bar =
                format.len ? memchr(format.ptr, '|', format.len) : NULL;
        size_t len = bar ? (size_t)(bar - format.ptr) : format.len;
        enum ima_kind kind;

        if (e->n_fields == IMA_FIELDS_MAX ||
                !field_kind(SPAN(format.ptr, len), &kind) ||
                (seen & 1u << kind))
            return false;
        seen |= 1u << kind;
        e->field[e->n_fields++].kind = kind;
        if (!bar)
            break;
        format = SPAN(bar + 1, format.len - len - 1);
    }
    return (seen & (1u << IMA_D | 1u << IMA_D_NG | 1u << IMA_D_NGV2)) &&
           (seen & (1u << IMA_N | 1u << IMA_N_NG));
}

bool ima_template_fields(struct span name, struct ima_entry *e)
{
    for (size_t i = 0; i < ARRAY_LEN(templates); i++) {
        if (span_eq_str(name, templates[i].name)) {
            e->is_ima = i == 0;
            return format_fields(span_str(templates[i].fields), e);
        }
    }
    return format_fields(name, e);
}

int ima_open(struct span list, enum ima_format format, size_t digest_size,
        struct ima_list *ret, struct err *err)
{
    struct ima_list l = {.left = wire_reader_of(list),
            .format = format,
            .digest_size = digest_size};
    int r = 0;

    if (list.len > IMA_LIST_MAX)
        return err_set(err, ERR_LIMIT, "IMA list of %zu bytes", list.len);
    if (format == IMA_BINARY)
        r = ima_binary_open(&l, err);
    if (r == 0)
        *ret = l;
    return r;
}

static bool is_stray_newline(const struct ima_list *l)
{
    return l->format == IMA_BINARY && l->index > 0 && l->left.left == 1 &&
           l->left.ptr[0] == '\n';
}

int ima_next(struct ima_list *list, struct ima_entry *ret, struct err *err)
{
    struct ima_list at = *list;
    struct ima_entry e = {.index = at.index, .format = at.format};
    int r;

    if (wire_end(&at.left) || is_stray_newline(&at))
        return 0;
    if (at.index >= IMA_ENTRIES_MAX)
        return err_set(
                err, ERR_LIMIT, "more than %d IMA entries", IMA_ENTRIES_MAX);
    r = at.format == IMA_ASCII ? ima_ascii_next(&at, &e, err)
                               : ima_binary_next(&at, &e, err);
    if (r == 0)
        r = ima_entry_finish(&e, err);
    if (r != 0)
        return err_prefix(err, r, "IMA entry %zu", at.index + 1);
    at.index++;
    *list = at;
    *ret = e;
    return 1;
}

/* ---- what follows from the fields ------------------------------------ */

static const struct ima_field *find(
        const struct ima_entry *e, enum ima_kind kind)
{
    for (size_t i = 0; i < e->n_fields; i++) {
        if (e->field[i].kind == kind)
            return &e->field[i];
    }
    return NULL;
}

static bool hash_of(struct span name, enum crypto_hash *ret)
{
    static const enum crypto_hash known[] = {
            CRYPTO_SHA1, CRYPTO_SHA256, CRYPTO_SHA384, CRYPTO_SHA512};

    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (span_eq_str(name, crypto_hash_name(known[i]))) {
            *ret = known[i];
            return true;
        }
    }
    return false;
}

/* The part before the next colon; false when there is none. */
static bool cut_colon(struct span *text, struct span *ret)
{
    const uint8_t *colon = text->len ? memchr(text->ptr, ':', text->len) : NULL;
    size_t len;

    if (!colon)
        return false;
    len = (size_t)(colon - text->ptr);
    *ret = SPAN(text->ptr, len);
    *text = SPAN(colon + 1, text->len - len - 1);
    return true;
}

/* "sha256:" and, in text, hex; in bytes, NUL and the digest. */
static bool take_digest(struct ima_entry *e, const struct ima_field *f)
{
    bool text = e->format == IMA_ASCII;
    struct span rest = f->raw;
    size_t len;

    if (f->kind == IMA_D_NGV2 && !cut_colon(&rest, &e->digest_type))
        return false;
    if (f->kind != IMA_D) {
        if (!cut_colon(&rest, &e->digest_alg))
            return false;
        if (!text) {
            if (rest.len == 0 || rest.ptr[0] != '\0')
                return false;
            rest = SPAN(rest.ptr + 1, rest.len - 1);
        }
    }
    len = text ? rest.len / 2 : rest.len;
    if (len > sizeof(e->digest) || (f->kind == IMA_D && len != IMA_SHA1_SIZE))
        return false;
    if (!text && len > 0)
        memcpy(e->digest, rest.ptr, len);
    else if (text && !text_parse_hex(rest, e->digest, len))
        return false;
    e->digest_len = len;
    if (f->kind == IMA_D) {
        e->digest_hash = CRYPTO_SHA1;
        e->digest_ok = true;
    } else {
        e->digest_ok = hash_of(e->digest_alg, &e->digest_hash) &&
                       len == crypto_hash_size(e->digest_hash);
    }
    return true;
}

/* A name ends where its first NUL is: at its end. */
static bool take_path(struct ima_entry *e, const struct ima_field *f)
{
    struct span s = f->raw;

    if (f->kind == IMA_N_NG && e->format == IMA_BINARY && !e->lost_nul) {
        if (s.len == 0 || s.ptr[s.len - 1] != '\0')
            return false;
        s.len--;
    }
    if (s.len == 0 || memchr(s.ptr, '\0', s.len))
        return false;
    e->path = s;
    return true;
}

static bool all_zero(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] != 0)
            return false;
    }
    return true;
}

int ima_entry_finish(struct ima_entry *e, struct err *err)
{
    bool zero = all_zero(e->template_hash, e->template_hash_len);

    if (!e->known) {
        e->violation = zero;
        return 0;
    }
    for (size_t i = 0; i < e->n_fields; i++) {
        const struct ima_field *f = &e->field[i];

        if ((f->kind == IMA_D || f->kind == IMA_D_NG ||
                    f->kind == IMA_D_NGV2) &&
                !take_digest(e, f))
            return err_set(err, ERR_SYNTAX, "file digest is malformed");
        if ((f->kind == IMA_N || f->kind == IMA_N_NG) && !take_path(e, f))
            return err_set(err, ERR_SYNTAX, "file name is malformed");
    }
    /* The kernel writes no violation with a digest of an algorithm that it
     * has no name for: a longer zero hash beside one is no hash at all. */
    e->violation =
            zero && (e->template_hash_len == IMA_SHA1_SIZE || e->digest_ok);
    return 0;
}

bool ima_has(const struct ima_entry *e, enum ima_kind kind)
{
    const struct ima_field *f = e->known ? find(e, kind) : NULL;

    return f && f->raw.len > 0;
}

/* ---- template data --------------------------------------------------- */

void ima_sink_put(struct ima_sink *s, struct span bytes)
{
    if (s->failed || bytes.len == 0)
        return;
    s->total += bytes.len;
    if (bytes.len > sizeof(s->buf) - s->len) {
        if (!s->hasher)
            s->hasher = crypto_hasher_new(s->hash);
        if (!s->hasher) {
            s->failed = true;
            return;
        }
        crypto_hasher_update(s->hasher, SPAN(s->buf, s->len));
        s->len = 0;
        if (bytes.len > sizeof(s->buf)) {
            crypto_hasher_update(s->hasher, bytes);
            return;
        }
    }
    memcpy(s->buf + s->len, bytes.ptr, bytes.len);
    s->len += bytes.len;
}

bool ima_sink_put_hex(struct ima_sink *s, struct span text)
{
    uint8_t part[256];

    if (text.len % 2)
        return false;
    while (text.len > 0) {
        size_t n = text.len / 2 < sizeof(part) ? text.len / 2 : sizeof(part);

        if (!text_parse_hex(SPAN(text.ptr, 2 * n), part, n))
            return false;
        ima_sink_put(s, SPAN(part, n));
        text = SPAN(text.ptr + 2 * n, text.len - 2 * n);
    }
    return true;
}

static int sink_finish(struct ima_sink *s, bool good, uint8_t *ret)
{
    if (good && !s->failed && !s->hasher) {
        crypto_hash(s->hash, SPAN(s->buf, s->len), ret);
    } else if (good && !s->failed) {
        crypto_hasher_update(s->hasher, SPAN(s->buf, s->len));
        crypto_hasher_final(s->hasher, ret);
    }
    crypto_hasher_free(s->hasher);
    if (s->failed)
        return ERR_MEMORY;
    return good ? 0 : ERR_SYNTAX;
}

static void put_u32le(struct ima_sink *s, size_t v)
{
    uint8_t n[4] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16),
            (uint8_t)(v >> 24)};

    ima_sink_put(s, SPAN_OF(n));
}

/* The template "ima" alone hashes no lengths, and pads its name. */
static bool put_ima(const struct ima_entry *e, struct ima_sink *s)
{
    uint8_t name[IMA_NAME_PADDED] = {0};

    if (e->path.len >= sizeof(name))
        return false;
    memcpy(name, e->path.ptr, e->path.len);
    ima_sink_put(s, SPAN(e->digest, e->digest_len));
    ima_sink_put(s, SPAN_OF(name));
    return true;
}

static bool put_fields(const struct ima_entry *e, struct ima_sink *s)
{
    for (size_t i = 0; i < e->n_fields; i++) {
        size_t len;

        if (!ima_ascii_size(&e->field[i], &len))
            return false;
        put_u32le(s, len);
        if (!ima_ascii_put(&e->field[i], s))
            return false;
    }
    return true;
}

int ima_template_hash(
        const struct ima_entry *e, enum crypto_hash hash, uint8_t *ret)
{
    struct ima_sink s = {.hash = hash};
    bool good = true;

    if (e->is_ima)
        good = put_ima(e, &s);
    else if (e->format == IMA_BINARY)
        ima_sink_put(&s, e->data);
    else
        good = put_fields(e, &s);
    if (e->lost_nul)
        ima_sink_put(&s, SPAN("", 1));
    return sink_finish(&s, good, ret);
}

bool ima_template_ok(const struct ima_entry *e)
{
    static const enum crypto_hash known[] = {
            CRYPTO_SHA1, CRYPTO_SHA256, CRYPTO_SHA384, CRYPTO_SHA512};
    uint8_t h[CRYPTO_HASH_MAX];

    if (e->violation)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (e->template_hash_len == crypto_hash_size(known[i]))
            return ima_template_hash(e, known[i], h) == 0 &&
                   memcmp(h, e->template_hash, e->template_hash_len) == 0;
    }
    return false;
}

/* Bytes of a text field, where the caller wants them and not their hash. */
static int text_bytes(
        const struct ima_field *f, uint8_t *ret, size_t cap, size_t *ret_len)
{
    struct ima_sink s = {0};
    size_t len;
    int r = 0;

    if (!ima_ascii_size(f, &len))
        return ERR_SYNTAX;
    if (len > cap)
        return ERR_LIMIT;
    if (f->kind == IMA_SIG || f->kind == IMA_BUF || f->kind == IMA_MODSIG ||
            f->kind == IMA_EVMSIG || f->kind == IMA_XATTRLENGTHS ||
            f->kind == IMA_XATTRVALUES)
        r = text_parse_hex(f->raw, ret, len) ? 0 : ERR_SYNTAX;
    else if (len > sizeof(s.buf))
        r = ERR_LIMIT;
    else if (!ima_ascii_put(f, &s))
        r = ERR_SYNTAX;
    else
        memcpy(ret, s.buf, s.len);
    if (r == 0)
        *ret_len = len;
    return r;
}

int ima_field_bytes(const struct ima_entry *e, enum ima_kind kind, uint8_t *ret,
        size_t cap, size_t *ret_len)
{
    const struct ima_field *f = e->known ? find(e, kind) : NULL;

    if (!f)
        return ERR_NOT_FOUND;
    if (e->format == IMA_ASCII)
        return text_bytes(f, ret, cap, ret_len);
    if (f->raw.len > cap)
        return ERR_LIMIT;
    if (f->raw.len > 0)
        memcpy(ret, f->raw.ptr, f->raw.len);
    *ret_len = f->raw.len;
    return 0;
}
