/* SPDX-License-Identifier: Apache-2.0 */
/* Room cbor against RFC 8949: its examples, and each thing that is refused. */
#include "cbor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static size_t unhex(const char *hex, uint8_t *ret, size_t cap)
{
    size_t n = strlen(hex) / 2;

    assert_true(n <= cap);
    assert_true(text_parse_hex(span_str(hex), ret, n));
    return n;
}

/* RFC 8949, appendix A, as far as it is deterministic and within the room. */
static const char *const good[] = {
        "00",
        "17",
        "1818",
        "18ff",
        "190100",
        "1a00010000",
        "1b0000000100000000",
        "1bffffffffffffffff",
        "c249010000000000000000",
        "3bffffffffffffffff",
        "c349010000000000000000",
        "20",
        "3903e7",
        "f90000",
        "f98000",
        "f93e00",
        "fb3ff199999999999a",
        "fa47c35000",
        "fa47800000", /* 65,536: beyond a half */
        "fb4c70000000000000",
        "fa7f7fffff",
        "fb7e37e43c8800759c",
        "f90001", /* the smallest half */
        "f90400",
        "fbc010666666666666",
        "f97c00",
        "f97e00",
        "f9fc00",
        "fa33000000", /* 2^-25: half of the smallest half */
        "fb0000000000000001",
        "fb36a0000000000001",
        "f4",
        "f5",
        "f6",
        "f7",
        "c11a514b67b0",
        "d74401020304",
        "40",
        "4401020304",
        "60",
        "62c3bc",
        "64f0908591",
        "80",
        "83010203",
        "8301820203820405",
        "a0",
        "a201020304",
        "a26161016162820203",
        /* 4.2.1: 10, 100, -1, "z", "aa", [100], [-1], false */
        "a80a001864002000617a006261610081186400812000f400",
};

static void refuse(
        struct span item, enum cbor_order order, int code, const char *what)
{
    struct err err = {0};

    assert_int_equal(cbor_check(item, order, &err), code);
    if (!strstr(err.msg, what))
        fail_msg("expected \"%s\", got \"%s\"", what, err.msg);
}

static void test_examples_of_the_rfc_are_read(void **state)
{
    uint8_t b[64];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct err err = {0};
        size_t n = unhex(good[i], b, sizeof(b));

        if (cbor_check(SPAN(b, n), CBOR_DETERMINISTIC, &err))
            fail_msg("%s: %s", good[i], err.msg);
        /* one byte less is never a document, one more never either */
        assert_int_not_equal(
                cbor_check(SPAN(b, n - 1), CBOR_DETERMINISTIC, NULL), 0);
        b[n] = 0;
        refuse(SPAN(b, n + 1), CBOR_DETERMINISTIC, ERR_SYNTAX, "trailing");
    }
}

static const struct {
    const char *hex;
    const char *what; /* a part of the message */
} bad[] = {
        {"", "missing"},
        {"1800", "shortest"},
        {"1817", "shortest"},
        {"190017", "shortest"},
        {"1900ff", "shortest"},
        {"1a0000ffff", "shortest"},
        {"1b00000000ffffffff", "shortest"},
        {"3817", "shortest"},
        {"5801ff", "shortest"},
        {"780161", "shortest"},
        {"980100", "shortest"},
        {"b8010000", "shortest"},
        {"d80100", "shortest"},
        {"5f4100ff", "indefinite"},
        {"7f6161ff", "indefinite"},
        {"9f00ff", "indefinite"},
        {"bf0000ff", "indefinite"},
        {"ff", "indefinite"},
        {"1c", "reserved"},
        {"3d", "reserved"},
        {"5e", "reserved"},
        {"fc", "reserved"},
        {"18", "cut off"},
        {"1901", "cut off"},
        {"1bffffffffffffff", "cut off"},
        {"41", "longer than"},
        {"6261", "longer than"},
        {"5bffffffffffffffff", "longer than"},
        {"7bffffffffffffffff00", "longer than"},
        {"81", "larger than"},
        {"9bffffffffffffffff00", "larger than"},
        {"bb80000000000000000000", "larger than"},
        {"bb7fffffffffffffff0000", "larger than"},
        {"9a0fffffff00", "larger than"},
        {"a100", "larger than"},
        {"82000100", "trailing"},
        {"c1", "larger than"},
        {"61ff", "UTF-8"},
        {"62c328", "UTF-8"},
        {"63eda080", "UTF-8"}, /* a surrogate */
        {"62c080", "UTF-8"},   /* overlong */
        {"6100", "UTF-8"},
        {"a201000100", "twice"},
        {"a202000100", "not in order"},
        {"a262616100616100", "not in order"},
        {"a220000100", "not in order"},
        {"a1"
         "00a205000400",
                "not in order"},
        {"a2"
         "810000810000",
                "twice"},
        {"a1a2"
         "010001"
         "0000",
                "twice"},
        {"c24101", "bignum"},
        {"c248ffffffffffffffff", "bignum"},
        {"c24900ffffffffffffffff", "bignum"},
        {"c240", "bignum"},
        {"c201", "bignum"},
        {"c280", "bignum"},
        {"c28100", "bignum"},
        {"c3a10000", "bignum"},
        {"e0", "simple"},
        {"f3", "simple"},
        {"f814", "simple"},
        {"f8ff", "simple"},
        {"fa00000000", "float"},
        {"fa3f800000", "float"},
        {"fa33800000", "float"}, /* 2^-24 is a half */
        {"fb3ff0000000000000", "float"},
        {"fb36a0000000000000", "float"}, /* 2^-149 is a single */
        {"fb380fffffc0000000", "float"},
        {"fa7f800000", "float"},
        {"fb7ff0000000000000", "float"},
        {"fa7fc00000", "float"},
        {"fb7ff8000000000000", "float"},
        {"f97e01", "float"},
        {"f9fe00", "float"},
        {"f97d00", "float"},
};

static void test_what_is_not_deterministic_is_refused(void **state)
{
    uint8_t b[64];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        size_t n = unhex(bad[i].hex, b, sizeof(b));

        refuse(SPAN(b, n), CBOR_DETERMINISTIC, ERR_SYNTAX, bad[i].what);
    }
}

static void test_any_order_gives_way_in_the_order_alone(void **state)
{
    uint8_t b[64];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        size_t n = unhex(bad[i].hex, b, sizeof(b));

        if (strcmp(bad[i].what, "not in order") == 0)
            assert_int_equal(cbor_check(SPAN(b, n), CBOR_ANY_ORDER, NULL), 0);
        else
            refuse(SPAN(b, n), CBOR_ANY_ORDER, ERR_SYNTAX, bad[i].what);
    }
    /* equal keys that do not stand side by side */
    b[0] = 0xa3;
    memcpy(b + 1, (const uint8_t[]){1, 0, 2, 0, 1, 0}, 6);
    refuse(SPAN(b, 7), CBOR_ANY_ORDER, ERR_SYNTAX, "twice");
}

/* ---- bombs ----------------------------------------------------------- */

static void test_depth_bombs_are_refused(void **state)
{
    static const uint8_t head[] = {0x81, 0xc1, 0xa1};
    static uint8_t b[1 << 20];

    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(head); k++) {
        memset(b, head[k], sizeof(b));
        refuse(SPAN_OF(b), CBOR_DETERMINISTIC, ERR_LIMIT, "too deep");
        refuse(SPAN_OF(b), CBOR_ANY_ORDER, ERR_LIMIT, "too deep");
    }
    memset(b, 0x81, CBOR_DEPTH_MAX);
    b[CBOR_DEPTH_MAX] = 0;
    assert_int_equal(
            cbor_check(SPAN(b, CBOR_DEPTH_MAX + 1), CBOR_DETERMINISTIC, NULL),
            0);
    memset(b, 0x81, CBOR_DEPTH_MAX + 1);
    b[CBOR_DEPTH_MAX + 1] = 0;
    refuse(SPAN(b, CBOR_DEPTH_MAX + 2), CBOR_DETERMINISTIC, ERR_LIMIT,
            "too deep");
}

static void test_more_than_the_limits_is_refused(void **state)
{
    static uint8_t b[CBOR_BYTES_MAX + 1];
    struct wire_writer w = wire_writer_of(b, sizeof(b));

    (void)state;
    cbor_put_array(&w, CBOR_ITEMS_MAX - 1); /* with its own head: the most */
    assert_int_equal(cbor_check(SPAN(b, w.len + CBOR_ITEMS_MAX - 1),
                             CBOR_DETERMINISTIC, NULL),
            0);
    w.len = 0;
    cbor_put_array(&w, CBOR_ITEMS_MAX);
    refuse(SPAN(b, w.len + CBOR_ITEMS_MAX), CBOR_DETERMINISTIC, ERR_LIMIT,
            "too many items");
    w.len = 0;
    cbor_put_bytes_head(&w, CBOR_BYTES_MAX - 5);
    assert_int_equal(
            cbor_check(SPAN(b, CBOR_BYTES_MAX), CBOR_DETERMINISTIC, NULL), 0);
    refuse(SPAN(b, CBOR_BYTES_MAX + 1), CBOR_DETERMINISTIC, ERR_LIMIT, "bytes");
    w.len = 0;
    cbor_put_map(&w, CBOR_ANY_ORDER_PAIRS_MAX + 1);
    for (unsigned i = 0; i <= CBOR_ANY_ORDER_PAIRS_MAX; i++) {
        cbor_put_uint(&w, i);
        cbor_put_null(&w);
    }
    assert_int_equal(cbor_check(SPAN(b, w.len), CBOR_DETERMINISTIC, NULL), 0);
    refuse(SPAN(b, w.len), CBOR_ANY_ORDER, ERR_LIMIT, "too many members");
}

/* ---- getters --------------------------------------------------------- */

/* Which getter takes which item; all others must leave it alone. */
static unsigned getters(struct span s)
{
    unsigned took = 0;
    struct wire_reader r, sub;
    struct span sp;
    uint64_t u;
    int64_t i;
    bool b;

#define TRY(bit, call)                                                         \
    r = wire_reader_of(s);                                                     \
    if (call)                                                                  \
        took |= 1u << (bit);                                                   \
    else                                                                       \
        assert_true(r.ptr == s.ptr && r.left == s.len)

    TRY(0, cbor_get_uint(&r, &u));
    TRY(1, cbor_get_int(&r, &i));
    TRY(2, cbor_get_bool(&r, &b));
    TRY(3, cbor_get_null(&r));
    TRY(4, cbor_get_bytes(&r, &sp));
    TRY(5, cbor_get_text(&r, &sp));
    TRY(6, cbor_get_tag(&r, &u));
    TRY(7, cbor_get_array(&r, &sub));
    TRY(8, cbor_get_map(&r, &sub));
    TRY(9, cbor_get_tag_of(&r, 1));
#undef TRY
    return took;
}

static void test_a_getter_takes_its_own_type_alone(void **state)
{
    static const struct {
        const char *hex;
        enum cbor_type type;
        unsigned took;
    } t[] = {
            {"05", CBOR_UINT, 1u << 0 | 1u << 1},
            {"1b8000000000000000", CBOR_UINT, 1u << 0},
            {"24", CBOR_NINT, 1u << 1},
            {"3b7fffffffffffffff", CBOR_NINT, 1u << 1},
            {"3b8000000000000000", CBOR_NINT, 0},
            {"f4", CBOR_BOOL, 1u << 2},
            {"f5", CBOR_BOOL, 1u << 2},
            {"f6", CBOR_NULL, 1u << 3},
            {"f7", CBOR_UNDEFINED, 0},
            {"4100", CBOR_BYTES, 1u << 4},
            {"6161", CBOR_TEXT, 1u << 5},
            {"c100", CBOR_TAG, 1u << 6 | 1u << 9},
            {"c200", CBOR_TAG, 1u << 6},
            {"8100", CBOR_ARRAY, 1u << 7},
            {"a10000", CBOR_MAP, 1u << 8},
            {"f93e00", CBOR_FLOAT, 0},
            {"", CBOR_NONE, 0},
            {"5f", CBOR_NONE, 0},
            {"1817", CBOR_NONE, 0},
            {"41", CBOR_BYTES, 0},
            {"6261", CBOR_TEXT, 0},
            {"8200", CBOR_ARRAY, 0},
            {"a100", CBOR_MAP, 0},
            {"9bffffffffffffffff", CBOR_ARRAY, 0},
            {"bbffffffffffffffff", CBOR_MAP, 0},
    };
    uint8_t b[16];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        struct span s = SPAN(b, unhex(t[i].hex, b, sizeof(b)));
        struct wire_reader r = wire_reader_of(s);

        assert_int_equal(cbor_peek(&r), t[i].type);
        assert_int_equal(getters(s), t[i].took);
    }
}

static void test_an_item_that_is_cut_is_no_item(void **state)
{
    static const char *const cut[] = {"", "18", "41", "6261", "8200", "a100",
            "a2000000", "c1", "9bffffffffffffffff", "bbffffffffffffffff",
            "828100", "5f", "1800"};
    struct span item = SPAN_EMPTY;
    uint8_t b[16];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cut); i++) {
        struct span s = SPAN(b, unhex(cut[i], b, sizeof(b)));
        struct wire_reader r = wire_reader_of(s);

        if (cbor_get_item(&r, &item) || r.left != s.len || item.ptr)
            fail_msg("%s", cut[i]);
    }
}

static void test_containers_end_where_they_end(void **state)
{
    static const uint8_t b[] = {0x83, 0x82, 1, 2, 0xa1, 3, 0x80, 0x20, 0x18};
    struct wire_reader r = wire_reader_of(SPAN_OF(b)), a, in;
    struct span item;
    int64_t i;
    uint64_t u;

    (void)state;
    assert_true(cbor_get_array(&r, &a));
    assert_int_equal(r.left, 1);
    assert_true(cbor_get_array(&a, &in));
    assert_true(cbor_get_uint(&in, &u) && cbor_get_uint(&in, &u));
    assert_int_equal(u, 2);
    assert_true(wire_end(&in));
    assert_true(cbor_get_map(&a, &in));
    assert_true(cbor_get_uint(&in, &u) && cbor_get_item(&in, &item));
    assert_int_equal(item.len, 1);
    assert_true(wire_end(&in));
    assert_true(cbor_get_int(&a, &i));
    assert_int_equal(i, -1);
    assert_true(wire_end(&a));
    assert_false(cbor_get_item(&r, &item));
}

static void test_maps_by_table(void **state)
{
    struct cbor_field f[] = {
            {.key = 0, .name = "zero", .required = true},
            {.key = -2, .name = "minus two"},
    };
    struct cbor_unknown unknown;
    struct err err;
    struct wire_reader r;
    uint8_t b[32];
    size_t n;

    (void)state;
    n = unhex("a300011863022105", b, sizeof(b)); /* {0: 1, 99: 2, -2: 5} */
    r = wire_reader_of(SPAN(b, n));
    assert_int_equal(
            cbor_get_fields(&r, "m", f, 2, NULL, &err), ERR_UNSUPPORTED);
    assert_int_equal(r.left, n);
    assert_int_equal(cbor_get_fields(&r, "m", f, 2, &unknown, &err), 0);
    assert_true(wire_end(&r) && f[0].present && f[1].present);
    assert_int_equal(unknown.n, 1);
    assert_int_equal(unknown.first.ptr[1], 99);
    n = unhex("a12105", b, sizeof(b));
    r = wire_reader_of(SPAN(b, n));
    assert_int_equal(cbor_get_fields(&r, "m", f, 2, NULL, &err), ERR_SYNTAX);
    assert_string_equal(err.msg, "m: zero is missing");
    n = unhex("a200000000", b, sizeof(b)); /* never checked: still refused */
    r = wire_reader_of(SPAN(b, n));
    assert_int_equal(cbor_get_fields(&r, "m", f, 2, NULL, &err), ERR_SYNTAX);
    assert_string_equal(err.msg, "m: zero twice");
    n = unhex("a10001", b, sizeof(b));
    r = wire_reader_of(SPAN(b, n));
    assert_int_equal(cbor_get_fields(&r, "m", f, 2, NULL, &err), 0);
    assert_false(f[1].present); /* not what an earlier map left there */
    n = unhex("8100", b, sizeof(b));
    r = wire_reader_of(SPAN(b, n));
    assert_int_equal(cbor_get_fields(&r, "m", f, 2, NULL, &err), ERR_SYNTAX);
    n = unhex("a1616100", b, sizeof(b)); /* a text key is no integer key */
    r = wire_reader_of(SPAN(b, n));
    f[0].required = false;
    assert_int_equal(cbor_get_fields(&r, "m", f, 2, &unknown, &err), 0);
    assert_int_equal(unknown.n, 1);
    assert_false(f[0].present);
}

/* ---- writer ---------------------------------------------------------- */

static void test_what_is_written_is_deterministic(void **state)
{
    static const int64_t v[] = {0, 23, 24, 255, 256, 65535, 65536, 4294967295,
            4294967296, INT64_MAX, -1, -24, -25, -256, -257, -65537, INT64_MIN};
    uint8_t b[32];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(v); i++) {
        struct wire_writer w = wire_writer_of(b, sizeof(b));
        struct wire_reader r;
        struct span s;
        int64_t got;

        cbor_put_int(&w, v[i]);
        assert_true(cbor_finish(&w, &s));
        r = wire_reader_of(s);
        assert_true(cbor_get_int(&r, &got) && wire_end(&r));
        assert_true(got == v[i]);
    }
}

static void test_a_writer_that_errs_is_not_finished(void **state)
{
    uint8_t b[8];
    struct wire_writer w = wire_writer_of(b, sizeof(b));
    struct span s = SPAN_EMPTY;

    (void)state;
    assert_false(cbor_finish(&w, &s)); /* nothing */
    cbor_put_map(&w, 2);
    cbor_put_uint(&w, 2);
    cbor_put_null(&w);
    assert_false(cbor_finish(&w, &s)); /* half */
    cbor_put_uint(&w, 1);
    cbor_put_bool(&w, true);
    assert_false(cbor_finish(&w, &s)); /* keys not in order */
    w = wire_writer_of(b, sizeof(b));
    cbor_put_str(&w, "too long");
    assert_false(cbor_finish(&w, &s));
    w = wire_writer_of(b, sizeof(b));
    cbor_put_bytes(&w, SPAN("\xff", 1));
    cbor_put_null(&w);
    assert_false(cbor_finish(&w, &s)); /* two items */
    assert_null(s.ptr);
    w = wire_writer_of(b, sizeof(b));
    cbor_put_tag(&w, 18);
    cbor_put_item(&w, SPAN("\x81\xf4", 2));
    assert_true(cbor_finish(&w, &s));
    assert_int_equal(s.len, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_examples_of_the_rfc_are_read),
            cmocka_unit_test(test_what_is_not_deterministic_is_refused),
            cmocka_unit_test(test_any_order_gives_way_in_the_order_alone),
            cmocka_unit_test(test_depth_bombs_are_refused),
            cmocka_unit_test(test_more_than_the_limits_is_refused),
            cmocka_unit_test(test_a_getter_takes_its_own_type_alone),
            cmocka_unit_test(test_an_item_that_is_cut_is_no_item),
            cmocka_unit_test(test_containers_end_where_they_end),
            cmocka_unit_test(test_maps_by_table),
            cmocka_unit_test(test_what_is_written_is_deterministic),
            cmocka_unit_test(test_a_writer_that_errs_is_not_finished),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
