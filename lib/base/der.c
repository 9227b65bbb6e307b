/* SPDX-License-Identifier: Apache-2.0 */
#include "der.h"
#include "text.h"

/* Content of 2^24 bytes and more has no place in what is read here. */
#define LENGTH_BYTES_MAX 3

static bool get_length(struct wire_reader *r, size_t *ret)
{
    uint8_t b = 0, n;
    size_t len = 0;

    if (!wire_get_u8(r, &b))
        return false;
    if (b < 0x80) {
        *ret = b;
        return true;
    }
    n = b & 0x7f;
    if (n == 0 || n > LENGTH_BYTES_MAX) /* indefinite, or too long */
        return false;
    for (uint8_t i = 0; i < n; i++) {
        if (!wire_get_u8(r, &b) || (i == 0 && b == 0))
            return false;
        len = len << 8 | b;
    }
    if (len < 0x80) /* the short form would have done */
        return false;
    *ret = len;
    return true;
}

bool der_get_any(struct wire_reader *r, uint8_t *ret_tag, struct span *ret)
{
    struct wire_reader look = *r;
    struct span content;
    uint8_t tag;
    size_t len;

    /* 0x1f: the tag goes on in the next byte. */
    if (!wire_get_u8(&look, &tag) || (tag & 0x1f) == 0x1f ||
            !get_length(&look, &len) || !wire_get_span(&look, len, &content))
        return false;
    *r = look;
    *ret_tag = tag;
    *ret = content;
    return true;
}

bool der_get(struct wire_reader *r, uint8_t tag, struct span *ret)
{
    uint8_t got;

    return der_peek(r) == tag && der_get_any(r, &got, ret);
}

bool der_get_sub(struct wire_reader *r, uint8_t tag, struct wire_reader *ret)
{
    struct span s;

    if (!der_get(r, tag, &s))
        return false;
    *ret = wire_reader_of(s);
    return true;
}

bool der_get_whole(struct wire_reader *r, uint8_t tag, struct span *ret)
{
    const uint8_t *start = r->ptr;
    struct span s;

    if (!der_get(r, tag, &s))
        return false;
    *ret = SPAN(start, (size_t)(r->ptr - start));
    return true;
}

uint8_t der_peek(const struct wire_reader *r)
{
    return r->left ? r->ptr[0] : 0;
}

bool der_get_unsigned(struct wire_reader *r, struct span *ret)
{
    struct wire_reader look = *r;
    struct span s;

    if (!der_get(&look, DER_INTEGER, &s) || s.len == 0 || s.ptr[0] & 0x80)
        return false;
    if (s.len > 1 && s.ptr[0] == 0) {
        if (!(s.ptr[1] & 0x80)) /* not minimal */
            return false;
        s = SPAN(s.ptr + 1, s.len - 1);
    }
    *r = look;
    *ret = s;
    return true;
}

bool der_get_u64(struct wire_reader *r, uint64_t *ret)
{
    struct wire_reader look = *r;
    uint64_t v = 0;
    struct span s;

    if (!der_get_unsigned(&look, &s) || s.len > sizeof(v))
        return false;
    for (size_t i = 0; i < s.len; i++)
        v = v << 8 | s.ptr[i];
    *r = look;
    *ret = v;
    return true;
}

bool der_get_bool(struct wire_reader *r, bool *ret)
{
    struct wire_reader look = *r;
    struct span s;

    if (!der_get(&look, DER_BOOLEAN, &s) || s.len != 1 ||
            (s.ptr[0] != 0x00 && s.ptr[0] != 0xff))
        return false;
    *r = look;
    *ret = s.ptr[0] != 0;
    return true;
}

bool der_get_bits(struct wire_reader *r, struct span *ret)
{
    struct wire_reader look = *r;
    struct span s;

    if (!der_get(&look, DER_BIT_STRING, &s) || s.len == 0 || s.ptr[0] != 0)
        return false;
    *r = look;
    *ret = SPAN(s.ptr + 1, s.len - 1);
    return true;
}

/* "YYYYMMDDHHMMSSZ" in the one spelling of text_parse_time. */
static bool parse_digits(const char *d, uint64_t *ret)
{
    char text[TEXT_TIME_SIZE];
    size_t n = 0;

    for (size_t i = 0; i < 14; i++) {
        if (i == 4 || i == 6)
            text[n++] = '-';
        if (i == 8)
            text[n++] = 'T';
        if (i == 10 || i == 12)
            text[n++] = ':';
        text[n++] = d[i];
    }
    text[n++] = 'Z';
    return d[14] == 'Z' && text_parse_time(SPAN(text, n), ret);
}

bool der_get_time(struct wire_reader *r, uint64_t *ret)
{
    struct wire_reader look = *r;
    char digits[15] = "20";
    struct span s;
    uint8_t tag;
    uint64_t at;

    if (!der_get_any(&look, &tag, &s))
        return false;
    if (tag == DER_UTC_TIME && s.len == 13) {
        /* 50 to 99 are 19xx: X.509 certificates are younger than 1970. */
        if (s.ptr[0] >= '5') {
            digits[0] = '1';
            digits[1] = '9';
        }
        memcpy(digits + 2, s.ptr, 13);
    } else if (tag == DER_GENERALIZED_TIME && s.len == 15) {
        memcpy(digits, s.ptr, 15);
    } else {
        return false;
    }
    if (!parse_digits(digits, &at))
        return false;
    *r = look;
    *ret = at;
    return true;
}

size_t der_header_size(size_t content)
{
    return content < 0x80 ? 2 : content < 0x100 ? 3 : content < 0x10000 ? 4 : 5;
}

void der_put_header(struct wire_writer *w, uint8_t tag, size_t content)
{
    size_t n = der_header_size(content) - 2;

    if (content >= 1u << 24) {
        w->overflow = true;
        return;
    }
    wire_put_u8(w, tag);
    if (n > 0)
        wire_put_u8(w, (uint8_t)(0x80 | n));
    for (size_t i = n ? n : 1; i-- > 0;)
        wire_put_u8(w, (uint8_t)(content >> (8 * i)));
}
