/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qair-relay: the agent of all qubes of the Qubes host, in its relay qube
 * (docs/proto/relay.md).  The relay's zone says whom to call, and in whose
 * name; each call is a process that runs qrexec-client-vm.  It asks the zone
 * for nothing, and holds nothing.
 */
#include "link.h"
#include "qrexec.h"
#include "relay_run.h"
#include "relay_zone.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLIENT_VM   "/usr/bin/qrexec-client-vm"
#define RUNNERS_MAX LIMIT_CALLS_PER_SOURCE
/* An end of each call, a few bytes, and one hello. */
#define LINK_OUT_MAX (1u << 16)

static struct {
    pid_t pid;
    uint32_t port;
} runners[RUNNERS_MAX];
static struct link *zone;
static const char *client_vm = CLIENT_VM;
static bool greeted;

static _Noreturn void die(const char *fmt, ...) PRINTF_LIKE(1, 2);

static _Noreturn void die(const char *fmt, ...)
{
    char text[ERR_MSG_MAX + 64];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    (void)fprintf(stderr, "qair-relay: %s\n", text);
    exit(1);
}

static void tell(const struct qrexec_msg *m)
{
    static uint8_t bytes[QREXEC_MSG_MAX];
    struct err err;
    size_t len;

    if (qrexec_msg_put(m, bytes, sizeof(bytes), &len))
        die("message cannot be written");
    if (link_send(zone, SPAN(bytes, len), NULL, 0, &err))
        die("link to the zone: %s", err.msg);
}

static void tell_ended(uint32_t port)
{
    const struct qrexec_msg m = {
            .type = QREXEC_CONNECTION_TERMINATED, .port = port};

    tell(&m);
}

/* ---- from the zone --------------------------------------------------- */

static void on_hello(const struct qrexec_msg *m)
{
    uint32_t version;
    struct err err;

    if (greeted || qrexec_negotiate(m->version, &version, &err) ||
            version < QREXEC_VERSION)
        die("the zone's hello is not understood");
    greeted = true;
}

static void start_call(const struct qrexec_msg *m, int data)
{
    size_t i = 0;
    sigset_t none;
    pid_t pid;

    while (i < RUNNERS_MAX && runners[i].pid)
        i++;
    pid = i < RUNNERS_MAX ? fork() : -1;
    if (pid == 0) {
        sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        /* Not its buffer: the zone shall see when qair-relay ends. */
        (void)close(link_fd(zone));
        relay_run(client_vm, m->command, data);
    }
    if (pid < 0) { /* the caller sees its stream end */
        tell_ended(m->port);
        return;
    }
    runners[i].pid = pid;
    runners[i].port = m->port;
}

static void on_exec(const struct qrexec_msg *m)
{
    int data = link_take_fd(zone);

    if (data < 0 || m->domain != 1)
        die("a call without its stream");
    start_call(m, data);
    (void)close(data);
}

static void on_message(const struct qrexec_msg *m)
{
    if (m->type == QREXEC_HELLO)
        on_hello(m);
    else if (m->type == QREXEC_EXEC_CMDLINE && greeted)
        on_exec(m);
    else
        die("%s from the zone is not permitted now", qrexec_type_name(m->type));
}

static void on_zone(void)
{
    struct err err;

    if (link_flush(zone, &err) || link_recv(zone, &err))
        die("the zone went away");
    for (;;) {
        struct span in = link_in(zone);
        size_t before = in.len;
        struct qrexec_msg m;
        int r = qrexec_msg_get(&in, &m, &err);

        if (r == ERR_STATE)
            return;
        if (r)
            die("link to the zone: %s", err.msg);
        on_message(&m);
        link_consume(zone, before - in.len);
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
            runners[i].pid = 0;
        }
    }
}

/* ---- start and loop -------------------------------------------------- */

static int watch_children(void)
{
    sigset_t set;
    int fd = -1;

    (void)signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &set, NULL) == 0)
        fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        die("signalfd: %s", strerror(errno));
    return fd;
}

static void meet_zone(void)
{
    const struct qrexec_msg hello = {
            .type = QREXEC_HELLO, .version = QREXEC_VERSION};
    struct err err;
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        die("no socket: %s", strerror(errno));
    if (relay_zone_ask(MSG_RELAY_SERVE, &(struct msg_empty){0}, ends[1], &err))
        die("%s", err.msg);
    zone = link_new_unix(ends[0], QREXEC_MSG_MAX, LINK_OUT_MAX);
    if (!zone)
        die("no memory");
    tell(&hello);
}

static _Noreturn void serve(int signals)
{
    for (;;) {
        struct pollfd fds[] = {
                {.fd = link_fd(zone), .events = link_events(zone)},
                {.fd = signals, .events = POLLIN},
        };

        if (poll(fds, ARRAY_LEN(fds), -1) < 0 && errno != EINTR)
            die("poll: %s", strerror(errno));
        if (fds[0].revents)
            on_zone();
        if (fds[1].revents)
            on_child(signals);
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
            {"client-vm", required_argument, NULL, 'c'},
            {"help", no_argument, NULL, 'h'}, {0}};
    static const char usage[] =
            "usage: qair-relay [--client-vm=PATH]\n"
            "calls qubes of the Qubes host for the zone in $QAIR_ZONE\n"
            "(" RELAY_ZONE_DIR "); PATH: " CLIENT_VM "\n";
    int signals;
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c != 'c') {
            (void)fputs(usage, c == 'h' ? stdout : stderr);
            return c == 'h' ? 0 : 2;
        }
        client_vm = optarg;
    }
    if (optind < argc) {
        (void)fputs(usage, stderr);
        return 2;
    }
    signals = watch_children();
    meet_zone();
    serve(signals);
}
