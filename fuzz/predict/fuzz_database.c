/* SPDX-License-Identifier: Apache-2.0 */
/* Signature databases, held against an image without a signature. */
#include "predict.h"

#include <stdlib.h>

/* The smallest image that is one: headers and two bytes of a section. */
static size_t make_image(uint8_t *b, size_t cap)
{
    struct wire_writer w = wire_writer_of(b, cap);
    static const uint8_t zero[256];
    const size_t headers = 0x58 + 0xf0 + 40;
    struct span all;

    wire_put_bytes(&w, (const uint8_t *)"MZ", 2);
    wire_put_bytes(&w, zero, 0x3a);
    wire_put_u32le(&w, 0x40);
    wire_put_bytes(&w, (const uint8_t *)"PE\0\0\x64\x86\1\0", 8);
    wire_put_bytes(&w, zero, 12);
    wire_put_u16le(&w, 0xf0);
    wire_put_u16le(&w, 0);
    wire_put_u16le(&w, 0x20b);
    wire_put_bytes(&w, zero, 54);
    wire_put_u32le(&w, 0x2000);
    wire_put_u32le(&w, (uint32_t)headers);
    wire_put_bytes(&w, zero, 44);
    wire_put_u32le(&w, 16);
    wire_put_bytes(&w, zero, 128);
    wire_put_bytes(&w, (const uint8_t *)".text\0\0\0", 8);
    wire_put_u32le(&w, 2);
    wire_put_u32le(&w, 0x1000);
    wire_put_u32le(&w, 2);
    wire_put_u32le(&w, (uint32_t)headers);
    wire_put_bytes(&w, zero, 16);
    wire_put_u16le(&w, 0xfeeb);
    if (!wire_finish(&w, &all))
        abort();
    return all.len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t bytes[1024];
    struct predict_file f = {"image", SPAN(bytes, 0)};
    struct predict_variables v = {.db = SPAN(data, size)};
    struct pe pe;
    struct span s;

    f.data.len = make_image(bytes, sizeof(bytes));
    if (pe_parse(f.data, &pe, NULL) != 0)
        abort();
    if (predict_boot_find_authority(&f, &v, &s, NULL) == 0 &&
            (s.ptr < data || s.len > size))
        abort();
    v = (struct predict_variables){.dbx = SPAN(data, size)};
    if (predict_boot_find_authority(&f, &v, &s, NULL) == 0)
        abort();
    return 0;
}
