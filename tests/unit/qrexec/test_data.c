/* SPDX-License-Identifier: Apache-2.0 */
#include "qrexec.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <cmocka.h>

/* What a peer sends, in a small language: "H4" hello of version 4, "I3"
 * three bytes of stdin, "O" "E" the same for stdout and stderr with 0 the end
 * of file, "X7" exit code. */
static size_t write_script(const char *script, uint8_t *ret)
{
    struct wire_writer w = wire_writer_of(ret, 1 << 20);
    struct span all;
    char *end;

    while (*script) {
        char what = *script;
        uint32_t n = (uint32_t)strtoul(script + 1, &end, 10);

        script = *end ? end + 1 : end;
        if (what == 'H' || what == 'X') {
            wire_put_u32le(&w, what == 'H' ? QREXEC_HELLO : QREXEC_EXIT_CODE);
            wire_put_u32le(&w, 4);
            wire_put_u32le(&w, n);
            continue;
        }
        wire_put_u32le(&w, what == 'I'   ? QREXEC_STDIN
                           : what == 'O' ? QREXEC_STDOUT
                                         : QREXEC_STDERR);
        wire_put_u32le(&w, n);
        for (uint32_t i = 0; i < n; i++)
            wire_put_u8(&w, (uint8_t)what);
    }
    assert_true(wire_finish(&w, &all));
    return all.len;
}

/* The events as text, data of one stream joined; "!CODE" for an error. */
static void read_events(
        enum qrexec_end end, struct span in, size_t step, char *ret, size_t cap)
{
    struct qrexec_data d;
    struct qrexec_event ev = {.kind = QREXEC_EVENT_NONE};
    size_t joined = 0;
    uint32_t joining = 0;
    size_t n = 0;

    ret[0] = '\0';
    qrexec_data_init(&d, end);
    while (in.len) {
        struct span part = SPAN(in.ptr, in.len < step ? in.len : step);

        in = SPAN(in.ptr + part.len, in.len - part.len);
        do {
            struct err err;
            int r = qrexec_data_feed(&d, &part, &ev, &err);

            if (joined && (r || (ev.kind != QREXEC_EVENT_NONE &&
                                        (ev.kind != QREXEC_EVENT_DATA ||
                                                ev.stream != joining)))) {
                n += (size_t)snprintf(ret + n, cap - n, "%c%zu ",
                        "IOE"[joining - QREXEC_STDIN], joined);
                joined = 0;
            }
            if (r) {
                (void)snprintf(ret + n, cap - n, "!%d", r);
                assert_int_equal(
                        qrexec_data_feed(&d, &part, &ev, &err), ERR_STATE);
                return;
            }
            if (ev.kind == QREXEC_EVENT_HELLO)
                n += (size_t)snprintf(ret + n, cap - n, "H%u ", d.version);
            if (ev.kind == QREXEC_EVENT_EXIT)
                n += (size_t)snprintf(ret + n, cap - n, "X%d ", ev.exit_code);
            if (ev.kind == QREXEC_EVENT_EOF)
                n += (size_t)snprintf(ret + n, cap - n, "%c0 ",
                        "IOE"[ev.stream - QREXEC_STDIN]);
            if (ev.kind == QREXEC_EVENT_DATA) {
                joining = ev.stream;
                joined += ev.data.len;
            }
        } while (ev.kind != QREXEC_EVENT_NONE);
    }
    if (joined)
        (void)snprintf(ret + n, cap - n, "%c%zu ",
                "IOE"[joining - QREXEC_STDIN], joined);
}

static void streams_are_held_to_the_order(void **state)
{
    static const struct {
        enum qrexec_end end;
        const char *script;
        const char *events;
    } rows[] = {
            {QREXEC_CALLER, "H4 O3 E2 O5 O0 E0 X7", "H4 O3 E2 O5 O0 E0 X7 "},
            {QREXEC_CALLER, "H9 X0", "H4 X0 "},
            {QREXEC_CALLER, "H3 O65536 X0", "H3 O65536 X0 "},
            {QREXEC_CALLER, "H2 O4096 X0", "H2 O4096 X0 "},
            {QREXEC_CALLEE, "H4 I1 I1 I0", "H4 I2 I0 "},
            /* versions and limits */
            {QREXEC_CALLER, "H1", "!-3"},
            {QREXEC_CALLER, "H0", "!-3"},
            {QREXEC_CALLER, "H2 O4097", "H2 !-2"},
            {QREXEC_CALLER, "H4 O65537", "H4 !-2"},
            /* before the hello, and a second one */
            {QREXEC_CALLER, "O1 H4", "!-14"},
            {QREXEC_CALLER, "X0", "!-14"},
            {QREXEC_CALLEE, "I0", "!-14"},
            {QREXEC_CALLER, "H4 H4", "H4 !-14"},
            /* from the wrong end */
            {QREXEC_CALLER, "H4 I1", "H4 !-14"},
            {QREXEC_CALLEE, "H4 O1", "H4 !-14"},
            {QREXEC_CALLEE, "H4 E0", "H4 !-14"},
            {QREXEC_CALLEE, "H4 X0", "H4 !-14"},
            /* after an end */
            {QREXEC_CALLER, "H4 O0 O1", "H4 O0 !-14"},
            {QREXEC_CALLER, "H4 E0 E0", "H4 E0 !-14"},
            {QREXEC_CALLER, "H4 O0 E1 X1", "H4 O0 E1 X1 "},
            {QREXEC_CALLEE, "H4 I0 I0", "H4 I0 !-14"},
            {QREXEC_CALLER, "H4 X0 O1", "H4 X0 !-14"},
            {QREXEC_CALLER, "H4 X0 X0", "H4 X0 !-14"},
    };
    static const size_t steps[] = {1, 3, 7, 8, 4096, 1 << 20};
    static uint8_t bytes[1 << 20];
    static char events[4096];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t len = write_script(rows[i].script, bytes);

        for (size_t k = 0; k < ARRAY_LEN(steps); k++) {
            read_events(rows[i].end, SPAN(bytes, len), steps[k], events,
                    sizeof(events));
            assert_string_equal(events, rows[i].events);
        }
    }
}

static void lengths_of_fixed_messages_are_fixed(void **state)
{
    static const uint32_t lens[] = {0, 3, 5, 0x80000000, UINT32_MAX};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
        uint8_t bytes[QREXEC_HEADER_SIZE];
        struct wire_writer w = wire_writer_of(bytes, sizeof(bytes));
        struct span in = SPAN(bytes, sizeof(bytes));
        struct qrexec_data d;
        struct qrexec_event ev;

        wire_put_u32le(&w, QREXEC_HELLO);
        wire_put_u32le(&w, lens[i]);
        qrexec_data_init(&d, QREXEC_CALLER);
        assert_int_equal(qrexec_data_feed(&d, &in, &ev, NULL), ERR_SYNTAX);
    }
}

static void greet(struct qrexec_data *d, enum qrexec_end end)
{
    uint8_t hello[12];
    struct span in = SPAN(hello, sizeof(hello));
    struct qrexec_event ev;

    qrexec_data_init(d, end);
    assert_int_equal(qrexec_data_chunk_max(d), 0);
    assert_false(qrexec_data_may_send(d, QREXEC_STDIN));
    qrexec_data_put_hello(d, hello);
    assert_int_equal(qrexec_data_feed(d, &in, &ev, NULL), 0);
    assert_int_equal(ev.kind, QREXEC_EVENT_HELLO);
}

static void own_end_is_held_to_the_order_too(void **state)
{
    struct qrexec_data d;
    uint8_t h[12];

    (void)state;
    qrexec_data_init(&d, QREXEC_CALLEE);
    assert_int_equal(qrexec_data_put_exit(&d, 0, h), ERR_STATE);
    assert_int_equal(
            qrexec_data_put_header(&d, QREXEC_STDOUT, 1, h), ERR_STATE);
    greet(&d, QREXEC_CALLER);
    assert_int_equal(qrexec_data_put_exit(&d, 0, h), ERR_STATE);
    assert_int_equal(
            qrexec_data_put_header(&d, QREXEC_STDOUT, 1, h), ERR_STATE);
    assert_int_equal(
            qrexec_data_put_header(&d, QREXEC_STDIN, 65537, h), ERR_LIMIT);
    assert_int_equal(qrexec_data_put_header(&d, QREXEC_STDIN, 65536, h), 0);
    assert_int_equal(qrexec_data_put_header(&d, QREXEC_STDIN, 0, h), 0);
    assert_int_equal(qrexec_data_put_header(&d, QREXEC_STDIN, 1, h), ERR_STATE);
    greet(&d, QREXEC_CALLEE);
    assert_int_equal(qrexec_data_put_header(&d, QREXEC_STDERR, 0, h), 0);
    assert_true(qrexec_data_may_send(&d, QREXEC_STDOUT));
    assert_int_equal(qrexec_data_put_exit(&d, -1, h), 0);
    assert_memory_equal(h, "\x93\x01\0\0\x04\0\0\0\xff\xff\xff\xff", 12);
    assert_false(qrexec_data_may_send(&d, QREXEC_STDOUT));
    assert_int_equal(qrexec_data_put_exit(&d, 0, h), ERR_STATE);
}

static void exit_codes_of_processes(void **state)
{
    (void)state;
    assert_int_equal(qrexec_exit_code(W_EXITCODE(0, 0)), 0);
    assert_int_equal(qrexec_exit_code(W_EXITCODE(255, 0)), 255);
    assert_int_equal(qrexec_exit_code(W_EXITCODE(0, SIGKILL)), 137);
    assert_int_equal(qrexec_exit_code(W_STOPCODE(SIGSTOP)), 125);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(streams_are_held_to_the_order),
            cmocka_unit_test(lengths_of_fixed_messages_are_fixed),
            cmocka_unit_test(own_end_is_held_to_the_order_too),
            cmocka_unit_test(exit_codes_of_processes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
