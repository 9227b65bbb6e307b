/* SPDX-License-Identifier: Apache-2.0 */
#include "base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct bytes {
    const char *what;
    size_t len;
    uint8_t b[24];
};

static void malformed_elements_are_refused_and_nothing_moves(void **state)
{
    static const struct bytes bad[] = {
            {"nothing", 0, {0}},
            {"a tag alone", 1, {0x30}},
            {"content shorter than said", 3, {0x30, 0x02, 0x00}},
            {"indefinite length", 4, {0x30, 0x80, 0x00, 0x00}},
            {"long form of a short length", 4, {0x30, 0x81, 0x01, 0x00}},
            {"leading zero of a length", 5, {0x30, 0x82, 0x00, 0x01, 0x00}},
            {"length of four bytes", 6, {0x30, 0x84, 0x00, 0x00, 0x00, 0x00}},
            {"tag of two bytes", 4, {0x1f, 0x81, 0x01, 0x00}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct wire_reader r = wire_reader_of(SPAN(bad[i].b, bad[i].len));
        struct span s = SPAN("x", 1);
        uint8_t tag = 0xee;

        if (der_get_any(&r, &tag, &s))
            fail_msg("%s", bad[i].what);
        assert_int_equal(r.left, bad[i].len);
        assert_int_equal(tag, 0xee);
        assert_int_equal(s.len, 1);
    }
}

static void integers_have_one_spelling(void **state)
{
    static const struct bytes bad[] = {
            {"empty", 2, {0x02, 0x00}},
            {"negative", 3, {0x02, 0x01, 0x80}},
            {"padded", 4, {0x02, 0x02, 0x00, 0x7f}},
            {"of another tag", 3, {0x0a, 0x01, 0x01}},
            {"too large", 12, {0x02, 0x0a, 0x00, 0x80, 0, 0, 0, 0, 0, 0, 0, 0}},
    };
    static const uint8_t good[] = {0x02, 0x02, 0x00, 0xdb, 0x02, 0x01, 0x00};
    struct wire_reader r;
    uint64_t v = 7;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        r = wire_reader_of(SPAN(bad[i].b, bad[i].len));
        if (der_get_u64(&r, &v))
            fail_msg("%s", bad[i].what);
        assert_int_equal(r.left, bad[i].len);
        assert_int_equal(v, 7);
    }
    r = wire_reader_of(SPAN_OF(good));
    assert_true(der_get_u64(&r, &v) && v == 219);
    assert_true(der_get_u64(&r, &v) && v == 0 && wire_end(&r));
}

static void booleans_and_bit_strings_are_strict(void **state)
{
    static const uint8_t lax_true[] = {0x01, 0x01, 0x01};
    static const uint8_t yes[] = {0x01, 0x01, 0xff};
    static const uint8_t odd_bits[] = {0x03, 0x02, 0x01, 0x80};
    static const uint8_t no_bits[] = {0x03, 0x00};
    static const uint8_t bits[] = {0x03, 0x02, 0x00, 0x80};
    struct wire_reader r = wire_reader_of(SPAN_OF(lax_true));
    struct span s;
    bool b = false;

    (void)state;
    assert_false(der_get_bool(&r, &b));
    r = wire_reader_of(SPAN_OF(yes));
    assert_true(der_get_bool(&r, &b) && b);
    r = wire_reader_of(SPAN_OF(odd_bits));
    assert_false(der_get_bits(&r, &s));
    r = wire_reader_of(SPAN_OF(no_bits));
    assert_false(der_get_bits(&r, &s));
    r = wire_reader_of(SPAN_OF(bits));
    assert_true(der_get_bits(&r, &s) && s.len == 1 && s.ptr[0] == 0x80);
}

static void times_are_utc_to_the_second(void **state)
{
    static const struct {
        uint8_t tag;
        const char *text;
        uint64_t at; /* 0: refused */
    } times[] = {
            {DER_UTC_TIME, "250101000000Z", 1735689600},
            {DER_UTC_TIME, "491231235959Z", 2524607999},
            {DER_UTC_TIME, "990101000000Z", 915148800},
            {DER_GENERALIZED_TIME, "20500101000000Z", 2524608000},
            {DER_UTC_TIME, "2501010000Z", 0},
            {DER_UTC_TIME, "250101000000+0100", 0},
            {DER_UTC_TIME, "250101000000z", 0},
            {DER_UTC_TIME, "251301000000Z", 0},
            {DER_UTC_TIME, "2501010000-1Z", 0},
            {DER_GENERALIZED_TIME, "20500101000000.5Z", 0},
            {DER_GENERALIZED_TIME, "250101000000Z", 0},
            {DER_OCTET_STRING, "250101000000Z", 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        uint8_t buf[32] = {times[i].tag, (uint8_t)strlen(times[i].text)};
        struct wire_reader r = {.ptr = buf, .left = 2u + buf[1]};
        uint64_t at = 1;

        memcpy(buf + 2, times[i].text, buf[1]);
        if (der_get_time(&r, &at) != (times[i].at != 0) ||
                at != (times[i].at ? times[i].at : 1))
            fail_msg("%s", times[i].text);
    }
}

static void headers_are_read_back(void **state)
{
    static const size_t sizes[] = {0, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x10000};
    static uint8_t buf[0x10010];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct wire_writer w = wire_writer_of(buf, sizeof(buf));
        struct wire_reader r;
        struct span s, whole;

        der_put_header(&w, DER_SEQUENCE, sizes[i]);
        assert_true(wire_finish(&w, &s));
        assert_int_equal(s.len, der_header_size(sizes[i]));
        r = wire_reader_of(SPAN(buf, s.len + sizes[i]));
        assert_int_equal(der_peek(&r), DER_SEQUENCE);
        assert_true(der_get_whole(&r, DER_SEQUENCE, &whole));
        assert_true(wire_end(&r));
        assert_int_equal(der_peek(&r), 0);
        r = wire_reader_of(whole);
        assert_false(der_get(&r, DER_SET, &s));
        assert_true(der_get(&r, DER_SEQUENCE, &s));
        assert_int_equal(s.len, sizes[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(malformed_elements_are_refused_and_nothing_moves),
            cmocka_unit_test(integers_have_one_spelling),
            cmocka_unit_test(booleans_and_bit_strings_are_strict),
            cmocka_unit_test(times_are_utc_to_the_second),
            cmocka_unit_test(headers_are_read_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
