/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The real agent and the real qrexec-client-vm, with a zone made of a thread:
 * it connects every request back to the same agent, or refuses it.
 */
#include "link.h"
#include "qrexec.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const char *agent_path;
static const char *client_path;
static char dir[] = "/tmp/qair-agent-XXXXXX";
static char out_text[1 << 16];
static char err_text[1 << 16];

/* ---- the zone -------------------------------------------------------- */

struct zone {
    pthread_t thread;
    pid_t agent;
    int fd; /* calld's end of the agent's link */
    unsigned ended;
    unsigned asked;
    char source[QREXEC_NAME_SIZE];
    char key_text[16];
};
static struct zone zone;

static void say(
        struct link *l, const struct qrexec_msg *m, const int *fds, size_t n)
{
    static uint8_t bytes[QREXEC_MSG_MAX];
    struct err err;
    size_t len;

    if (qrexec_msg_put(m, bytes, sizeof(bytes), &len) ||
            link_send(l, SPAN(bytes, len), fds, n, &err))
        abort();
}

static void connect_back(
        struct link *l, const struct qrexec_msg *m, struct qrexec_request *q)
{
    char command[QREXEC_COMMAND_MAX];
    struct qrexec_msg exec = {.type = QREXEC_EXEC_CMDLINE, .domain = 1};
    struct qrexec_msg answer = {.type = QREXEC_SERVICE_CONNECT, .domain = 1};
    int data[2];
    int key[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, data) ||
            socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, key))
        abort();
    if (strncmp(q->service, "shell+", 6) == 0)
        (void)snprintf(command, sizeof(command), "DEFAULT:%s", q->service + 6);
    else if (qrexec_command_format(span_str(q->target), span_str(q->service),
                     span_str("thin-work"), command, sizeof(command)))
        abort();
    answer.ident = m->ident;
    answer.port = exec.port = ++zone.asked;
    exec.command = span_str(command);
    exec.domain = strncmp(q->service, "key", 3) == 0 ? 2 : 1;
    say(l, &answer, data, 1);
    say(l, &exec, (const int[]){data[1], key[1]}, exec.domain);
    if (exec.domain == 2) {
        ssize_t n = read(key[0], zone.key_text, sizeof(zone.key_text) - 1);

        zone.key_text[n > 0 ? n : 0] = '\0';
    } else {
        (void)close(key[1]);
    }
    (void)close(key[0]);
}

static void refuse_request(
        struct link *l, const struct qrexec_msg *m, const char *reason)
{
    const struct qrexec_msg no = {.type = QREXEC_SERVICE_REFUSED,
            .ident = m->ident,
            .has_reason = true,
            .where = span_str("policy of zone server"),
            .reason = span_str(reason)};

    say(l, &no, NULL, 0);
}

static void on_message(struct link *l, const struct qrexec_msg *m)
{
    const struct qrexec_msg hello = {
            .type = QREXEC_HELLO, .version = QREXEC_VERSION};
    struct qrexec_request q;
    struct err err;

    if (m->type == QREXEC_HELLO)
        say(l, &hello, NULL, 0);
    if (m->type == QREXEC_CONNECTION_TERMINATED)
        __atomic_add_fetch(&zone.ended, 1, __ATOMIC_SEQ_CST);
    if (m->type != QREXEC_TRIGGER_SERVICE4)
        return;
    if (qrexec_request_check(m, &q, &err)) {
        refuse_request(l, m, err.msg);
        return;
    }
    (void)snprintf(zone.source, sizeof(zone.source), "%s", q.source);
    if (strncmp(q.service, "forbidden", 9) == 0)
        refuse_request(l, m, "30-x.policy:7 says deny");
    else if (strncmp(q.service, "silent", 6) != 0)
        connect_back(l, m, &q);
}

static void *zone_main(void *arg)
{
    struct link *l = link_new_unix(zone.fd, QREXEC_MSG_MAX, 1 << 20);
    struct err err;

    (void)arg;
    for (;;) {
        struct pollfd pfd = {.fd = zone.fd, .events = link_events(l)};
        struct qrexec_msg m;
        struct span in;

        (void)poll(&pfd, 1, -1);
        if (link_flush(l, &err) || link_recv(l, &err))
            break;
        for (;;) {
            in = link_in(l);
            size_t before = in.len;
            int r = qrexec_msg_get(&in, &m, &err);

            if (r == ERR_STATE)
                break;
            if (r)
                abort();
            on_message(l, &m);
            link_consume(l, before - in.len);
        }
    }
    link_free(l);
    return NULL;
}

/* ---- services -------------------------------------------------------- */

static void write_file(const char *name, unsigned mode, const char *text)
{
    char path[256];
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static const struct {
    const char *name;
    unsigned mode;
    const char *text;
} files[] = {
        {"rpc/echo", 0755, "#!/bin/sh\nexec cat\n"},
        {"rpc/exit", 0755, "#!/bin/sh\nexit $1\n"},
        {"rpc/die", 0755, "#!/bin/sh\nkill -9 $$\n"},
        {"rpc/flood", 0755,
                "#!/bin/sh\nhead -c 52428800 /dev/zero >&2\necho after\n"
                "exit 3\n"},
        {"rpc/deaf", 0755,
                "#!/bin/sh\necho out\necho err >&2\nsleep 0.3\nexit 5\n"},
        {"rpc/shut", 0755, "#!/bin/sh\nexec <&-\nsleep 0.3\necho still\n"},
        {"rpc/env", 0755, "#!/bin/sh\nenv | grep -E '^(QREXEC|QAIR)' | sort\n"},
        {"rpc/arg+one", 0755, "#!/bin/sh\necho specific\n"},
        {"rpc/arg", 0755, "#!/bin/sh\necho general $1\n"},
        {"rpc/hang", 0755,
                "#!/bin/sh\necho $$ >\"$HOME/hang.pid\"\n"
                "echo started\nexec sleep 1000\n"},
        {"rpc/key", 0755, "#!/bin/sh\necho opened >&$QAIR_KEY_FD\n"},
        {"rpc/stuck", 0755,
                "#!/bin/sh\ntrap '' TERM\necho $$ >\"$HOME/hang.pid\"\n"
                "echo started\nwhile :; do sleep 1; done\n"},
        {"rpc/plain", 0644, "not a program\n"},
        {"rpc/broken", 0755, "#!/nonexistent/interpreter\n"},
        {"rpc/other", 0755, "#!/bin/sh\necho never\n"},
        {"config/other", 0644, "force-user = 'root-of-all'\n"},
        {"rpc/twice", 0755, "#!/bin/sh\necho never\n"},
        {"config/twice", 0644, "wait-for-session = 1\nwait-for-session = 0\n"},
        {"rpc/untilclient", 0755, "#!/bin/sh\necho hi\nsleep 1000\n"},
        {"config/untilclient", 0644, "exit-on-client-eof = true\n"},
        {"rpc/untilservice", 0755,
                "#!/bin/sh\necho hi\nexec >&-\nexec sleep 1000\n"},
        {"config/untilservice", 0644, "exit-on-service-eof = true\n"},
        {"rpc/background", 0755,
                "#!/bin/sh\n(sleep 0.3; echo late) &\nexit 4\n"},
};

static void set_up_files(void)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/rpc", dir);
    assert_int_equal(mkdir(path, 0755), 0);
    assert_int_equal(setenv("QREXEC_SERVICE_PATH", path, 1), 0);
    (void)snprintf(path, sizeof(path), "%s/config", dir);
    assert_int_equal(mkdir(path, 0755), 0);
    assert_int_equal(setenv("QUBES_RPC_CONFIG_PATH", path, 1), 0);
    assert_int_equal(setenv("HOME", dir, 1), 0);
    assert_int_equal(setenv("USER", "tester", 1), 0);
    assert_int_equal(setenv("QREXEC_LEAK", "must not be seen", 1), 0);
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        write_file(files[i].name, files[i].mode, files[i].text);
}

static int start(void **state)
{
    char option[256];
    int fds[2];
    int ready = -1;

    (void)state;
    assert_non_null(mkdtemp(dir));
    set_up_files();
    (void)snprintf(option, sizeof(option), "--agent-socket=%s/agent", dir);
    assert_int_equal(
            socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    zone.fd = fds[0];
    zone.agent = fork();
    if (zone.agent == 0) {
        (void)dup2(fds[1], 3);
        (void)execl(agent_path, agent_path, option, NULL);
        _exit(1);
    }
    (void)close(fds[1]);
    assert_int_equal(pthread_create(&zone.thread, NULL, zone_main, NULL), 0);
    for (int i = 0; i < 1000 && ready; i++) {
        char path[256];

        (void)snprintf(path, sizeof(path), "%s/agent", dir);
        ready = access(path, F_OK);
        (void)usleep(10000);
    }
    return ready;
}

static int stop(void **state)
{
    char command[256];

    (void)state;
    (void)kill(zone.agent, SIGKILL);
    (void)waitpid(zone.agent, NULL, 0);
    (void)pthread_join(zone.thread, NULL);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    return system(command);
}

/* ---- calling --------------------------------------------------------- */

static void load(const char *name, char *ret, size_t cap)
{
    char path[256];
    FILE *f;
    size_t n;

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "r");
    assert_non_null(f);
    n = fread(ret, 1, cap - 1, f);
    ret[n] = '\0';
    (void)fclose(f);
}

/* before | client-vm args; fills out_text and err_text. */
static int call(const char *before, const char *args)
{
    char command[4096 + 512];
    int status;

    (void)snprintf(command, sizeof(command),
            "cd '%s' && %s '%s' --agent-socket=agent %s >out 2>err", dir,
            before, client_path, args);
    status = system(command);
    load("out", out_text, sizeof(out_text));
    load("err", err_text, sizeof(err_text));
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void exit_codes(void **state)
{
    static const struct {
        const char *args;
        int code;
        const char *err;
    } rows[] = {
            {"DEFAULT exit+0", 0, ""},
            {"DEFAULT exit+7", 7, ""},
            {"DEFAULT exit+255", 255, ""},
            {"DEFAULT die", 137, ""},
            {"DEFAULT nothing.Here", 127,
                    "qair-agent: no service nothing.Here here\n"},
            {"DEFAULT plain", 125, "plain is not executable\n"},
            {"DEFAULT broken", 125, "broken: No such file or directory\n"},
            {"DEFAULT other", 125,
                    "qair-agent: services of this qube run as tester, not as "
                    "root-of-all\n"},
            {"root echo", 125, "run as tester, not as root\n"},
            {"DEFAULT twice", 125, "line 2: bad, repeated or wrongly typed"},
            {"DEFAULT forbidden", 126,
                    "qrexec-client-vm: refused by policy of zone server: "
                    "30-x.policy:7 says deny\n"},
            {"DEFAULT +noname", 126, "the service has no name\n"},
            {"DEFAULT ..", 127, "not a service name"},
            {"DEFAULT", 2, "usage: qrexec-client-vm"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(call("", rows[i].args), rows[i].code);
        if (*rows[i].err)
            assert_non_null(strstr(err_text, rows[i].err));
        else
            assert_string_equal(err_text, "");
        assert_string_equal(out_text, "");
    }
}

static void most_specific_service_wins(void **state)
{
    (void)state;
    assert_int_equal(call("", "DEFAULT arg+one"), 0);
    assert_string_equal(out_text, "specific\n");
    assert_int_equal(call("", "DEFAULT arg+two"), 0);
    assert_string_equal(out_text, "general two\n");
}

static void environment_tells_the_call_and_nothing_of_another(void **state)
{
    (void)state;
    assert_int_equal(call("", "--source-qube=relayed DEFAULT env+x"), 0);
    assert_non_null(strstr(out_text, "QREXEC_REMOTE_DOMAIN=thin-work\n"));
    assert_non_null(strstr(out_text, "QREXEC_SERVICE_FULL_NAME=env+x\n"));
    assert_non_null(strstr(out_text, "QREXEC_SERVICE_ARGUMENT=x\n"));
    assert_non_null(strstr(out_text, "QREXEC_REQUESTED_TARGET_TYPE=\n"));
    assert_null(strstr(out_text, "LEAK"));
    assert_null(strstr(out_text, "QAIR_KEY_FD"));
    assert_string_equal(zone.source, "relayed");
}

static void key_session_reaches_the_service(void **state)
{
    (void)state;
    assert_int_equal(call("", "DEFAULT key"), 0);
    assert_string_equal(zone.key_text, "opened\n");
}

static void hundred_mebibytes_both_ways(void **state)
{
    char command[256];

    (void)state;
    assert_int_equal(
            call("head -c 104857600 /dev/urandom | tee in |", "DEFAULT echo"),
            0);
    assert_string_equal(err_text, "");
    (void)snprintf(command, sizeof(command),
            "cd '%s' && cmp in out && test $(stat -c %%s out) = 104857600 && "
            "rm in out",
            dir);
    assert_int_equal(system(command), 0);
}

static void stderr_flood_does_not_hold_back_the_end(void **state)
{
    (void)state;
    assert_int_equal(call("", "DEFAULT flood"), 3);
    assert_string_equal(out_text, "after\n");
}

static void blocked_stdin_holds_back_nothing(void **state)
{
    (void)state;
    assert_int_equal(call("head -c 30000000 /dev/zero |", "DEFAULT deaf"), 5);
    assert_string_equal(out_text, "out\n");
    assert_string_equal(err_text, "err\n");
    assert_int_equal(call("head -c 30000000 /dev/zero |", "DEFAULT shut"), 0);
    assert_string_equal(out_text, "still\n");
}

static void output_of_a_grandchild_belongs_to_the_call(void **state)
{
    (void)state;
    assert_int_equal(call("", "DEFAULT background"), 4);
    assert_string_equal(out_text, "late\n");
}

static void client_end_of_file_ends_the_call_where_configured(void **state)
{
    (void)state;
    assert_int_equal(call("sleep 0.3 |", "DEFAULT untilclient"), 0);
    assert_string_equal(out_text, "hi\n");
}

/* Its stderr and its process stay: the end of stdout alone counts. */
static void service_end_of_file_ends_the_call_where_configured(void **state)
{
    (void)state;
    assert_int_equal(call("sleep 0.3 |", "DEFAULT untilservice"), 0);
    assert_string_equal(out_text, "hi\n");
}

static bool is_alive(pid_t pid)
{
    return kill(pid, 0) == 0;
}

static void cut_off_call_ends_its_service(const char *service)
{
    char command[512];
    char pid_text[32];
    pid_t pid;

    (void)snprintf(command, sizeof(command),
            "cd '%s' && timeout -s KILL 0.4 '%s' --agent-socket=agent DEFAULT "
            "%s >/dev/null 2>&1",
            dir, client_path, service);
    (void)!system(command);
    load("hang.pid", pid_text, sizeof(pid_text));
    pid = atoi(pid_text);
    assert_true(pid > 1);
    for (int i = 0; i < 100 && is_alive(pid); i++)
        (void)usleep(50000);
    assert_false(is_alive(pid));
}

static void cut_off_calls_end_their_services(void **state)
{
    (void)state;
    cut_off_call_ends_its_service("hang");
    cut_off_call_ends_its_service("stuck"); /* ignores SIGTERM */
}

static void local_program_talks_to_the_service(void **state)
{
    (void)state;
    write_file("talk", 0755,
            "#!/bin/sh\necho ping\nread line\necho \"got $line\" "
            ">&$SAVED_FD_1\n");
    assert_int_equal(call("", "DEFAULT echo ./talk"), 0);
    assert_string_equal(out_text, "got ping\n");
}

static void prefix_goes_before_stdin(void **state)
{
    (void)state;
    assert_int_equal(
            call("printf after |", "--prefix-data=before- DEFAULT echo"), 0);
    assert_string_equal(out_text, "before-after");
}

static void control_bytes_are_filtered_when_asked(void **state)
{
    (void)state;
    assert_int_equal(call("printf 'a\\033[2Jb\\n' |", "-t DEFAULT echo"), 0);
    assert_string_equal(out_text, "a_[2Jb\n");
    assert_int_equal(call("printf 'a\\033b\\n' |", "DEFAULT echo"), 0);
    assert_string_equal(out_text, "a\033b\n");
}

static void reader_that_leaves_ends_the_call(void **state)
{
    char command[512];

    (void)state;
    (void)snprintf(command, sizeof(command),
            "cd '%s' && { '%s' --agent-socket=agent DEFAULT echo </dev/zero; "
            "echo $? >code; } | head -c 10 >/dev/null",
            dir, client_path);
    assert_int_equal(system(command), 0);
    load("code", out_text, sizeof(out_text));
    assert_string_equal(out_text, "141\n");
}

static void shell_command_runs_for_the_zone(void **state)
{
    (void)state;
    assert_int_equal(call("", "DEFAULT shell+exit"), 0);
}

static void thousand_quick_calls(void **state)
{
    char command[512];

    (void)state;
    (void)snprintf(command, sizeof(command),
            "cd '%s' && seq 1000 | xargs -P 16 -I N '%s' --agent-socket=agent "
            "DEFAULT exit+0",
            dir, client_path);
    assert_int_equal(system(command), 0);
}

/* A request that no link carries must not harm the next (upstream: it wedged
 * the agent for good). */
static void too_long_request_harms_nobody(void **state)
{
    (void)state;
    assert_int_equal(call("", "DEFAULT echo+$(head -c 60000 /dev/zero | "
                              "tr '\\0' a)"),
            126);
    assert_non_null(strstr(err_text, "limit 3935"));
    assert_int_equal(call("", "DEFAULT echo+$(head -c 100000 /dev/zero | "
                              "tr '\\0' a)"),
            125);
    assert_int_equal(call("", "DEFAULT exit+9"), 9);
}

static int connect_agent(void)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/agent", dir);
    assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    return fd;
}

/* What programs of the qube may throw at the agent. */
static void hostile_clients_harm_nobody(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } rows[] = {
            {"\x13\x02\0\0\xff\xff\xff\xff", 8},            /* length 2^32-1 */
            {"\x13\x02\0\0\0\0\0\x80", 8},                  /* length 2^31 */
            {"\x13\x02\0\0\0\0\0\0", 8},                    /* length 0 */
            {"\x11\x02\0\0\x08\0\0\0\0\0\0\0\0\0\0\0", 16}, /* not asked for */
            {"\0\0\0\0\0\0\0\0", 8},
    };
    int idle[64];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int fd = connect_agent();
        char c;

        assert_int_equal(
                write(fd, rows[i].bytes, rows[i].len), (ssize_t)rows[i].len);
        assert_true(read(fd, &c, 1) <= 0);
        (void)close(fd);
    }
    for (size_t i = 0; i < ARRAY_LEN(idle); i++) {
        idle[i] = connect_agent();
        assert_int_equal(write(idle[i], "\x13\x02\0", 3), 3);
    }
    assert_int_equal(call("", "DEFAULT exit+6"), 6);
    for (size_t i = 0; i < ARRAY_LEN(idle); i++)
        (void)close(idle[i]);
}

static void every_call_was_reported_as_ended(void **state)
{
    (void)state;
    for (int i = 0; i < 200 &&
                    __atomic_load_n(&zone.ended, __ATOMIC_SEQ_CST) < zone.asked;
            i++)
        (void)usleep(50000);
    assert_int_equal(zone.ended, zone.asked);
    assert_true(zone.asked > 1000);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(exit_codes),
            cmocka_unit_test(most_specific_service_wins),
            cmocka_unit_test(environment_tells_the_call_and_nothing_of_another),
            cmocka_unit_test(key_session_reaches_the_service),
            cmocka_unit_test(hundred_mebibytes_both_ways),
            cmocka_unit_test(stderr_flood_does_not_hold_back_the_end),
            cmocka_unit_test(blocked_stdin_holds_back_nothing),
            cmocka_unit_test(output_of_a_grandchild_belongs_to_the_call),
            cmocka_unit_test(client_end_of_file_ends_the_call_where_configured),
            cmocka_unit_test(
                    service_end_of_file_ends_the_call_where_configured),
            cmocka_unit_test(cut_off_calls_end_their_services),
            cmocka_unit_test(local_program_talks_to_the_service),
            cmocka_unit_test(prefix_goes_before_stdin),
            cmocka_unit_test(control_bytes_are_filtered_when_asked),
            cmocka_unit_test(reader_that_leaves_ends_the_call),
            cmocka_unit_test(shell_command_runs_for_the_zone),
            cmocka_unit_test(too_long_request_harms_nobody),
            cmocka_unit_test(hostile_clients_harm_nobody),
            cmocka_unit_test(thousand_quick_calls),
            cmocka_unit_test(every_call_was_reported_as_ended),
    };

    if (argc != 3)
        return 2;
    agent_path = realpath(argv[1], NULL);
    client_path = realpath(argv[2], NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, start, stop);
}
