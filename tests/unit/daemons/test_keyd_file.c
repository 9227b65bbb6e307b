/* SPDX-License-Identifier: Apache-2.0 */
/* Key files (docs/proto/keyfile.md): what a damaged folder holds. */
#include "keyd_file.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define OK(x) assert_int_equal((x), 0)

/* TPM2B_PUBLIC of sealed data, TPM2B_PRIVATE of four bytes. */
static const uint8_t blob[] = {0, 0x0e, 0, 0x08, 0, 0x0b, 0, 0, 0x04, 0x52, 0,
        0, 0, 0x10, 0, 0, 0, 4, 1, 2, 3, 4};
static struct err err;

static void valid(struct buf *ret)
{
    struct keyd_file f = {.name = "release",
            .custody = KEYD_SEALED,
            .profile = 2,
            .created = 1700000000,
            .spki = {0x30, 0x01},
            .spki_len = 2};

    OK(tpm_blob_from(SPAN_OF(blob), &f.blob, &err));
    OK(keyd_file_format(&f, ret, &err));
}

static void test_round_trip(void **state)
{
    CLEANUP(buf_fini) struct buf a = BUF_INIT(KEYD_FILE_MAX);
    CLEANUP(buf_fini) struct buf b = BUF_INIT(KEYD_FILE_MAX);
    struct keyd_file f;

    (void)state;
    valid(&a);
    OK(keyd_file_parse(buf_span(&a), &f, &err));
    assert_string_equal(f.name, "release");
    assert_int_equal(f.custody, KEYD_SEALED);
    assert_int_equal(f.profile, 2);
    assert_int_equal(f.created, 1700000000);
    OK(keyd_file_format(&f, &b, &err));
    assert_true(span_eq(buf_span(&a), buf_span(&b)));
}

static void test_every_cut_and_trailing_byte(void **state)
{
    CLEANUP(buf_fini) struct buf a = BUF_INIT(KEYD_FILE_MAX);
    struct keyd_file f;

    (void)state;
    valid(&a);
    for (size_t n = 0; n < a.len; n++)
        assert_int_not_equal(keyd_file_parse(SPAN(a.ptr, n), &f, &err), 0);
    buf_append_u8(&a, 0);
    assert_int_equal(keyd_file_parse(buf_span(&a), &f, &err), ERR_SYNTAX);
}

static void test_impossible_values(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
        int code;
    } cases[] = {
            {0, 'q', ERR_UNSUPPORTED}, /* magic */
            {7, 2, ERR_UNSUPPORTED},   /* version */
            {8, 0, ERR_SYNTAX},        /* length of the name */
            {8, 255, ERR_SYNTAX},      /* beyond the end */
            {9, '/', ERR_SYNTAX},      /* name */
            {9, '.', ERR_SYNTAX},      /* hidden */
            {16, 0, ERR_SYNTAX},       /* custody */
            {16, 3, ERR_SYNTAX},       /* custody */
            {26, 0xff, ERR_SYNTAX},    /* length of the key */
            {30, 0xff, ERR_SYNTAX},    /* length of the object */
            {33, 0x0f, ERR_SYNTAX},    /* length of its public area */
            {35, 0x77, ERR_SYNTAX},    /* its type */
    };
    CLEANUP(buf_fini) struct buf a = BUF_INIT(KEYD_FILE_MAX);
    struct keyd_file f;
    uint8_t was;

    (void)state;
    valid(&a);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        was = a.ptr[cases[i].at];
        a.ptr[cases[i].at] = cases[i].value;
        assert_int_equal(
                keyd_file_parse(buf_span(&a), &f, &err), cases[i].code);
        a.ptr[cases[i].at] = was;
    }
    OK(keyd_file_parse(buf_span(&a), &f, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_round_trip),
            cmocka_unit_test(test_every_cut_and_trailing_byte),
            cmocka_unit_test(test_impossible_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
