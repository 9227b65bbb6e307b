/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include <stdio.h>

static const char hex_digits[] = "0123456789abcdef";

void text_format_hex(struct span s, char *ret)
{
    for (size_t i = 0; i < s.len; i++) {
        ret[2 * i] = hex_digits[s.ptr[i] >> 4];
        ret[2 * i + 1] = hex_digits[s.ptr[i] & 15];
    }
    ret[2 * s.len] = '\0';
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

bool text_parse_hex(struct span text, uint8_t *ret, size_t len)
{
    if (text.len != 2 * len)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (hex_value(text.ptr[i]) < 0)
            return false;
    }
    for (size_t i = 0; i < len; i++)
        ret[i] = (uint8_t)(hex_value(text.ptr[2 * i]) << 4 |
                           hex_value(text.ptr[2 * i + 1]));
    return true;
}

static const char b64_digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void text_format_b64(struct span s, char *ret)
{
    size_t o = 0;

    for (size_t i = 0; i < s.len; i += 3) {
        size_t n = s.len - i < 3 ? s.len - i : 3;
        uint32_t v = (uint32_t)s.ptr[i] << 16;

        if (n > 1)
            v |= (uint32_t)s.ptr[i + 1] << 8;
        if (n > 2)
            v |= s.ptr[i + 2];
        ret[o++] = b64_digits[v >> 18];
        ret[o++] = b64_digits[v >> 12 & 63];
        ret[o++] = n > 1 ? b64_digits[v >> 6 & 63] : '=';
        ret[o++] = n > 2 ? b64_digits[v & 63] : '=';
    }
    ret[o] = '\0';
}

static int b64_value(uint8_t c, bool url_too)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || (url_too && c == '-'))
        return 62;
    if (c == '/' || (url_too && c == '_'))
        return 63;
    return -1;
}

/* Number of '=' at the end of canonical text, or -1 when not canonical. */
static int b64_padding(struct span text, bool url_too)
{
    size_t pad = 0;
    int last;

    if (text.len % 4 != 0)
        return -1;
    while (pad < 2 && pad < text.len && text.ptr[text.len - 1 - pad] == '=')
        pad++;
    for (size_t i = 0; i < text.len - pad; i++) {
        if (b64_value(text.ptr[i], url_too) < 0)
            return -1;
    }
    if (pad > 0) {
        last = b64_value(text.ptr[text.len - 1 - pad], url_too);
        if ((last & (pad == 1 ? 3 : 15)) != 0)
            return -1;
    }
    return (int)pad;
}

static bool parse_b64(struct span text, bool url_too, uint8_t *ret, size_t cap,
        size_t *ret_len)
{
    int pad = b64_padding(text, url_too);
    size_t len, o = 0;

    if (pad < 0)
        return false;
    len = text.len / 4 * 3 - (size_t)pad;
    if (len > cap)
        return false;
    for (size_t i = 0; i < text.len; i += 4) {
        uint32_t v = 0;

        for (size_t k = 0; k < 4; k++) {
            int d = b64_value(text.ptr[i + k], url_too);
            v = v << 6 | (d < 0 ? 0 : (uint32_t)d);
        }
        for (size_t k = 0; k < 3 && o < len; k++)
            ret[o++] = (uint8_t)(v >> (16 - 8 * k));
    }
    *ret_len = len;
    return true;
}

bool text_parse_b64(struct span text, uint8_t *ret, size_t cap, size_t *ret_len)
{
    return parse_b64(text, false, ret, cap, ret_len);
}

bool text_parse_b64_any(
        struct span text, uint8_t *ret, size_t cap, size_t *ret_len)
{
    return parse_b64(text, true, ret, cap, ret_len);
}

bool text_parse_u64(struct span text, uint64_t *ret)
{
    uint64_t v = 0;

    if (text.len == 0 || (text.len > 1 && text.ptr[0] == '0'))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        unsigned d = (unsigned)text.ptr[i] - '0';

        if (d > 9 || v > (UINT64_MAX - d) / 10)
            return false;
        v = v * 10 + d;
    }
    *ret = v;
    return true;
}

bool text_parse_bits(struct span text, unsigned n, uint32_t *ret)
{
    uint32_t bits = 0;
    uint64_t v;

    for (;;) {
        const uint8_t *comma =
                text.len ? memchr(text.ptr, ',', text.len) : NULL;
        size_t len = comma ? (size_t)(comma - text.ptr) : text.len;

        if (!text_parse_u64(SPAN(text.ptr, len), &v) || v >= n || v >= 32 ||
                bits >> v)
            return false;
        bits |= 1u << v;
        if (!comma)
            break;
        text = SPAN(comma + 1, text.len - len - 1);
    }
    *ret = bits;
    return true;
}

void text_format_bits(uint32_t bits, char ret[static TEXT_BITS_SIZE])
{
    size_t len = 0;

    ret[0] = '\0';
    for (unsigned i = 0; i < 32; i++) {
        if (bits >> i & 1)
            len += (size_t)snprintf(
                    ret + len, TEXT_BITS_SIZE - len, "%s%u", len ? "," : "", i);
    }
}

/* Days since 1970-01-01 of a civil date and back (proleptic Gregorian). */
static int64_t days_from_civil(int64_t y, unsigned m, unsigned d)
{
    int64_t era, yoe, doy;

    y -= m <= 2;
    era = y / 400;
    yoe = y - era * 400;
    doy = (153 * ((int64_t)m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

bool text_format_time(uint64_t unix_s, char ret[static TEXT_TIME_SIZE])
{
    int64_t z, era, doe, yoe, doy, mp, y;
    unsigned s = (unsigned)(unix_s % 86400);
    char out[TEXT_TIME_SIZE + 40];

    if (unix_s > 253402300799u) /* 9999-12-31T23:59:59Z */
        return false;
    z = (int64_t)(unix_s / 86400) + 719468;
    era = z / 146097;
    doe = z - era * 146097;
    yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    mp = (5 * doy + 2) / 153;
    y = yoe + era * 400 + (mp >= 10);
    (void)snprintf(out, sizeof(out), "%04u-%02u-%02uT%02u:%02u:%02uZ",
            (unsigned)y, (unsigned)(mp < 10 ? mp + 3 : mp - 9),
            (unsigned)(doy - (153 * mp + 2) / 5 + 1), s / 3600, s / 60 % 60,
            s % 60);
    memcpy(ret, out, TEXT_TIME_SIZE);
    return true;
}

static bool parse_digits(struct span text, size_t at, size_t n, unsigned *ret)
{
    unsigned v = 0;

    for (size_t i = at; i < at + n; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        v = v * 10 + (unsigned)(text.ptr[i] - '0');
    }
    *ret = v;
    return true;
}

bool text_parse_time(struct span text, uint64_t *ret_unix_s)
{
    unsigned y, mo, d, h, mi, s;
    char again[TEXT_TIME_SIZE];
    uint64_t t;

    if (text.len != TEXT_TIME_SIZE - 1 || !parse_digits(text, 0, 4, &y) ||
            !parse_digits(text, 5, 2, &mo) || !parse_digits(text, 8, 2, &d) ||
            !parse_digits(text, 11, 2, &h) || !parse_digits(text, 14, 2, &mi) ||
            !parse_digits(text, 17, 2, &s))
        return false;
    if (y < 1970 || mo < 1 || mo > 12 || d < 1)
        return false;
    t = (uint64_t)days_from_civil(y, mo, d) * 86400 + h * 3600u + mi * 60u + s;
    /* Formatting again refuses 30 February, 25:00 and wrong punctuation. */
    if (!text_format_time(t, again) || memcmp(again, text.ptr, text.len) != 0)
        return false;
    *ret_unix_s = t;
    return true;
}

bool text_is_name(struct span text, size_t max)
{
    if (text.len == 0 || text.len > max)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        bool alnum = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');

        if (!alnum && (i == 0 || (c != '.' && c != '_' && c != '-')))
            return false;
    }
    return true;
}

/* Length of the well-formed UTF-8 sequence at p (Unicode table 3-7), or 0. */
static size_t utf8_length(const uint8_t *p, size_t left)
{
    uint8_t lo = 0x80, hi = 0xbf;
    size_t n;

    if (p[0] < 0x80)
        return p[0] != 0;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (left < n)
        return 0;
    if (p[0] == 0xe0)
        lo = 0xa0;
    if (p[0] == 0xed)
        hi = 0x9f;
    if (p[0] == 0xf0)
        lo = 0x90;
    if (p[0] == 0xf4)
        hi = 0x8f;
    if (p[1] < lo || p[1] > hi)
        return 0;
    for (size_t i = 2; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    return n;
}

bool text_is_utf8(struct span text)
{
    size_t i = 0;

    while (i < text.len) {
        size_t n = utf8_length(text.ptr + i, text.len - i);

        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

static bool is_plain(uint8_t c)
{
    return c >= 0x20 && c < 0x7f && c != '\\';
}

void text_format_safe(struct span text, char *ret, size_t cap)
{
    size_t o = 0, whole = 0, room;

    if (cap == 0)
        return;
    for (size_t i = 0; i < text.len && whole < cap; i++)
        whole += is_plain(text.ptr[i]) ? 1 : 4;
    /* When not all of it fits, three places are kept for the dots. */
    room = whole < cap ? cap - 1 : cap > 4 ? cap - 4 : 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];

        if (o + (is_plain(c) ? 1 : 4) > room)
            break;
        if (is_plain(c)) {
            ret[o++] = (char)c;
            continue;
        }
        ret[o++] = '\\';
        ret[o++] = 'x';
        ret[o++] = hex_digits[c >> 4];
        ret[o++] = hex_digits[c & 15];
    }
    for (size_t k = 0; whole >= cap && k < 3 && o + 1 < cap; k++)
        ret[o++] = '.';
    ret[o] = '\0';
}

bool text_next_line(struct text_lines *l, struct span *ret)
{
    const uint8_t *nl;
    size_t len;

    if (l->left == 0)
        return false;
    nl = memchr(l->ptr, '\n', l->left);
    len = nl ? (size_t)(nl - l->ptr) : l->left;
    *ret = SPAN(l->ptr, len);
    if (nl)
        len++;
    l->ptr += len;
    l->left -= len;
    l->line++;
    return true;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

bool text_next_word(struct span *rest, struct span *ret)
{
    size_t i = 0, start;

    while (i < rest->len && is_blank(rest->ptr[i]))
        i++;
    if (i == rest->len)
        return false;
    start = i;
    while (i < rest->len && !is_blank(rest->ptr[i]))
        i++;
    *ret = SPAN(rest->ptr + start, i - start);
    *rest = SPAN(rest->ptr + i, rest->len - i);
    return true;
}

struct span text_trim(struct span text)
{
    while (text.len > 0 && is_blank(text.ptr[0]))
        text = SPAN(text.ptr + 1, text.len - 1);
    while (text.len > 0 && is_blank(text.ptr[text.len - 1]))
        text.len--;
    return text;
}
