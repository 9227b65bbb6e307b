/* SPDX-License-Identifier: Apache-2.0 */
/* Calls through the real programs: sessions, fork server, many at once. */
#include "agent_world.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct world w;
static char server_option[160];

static void start(const char *option)
{
    const char *const options[] = {option, NULL};

    world_start(&w, options);
    dom0_connect(&w, 4);
}

static int setup(void **state)
{
    (void)state;
    start("--no-fork-server");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_stop(&w);
    return 0;
}

static void services_run_as_upstream_has_them(void **state)
{
    char out[4096];

    (void)state;
    world_write(&w, "rpc/svc",
            "#!/bin/sh\nread x\n"
            "echo $1,$QREXEC_REMOTE_DOMAIN,$x,${QREXEC_REQUESTED_TARGET-}\n"
            "exit 5\n",
            0755);
    assert_int_equal(call_run(&w, 513, "QUBESRPC svc+arg work", "in\n", out,
                             sizeof(out)),
            5);
    assert_string_equal(out, "arg,work,in,\n");
    assert_int_equal(
            call_run(&w, 513, "QUBESRPC none+ work", "", out, sizeof(out)),
            127);
    assert_int_equal(
            call_run(&w, 514, "echo shell; kill -9 $$", "", out, sizeof(out)),
            137);
    assert_string_equal(out, "shell\n");
}

/* ---- the session ----------------------------------------------------- */

static size_t lines_of(const char *name)
{
    char path[160];
    char text[4096];
    size_t lines = 0;
    ssize_t n;
    int fd;

    (void)snprintf(path, sizeof(path), "%s/%s", w.dir, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    n = read(fd, text, sizeof(text));
    (void)close(fd);
    for (ssize_t i = 0; i < n; i++)
        lines += text[i] == '\n';
    return lines;
}

static void wait_for_lines(const char *name, size_t n)
{
    for (int i = 0; lines_of(name) < n; i++) {
        assert_true(i < 2000);
        (void)usleep(10000);
    }
}

static void write_waiter(void)
{
    world_write(&w, "rpc/qubes.WaitForSession",
            "#!/bin/sh\nread user\necho $user,$QREXEC_REMOTE_DOMAIN "
            ">>$WORLD/waits\n"
            "while ! [ -e $WORLD/session ]; do sleep 0.02; done\n",
            0755);
    world_write(&w, "rpc/gui", "#!/bin/sh\necho $1 >>$WORLD/ran\n", 0755);
    world_write(&w, "rpc-config/gui", "wait-for-session = 1 # yes\n", 0644);
}

/* Twenty calls, one waiter; who says nogui: does not wait. */
static void calls_wait_for_the_session_together(void **state)
{
    char command[128];
    char out[64];

    (void)state;
    write_waiter();
    for (unsigned i = 0; i < 20; i++) {
        (void)snprintf(command, sizeof(command), "%s:QUBESRPC gui+%u work",
                world_user(), i);
        dom0_exec(&w, QREXEC_JUST_EXEC, 520 + i, command);
    }
    assert_int_equal(call_run(&w, 513, "nogui:QUBESRPC gui+first work", "", out,
                             sizeof(out)),
            0);
    wait_for_lines("waits", 1);
    assert_int_equal(lines_of("ran"), 1);
    world_write(&w, "session", "", 0644);
    for (unsigned i = 0; i < 20; i++) { /* JUST_EXEC: hello and be gone */
        struct link *l = call_accept(520 + i);
        struct iovec hello = {
                .iov_base = (char[]){"\x00\x03\0\0\x04\0\0\0\x04\0\0\0"},
                .iov_len = 12};

        assert_int_equal(link_writev(l, &hello, 1), 12);
        dom0_hear(&w, QREXEC_CONNECTION_TERMINATED);
        link_free(l);
    }
    wait_for_lines("ran", 21);
    assert_int_equal(lines_of("waits"), 1);
}

/* The port of a call that waited belongs to the old daemon. */
static void call_of_a_daemon_that_left_does_not_run_later(void **state)
{
    char command[128];
    char out[64];

    (void)state;
    write_waiter();
    (void)snprintf(
            command, sizeof(command), "%s:QUBESRPC gui+old work", world_user());
    dom0_exec(&w, QREXEC_EXEC_CMDLINE, 520, command);
    wait_for_lines("waits", 1);
    dom0_connect(&w, 4);
    world_write(&w, "session", "", 0644);
    assert_int_equal(
            call_run(&w, 521, "QUBESRPC gui+new work", "", out, sizeof(out)),
            0);
    assert_int_equal(lines_of("ran"), 1);
}

static void missing_waiter_is_not_waited_for(void **state)
{
    char out[64];

    (void)state;
    world_write(&w, "rpc/gui", "#!/bin/sh\necho ran\n", 0755);
    world_write(&w, "rpc-config/gui", "wait-for-session = true\n", 0644);
    assert_int_equal(
            call_run(&w, 521, "QUBESRPC gui work", "", out, sizeof(out)), 0);
    assert_string_equal(out, "ran\n");
}

/* ---- the fork server ------------------------------------------------- */

static pid_t server_pid;

static pid_t parse_pid(const char *text)
{
    uint64_t n;

    assert_true(text_parse_u64(span_str(text), &n) && n <= INT32_MAX);
    return (pid_t)n;
}

static void kill_server(void)
{
    if (server_pid <= 1)
        return;
    (void)kill(server_pid, SIGKILL);
    /* Until then the agent could still hand something over. */
    while (kill(server_pid, 0) == 0)
        (void)usleep(1000);
    server_pid = 0;
}

static char server_path[128];

static int setup_server(void **state)
{
    (void)state;
    (void)snprintf(server_option, sizeof(server_option),
            "--fork-server-socket=/tmp/qair-fork-%d.%%s", (int)getpid());
    (void)snprintf(server_path, sizeof(server_path), "/tmp/qair-fork-%d.%s",
            (int)getpid(), world_user());
    start(server_option);
    return 0;
}

static int teardown_server(void **state)
{
    kill_server();
    (void)unlink(server_path);
    return teardown(state);
}

/* The daemon that it leaves is the parent of the runners of its calls. */
static void start_server(void)
{
    const char *const args[] = {server_path, NULL};
    char out[64];

    assert_int_equal(setenv("IN_SESSION", "yes", 1), 0);
    assert_int_equal(
            world_wait_exit(world_spawn(&w, world_server_program, args, -1)),
            0);
    assert_int_equal(unsetenv("IN_SESSION"), 0);
    assert_int_equal(
            call_run(&w, 519, "printf %s $(ps -o ppid= $QREXEC_AGENT_PID)", "",
                    out, sizeof(out)),
            0);
    server_pid = parse_pid(out);
    assert_true(server_pid > 1 && server_pid != w.agent);
}

static void session_runs_programs_and_the_agent_the_rest(void **state)
{
    char out[64];

    (void)state;
    world_write(
            &w, "rpc/svc", "#!/bin/sh\necho $IN_SESSION.$1\nexit 6\n", 0755);
    assert_int_equal(
            call_run(&w, 513, "QUBESRPC svc+a work", "", out, sizeof(out)), 6);
    assert_string_equal(out, ".a\n"); /* no server yet: the agent itself */
    start_server();
    assert_int_equal(
            call_run(&w, 513, "QUBESRPC svc+a work", "", out, sizeof(out)), 6);
    assert_string_equal(out, "yes.a\n");
    assert_int_equal(
            call_run(&w, 514, "echo $IN_SESSION", "", out, sizeof(out)), 0);
    assert_string_equal(out, "yes\n");
    assert_int_equal(
            call_run(&w, 514, "QUBESRPC none work", "", out, sizeof(out)), 127);
    kill_server();
    for (int i = 0; i < 500 && out[0] != '.'; i++)
        (void)call_run(&w, 515, "QUBESRPC svc+b work", "", out, sizeof(out));
    assert_string_equal(out, ".b\n");
}

/* What a careful session writes, its services write too. */
static void session_keeps_its_umask(void **state)
{
    mode_t mask = umask(0077);
    char out[64];

    (void)state;
    start_server();
    (void)umask(mask);
    assert_int_equal(call_run(&w, 513, "umask", "", out, sizeof(out)), 0);
    assert_string_equal(out, "0077\n");
}

/* Something else listens under the name of a user who has no server. */
static void foreign_server_is_not_used(void **state)
{
    char out[64];

    (void)state;
    if (geteuid() != 0)
        skip();
    world_write(&w, "rpc/svc", "#!/bin/sh\necho $IN_SESSION.\n", 0755);
    {
        struct link_port *p = NULL;
        struct err err;
        char path[128];

        /* root's own socket in the place of the user's */
        assert_int_equal(setenv("VCHAN_DOMAIN", "77", 1), 0);
        assert_int_equal(link_port_listen(77, 777, &p, &err), 0);
        (void)snprintf(path, sizeof(path), "%s/vchan.77.77.777.sock", w.dir);
        assert_int_equal(chmod(path, 0777), 0);
        assert_int_equal(rename(path, server_path), 0);
        assert_int_equal(
                call_run(&w, 513, "QUBESRPC svc work", "", out, sizeof(out)),
                0);
        assert_string_equal(out, ".\n");
        link_port_free(p);
    }
}

/* ---- many at once ---------------------------------------------------- */

/* dom0 that says yes to all: the qube calls itself. */
static void relay(struct world *world, uint32_t port)
{
    char ident[QREXEC_IDENT_SIZE] = "";
    char command[256];
    struct qrexec_msg exec = {
            .type = QREXEC_EXEC_CMDLINE, .domain = QUBE, .port = port};
    struct qrexec_msg yes = {
            .type = QREXEC_SERVICE_CONNECT, .domain = QUBE, .port = port};

    memcpy(ident, world->heard.ident.ptr, world->heard.ident.len);
    (void)snprintf(command, sizeof(command), "%s:QUBESRPC %.*s qube",
            world_user(), (int)world->heard.service.len,
            (const char *)world->heard.service.ptr);
    exec.command = span_str(command);
    yes.ident = span_str(ident);
    dom0_say(world, &exec); /* the callee may be there first */
    dom0_say(world, &yes);
}

enum { AT_ONCE = 16, CALLS = 200 };

struct caller {
    pid_t pid;
    int out;
    unsigned n;
};

static void begin(struct caller *c, unsigned n)
{
    char socket_option[128];
    char service[32];
    const char *const args[] = {socket_option, "qube", service, NULL};

    (void)snprintf(socket_option, sizeof(socket_option),
            "--agent-socket=%s/agent.sock", w.dir);
    (void)snprintf(service, sizeof(service), "count+%u", n);
    c->n = n;
    c->out = memfd_create("out", MFD_CLOEXEC);
    c->pid = world_spawn(&w, world_client_program, args, c->out);
}

static void finish(struct caller *c)
{
    char want[16];
    char got[16] = "";

    assert_int_equal(world_wait_exit(c->pid), (int)(c->n % 100));
    assert_true(pread(c->out, got, sizeof(got) - 1, 0) > 0);
    (void)snprintf(want, sizeof(want), "%u\n", c->n);
    assert_string_equal(got, want);
    (void)close(c->out);
}

/* Every call ends with its own code and output, and both ports come back. */
static void two_hundred_calls_sixteen_at_once(void **state)
{
    static struct caller callers[CALLS];
    unsigned begun = 0;
    unsigned asked = 0;
    unsigned ended = 0;

    (void)state;
    world_write(
            &w, "rpc/count", "#!/bin/sh\necho $1\nexit $(($1 % 100))\n", 0755);
    while (ended < 2 * CALLS) {
        while (begun < CALLS && begun * 2 < ended + 2 * AT_ONCE) {
            begin(&callers[begun], begun);
            begun++;
        }
        dom0_hear_any(&w);
        if (w.heard.type == QREXEC_TRIGGER_SERVICE4)
            relay(&w, 513 + asked++ % 256);
        else
            ended++;
    }
    assert_int_equal(asked, CALLS);
    for (unsigned i = 0; i < CALLS; i++)
        finish(&callers[i]);
}

static size_t count_ended_children(pid_t pid)
{
    char command[128];
    char text[16] = "";
    FILE *f;

    (void)snprintf(command, sizeof(command),
            "ps --ppid %d -o stat= | grep -c Z", (int)pid);
    f = popen(command, "re");
    assert_non_null(f);
    assert_non_null(fgets(text, sizeof(text), f));
    (void)pclose(f);
    return strtoul(text, NULL, 10);
}

/* Runners that would wait for their callers for two minutes. */
static void end_children(pid_t pid)
{
    char command[128];
    char line[16];
    FILE *f;

    (void)snprintf(command, sizeof(command), "ps --ppid %d -o pid=", (int)pid);
    f = popen(command, "re");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        long child = strtol(line, NULL, 10);

        assert_true(child > 1);
        (void)kill((pid_t)child, SIGKILL);
    }
    (void)pclose(f);
}

static void start_with_files(rlim_t soft, rlim_t hard)
{
    const struct rlimit l = {.rlim_cur = soft, .rlim_max = hard};

    world_stop(&w);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &l), 0);
    start("--no-fork-server");
}

/* Each of up to 1024 services costs the agent a descriptor. */
static void services_beyond_the_usual_limit_of_descriptors(void **state)
{
    struct rlimit own;
    char command[64];
    char out[64];

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &own), 0);
    if (own.rlim_max < 256)
        skip();
    start_with_files(40, own.rlim_max);
    (void)snprintf(command, sizeof(command), "%s:true", world_user());
    for (uint32_t i = 0; i < 60; i++)
        dom0_exec(&w, QREXEC_EXEC_CMDLINE, 520 + i, command);
    /* Those wait for their caller; a further one is served. */
    assert_int_equal(call_run(&w, 513, "ulimit -n", "", out, sizeof(out)), 0);
    assert_string_equal(out, "40\n");
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &own), 0);
    end_children(w.agent);
}

/* Last, as the limit stays.  A service that cannot be watched does not run. */
static void without_descriptors_a_service_leaves_nothing(void **state)
{
    char command[64];

    (void)state;
    start_with_files(30, 30);
    (void)snprintf(command, sizeof(command), "%s:true", world_user());
    for (uint32_t i = 0; i < 60; i++)
        dom0_exec(&w, QREXEC_EXEC_CMDLINE, 513 + i, command);
    for (uint32_t i = 0; i < 30; i++)
        dom0_hear(&w, QREXEC_CONNECTION_TERMINATED);
    assert_int_equal(count_ended_children(w.agent), 0);
    end_children(w.agent);
}

/* A megabyte each way at once: neither end may wait for the other. */
static void bulk_goes_both_ways(void **state)
{
    char socket_option[128];
    const char *const args[] = {"-c",
            "head -c 3000000 /dev/zero | tr '\\0' x |"
            "\"$0\" \"$1\" qube echo | cksum",
            world_client_program, socket_option, NULL};
    int out = memfd_create("out", MFD_CLOEXEC);
    int ref = memfd_create("ref", MFD_CLOEXEC);
    const char *const plain[] = {
            "-c", "head -c 3000000 /dev/zero | tr '\\0' x | cksum", NULL};
    char got[64] = "";
    char want[64] = "";
    pid_t pid;

    (void)state;
    (void)snprintf(socket_option, sizeof(socket_option),
            "--agent-socket=%s/agent.sock", w.dir);
    world_write(&w, "rpc/echo", "#!/bin/sh\nexec cat\n", 0755);
    if (access(world_client_program, X_OK) < 0)
        skip();
    pid = world_spawn(&w, "/bin/sh", args, out);
    dom0_hear(&w, QREXEC_TRIGGER_SERVICE4);
    relay(&w, 513);
    dom0_hear(&w, QREXEC_CONNECTION_TERMINATED);
    dom0_hear(&w, QREXEC_CONNECTION_TERMINATED);
    assert_int_equal(world_wait_exit(pid), 0);
    assert_int_equal(
            world_wait_exit(world_spawn(&w, "/bin/sh", plain, ref)), 0);
    assert_true(pread(out, got, sizeof(got) - 1, 0) > 0);
    assert_true(pread(ref, want, sizeof(want) - 1, 0) > 0);
    assert_string_equal(got, want);
    (void)close(out);
    (void)close(ref);
}

int main(int argc, char **argv)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define TEST_SERVER(f)                                                         \
    cmocka_unit_test_setup_teardown(f, setup_server, teardown_server)
    const struct CMUnitTest tests[] = {
            TEST(services_run_as_upstream_has_them),
            TEST(calls_wait_for_the_session_together),
            TEST(call_of_a_daemon_that_left_does_not_run_later),
            TEST(missing_waiter_is_not_waited_for),
            TEST_SERVER(session_runs_programs_and_the_agent_the_rest),
            TEST_SERVER(session_keeps_its_umask),
            TEST_SERVER(foreign_server_is_not_used),
            TEST(two_hundred_calls_sixteen_at_once),
            TEST(bulk_goes_both_ways),
            TEST(services_beyond_the_usual_limit_of_descriptors),
            TEST(without_descriptors_a_service_leaves_nothing),
    };

    if (argc != 4)
        return 2;
    (void)signal(SIGPIPE, SIG_IGN);
    world_agent_program = argv[1];
    world_server_program = argv[2];
    world_client_program = argv[3];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
