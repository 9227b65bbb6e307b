/* SPDX-License-Identifier: Apache-2.0 */
#include "msg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static uint8_t buf[LIMIT_IPC_MSG_MAX], again[LIMIT_IPC_MSG_MAX];

static void test_bytes_are_as_documented(void **state)
{
    struct msg_refused m = {13, span_str("keyd"), span_str("no")};
    static const char want[] = "\0\2\0\0\0\0\1\2"
                               "\0\0\0\15"
                               "\0\4keyd"
                               "\0\2no";
    size_t len;

    (void)state;
    assert_true(msg_put(MSG_REFUSED, 0x102, &m, buf, sizeof(buf), &len));
    assert_int_equal(len, sizeof(want) - 1);
    assert_memory_equal(buf, want, len);
}

/* Every type: fill the body with a pattern that decodes, then back. */
static void test_every_type_returns_the_same_bytes(void **state)
{
    unsigned types = 0;

    (void)state;
    for (unsigned t = 0; t < 1024; t++) {
        union msg_any any = {0};
        struct msg_header h;
        size_t len, len2;

        if (!msg_put((enum msg_type)t, 7, &any, buf, sizeof(buf), &len)) {
            assert_string_equal(msg_type_name((uint16_t)t), "unknown");
            continue;
        }
        types++;
        /* Fixed fields take any value: what is not a length stays zero. */
        assert_int_equal(msg_get_header(SPAN(buf, len), &h), 0);
        assert_int_equal(h.type, t);
        assert_int_equal(h.id, 7);
        memset(&any, 0xee, sizeof(any));
        assert_int_equal(msg_get(&h, &any), 0);
        assert_true(msg_put(
                (enum msg_type)t, 7, &any, again, sizeof(again), &len2));
        assert_int_equal(len, len2);
        assert_memory_equal(buf, again, len);
        /* One byte less or more is refused, for every type. */
        if (h.body.len > 0) {
            h.body.len--;
            assert_int_equal(msg_get(&h, &any), ERR_SYNTAX);
            h.body.len++;
        }
        buf[len] = 0;
        h.body.len++;
        assert_int_equal(msg_get(&h, &any), ERR_SYNTAX);
    }
    assert_int_equal(types, 53);
}

static void test_fields_keep_their_values(void **state)
{
    struct msg_key_session m = {
            .deadline = 0x0102030405060708,
            .source_zone = span_str("thin"),
            .source_qube = span_str("work"),
            .source = span_str("thin-work"),
            .qube = span_str("signer"),
            .service = span_str("qair.Sign+release"),
            .rule = span_str("30-sign.policy:1"),
            .keys = span_str("release"),
            .envelope = SPAN("\0\xff", 2),
    };
    struct msg_key_session got;
    struct msg_header h;
    size_t len;

    (void)state;
    memset(m.call_id, 1, sizeof(m.call_id));
    memset(m.policy, 2, sizeof(m.policy));
    assert_true(msg_put(MSG_KEY_SESSION, 1, &m, buf, sizeof(buf), &len));
    assert_int_equal(msg_get_header(SPAN(buf, len), &h), 0);
    assert_int_equal(msg_get(&h, &got), 0);
    assert_int_equal(got.deadline, m.deadline);
    assert_memory_equal(got.call_id, m.call_id, sizeof(m.call_id));
    assert_memory_equal(got.policy, m.policy, sizeof(m.policy));
    assert_true(span_eq(got.keys, m.keys));
    assert_true(span_eq(got.rule, m.rule));
    assert_true(span_eq(got.envelope, m.envelope));
    assert_true(got.envelope.ptr >= buf && got.envelope.ptr < buf + len);
}

static void test_failed_decoding_leaves_the_output(void **state)
{
    struct msg_named m = {.name = SPAN("x", 1)};
    struct msg_header h = {.type = MSG_PEER, .body = SPAN("\0\0", 2)};
    struct msg_peer p = {.role = 77};

    (void)state;
    assert_int_equal(msg_get(&h, &p), ERR_SYNTAX);
    assert_int_equal(p.role, 77);
    h = (struct msg_header){.type = MSG_LISTEN, .body = SPAN("\0\2a", 3)};
    assert_int_equal(msg_get(&h, &m), ERR_SYNTAX);
    assert_int_equal(m.name.len, 1);
}

static void test_headers_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } cases[] = {
            {"", 0}, {"\0\1\0\0\0\0\0", 7},
            {"\0\0\0\0\0\0\0\0", 8},     /* type 0 */
            {"\0\3\0\0\0\0\0\0", 8},     /* between two types */
            {"\1\1\0\0\0\0\0\0", 8},     /* MSG_OK with a high byte */
            {"\0\1\0\1\0\0\0\0", 8},     /* reserved field */
            {"\xff\xff\0\0\0\0\0\0", 8}, /* far away */
    };
    struct msg_header h;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(msg_get_header(SPAN(cases[i].bytes, cases[i].len), &h),
                ERR_SYNTAX);
}

static void test_text_is_text(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        bool ok;
    } cases[] = {
            {"", 0, true}, {"plain", 5, true}, {"\xc3\xa9", 2, true},
            {"line\nline", 9, true}, {"a\0b", 3, false}, {"\xc3", 1, false},
            {"\xc0\x80", 2, false},     /* overlong NUL */
            {"\xed\xa0\x80", 3, false}, /* surrogate */
    };
    struct msg_named m;
    size_t len;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        m.name = SPAN(cases[i].bytes, cases[i].len);
        assert_int_equal(msg_put(MSG_LISTEN, 1, &m, buf, sizeof(buf), &len),
                cases[i].ok);
    }
}

static void test_what_does_not_fit_is_not_sent(void **state)
{
    static uint8_t big[2 * LIMIT_IPC_MSG_MAX];
    struct msg_blob m = {.bytes = SPAN(big, LIMIT_IPC_MSG_MAX - 12)};
    struct msg_named n = {.name = SPAN(again, 65536)};
    struct msg_header h;
    size_t len;

    (void)state;
    memset(again, 'a', sizeof(again));
    assert_true(msg_put(MSG_BLOB, 1, &m, buf, sizeof(buf), &len));
    assert_int_equal(len, LIMIT_IPC_MSG_MAX);
    m.bytes.len++;
    assert_false(msg_put(MSG_BLOB, 1, &m, buf, sizeof(buf), &len));
    assert_false(msg_put(MSG_BLOB, 1, &m, big, sizeof(big), &len));
    assert_false(msg_put(MSG_LISTEN, 1, &n, buf, sizeof(buf), &len));
    assert_false(msg_put(MSG_OK, 1, &m, buf, 7, &len));
    assert_int_equal(
            msg_get_header(SPAN(big, LIMIT_IPC_MSG_MAX + 1), &h), ERR_LIMIT);
}

static void test_lengths_beyond_the_end(void **state)
{
    static const char *const bodies[] = {
            "\x80\0\0\0x", "\xff\xff\xff\xffx", "\0\0\0\2x"};
    struct msg_header h = {.type = MSG_BLOB};
    struct msg_blob m;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        h.body = SPAN(bodies[i], 5);
        assert_int_equal(msg_get(&h, &m), ERR_SYNTAX);
    }
}

static void test_tables(void **state)
{
    (void)state;
    assert_int_equal(msg_fds(MSG_BUNDLE), 1);
    assert_int_equal(msg_fds(MSG_DECIDE), 0);
    assert_int_equal(msg_fds(9999), 0);
    assert_true(msg_is_answer(MSG_OK));
    assert_true(msg_is_answer(MSG_QUBE_STARTED));
    assert_false(msg_is_answer(MSG_CHANNEL_CERT));
    assert_false(msg_is_answer(9999));
    assert_string_equal(msg_role_name(MSG_ROLE_NETD), "netd");
    assert_string_equal(msg_role_name(0), "unknown");
    assert_string_equal(msg_role_name(255), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_bytes_are_as_documented),
            cmocka_unit_test(test_every_type_returns_the_same_bytes),
            cmocka_unit_test(test_fields_keep_their_values),
            cmocka_unit_test(test_failed_decoding_leaves_the_output),
            cmocka_unit_test(test_headers_refused),
            cmocka_unit_test(test_text_is_text),
            cmocka_unit_test(test_what_does_not_fit_is_not_sent),
            cmocka_unit_test(test_lengths_beyond_the_end),
            cmocka_unit_test(test_tables),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
