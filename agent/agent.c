/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qair-agent: the first process of a qube.  It takes calls from the qube's
 * programs (qrexec-client-vm) to calld, and runs services that calld asks for,
 * a process each.  Specification: docs/proto/agent.md.
 *
 * It lives inside the qube and is trusted with nothing but that qube: calld
 * treats every byte of it as hostile.
 */
#include "agent_run.h"

#include "link.h"
#include "qrexec.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLIENTS_MAX    LIMIT_CALLS_PER_SOURCE
#define RUNNERS_MAX    LIMIT_CALLS_PER_SOURCE
#define SOCKET_DEFAULT "/run/qubes/qrexec-agent"
#define LINK_FD        3
/* Requests of all clients at their usual size; more are refused. */
#define LINK_OUT_MAX (1u << 20)
#define IDENT        "SOCKET"

/* A program of the qube that waits for the answer to its request. */
struct client {
    struct link *link;
    uint32_t serial;
    bool asked;
};

struct runner {
    pid_t pid;
    uint32_t port;
};

static struct client clients[CLIENTS_MAX];
static struct runner runners[RUNNERS_MAX];
static struct link *control;
static bool greeted;
static uint32_t serials;

static _Noreturn void die(const char *fmt, ...) PRINTF_LIKE(1, 2);

static _Noreturn void die(const char *fmt, ...)
{
    char text[ERR_MSG_MAX + 64];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    (void)dprintf(2, "qair-agent: %s\n", text);
    exit(1);
}

/* ---- to calld -------------------------------------------------------- */

static int tell(const struct qrexec_msg *m, struct err *err)
{
    static uint8_t bytes[QREXEC_MSG_MAX];
    size_t len;
    int r = qrexec_msg_put(m, bytes, sizeof(bytes), &len);

    if (r)
        return err_set(err, r, "request cannot be passed on");
    return link_send(control, SPAN(bytes, len), NULL, 0, err);
}

static void tell_ended(uint32_t port)
{
    struct qrexec_msg m = {.type = QREXEC_CONNECTION_TERMINATED, .port = port};
    struct err err;

    if (tell(&m, &err))
        die("link to the zone: %s", err.msg);
}

/* ---- programs of the qube -------------------------------------------- */

static void drop_client(struct client *c)
{
    link_free(c->link);
    *c = (struct client){0};
}

/* The answer to a client: domain and port without a header. */
static void answer(struct client *c, uint32_t domain, uint32_t port,
        struct span rest, const int *fd)
{
    uint8_t bytes[8 + QREXEC_REASON_MAX];
    struct wire_writer w = wire_writer_of(bytes, sizeof(bytes));
    struct span all;
    struct err ignored;

    wire_put_u32le(&w, domain);
    wire_put_u32le(&w, port);
    wire_put_bytes(&w, rest.ptr, rest.len);
    /* At most 520 bytes on an empty socket: they go at once, or it is dead. */
    if (wire_finish(&w, &all))
        (void)!link_send(c->link, all, fd, fd ? 1 : 0, &ignored);
    else if (fd)
        (void)close(*fd);
    drop_client(c);
}

static void refuse(struct client *c, struct span where, struct span reason)
{
    uint8_t text[QREXEC_REASON_MAX];
    struct wire_writer w = wire_writer_of(text, sizeof(text));
    struct span all;

    wire_put_bytes(&w, where.ptr, where.len);
    wire_put_u8(&w, 0);
    wire_put_bytes(&w, reason.ptr, reason.len);
    wire_put_u8(&w, 0);
    if (wire_finish(&w, &all))
        answer(c, UINT32_MAX, (uint32_t)all.len, all, NULL);
    else
        drop_client(c);
}

static void ask(struct client *c, struct qrexec_msg *m)
{
    char ident[QREXEC_IDENT_SIZE];
    struct err err;

    c->asked = true;
    c->serial = ++serials;
    (void)snprintf(ident, sizeof(ident), IDENT "%u", c->serial);
    m->ident = span_str(ident);
    if (!greeted)
        refuse(c, span_str("qair-agent"), span_str("the zone is not ready"));
    else if (tell(m, &err))
        refuse(c, span_str("qair-agent"), span_str(err.msg));
}

/* It went away, or broke the protocol, before its answer came. */
static void withdraw(struct client *c)
{
    char ident[QREXEC_IDENT_SIZE];
    struct qrexec_msg m = {.type = QREXEC_SERVICE_REFUSED};
    struct err err;

    (void)snprintf(ident, sizeof(ident), IDENT "%u", c->serial);
    m.ident = span_str(ident);
    if (tell(&m, &err))
        die("link to the zone: %s", err.msg);
    drop_client(c);
}

static void on_client(struct client *c)
{
    struct qrexec_msg m;
    struct span in;
    struct err err;
    int r;

    if (link_recv(c->link, &err)) {
        if (c->asked)
            withdraw(c);
        else
            drop_client(c);
        return;
    }
    in = link_in(c->link);
    if (in.len == 0)
        return;
    if (c->asked) { /* one request a connection */
        withdraw(c);
        return;
    }
    r = qrexec_msg_get(&in, &m, &err);
    if (r == ERR_STATE)
        return;
    if (r || m.type != QREXEC_TRIGGER_SERVICE4 || in.len) {
        drop_client(c);
        return;
    }
    ask(c, &m);
}

static void on_accept(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0)
        return;
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        if (clients[i].link)
            continue;
        clients[i].link =
                link_new_unix(fd, QREXEC_MSG_MAX, 8 + QREXEC_REASON_MAX);
        if (clients[i].link)
            return;
    }
    (void)close(fd);
}

static struct client *find_client(struct span ident)
{
    char own[QREXEC_IDENT_SIZE];

    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        if (!clients[i].asked)
            continue;
        (void)snprintf(own, sizeof(own), IDENT "%u", clients[i].serial);
        if (span_eq_str(ident, own))
            return &clients[i];
    }
    return NULL; /* it went away meanwhile */
}

/* ---- from calld ------------------------------------------------------ */

static void on_hello(const struct qrexec_msg *m)
{
    uint32_t version;
    struct err err;

    if (greeted || qrexec_negotiate(m->version, &version, &err) ||
            version < QREXEC_VERSION)
        die("the zone's hello is not understood");
    greeted = true;
}

static void on_connect(const struct qrexec_msg *m)
{
    struct client *c = find_client(m->ident);
    int fd = link_take_fd(control);

    if (fd < 0)
        die("connection without its descriptor");
    if (c)
        answer(c, m->domain, m->port, SPAN_EMPTY, &fd);
    else
        (void)close(fd);
}

static void on_refused(const struct qrexec_msg *m)
{
    struct client *c = find_client(m->ident);

    if (c)
        refuse(c, m->where, m->reason);
}

static struct runner *free_runner(void)
{
    for (size_t i = 0; i < RUNNERS_MAX; i++) {
        if (runners[i].pid == 0)
            return &runners[i];
    }
    return NULL;
}

static void on_exec(const struct qrexec_msg *m)
{
    struct agent_run call = {.command = m->command, .key_fd = -1};
    struct runner *r = free_runner();
    pid_t pid = -1;

    call.data_fd = link_take_fd(control);
    if (m->domain == 2)
        call.key_fd = link_take_fd(control);
    if (call.data_fd < 0 || m->domain < 1 || m->domain > QREXEC_EXEC_FDS_MAX ||
            (m->domain == 2 && call.key_fd < 0))
        die("execution without its descriptors");
    if (r)
        pid = fork();
    if (pid == 0)
        agent_run(&call);
    (void)close(call.data_fd);
    if (call.key_fd >= 0)
        (void)close(call.key_fd);
    if (pid < 0) { /* the caller sees its stream end */
        tell_ended(m->port);
        return;
    }
    *r = (struct runner){.pid = pid, .port = m->port};
}

static const struct {
    uint32_t type;
    void (*handler)(const struct qrexec_msg *m);
    bool before_hello;
} permits[] = {
        {QREXEC_HELLO, on_hello, true},
        {QREXEC_SERVICE_CONNECT, on_connect, false},
        {QREXEC_SERVICE_REFUSED, on_refused, false},
        {QREXEC_EXEC_CMDLINE, on_exec, false},
};

static void on_message(const struct qrexec_msg *m)
{
    for (size_t i = 0; i < ARRAY_LEN(permits); i++) {
        if (permits[i].type == m->type &&
                (greeted || permits[i].before_hello)) {
            permits[i].handler(m);
            return;
        }
    }
    die("%s from the zone is not permitted now", qrexec_type_name(m->type));
}

static void on_control(void)
{
    struct err err;

    if (link_flush(control, &err))
        exit(0); /* the zone is gone, and the qube with it */
    if (link_recv(control, &err))
        exit(0);
    for (;;) {
        struct span in = link_in(control);
        size_t before = in.len;
        struct qrexec_msg m;
        int r = qrexec_msg_get(&in, &m, &err);

        if (r == ERR_STATE)
            return;
        if (r)
            die("link to the zone: %s", err.msg);
        on_message(&m);
        link_consume(control, before - in.len);
    }
}

static void on_child(int signals)
{
    struct signalfd_siginfo info;
    pid_t pid;

    while (read(signals, &info, sizeof(info)) > 0) {
    }
    while ((pid = waitpid(-1, NULL, WNOHANG)) > 0) {
        for (size_t i = 0; i < RUNNERS_MAX; i++) {
            if (runners[i].pid != pid)
                continue;
            tell_ended(runners[i].port);
            runners[i] = (struct runner){0};
        }
    }
}

/* ---- start and loop -------------------------------------------------- */

static int listen_at(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (strlen(path) >= sizeof(addr.sun_path))
        die("socket path is too long: %s", path);
    memcpy(addr.sun_path, path, strlen(path));
    (void)unlink(path);
    /* Any program of the qube may ask: what it may do is policy's matter. */
    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
            chmod(path, 0666) < 0 || listen(fd, 128) < 0)
        die("%s: %s", path, strerror(errno));
    return fd;
}

static int watch_children(void)
{
    sigset_t set;
    int fd;

    (void)signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    fd = sigprocmask(SIG_BLOCK, &set, NULL)
                 ? -1
                 : signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        die("signalfd: %s", strerror(errno));
    return fd;
}

static _Noreturn void serve(int listener, int signals)
{
    static struct pollfd fds[3 + CLIENTS_MAX];

    for (;;) {
        fds[0] = (struct pollfd){
                .fd = link_fd(control), .events = link_events(control)};
        fds[1] = (struct pollfd){.fd = signals, .events = POLLIN};
        fds[2] = (struct pollfd){.fd = listener, .events = POLLIN};
        for (size_t i = 0; i < CLIENTS_MAX; i++)
            fds[3 + i] = (struct pollfd){
                    .fd = clients[i].link ? link_fd(clients[i].link) : -1,
                    .events = POLLIN};
        if (poll(fds, ARRAY_LEN(fds), -1) < 0 && errno != EINTR)
            die("poll: %s", strerror(errno));
        for (size_t i = 0; i < CLIENTS_MAX; i++) {
            if (fds[3 + i].revents && clients[i].link)
                on_client(&clients[i]);
        }
        if (fds[0].revents)
            on_control();
        if (fds[1].revents)
            on_child(signals);
        if (fds[2].revents)
            on_accept(listener);
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
            {"agent-socket", required_argument, NULL, 's'}, {0}};
    const struct qrexec_msg hello = {
            .type = QREXEC_HELLO, .version = QREXEC_VERSION};
    const char *path = SOCKET_DEFAULT;
    struct err err;
    int signals;
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c != 's')
            die("usage: qair-agent [--agent-socket=PATH] 3<>LINK");
        path = optarg;
    }
    control = link_new_unix(LINK_FD, QREXEC_MSG_MAX, LINK_OUT_MAX);
    if (!control)
        die("no link to the zone on descriptor %d", LINK_FD);
    signals = watch_children();
    if (strcmp(path, SOCKET_DEFAULT) == 0)
        (void)mkdir("/run/qubes", 0755);
    if (tell(&hello, &err))
        die("link to the zone: %s", err.msg);
    serve(listen_at(path), signals);
}
