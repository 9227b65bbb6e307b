/* SPDX-License-Identifier: Apache-2.0 */
#include "callee_private.h"

#include "buf.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* A call that was cut off: its service is asked to end, then made to. */
#define TERM_STEPS   20
#define TERM_STEP_US 100000
/* A vchan's bytes outlive their sender; but its port shall not be free before
 * a caller of upstream's has removed its socket. */
#define LINGER_MS 500
/* For the caller's hello and the room for one message, in JUST_EXEC. */
#define TELL_MS 10000

/* ---- users ----------------------------------------------------------- */

static int own_open(const char *user, struct callee_login *ret, struct err *err)
{
    const struct passwd *pw = getpwuid(geteuid());
    const char *name = getenv("USER");

    if (!name || !*name)
        name = pw ? pw->pw_name : "user";
    *ret = (struct callee_login){0};
    if (strcmp(user, "DEFAULT") == 0 || strcmp(user, name) == 0)
        return 0;
    return err_set(err, ERR_DENIED,
            "services of this qube run as %s, not as %s", name, user);
}

static int any_open(const char *user, struct callee_login *ret, struct err *err)
{
    (void)user;
    (void)err;
    *ret = (struct callee_login){0};
    return 0;
}

const struct callee_users callee_own_user = {.open = own_open};
const struct callee_users callee_any_user = {.open = any_open};

static void log_in(struct callee_call *call)
{
    const struct callee *c = call->c;
    const char *force = call->service.config.force_user;
    struct span user = *force ? span_str(force) : call->command.user;
    char name[256];
    struct err err;

    if (user.len >= sizeof(name))
        callee_fail(call, QREXEC_EXIT_TROUBLE, "the user's name is too long");
    if (user.len)
        memcpy(name, user.ptr, user.len);
    name[user.len] = '\0';
    if (c->users->open(user.len ? name : "DEFAULT", &call->login, &err))
        callee_fail(call, QREXEC_EXIT_TROUBLE, "%s", err.msg);
    call->logged_in = true;
}

static void log_out(struct callee_call *call)
{
    if (call->logged_in && call->c->users->close)
        call->c->users->close(&call->login);
    call->logged_in = false;
}

/* ---- a code that is not a service's ---------------------------------- */

/* JUST_EXEC: hello, then the code, and no streams. */
static bool tell_code(struct link *l, int32_t code)
{
    struct qrexec_data d;
    struct qrexec_event ev = {.kind = QREXEC_EVENT_NONE};
    uint8_t bytes[24];
    uint8_t in[256];
    struct iovec iov = {.iov_base = bytes, .iov_len = 12};

    qrexec_data_init(&d, QREXEC_CALLEE);
    qrexec_data_put_hello(&d, bytes);
    if (link_writev(l, &iov, 1) != 12)
        return false;
    while (ev.kind != QREXEC_EVENT_HELLO) {
        struct pollfd pfd = {.fd = link_fd(l), .events = link_want(l, POLLIN)};
        ssize_t n;
        struct span fresh;

        if (poll(&pfd, 1, TELL_MS) <= 0)
            return false;
        n = link_read(l, in, sizeof(in));
        if (n == 0 || (n < 0 && errno != EAGAIN))
            return false;
        fresh = SPAN(in, n > 0 ? (size_t)n : 0);
        if (qrexec_data_feed(&d, &fresh, &ev, NULL))
            return false;
    }
    if (qrexec_data_put_exit(&d, code, bytes))
        return false;
    return link_writev(l, &iov, 1) == 12;
}

/* stderr's text, where the caller shall see it; -1 = none. */
static int as_stderr(const struct callee *c, const char *text)
{
    int fds[2];

    if (!c->tells_caller || pipe2(fds, O_CLOEXEC) < 0)
        return -1;
    (void)dprintf(fds[1], "%s: %s\n", c->name, text);
    (void)close(fds[1]);
    return fds[0];
}

void callee_fail(struct callee_call *call, int code, const char *fmt, ...)
{
    struct pump p = {.end = QREXEC_CALLEE,
            .link = call->link,
            .stdin_fd = -1,
            .stdout_fd = -1,
            .exit_code = code,
            .linger_ms = call->c->leaves_running ? LINGER_MS : 0};
    char text[ERR_MSG_MAX + 64];
    struct err ignored;
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    log_out(call);
    if (!call->c->tells_caller)
        (void)dprintf(2, "%s: %s\n", call->c->name, text);
    if (call->c->just_exec)
        _exit(call->link && tell_code(call->link, code) ? 0 : 1);
    p.stderr_fd = as_stderr(call->c, text);
    p.no_stderr = call->c->own_stderr;
    if (pump_run(&p, &code, &ignored))
        _exit(1);
    _exit(call->c->exits_with_code ? code & 0xff : 0);
}

/* ---- one call -------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    int x = *(const int *)a;
    int y = *(const int *)b;

    return (x > y) - (x < y);
}

/* The program's descriptors would keep its clients and calls alive. */
static void close_others(const struct callee *c)
{
    int keep[] = {2, c->key_fd, c->hold_fd, c->link ? link_fd(c->link) : -1,
            c->port ? link_port_fd(c->port) : -1};

    qsort(keep, ARRAY_LEN(keep), sizeof(keep[0]), compare);
    for (size_t i = 0; i < ARRAY_LEN(keep); i++) {
        unsigned from = keep[i] < 2 ? 3 : (unsigned)keep[i] + 1;
        unsigned to = i + 1 < ARRAY_LEN(keep) ? (unsigned)keep[i + 1] - 1 : ~0u;

        if (keep[i] >= 2 && from <= to)
            (void)close_range(from, to, 0);
    }
}

static void await_link(struct callee_call *call, struct callee *c)
{
    struct err err;

    if (c->port &&
            link_port_wait(c->port, CALLEE_CONNECT_MS, 0, 0, &c->link, &err)) {
        (void)dprintf(2, "%s: a call's caller: %s\n", c->name, err.msg);
        _exit(1);
    }
    link_port_free(c->port);
    c->port = NULL;
    call->link = c->link;
}

static void parse(struct callee_call *call)
{
    const struct callee *c = call->c;
    struct err err;
    int r = c->bare ? qrexec_command_parse_bare(
                              c->command, &call->command, &err)
                    : qrexec_command_parse(c->command, &call->command, &err);

    if (r)
        callee_fail(call, QREXEC_EXIT_TROUBLE, "%s", err.msg);
    if (!call->command.is_service)
        return;
    r = callee_find(&call->command, &call->service, &err);
    if (r)
        callee_fail(call,
                r == ERR_NOT_FOUND ? QREXEC_EXIT_NOT_FOUND
                                   : QREXEC_EXIT_TROUBLE,
                "%s", err.msg);
    if (call->service.found == QREXEC_FOUND_FILE)
        callee_fail(call, QREXEC_EXIT_TROUBLE, "%s is not executable",
                call->service.path);
}

static bool is_socket(const struct callee_call *call)
{
    return call->command.is_service &&
           (call->service.found == QREXEC_FOUND_SOCKET ||
                   call->service.found == QREXEC_FOUND_TCP);
}

static void begin(struct callee_call *call)
{
    if (call->c->waits_for_session && call->service.config.wait_for_session)
        callee_wait_session(call);
    if (is_socket(call)) {
        callee_connect(call);
        return;
    }
    log_in(call);
    callee_start(call);
    if (call->c->leaves_running) /* upstream: these are for sockets alone */
        return;
    call->pump.exit_on_client_eof = call->service.config.exit_on_client_eof;
    call->pump.exit_on_service_eof = call->service.config.exit_on_service_eof;
}

static void end_child(pid_t child, bool leave)
{
    int sig = SIGTERM;

    if (leave) {
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {
        }
        return;
    }
    for (unsigned i = 0; waitpid(child, NULL, WNOHANG) == 0; i++) {
        if (i == TERM_STEPS)
            sig = SIGKILL;
        if (i % TERM_STEPS == 0) {
            (void)kill(-child, sig);
            (void)kill(child, sig);
        }
        (void)usleep(TERM_STEP_US);
    }
}

static _Noreturn void carry(struct callee_call *call)
{
    const struct callee *c = call->c;
    struct err err;
    int code;
    int r;

    begin(call);
    call->pump.link = call->link;
    call->pump.linger_ms = c->leaves_running ? LINGER_MS : 0;
    call->pump.no_stderr = c->own_stderr;
    call->pump.one_socket_on_usr1 = c->one_socket && call->pump.child;
    r = pump_run(&call->pump, &code, &err);
    if (call->pump.child)
        end_child(call->pump.child, c->leaves_running);
    log_out(call);
    if (r && r != ERR_PEER)
        (void)dprintf(2, "%s: a call failed: %s\n", c->name, err.msg);
    if (r)
        _exit(1);
    _exit(c->exits_with_code ? code & 0xff : 0);
}

/*
 * JUST_EXEC.  The service's parent is a process of its own, which ends the
 * session after it: the call is over as soon as the code has been told.
 */
static _Noreturn void just_exec(struct callee_call *call)
{
    int told[2];
    pid_t keeper = pipe2(told, O_CLOEXEC) < 0 ? -1 : fork();
    char byte;

    if (keeper < 0)
        callee_fail(
                call, QREXEC_EXIT_TROUBLE, "no process: %s", strerror(errno));
    if (keeper > 0) {
        (void)close(told[1]);
        (void)!read(told[0], &byte, 1);
        _exit(0);
    }
    if (call->c->hold_fd > 0)
        (void)close(call->c->hold_fd);
    begin(call);
    if (!tell_code(call->link, 0))
        (void)dprintf(2, "%s: a caller went away\n", call->c->name);
    link_free(call->link);
    (void)close(told[1]);
    if (call->pump.stdin_fd >= 0)
        (void)close(call->pump.stdin_fd);
    if (call->pump.stdout_fd >= 0)
        (void)close(call->pump.stdout_fd);
    while (call->pump.child && waitpid(call->pump.child, NULL, 0) < 0 &&
            errno == EINTR) {
    }
    log_out(call);
    _exit(0);
}

_Noreturn void callee_run(struct callee *c)
{
    struct callee_call call = {.c = c,
            .pump = {.end = QREXEC_CALLEE,
                    .stdin_fd = -1,
                    .stdout_fd = -1,
                    .stderr_fd = -1}};
    sigset_t none;

    close_others(c);
    (void)signal(SIGPIPE, SIG_IGN);
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    await_link(&call, c);
    parse(&call);
    if (c->just_exec)
        just_exec(&call);
    carry(&call);
}
