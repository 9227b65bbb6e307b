/* SPDX-License-Identifier: Apache-2.0 */
#include "base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Every getter on too few bytes: false, and nothing has moved. */
static void getters_refuse_truncation_and_leave_all_alone(void **state)
{
    static const uint8_t bytes[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    uint8_t u8 = 0xee, copy[8] = {0xee};
    uint16_t u16 = 0xeeee;
    uint32_t u32 = 0xeeee;
    uint64_t u64 = 0xeeee;
    struct span s = SPAN(bytes, 3);

    (void)state;
    for (size_t have = 0; have < 8; have++) {
        struct wire_reader r = {.ptr = bytes, .left = have};

        assert_true(have >= 1 || !wire_get_u8(&r, &u8));
        assert_true(have >= 2 || !wire_get_u16be(&r, &u16));
        assert_true(have >= 2 || !wire_get_u16le(&r, &u16));
        assert_true(have >= 4 || !wire_get_u32be(&r, &u32));
        assert_true(have >= 4 || !wire_get_u32le(&r, &u32));
        assert_false(wire_get_u64be(&r, &u64));
        assert_false(wire_get_u64le(&r, &u64));
        assert_false(wire_get_span(&r, have + 1, &s));
        assert_false(wire_get_span(&r, SIZE_MAX, &s));
        assert_false(wire_get_copy(&r, copy, have + 1));
        assert_ptr_equal(r.ptr, bytes);
        assert_int_equal(r.left, have);
    }
    assert_int_equal(u8, 0xee);
    assert_int_equal(u16, 0xeeee);
    assert_int_equal(u32, 0xeeee);
    assert_int_equal(u64, 0xeeee);
    assert_int_equal(copy[0], 0xee);
    assert_int_equal(s.len, 3);
}

static void integers_have_the_order_their_name_says(void **state)
{
    static const uint8_t bytes[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    struct wire_reader r;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;

    (void)state;
    r = wire_reader_of(SPAN_OF(bytes));
    assert_true(wire_get_u16be(&r, &u16) && u16 == 0x0102);
    assert_true(wire_get_u16le(&r, &u16) && u16 == 0x0403);
    assert_true(wire_get_u32be(&r, &u32) && u32 == 0x05060708);
    assert_true(wire_end(&r));
    r = wire_reader_of(SPAN_OF(bytes));
    assert_true(wire_get_u64be(&r, &u64) && u64 == 0x0102030405060708);
    r = wire_reader_of(SPAN_OF(bytes));
    assert_true(wire_get_u64le(&r, &u64) && u64 == 0x0807060504030201);
    r = wire_reader_of(SPAN_OF(bytes));
    assert_true(wire_get_u32le(&r, &u32) && u32 == 0x04030201);
}

/* Lengths that an attacker writes: 0, one too many, 2^31, 2^32-1. */
static void length_prefixes_cannot_reach_past_the_end(void **state)
{
    static const uint32_t lengths[] = {5, 0x80000000, 0xffffffff};
    uint8_t bytes[8] = {0};
    struct span s = SPAN_EMPTY;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        struct wire_writer w = wire_writer_of(bytes, sizeof(bytes));
        struct wire_reader r = wire_reader_of(SPAN_OF(bytes));

        wire_put_u32be(&w, lengths[i]);
        assert_false(wire_get_vec32be(&r, &s));
        assert_ptr_equal(r.ptr, bytes);
        w = wire_writer_of(bytes, sizeof(bytes));
        wire_put_u32le(&w, lengths[i]);
        assert_false(wire_get_vec32le(&r, &s));
        assert_int_equal(r.left, sizeof(bytes));
    }
    memset(bytes, 0xff, sizeof(bytes));
    struct wire_reader r = wire_reader_of(SPAN_OF(bytes));
    assert_false(wire_get_vec16be(&r, &s));
    assert_false(wire_get_vec8(&r, &s));
    memset(bytes, 0, sizeof(bytes));
    assert_true(wire_get_vec32be(&r, &s) && s.len == 0 && r.left == 4);
    assert_true(wire_get_vec16be(&r, &s) && s.len == 0 && r.left == 2);
}

static void sub_reader_ends_where_its_region_ends(void **state)
{
    static const uint8_t bytes[4] = {1, 2, 3, 4};
    struct wire_reader r = wire_reader_of(SPAN_OF(bytes)), sub;
    uint16_t v;

    (void)state;
    assert_true(wire_get_sub(&r, 1, &sub));
    assert_false(wire_get_u16be(&sub, &v));
    assert_false(wire_end(&sub));
    assert_int_equal(r.left, 3);
    assert_false(wire_get_sub(&r, 4, &sub));
}

static void writer_overflow_sticks_and_writes_nothing_past_the_end(void **state)
{
    uint8_t bytes[6] = {0, 0, 0, 0, 0xaa, 0xaa};
    struct wire_writer w = wire_writer_of(bytes, 4);
    struct span out = SPAN_EMPTY;

    (void)state;
    wire_put_u16be(&w, 0x0102);
    wire_put_u32be(&w, 0x03040506);
    wire_put_u8(&w, 7); /* would fit, but the message is broken already */
    assert_false(wire_finish(&w, &out));
    assert_int_equal(w.len, 2);
    assert_int_equal(bytes[2], 0);
    assert_int_equal(bytes[4], 0xaa);
    assert_null(out.ptr);
}

static void vectors_longer_than_their_prefix_overflow(void **state)
{
    static uint8_t big[0x10001], out[0x10010];
    struct wire_writer w = wire_writer_of(out, sizeof(out));
    struct span s;

    (void)state;
    wire_put_vec8(&w, SPAN(big, 256));
    assert_false(wire_finish(&w, &s));
    w = wire_writer_of(out, sizeof(out));
    wire_put_vec16be(&w, SPAN(big, 0x10000));
    assert_false(wire_finish(&w, &s));
    w = wire_writer_of(out, sizeof(out));
    wire_put_vec16be(&w, SPAN(big, 0xffff));
    assert_true(wire_finish(&w, &s));
    assert_int_equal(s.len, 0x10001);
}

static void what_is_put_is_what_is_got(void **state)
{
    uint8_t bytes[64];
    struct wire_writer w = wire_writer_of(bytes, sizeof(bytes));
    struct wire_reader r;
    struct span out, a, b, c, d;
    uint8_t u8;
    uint16_t u16be, u16le;
    uint32_t u32le;
    uint64_t u64be, u64le;

    (void)state;
    wire_put_u8(&w, 0xfe);
    wire_put_u16be(&w, 0xfedc);
    wire_put_u16le(&w, 0xfedc);
    wire_put_u32le(&w, 0xfedcba98);
    wire_put_u64be(&w, 0xfedcba9876543210);
    wire_put_u64le(&w, 0xfedcba9876543210);
    wire_put_vec8(&w, span_str("a"));
    wire_put_vec16be(&w, span_str("bc"));
    wire_put_vec32be(&w, span_str(""));
    wire_put_vec32le(&w, span_str("def"));
    assert_true(wire_finish(&w, &out));
    r = wire_reader_of(out);
    assert_true(wire_get_u8(&r, &u8));
    assert_true(wire_get_u16be(&r, &u16be));
    assert_true(wire_get_u16le(&r, &u16le));
    assert_true(wire_get_u32le(&r, &u32le));
    assert_true(wire_get_u64be(&r, &u64be));
    assert_true(wire_get_u64le(&r, &u64le));
    assert_true(wire_get_vec8(&r, &a));
    assert_true(wire_get_vec16be(&r, &b));
    assert_true(wire_get_vec32be(&r, &c));
    assert_true(wire_get_vec32le(&r, &d));
    assert_true(wire_end(&r));
    assert_int_equal(u8, 0xfe);
    assert_int_equal(u16be, 0xfedc);
    assert_int_equal(u16le, 0xfedc);
    assert_int_equal(u32le, 0xfedcba98);
    assert_int_equal(u64be, 0xfedcba9876543210);
    assert_int_equal(u64le, 0xfedcba9876543210);
    assert_true(span_eq_str(a, "a"));
    assert_true(span_eq_str(b, "bc"));
    assert_int_equal(c.len, 0);
    assert_true(span_eq_str(d, "def"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(getters_refuse_truncation_and_leave_all_alone),
            cmocka_unit_test(integers_have_the_order_their_name_says),
            cmocka_unit_test(length_prefixes_cannot_reach_past_the_end),
            cmocka_unit_test(sub_reader_ends_where_its_region_ends),
            cmocka_unit_test(
                    writer_overflow_sticks_and_writes_nothing_past_the_end),
            cmocka_unit_test(vectors_longer_than_their_prefix_overflow),
            cmocka_unit_test(what_is_put_is_what_is_got),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
