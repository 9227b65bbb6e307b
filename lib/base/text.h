/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text codecs: strict in, canonical out.  Nothing here accepts two spellings
 * of one value: base64 must be padded, without white space and with zero
 * trailing bits; hex is lower case; decimals have no sign and no leading zero.
 */
#ifndef QAIR_BASE_TEXT_H
#define QAIR_BASE_TEXT_H

#include "attr.h"
#include "span.h"

/* Bytes that the text of n bytes needs, with its NUL. */
#define TEXT_HEX_SIZE(n) (2 * (n) + 1)
#define TEXT_B64_SIZE(n) (((n) + 2) / 3 * 4 + 1)
/* Upper bound of the bytes in base64 text of n characters. */
#define TEXT_B64_DECODED_MAX(n) ((n) / 4 * 3)

/* ret must hold TEXT_HEX_SIZE(s.len). */
void text_format_hex(struct span s, char *ret);
/* Exactly len bytes as lower-case hex. */
bool text_parse_hex(struct span text, uint8_t *ret, size_t len) MUST_CHECK;
/* ret must hold TEXT_B64_SIZE(s.len).  Standard alphabet, padded. */
void text_format_b64(struct span s, char *ret);
/* Canonical base64 into ret[cap]; false when malformed or too long. */
bool text_parse_b64(struct span text, uint8_t *ret, size_t cap, size_t *ret_len)
        MUST_CHECK;
/* As text_parse_b64, but either alphabet (DSSE lets producers choose). */
bool text_parse_b64_any(
        struct span text, uint8_t *ret, size_t cap, size_t *ret_len) MUST_CHECK;
bool text_parse_u64(struct span text, uint64_t *ret) MUST_CHECK;
/* "0,4,14": numbers below n (32 at most), ascending, as bits. */
bool text_parse_bits(struct span text, unsigned n, uint32_t *ret) MUST_CHECK;
#define TEXT_BITS_SIZE 96
/* And back; "" for none. */
void text_format_bits(uint32_t bits, char ret[static TEXT_BITS_SIZE]);
/* Time as a value: seconds since 1970 as "2026-11-25T02:06:00Z" and back. */
#define TEXT_TIME_SIZE 21
bool text_format_time(uint64_t unix_s, char ret[static TEXT_TIME_SIZE])
        MUST_CHECK;
bool text_parse_time(struct span text, uint64_t *ret_unix_s) MUST_CHECK;
/* A name of a zone, qube, key or role: [a-z0-9][a-z0-9._-]*, at most max. */
bool text_is_name(struct span text, size_t max);
/* Well-formed UTF-8 without overlong forms, surrogates or NUL. */
bool text_is_utf8(struct span text);
/*
 * Untrusted text for a person's eyes: printable ASCII stays, all else becomes
 * \xHH; cut with "..." when ret[cap] is too small.  Always NUL-terminated.
 */
void text_format_safe(struct span text, char *ret, size_t cap);

/* A scanner over lines and words of a text file; keeps position for errors. */
struct text_lines {
    const uint8_t *ptr;
    size_t left;
    unsigned line; /* of the line last returned, from 1 */
};

static inline struct text_lines text_lines_of(struct span text)
{
    return (struct text_lines){.ptr = text.ptr, .left = text.len, .line = 0};
}

/* The next line without its '\n'; a last line without '\n' counts. */
bool text_next_line(struct text_lines *l, struct span *ret) MUST_CHECK;
/* The next word of *rest, separated by ASCII space and tab. */
bool text_next_word(struct span *rest, struct span *ret) MUST_CHECK;
struct span text_trim(struct span text);

#endif
