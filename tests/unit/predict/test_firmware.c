/* SPDX-License-Identifier: Apache-2.0 */
/* OVMF: volumes within volumes, and its store of variables. */
#include "predict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define SHA256 PREDICT_BANK(CRYPTO_SHA256)

static const uint8_t ffs2[16] = {0x78, 0xe5, 0x8c, 0x8c, 0x3d, 0x8a, 0x1c, 0x4f,
        0x99, 0x35, 0x89, 0x61, 0x85, 0xc3, 0x2d, 0xd3};
static const uint8_t lzma[16] = {0x98, 0x58, 0x4e, 0xee, 0x14, 0x39, 0x59, 0x42,
        0x9d, 0x6e, 0xdc, 0x7b, 0xd7, 0x94, 0x03, 0xcf};
static const uint8_t pei_name[16] = {0x9b, 0x07, 0x38, 0x69, 0x03, 0xb5, 0x3d,
        0x4e, 0x9d, 0x24, 0xb2, 0x83, 0x37, 0xa2, 0x58, 0x06};
static const uint8_t dxe_name[16] = {0xc9, 0xbd, 0xb8, 0x7c, 0xeb, 0xf8, 0x34,
        0x4f, 0xaa, 0xea, 0x3e, 0xe4, 0xaf, 0x65, 0x16, 0xa1};
static const uint8_t nv_data[16] = {0x8d, 0x2b, 0xf1, 0xff, 0x96, 0x76, 0x8b,
        0x4c, 0xa9, 0x85, 0x27, 0x47, 0x07, 0x5b, 0x4f, 0x50};
static const uint8_t auth_store[16] = {0x78, 0x2c, 0xf3, 0xaa, 0x7b, 0x94, 0x9a,
        0x43, 0xa1, 0x80, 0x2e, 0x14, 0x4e, 0xc3, 0x77, 0x92};
static const uint8_t security[16] = {0xcb, 0xb2, 0x19, 0xd7, 0x3a, 0x3d, 0x96,
        0x45, 0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f};

static uint8_t bytes[16384];
static struct wire_writer w;

static int setup(void **state)
{
    (void)state;
    memset(bytes, 0, sizeof(bytes));
    w = wire_writer_of(bytes, sizeof(bytes));
    return 0;
}

static void put_u24(uint32_t v)
{
    wire_put_u16le(&w, (uint16_t)v);
    wire_put_u8(&w, (uint8_t)(v >> 16));
}

static void pad_to(size_t align)
{
    while (w.len % align)
        wire_put_u8(&w, 0);
}

static void put_fv(const uint8_t guid[16], uint64_t len, uint16_t extended)
{
    static const uint8_t zero[16];

    wire_put_bytes(&w, zero, 16);
    wire_put_bytes(&w, guid, 16);
    wire_put_u64le(&w, len);
    wire_put_u32le(&w, 0x4856465f);
    wire_put_u32le(&w, 0);
    wire_put_u16le(&w, 0x48);
    wire_put_u16le(&w, 0);
    wire_put_u16le(&w, extended);
    wire_put_u16le(&w, 0x0200);
    wire_put_bytes(&w, zero, 16); /* block map */
}

/* A volume of 256 bytes with a name, as a section. */
static void put_volume_section(const uint8_t name[16], uint8_t fill)
{
    size_t start;

    pad_to(4);
    put_u24(4 + 256);
    wire_put_u8(&w, 0x17);
    start = w.len;
    put_fv(ffs2, 256, 0x48);
    wire_put_bytes(&w, name, 16);
    while (w.len < start + 256)
        wire_put_u8(&w, fill);
}

static int volumes(struct predict_volumes *ret)
{
    return predict_firmware_volumes(SPAN(bytes, w.len), ret, NULL);
}

static void test_volumes_are_found_by_name(void **state)
{
    struct predict_volumes v;

    (void)state;
    put_u24(12);
    wire_put_u8(&w, 0x19);
    wire_put_bytes(&w, (const uint8_t *)"\0\0\0\0\0\0\0\0", 8);
    put_volume_section(dxe_name, 2);
    put_volume_section(pei_name, 1);
    assert_int_equal(volumes(&v), 0);
    assert_int_equal(v.pei.len, 256);
    assert_int_equal(v.pei.ptr[255], 1);
    assert_int_equal(v.dxe.ptr[255], 2);
}

static void test_odd_volumes_are_refused(void **state)
{
    struct predict_volumes v;

    (void)state;
    put_volume_section(pei_name, 1);
    assert_int_equal(volumes(&v), ERR_SYNTAX); /* one alone */
    put_volume_section(pei_name, 1);
    assert_int_equal(volumes(&v), ERR_SYNTAX); /* the same twice */
    (void)setup(NULL);
    put_volume_section(pei_name, 1);
    put_volume_section(dxe_name, 1);
    assert_int_equal(volumes(&v), 0);
    for (size_t n = 0; n < w.len; n++)
        assert_int_equal(
                predict_firmware_volumes(SPAN(bytes, n), &v, NULL), ERR_SYNTAX);
    bytes[4 + 32] = 255; /* the volume is shorter than its section */
    assert_int_equal(volumes(&v), ERR_SYNTAX);
    (void)setup(NULL);
    put_volume_section(pei_name, 1);
    put_volume_section(security, 1); /* a name that nobody knows */
    assert_int_equal(volumes(&v), ERR_SYNTAX);
}

/* Flash: a volume with one file that holds a compressed section. */
static void put_flash(const uint8_t guid[16], uint32_t section, uint16_t offset)
{
    static const uint8_t name[16] = {1};
    size_t start = w.len;

    put_fv(ffs2, 4096, 0);
    wire_put_bytes(&w, name, 16);
    wire_put_u16le(&w, 0);
    wire_put_u8(&w, 0x0b);
    wire_put_u8(&w, 0);
    put_u24(24 + 34);
    wire_put_u8(&w, 0xf8);
    put_u24(section);
    wire_put_u8(&w, 0x02);
    wire_put_bytes(&w, guid, 16);
    wire_put_u16le(&w, offset);
    wire_put_u16le(&w, 1);
    wire_put_bytes(&w, (const uint8_t *)"compressed", 10);
    while (w.len < start + 4096)
        wire_put_u8(&w, 0xff);
}

static int find_lzma(struct span *ret)
{
    return predict_firmware_lzma(SPAN(bytes, w.len), ret, NULL);
}

static void test_compressed_part_is_found(void **state)
{
    struct span s;

    (void)state;
    put_flash(lzma, 34, 24);
    assert_int_equal(find_lzma(&s), 0);
    assert_true(span_eq_str(s, "compressed"));
}

static void test_odd_flash_is_refused(void **state)
{
    struct span s;

    (void)state;
    assert_int_equal(find_lzma(&s), ERR_NOT_FOUND);
    put_flash(security, 34, 24);
    assert_int_equal(find_lzma(&s), ERR_NOT_FOUND);
    (void)setup(NULL);
    put_flash(lzma, 34, 24);
    put_flash(lzma, 34, 24);
    assert_int_equal(find_lzma(&s), ERR_EXISTS);
    (void)setup(NULL);
    put_flash(lzma, 35, 24); /* the section leaves its file */
    assert_int_equal(find_lzma(&s), ERR_SYNTAX);
    (void)setup(NULL);
    put_flash(lzma, 3, 24); /* shorter than its header */
    assert_int_equal(find_lzma(&s), ERR_SYNTAX);
    (void)setup(NULL);
    put_flash(lzma, 34, 35); /* data behind its end */
    assert_int_equal(find_lzma(&s), ERR_SYNTAX);
    (void)setup(NULL);
    put_flash(lzma, 34, 23); /* data inside its header */
    assert_int_equal(find_lzma(&s), ERR_SYNTAX);
}

static void test_firmware_enters_pcr_0(void **state)
{
    struct predict p = predict_of(SHA256);
    uint8_t digest[4][32] = {{0}}, pei[32] = {7}, want[32] = {0};
    uint8_t got[CRYPTO_HASH_MAX];
    struct span d = SPAN_OF(pei), dxe = span_str("dxe");

    (void)state;
    assert_int_equal(predict_firmware(&p, "", &d, dxe, NULL), 0);
    crypto_sha256(SPAN("\0\0", 2), digest[0]);
    memcpy(digest[1], pei, 32);
    crypto_sha256(dxe, digest[2]);
    crypto_sha256(SPAN("\0\0\0\0", 4), digest[3]);
    for (size_t i = 0; i < 4; i++)
        crypto_sha256_two(SPAN_OF(want), SPAN_OF(digest[i]), want);
    assert_int_equal(predict_value(&p, CRYPTO_SHA256, 0, got), 0);
    assert_memory_equal(got, want, 32);
    d.len = 31;
    assert_int_equal(predict_firmware(&p, "", &d, dxe, NULL), ERR_SYNTAX);
    assert_int_equal(p.n, 4);
    predict_fini(&p);
}

/* ---- variables ------------------------------------------------------- */

static void put_store(uint8_t format, uint8_t state, uint32_t size)
{
    put_fv(nv_data, 8192, 0);
    wire_put_bytes(&w, auth_store, 16);
    wire_put_u32le(&w, size);
    wire_put_u8(&w, format);
    wire_put_u8(&w, state);
    wire_put_u16le(&w, 0);
    wire_put_u32le(&w, 0);
}

static void put_variable(
        uint8_t state, const char *name, const uint8_t *guid, const char *data)
{
    static const uint8_t zero[32];

    pad_to(4);
    wire_put_u16le(&w, 0x55aa);
    wire_put_u8(&w, state);
    wire_put_u8(&w, 0);
    wire_put_bytes(&w, zero, 32);
    wire_put_u32le(&w, (uint32_t)(2 * strlen(name) + 2));
    wire_put_u32le(&w, (uint32_t)strlen(data));
    wire_put_bytes(&w, guid, 16);
    for (size_t i = 0; i <= strlen(name); i++)
        wire_put_u16le(&w, (uint8_t)name[i]);
    wire_put_bytes(&w, (const uint8_t *)data, strlen(data));
}

static void end_store(void)
{
    while (w.len < 8192)
        wire_put_u8(&w, 0xff);
}

static int find(const char *name, struct span *ret)
{
    return predict_firmware_variable(SPAN(bytes, w.len), name, ret, NULL);
}

static void test_variable_in_force_is_found(void **state)
{
    struct span s;

    (void)state;
    put_store(0x5a, 0xfe, 8192 - 0x48);
    put_variable(0x3c, "db", security, "deleted");
    put_variable(0x3f, "db", nv_data, "another namespace");
    put_variable(0x3f, "dbx", security, "forbidden");
    put_variable(0x3f, "db", security, "allowed");
    end_store();
    assert_int_equal(find("db", &s), 0);
    assert_true(span_eq_str(s, "allowed"));
    assert_int_equal(find("dbx", &s), 0);
    assert_true(span_eq_str(s, "forbidden"));
    assert_int_equal(find("PK", &s), ERR_NOT_FOUND);
    assert_int_equal(find("Boot0000", &s), ERR_UNSUPPORTED);
}

static void test_odd_stores_are_refused(void **state)
{
    struct span s;

    (void)state;
    assert_int_equal(find("db", &s), ERR_SYNTAX);
    put_store(0x5b, 0xfe, 8192 - 0x48); /* not formatted */
    end_store();
    assert_int_equal(find("db", &s), ERR_SYNTAX);
    (void)setup(NULL);
    put_store(0x5a, 0xff, 8192 - 0x48); /* not healthy */
    end_store();
    assert_int_equal(find("db", &s), ERR_SYNTAX);
    (void)setup(NULL);
    put_store(0x5a, 0xfe, 8192); /* larger than its volume */
    end_store();
    assert_int_equal(find("db", &s), ERR_SYNTAX);
    (void)setup(NULL);
    put_store(0x5a, 0xfe, 27);
    end_store();
    assert_int_equal(find("db", &s), ERR_SYNTAX);
    (void)setup(NULL);
    put_store(0x5a, 0xfe, 8192 - 0x48);
    put_variable(0x3f, "db", security, "one");
    put_variable(0x3f, "db", security, "two");
    end_store();
    assert_int_equal(find("db", &s), ERR_EXISTS);
    (void)setup(NULL);
    put_store(0x5a, 0xfe, 8192 - 0x48);
    put_variable(0x3e, "db", security, "on its way out");
    end_store();
    assert_int_equal(find("db", &s), ERR_UNSUPPORTED);
    (void)setup(NULL);
    put_store(0x5a, 0xfe, 8192 - 0x48);
    wire_put_u16le(&w, 0x1234);
    end_store();
    assert_int_equal(find("db", &s), ERR_SYNTAX);
    (void)setup(NULL);
    put_store(0x5a, 0xfe, 8192 - 0x48);
    put_variable(0x3f, "db", security, "one");
    end_store();
    memset(bytes + 0x48 + 28 + 40, 0xff, 4); /* DataSize 2^32-1 */
    assert_int_equal(find("db", &s), ERR_SYNTAX);
}

#define T(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
            T(test_volumes_are_found_by_name),
            T(test_odd_volumes_are_refused),
            T(test_compressed_part_is_found),
            T(test_odd_flash_is_refused),
            T(test_firmware_enters_pcr_0),
            T(test_variable_in_force_is_found),
            T(test_odd_stores_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
