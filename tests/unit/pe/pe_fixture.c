/* SPDX-License-Identifier: Apache-2.0 */
#include "pe_fixture.h"

#include <stdlib.h>

static void put(struct buf *image, size_t at, const void *bytes, size_t n)
{
    if (at > image->len || image->len - at < n)
        abort();
    memcpy(image->ptr + at, bytes, n);
}

void pe_fixture_set16(struct buf *image, size_t at, uint16_t v)
{
    uint8_t b[2] = {(uint8_t)v, (uint8_t)(v >> 8)};

    put(image, at, b, sizeof(b));
}

void pe_fixture_set32(struct buf *image, size_t at, uint32_t v)
{
    pe_fixture_set16(image, at, (uint16_t)v);
    pe_fixture_set16(image, at + 2, (uint16_t)(v >> 16));
}

uint32_t pe_fixture_get32(const struct buf *image, size_t at)
{
    struct wire_reader r = wire_reader_of(buf_span(image));
    struct span before;
    uint32_t v;

    if (!wire_get_span(&r, at, &before) || !wire_get_u32le(&r, &v))
        abort();
    return v;
}

static void pad(struct buf *image, size_t align)
{
    while (image->len % align)
        buf_append_u8(image, 0);
}

static void put_headers(struct buf *image, size_t n)
{
    while (image->len < PE_FIXTURE_HEADERS)
        buf_append_u8(image, 0);
    put(image, 0, "MZ", 2);
    pe_fixture_set32(image, 0x3c, PE_FIXTURE_PE);
    put(image, PE_FIXTURE_PE, "PE\0\0", 4);
    pe_fixture_set16(image, PE_FIXTURE_PE + 4, 0x8664);
    pe_fixture_set16(image, PE_FIXTURE_PE + 6, (uint16_t)n);
    pe_fixture_set16(image, PE_FIXTURE_PE + 20, 0xf0);
    pe_fixture_set16(image, PE_FIXTURE_OPT, 0x20b);
    pe_fixture_set32(image, PE_FIXTURE_OPT + 60, PE_FIXTURE_HEADERS);
    pe_fixture_set32(image, PE_FIXTURE_CKSUM, 0x12345678);
    pe_fixture_set16(image, PE_FIXTURE_OPT + 68, 10); /* EFI application */
    pe_fixture_set32(image, PE_FIXTURE_OPT + 108, 16);
}

void pe_fixture(const struct pe_fixture_section *s, size_t n, struct buf *ret)
{
    uint32_t vaddr = 0x1000;

    put_headers(ret, n);
    for (size_t i = 0; i < n; i++) {
        size_t row = PE_FIXTURE_TABLE + 40 * i;
        uint32_t at = (uint32_t)ret->len, len = (uint32_t)s[i].data.len;

        put(ret, row, s[i].name, strlen(s[i].name));
        buf_append(ret, s[i].data);
        pad(ret, PE_FIXTURE_ALIGN);
        pe_fixture_set32(ret, row + 8, len);
        pe_fixture_set32(ret, row + 12, vaddr);
        pe_fixture_set32(ret, row + 16, (uint32_t)ret->len - at);
        pe_fixture_set32(ret, row + 20, at);
        vaddr += (len + 0xfff) / 0x1000 * 0x1000;
    }
    pe_fixture_set32(ret, PE_FIXTURE_OPT + 56, vaddr);
}

void pe_fixture_sign(struct buf *image, struct span pkcs7)
{
    uint8_t head[8] = {0, 0, 0, 0, 0x00, 0x02, 0x02, 0x00};
    size_t at;

    pad(image, 8);
    at = image->len;
    buf_append(image, SPAN_OF(head));
    buf_append(image, pkcs7);
    pe_fixture_set32(image, at, (uint32_t)(8 + pkcs7.len));
    pad(image, 8);
    pe_fixture_set32(image, PE_FIXTURE_CERT, (uint32_t)at);
    pe_fixture_set32(image, PE_FIXTURE_CERT + 4, (uint32_t)(image->len - at));
}
