/* SPDX-License-Identifier: Apache-2.0 */
/* A real qube, what it sees, and what it must not. */
#include "isolate.h"
#include "link.h"
#include "pump.h"
#include "qrexec.h"

#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define QUBE_UID 64300

static char *programs;
static char dir[] = "/tmp/qair-isolate-XXXXXX";
static char home[64];

struct qube {
    pid_t pid;
    struct link *l;
};

static void start(struct qube *q, const char *home_dir)
{
    static const char service[] = "#!/bin/sh\necho \"served $1\"\n";
    const struct isolate_file files[] = {{.path = ISOLATE_SERVICES "/test.Echo",
            .mode = 0755,
            .bytes = SPAN(service, sizeof(service) - 1)}};
    const struct isolate_params p = {.name = "box",
            .programs = programs,
            .home = home_dir,
            .files = files,
            .n_files = 1,
            .uid = geteuid() == 0 ? QUBE_UID : 0,
            .gid = geteuid() == 0 ? QUBE_UID : 0};
    struct err err;
    int fds[2];

    assert_int_equal(
            socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    if (isolate_start(&p, fds[1], &q->pid, &err))
        fail_msg("%s", err.msg);
    q->l = link_new_unix(fds[0], QREXEC_MSG_MAX, 1 << 20);
    assert_non_null(q->l);
}

static void say(struct qube *q, const struct qrexec_msg *m, int fd)
{
    static uint8_t bytes[QREXEC_MSG_MAX];
    struct err err;
    size_t len;

    assert_int_equal(qrexec_msg_put(m, bytes, sizeof(bytes), &len), 0);
    assert_int_equal(link_send(q->l, SPAN(bytes, len), &fd, fd >= 0, &err), 0);
}

static void hear(struct qube *q, uint32_t type)
{
    struct qrexec_msg m;
    struct err err;

    for (;;) {
        struct pollfd pfd = {.fd = link_fd(q->l), .events = POLLIN};
        struct span in = link_in(q->l);
        int r = qrexec_msg_get(&in, &m, &err);

        if (r == 0) {
            assert_int_equal(m.type, type);
            link_consume(q->l, link_in(q->l).len - in.len);
            return;
        }
        assert_int_equal(r, ERR_STATE);
        assert_int_equal(poll(&pfd, 1, 10000), 1);
        assert_int_equal(link_recv(q->l, &err), 0);
    }
}

/* Runs a command of the zone's; its output and exit code. */
static int run(struct qube *q, const char *command, char *ret, size_t cap)
{
    struct qrexec_msg exec = {.type = QREXEC_EXEC_CMDLINE,
            .domain = 1,
            .port = 513,
            .command = span_str(command)};
    struct pump p = {.end = QREXEC_CALLER, .stdin_fd = -1, .stderr_fd = 2};
    struct err err;
    int out[2];
    int fds[2];
    int code = -1;
    ssize_t n;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(pipe(out), 0);
    say(q, &exec, fds[1]);
    p.link = link_new_stream(fds[0], 0, 0);
    p.stdout_fd = out[1];
    if (pump_run(&p, &code, &err))
        fail_msg("%s", err.msg);
    n = read(out[0], ret, cap - 1); /* less than a pipe holds */
    assert_true(n >= 0);
    ret[n] = '\0';
    (void)close(out[0]);
    hear(q, QREXEC_CONNECTION_TERMINATED);
    return code;
}

static void greet(struct qube *q)
{
    const struct qrexec_msg hello = {
            .type = QREXEC_HELLO, .version = QREXEC_VERSION};

    hear(q, QREXEC_HELLO);
    say(q, &hello, -1);
}

static void end(struct qube *q)
{
    int status;

    link_free(q->l); /* the agent's zone is gone: so is the qube */
    assert_int_equal(waitpid(q->pid, &status, 0), q->pid);
}

static void qube_sees_itself_alone(void **state)
{
    static const struct {
        const char *command;
        const char *out;
    } rows[] = {
            {"DEFAULT:id -u; id -un; hostname; pwd",
                    "1000\nuser\nbox\n/home/user\n"},
            {"DEFAULT:QUBESRPC test.Echo+x someone", "served x\n"},
            {"DEFAULT:ls / | tr '\\n' ' '",
                    "bin dev etc home lib lib64 opt proc run sbin tmp usr "
                    "var "},
            {"DEFAULT:ls /opt/qair | grep -c -v -e qair- -e qrexec-", "0\n"},
            {"DEFAULT:ls /etc/qubes-rpc", "test.Echo\n"},
            /* the host's files, processes and networks are not there */
            {"DEFAULT:ls /root /work /mnt 2>/dev/null; ls /home", "user\n"},
            {"DEFAULT:tail -n +3 /proc/net/dev | cut -d: -f1", "    lo\n"},
            {"DEFAULT:test $(ls -d /proc/[0-9]* | wc -l) -lt 10 && echo few",
                    "few\n"},
            /* nothing of the system can be changed */
            {"DEFAULT:for f in /usr/x /etc/x /etc/qubes-rpc/x /opt/qair/x /x "
             "/etc/qubes-rpc/test.Echo; do echo bad >$f; done 2>/dev/null; "
             "cat /usr/x /etc/x /x 2>/dev/null; echo end",
                    "end\n"},
            {"DEFAULT:grep -e CapEff -e CapBnd -e NoNewPrivs "
             "/proc/self/status | tr -d ' \\t'",
                    "CapEff:0000000000000000\nCapBnd:0000000000000000\n"
                    "NoNewPrivs:1\n"},
            /* the zone's link is the agent's alone */
            {"DEFAULT:ls /proc/self/fd | tr '\\n' ' '", "0 1 2 3 "},
            {"DEFAULT:tty; echo kept >/home/user/file; stat -c %a /home/user",
                    "not a tty\n700\n"},
            {"DEFAULT:echo $PATH:$USER:$LEAK",
                    "/opt/qair:/usr/local/bin:/usr/bin:/bin:user:\n"},
    };
    struct qube q;
    char out[4096];

    (void)state;
    assert_int_equal(setenv("LEAK", "of the host", 1), 0);
    start(&q, home);
    greet(&q);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        (void)run(&q, rows[i].command, out, sizeof(out));
        assert_string_equal(out, rows[i].out);
    }
    end(&q);
}

static void fork_bomb_ends_at_the_limit(void **state)
{
    struct qube q;
    char out[64];

    (void)state;
    if (geteuid() != 0)
        skip();
    start(&q, NULL);
    greet(&q);
    (void)run(&q, "DEFAULT:grep 'Max processes' /proc/self/limits | xargs", out,
            sizeof(out));
    assert_string_equal(out, "Max processes 2048 2048 processes\n");
    end(&q);
}

static void home_outlives_the_qube_and_is_its_uids(void **state)
{
    struct qube q;
    char out[256];
    struct stat st;

    (void)state;
    start(&q, home);
    greet(&q);
    assert_int_equal(run(&q, "DEFAULT:cat file", out, sizeof(out)), 0);
    assert_string_equal(out, "kept\n");
    end(&q);
    assert_int_equal(stat(home, &st), 0);
    if (geteuid() == 0)
        assert_int_equal(st.st_uid, QUBE_UID);
    assert_int_equal(st.st_mode & 0777, 0700);
}

static void home_in_memory_is_forgotten(void **state)
{
    struct qube q;
    char out[256];

    (void)state;
    for (int i = 0; i < 2; i++) {
        start(&q, NULL);
        greet(&q);
        assert_int_equal(run(&q, "DEFAULT:ls; echo x >x", out, sizeof(out)), 0);
        assert_string_equal(out, "");
        end(&q);
    }
}

static void files_in_memory_are_bounded(void **state)
{
    struct qube q;
    char out[256];

    (void)state;
    start(&q, NULL);
    greet(&q);
    assert_int_equal(
            run(&q,
                    "DEFAULT:df --output=size -B1 /home/user /tmp /run /var | "
                    "tail -n 4 | xargs",
                    out, sizeof(out)),
            0);
    assert_string_equal(out, "1073741824 268435456 268435456 268435456\n");
    assert_int_equal(run(&q, "DEFAULT:fallocate -l 300M /tmp/x 2>/dev/null",
                             out, sizeof(out)),
            1);
    end(&q);
}

static void killed_qube_takes_everything_with_it(void **state)
{
    struct qube q;
    char out[256];
    int status;

    (void)state;
    start(&q, NULL);
    greet(&q);
    (void)run(&q, "DEFAULT:setsid sleep 12345 >/dev/null 2>&1 & echo $!", out,
            sizeof(out));
    assert_int_equal(system("pgrep -f '^sleep 12345' >/dev/null"), 0);
    assert_int_equal(kill(q.pid, SIGKILL), 0);
    assert_int_equal(waitpid(q.pid, &status, 0), q.pid);
    for (int i = 0;
            i < 100 && system("pgrep -f '^sleep 12345' >/dev/null") == 0; i++)
        (void)usleep(20000);
    assert_int_not_equal(system("pgrep -f '^sleep 12345' >/dev/null"), 0);
    link_free(q.l);
}

static void bad_parameters_are_refused(void **state)
{
    static const char *const names[] = {"", "../x", "A B", "-x", "a/b"};
    struct err err;
    pid_t pid = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const struct isolate_params p = {
                .name = names[i], .programs = programs};

        assert_int_equal(
                isolate_start(&p, open("/dev/null", O_RDONLY), &pid, &err),
                ERR_USAGE);
    }
    const struct isolate_params nowhere = {
            .name = "x", .programs = "/nonexistent"};
    assert_int_equal(
            isolate_start(&nowhere, open("/dev/null", O_RDONLY), &pid, &err),
            ERR_IO);
    assert_non_null(strstr(err.msg, "/nonexistent/qair-agent"));
    assert_int_equal(pid, 0);
}

/* The text of isolate_check where bubblewrap is another file. */
static void check_with(const char *bwrap, char *ret, size_t cap)
{
    int fds[2];
    ssize_t n;
    pid_t pid;

    assert_int_equal(pipe(fds), 0);
    pid = fork();
    if (pid == 0) {
        struct err err = {.msg = "it works"};

        if (unshare(CLONE_NEWNS) < 0 ||
                mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
                mount(bwrap, "/usr/bin/bwrap", NULL, MS_BIND, NULL) < 0)
            _exit(1);
        (void)!isolate_check(QUBE_UID, QUBE_UID, &err);
        (void)!write(fds[1], err.msg, strlen(err.msg));
        _exit(0);
    }
    (void)close(fds[1]);
    n = read(fds[0], ret, cap - 1);
    ret[n > 0 ? n : 0] = '\0';
    (void)close(fds[0]);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void machine_without_qubes_is_told_what_to_do(void **state)
{
    char text[ERR_MSG_MAX];
    char path[128];
    FILE *f;

    (void)state;
    if (geteuid() != 0)
        skip();
    check_with("/etc/passwd", text, sizeof(text)); /* not executable */
    assert_string_equal(
            text, "qubes need bubblewrap: apt-get install bubblewrap");
    (void)snprintf(path, sizeof(path), "%s/bwrap", dir);
    f = fopen(path, "w");
    assert_non_null(f);
    (void)fputs("#!/bin/sh\necho 'bwrap: no way' >&2\nexit 1\n", f);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, 0755), 0);
    check_with(path, text, sizeof(text));
    assert_non_null(strstr(text, "(bwrap: no way)"));
    assert_non_null(strstr(text, "namespaces"));
    check_with("/usr/bin/true", text, sizeof(text));
    assert_string_equal(text, "it works");
}

static int clean(void **state)
{
    char command[128];

    (void)state;
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    return system(command);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(qube_sees_itself_alone),
            cmocka_unit_test(fork_bomb_ends_at_the_limit),
            cmocka_unit_test(home_outlives_the_qube_and_is_its_uids),
            cmocka_unit_test(home_in_memory_is_forgotten),
            cmocka_unit_test(files_in_memory_are_bounded),
            cmocka_unit_test(killed_qube_takes_everything_with_it),
            cmocka_unit_test(bad_parameters_are_refused),
            cmocka_unit_test(machine_without_qubes_is_told_what_to_do),
    };
    struct err err;

    if (argc != 2 || !mkdtemp(dir)) /* 0700: the qube's uid cannot pass */
        return 2;
    programs = dirname(realpath(argv[1], NULL));
    (void)snprintf(home, sizeof(home), "%s/home", dir);
    if (isolate_check(geteuid() == 0 ? QUBE_UID : 0,
                geteuid() == 0 ? QUBE_UID : 0, &err)) {
        (void)printf("skipped: %s\n", err.msg);
        return 77;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, clean);
}
