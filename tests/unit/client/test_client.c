/* SPDX-License-Identifier: Apache-2.0 */
/* libqair-qrexec against an agent that this test plays, honest or not. */
#include "buf.h"
#include "link.h"
#include "qair-qrexec.h"
#include "qrexec.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_MS 10000

static char dir[] = "/tmp/qair-test-client-XXXXXX";
static char path[64];
static int listener = -1;
static struct qair_call *call;
static int agent = -1; /* the agent's end of the request */
static int data = -1;  /* the callee's end of the stream */

static int listen_at(const char *where)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(a.sun_path, sizeof(a.sun_path), "%s", where);
    unlink(where);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(fd, 4), 0);
    return fd;
}

static int setup(void **state)
{
    (void)state;
    listener = listen_at(path);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    qair_call_free(call);
    call = NULL;
    close(listener);
    if (agent >= 0)
        close(agent);
    if (data >= 0)
        close(data);
    agent = data = -1;
    return 0;
}

static int start(const char *target, const char *service)
{
    struct qair_call_options o = {.size = sizeof(o), .agent = path};

    return qair_call_start(target, service, &o, &call);
}

/* Takes the request; what it says is in *m while bytes lives. */
static void take_request(struct qrexec_msg *m)
{
    static uint8_t bytes[QREXEC_MSG_MAX];
    struct span in;
    size_t len = 0;
    struct err err;
    int r;

    agent = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(agent >= 0);
    do {
        ssize_t n = read(agent, bytes + len, sizeof(bytes) - len);

        assert_true(n > 0);
        len += (size_t)n;
        in = SPAN(bytes, len);
        r = qrexec_msg_get(&in, m, &err);
    } while (r == ERR_STATE);
    assert_int_equal(r, 0);
}

static void answer(uint32_t domain, uint32_t port, struct span more, int fd)
{
    struct link *l = link_new_unix(dup(agent), 64, 4096);
    uint8_t bytes[8 + QREXEC_REASON_MAX];
    struct wire_writer w = wire_writer_of(bytes, sizeof(bytes));
    struct span s;

    wire_put_u32le(&w, domain);
    wire_put_u32le(&w, port);
    wire_put_bytes(&w, more.ptr, more.len);
    assert_true(wire_finish(&w, &s));
    assert_int_equal(link_send(l, s, &fd, fd >= 0, NULL), 0);
    link_free(l);
}

static void allow(void)
{
    struct qrexec_msg m;
    int fds[2];

    take_request(&m);
    assert_int_equal(
            socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    data = fds[0];
    answer(1, 513, SPAN_EMPTY, fds[1]);
    close(fds[1]);
}

static void say(const struct qrexec_msg *m)
{
    static uint8_t bytes[QREXEC_MSG_MAX];
    size_t len;

    assert_int_equal(qrexec_msg_put(m, bytes, sizeof(bytes), &len), 0);
    assert_int_equal(buf_write_all(data, SPAN(bytes, len), NULL), 0);
}

static void say_data(uint32_t type, const char *text)
{
    say(&(struct qrexec_msg){.type = type, .data = span_str(text)});
}

static void say_hello(void)
{
    say(&(struct qrexec_msg){.type = QREXEC_HELLO, .version = 3});
}

static enum qair_call_state wait_over(void)
{
    while (qair_call_fd(call) >= 0) {
        char drop[4096];

        assert_int_equal(qair_call_wait(call, 0, PATIENCE_MS), 0);
        while (qair_call_read(call, QAIR_CALL_STDERR, drop, sizeof(drop)) > 0) {
        }
        if (qair_call_fd(call) >= 0)
            while (qair_call_read(call, QAIR_CALL_STDOUT, drop, sizeof(drop)) >
                    0) {
            }
    }
    return qair_call_step(call);
}

/* ---- a call ---------------------------------------------------------- */

static void test_request_says_what_was_asked(void **state)
{
    struct qair_call_options o = {
            .size = sizeof(o), .agent = path, .source = "far-work"};
    struct qrexec_msg m;

    (void)state;
    assert_int_equal(qair_call_start("vault", "qair.Sign+k", &o, &call), 0);
    take_request(&m);
    assert_int_equal(m.type, QREXEC_TRIGGER_SERVICE4);
    assert_true(span_eq_str(m.target, "vault"));
    assert_true(span_eq_str(m.service, "qair.Sign+k"));
    assert_true(span_eq_str(m.source, "far-work"));
    assert_int_equal(qair_call_step(call), QAIR_CALL_ASKING);
    assert_int_equal(qair_call_write(call, "x", 1), -EAGAIN);
}

static void test_streams_and_exit_code(void **state)
{
    uint8_t got[64];
    char text[16] = "";
    ssize_t n;

    (void)state;
    assert_int_equal(start("vault", "a.B"), 0);
    allow();
    say_hello();
    assert_int_equal(qair_call_wait(call, 1, PATIENCE_MS), 0);
    assert_int_equal(qair_call_write(call, "ask", 3), 3);
    assert_int_equal(qair_call_end_input(call), 0);
    assert_int_equal(qair_call_write(call, "more", 4), -EPIPE);
    /* hello, "ask", end: 12 + 11 + 8 bytes */
    for (size_t len = 0; len < 31; len += (size_t)n) {
        n = read(data, got + len, sizeof(got) - len);
        assert_true(n > 0);
    }
    assert_memory_equal(got + 20, "ask", 3);
    say_data(QREXEC_STDOUT, "out");
    say_data(QREXEC_STDERR, "err");
    say_data(QREXEC_STDOUT, "");
    say_data(QREXEC_STDERR, "");
    say(&(struct qrexec_msg){.type = QREXEC_EXIT_CODE, .exit_code = 126});
    while (qair_call_fd(call) >= 0)
        assert_int_equal(qair_call_wait(call, 0, PATIENCE_MS), 0);
    assert_int_equal(qair_call_step(call), QAIR_CALL_EXITED);
    /* a service's own 126 is no refusal */
    assert_int_equal(qair_call_exit_code(call), 126);
    assert_int_equal(qair_call_read(call, QAIR_CALL_STDOUT, text, 16), 3);
    assert_string_equal(text, "out");
    assert_int_equal(qair_call_read(call, QAIR_CALL_STDOUT, text, 16), 0);
    assert_int_equal(qair_call_read(call, QAIR_CALL_STDERR, text, 16), 3);
    assert_string_equal(text, "err");
}

static void test_refusal_has_where_and_why(void **state)
{
    struct qrexec_msg m;

    (void)state;
    assert_int_equal(start("vault", "a.B"), 0);
    take_request(&m);
    assert_true(span_eq_str(m.ident, "SOCKET REASON"));
    answer(UINT32_MAX, 26, SPAN("policy of zone\x1b\0not for u\0", 26), -1);
    assert_int_equal(wait_over(), QAIR_CALL_REFUSED);
    assert_null(strchr(qair_call_where(call), '\x1b'));
    assert_string_equal(qair_call_reason(call), "not for u");
}

static void test_refusal_of_upstreams_agent_is_its_silence(void **state)
{
    struct qrexec_msg m;

    (void)state;
    assert_int_equal(start("vault", "a.B"), 0);
    take_request(&m);
    close(agent);
    agent = -1;
    assert_int_equal(wait_over(), QAIR_CALL_REFUSED);
    assert_string_equal(qair_call_reason(call), "no reason given");
}

/* ---- what the other side may try -------------------------------------- */

static void test_reason_longer_than_any(void **state)
{
    struct qrexec_msg m;

    (void)state;
    assert_int_equal(start("vault", "a.B"), 0);
    take_request(&m);
    answer(UINT32_MAX, UINT32_MAX, SPAN_EMPTY, -1);
    assert_int_equal(wait_over(), QAIR_CALL_REFUSED);
}

static void test_allowed_without_a_stream(void **state)
{
    struct qrexec_msg m;

    (void)state;
    assert_int_equal(start("vault", "a.B"), 0);
    take_request(&m);
    answer(1, 513, SPAN_EMPTY, -1);
    assert_int_equal(wait_over(), QAIR_CALL_LOST);
}

/* False: the library has let go of its request. */
static bool agent_holds_request(void)
{
    char byte;

    return recv(agent, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

/* Qubes' agent names domain and port, and the caller is the vchan server. */
static void test_stream_over_a_vchan(void **state)
{
    struct link_port *port;
    struct link *l;
    struct qrexec_msg m;
    struct err err;

    (void)state;
    setenv("VCHAN_DOMAIN", "7", 1);
    setenv("VCHAN_SOCKET_DIR", dir, 1);
    assert_int_equal(start("vault", "a.B"), 0);
    take_request(&m);
    answer(9, 600, SPAN_EMPTY, -1);
    assert_int_equal(qair_call_wait(call, 0, 50), -ETIMEDOUT);
    assert_int_equal(qair_call_step(call), QAIR_CALL_ASKING);
    assert_true(agent_holds_request()); /* it is what holds the port */
    setenv("VCHAN_DOMAIN", "9", 1);
    assert_int_equal(link_port_connect(7, 600, 5000, &port, &err), 0);
    assert_int_equal(link_port_wait(port, 5000, 4096, 4096, &l, &err), 0);
    link_port_free(port);
    data = dup(link_fd(l));
    link_free(l);
    say_hello();
    say_data(QREXEC_STDOUT, "");
    say_data(QREXEC_STDERR, "");
    assert_int_equal(qair_call_wait(call, 0, 50), -ETIMEDOUT);
    assert_int_equal(qair_call_step(call), QAIR_CALL_RUNNING);
    assert_true(agent_holds_request());
    say(&(struct qrexec_msg){.type = QREXEC_EXIT_CODE, .exit_code = 3});
    assert_int_equal(wait_over(), QAIR_CALL_EXITED);
    assert_int_equal(qair_call_exit_code(call), 3);
    assert_false(agent_holds_request());
    unsetenv("VCHAN_DOMAIN");
}

static void test_stream_that_is_cut_is_not_an_exit(void **state)
{
    (void)state;
    assert_int_equal(start("vault", "a.B"), 0);
    allow();
    say_hello();
    say_data(QREXEC_STDOUT, "half");
    close(data);
    data = -1;
    assert_int_equal(wait_over(), QAIR_CALL_LOST);
}

static void test_service_that_breaks_the_protocol(void **state)
{
    static const struct qrexec_msg lies[] = {
            {.type = QREXEC_STDIN, .data = {(const uint8_t *)"x", 1}},
            {.type = QREXEC_HELLO, .version = 3},
            {.type = QREXEC_SERVICE_CONNECT, .port = 1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
        assert_int_equal(start("vault", "a.B"), 0);
        allow();
        say_hello();
        say(&lies[i]);
        assert_int_equal(wait_over(), QAIR_CALL_LOST);
        qair_call_free(call);
        close(data);
        close(agent);
    }
    call = NULL;
    data = agent = -1;
}

/* Sends as much of bytes as goes now. */
static size_t push(const void *bytes, size_t n)
{
    ssize_t r = send(data, bytes, n, MSG_DONTWAIT);

    return r > 0 ? (size_t)r : 0;
}

/* Not reading holds the service back, and costs no memory. */
static void test_flood_that_is_not_read_waits(void **state)
{
    static const uint8_t head[8] = {0x91, 1, 0, 0, 0, 0, 1, 0};
    static uint8_t message[sizeof(head) + 65536];
    size_t sent = 0, at = 0;

    (void)state;
    memcpy(message, head, sizeof(head));
    assert_int_equal(start("vault", "a.B"), 0);
    allow();
    say_hello();
    for (int quiet = 0; quiet < 10; quiet++) {
        size_t n = push(message + at, sizeof(message) - at);

        at = (at + n) % sizeof(message);
        sent += n;
        if (n > 0)
            quiet = 0;
        assert_int_equal(qair_call_step(call), QAIR_CALL_RUNNING);
        assert_true(sent < (8u << 20));
    }
    assert_true(sent > 65536);
}

static void test_free_ends_the_call(void **state)
{
    char c[64];
    ssize_t n;

    (void)state;
    assert_int_equal(start("vault", "a.B"), 0);
    allow();
    assert_int_equal(qair_call_wait(call, 0, 0), -ETIMEDOUT);
    qair_call_free(call);
    call = NULL;
    while ((n = read(data, c, sizeof(c))) > 0) {
    }
    assert_true(n <= 0);
}

static int start_within(unsigned timeout_ms)
{
    struct qair_call_options o = {
            .size = sizeof(o), .agent = path, .timeout_ms = timeout_ms};

    return qair_call_start("vault", "a.B", &o, &call);
}

static void test_agent_that_never_answers(void **state)
{
    (void)state;
    assert_int_equal(start_within(50), 0);
    assert_true(qair_call_left_ms(call) >= 0);
    assert_true(qair_call_left_ms(call) <= 50);
    assert_int_equal(qair_call_wait(call, 0, -1), 0);
    assert_int_equal(qair_call_step(call), QAIR_CALL_LOST);
    assert_string_equal(qair_call_reason(call), "it was not over in time");
    assert_int_equal(qair_call_fd(call), -1);
    assert_int_equal(qair_call_left_ms(call), -1);
}

static void test_vchan_that_nobody_comes_to(void **state)
{
    struct qrexec_msg m;

    (void)state;
    setenv("VCHAN_DOMAIN", "7", 1);
    setenv("VCHAN_SOCKET_DIR", dir, 1);
    assert_int_equal(start_within(200), 0);
    take_request(&m);
    answer(8, 514, SPAN_EMPTY, -1);
    assert_int_equal(wait_over(), QAIR_CALL_LOST);
    assert_string_equal(qair_call_reason(call), "it was not over in time");
    unsetenv("VCHAN_DOMAIN");
    unsetenv("VCHAN_SOCKET_DIR");
}

static void test_service_that_talks_for_ever(void **state)
{
    char c;

    (void)state;
    assert_int_equal(start_within(200), 0);
    allow();
    say_hello();
    while (qair_call_step(call) != QAIR_CALL_LOST) {
        if (qair_call_left_ms(call) > 0)
            say_data(QREXEC_STDOUT, "more ");
        (void)qair_call_wait(call, 0, 10);
        while (qair_call_read(call, QAIR_CALL_STDOUT, &c, 1) > 0) {
        }
    }
    assert_string_equal(qair_call_reason(call), "it was not over in time");
}

static void test_call_that_ends_in_time(void **state)
{
    struct qrexec_msg over = {.type = QREXEC_EXIT_CODE, .exit_code = 3};

    (void)state;
    assert_int_equal(start_within(PATIENCE_MS * 6), 0);
    allow();
    say_hello();
    say_data(QREXEC_STDOUT, "");
    say_data(QREXEC_STDERR, "");
    say(&over);
    assert_int_equal(wait_over(), QAIR_CALL_EXITED);
    assert_int_equal(qair_call_exit_code(call), 3);
}

static void test_agent_too_busy_to_take_a_request(void **state)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int busy[64];
    size_t n = 0;

    (void)state;
    snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
    for (; n < ARRAY_LEN(busy); n++) {
        busy[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        if (connect(busy[n], (struct sockaddr *)&a, sizeof(a)) < 0)
            break;
    }
    assert_true(n < ARRAY_LEN(busy));
    assert_int_equal(start_within(50), -EAGAIN);
    assert_null(call);
    for (size_t i = 0; i <= n; i++)
        close(busy[i]);
}

static void test_bad_arguments(void **state)
{
    static const char *const services[] = {"", "+x", "a b", "a\n", NULL};
    struct qair_call_options o = {.size = sizeof(o) + 8, .agent = path};
    char long_service[70000];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(services); i++)
        assert_int_equal(start("vault", services[i]), -EINVAL);
    assert_int_equal(start(NULL, "a.B"), -EINVAL);
    memset(long_service, 'a', sizeof(long_service));
    long_service[sizeof(long_service) - 1] = '\0';
    assert_true(start("vault", long_service) < 0);
    assert_int_equal(qair_call_start("vault", "a.B", &o, &call), -EINVAL);
    o.size = 0; /* forgotten: what it holds would be passed over */
    assert_int_equal(qair_call_start("vault", "a.B", &o, &call), -EINVAL);
    o.size = offsetof(struct qair_call_options, timeout_ms);
    o.agent = "/nowhere/at/all";
    assert_int_equal(qair_call_start("vault", "a.B", &o, &call), -ENOENT);
    o.size = sizeof(o);
    assert_int_equal(qair_call_start("vault", "a.B", &o, &call), -ENOENT);
    assert_null(call);
}

/* ---- a service ------------------------------------------------------- */

static int connect_and_say(struct span text)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(buf_write_all(fd, text, NULL), 0);
    return fd;
}

static void test_socket_service_is_told_of_its_call(void **state)
{
    static const char said[] = "a.B+x+y work name vault\0data";
    int fd = connect_and_say(SPAN(said, sizeof(said) - 1));
    struct qair_service *s = qair_service_accept(listener, PATIENCE_MS);
    char rest[8] = "";

    (void)state;
    assert_non_null(s);
    assert_string_equal(qair_service_name(s), "a.B");
    assert_string_equal(qair_service_argument(s), "x+y");
    assert_string_equal(qair_service_source(s), "work");
    assert_string_equal(qair_service_target(s), "vault");
    assert_int_equal(read(qair_service_fd(s), rest, sizeof(rest)), 4);
    assert_string_equal(rest, "data");
    qair_service_free(s);
    close(fd);
    fd = connect_and_say(SPAN("a.B+ work keyword default\0", 26));
    s = qair_service_accept(listener, PATIENCE_MS);
    assert_non_null(s);
    assert_string_equal(qair_service_target(s), "@default");
    qair_service_free(s);
    close(fd);
}

static void test_socket_service_refuses_what_no_agent_says(void **state)
{
    static char flood[20000];
    static const struct {
        const char *text;
        size_t len;
    } lies[] = {{"\0", 1}, {"a.B\0", 4}, {"a.B+ work extra\0", 16},
            {" a.B+ work\0", 11}, {flood, sizeof(flood)}};

    (void)state;
    memset(flood, 'a', sizeof(flood));
    for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
        int fd = connect_and_say(SPAN(lies[i].text, lies[i].len));

        shutdown(fd, SHUT_WR);
        errno = 0;
        assert_null(qair_service_accept(listener, PATIENCE_MS));
        assert_int_equal(errno, EPROTO);
        close(fd);
    }
    close(connect_and_say(SPAN("a.B", 3)));
    assert_null(qair_service_accept(listener, PATIENCE_MS));
}

static void test_socket_service_does_not_wait_for_the_silent(void **state)
{
    int fd = connect_and_say(SPAN("a.B+", 4));

    (void)state;
    errno = 0;
    assert_null(qair_service_accept(listener, 20));
    assert_int_equal(errno, ETIMEDOUT);
    close(fd);
}

static void test_executable_service_reads_its_environment(void **state)
{
    struct qair_service *s;

    (void)state;
    unsetenv("QREXEC_SERVICE_FULL_NAME");
    errno = 0;
    assert_null(qair_service_from_environment());
    assert_int_equal(errno, ENOENT);
    setenv("QREXEC_SERVICE_FULL_NAME", "qair.Sign+release", 1);
    setenv("QREXEC_SERVICE_ARGUMENT", "release", 1);
    setenv("QREXEC_REMOTE_DOMAIN", "thin-work", 1);
    setenv("QREXEC_REQUESTED_TARGET_TYPE", "", 1);
    setenv("QAIR_KEY_FD", "7", 1);
    s = qair_service_from_environment();
    assert_non_null(s);
    assert_string_equal(qair_service_name(s), "qair.Sign");
    assert_string_equal(qair_service_argument(s), "release");
    assert_string_equal(qair_service_source(s), "thin-work");
    assert_string_equal(qair_service_target(s), "");
    assert_int_equal(qair_service_fd(s), -1);
    assert_int_equal(qair_service_key_fd(s), 7);
    setenv("QAIR_KEY_FD", "7x", 1);
    assert_int_equal(qair_service_key_fd(s), -1);
    qair_service_free(s);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
            T(test_request_says_what_was_asked),
            T(test_streams_and_exit_code),
            T(test_refusal_has_where_and_why),
            T(test_refusal_of_upstreams_agent_is_its_silence),
            T(test_reason_longer_than_any),
            T(test_allowed_without_a_stream),
            T(test_stream_over_a_vchan),
            T(test_stream_that_is_cut_is_not_an_exit),
            T(test_service_that_breaks_the_protocol),
            T(test_flood_that_is_not_read_waits),
            T(test_free_ends_the_call),
            T(test_agent_that_never_answers),
            T(test_vchan_that_nobody_comes_to),
            T(test_service_that_talks_for_ever),
            T(test_call_that_ends_in_time),
            T(test_agent_too_busy_to_take_a_request),
            T(test_bad_arguments),
            T(test_socket_service_is_told_of_its_call),
            T(test_socket_service_refuses_what_no_agent_says),
            T(test_socket_service_does_not_wait_for_the_silent),
            T(test_executable_service_reads_its_environment),
    };
    int failed;

    if (!mkdtemp(dir))
        return 1;
    snprintf(path, sizeof(path), "%s/agent", dir);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    rmdir(dir);
    return failed;
}
