/* SPDX-License-Identifier: Apache-2.0 */
/* One call in a forked runner, its caller played by a pump or by hand. */
#include "callee.h"
#include "pump.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64];
static char out_text[65536];
static char err_text[4096];

/* ---- the folder of services ------------------------------------------ */

static void path_of(char ret[static 160], const char *name)
{
    (void)snprintf(ret, 160, "%s/%s", dir, name);
}

static void put(const char *name, const char *text, unsigned mode)
{
    char path[160];
    int fd;

    path_of(path, name);
    (void)unlink(path);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    (void)close(fd);
}

static int make_dir(void **state)
{
    char path[160];

    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/qair-callee-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    path_of(path, "rpc");
    if (mkdir(path, 0755) < 0 || setenv("QREXEC_SERVICE_PATH", path, 1) < 0)
        return -1;
    path_of(path, "config");
    if (mkdir(path, 0755) < 0 || setenv("QUBES_RPC_CONFIG_PATH", path, 1) < 0)
        return -1;
    (void)signal(SIGPIPE, SIG_IGN);
    return setenv("USER", "tester", 1);
}

static int remove_one(
        const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static int remove_dir(void **state)
{
    (void)state;
    return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* ---- one call -------------------------------------------------------- */

struct runner {
    pid_t pid;
    struct link *caller;
};

static struct runner start(struct callee c)
{
    struct runner r;
    int fds[2];

    assert_int_equal(
            socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    r.pid = fork();
    assert_true(r.pid >= 0);
    if (r.pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), 2);
        c.link = link_new_stream(fds[1], 0, 0);
        callee_run(&c);
    }
    (void)close(fds[1]);
    r.caller = link_new_stream(fds[0], 0, 0);
    assert_non_null(r.caller);
    return r;
}

static int end_of(const struct runner *r)
{
    int status;

    assert_int_equal(waitpid(r->pid, &status, 0), r->pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void slurp(int fd, char *ret, size_t cap)
{
    ssize_t n = pread(fd, ret, cap - 1, 0);

    ret[n > 0 ? n : 0] = '\0';
    (void)close(fd);
}

/* The call to its end: exit code, out_text, err_text. */
static int run(struct callee c, const char *command, const char *in)
{
    struct pump p = {.end = QREXEC_CALLER};
    int out = memfd_create("out", MFD_CLOEXEC);
    int errors = memfd_create("err", MFD_CLOEXEC);
    struct runner r;
    struct err err;
    int code = -1;
    int to[2];

    c.command = span_str(command);
    assert_int_equal(pipe2(to, O_CLOEXEC), 0);
    assert_int_equal(write(to[1], in, strlen(in)), (ssize_t)strlen(in));
    (void)close(to[1]);
    r = start(c);
    p.link = r.caller;
    p.stdin_fd = to[0];
    p.stdout_fd = fcntl(out, F_DUPFD_CLOEXEC, 3);
    p.stderr_fd = fcntl(errors, F_DUPFD_CLOEXEC, 3);
    if (pump_run(&p, &code, &err))
        fail_msg("%s: %s", command, err.msg);
    assert_int_equal(end_of(&r), 0);
    slurp(out, out_text, sizeof(out_text));
    slurp(errors, err_text, sizeof(err_text));
    return code;
}

/* As on Qubes: what went wrong is for the log, not for the caller. */
static struct callee qubes(void)
{
    return (struct callee){.name = "test",
            .users = &callee_own_user,
            .tcp = true,
            .one_socket = true,
            .leaves_running = true,
            .key_fd = -1};
}

static void codes_are_told_and_reasons_are_not(void **state)
{
    static const struct {
        const char *command;
        int code;
        const char *out;
    } rows[] = {
            {"tester:QUBESRPC ok a", 0, "ok.\n"},
            {"DEFAULT:QUBESRPC ok a", 0, "ok.\n"},
            {"tester:QUBESRPC ok+x+y a", 0, "okx+y.\n"},
            {"tester:nogui:QUBESRPC ok+x a", 0, "okx.\n"},
            {"tester:QUBESRPC seven a", 7, ""},
            {"tester:QUBESRPC die a", 128 + 9, ""},
            {"tester:QUBESRPC nothing a", 127, ""},
            {"tester:QUBESRPC plain a", 125, ""},
            {"tester:QUBESRPC loop a", 125, ""},
            {"tester:QUBESRPC badconf a", 125, ""},
            {"tester:QUBESRPC forced a", 125, ""},
            {"other:QUBESRPC ok a", 125, ""},
            {"other:echo no", 125, ""},
            {"no user and no colon", 125, ""},
            {"tester:QUBESRPC ok", 125, ""},
            {"tester:QUBESRPC ../rpc/ok a", 127, ""},
            {"tester:echo shell; exit 3", 3, "shell\n"},
    };
    char path[160];

    (void)state;
    put("rpc/ok", "#!/bin/sh\necho ok$1.\n", 0755);
    put("rpc/seven", "#!/bin/sh\nexit 7\n", 0755);
    put("rpc/die", "#!/bin/sh\nkill -9 $$\n", 0755);
    put("rpc/plain", "#!/bin/sh\n", 0644);
    put("rpc/badconf", "#!/bin/sh\necho ran\n", 0755);
    put("config/badconf", "wait-for-session = maybe\n", 0644);
    put("rpc/forced", "#!/bin/sh\necho ran\n", 0755);
    put("config/forced", "force-user = 'somebody-else'\n", 0644);
    path_of(path, "rpc/loop");
    assert_int_equal(symlink("loop", path), 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int code = run(qubes(), rows[i].command, "");

        if (code != rows[i].code)
            fail_msg("%s: %d, not %d", rows[i].command, code, rows[i].code);
        assert_string_equal(out_text, rows[i].out);
        assert_string_equal(err_text, "");
    }
}

static void reasons_are_told_where_the_owner_calls(void **state)
{
    struct callee c = qubes();

    (void)state;
    c.tells_caller = true;
    assert_int_equal(run(c, "tester:QUBESRPC nothing a", ""), 127);
    assert_string_equal(err_text, "test: no service nothing here\n");
}

static void bare_command_has_no_user(void **state)
{
    struct callee c = qubes();

    (void)state;
    c.bare = true;
    c.users = &callee_any_user;
    put("rpc/ok", "#!/bin/sh\necho ok$1.\n", 0755);
    assert_int_equal(run(c, "QUBESRPC ok+a x name y", ""), 0);
    assert_string_equal(out_text, "oka.\n");
}

/* What the program had in its environment says nothing about this call. */
static void environment_is_of_this_call_alone(void **state)
{
    (void)state;
    assert_int_equal(setenv("QREXEC_REQUESTED_TARGET", "left-over", 1), 0);
    assert_int_equal(setenv("QREXEC_SERVICE_ARGUMENT", "left-over", 1), 0);
    put("rpc/env",
            "#!/bin/sh\nunset QREXEC_SERVICE_PATH\n"
            "[ \"$QREXEC_AGENT_PID\" = $PPID ] && unset QREXEC_AGENT_PID\n"
            "env | grep ^QREXEC | sort\nread x; echo $x\n",
            0755);
    assert_int_equal(
            run(qubes(), "tester:QUBESRPC env work keyword dispvm", "in\n"), 0);
    assert_string_equal(out_text, "QREXEC_REMOTE_DOMAIN=work\n"
                                  "QREXEC_REQUESTED_TARGET_KEYWORD=dispvm\n"
                                  "QREXEC_REQUESTED_TARGET_TYPE=keyword\n"
                                  "QREXEC_SERVICE_FULL_NAME=env\n"
                                  "in\n");
    assert_int_equal(unsetenv("QREXEC_REQUESTED_TARGET"), 0);
    assert_int_equal(unsetenv("QREXEC_SERVICE_ARGUMENT"), 0);
}

/* Neither the caller's link nor what the program had open. */
static void service_gets_three_descriptors(void **state)
{
    int leak = fcntl(0, F_DUPFD, 40);

    (void)state;
    put("rpc/fds", "#!/bin/sh\nls /proc/self/fd | tr '\\n' ' '\n", 0755);
    assert_int_equal(run(qubes(), "tester:QUBESRPC fds a", ""), 0);
    assert_string_equal(out_text, "0 1 2 3 "); /* 3 is the folder itself */
    (void)close(leak);
}

static void exact_name_goes_before_the_plain_one(void **state)
{
    (void)state;
    put("rpc/two", "#!/bin/sh\necho plain\n", 0755);
    put("rpc/two+", "#!/bin/sh\necho empty\n", 0755);
    put("rpc/two+a", "#!/bin/sh\necho exact\n", 0755);
    assert_int_equal(run(qubes(), "tester:QUBESRPC two a", ""), 0);
    assert_string_equal(out_text, "empty\n");
    assert_int_equal(run(qubes(), "tester:QUBESRPC two+a a", ""), 0);
    assert_string_equal(out_text, "exact\n");
    assert_int_equal(run(qubes(), "tester:QUBESRPC two+b a", ""), 0);
    assert_string_equal(out_text, "plain\n");
}

static void one_socket_serves_both_directions_when_asked(void **state)
{
    (void)state;
    put("rpc/usr1",
            "#!/bin/sh\nkill -USR1 $QREXEC_AGENT_PID\necho hello >&0\n"
            "read x\necho got $x >&0\n",
            0755);
    assert_int_equal(run(qubes(), "tester:QUBESRPC usr1 a", "in\n"), 0);
    assert_string_equal(out_text, "hello\ngot in\n");
}

/* ---- sockets --------------------------------------------------------- */

static int listen_unix(const char *name)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(
            addr.sun_path, sizeof(addr.sun_path), "%.60s/%.40s", dir, name);
    (void)unlink(addr.sun_path);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(listen(fd, 4), 0);
    return fd;
}

static int listen_tcp(uint16_t *ret_port)
{
    struct sockaddr_in6 addr = {
            .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&addr, len), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    *ret_port = ntohs(addr.sin6_port);
    return fd;
}

/* A server that answers what it got, once it is at its end. */
static pid_t serve(int listener)
{
    pid_t pid = fork();
    char text[256];
    size_t n = 0;
    ssize_t got;
    int fd;

    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    fd = accept(listener, NULL, NULL);
    while ((got = read(fd, text + n, sizeof(text) - n)) > 0)
        n += (size_t)got;
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '\0')
            text[i] = '|';
    }
    _exit(write(fd, text, n) == (ssize_t)n ? 0 : 1);
}

static void socket_service_hears_what_is_called(void **state)
{
    static const struct {
        const char *command;
        const char *config;
        const char *out;
    } rows[] = {
            {"tester:QUBESRPC sock a", "", "sock a|in"},
            {"tester:QUBESRPC sock+x a name b", "", "sock+x a name b|in"},
            /* a socket has its own user: nobody's session is asked */
            {"other:QUBESRPC sock a", "", "sock a|in"},
            {"tester:QUBESRPC sock a", "skip-service-descriptor = true\n",
                    "in"},
    };
    int fd;

    (void)state;
    fd = listen_unix("rpc/sock");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        pid_t pid = serve(fd);

        put("config/sock", rows[i].config, 0644);
        assert_int_equal(run(qubes(), rows[i].command, "in"), 0);
        assert_string_equal(out_text, rows[i].out);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
    }
    (void)close(fd);
    assert_int_equal(run(qubes(), "tester:QUBESRPC sock a", ""), 125);
}

static void tcp_services_are_numeric_and_complete(void **state)
{
    static const struct {
        const char *link;
        const char *arg; /* %u: the port */
        bool works;
    } rows[] = {
            {"/dev/tcp", "++1+%u", true},
            {"/dev/tcp/::1", "%u", true},
            {"/dev/tcp/::1/%u", "", true},
            {"/dev/tcp", "", false},
            {"/dev/tcp", "%u", false},
            {"/dev/tcp", "+%u", false},
            {"/dev/tcp", "localhost+%u", false},
            {"/dev/tcp", "_+1+%u", false},
            {"/dev/tcp", "++1+0%u", false},
            {"/dev/tcp", "++1+99999", false},
            {"/dev/tcp", "++1+http", false},
            {"/dev/tcp/", "%u", false},
            {"/dev/tcp/::1", "", false},
            {"/dev/tcp/::1", "++1+%u", false},
            {"/dev/tcp/::1/%u", "%u", false},
            {"/dev/tcp/::1/", "%u", false},
            {"/dev/tcp//%u", "", false},
            {"/dev/tcp/localhost/%u", "", false},
    };
    uint16_t port;
    int fd = listen_tcp(&port);
    char path[160];

    (void)state;
    path_of(path, "rpc/tcp");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char number[8];
        char to[64];
        char arg[64];
        char command[128];
        pid_t pid = serve(fd);

        (void)snprintf(number, sizeof(number), "%u", port);
#define FILL(ret, from)                                                        \
    do {                                                                       \
        const char *at = strstr(from, "%u");                                   \
        (void)snprintf(ret, sizeof(ret), "%.*s%s",                             \
                at ? (int)(at - (from)) : (int)strlen(from), from,             \
                at ? number : "");                                             \
    } while (0)
        FILL(to, rows[i].link);
        FILL(arg, rows[i].arg);
        (void)snprintf(
                command, sizeof(command), "tester:QUBESRPC tcp+%s a", arg);
        (void)unlink(path);
        assert_int_equal(symlink(to, path), 0);
        if (run(qubes(), command, "in") != (rows[i].works ? 0 : 125))
            fail_msg("%s with %s", to, command);
        if (rows[i].works) {
            assert_non_null(strstr(out_text, " a|in"));
        } else {
            assert_string_equal(out_text, "");
            (void)kill(pid, SIGKILL);
        }
        assert_int_equal(waitpid(pid, NULL, 0), pid);
    }
    (void)close(fd);
}

static void tcp_is_refused_where_there_is_no_network(void **state)
{
    struct callee c = qubes();
    uint16_t port;
    int fd = listen_tcp(&port);
    char path[160];
    char to[64];

    (void)state;
    c.tcp = false;
    (void)snprintf(to, sizeof(to), "/dev/tcp/::1/%u", port);
    path_of(path, "rpc/notcp");
    assert_int_equal(symlink(to, path), 0);
    assert_int_equal(run(c, "tester:QUBESRPC notcp a", ""), 125);
    (void)close(fd);
}

/* ---- sessions -------------------------------------------------------- */

static char session_log[160];

static void note(const char *text)
{
    int fd = open(session_log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    (void)!write(fd, text, strlen(text));
    (void)close(fd);
}

static int login_open(
        const char *user, struct callee_login *ret, struct err *err)
{
    static char greeting[] = "GREETING=hi";
    static char *env[] = {greeting, NULL};

    note("open ");
    note(user);
    if (strcmp(user, "stranger") == 0)
        return err_set(err, ERR_DENIED, "no");
    *ret = (struct callee_login){.home = "/", .shell = "/bin/sh", .env = env};
    return 0;
}

static int login_become(const struct callee_login *l)
{
    note(l->home ? " become" : "?");
    return 0;
}

static void login_close(struct callee_login *l)
{
    (void)l;
    note(" close");
}

static void check_log(const char *text)
{
    char got[128] = "";
    int fd = open(session_log, O_RDONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    (void)!read(fd, got, sizeof(got) - 1);
    (void)close(fd);
    (void)unlink(session_log);
    assert_string_equal(got, text);
}

static void session_is_open_as_long_as_its_service(void **state)
{
    static const struct callee_users users = {
            .open = login_open, .become = login_become, .close = login_close};
    struct callee c = qubes();

    (void)state;
    c.users = &users;
    path_of(session_log, "session");
    put("rpc/in", "#!/bin/sh\necho $GREETING $1 $TERM$USER\n", 0755);
    put("config/in", "force-user = 'bob'\n", 0644);
    assert_int_equal(run(c, "alice:QUBESRPC in+a;b$(exit) a", ""), 0);
    assert_string_equal(out_text, "hi a;b$(exit)\n");
    check_log("open bob become close");
    put("config/in", "", 0644);
    assert_int_equal(run(c, "alice:QUBESRPC in a", ""), 0);
    check_log("open alice become close");
    assert_int_equal(run(c, "stranger:QUBESRPC in a", ""), 125);
    check_log("open stranger");
    assert_int_equal(run(c, "alice:exit 4", ""), 4);
    check_log("open alice become close");
}

/* ---- how a call ends ------------------------------------------------- */

static void hear_just_code(struct link *l, unsigned char code)
{
    uint8_t want[24] = {0x00, 0x03, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 0x93, 0x01, 0,
            0, 4, 0, 0, 0, code, 0, 0, 0};
    uint8_t got[64];
    size_t n = 0;

    for (;;) {
        struct pollfd p = {.fd = link_fd(l), .events = POLLIN};
        ssize_t r;

        assert_int_equal(poll(&p, 1, 20000), 1);
        r = link_read(l, got + n, sizeof(got) - n);
        if (r == 0)
            break;
        if (r > 0)
            n += (size_t)r;
    }
    assert_int_equal(n, sizeof(want));
    assert_memory_equal(got, want, sizeof(want));
}

static void just_exec_answers_while_its_service_runs(void **state)
{
    static const struct {
        const char *command;
        unsigned char code;
    } rows[] = {
            {"tester:QUBESRPC waits a", 0},
            {"tester:read x <FIFO", 0},
            {"tester:QUBESRPC nothing a", 127},
    };
    const struct iovec hello = {
            .iov_base = (char[]){"\x00\x03\0\0\x04\0\0\0\x04\0\0\0"},
            .iov_len = 12};
    char path[160];

    (void)state;
    path_of(path, "fifo");
    assert_int_equal(mkfifo(path, 0600), 0);
    {
        char text[256];

        (void)snprintf(text, sizeof(text), "#!/bin/sh\nread x <%s\n", path);
        put("rpc/waits", text, 0755);
    }
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct callee c = qubes();
        struct runner r;
        char text[256];
        const char *fifo = strstr(rows[i].command, "FIFO");

        (void)snprintf(text, sizeof(text), "%.*s%s",
                fifo ? (int)(fifo - rows[i].command)
                     : (int)strlen(rows[i].command),
                rows[i].command, fifo ? path : "");
        c.just_exec = true;
        c.command = span_str(text);
        r = start(c);
        assert_int_equal(link_writev(r.caller, &hello, 1), 12);
        hear_just_code(r.caller, rows[i].code);
        assert_int_equal(end_of(&r), 0);
        link_free(r.caller);
        if (rows[i].code == 0) { /* it still runs: somebody reads */
            int fd = open(path, O_WRONLY | O_CLOEXEC);

            assert_int_equal(write(fd, "\n", 1), 1);
            (void)close(fd);
            /* Gone before the next opens it, or the wrong one would answer. */
            while ((fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC)) >= 0) {
                (void)close(fd);
                (void)usleep(1000);
            }
        }
    }
}

/* A caller that goes away ends a zone's service and leaves one of Qubes'. */
static void cut_off_call_ends_its_service_or_leaves_it(void **state)
{
    (void)state;
    put("rpc/stubborn",
            "#!/bin/sh\ntrap '' PIPE\ntrap 'echo >ended; exit' TERM\n"
            "cat >/dev/null\necho >eof\nfor i in 1 2 3 4 5 6 7 8 9; do\n"
            "sleep 0.05; done\necho >finished\n",
            0755);
    for (int leaves = 0; leaves < 2; leaves++) {
        struct callee c = qubes();
        char path[160];
        struct runner r;

        assert_int_equal(setenv("HOME", dir, 1), 0);
        c.command = span_str("tester:QUBESRPC stubborn a");
        c.leaves_running = leaves;
        r = start(c);
        link_free(r.caller);
        assert_int_equal(end_of(&r), 1);
        path_of(path, "finished");
        assert_int_equal(access(path, F_OK), leaves ? 0 : -1);
    }
}

static void lie_of_a_caller_costs_its_call_alone(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } lies[] = {
            {"\x90\x01\0\0\x01\0\0\0x", 9}, /* data before the hello */
            {"\x00\x03\0\0\x04\0\0\0\x01\0\0\0", 12},
            {"\x00\x03\0\0\xff\xff\xff\x7f", 8},
            {"\x00\x03\0\0\x04\0\0\0\x04\0\0\0\x93\x01\0\0\x04\0\0\0\0\0\0\0",
                    24},
            {"\x00\x03\0\0\x04\0\0\0\x04\0\0\0\x90\x01\0\0\x01\0\x01\0", 20},
    };

    (void)state;
    put("rpc/cat", "#!/bin/sh\ncat\n", 0755);
    for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
        struct callee c = qubes();
        struct iovec iov = {.iov_base = (char *)(uintptr_t)lies[i].bytes,
                .iov_len = lies[i].len};
        struct runner r;

        c.command = span_str("tester:QUBESRPC cat a");
        r = start(c);
        assert_int_equal(link_writev(r.caller, &iov, 1), (ssize_t)lies[i].len);
        assert_int_equal(end_of(&r), 1);
        link_free(r.caller);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(codes_are_told_and_reasons_are_not),
            cmocka_unit_test(reasons_are_told_where_the_owner_calls),
            cmocka_unit_test(bare_command_has_no_user),
            cmocka_unit_test(environment_is_of_this_call_alone),
            cmocka_unit_test(service_gets_three_descriptors),
            cmocka_unit_test(exact_name_goes_before_the_plain_one),
            cmocka_unit_test(one_socket_serves_both_directions_when_asked),
            cmocka_unit_test(socket_service_hears_what_is_called),
            cmocka_unit_test(tcp_services_are_numeric_and_complete),
            cmocka_unit_test(tcp_is_refused_where_there_is_no_network),
            cmocka_unit_test(session_is_open_as_long_as_its_service),
            cmocka_unit_test(just_exec_answers_while_its_service_runs),
            cmocka_unit_test(cut_off_call_ends_its_service_or_leaves_it),
            cmocka_unit_test(lie_of_a_caller_costs_its_call_alone),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
