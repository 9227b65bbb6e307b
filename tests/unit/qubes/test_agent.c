/* SPDX-License-Identifier: Apache-2.0 */
/* qrexec-agent against a dom0 and programs that lie, flood and fall silent. */
#include "agent_world.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define HELLO4 "\x00\x03\0\0\x04\0\0\0\x04\0\0\0"

static struct world w;

static int setup(void **state)
{
    static const char *const options[] = {"--no-fork-server", NULL};

    (void)state;
    world_start(&w, options);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_stop(&w);
    return 0;
}

static void daemon_that_breaks_the_protocol_is_left(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } lies[] = {
            {"\x00\x03\0\0\x04\0\0\0\x01\0\0\0", 12}, /* version 1 */
            {"\x00\x03\0\0\x04\0\0\0\0\0\0\0", 12},
            {"\x00\x03\0\0\xff\xff\xff\xff", 8},
            {"\x01\x02\0\0\x0a\0\0\0\x09\0\0\0\x01\x02\0\0x\0", 18}, /* early */
            {HELLO4 HELLO4, 24},
            /* what only agents say */
            {HELLO4 "\x11\x02\0\0\x08\0\0\0\x09\0\0\0\x01\x02\0\0", 28},
            {HELLO4 "\x90\x01\0\0\x01\0\0\0x", 21},
            {HELLO4 "\x01\x02\0\0\x08\0\0\0", 20}, /* no command */
            {HELLO4 "\x00\x02\0\0\xff\xff\0\x7f", 20},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
        dom0_connect(&w, 0);
        dom0_bytes(&w, lies[i].bytes, lies[i].len);
        dom0_is_dropped(&w);
    }
    dom0_connect(&w, 4);
    client_is_served(&w);
}

static void request_is_said_in_the_daemons_version(void **state)
{
    static const struct {
        uint32_t version;
        uint32_t type;
    } rows[] = {{9, QREXEC_TRIGGER_SERVICE4}, {4, QREXEC_TRIGGER_SERVICE4},
            {3, QREXEC_TRIGGER_SERVICE3}, {2, QREXEC_TRIGGER_SERVICE}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint8_t answer[8];
        int fd = client_connect(&w);

        dom0_connect(&w, rows[i].version);
        client_ask(fd, "", 12);
        dom0_hear(&w, rows[i].type);
        assert_true(span_eq_str(w.heard.target, "work"));
        assert_true(span_eq_str(w.heard.service, "ssssssssssss"));
        assert_memory_equal(w.heard.ident.ptr, "SOCKET", 6);
        dom0_leave(&w); /* and with it, the answer */
        assert_int_equal(client_answer(fd, answer), 0);
        (void)close(fd);
    }
}

/* An old daemon would drop the claim and judge the relay in its place. */
static void claimed_source_is_not_lost_on_an_old_daemon(void **state)
{
    uint8_t answer[8];
    int fd = client_connect(&w);

    (void)state;
    dom0_connect(&w, 3);
    client_ask(fd, "remote-work", 12);
    assert_int_equal(client_answer(fd, answer), 0);
    (void)close(fd);
    dom0_connect(&w, 4);
    fd = client_connect(&w);
    client_ask(fd, "remote-work", 12);
    dom0_hear(&w, QREXEC_TRIGGER_SERVICE4);
    assert_true(span_eq_str(w.heard.source, "remote-work"));
    (void)close(fd);
}

static void request_without_dom0_is_refused(void **state)
{
    uint8_t answer[8];
    int fd = client_connect(&w);

    (void)state;
    client_ask(fd, "", 12);
    assert_int_equal(client_answer(fd, answer), 0);
    (void)close(fd);
}

static void malformed_requests_harm_nobody(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } lies[] = {
            {"\x13\x02\0\0\xff\xff\xff\xff", 8},
            {"\x13\x02\0\0\0\0\0\0", 8},
            {"\x13\x02\0\0\xa0\0\0\0", 8},
            {HELLO4, 12},
            {"\x11\x02\0\0\x08\0\0\0\x09\0\0\0\x01\x02\0\0", 16},
            {"\x90\x01\0\0\x04\0\0\0", 8},
    };

    (void)state;
    dom0_connect(&w, 4);
    for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
        uint8_t answer[8];
        int fd = client_connect(&w);

        assert_int_equal(send(fd, lies[i].bytes, lies[i].len, MSG_NOSIGNAL),
                (ssize_t)lies[i].len);
        (void)shutdown(fd, SHUT_WR);
        assert_int_equal(client_answer(fd, answer), 0);
        (void)close(fd);
        client_is_served(&w);
    }
}

static void too_long_request_harms_no_later_one(void **state)
{
    static const size_t lengths[] = {LIMIT_SERVICE_MAX + 1, 4096, 60000, 64999};
    uint8_t answer[8];
    int fd;

    (void)state;
    dom0_connect(&w, 4);
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        fd = client_connect(&w);
        client_ask(fd, "", lengths[i]);
        assert_int_equal(client_answer(fd, answer), 0);
        (void)close(fd);
        client_is_served(&w);
    }
    fd = client_connect(&w);
    client_ask(fd, "", LIMIT_SERVICE_MAX);
    dom0_hear(&w, QREXEC_TRIGGER_SERVICE4);
    assert_int_equal(w.heard.service.len, LIMIT_SERVICE_MAX);
    (void)close(fd);
}

/* More connections than there are places, half of them in mid-request. */
static void silent_programs_hold_nobody_up(void **state)
{
    enum { N = 700 };
    static int fds[N];

    (void)state;
    dom0_connect(&w, 4);
    for (int i = 0; i < N; i++) {
        fds[i] = client_connect(&w);
        if (i % 2)
            assert_int_equal(send(fds[i], "\x13\x02\0\0\xad", 5, 0), 5);
    }
    client_is_served(&w);
    for (int i = 0; i < N; i++)
        (void)close(fds[i]);
    client_is_served(&w);
}

static void flood_of_requests_is_bounded(void **state)
{
    enum { MAX = LIMIT_CALLS_PER_SOURCE };
    static int fds[MAX];
    uint8_t answer[8];
    int late;

    (void)state;
    dom0_connect(&w, 4);
    for (int i = 0; i < MAX; i++) {
        fds[i] = client_connect(&w);
        client_ask(fds[i], "", 12);
        dom0_hear(&w, QREXEC_TRIGGER_SERVICE4);
    }
    late = client_connect(&w);
    client_ask(late, "", 12);
    assert_int_equal(client_answer(late, answer), 0);
    (void)close(late);
    (void)close(fds[0]); /* whoever gives up leaves its place */
    for (int i = 0; i < 100; i++) {
        struct pollfd p = {.fd = link_fd(w.dom0), .events = POLLIN};

        late = client_connect(&w);
        client_ask(late, "", 12);
        if (poll(&p, 1, 20) == 1)
            break;
        (void)close(late);
    }
    dom0_hear(&w, QREXEC_TRIGGER_SERVICE4);
    (void)close(late);
    for (int i = 1; i < MAX; i++)
        (void)close(fds[i]);
}

static void answer(const char *ident, uint32_t port)
{
    const struct qrexec_msg yes = {.type = QREXEC_SERVICE_CONNECT,
            .domain = 3,
            .port = port,
            .ident = span_str(ident)};

    dom0_say(&w, &yes);
}

/* A port that no program has must come back, or dom0 runs out of them. */
static void identity_is_answered_once(void **state)
{
    char ident[QREXEC_IDENT_SIZE] = "";
    int fd = client_connect(&w);
    uint8_t got[8];

    (void)state;
    dom0_connect(&w, 4);
    client_ask(fd, "", 12);
    dom0_hear(&w, QREXEC_TRIGGER_SERVICE4);
    memcpy(ident, w.heard.ident.ptr, w.heard.ident.len);
    answer("SOCKET", 600);
    dom0_hears_end(&w, 600);
    answer("SOCKET4294967295", 601);
    dom0_hears_end(&w, 601);
    answer(ident, 602);
    assert_int_equal(client_answer(fd, got), 8);
    assert_memory_equal(got, "\x03\0\0\0\x5a\x02\0\0", 8);
    answer(ident, 603);
    dom0_hears_end(&w, 603);
    (void)close(fd);
    dom0_hears_end(&w, 602);
    answer(ident, 604);
    dom0_hears_end(&w, 604);
}

/* The places of calls that run are not given to those who only connect. */
static void running_calls_are_not_pushed_out(void **state)
{
    enum { N = 600 };
    static int fds[N];
    char ident[QREXEC_IDENT_SIZE] = "";
    int fd = client_connect(&w);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    uint8_t got[8];

    (void)state;
    dom0_connect(&w, 4);
    client_ask(fd, "", 12);
    dom0_hear(&w, QREXEC_TRIGGER_SERVICE4);
    memcpy(ident, w.heard.ident.ptr, w.heard.ident.len);
    answer(ident, 602);
    assert_int_equal(client_answer(fd, got), 8);
    for (int i = 0; i < N; i++)
        fds[i] = client_connect(&w);
    client_is_served(&w);
    assert_int_equal(poll(&p, 1, 0), 0);
    for (int i = 0; i < N; i++)
        (void)close(fds[i]);
    (void)close(fd);
    dom0_hears_end(&w, 602);
}

static void new_daemon_hears_nothing_of_the_old_ones_calls(void **state)
{
    char ident[QREXEC_IDENT_SIZE] = "";
    int calling = client_connect(&w);
    int pending = client_connect(&w);
    uint8_t got[8];

    (void)state;
    dom0_connect(&w, 4);
    client_ask(calling, "", 12);
    dom0_hear(&w, QREXEC_TRIGGER_SERVICE4);
    memcpy(ident, w.heard.ident.ptr, w.heard.ident.len);
    answer(ident, 602);
    assert_int_equal(client_answer(calling, got), 8);
    client_ask(pending, "", 12);
    dom0_hear(&w, QREXEC_TRIGGER_SERVICE4);
    dom0_connect(&w, 4);
    assert_int_equal(client_answer(pending, got), 0);
    (void)close(pending);
    (void)close(calling);
    client_is_served(&w); /* fails when the end of port 602 comes first */
}

/* Requests of the largest size until the link is full, and none is read. */
static void daemon_that_does_not_read_stops_nobody_else(void **state)
{
    enum { MAX = LIMIT_CALLS_PER_SOURCE };
    static int fds[MAX];

    (void)state;
    dom0_connect(&w, 4);
    for (int i = 0; i < MAX; i++) {
        fds[i] = client_connect(&w);
        client_ask(fds[i], "", LIMIT_SERVICE_MAX);
    }
    dom0_connect(&w, 0); /* the agent is awake: it offers a new vchan */
    dom0_bytes(&w, HELLO4, 12);
    for (int i = 0; i < MAX; i++)
        (void)close(fds[i]);
    answer("nobody", 1);
    do { /* after what it had not read before */
        dom0_hear_any(&w);
    } while (w.heard.type != QREXEC_CONNECTION_TERMINATED);
    do {
        fds[0] = client_connect(&w);
        client_ask(fds[0], "", 12);
        dom0_hear(&w, QREXEC_TRIGGER_SERVICE4);
        (void)close(fds[0]);
    } while (w.heard.service.len != 12);
}

int main(int argc, char **argv)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
            TEST(daemon_that_breaks_the_protocol_is_left),
            TEST(request_is_said_in_the_daemons_version),
            TEST(claimed_source_is_not_lost_on_an_old_daemon),
            TEST(request_without_dom0_is_refused),
            TEST(malformed_requests_harm_nobody),
            TEST(too_long_request_harms_no_later_one),
            TEST(silent_programs_hold_nobody_up),
            TEST(flood_of_requests_is_bounded),
            TEST(identity_is_answered_once),
            TEST(running_calls_are_not_pushed_out),
            TEST(new_daemon_hears_nothing_of_the_old_ones_calls),
            TEST(daemon_that_does_not_read_stops_nobody_else),
    };
    struct rlimit files = {4096, 4096};

    if (argc != 2)
        return 2;
    (void)setrlimit(RLIMIT_NOFILE, &files);
    (void)signal(SIGPIPE, SIG_IGN);
    world_agent_program = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
