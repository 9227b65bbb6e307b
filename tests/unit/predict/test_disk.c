/* SPDX-License-Identifier: Apache-2.0 */
/* Partition tables: PCR 5. */
#include "predict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define DISK_MAX 65536

static uint8_t disk[DISK_MAX];
static size_t sector;

static uint32_t crc(const uint8_t *p, size_t n)
{
    uint32_t c = 0xffffffff;

    for (size_t i = 0; i < n; i++) {
        c ^= p[i];
        for (int k = 0; k < 8; k++)
            c = (c & 1) ? (c >> 1) ^ 0xedb88320u : c >> 1;
    }
    return c ^ 0xffffffff;
}

static void set32(size_t at, uint32_t v)
{
    for (size_t i = 0; i < 4; i++)
        disk[at + i] = (uint8_t)(v >> (8 * i));
}

static uint8_t *entry(size_t i)
{
    return disk + 2 * sector + 128 * i;
}

static void seal(void)
{
    uint8_t *h = disk + sector;

    set32(sector + 88, crc(entry(0), 128 * 128));
    set32(sector + 16, 0);
    set32(sector + 16, crc(h, 92));
}

/* Two partitions with a gap between them. */
static void make(size_t size)
{
    memset(disk, 0, sizeof(disk));
    sector = size;
    memcpy(disk + sector, "EFI PART\0\0\1\0\x5c\0\0\0", 16);
    disk[sector + 24] = 1; /* MyLBA */
    disk[sector + 72] = 2; /* of the entries */
    disk[sector + 80] = 128;
    disk[sector + 84] = 128;
    memset(entry(0), 0x11, 128);
    memset(entry(5), 0x22, 128);
    seal();
}

static int setup(void **state)
{
    (void)state;
    make(512);
    return 0;
}

static int predict(size_t len, struct predict *p)
{
    *p = predict_of(PREDICT_BANK(CRYPTO_SHA256));
    return predict_boot_disk(p, SPAN(disk, len), NULL);
}

static int code(size_t len)
{
    struct predict p;
    int r = predict(len, &p);

    if (r != 0)
        assert_int_equal(p.n, 0);
    predict_fini(&p);
    return r;
}

static void test_used_partitions_are_measured(void **state)
{
    uint8_t data[92 + 8 + 256] = {0}, digest[32];
    struct predict p;

    (void)state;
    memcpy(data, disk + sector, 92);
    data[92] = 2;
    memset(data + 100, 0x11, 128);
    memset(data + 228, 0x22, 128);
    crypto_sha256(SPAN_OF(data), digest);
    assert_int_equal(predict(DISK_MAX, &p), 0);
    assert_int_equal(p.n, 4);
    assert_memory_equal(p.event[1].digest[CRYPTO_SHA256], digest, 32);
    predict_fini(&p);
}

static void test_large_sectors_are_read(void **state)
{
    struct predict p;

    (void)state;
    make(4096);
    assert_int_equal(predict(DISK_MAX, &p), 0);
    assert_int_equal(p.n, 4);
    predict_fini(&p);
}

/* As an emulated machine without a GPT showed it. */
static void test_disk_without_a_table(void **state)
{
    struct predict p = predict_of(PREDICT_BANK(CRYPTO_SHA256));
    uint8_t value[CRYPTO_HASH_MAX];
    char hex[TEXT_HEX_SIZE(32)];

    (void)state;
    assert_int_equal(predict_boot_disk(&p, SPAN_EMPTY, NULL), 0);
    assert_int_equal(predict_value(&p, CRYPTO_SHA256, 5, value), 0);
    text_format_hex(SPAN(value, 32), hex);
    assert_string_equal(hex, "a5ceb755d043f32431d63e39f5161464"
                             "620a3437280494b5850dc1b47cc074e0");
    predict_fini(&p);
}

static void test_odd_tables_are_refused(void **state)
{
    static const struct {
        size_t at; /* in the header */
        uint32_t value;
        int code;
    } bad[] = {
            {8, 0x00020000, ERR_UNSUPPORTED},  /* revision */
            {12, 512, ERR_UNSUPPORTED},        /* HeaderSize */
            {20, 1, ERR_UNSUPPORTED},          /* Reserved */
            {24, 2, ERR_UNSUPPORTED},          /* the backup, not the table */
            {28, 1, ERR_UNSUPPORTED},          /* MyLBA, upper half */
            {72, 1, ERR_SYNTAX},               /* entries in the header */
            {72, 200, ERR_SYNTAX},             /* behind the disk */
            {76, 0x80000000, ERR_SYNTAX},      /* far behind */
            {80, 0, ERR_UNSUPPORTED},          /* no entries */
            {80, 1025, ERR_UNSUPPORTED},       /* too many */
            {80, 0xffffffff, ERR_UNSUPPORTED}, /* 2^32-1 */
            {80, 1000, ERR_SYNTAX},            /* more than the disk has */
            {84, 256, ERR_UNSUPPORTED},        /* bytes of an entry */
            {84, 0, ERR_UNSUPPORTED},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        make(512);
        set32(sector + bad[i].at, bad[i].value);
        set32(sector + 16, 0);
        set32(sector + 16, crc(disk + sector, 92));
        if (code(DISK_MAX) != bad[i].code)
            fail_msg("at %zu: %u", bad[i].at, bad[i].value);
    }
}

static void test_every_flipped_byte_of_the_table_is_noticed(void **state)
{
    (void)state;
    assert_int_equal(code(DISK_MAX), 0);
    for (size_t i = 8; i < 92; i++) {
        disk[sector + i] ^= 1;
        assert_int_not_equal(code(DISK_MAX), 0);
        disk[sector + i] ^= 1;
    }
    for (size_t i = 0; i < 128 * 128; i += 61) {
        entry(0)[i] ^= 1;
        assert_int_equal(code(DISK_MAX), ERR_MISMATCH);
        entry(0)[i] ^= 1;
    }
}

static void test_every_cut_table_is_refused(void **state)
{
    (void)state;
    for (size_t n = 520; n < 2 * 512 + 128 * 128; n += 13)
        assert_int_equal(code(n), ERR_SYNTAX);
    assert_int_equal(code(2 * 512 + 128 * 128), 0);
}

#define T(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
            T(test_used_partitions_are_measured),
            T(test_large_sectors_are_read),
            T(test_disk_without_a_table),
            T(test_odd_tables_are_refused),
            T(test_every_flipped_byte_of_the_table_is_noticed),
            T(test_every_cut_table_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
