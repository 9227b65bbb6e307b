/* SPDX-License-Identifier: Apache-2.0 */
/* By which entry of the signature databases firmware starts an image. */
#include "pe_fixture.h"
#include "predict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const uint8_t sha256_type[16] = {0x26, 0x16, 0xc4, 0xc1, 0x4c, 0x50,
        0x92, 0x40, 0xac, 0xa9, 0x41, 0xf9, 0x36, 0x93, 0x43, 0x28};
static const uint8_t x509_type[16] = {0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94, 0xa7,
        0x4a, 0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72};
static const uint8_t owner[16] = {0x77};
static const uint8_t zero[32];

static struct buf image, db, dbx;
static uint8_t digest[32];

static int setup(void **state)
{
    static const uint8_t code[] = {0xeb, 0xfe};
    const struct pe_fixture_section s[] = {{".text", SPAN_OF(code)}};
    struct pe pe;

    (void)state;
    image = BUF_INIT(PE_FIXTURE_MAX);
    db = BUF_INIT(4u << 20);
    dbx = BUF_INIT(4u << 20);
    pe_fixture(s, 1, &image);
    if (pe_parse(buf_span(&image), &pe, NULL) != 0)
        return -1;
    pe_digest(&pe, CRYPTO_SHA256, digest);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_fini(&image);
    buf_fini(&db);
    buf_fini(&dbx);
    return 0;
}

static void put_u32(struct buf *b, uint32_t v)
{
    for (unsigned i = 0; i < 4; i++)
        buf_append_u8(b, (uint8_t)(v >> (8 * i)));
}

static void put_list(struct buf *b, const uint8_t type[16], uint32_t size,
        uint32_t header, uint32_t entry)
{
    buf_append(b, SPAN(type, 16));
    put_u32(b, size);
    put_u32(b, header);
    put_u32(b, entry);
}

static void put_digest(struct buf *b, const uint8_t d[32])
{
    put_list(b, sha256_type, 28 + 48, 0, 48);
    buf_append(b, SPAN_OF(owner));
    buf_append(b, SPAN(d, 32));
}

static int find(struct span *ret)
{
    const struct predict_file f = {"a.efi", buf_span(&image)};
    const struct predict_variables v = {
            .db = buf_span(&db), .dbx = buf_span(&dbx)};

    return predict_boot_find_authority(&f, &v, ret, NULL);
}

static void test_digest_in_db_allows(void **state)
{
    struct span s;

    (void)state;
    put_digest(&db, zero);
    put_digest(&db, digest);
    assert_int_equal(find(&s), 0);
    assert_int_equal(s.len, 48);
    assert_memory_equal(s.ptr + 16, digest, 32);
    assert_ptr_equal(s.ptr, db.ptr + 76 + 28);
}

static void test_what_is_not_in_db_is_refused(void **state)
{
    struct span s = SPAN_EMPTY;

    (void)state;
    assert_int_equal(find(&s), ERR_DENIED);
    put_digest(&db, zero);
    assert_int_equal(find(&s), ERR_DENIED);
    assert_null(s.ptr);
}

static void test_dbx_wins(void **state)
{
    struct span s;

    (void)state;
    put_digest(&db, digest);
    put_digest(&dbx, zero);
    assert_int_equal(find(&s), 0);
    put_digest(&dbx, digest);
    assert_int_equal(find(&s), ERR_DENIED);
}

static void test_odd_databases_are_refused(void **state)
{
    static const struct {
        uint32_t size, header, entry;
    } bad[] = {{27, 0, 48}, {28 + 47, 0, 48}, {28 + 48, 0, 47},
            {28 + 48, 4, 48}, {28 + 48, 0, 0}, {28 + 48, 0, 16},
            {28 + 49, 0, 48}, {0xffffffff, 0, 48}, {28 + 96, 0, 48},
            {28 + 48, 0xffffffff, 48}};
    struct span s;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct buf *const both[] = {&db, &dbx};

        for (size_t k = 0; k < 2; k++) {
            buf_reset(&db);
            buf_reset(&dbx);
            put_list(both[k], sha256_type, bad[i].size, bad[i].header,
                    bad[i].entry);
            buf_append(both[k], SPAN_OF(owner));
            buf_append(both[k], SPAN_OF(zero));
            assert_int_equal(find(&s), ERR_SYNTAX);
        }
    }
}

/* An entry of a kind that is not known could be the one that forbids. */
static void test_unknown_kinds_are_refused(void **state)
{
    struct span s;

    (void)state;
    put_digest(&db, digest);
    put_list(&dbx, owner, 28 + 48, 0, 48);
    buf_append(&dbx, SPAN_OF(owner));
    buf_append(&dbx, SPAN_OF(zero));
    assert_int_equal(find(&s), ERR_UNSUPPORTED);
    buf_reset(&dbx);
    put_list(&dbx, sha256_type, 28 + 36, 0, 36); /* SHA-1's size */
    buf_append(&dbx, SPAN_OF(owner));
    buf_append(&dbx, SPAN(zero, 20));
    assert_int_equal(find(&s), ERR_UNSUPPORTED);
}

static void test_every_cut_database_is_refused(void **state)
{
    struct span s;

    (void)state;
    put_digest(&db, digest);
    put_list(&db, x509_type, 28 + 26, 0, 26);
    buf_append(&db, SPAN_OF(owner));
    buf_append(&db, SPAN("0123456789", 10));
    assert_int_equal(find(&s), 0);
    for (size_t n = 1; n < db.len; n++) {
        struct buf whole = db;

        db.len = n;
        if (n != 76)
            assert_int_not_equal(find(&s), 0);
        db = whole;
    }
}

static void test_odd_signatures_are_refused(void **state)
{
    struct span s;

    (void)state;
    put_digest(&db, digest);
    pe_fixture_sign(&image, span_str("no PKCS #7"));
    assert_int_equal(find(&s), ERR_SYNTAX);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
            T(test_digest_in_db_allows),
            T(test_what_is_not_in_db_is_refused),
            T(test_dbx_wins),
            T(test_odd_databases_are_refused),
            T(test_unknown_kinds_are_refused),
            T(test_every_cut_database_is_refused),
            T(test_odd_signatures_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
