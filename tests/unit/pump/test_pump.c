/* SPDX-License-Identifier: Apache-2.0 */
/* Each end of a call against a peer that is written by hand. */
#include "pump.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define HELLO "\x00\x03\0\0\x04\0\0\0\x04\0\0\0"

/* The pump under test in a thread, the peer's end in the test. */
struct under_test {
    struct pump p;
    pthread_t thread;
    int result;
    int code;
    struct err err;
    int peer;
    int in;  /* what the pump reads as stdin or stdout: our writing end */
    int out; /* what it writes: our reading end */
};

static void *run(void *arg)
{
    struct under_test *t = arg;

    t->result = pump_run(&t->p, &t->code, &t->err);
    return NULL;
}

static void start(struct under_test *t, enum qrexec_end end)
{
    int sock[2];
    int in[2];
    int out[2];

    *t = (struct under_test){.code = -1};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sock), 0);
    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(out), 0);
    t->p = (struct pump){.end = end,
            .link = link_new_stream(sock[0], 0, 0),
            .stderr_fd = -1};
    if (end == QREXEC_CALLER) {
        t->p.stdin_fd = in[0];
        t->p.stdout_fd = out[1];
    } else {
        t->p.stdin_fd = out[1];
        t->p.stdout_fd = in[0];
    }
    t->peer = sock[1];
    t->in = in[1];
    t->out = out[0];
}

static void go(struct under_test *t)
{
    assert_int_equal(pthread_create(&t->thread, NULL, run, t), 0);
}

static void finish(struct under_test *t)
{
    assert_int_equal(pthread_join(t->thread, NULL), 0);
    if (t->peer >= 0)
        (void)close(t->peer);
    if (t->in >= 0)
        (void)close(t->in);
    if (t->out >= 0)
        (void)close(t->out);
}

static void put(struct under_test *t, const char *bytes, size_t len)
{
    assert_int_equal(write(t->peer, bytes, len), (ssize_t)len);
}

static void get(struct under_test *t, const char *bytes, size_t len)
{
    char got[256];

    assert_true(len <= sizeof(got));
    assert_int_equal(recv(t->peer, got, len, MSG_WAITALL), (ssize_t)len);
    assert_memory_equal(got, bytes, len);
}

static void caller_survives_no_lie(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } lies[] = {
            {"\x90\x01\0\0\0\0\0\0", 8}, {"\x00\x03\0\0\xff\xff\xff\xff", 8},
            {HELLO HELLO, 24}, {HELLO "\x91\x01\0\0\x01\0\x01\0", 20},
            {HELLO "\x90\x01\0\0\x01\0\0\0x", 21},
            {HELLO "\x91\x01\0\0\0\0\0\0\x91\x01\0\0\0\0\0\0", 28},
            {HELLO "\x93\x01\0\0\x04\0\0\0\0\0\0\0z", 25},
            {HELLO "\x91\x01\0\0\x05\0\0\0abc", 23}, /* and then the end */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
        struct under_test t;

        start(&t, QREXEC_CALLER);
        go(&t);
        put(&t, lies[i].bytes, lies[i].len);
        (void)shutdown(t.peer, SHUT_WR);
        finish(&t);
        assert_true(t.result < 0);
        assert_int_equal(t.code, -1);
    }
}

static void caller_gets_all_before_the_code(void **state)
{
    struct under_test t;
    char text[8] = "";

    (void)state;
    start(&t, QREXEC_CALLER);
    go(&t);
    get(&t, HELLO, 12);
    put(&t, HELLO "\x91\x01\0\0\x03\0\0\0abc", 23);
    put(&t, "\x93\x01\0\0\x04\0\0\0\x2a\0\0\0", 12);
    finish(&(struct under_test){
            .thread = t.thread, .peer = -1, .in = -1, .out = -1});
    assert_int_equal(t.result, 0);
    assert_int_equal(t.code, 42);
    assert_int_equal(read(t.out, text, sizeof(text)), 3);
    assert_string_equal(text, "abc");
    (void)close(t.peer);
    (void)close(t.in);
    (void)close(t.out);
}

/* What upstream's callee waits for; once, and nothing more. */
static void caller_ends_stdin_after_the_code(void **state)
{
    (void)state;
    for (int closed = 0; closed < 2; closed++) {
        struct under_test t;
        char rest[16];

        start(&t, QREXEC_CALLER);
        go(&t);
        get(&t, HELLO, 12);
        if (closed) {
            (void)close(t.in);
            t.in = -1;
        }
        put(&t, HELLO, 12);
        if (closed)
            get(&t, "\x90\x01\0\0\0\0\0\0", 8);
        put(&t, "\x93\x01\0\0\x04\0\0\0\x2a\0\0\0", 12);
        if (!closed)
            get(&t, "\x90\x01\0\0\0\0\0\0", 8);
        assert_int_equal(read(t.peer, rest, sizeof(rest)), 0);
        finish(&t);
        assert_int_equal(t.result, 0);
        assert_int_equal(t.code, 42);
    }
}

/* A log that takes nothing more holds the call up no more than none. */
static void stderr_is_copied_as_far_as_the_log_takes_it(void **state)
{
    (void)state;
    for (int full = 0; full < 2; full++) {
        struct under_test t;
        char text[8] = "";
        int log[2];
        int errors[2];

        start(&t, QREXEC_CALLEE);
        assert_int_equal(pipe2(log, O_NONBLOCK), 0);
        assert_int_equal(pipe(errors), 0);
        while (full && write(log[1], HELLO, 12) > 0) {
        }
        while (full && write(log[1], "x", 1) > 0) {
        }
        t.p.stderr_fd = errors[0];
        t.p.log_fd = log[1];
        go(&t);
        get(&t, HELLO, 12);
        put(&t, HELLO, 12);
        assert_int_equal(write(errors[1], "why", 3), 3);
        get(&t, "\x92\x01\0\0\x03\0\0\0why", 11);
        (void)close(errors[1]);
        get(&t, "\x92\x01\0\0\0\0\0\0", 8);
        if (!full)
            assert_int_equal(read(log[0], text, sizeof(text)), 3);
        assert_string_equal(text, full ? "" : "why");
        (void)close(t.in);
        t.in = -1;
        get(&t, "\x91\x01\0\0\0\0\0\0", 8);
        get(&t, "\x93\x01\0\0\x04\0\0\0\0\0\0\0", 12);
        (void)close(t.peer);
        t.peer = -1;
        finish(&t);
        (void)close(log[0]);
        (void)close(log[1]);
    }
}

/* What it left running reads the end, though the caller says nothing. */
static void service_that_ended_gets_no_more_stdin(void **state)
{
    struct under_test t;
    char byte;

    (void)state;
    start(&t, QREXEC_CALLEE);
    t.p.child = fork();
    if (t.p.child == 0)
        _exit(9);
    go(&t);
    put(&t, HELLO, 12);
    get(&t, HELLO, 12);
    assert_int_equal(read(t.out, &byte, 1), 0);
    assert_int_equal(write(t.in, "late", 4), 4); /* its output still counts */
    get(&t, "\x92\x01\0\0\0\0\0\0", 8);
    get(&t, "\x91\x01\0\0\x04\0\0\0late", 12);
    (void)close(t.in);
    t.in = -1;
    get(&t, "\x91\x01\0\0\0\0\0\0", 8);
    get(&t, "\x93\x01\0\0\x04\0\0\0\x09\0\0\0", 12);
    (void)close(t.peer);
    t.peer = -1;
    finish(&t);
}

static void callee_says_ends_then_the_code(void **state)
{
    struct under_test t;

    (void)state;
    start(&t, QREXEC_CALLEE);
    t.p.exit_code = 7;
    go(&t);
    get(&t, HELLO, 12);
    put(&t, HELLO, 12);
    assert_int_equal(write(t.in, "out", 3), 3);
    get(&t, "\x92\x01\0\0\0\0\0\0", 8); /* no stderr here: its end at once */
    get(&t, "\x91\x01\0\0\x03\0\0\0out", 11);
    (void)close(t.in);
    t.in = -1;
    get(&t, "\x91\x01\0\0\0\0\0\0", 8);
    get(&t, "\x93\x01\0\0\x04\0\0\0\x07\0\0\0", 12);
    get(&t, "", 0);
    (void)close(t.peer);
    t.peer = -1;
    finish(&t);
    assert_int_equal(t.result, 0);
}

static void callee_notices_a_caller_that_goes(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } before[] = {
            {"", 0}, {HELLO, 12}, {HELLO "\x90\x01\0\0\x10\0\0\0half", 24},
            {HELLO "\x90\x01\0\0\0\0\0\0", 20}, /* even after its stdin */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(before); i++) {
        struct under_test t;

        start(&t, QREXEC_CALLEE);
        go(&t);
        put(&t, before[i].bytes, before[i].len);
        (void)usleep(20000);
        (void)close(t.peer);
        t.peer = -1;
        finish(&t);
        assert_int_equal(t.result, ERR_PEER);
    }
}

/* Also while its service does not read, and nothing is read for it. */
static void callee_notices_it_with_stdin_blocked(void **state)
{
    static char chunk[8 + 65536];
    struct under_test t;
    struct wire_writer w = wire_writer_of(chunk, sizeof(chunk));

    (void)state;
    wire_put_u32le(&w, QREXEC_STDIN);
    wire_put_u32le(&w, 65536);
    start(&t, QREXEC_CALLEE);
    go(&t);
    put(&t, HELLO, 12);
    for (int i = 0; i < 4; i++) /* more than the pipe holds */
        put(&t, chunk, sizeof(chunk));
    (void)usleep(50000);
    (void)close(t.peer);
    t.peer = -1;
    finish(&t);
    assert_int_equal(t.result, ERR_PEER);
}

static void waiting_costs_no_cpu(void **state)
{
    static char chunk[8 + 65536];
    struct under_test t;
    struct wire_writer w = wire_writer_of(chunk, sizeof(chunk));
    struct timespec before;
    struct timespec after;

    (void)state;
    wire_put_u32le(&w, QREXEC_STDOUT);
    wire_put_u32le(&w, 65536);
    start(&t, QREXEC_CALLER);
    go(&t);
    put(&t, HELLO, 12);
    for (int i = 0; i < 3; i++)
        put(&t, chunk, sizeof(chunk));
    (void)shutdown(t.peer, SHUT_WR); /* a hang-up while stdout is blocked */
    (void)usleep(50000);
    assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before), 0);
    (void)usleep(300000);
    assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after), 0);
    assert_true((after.tv_sec - before.tv_sec) * 1000 +
                        (after.tv_nsec - before.tv_nsec) / 1000000 <
                100);
    (void)close(t.out);
    t.out = -1;
    finish(&t);
    assert_int_equal(t.code, 128 + SIGPIPE);
}

static void callee_reaps_its_service(void **state)
{
    struct under_test t;

    (void)state;
    start(&t, QREXEC_CALLEE);
    t.p.child = fork();
    if (t.p.child == 0)
        _exit(9);
    go(&t);
    put(&t, HELLO, 12);
    get(&t, HELLO, 12);
    (void)close(t.in);
    t.in = -1;
    get(&t, "\x92\x01\0\0\0\0\0\0", 8);
    get(&t, "\x91\x01\0\0\0\0\0\0", 8);
    get(&t, "\x93\x01\0\0\x04\0\0\0\x09\0\0\0", 12);
    (void)close(t.peer);
    t.peer = -1;
    finish(&t);
    assert_int_equal(t.p.child, 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(caller_survives_no_lie),
            cmocka_unit_test(caller_gets_all_before_the_code),
            cmocka_unit_test(caller_ends_stdin_after_the_code),
            cmocka_unit_test(stderr_is_copied_as_far_as_the_log_takes_it),
            cmocka_unit_test(service_that_ended_gets_no_more_stdin),
            cmocka_unit_test(callee_says_ends_then_the_code),
            cmocka_unit_test(callee_notices_a_caller_that_goes),
            cmocka_unit_test(callee_notices_it_with_stdin_blocked),
            cmocka_unit_test(waiting_costs_no_cpu),
            cmocka_unit_test(callee_reaps_its_service),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    (void)alarm(60);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
