/* SPDX-License-Identifier: Apache-2.0 */
/* qrexec-daemon and where allowed calls go: qubes, disposables, dom0. */
#include "daemon_world.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- to another qube ------------------------------------------------- */

static void test_an_allowed_call_reaches_the_other_daemon(void **state)
{
    static const struct {
        const char *answer, *socket, *command;
    } rows[] = {
            {ALLOW, "qrexec.vault", "DEFAULT:QUBESRPC t.S+a work"},
            {"user=joe\nresult=allow\ntarget=vault\ntarget_uuid=uuid:1-2\n"
             "autostart=False\nrequested_target=@default\n",
                    "qrexec.uuid:1-2", "joe:QUBESRPC t.S+a work"},
            /* a RemoteVM: told to its relay, for the remote that is meant */
            {"user=DEFAULT\nresult=allow\ntarget=relay\nautostart=True\n"
             "requested_target=far\nservice=t.Rpc+far+t.S+a\n",
                    "qrexec.relay", "DEFAULT:QUBESRPC t.Rpc+far+t.S+a work"},
            /* from a RemoteVM, through this relay */
            {"user=DEFAULT\nresult=allow\ntarget=vault\nautostart=True\n"
             "requested_target=vault\npolicy_source=far\n",
                    "qrexec.vault", "DEFAULT:QUBESRPC t.S+a far"},
    };

    (void)state;
    world_ready(4, NULL);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int vault = world_listen(rows[i].socket);
        char command[4096];
        int fd;

        asked_and_told("SOCKET1", rows[i].answer);
        fd = take_command(vault, command, sizeof(command));
        assert_string_equal(command, rows[i].command);
        name_port(fd, 9, 514);
        want_connect(9, 514, "SOCKET1");
        assert_true(is_closed(fd));
        (void)close(fd);
        (void)close(vault);
    }
    assert_true(world_is_idle(w.qubesd, 0));
}

static void test_a_daemon_that_lies_refuses_the_call(void **state)
{
    static const struct {
        uint32_t type, len, domain, port;
    } rows[] = {
            {QREXEC_EXEC_CMDLINE, 8, 9, 512},
            {QREXEC_EXEC_CMDLINE, 8, 9, 769},
            {QREXEC_EXEC_CMDLINE, 8, 9, UINT32_MAX},
            {QREXEC_EXEC_CMDLINE, 8, 0, 514},
            {QREXEC_EXEC_CMDLINE, 8, OWN, 514},
            {QREXEC_EXEC_CMDLINE, 4, 9, 514},
            {QREXEC_EXEC_CMDLINE, 12, 9, 514},
            {QREXEC_SERVICE_CONNECT, 8, 9, 514},
            {QREXEC_HELLO, 4, 3, 0},
    };
    int vault;

    (void)state;
    world_ready(4, NULL);
    vault = world_listen("qrexec.vault");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const uint32_t body[3] = {rows[i].domain, rows[i].port, 0};
        char command[4096];
        int fd;

        asked_and_told("SOCKET1", ALLOW);
        fd = take_command(vault, command, sizeof(command));
        put_msg(fd, rows[i].type, body, rows[i].len);
        want_refused("SOCKET1");
        (void)close(fd);
    }
    (void)close(vault);
    still_serves();
}

static void test_a_qube_that_is_off_is_started_if_it_may_be(void **state)
{
    char call[512];
    char command[4096];
    int vault;
    int fd;

    (void)state;
    world_ready(4, NULL);
    asked_and_told("SOCKET1",
            "user=DEFAULT\nresult=allow\ntarget=vault\nautostart=False\n"
            "requested_target=vault\n");
    want_refused("SOCKET1");
    assert_true(world_is_idle(w.qubesd, 0));

    asked_and_told("SOCKET2", ALLOW);
    fd = take_call(call, sizeof(call));
    assert_string_equal(call, "admin.vm.Start+ dom0 name vault|");
    answer_bytes(fd, "2\0QubesMemoryError\0\0no memory\0", 30);
    want_refused("SOCKET2");

    asked_and_told("SOCKET3", ALLOW);
    fd = take_call(call, sizeof(call));
    vault = world_listen("qrexec.vault");
    answer_bytes(fd, "2\0QubesVMNotHaltedError\0\0already\0", 33);
    fd = take_command(vault, command, sizeof(command));
    name_port(fd, 9, 516);
    want_connect(9, 516, "SOCKET3");
    (void)close(fd);
    (void)close(vault);

    /* Started, but still not there: it is not started for ever. */
    asked_and_told("SOCKET4", ALLOW);
    answer_bytes(take_call(call, sizeof(call)), "0\0", 2);
    want_refused("SOCKET4");
    assert_true(world_is_idle(w.qubesd, 100));
}

#define DISPOSABLE                                                             \
    "user=DEFAULT\nresult=allow\ntarget=@dispvm:tpl\n"                         \
    "target_uuid=@dispvm:uuid:t-1\nautostart=True\n"                           \
    "requested_target=@dispvm\n"
#define DISP_UUID "uuid:00000000-0000-0000-0000-0000000000d1"

/* Up to its connection; the daemon's end of the disposable's call. */
static int make_disposable(void)
{
    static const char made[] = "0\0" DISP_UUID;
    char call[512];
    char command[4096];
    int disp;
    int fd;

    asked_and_told("SOCKET1", DISPOSABLE);
    fd = take_call(call, sizeof(call));
    assert_string_equal(
            call, "admin.vm.CreateDisposable+ dom0 name uuid:t-1|uuid");
    answer_bytes(fd, made, sizeof(made) - 1);
    fd = take_call(call, sizeof(call));
    assert_string_equal(call, "admin.vm.Start+ dom0 name " DISP_UUID "|");
    disp = world_listen("qrexec." DISP_UUID);
    answer_bytes(fd, "0\0", 2);
    fd = take_command(disp, command, sizeof(command));
    (void)close(disp);
    return fd;
}

static void want_killed(void)
{
    char call[512];
    int fd = take_call(call, sizeof(call));

    assert_string_equal(call, "admin.vm.Kill+ dom0 name " DISP_UUID "|");
    answer_bytes(fd, "0\0", 2);
}

static void test_a_disposable_dies_with_its_call(void **state)
{
    int fd;

    (void)state;
    world_ready(4, NULL);
    fd = make_disposable();
    name_port(fd, 9, 514);
    want_connect(9, 514, "SOCKET1");
    assert_true(world_is_idle(w.qubesd, 200));
    (void)close(fd);
    want_killed();
    still_serves();
}

static void test_a_disposable_that_fails_is_killed_too(void **state)
{
    int fd;

    (void)state;
    world_ready(4, NULL);
    fd = make_disposable();
    (void)close(fd);
    want_refused("SOCKET1");
    want_killed();
}

static void test_a_disposable_dies_with_the_agent_and_the_daemon(void **state)
{
    int fd;

    (void)state;
    world_ready(4, NULL);
    fd = make_disposable();
    name_port(fd, 9, 514);
    want_connect(9, 514, "SOCKET1");
    (void)close(w.agent);
    want_killed();
    (void)close(fd);
    world_ready(4, NULL);
    fd = make_disposable();
    assert_int_equal(kill(w.daemon, SIGTERM), 0);
    want_killed();
    assert_int_equal(world_exit_code(), 0);
    (void)close(fd);
}

/* A qube that asks and forgets, again and again, leaves none behind. */
static void test_a_disposable_that_nobody_waits_for_is_removed(void **state)
{
    static const char made[] = "0\0" DISP_UUID;
    char call[512];

    (void)state;
    world_ready(4, NULL);
    for (int agent_goes = 0; agent_goes <= 1; agent_goes++) {
        int fd;

        asked_and_told("SOCKET1", DISPOSABLE);
        fd = take_call(call, sizeof(call));
        if (agent_goes) {
            (void)close(w.agent);
            world_ready(4, NULL);
        } else {
            asked_and_told("SOCKET1", "result=deny\n");
            want_refused("SOCKET1");
        }
        answer_bytes(fd, made, sizeof(made) - 1);
        fd = take_call(call, sizeof(call));
        assert_string_equal(call, "admin.vm.Remove+ dom0 name " DISP_UUID "|");
        answer_bytes(fd, "0\0", 2);
    }
    still_serves();
}

static void test_a_disposable_without_a_name_is_none(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } rows[] = {{"", 0}, {"0", 1}, {"0\0", 2}, {"0\0../x", 6},
            {"0\0uuid:short", 12}, {"0\0disp\0x", 8}, {"1\0disp1", 7},
            {"2\0QubesException\0", 17}};
    char call[512];

    (void)state;
    world_ready(4, NULL);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        asked_and_told("SOCKET1", DISPOSABLE);
        answer_bytes(take_call(call, sizeof(call)), rows[i].bytes, rows[i].len);
        want_refused("SOCKET1");
    }
    assert_true(world_is_idle(w.qubesd, 100));
}

/* ---- to dom0 --------------------------------------------------------- */

#define TO_DOM0 "user=root\nresult=allow\ntarget=dom0\nautostart=True\n"

/* The qube's end of the call on that port; the first message is a hello. */
static int open_data(uint32_t port)
{
    const uint32_t version = 4;
    uint8_t body[64];
    char name[64];
    int listener;
    int fd;

    (void)snprintf(name, sizeof(name), "vchan.7.0.%u.sock", (unsigned)port);
    listener = world_listen(name);
    fd = world_accept(listener);
    (void)close(listener);
    put_msg(fd, QREXEC_HELLO, &version, 4);
    assert_int_equal(want_msg(fd, QREXEC_HELLO, body, sizeof(body)), 4);
    return fd;
}

static void write_service(const char *name, const char *script)
{
    char path[128];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/%s", w.dir, name);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    assert_true(fd >= 0);
    (void)dprintf(fd, "#!/bin/sh\n%s\n", script);
    (void)close(fd);
    (void)setenv("QREXEC_SERVICE_PATH", w.dir, 1);
}

static void test_a_service_of_dom0_knows_who_calls(void **state)
{
    static const struct {
        const char *answer, *output;
    } rows[] = {
            {TO_DOM0 "requested_target=dom0\n", "work name dom0  a\n"},
            {TO_DOM0 "requested_target=@adminvm\n",
                    "work keyword  adminvm a\n"},
            {TO_DOM0 "requested_target=@default\npolicy_source=far\n",
                    "far keyword  default a\n"},
    };

    (void)state;
    write_service("t.S",
            "echo $QREXEC_REMOTE_DOMAIN $QREXEC_REQUESTED_TARGET_TYPE "
            "\"$QREXEC_REQUESTED_TARGET $QREXEC_REQUESTED_TARGET_KEYWORD\" "
            "$1\necho for the log >&2\nexit 3");
    world_ready(4, NULL);
    for (uint32_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint8_t body[512] = {0};
        uint32_t code;
        int fd;

        asked_and_told("SOCKET1", rows[i].answer);
        want_connect(0, 513 + i, "SOCKET1");
        fd = open_data(513 + i);
        (void)want_msg(fd, QREXEC_STDOUT, body, sizeof(body));
        assert_string_equal((char *)body, rows[i].output);
        assert_int_equal(want_msg(fd, QREXEC_STDOUT, body, sizeof(body)), 0);
        assert_int_equal(
                want_msg(fd, QREXEC_EXIT_CODE, (uint8_t *)&code, 4), 4);
        assert_int_equal(code, 3); /* and no word of its stderr */
        (void)close(fd);
    }
    (void)unsetenv("QREXEC_SERVICE_PATH");
}

static void test_a_qube_that_never_joins_dom0_costs_a_process_5_s(void **state)
{
    char children[64];
    char text[64] = "x";

    (void)state;
    write_service("t.S", "exit 0");
    world_ready(4, NULL);
    asked_and_told("SOCKET1", TO_DOM0 "requested_target=dom0\n");
    want_connect(0, 513, "SOCKET1");
    still_serves();
    (void)snprintf(children, sizeof(children), "/proc/%d/task/%d/children",
            (int)w.daemon, (int)w.daemon);
    for (int i = 0; text[0]; i++) {
        int fd = open(children, O_RDONLY | O_CLOEXEC);
        ssize_t n = read(fd, text, sizeof(text) - 1);

        (void)close(fd);
        assert_in_range(n, 0, sizeof(text) - 1);
        text[n] = '\0';
        assert_true(i < 1000);
        (void)usleep(10000);
    }
    (void)unsetenv("QREXEC_SERVICE_PATH");
}

#define WITH_WORLD(f) cmocka_unit_test_setup_teardown(f, world_begin, world_end)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
            WITH_WORLD(test_an_allowed_call_reaches_the_other_daemon),
            WITH_WORLD(test_a_daemon_that_lies_refuses_the_call),
            WITH_WORLD(test_a_qube_that_is_off_is_started_if_it_may_be),
            WITH_WORLD(test_a_disposable_dies_with_its_call),
            WITH_WORLD(test_a_disposable_that_fails_is_killed_too),
            WITH_WORLD(test_a_disposable_dies_with_the_agent_and_the_daemon),
            WITH_WORLD(test_a_disposable_that_nobody_waits_for_is_removed),
            WITH_WORLD(test_a_disposable_without_a_name_is_none),
            WITH_WORLD(test_a_service_of_dom0_knows_who_calls),
            WITH_WORLD(test_a_qube_that_never_joins_dom0_costs_a_process_5_s),
    };

    if (argc != 2)
        return 2;
    world_program = argv[1];
    return cmocka_run_group_tests_name(
            "qrexec-daemon-calls", tests, NULL, NULL);
}
