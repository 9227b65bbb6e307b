/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text lists: "PCR HASH TEMPLATE FIELD FIELD ...\n", one space between, and
 * nothing for an empty field.  The kernel writes '_' for a space in a name;
 * older ones did not, so a name takes what the fields around it leave.
 */
#include "ima_private.h"

static bool get_word(struct span *rest, struct span *ret)
{
    const uint8_t *space = rest->len ? memchr(rest->ptr, ' ', rest->len) : NULL;
    size_t len = space ? (size_t)(space - rest->ptr) : rest->len;

    if (len == 0)
        return false;
    *ret = SPAN(rest->ptr, len);
    *rest = space ? SPAN(space + 1, rest->len - len - 1)
                  : SPAN(rest->ptr + len, 0);
    return true;
}

/* "%2d": PCR 9 has a space before it. */
static bool get_pcr(struct span *rest, uint32_t *ret)
{
    struct span word;
    uint64_t v;

    if (rest->len > 0 && rest->ptr[0] == ' ')
        *rest = SPAN(rest->ptr + 1, rest->len - 1);
    if (!get_word(rest, &word) || !text_parse_u64(word, &v) || v > 23)
        return false;
    *ret = (uint32_t)v;
    return true;
}

static bool get_hash(struct span *rest, struct ima_entry *e)
{
    struct span word;

    if (!get_word(rest, &word) || (word.len != 40 && word.len != 64 &&
                                          word.len != 96 && word.len != 128))
        return false;
    e->template_hash_len = word.len / 2;
    return text_parse_hex(word, e->template_hash, word.len / 2);
}

/*
 * Fields behind the name are found from the end of the line.  An editor or a
 * web form may have cut the space that an empty last field leaves.
 */
static bool get_tail(struct span *rest, struct ima_entry *e, size_t name)
{
    size_t want = e->n_fields - name - 1, have = 0;

    for (size_t i = 0; i < rest->len; i++)
        have += rest->ptr[i] == ' ';
    for (size_t i = e->n_fields - 1; i > name; i--, want--) {
        size_t at = rest->len;

        if (have < want) {
            e->field[i].raw = SPAN_EMPTY;
            continue;
        }
        while (at > 0 && rest->ptr[at - 1] != ' ')
            at--;
        if (at == 0)
            return false;
        e->field[i].raw = SPAN(rest->ptr + at, rest->len - at);
        rest->len = at - 1;
    }
    e->field[name].raw = *rest;
    return true;
}

static bool get_fields(struct span *rest, struct ima_entry *e)
{
    for (size_t i = 0; i < e->n_fields; i++) {
        if (e->field[i].kind == IMA_N || e->field[i].kind == IMA_N_NG)
            return get_tail(rest, e, i);
        if (!get_word(rest, &e->field[i].raw))
            return false;
    }
    return false;
}

int ima_ascii_next(struct ima_list *list, struct ima_entry *e, struct err *err)
{
    const uint8_t *end = memchr(list->left.ptr, '\n', list->left.left);
    size_t len = end ? (size_t)(end - list->left.ptr) : list->left.left;
    struct span line;

    /* Text is at most two characters a byte. */
    if (len > 2 * IMA_DATA_MAX)
        return err_set(err, ERR_LIMIT, "line of %zu characters", len);
    if (!wire_get_span(&list->left, len, &line) ||
            (end && !wire_get_span(&list->left, 1, &e->data)))
        return err_set(err, ERR_SYNTAX, "cut short");
    e->data = SPAN_EMPTY;
    if (!get_pcr(&line, &e->pcr) || !get_hash(&line, e) ||
            !get_word(&line, &e->name) || e->name.len > IMA_TEMPLATE_NAME_MAX)
        return err_set(err, ERR_SYNTAX, "PCR, hash or template is malformed");
    if (!ima_template_fields(e->name, e))
        return err_set(err, ERR_UNSUPPORTED, "template is not known");
    e->known = true;
    if (!get_fields(&line, e))
        return err_set(err, ERR_SYNTAX, "fields are missing");
    for (size_t i = 0; i < e->n_fields; i++) {
        struct ima_sink s = {0};
        size_t size;

        /* Sizes are cheap; what is long is decoded when it is hashed. */
        if (!ima_ascii_size(&e->field[i], &size) ||
                (size < 256 && !ima_ascii_put(&e->field[i], &s)))
            return err_set(err, ERR_SYNTAX, "field %zu is malformed", i + 1);
    }
    return 0;
}

/* ---- fields ---------------------------------------------------------- */

/* Text "a:b:hex": length of "a:b:", 0 when there is no colon. */
static size_t digest_prefix(struct span text)
{
    size_t n = text.len;

    while (n > 0 && text.ptr[n - 1] != ':')
        n--;
    return n;
}

static size_t uint_size(enum ima_kind kind)
{
    return kind == IMA_IMODE ? 2 : 4;
}

bool ima_ascii_size(const struct ima_field *f, size_t *ret)
{
    struct span t = f->raw;
    size_t prefix;

    switch (f->kind) {
    case IMA_D_NG:
    case IMA_D_NGV2:
    case IMA_D_MODSIG:
        prefix = digest_prefix(t);
        if (prefix < 2 || (t.len - prefix) % 2) {
            *ret = 0;
            return t.len == 0 && f->kind == IMA_D_MODSIG;
        }
        *ret = prefix + 1 + (t.len - prefix) / 2;
        return true;
    case IMA_N:
        *ret = t.len;
        return true;
    case IMA_N_NG:
        *ret = t.len + 1;
        return true;
    case IMA_XATTRNAMES:
        *ret = t.len ? t.len + 1 : 0;
        return true;
    case IMA_D:
    case IMA_SIG:
    case IMA_BUF:
    case IMA_MODSIG:
    case IMA_EVMSIG:
    case IMA_XATTRLENGTHS:
    case IMA_XATTRVALUES:
        *ret = t.len / 2;
        return t.len % 2 == 0;
    case IMA_IUID:
    case IMA_IGID:
    case IMA_IMODE:
        *ret = t.len ? uint_size(f->kind) : 0;
        return true;
    }
    return false;
}

static bool put_uint(const struct ima_field *f, struct ima_sink *s)
{
    size_t n = uint_size(f->kind);
    uint8_t le[4];
    uint64_t v;

    if (f->raw.len == 0)
        return true;
    if (!text_parse_u64(f->raw, &v) || v > (n == 2 ? UINT16_MAX : UINT32_MAX))
        return false;
    for (size_t i = 0; i < n; i++)
        le[i] = (uint8_t)(v >> 8 * i);
    ima_sink_put(s, SPAN(le, n));
    return true;
}

static bool put_digest(struct span t, struct ima_sink *s)
{
    size_t prefix = digest_prefix(t);

    ima_sink_put(s, SPAN(t.ptr, prefix));
    if (prefix > 0)
        ima_sink_put(s, SPAN("", 1));
    return ima_sink_put_hex(s, SPAN(t.ptr + prefix, t.len - prefix));
}

bool ima_ascii_put(const struct ima_field *f, struct ima_sink *s)
{
    switch (f->kind) {
    case IMA_D_NG:
    case IMA_D_NGV2:
    case IMA_D_MODSIG:
        return f->raw.len == 0 || put_digest(f->raw, s);
    case IMA_N:
        ima_sink_put(s, f->raw);
        return true;
    case IMA_N_NG:
        ima_sink_put(s, f->raw);
        ima_sink_put(s, SPAN("", 1));
        return true;
    case IMA_XATTRNAMES:
        ima_sink_put(s, f->raw);
        if (f->raw.len > 0)
            ima_sink_put(s, SPAN("", 1));
        return true;
    case IMA_D:
    case IMA_SIG:
    case IMA_BUF:
    case IMA_MODSIG:
    case IMA_EVMSIG:
    case IMA_XATTRLENGTHS:
    case IMA_XATTRVALUES:
        return ima_sink_put_hex(s, f->raw);
    case IMA_IUID:
    case IMA_IGID:
    case IMA_IMODE:
        return put_uint(f, s);
    }
    return false;
}
