/* SPDX-License-Identifier: Apache-2.0 */
/* Values as text: docs/proto/rules.md, section 2. */
#include "rules_private.h"

#include <inttypes.h>
#include <stdio.h>

static bool is_bare(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || (c && strchr("._:/@=+,-", c));
}

/* "not" would read as a part of "is not". */
static bool is_word(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!is_bare(s.ptr[i]))
            return false;
    }
    return s.len > 0 && !span_eq_str(s, "not");
}

/* ---- out ------------------------------------------------------------- */

static void format_quoted(struct span s, struct buf *ret)
{
    buf_append_u8(ret, '"');
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.ptr[i];

        if (c == '"' || c == '\\')
            buf_append_u8(ret, '\\');
        if (c >= 0x20 && c < 0x7f)
            buf_append_u8(ret, c);
        else
            buf_printf(ret, "\\x%02x", c);
    }
    buf_append_u8(ret, '"');
}

static void format_hex(struct span s, struct buf *ret)
{
    uint8_t *p = buf_reserve(ret, TEXT_HEX_SIZE(s.len));

    if (!p)
        return;
    text_format_hex(s, (char *)p);
    buf_commit(ret, TEXT_HEX_SIZE(s.len) - 1);
}

static void format_bool(const struct claim_value *v, struct buf *ret)
{
    buf_append_str(ret, v->yes ? "yes" : "no");
}

static void format_number(const struct claim_value *v, struct buf *ret)
{
    buf_printf(ret, "%" PRIu64, v->number);
}

static void format_bytes(const struct claim_value *v, struct buf *ret)
{
    format_hex(v->bytes, ret);
}

static void format_text(const struct claim_value *v, struct buf *ret)
{
    if (is_word(v->bytes))
        buf_append(ret, v->bytes);
    else
        format_quoted(v->bytes, ret);
}

static void format_parts(const struct claim_value *v, struct buf *ret)
{
    for (size_t i = 0; i < v->n_parts; i++)
        buf_printf(ret, "%s%" PRIu64, i ? "." : "", v->part[i]);
}

/* ---- in -------------------------------------------------------------- */

static bool parse_bool(
        struct span s, size_t size, uint8_t *room, struct claim_value *v)
{
    (void)size;
    (void)room;
    v->yes = span_eq_str(s, "yes");
    return v->yes || span_eq_str(s, "no");
}

static bool parse_hex_number(struct span s, uint64_t *ret)
{
    uint64_t n = 0;

    if (s.len < 3 || s.len > 18 || s.ptr[0] != '0' || s.ptr[1] != 'x' ||
            (s.ptr[2] == '0' && s.len > 3))
        return false;
    for (size_t i = 2; i < s.len; i++) {
        const char *digits = "0123456789abcdef";
        const char *at = s.ptr[i] ? strchr(digits, s.ptr[i]) : NULL;

        if (!at)
            return false;
        n = n << 4 | (uint64_t)(at - digits);
    }
    *ret = n;
    return true;
}

static bool parse_number(
        struct span s, size_t size, uint8_t *room, struct claim_value *v)
{
    (void)size;
    (void)room;
    return text_parse_u64(s, &v->number) || parse_hex_number(s, &v->number);
}

static bool parse_bytes(
        struct span s, size_t size, uint8_t *room, struct claim_value *v)
{
    size_t n = s.len / 2;

    if (s.len % 2 || n < 1 || n > CLAIM_BYTES_MAX || (size && n != size) ||
            !text_parse_hex(s, room, n))
        return false;
    v->bytes = SPAN(room, n);
    return true;
}

/* Behind a backslash; false when it is none of ours. */
static bool unescape(struct span *rest, uint8_t *ret)
{
    if (rest->len >= 1 && (rest->ptr[0] == '"' || rest->ptr[0] == '\\')) {
        *ret = rest->ptr[0];
        *rest = SPAN(rest->ptr + 1, rest->len - 1);
        return true;
    }
    if (rest->len < 3 || rest->ptr[0] != 'x' ||
            !text_parse_hex(SPAN(rest->ptr + 1, 2), ret, 1))
        return false;
    *rest = SPAN(rest->ptr + 3, rest->len - 3);
    return true;
}

static bool parse_text(
        struct span s, size_t size, uint8_t *room, struct claim_value *v)
{
    size_t n = 0;

    (void)size;
    if (is_word(s) && s.len <= CLAIM_TEXT_MAX) {
        memcpy(room, s.ptr, s.len);
        v->bytes = SPAN(room, s.len);
        return true;
    }
    if (s.len < 2 || s.ptr[0] != '"')
        return false;
    s = SPAN(s.ptr + 1, s.len - 1);
    while (s.len > 0 && s.ptr[0] != '"') {
        uint8_t c = s.ptr[0];

        s = SPAN(s.ptr + 1, s.len - 1);
        if (c < 0x20 || c >= 0x7f || n == CLAIM_TEXT_MAX ||
                (c == '\\' && !unescape(&s, &c)))
            return false;
        room[n++] = c;
    }
    v->bytes = SPAN(room, n);
    return s.len == 1;
}

static bool parse_parts(
        struct span s, size_t size, uint8_t *room, struct claim_value *v)
{
    (void)size;
    (void)room;
    for (;;) {
        size_t n = 0;

        while (n < s.len && s.ptr[n] != '.')
            n++;
        if (v->n_parts == CLAIM_PARTS_MAX ||
                !text_parse_u64(SPAN(s.ptr, n), &v->part[v->n_parts]))
            return false;
        v->n_parts++;
        if (n == s.len)
            return true;
        s = SPAN(s.ptr + n + 1, s.len - n - 1);
    }
}

static const struct codec {
    void (*format)(const struct claim_value *v, struct buf *ret);
    bool (*parse)(struct span text, size_t size, uint8_t *room,
            struct claim_value *v);
    const char *form;
} codecs[CLAIM_TYPE_COUNT] = {
        [CLAIM_BOOL] = {format_bool, parse_bool, "yes or no"},
        [CLAIM_NUMBER] = {format_number, parse_number, "17 or 0x11"},
        [CLAIM_BYTES] = {format_bytes, parse_bytes, "lower-case hex"},
        [CLAIM_TEXT] = {format_text, parse_text, "word or \"quoted words\""},
        [CLAIM_VERSION] = {format_parts, parse_parts, "1.55.21"},
        [CLAIM_VECTOR] = {format_parts, parse_parts, "3.0.8.115"},
};

void claims_format_value(const struct claim_value *v, struct buf *ret)
{
    codecs[v->type].format(v, ret);
}

int claims_parse_value(struct span text, const struct claim_def *d,
        uint8_t *room, struct claim_value *ret, struct err *err)
{
    const struct codec *c = &codecs[d->type];
    struct claim_value v = {.type = d->type};
    char shown[80], size[32] = "";

    if (c->parse(text, d->size, room, &v)) {
        *ret = v;
        return 0;
    }
    text_format_safe(text, shown, sizeof(shown));
    if (d->type == CLAIM_BYTES && d->size)
        (void)snprintf(size, sizeof(size), ", %zu bytes of it", d->size);
    return err_set(err, ERR_SYNTAX, "%s is %s (%s%s), not '%s'", d->name,
            claims_type_name(d->type), c->form, size, shown);
}
