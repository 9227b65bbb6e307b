/* SPDX-License-Identifier: Apache-2.0 */
#include "agent_run.h"

#include "buf.h"
#include "pump.h"
#include "qrexec.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define DATA_FD        3
#define KEY_FD         4
#define SERVICE_KEY_FD 3
/* A call that was cut off: its service is asked to end, then made to. */
#define TERM_STEPS   20
#define TERM_STEP_US 100000

extern char **environ;

static const char *env_or(const char *name, const char *otherwise)
{
    const char *v = getenv(name);

    return v && *v ? v : otherwise;
}

/* ---- what the caller sees when there is no service ------------------- */

static _Noreturn void fail(int code, const char *fmt, ...) PRINTF_LIKE(2, 3);

static _Noreturn void fail(int code, const char *fmt, ...)
{
    struct pump p = {.end = QREXEC_CALLEE,
            .link = link_new_stream(DATA_FD, 0, 0),
            .stdin_fd = -1,
            .stdout_fd = -1,
            .exit_code = code};
    char text[ERR_MSG_MAX + 64];
    struct err ignored;
    int fds[2];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (n < 0 || pipe2(fds, O_CLOEXEC) < 0)
        _exit(1);
    (void)dprintf(fds[1], "qair-agent: %s\n", text);
    (void)close(fds[1]);
    p.stderr_fd = fds[0];
    _exit(pump_run(&p, &code, &ignored) ? 1 : 0);
}

/* ---- finding --------------------------------------------------------- */

static enum qrexec_found probe(void *ctx, const char *path)
{
    struct stat st;
    char to[QREXEC_PATH_MAX];
    ssize_t n = readlink(path, to, sizeof(to) - 1);

    (void)ctx;
    if (n > 0) {
        to[n] = '\0';
        if (strcmp(to, "/dev/tcp") == 0 || strncmp(to, "/dev/tcp/", 9) == 0)
            return QREXEC_FOUND_TCP;
    }
    if (stat(path, &st) < 0)
        return errno == ENOENT ? QREXEC_FOUND_NONE : QREXEC_FOUND_ERROR;
    if (S_ISSOCK(st.st_mode))
        return QREXEC_FOUND_SOCKET;
    if (!S_ISREG(st.st_mode))
        return QREXEC_FOUND_FILE;
    return access(path, X_OK) == 0 ? QREXEC_FOUND_EXEC : QREXEC_FOUND_FILE;
}

static enum qrexec_found probe_config(void *ctx, const char *path)
{
    struct stat st;

    (void)ctx;
    if (stat(path, &st) < 0)
        return errno == ENOENT ? QREXEC_FOUND_NONE : QREXEC_FOUND_ERROR;
    return QREXEC_FOUND_FILE;
}

static void load_config(struct span service, struct qrexec_config *ret)
{
    struct buf text = BUF_INIT(LIMIT_CONF_FILE_MAX);
    char path[QREXEC_PATH_MAX];
    enum qrexec_found found;
    struct err err;
    int fd;
    int r = qrexec_lookup(service,
            env_or("QUBES_RPC_CONFIG_PATH", QREXEC_CONFIG_PATH), probe_config,
            NULL, path, &found, &err);

    *ret = (struct qrexec_config){0};
    if (r == ERR_NOT_FOUND)
        return;
    if (r)
        fail(QREXEC_EXIT_TROUBLE, "%s", err.msg);
    /* Links are fine here, as upstream: the owner put them there. */
    fd = open(path, O_RDONLY | O_CLOEXEC);
    for (ssize_t n = 1; fd >= 0 && n > 0;) {
        uint8_t *p = buf_reserve(&text, 4096);

        n = p ? read(fd, p, 4096) : -1;
        if (n > 0)
            buf_commit(&text, (size_t)n);
        if (n < 0)
            fail(QREXEC_EXIT_TROUBLE, "%s cannot be read", path);
    }
    if (fd < 0 || qrexec_config_parse(buf_span(&text), ret, &err))
        fail(QREXEC_EXIT_TROUBLE, "%s: %s", path,
                fd < 0 ? strerror(errno) : err.msg);
    (void)close(fd);
    buf_fini(&text);
}

/* A process qube has one user; a call for another cannot run. */
static void check_user(struct span user)
{
    if (user.len && !span_eq_str(user, "DEFAULT") &&
            !span_eq_str(user, env_or("USER", "user")))
        fail(QREXEC_EXIT_TROUBLE,
                "services of this qube run as %s, not as %.*s",
                env_or("USER", "user"), (int)user.len, (const char *)user.ptr);
}

/* ---- running --------------------------------------------------------- */

struct program {
    const char *path;
    char *const *argv;
    char *const *env;
    bool has_key;
};

/* The service's process, between fork and exec. */
static _Noreturn void become(const struct program *s, const int pipes[3][2])
{
    sigset_t none;

    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)signal(SIGCHLD, SIG_DFL);
    (void)setsid();
    if (dup2(pipes[0][0], 0) < 0 || dup2(pipes[1][1], 1) < 0 ||
            dup2(pipes[2][1], 2) < 0)
        _exit(QREXEC_EXIT_TROUBLE);
    /* DATA_FD is closed here, KEY_FD by its close-on-exec flag. */
    (void)close(DATA_FD);
    if (s->has_key && dup2(KEY_FD, SERVICE_KEY_FD) < 0)
        _exit(QREXEC_EXIT_TROUBLE);
    if (chdir(env_or("HOME", "/")) < 0 && chdir("/") < 0)
        _exit(QREXEC_EXIT_TROUBLE);
    (void)execve(s->path, s->argv, s->env);
    (void)dprintf(2, "qair-agent: %s: %s\n", s->path, strerror(errno));
    _exit(QREXEC_EXIT_TROUBLE);
}

static void start(const struct program *s, struct pump *p)
{
    int pipes[3][2];

    for (size_t i = 0; i < 3; i++) {
        if (pipe2(pipes[i], O_CLOEXEC) < 0)
            fail(QREXEC_EXIT_TROUBLE, "no pipe: %s", strerror(errno));
    }
    p->child = fork();
    if (p->child == 0)
        become(s, (const int(*)[2])pipes);
    if (p->child < 0)
        fail(QREXEC_EXIT_TROUBLE, "no process: %s", strerror(errno));
    (void)close(pipes[0][0]);
    (void)close(pipes[1][1]);
    (void)close(pipes[2][1]);
    (void)close(KEY_FD); /* the service's alone from here on */
    p->stdin_fd = pipes[0][1];
    p->stdout_fd = pipes[1][0];
    p->stderr_fd = pipes[2][0];
}

static void end_child(pid_t child)
{
    int sig = SIGTERM;

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

static _Noreturn void pump_on(struct pump *p)
{
    struct err err;
    int code;
    int r = pump_run(p, &code, &err);

    if (p->child)
        end_child(p->child);
    if (r && r != ERR_PEER)
        (void)dprintf(2, "qair-agent: a call failed: %s\n", err.msg);
    _exit(r ? 1 : 0);
}

static _Noreturn void run_program(
        const struct qrexec_command *c, const struct program *s, struct pump *p)
{
    struct qrexec_env env;
    struct program with_env = *s;

    if (qrexec_env_build(c, s->has_key ? SERVICE_KEY_FD : -1, environ, &env))
        fail(QREXEC_EXIT_TROUBLE, "the environment is too large");
    with_env.env = env.vars;
    start(&with_env, p);
    pump_on(p);
}

/* ---- socket services ------------------------------------------------- */

static void connect_service(const char *path, const struct qrexec_command *c,
        const struct qrexec_config *config, struct pump *p)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct buf head = BUF_INIT(QREXEC_COMMAND_MAX);
    struct err err;

    if (strlen(path) >= sizeof(addr.sun_path))
        fail(QREXEC_EXIT_TROUBLE, "path of the service's socket is too long");
    memcpy(addr.sun_path, path, strlen(path));
    if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
        fail(QREXEC_EXIT_TROUBLE, "%s: %s", path, strerror(errno));
    if (!config->skip_service_descriptor) {
        buf_printf(&head, "%.*s %.*s", (int)c->service.len,
                (const char *)c->service.ptr, (int)c->source.len,
                (const char *)c->source.ptr);
        if (c->target_type.len)
            buf_printf(&head, " %.*s %.*s", (int)c->target_type.len,
                    (const char *)c->target_type.ptr, (int)c->target.len,
                    (const char *)c->target.ptr);
        buf_append_u8(&head, 0);
        if (buf_ok(&head, &err) || buf_write_all(fd, buf_span(&head), &err))
            fail(QREXEC_EXIT_TROUBLE, "%s: %s", path, err.msg);
    }
    buf_fini(&head);
    p->stdin_fd = fd;
    p->stdout_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    p->stderr_fd = -1;
    pump_on(p);
}

/* ---- one call -------------------------------------------------------- */

static _Noreturn void run_shell(
        const struct qrexec_command *c, bool has_key, struct pump *p)
{
    static char login[] = "-sh";
    static char option[] = "-c";
    char *text = strndup((const char *)c->shell.ptr, c->shell.len);
    char *const argv[] = {login, option, text, NULL};
    const struct program s = {.path = env_or("SHELL", "/bin/sh"),
            .argv = argv,
            .has_key = has_key};

    if (!text)
        fail(QREXEC_EXIT_TROUBLE, "no memory");
    run_program(c, &s, p);
}

static _Noreturn void run_service(
        const struct qrexec_command *c, bool has_key, struct pump *p)
{
    char path[QREXEC_PATH_MAX];
    enum qrexec_found found;
    struct qrexec_config config;
    struct err err;
    int r = qrexec_lookup(c->service,
            env_or("QREXEC_SERVICE_PATH", QREXEC_SERVICE_PATH), probe, NULL,
            path, &found, &err);

    if (r)
        fail(r == ERR_NOT_FOUND ? QREXEC_EXIT_NOT_FOUND : QREXEC_EXIT_TROUBLE,
                "%s", err.msg);
    load_config(c->service, &config);
    check_user(span_str(config.force_user));
    p->exit_on_client_eof = config.exit_on_client_eof;
    p->exit_on_service_eof = config.exit_on_service_eof;
    if (found == QREXEC_FOUND_SOCKET)
        connect_service(path, c, &config, p);
    if (found == QREXEC_FOUND_EXEC) {
        char *arg = strndup((const char *)c->arg.ptr, c->arg.len);
        char *const argv[] = {path, c->arg.len ? arg : NULL, NULL};
        const struct program s = {
                .path = path, .argv = argv, .has_key = has_key};

        run_program(c, &s, p);
    }
    fail(QREXEC_EXIT_TROUBLE, "%s %s", path,
            found == QREXEC_FOUND_TCP ? "is a TCP service; a process qube has "
                                        "no network"
                                      : "is not executable");
}

/* Leaves 0, 1, 2, DATA_FD and KEY_FD; those of the agent are closed. */
static void sort_fds(const struct agent_run *call)
{
    int data = fcntl(call->data_fd, F_DUPFD_CLOEXEC, KEY_FD + 1);
    int key = call->key_fd >= 0
                      ? fcntl(call->key_fd, F_DUPFD_CLOEXEC, KEY_FD + 1)
                      : -1;

    if (data < 0 || dup3(data, DATA_FD, O_CLOEXEC) < 0)
        _exit(1);
    (void)close(KEY_FD);
    if (call->key_fd >= 0 && (key < 0 || dup3(key, KEY_FD, O_CLOEXEC) < 0))
        _exit(1);
    if (close_range(KEY_FD + 1, ~0u, 0) < 0)
        _exit(1);
}

_Noreturn void agent_run(const struct agent_run *call)
{
    struct pump p = {
            .end = QREXEC_CALLEE, .link = link_new_stream(DATA_FD, 0, 0)};
    bool has_key = call->key_fd >= 0;
    struct qrexec_command c;
    struct err err;
    sigset_t none;

    sort_fds(call);
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (qrexec_command_parse(call->command, &c, &err))
        fail(QREXEC_EXIT_TROUBLE, "%s", err.msg);
    check_user(c.user);
    if (c.is_service)
        run_service(&c, has_key, &p);
    run_shell(&c, has_key, &p);
}
