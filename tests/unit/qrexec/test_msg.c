/* SPDX-License-Identifier: Apache-2.0 */
#include "qrexec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static uint8_t out[QREXEC_MSG_MAX];

/* One of each type, with the bytes that upstream's structs have. */
static void known_bytes(void **state)
{
    static const struct {
        struct qrexec_msg m;
        const char *head; /* hex of the front */
        size_t len;
    } rows[] = {
            {{.type = QREXEC_HELLO, .version = 4}, "000300000400000004000000",
                    12},
            {{.type = QREXEC_EXIT_CODE, .exit_code = -2},
                    "9301000004000000feffffff", 12},
            {{.type = QREXEC_STDIN}, "9001000000000000", 8},
            {{.type = QREXEC_STDOUT, .data = {(const uint8_t *)"ab", 2}},
                    "91010000020000006162", 10},
            {{.type = QREXEC_EXEC_CMDLINE,
                     .domain = 7,
                     .port = 513,
                     .command = {(const uint8_t *)"u:x", 3}},
                    "000200000c0000000700000001020000753a7800", 20},
            {{.type = QREXEC_CONNECTION_TERMINATED, .domain = 1, .port = 514},
                    "11020000080000000100000002020000", 16},
            {{.type = QREXEC_SERVICE_CONNECT,
                     .domain = 1,
                     .port = 2,
                     .ident = {(const uint8_t *)"SOCKET9", 7}},
                    "02020000280000000100000002000000534f434b45543900", 48},
            {{.type = QREXEC_SERVICE_REFUSED,
                     .ident = {(const uint8_t *)"S", 1}},
                    "03020000200000005300", 40},
            {{.type = QREXEC_SERVICE_REFUSED,
                     .ident = {(const uint8_t *)"S", 1},
                     .has_reason = true,
                     .where = {(const uint8_t *)"w", 1},
                     .reason = {(const uint8_t *)"r", 1}},
                    "03020000240000005300", 44},
            {{.type = QREXEC_TRIGGER_SERVICE4,
                     .source = {(const uint8_t *)"src", 3},
                     .target = {(const uint8_t *)"dst", 3},
                     .ident = {(const uint8_t *)"SOCKET", 6},
                     .service = {(const uint8_t *)"a+b", 3}},
                    "13020000a400000073726300", 172},
            {{.type = QREXEC_TRIGGER_SERVICE3,
                     .target = {(const uint8_t *)"dst", 3},
                     .service = {(const uint8_t *)"a+b", 3}},
                    "120200006400000064737400", 108},
            {{.type = QREXEC_TRIGGER_SERVICE,
                     .target = {(const uint8_t *)"dst", 3},
                     .service = {(const uint8_t *)"a+b", 3}},
                    "1002000080000000612b6200", 136},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint8_t head[64];
        size_t n = strlen(rows[i].head) / 2;
        struct qrexec_msg m;
        struct span in;
        struct err err;
        size_t len;

        assert_true(text_parse_hex(span_str(rows[i].head), head, n));
        assert_int_equal(qrexec_msg_put(&rows[i].m, out, sizeof(out), &len), 0);
        assert_int_equal(len, rows[i].len);
        assert_memory_equal(out, head, n);
        in = SPAN(out, len);
        assert_int_equal(qrexec_msg_get(&in, &m, &err), 0);
        assert_int_equal(in.len, 0);
        assert_int_equal(m.type, rows[i].m.type);
        assert_true(span_eq(m.service, rows[i].m.service));
        assert_true(span_eq(m.target, rows[i].m.target));
        assert_true(span_eq(m.command, rows[i].m.command));
        assert_true(span_eq(m.where, rows[i].m.where));
        assert_true(span_eq(m.reason, rows[i].m.reason));
        assert_int_equal(m.exit_code, rows[i].m.exit_code);
        assert_int_equal(m.port, rows[i].m.port);
    }
}

/* Every prefix of a message is a message that is not complete. */
static void cut_off_messages_wait(void **state)
{
    const struct qrexec_msg m = {.type = QREXEC_TRIGGER_SERVICE4,
            .target = span_str("t"),
            .service = span_str("s")};
    struct qrexec_msg got;
    struct err err;
    size_t len;

    (void)state;
    assert_int_equal(qrexec_msg_put(&m, out, sizeof(out), &len), 0);
    for (size_t n = 0; n < len; n++) {
        uint8_t *exact = malloc(n ? n : 1);
        struct span in = SPAN(exact, n);

        memcpy(exact, out, n);
        assert_int_equal(qrexec_msg_get(&in, &got, &err), ERR_STATE);
        assert_int_equal(in.len, n);
        free(exact);
    }
}

static void bad_headers_are_told_before_the_body_comes(void **state)
{
    static const struct {
        uint32_t type;
        uint32_t len;
        int code;
    } rows[] = {
            {0, 0, ERR_UNSUPPORTED},
            {0x18f, 0, ERR_UNSUPPORTED},
            {0x194, 0, ERR_UNSUPPORTED},
            {0x301, 4, ERR_UNSUPPORTED},
            {UINT32_MAX, 4, ERR_UNSUPPORTED},
            {QREXEC_HELLO, 0, ERR_SYNTAX},
            {QREXEC_HELLO, 3, ERR_SYNTAX},
            {QREXEC_HELLO, 5, ERR_LIMIT},
            {QREXEC_HELLO, UINT32_MAX, ERR_LIMIT},
            {QREXEC_EXIT_CODE, 0x80000000, ERR_LIMIT},
            {QREXEC_STDIN, 65537, ERR_LIMIT},
            {QREXEC_STDIN, 65536, ERR_STATE},
            {QREXEC_EXEC_CMDLINE, 8, ERR_SYNTAX},
            {QREXEC_EXEC_CMDLINE, 65545, ERR_LIMIT},
            {QREXEC_SERVICE_CONNECT, 39, ERR_SYNTAX},
            {QREXEC_SERVICE_CONNECT, 41, ERR_LIMIT},
            {QREXEC_SERVICE_REFUSED, 31, ERR_SYNTAX},
            {QREXEC_SERVICE_REFUSED, 545, ERR_LIMIT},
            {QREXEC_TRIGGER_SERVICE, 127, ERR_SYNTAX},
            {QREXEC_TRIGGER_SERVICE, 129, ERR_LIMIT},
            {QREXEC_TRIGGER_SERVICE3, 96, ERR_SYNTAX},
            {QREXEC_TRIGGER_SERVICE4, 160, ERR_SYNTAX},
            {QREXEC_TRIGGER_SERVICE4, 65161, ERR_LIMIT},
            {QREXEC_CONNECTION_TERMINATED, 7, ERR_SYNTAX},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct wire_writer w = wire_writer_of(out, QREXEC_HEADER_SIZE);
        struct qrexec_msg m;
        struct span in = SPAN(out, QREXEC_HEADER_SIZE);
        struct err err;

        wire_put_u32le(&w, rows[i].type);
        wire_put_u32le(&w, rows[i].len);
        assert_int_equal(qrexec_msg_get(&in, &m, &err), rows[i].code);
        assert_int_equal(in.len, QREXEC_HEADER_SIZE);
    }
}

/* Bytes hidden behind the NUL of a field, a missing NUL, a NUL inside. */
static void smuggled_bytes_are_refused(void **state)
{
    static const struct {
        size_t at; /* in the body of a TRIGGER_SERVICE4 */
        uint8_t byte;
    } rows[] = {
            {1, 'x'},   /* source: behind its NUL */
            {63, 'x'},  /* source: no NUL at the end and text behind one */
            {67, 'x'},  /* target "tgt": its NUL gone is caught behind */
            {127, 'x'}, /* target's last byte */
            {159, 'x'}, /* ident's last byte */
            {163, 'x'}, /* service's NUL */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct qrexec_msg m = {.type = QREXEC_TRIGGER_SERVICE4,
                .target = span_str("tgt"),
                .service = span_str("svc")};
        struct qrexec_msg got;
        struct span in;
        struct err err;
        size_t len;
        int r;

        assert_int_equal(qrexec_msg_put(&m, out, sizeof(out), &len), 0);
        out[QREXEC_HEADER_SIZE + rows[i].at] = rows[i].byte;
        in = SPAN(out, len);
        r = qrexec_msg_get(&in, &got, &err);
        if (rows[i].at == 67) { /* "tgtx" is a fine name */
            assert_int_equal(r, 0);
            assert_true(span_eq_str(got.target, "tgtx"));
        } else {
            assert_int_equal(r, ERR_SYNTAX);
        }
    }
}

static void what_does_not_fit_cannot_be_said(void **state)
{
    static char long_name[65];
    static char long_text[QREXEC_COMMAND_MAX + 2];
    const struct qrexec_msg rows[] = {
            {.type = 0},
            {.type = QREXEC_TRIGGER_SERVICE4,
                    .target = SPAN(long_name, 64),
                    .service = span_str("s")},
            {.type = QREXEC_TRIGGER_SERVICE4,
                    .source = SPAN("a\0b", 3),
                    .service = span_str("s")},
            {.type = QREXEC_TRIGGER_SERVICE4,
                    .ident = SPAN(long_name, 32),
                    .service = span_str("s")},
            {.type = QREXEC_TRIGGER_SERVICE4,
                    .service = SPAN(long_text, 65000)},
            {.type = QREXEC_TRIGGER_SERVICE, .target = SPAN(long_name, 32)},
            {.type = QREXEC_EXEC_CMDLINE,
                    .command = SPAN(long_text, QREXEC_COMMAND_MAX + 1)},
            {.type = QREXEC_EXEC_CMDLINE, .command = SPAN("a\0b", 3)},
            {.type = QREXEC_STDIN,
                    .data = SPAN(long_text, LIMIT_QREXEC_DATA_MAX + 1)},
            {.type = QREXEC_SERVICE_REFUSED,
                    .has_reason = true,
                    .where = SPAN("a\0b", 3)},
            {.type = QREXEC_SERVICE_REFUSED,
                    .has_reason = true,
                    .reason = SPAN(long_text, QREXEC_REASON_MAX)},
    };
    size_t len = 99;

    (void)state;
    memset(long_name, 'n', sizeof(long_name));
    memset(long_text, 't', sizeof(long_text));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_true(qrexec_msg_put(&rows[i], out, sizeof(out), &len) < 0);
    assert_int_equal(len, 99);
}

static void old_peers_are_refused(void **state)
{
    uint32_t v = 77;

    (void)state;
    assert_int_equal(qrexec_negotiate(0, &v, NULL), ERR_UNSUPPORTED);
    assert_int_equal(qrexec_negotiate(1, &v, NULL), ERR_UNSUPPORTED);
    assert_int_equal(v, 77);
    assert_int_equal(qrexec_negotiate(2, &v, NULL), 0);
    assert_int_equal(v, 2);
    assert_int_equal(qrexec_negotiate(UINT32_MAX, &v, NULL), 0);
    assert_int_equal(v, QREXEC_VERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(known_bytes),
            cmocka_unit_test(cut_off_messages_wait),
            cmocka_unit_test(bad_headers_are_told_before_the_body_comes),
            cmocka_unit_test(smuggled_bytes_are_refused),
            cmocka_unit_test(what_does_not_fit_cannot_be_said),
            cmocka_unit_test(old_peers_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
