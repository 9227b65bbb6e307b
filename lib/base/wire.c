/* SPDX-License-Identifier: Apache-2.0 */
#include "wire.h"

bool wire_get_u8(struct wire_reader *r, uint8_t *ret)
{
    if (r->left < 1)
        return false;
    *ret = r->ptr[0];
    r->ptr += 1;
    r->left -= 1;
    return true;
}

bool wire_get_u16be(struct wire_reader *r, uint16_t *ret)
{
    if (r->left < 2)
        return false;
    *ret = (uint16_t)(r->ptr[0] << 8 | r->ptr[1]);
    r->ptr += 2;
    r->left -= 2;
    return true;
}

bool wire_get_u32be(struct wire_reader *r, uint32_t *ret)
{
    if (r->left < 4)
        return false;
    *ret = (uint32_t)r->ptr[0] << 24 | (uint32_t)r->ptr[1] << 16 |
           (uint32_t)r->ptr[2] << 8 | r->ptr[3];
    r->ptr += 4;
    r->left -= 4;
    return true;
}

bool wire_get_u64be(struct wire_reader *r, uint64_t *ret)
{
    uint64_t v = 0;

    if (r->left < 8)
        return false;
    for (size_t i = 0; i < 8; i++)
        v = v << 8 | r->ptr[i];
    *ret = v;
    r->ptr += 8;
    r->left -= 8;
    return true;
}

bool wire_get_u16le(struct wire_reader *r, uint16_t *ret)
{
    if (r->left < 2)
        return false;
    *ret = (uint16_t)(r->ptr[1] << 8 | r->ptr[0]);
    r->ptr += 2;
    r->left -= 2;
    return true;
}

bool wire_get_u32le(struct wire_reader *r, uint32_t *ret)
{
    if (r->left < 4)
        return false;
    *ret = (uint32_t)r->ptr[3] << 24 | (uint32_t)r->ptr[2] << 16 |
           (uint32_t)r->ptr[1] << 8 | r->ptr[0];
    r->ptr += 4;
    r->left -= 4;
    return true;
}

bool wire_get_u64le(struct wire_reader *r, uint64_t *ret)
{
    uint64_t v = 0;

    if (r->left < 8)
        return false;
    for (size_t i = 8; i > 0; i--)
        v = v << 8 | r->ptr[i - 1];
    *ret = v;
    r->ptr += 8;
    r->left -= 8;
    return true;
}

bool wire_get_span(struct wire_reader *r, size_t len, struct span *ret)
{
    if (r->left < len)
        return false;
    ret->ptr = r->ptr;
    ret->len = len;
    r->ptr += len;
    r->left -= len;
    return true;
}

bool wire_get_copy(struct wire_reader *r, uint8_t *ret, size_t len)
{
    if (r->left < len)
        return false;
    for (size_t i = 0; i < len; i++)
        ret[i] = r->ptr[i];
    r->ptr += len;
    r->left -= len;
    return true;
}

bool wire_get_vec8(struct wire_reader *r, struct span *ret)
{
    size_t len;

    if (r->left < 1)
        return false;
    len = r->ptr[0];
    if (r->left - 1 < len)
        return false;
    ret->ptr = r->ptr + 1;
    ret->len = len;
    r->ptr += 1 + len;
    r->left -= 1 + len;
    return true;
}

bool wire_get_vec16be(struct wire_reader *r, struct span *ret)
{
    size_t len;

    if (r->left < 2)
        return false;
    len = (size_t)r->ptr[0] << 8 | r->ptr[1];
    if (r->left - 2 < len)
        return false;
    ret->ptr = r->ptr + 2;
    ret->len = len;
    r->ptr += 2 + len;
    r->left -= 2 + len;
    return true;
}

bool wire_get_vec32be(struct wire_reader *r, struct span *ret)
{
    size_t len;

    if (r->left < 4)
        return false;
    len = (size_t)r->ptr[0] << 24 | (size_t)r->ptr[1] << 16 |
          (size_t)r->ptr[2] << 8 | r->ptr[3];
    if (r->left - 4 < len)
        return false;
    ret->ptr = r->ptr + 4;
    ret->len = len;
    r->ptr += 4 + len;
    r->left -= 4 + len;
    return true;
}

bool wire_get_vec32le(struct wire_reader *r, struct span *ret)
{
    size_t len;

    if (r->left < 4)
        return false;
    len = (size_t)r->ptr[3] << 24 | (size_t)r->ptr[2] << 16 |
          (size_t)r->ptr[1] << 8 | r->ptr[0];
    if (r->left - 4 < len)
        return false;
    ret->ptr = r->ptr + 4;
    ret->len = len;
    r->ptr += 4 + len;
    r->left -= 4 + len;
    return true;
}

bool wire_get_sub(struct wire_reader *r, size_t len, struct wire_reader *ret)
{
    if (r->left < len)
        return false;
    ret->ptr = r->ptr;
    ret->left = len;
    r->ptr += len;
    r->left -= len;
    return true;
}

bool wire_end(const struct wire_reader *r)
{
    return r->left == 0;
}

/* Room for n more bytes, or the sticky flag. */
static bool wire_reserve(struct wire_writer *w, size_t n)
{
    if (w->overflow || w->cap - w->len < n) {
        w->overflow = true;
        return false;
    }
    return true;
}

void wire_put_u8(struct wire_writer *w, uint8_t v)
{
    if (!wire_reserve(w, 1))
        return;
    w->buf[w->len] = v;
    w->len += 1;
}

static void wire_put_be(struct wire_writer *w, uint64_t v, size_t n)
{
    if (!wire_reserve(w, n))
        return;
    for (size_t i = 0; i < n; i++)
        w->buf[w->len + i] = (uint8_t)(v >> (8 * (n - 1 - i)));
    w->len += n;
}

static void wire_put_le(struct wire_writer *w, uint64_t v, size_t n)
{
    if (!wire_reserve(w, n))
        return;
    for (size_t i = 0; i < n; i++)
        w->buf[w->len + i] = (uint8_t)(v >> (8 * i));
    w->len += n;
}

void wire_put_u16be(struct wire_writer *w, uint16_t v)
{
    wire_put_be(w, v, 2);
}

void wire_put_u32be(struct wire_writer *w, uint32_t v)
{
    wire_put_be(w, v, 4);
}

void wire_put_u64be(struct wire_writer *w, uint64_t v)
{
    wire_put_be(w, v, 8);
}

void wire_put_u16le(struct wire_writer *w, uint16_t v)
{
    wire_put_le(w, v, 2);
}

void wire_put_u32le(struct wire_writer *w, uint32_t v)
{
    wire_put_le(w, v, 4);
}

void wire_put_u64le(struct wire_writer *w, uint64_t v)
{
    wire_put_le(w, v, 8);
}

void wire_put_bytes(struct wire_writer *w, const uint8_t *ptr, size_t len)
{
    if (!wire_reserve(w, len))
        return;
    for (size_t i = 0; i < len; i++)
        w->buf[w->len + i] = ptr[i];
    w->len += len;
}

void wire_put_vec8(struct wire_writer *w, struct span s)
{
    if (s.len > UINT8_MAX)
        w->overflow = true;
    wire_put_u8(w, (uint8_t)s.len);
    wire_put_bytes(w, s.ptr, s.len);
}

void wire_put_vec16be(struct wire_writer *w, struct span s)
{
    if (s.len > UINT16_MAX)
        w->overflow = true;
    wire_put_u16be(w, (uint16_t)s.len);
    wire_put_bytes(w, s.ptr, s.len);
}

void wire_put_vec32be(struct wire_writer *w, struct span s)
{
    if (s.len > UINT32_MAX)
        w->overflow = true;
    wire_put_u32be(w, (uint32_t)s.len);
    wire_put_bytes(w, s.ptr, s.len);
}

void wire_put_vec32le(struct wire_writer *w, struct span s)
{
    if (s.len > UINT32_MAX)
        w->overflow = true;
    wire_put_u32le(w, (uint32_t)s.len);
    wire_put_bytes(w, s.ptr, s.len);
}

bool wire_finish(const struct wire_writer *w, struct span *ret)
{
    if (w->overflow)
        return false;
    ret->ptr = w->buf;
    ret->len = w->len;
    return true;
}
