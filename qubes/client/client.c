/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qrexec-client: dom0 calls a qube through the qube's daemon, or answers a
 * request that waits there (-c).  The command line is upstream's; what goes
 * over the daemon's socket is in docs/proto/qrexec.md, section 8.
 */
#include "admin.h"
#include "callee.h"
#include "dsock.h"
#include "link.h"
#include "options.h"
#include "pump.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOGUI   "nogui:"
#define CUT_OFF 255 /* as upstream: no exit code came */

static struct options o;

/* ---- the end --------------------------------------------------------- */

static int connect_to(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (strlen(path) >= sizeof(addr.sun_path)) {
        errno = ENAMETOOLONG;
    } else {
        memcpy(addr.sun_path, path, strlen(path));
        if (fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
            return fd;
    }
    (void)fprintf(stderr, "qrexec-client: %s: %s\n", path, strerror(errno));
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

/* -k: whatever became of the call. */
static void kill_qube(void)
{
    uint8_t call[ADMIN_CALL_MAX];
    uint8_t answer[4096];
    struct span value;
    struct err err;
    size_t len = 0;
    ssize_t n = 0;
    int fd = connect_to(o.qubesd_socket);

    if (fd < 0 || admin_call("admin.vm.Kill", o.domain, "", call, &len) ||
            write(fd, call, len) != (ssize_t)len || shutdown(fd, SHUT_WR) < 0) {
        (void)fprintf(stderr, "qrexec-client: %s is not killed\n", o.domain);
        return;
    }
    len = 0;
    while (len < sizeof(answer) &&
            (n = read(fd, answer + len, sizeof(answer) - len)) > 0)
        len += (size_t)n;
    if (n < 0 || admin_answer(SPAN(answer, len), &value, &err))
        (void)fprintf(stderr, "qrexec-client: %s is not killed: %s\n", o.domain,
                n < 0 ? strerror(errno) : err.msg);
    (void)close(fd);
}

static _Noreturn void leave(int code)
{
    pump_stdio_restore();
    if (o.kill)
        kill_qube();
    exit(code);
}

static _Noreturn void die(const char *fmt, ...) PRINTF_LIKE(1, 2);

static _Noreturn void die(const char *fmt, ...)
{
    va_list ap;

    (void)fputs("qrexec-client: ", stderr);
    va_start(ap, fmt);
    (void)vfprintf(stderr, fmt, ap);
    va_end(ap);
    (void)fputc('\n', stderr);
    leave(QREXEC_EXIT_TROUBLE);
}

/* ---- a daemon's socket ----------------------------------------------- */

static void more(struct link *l)
{
    struct pollfd pfd = {.fd = link_fd(l), .events = link_events(l)};
    struct err err;

    if (poll(&pfd, 1, -1) < 0 && errno != EINTR)
        die("poll: %s", strerror(errno));
    if (link_flush(l, &err) || link_recv(l, &err))
        die("the qube's daemon refused: %s", err.msg);
}

static struct link *greet(const char *qube)
{
    uint8_t hello[DSOCK_HELLO_SIZE];
    char path[QREXEC_PATH_MAX];
    struct link *l = NULL;
    struct err err;
    int r = dsock_path(o.socket_dir, qube, path, sizeof(path), &err);
    int fd = r ? -1 : connect_to(path);

    if (r)
        die("%s", err.msg);
    if (fd < 0)
        die("%s is not running", qube);
    l = link_new_stream(fd, 4096, DSOCK_HELLO_SIZE + QREXEC_MSG_MAX);
    if (!l)
        die("no memory");
    for (;;) {
        struct span in = link_in(l);
        size_t before = in.len;

        r = dsock_get_hello(&in, &err);
        link_consume(l, before - in.len);
        if (r == 0)
            break;
        if (r != ERR_STATE)
            die("%s's daemon: %s", qube, err.msg);
        more(l);
    }
    dsock_put_hello(hello);
    if (link_send(l, SPAN_OF(hello), NULL, 0, &err))
        die("%s's daemon: %s", qube, err.msg);
    return l;
}

static void say(struct link *l, const struct dsock_request *q)
{
    static uint8_t bytes[QREXEC_MSG_MAX];
    struct err err;
    size_t len;

    if (dsock_put_request(q, bytes, sizeof(bytes), &len))
        die("the command is too long");
    if (link_send(l, SPAN(bytes, len), NULL, 0, &err))
        die("the qube's daemon: %s", err.msg);
}

/* The end of the call's vchan that the daemon names. */
static void hear_answer(
        struct link *l, uint32_t type, uint32_t *ret_domain, uint32_t *ret_port)
{
    struct err err;

    for (;;) {
        struct span in = link_in(l);
        size_t before = in.len;
        int r = dsock_get_answer(&in, type, ret_domain, ret_port, &err);

        link_consume(l, before - in.len);
        if (r == 0)
            return;
        if (r != ERR_STATE)
            die("%s", err.msg);
        more(l);
    }
}

/* ---- dom0 calls ------------------------------------------------------ */

static _Noreturn void become(int in, int out)
{
    (void)signal(SIGPIPE, SIG_DFL);
    if (setenv("QREXEC_REMOTE_DOMAIN", o.domain, 1) < 0 || dup2(in, 0) < 0 ||
            dup2(out, 1) < 0)
        _exit(QREXEC_EXIT_TROUBLE);
    (void)execl("/bin/bash", "bash", "-c", o.local, NULL);
    (void)execl("/bin/sh", "sh", "-c", o.local, NULL);
    (void)dprintf(2, "qrexec-client: no shell: %s\n", strerror(errno));
    _exit(QREXEC_EXIT_TROUBLE);
}

/* -l: the program reads what the command writes, and the other way round. */
static pid_t start_local(struct pump *p)
{
    int to[2];
    int from[2];
    pid_t pid;

    if (pipe2(to, O_CLOEXEC) < 0 || pipe2(from, O_CLOEXEC) < 0)
        die("no pipe: %s", strerror(errno));
    pid = fork();
    if (pid < 0)
        die("no process: %s", strerror(errno));
    if (pid == 0)
        become(to[0], from[1]);
    (void)close(to[0]);
    (void)close(from[1]);
    p->stdout_fd = to[1];
    p->stdin_fd = from[0];
    return pid;
}

static void use_stdio(struct pump *p)
{
    if (o.just_exec)
        return;
    pump_stdio_prepare(STDIN_FILENO);
    p->stdin_fd = STDIN_FILENO;
    if (o.stdin_socket) {
        p->stdout_fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
        return;
    }
    pump_stdio_prepare(STDOUT_FILENO);
    p->stdout_fd = STDOUT_FILENO;
}

/* A code that no process can have is no success, whatever its last byte. */
static int as_exit_code(int code)
{
    return code < 0 || code > 255 ? CUT_OFF : code;
}

static _Noreturn void carry(struct link_port *port)
{
    struct pump p = {.end = QREXEC_CALLER,
            .stdin_fd = -1,
            .stdout_fd = -1,
            .stderr_fd = STDERR_FILENO,
            .filter_stdout = o.filter_stdout,
            .filter_stderr = o.filter_stderr};
    struct err err;
    pid_t child = 0;
    int code;
    int r;

    /* Before the program starts: what it cannot reach, it shall not see. */
    if (link_port_wait(port, o.timeout_s * 1000, 0, 0, &p.link, &err))
        die("%s does not take the call: %s", o.domain, err.msg);
    link_port_free(port);
    if (o.local)
        child = start_local(&p);
    else
        use_stdio(&p);
    pump_stdio_prepare(STDERR_FILENO);
    r = pump_run(&p, &code, &err);
    while (child && waitpid(child, NULL, 0) < 0 && errno == EINTR) {
    }
    if (r)
        (void)fprintf(stderr, "qrexec-client: %s\n", err.msg);
    if (r)
        leave(r == ERR_PEER ? CUT_OFF : QREXEC_EXIT_TROUBLE);
    leave(o.no_exit_code ? 0 : as_exit_code(code));
}

static _Noreturn void call_qube(void)
{
    struct dsock_request q = {
            .type = o.just_exec ? QREXEC_JUST_EXEC : QREXEC_EXEC_CMDLINE,
            .text = SPAN(o.command, strlen(o.command) + 1)};
    struct link *l = greet(o.domain);
    struct link_port *port;
    uint32_t domain = 0;
    uint32_t number = 0;
    struct err err;

    say(l, &q);
    hear_answer(l, q.type, &domain, &number);
    if (link_port_listen(domain, number, &port, &err))
        die("%s", err.msg);
    link_free(l);
    carry(port);
}

/* ---- a qube's request that waits (-c) -------------------------------- */

static _Noreturn void connect_qubes(void)
{
    struct dsock_request q = {.type = QREXEC_EXEC_CMDLINE,
            .domain = o.source_id,
            .text = SPAN(o.command, strlen(o.command) + 1)};
    struct link *target = greet(o.domain);
    struct link *source;
    uint8_t ident[QREXEC_IDENT_SIZE];
    uint8_t byte;
    uint32_t domain = 0;
    uint32_t port = 0;
    ssize_t n = 1;

    say(target, &q);
    hear_answer(target, q.type, &domain, &port);
    dsock_put_ident(span_str(o.ident), ident);
    source = greet(o.source);
    say(source, &(struct dsock_request){.type = QREXEC_SERVICE_CONNECT,
                        .domain = domain,
                        .port = port,
                        .text = SPAN_OF(ident)});
    link_free(source);
    while (o.wait_end && n != 0) { /* the daemon closes at the end */
        struct pollfd pfd = {.fd = link_fd(target), .events = POLLIN};

        (void)poll(&pfd, 1, -1);
        n = link_read(target, &byte, 1);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            n = 0;
    }
    leave(0);
}

static _Noreturn void serve(uint32_t domain, uint32_t port)
{
    bool gui = strncmp(o.command, NOGUI, strlen(NOGUI)) != 0;
    struct callee c = {.name = "qrexec-client",
            .command = span_str(o.command + (gui ? 0 : strlen(NOGUI))),
            .bare = true,
            .users = &callee_any_user,
            .one_socket = true,
            .own_stderr = true,
            .exits_with_code = !o.no_exit_code,
            .waits_for_session = gui,
            .leaves_running = true,
            .tcp = true,
            .key_fd = -1};
    struct err err;

    if (link_port_connect(domain, port, o.timeout_s * 1000, &c.port, &err)) {
        (void)dprintf(2, "qrexec-client: %s\n", err.msg);
        _exit(QREXEC_EXIT_TROUBLE);
    }
    callee_run(&c);
}

static _Noreturn void connect_dom0(void)
{
    uint8_t ident[QREXEC_IDENT_SIZE];
    struct dsock_request q = {
            .type = QREXEC_SERVICE_CONNECT, .text = SPAN_OF(ident)};
    struct link *l = greet(o.source);
    uint32_t domain = 0;
    uint32_t port = 0;
    int status = 0;
    pid_t pid;

    dsock_put_ident(span_str(o.ident), ident);
    say(l, &q);
    hear_answer(l, q.type, &domain, &port);
    pid = fork();
    if (pid < 0)
        die("no process: %s", strerror(errno));
    if (pid == 0)
        serve(domain, port);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    leave(qrexec_exit_code(status) & 0xff);
}

static void check_stdio(void)
{
    for (int fd = 0; fd < 3; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
            exit(QREXEC_EXIT_TROUBLE);
    }
}

int main(int argc, char **argv)
{
    int code;

    check_stdio();
    code = options_parse(argc, argv, &o);
    if (code >= 0)
        return code;
    (void)signal(SIGPIPE, SIG_IGN);
    if (o.to_dom0)
        connect_dom0();
    if (*o.ident)
        connect_qubes();
    call_qube();
}
