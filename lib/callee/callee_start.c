/* SPDX-License-Identifier: Apache-2.0 */
/* The service's process. */
#include "callee_private.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SERVICE_KEY_FD 3
/* Two data messages: fewer turns between service and runner.  More would use up
 * what a user may have in pipes before 256 calls do. */
#define OUT_PIPE_SIZE 131072

extern char **environ;

/* Ends of stdio, by descriptor number: the service's and ours. */
struct stdio {
    int theirs[3];
    int ours[3];
};

struct program {
    const char *path;
    char *argv[6];
    struct qrexec_env env;
};

static const char *env_or(const char *name, const char *otherwise)
{
    const char *v = getenv(name);

    return v && *v ? v : otherwise;
}

/* ---- stdio ----------------------------------------------------------- */

static int make_stdin(bool as_socket, struct stdio *io)
{
    int fds[2];
    int r = as_socket ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds)
                      : pipe2(fds, O_CLOEXEC);

    io->theirs[0] = fds[0];
    io->ours[0] = fds[1];
    return r;
}

static int make_out(int n, struct stdio *io)
{
    int fds[2];
    int r = pipe2(fds, O_CLOEXEC);

    if (r == 0 && n == 1) /* as far as the user's share of pipes allows */
        (void)fcntl(fds[0], F_SETPIPE_SZ, OUT_PIPE_SIZE);
    io->theirs[n] = fds[1];
    io->ours[n] = fds[0];
    return r;
}

static int make_null(struct stdio *io)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    *io = (struct stdio){{fd, fd, fd}, {-1, -1, -1}};
    return fd < 0 ? -1 : 0;
}

static int make_stdio(const struct callee_call *call, struct stdio *io)
{
    const struct callee *c = call->c;

    if (c->just_exec)
        return make_null(io);
    if (make_stdin(c->one_socket, io) < 0 || make_out(1, io) < 0)
        return -1;
    if (!c->own_stderr)
        return make_out(2, io);
    io->ours[2] = -1;
    io->theirs[2] = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    return io->theirs[2] < 0 ? -1 : 0;
}

/* ---- what is run ----------------------------------------------------- */

static char *copy(struct callee_call *call, struct span text)
{
    char *s = strndup((const char *)text.ptr, text.len);

    if (!s)
        callee_fail(call, QREXEC_EXIT_TROUBLE, "no memory");
    return s;
}

static const char *shell_of(const struct callee_call *call)
{
    return call->login.shell ? call->login.shell : env_or("SHELL", "/bin/sh");
}

/* "-bash" makes it a login shell. */
static char *shell_name(struct callee_call *call)
{
    const char *shell = shell_of(call);
    const char *slash = strrchr(shell, '/');
    const char *base = slash ? slash + 1 : shell;
    bool login = call->login.shell || call->c->login_shell;
    char *name = NULL;

    if (asprintf(&name, "%s%s", login ? "-" : "", base) < 0)
        callee_fail(call, QREXEC_EXIT_TROUBLE, "no memory");
    return name;
}

/* With a login the shell sets the scene and becomes the service. */
static void service_argv(struct callee_call *call, struct program *p)
{
    static char option[] = "-c";
    static char script[] = "exec \"$0\" \"$@\"";
    struct span arg = call->command.arg;
    size_t n = 0;

    p->path = call->service.path;
    if (call->login.shell) {
        p->path = call->login.shell;
        p->argv[n++] = shell_name(call);
        p->argv[n++] = option;
        p->argv[n++] = script;
    }
    p->argv[n++] = call->service.path;
    p->argv[n++] = arg.len ? copy(call, arg) : NULL;
}

static void shell_argv(struct callee_call *call, struct program *p)
{
    static char option[] = "-c";

    p->path = shell_of(call);
    p->argv[0] = shell_name(call);
    p->argv[1] = option;
    p->argv[2] = copy(call, call->command.shell);
}

/* ---- the process ----------------------------------------------------- */

/* Descriptors to their places; those that are in the way move up first. */
static bool place(const struct stdio *io, int key_fd)
{
    int from[4] = {io->theirs[0], io->theirs[1], io->theirs[2], key_fd};
    int n = key_fd >= 0 ? 4 : 3;

    for (int i = 0; i < n; i++) {
        from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, SERVICE_KEY_FD + 1);
        if (from[i] < 0)
            return false;
    }
    for (int i = 0; i < n; i++) {
        if (dup2(from[i], i) < 0)
            return false;
    }
    return close_range((unsigned)n, ~0u, 0) == 0;
}

static _Noreturn void become(const struct callee_call *call,
        const struct program *p, const struct stdio *io)
{
    const struct callee_users *users = call->c->users;
    const char *home =
            call->login.home ? call->login.home : env_or("HOME", "/");
    sigset_t none;

    sigemptyset(&none);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)signal(SIGCHLD, SIG_DFL);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)setsid();
    if (!place(io, call->c->key_fd))
        _exit(QREXEC_EXIT_TROUBLE);
    if (users->become && users->become(&call->login))
        _exit(QREXEC_EXIT_TROUBLE);
    if (chdir(home) < 0 && chdir("/") < 0)
        _exit(QREXEC_EXIT_TROUBLE);
    (void)execve(p->path, p->argv, p->env.vars);
    (void)dprintf(2, "%s: %s: %s\n", call->c->name, p->path, strerror(errno));
    _exit(QREXEC_EXIT_TROUBLE);
}

static void prepare_signal(void)
{
    char pid[16];
    sigset_t set;

    /* Blocked from here on, so that a quick service does not kill us. */
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
    (void)setenv("QREXEC_AGENT_PID", pid, 1);
}

static void close_fds(const int fds[3])
{
    for (int i = 0; i < 3; i++) {
        if (fds[i] >= 0)
            (void)close(fds[i]);
    }
}

void callee_start(struct callee_call *call)
{
    struct program p = {0};
    struct stdio io;
    char *const *base;

    if (call->c->one_socket)
        prepare_signal();
    base = call->login.env ? call->login.env : environ;
    if (call->command.is_service)
        service_argv(call, &p);
    else
        shell_argv(call, &p);
    if (qrexec_env_build(&call->command,
                call->c->key_fd >= 0 ? SERVICE_KEY_FD : -1, base, &p.env))
        callee_fail(call, QREXEC_EXIT_TROUBLE, "the environment is too large");
    if (make_stdio(call, &io) < 0)
        callee_fail(call, QREXEC_EXIT_TROUBLE, "no pipe: %s", strerror(errno));
    call->pump.child = fork();
    if (call->pump.child == 0)
        become(call, &p, &io);
    if (call->pump.child < 0)
        callee_fail(
                call, QREXEC_EXIT_TROUBLE, "no process: %s", strerror(errno));
    close_fds(io.theirs);
    if (call->c->key_fd >= 0)
        (void)close(call->c->key_fd); /* the service's alone from here on */
    call->pump.stdin_fd = io.ours[0];
    call->pump.stdout_fd = io.ours[1];
    call->pump.stderr_fd = io.ours[2];
    if (call->c->open_log && call->command.is_service && !call->c->just_exec)
        call->pump.log_fd = call->c->open_log(&call->command);
}

/* ---- the user's session ---------------------------------------------- */

static _Noreturn void become_waiter(
        struct callee_call *call, const struct callee_service *waiter)
{
    struct program p = {.path = waiter->path};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    const struct stdio io = {{null, STDERR_FILENO, STDERR_FILENO}, {0}};

    p.argv[0] = strdup(waiter->path);
    if (null < 0 || !p.argv[0] ||
            qrexec_env_build(&call->command, -1, environ, &p.env))
        _exit(QREXEC_EXIT_TROUBLE);
    become(call, &p, &io);
}

void callee_wait_session(struct callee_call *call)
{
    static const char name[] = "qubes.WaitForSession";
    struct qrexec_command c = {.service = span_str(name)};
    struct callee_service waiter;
    struct err err;
    int status = 0;
    pid_t pid;

    if (callee_find(&c, &waiter, &err) || waiter.found != QREXEC_FOUND_EXEC)
        callee_fail(call, QREXEC_EXIT_TROUBLE, "%s cannot be run", name);
    pid = fork();
    if (pid == 0)
        become_waiter(call, &waiter);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    /* As upstream: what it says does not decide. */
    if (pid < 0 || status)
        (void)dprintf(2, "%s: %s failed\n", call->c->name, name);
}
