/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading DER (X.690, 10): one element after another over a wire reader, for
 * profiles so narrow that a general ASN.1 library would only widen them.
 * Tags are one byte; lengths are definite, minimal and below 2^24.  Every
 * getter leaves reader and output alone on failure.
 */
#ifndef QAIR_BASE_DER_H
#define QAIR_BASE_DER_H

#include "wire.h"

enum der_tag {
    DER_BOOLEAN = 0x01,
    DER_INTEGER = 0x02,
    DER_BIT_STRING = 0x03,
    DER_OCTET_STRING = 0x04,
    DER_NULL = 0x05,
    DER_OID = 0x06,
    DER_ENUMERATED = 0x0a,
    DER_UTF8_STRING = 0x0c,
    DER_PRINTABLE_STRING = 0x13,
    DER_IA5_STRING = 0x16,
    DER_UTC_TIME = 0x17,
    DER_GENERALIZED_TIME = 0x18,
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31,
};
#define DER_CONTEXT(n)             (0x80 | (n))
#define DER_CONTEXT_CONSTRUCTED(n) (0xa0 | (n))

/* The next element whatever its tag: its tag and its content. */
bool der_get_any(struct wire_reader *r, uint8_t *ret_tag, struct span *ret)
        MUST_CHECK;
/* The content of the next element, when it has that tag. */
bool der_get(struct wire_reader *r, uint8_t tag, struct span *ret) MUST_CHECK;
/* The same as a reader. */
bool der_get_sub(struct wire_reader *r, uint8_t tag, struct wire_reader *ret)
        MUST_CHECK;
/* The next element with its header, as it stands. */
bool der_get_whole(struct wire_reader *r, uint8_t tag, struct span *ret)
        MUST_CHECK;
/* Tag of the next element, 0 at the end. */
uint8_t der_peek(const struct wire_reader *r);
/* A non-negative INTEGER: its bytes without the sign byte. */
bool der_get_unsigned(struct wire_reader *r, struct span *ret) MUST_CHECK;
/* A non-negative INTEGER that fits. */
bool der_get_u64(struct wire_reader *r, uint64_t *ret) MUST_CHECK;
/* BOOLEAN: 00 or FF. */
bool der_get_bool(struct wire_reader *r, bool *ret) MUST_CHECK;
/* A BIT STRING of whole bytes. */
bool der_get_bits(struct wire_reader *r, struct span *ret) MUST_CHECK;
/* UTCTime or GeneralizedTime in UTC, as RFC 5280, 4.1.2.5: unix seconds. */
bool der_get_time(struct wire_reader *r, uint64_t *ret) MUST_CHECK;

/* Writing: bytes that a header for that much content takes, and the header. */
size_t der_header_size(size_t content);
void der_put_header(struct wire_writer *w, uint8_t tag, size_t content);

#endif
