/* SPDX-License-Identifier: Apache-2.0 */
#include "agent_world.h"

#include "pump.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
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

#define WAIT_MS 20000
#define NOBODY  65534

const char *world_agent_program;
const char *world_server_program;
const char *world_client_program;
const char *world_session_user;

static void be(uint32_t domain)
{
    char text[16];

    (void)snprintf(text, sizeof(text), "%u", domain);
    assert_int_equal(setenv("VCHAN_DOMAIN", text, 1), 0);
}

const char *world_user(void)
{
    const struct passwd *pw = getpwuid(geteuid() ? geteuid() : NOBODY);

    if (world_session_user)
        return world_session_user;
    assert_non_null(pw);
    return pw->pw_name;
}

/* ---- the qube -------------------------------------------------------- */

static void set_path(const struct world *w, const char *name, const char *sub)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/%s", w->dir, sub);
    if (setenv(name, path, 1) < 0)
        _exit(126);
}

static _Noreturn void become(
        const struct world *w, int program, int out, char *const *argv)
{
    static char *const no_argv[] = {NULL};

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (out >= 0)
        (void)dup2(out, 1);
    if (!getenv("QAIR_TEST_VERBOSE"))
        (void)dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), 2);
    (void)dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), 0);
    if (setenv("USER", world_user(), 1) < 0)
        _exit(126);
    if (!world_session_user && geteuid() == 0 &&
            (setgroups(0, NULL) < 0 || setgid(NOBODY) < 0 ||
                    setuid(NOBODY) < 0))
        _exit(126);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    be(QUBE);
    set_path(w, "VCHAN_SOCKET_DIR", "");
    set_path(w, "QREXEC_SERVICE_PATH", "rpc");
    set_path(w, "QUBES_RPC_CONFIG_PATH", "rpc-config");
    set_path(w, "WORLD", "");
    (void)setenv("HOME", "/", 1);
    (void)setenv("SHELL", "/bin/sh", 1);
    (void)setenv("QREXEC_REQUESTED_TARGET", "left-over", 1);
    (void)fexecve(program, argv ? argv : no_argv, environ);
    _exit(127);
}

pid_t world_spawn(const struct world *w, const char *program,
        const char *const *args, int out)
{
    /* Opened here: nobody may not reach the build folder. */
    int fd = open(program, O_RDONLY | O_CLOEXEC);
    char *argv[16] = {strdup(program)};
    pid_t pid;

    assert_true(fd >= 0);
    for (size_t i = 0; args && args[i]; i++) {
        assert_true(i < 14);
        argv[i + 1] = strdup(args[i]);
    }
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        become(w, fd, out, argv);
    (void)close(fd);
    for (size_t i = 0; argv[i]; i++)
        free(argv[i]);
    return pid;
}

int world_wait_exit(pid_t pid)
{
    int status = 0;

    for (int i = 0; i < WAIT_MS / 5; i++) {
        if (waitpid(pid, &status, WNOHANG) == pid)
            return qrexec_exit_code(status);
        (void)usleep(5000);
    }
    fail_msg("a process did not end");
    return -1;
}

static void make_folder(const struct world *w, const char *sub)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/%s", w->dir, sub);
    if (*sub)
        assert_int_equal(mkdir(path, 0755), 0);
    if (world_session_user)
        assert_int_equal(chmod(path, 0755), 0);
    else if (geteuid() == 0)
        assert_int_equal(chown(path, NOBODY, NOBODY), 0);
}

void world_write(
        const struct world *w, const char *path, const char *text, int mode)
{
    char full[192];
    int fd;

    (void)snprintf(full, sizeof(full), "%s/%s", w->dir, path);
    fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    (void)close(fd);
}

void world_start(struct world *w, const char *const *options)
{
    char socket_option[128];
    const char *args[8] = {socket_option};

    *w = (struct world){.text = malloc(QREXEC_MSG_MAX)};
    (void)snprintf(w->dir, sizeof(w->dir), "/tmp/qair-qube-XXXXXX");
    assert_non_null(w->text);
    assert_non_null(mkdtemp(w->dir));
    make_folder(w, "");
    make_folder(w, "rpc");
    make_folder(w, "rpc-config");
    assert_int_equal(setenv("VCHAN_SOCKET_DIR", w->dir, 1), 0);
    (void)snprintf(socket_option, sizeof(socket_option),
            "--agent-socket=%s/agent.sock", w->dir);
    for (size_t i = 0; options && options[i]; i++)
        args[i + 1] = options[i];
    w->agent = world_spawn(w, world_agent_program, args, -1);
}

static int remove_one(
        const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

void world_stop(struct world *w)
{
    dom0_leave(w);
    assert_int_equal(kill(w->agent, SIGTERM), 0);
    assert_int_equal(world_wait_exit(w->agent), 0);
    assert_int_equal(nftw(w->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
    free(w->text);
}

/* ---- dom0 ------------------------------------------------------------ */

void dom0_connect(struct world *w, uint32_t version)
{
    const struct qrexec_msg hello = {.type = QREXEC_HELLO, .version = version};
    struct link_port *p = NULL;
    struct err err;

    be(0);
    dom0_leave(w);
    if (link_port_connect(QUBE, LINK_CONTROL_PORT, WAIT_MS, &p, &err) ||
            link_port_wait(p, 0, QREXEC_MSG_MAX, 4 << 20, &w->dom0, &err))
        fail_msg("%s", err.msg);
    link_port_free(p);
    dom0_hear(w, QREXEC_HELLO);
    assert_int_equal(w->heard.version, 4);
    if (!version)
        return;
    dom0_say(w, &hello);
    /* Its answer says that the agent has heard the hello. */
    dom0_say(w, &(struct qrexec_msg){.type = QREXEC_SERVICE_CONNECT,
                        .port = 1,
                        .ident = span_str("nobody")});
    dom0_hears_end(w, 1);
}

void dom0_leave(struct world *w)
{
    link_free(w->dom0);
    w->dom0 = NULL;
}

static void flush(struct world *w)
{
    struct err err;

    while (link_events(w->dom0) & POLLOUT) {
        struct pollfd p = {.fd = link_fd(w->dom0), .events = POLLOUT};

        assert_int_equal(poll(&p, 1, WAIT_MS), 1);
        assert_int_equal(link_flush(w->dom0, &err), 0);
    }
}

void dom0_bytes(struct world *w, const void *bytes, size_t len)
{
    struct err err;

    if (link_send(w->dom0, SPAN((const uint8_t *)bytes, len), NULL, 0, &err))
        fail_msg("%s", err.msg);
    flush(w);
}

void dom0_say(struct world *w, const struct qrexec_msg *m)
{
    static uint8_t bytes[QREXEC_MSG_MAX];
    size_t len;

    assert_int_equal(qrexec_msg_put(m, bytes, sizeof(bytes), &len), 0);
    dom0_bytes(w, bytes, len);
}

void dom0_hear_any(struct world *w)
{
    struct err err;

    for (;;) {
        struct pollfd p = {.fd = link_fd(w->dom0), .events = POLLIN};
        struct span in = link_in(w->dom0);
        int r = qrexec_msg_get(&in, &w->heard, &err);

        if (r == 0) {
            size_t len = link_in(w->dom0).len - in.len;
            struct span kept = SPAN(w->text, len);

            memcpy(w->text, link_in(w->dom0).ptr, len);
            link_consume(w->dom0, len);
            assert_int_equal(qrexec_msg_get(&kept, &w->heard, &err), 0);
            return;
        }
        assert_int_equal(r, ERR_STATE);
        if (poll(&p, 1, WAIT_MS) != 1)
            fail_msg("dom0 hears nothing");
        if (link_recv(w->dom0, &err))
            fail_msg("%s", err.msg);
    }
}

void dom0_hear(struct world *w, uint32_t type)
{
    dom0_hear_any(w);
    assert_string_equal(
            qrexec_type_name(w->heard.type), qrexec_type_name(type));
}

void dom0_is_dropped(struct world *w)
{
    struct err err;

    for (;;) {
        struct pollfd p = {.fd = link_fd(w->dom0), .events = POLLIN};

        assert_int_equal(poll(&p, 1, WAIT_MS), 1);
        if (link_recv(w->dom0, &err))
            return;
        link_consume(w->dom0, link_in(w->dom0).len);
    }
}

void dom0_exec(
        struct world *w, uint32_t type, uint32_t port, const char *command)
{
    const struct qrexec_msg m = {.type = type,
            .domain = CALLER,
            .port = port,
            .command = span_str(command)};

    dom0_say(w, &m);
}

void dom0_hears_end(struct world *w, uint32_t port)
{
    dom0_hear(w, QREXEC_CONNECTION_TERMINATED);
    assert_int_equal(w->heard.port, port);
}

/* ---- programs of the qube -------------------------------------------- */

int client_connect(const struct world *w)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(
            addr.sun_path, sizeof(addr.sun_path), "%s/agent.sock", w->dir);
    assert_true(fd >= 0);
    for (int i = 0; connect(fd, (struct sockaddr *)&addr, sizeof(addr)); i++) {
        assert_true(i < WAIT_MS / 5);
        (void)usleep(5000);
    }
    return fd;
}

void client_ask(int fd, const char *source, size_t service_len)
{
    uint8_t bytes[QREXEC_MSG_MAX];
    char *service = malloc(service_len);
    struct qrexec_msg m = {.type = QREXEC_TRIGGER_SERVICE4,
            .source = span_str(source),
            .target = span_str("work"),
            .ident = span_str("SOCKET"),
            .service = SPAN((uint8_t *)service, service_len)};
    size_t len;

    assert_non_null(service);
    memset(service, 's', service_len);
    assert_int_equal(qrexec_msg_put(&m, bytes, sizeof(bytes), &len), 0);
    /* The agent may close before it has read all that is too long. */
    (void)!send(fd, bytes, len, MSG_NOSIGNAL);
    free(service);
}

size_t client_answer(int fd, uint8_t ret[8])
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    ssize_t n;

    assert_int_equal(poll(&p, 1, WAIT_MS), 1);
    n = recv(fd, ret, 8, MSG_WAITALL);
    return n > 0 ? (size_t)n : 0;
}

void client_is_served(struct world *w)
{
    int fd = client_connect(w);
    struct qrexec_msg no = {.type = QREXEC_SERVICE_REFUSED};
    char ident[QREXEC_IDENT_SIZE] = "";
    uint8_t answer[8];

    client_ask(fd, "", 12);
    dom0_hear(w, QREXEC_TRIGGER_SERVICE4);
    assert_int_equal(w->heard.service.len, 12);
    memcpy(ident, w->heard.ident.ptr, w->heard.ident.len);
    no.ident = span_str(ident);
    dom0_say(w, &no);
    assert_int_equal(client_answer(fd, answer), 0);
    (void)close(fd);
}

/* ---- calls ----------------------------------------------------------- */

struct link *call_accept(uint32_t port)
{
    struct link_port *p = NULL;
    struct link *l = NULL;
    struct err err;

    mode_t mask = umask(0); /* the qube may be another user */

    be(CALLER);
    if (link_port_listen(QUBE, port, &p, &err))
        fail_msg("%s", err.msg);
    (void)umask(mask);
    if (link_port_wait(p, WAIT_MS, 0, 0, &l, &err))
        fail_msg("%s", err.msg);
    link_port_free(p);
    return l;
}

int call_run(struct world *w, uint32_t port, const char *command,
        const char *in, char *out, size_t cap)
{
    struct pump p = {.end = QREXEC_CALLER, .stderr_fd = -1};
    char text[1024];
    struct err err;
    int to[2];
    int from = memfd_create("out", MFD_CLOEXEC);
    int code = -1;
    ssize_t n;

    (void)snprintf(text, sizeof(text), "%s:%s", world_user(), command);
    assert_int_equal(pipe2(to, O_CLOEXEC), 0);
    assert_int_equal(write(to[1], in, strlen(in)), (ssize_t)strlen(in));
    (void)close(to[1]);
    dom0_exec(w, QREXEC_EXEC_CMDLINE, port, text);
    p.link = call_accept(port);
    p.stdin_fd = to[0];
    p.stdout_fd = fcntl(from, F_DUPFD_CLOEXEC, 3);
    if (pump_run(&p, &code, &err))
        fail_msg("%s", err.msg);
    dom0_hears_end(w, port);
    n = pread(from, out, cap - 1, 0);
    out[n > 0 ? n : 0] = '\0';
    (void)close(from);
    return code;
}
