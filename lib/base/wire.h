/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one reader and the one writer of binary formats.
 *
 * Reader: every getter checks bounds, returns false and leaves both reader
 * and output untouched when the bytes are not there.  A decoder is a chain
 *
 *     if (!wire_get_u16be(&r, &type) || !wire_get_vec16be(&r, &name) ||
 *             !wire_end(&r))
 *         return err_set(err, ERR_SYNTAX, ...);
 *
 * in the order of the format; trailing bytes are an error (wire_end); what the
 * values mean is checked afterwards.  Spans point into the caller's bytes.
 *
 * Writer: a caller's buffer with a sticky overflow flag that is checked once,
 * by wire_finish.
 *
 * Contracts are in ACSL and proved by script/proof (Frama-C WP).
 */
#ifndef QAIR_BASE_WIRE_H
#define QAIR_BASE_WIRE_H

#include "attr.h"
#include "span.h"

struct wire_reader {
    const uint8_t *ptr;
    size_t left;
};

static inline struct wire_reader wire_reader_of(struct span s)
{
    return (struct wire_reader){.ptr = s.ptr, .left = s.len};
}

bool wire_get_u8(struct wire_reader *r, uint8_t *ret) MUST_CHECK;
bool wire_get_u16be(struct wire_reader *r, uint16_t *ret) MUST_CHECK;
bool wire_get_u32be(struct wire_reader *r, uint32_t *ret) MUST_CHECK;
bool wire_get_u64be(struct wire_reader *r, uint64_t *ret) MUST_CHECK;
bool wire_get_u16le(struct wire_reader *r, uint16_t *ret) MUST_CHECK;
bool wire_get_u32le(struct wire_reader *r, uint32_t *ret) MUST_CHECK;
bool wire_get_u64le(struct wire_reader *r, uint64_t *ret) MUST_CHECK;
/* The next len bytes, borrowed. */
bool wire_get_span(struct wire_reader *r, size_t len, struct span *ret)
        MUST_CHECK;
/* The next len bytes, copied. */
bool wire_get_copy(struct wire_reader *r, uint8_t *ret, size_t len) MUST_CHECK;
/* A length prefix, then that many bytes. */
bool wire_get_vec8(struct wire_reader *r, struct span *ret) MUST_CHECK;
bool wire_get_vec16be(struct wire_reader *r, struct span *ret) MUST_CHECK;
bool wire_get_vec32be(struct wire_reader *r, struct span *ret) MUST_CHECK;
bool wire_get_vec32le(struct wire_reader *r, struct span *ret) MUST_CHECK;
/* The next len bytes as a reader of their own. */
bool wire_get_sub(struct wire_reader *r, size_t len, struct wire_reader *ret)
        MUST_CHECK;
/* True when nothing is left. */
bool wire_end(const struct wire_reader *r) MUST_CHECK;

struct wire_writer {
    uint8_t *buf;
    size_t cap;
    size_t len;
    bool overflow;
};

static inline struct wire_writer wire_writer_of(void *buf, size_t cap)
{
    return (struct wire_writer){.buf = (uint8_t *)buf, .cap = cap};
}

void wire_put_u8(struct wire_writer *w, uint8_t v);
void wire_put_u16be(struct wire_writer *w, uint16_t v);
void wire_put_u32be(struct wire_writer *w, uint32_t v);
void wire_put_u64be(struct wire_writer *w, uint64_t v);
void wire_put_u16le(struct wire_writer *w, uint16_t v);
void wire_put_u32le(struct wire_writer *w, uint32_t v);
void wire_put_u64le(struct wire_writer *w, uint64_t v);
void wire_put_bytes(struct wire_writer *w, const uint8_t *ptr, size_t len);
/* A length prefix and the bytes; overflow when the length does not fit it. */
void wire_put_vec8(struct wire_writer *w, struct span s);
void wire_put_vec16be(struct wire_writer *w, struct span s);
void wire_put_vec32be(struct wire_writer *w, struct span s);
void wire_put_vec32le(struct wire_writer *w, struct span s);
/* True when all fitted; *ret is what was written. */
bool wire_finish(const struct wire_writer *w, struct span *ret) MUST_CHECK;

#endif
