/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qrexec-daemon: starts, waits for the qube's agent, serves (daemon.h).
 */
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* What the child tells the waiting parent. */
#define READY_OK      0
#define READY_TIMEOUT 1
/* Lines that a qube may have written at once; then one a second. */
#define SAYS_BURST 50
/* For disposables to be killed at the end. */
#define CLOSING_S 5

uint64_t daemon_now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void say(struct daemon *d, const char *fmt, va_list ap)
        PRINTF_LIKE(2, 0);

static void say(struct daemon *d, const char *fmt, va_list ap)
{
    char text[512];
    char when[TEXT_TIME_SIZE] = "";

    (void)vsnprintf(text, sizeof(text), fmt, ap);
    (void)!text_format_time((uint64_t)time(NULL), when);
    (void)dprintf(2, "%s qrexec-daemon %s: %s\n", when, d->o.name, text);
}

void daemon_log(struct daemon *d, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    say(d, fmt, ap);
    va_end(ap);
}

void daemon_log_qube(struct daemon *d, const char *fmt, ...)
{
    unsigned left_out;
    va_list ap;

    if (!rate_take(&d->says, daemon_now_ms() / 1000, SAYS_BURST, &left_out))
        return;
    if (left_out)
        daemon_log(d, "%u lines like the next are left out", left_out);
    va_start(ap, fmt);
    say(d, fmt, ap);
    va_end(ap);
}

void daemon_exit(struct daemon *d, int code)
{
    (void)sd_event_exit(d->event, code);
}

static void tell_parent(struct daemon *d, uint8_t how)
{
    if (d->ready_fd < 0)
        return;
    (void)!write(d->ready_fd, &how, 1);
    (void)close(TAKE_FD(d->ready_fd));
}

void daemon_ready(struct daemon *d)
{
    sd_event_source_disable_unref(TAKE_PTR(d->startup));
    tell_parent(d, READY_OK);
}

/* ---- daemonising ----------------------------------------------------- */

/* In the parent: the exit code. */
static int wait_ready(const struct options *o, int fd)
{
    struct pollfd pfd = {.fd = fd, .events = POLLIN};
    uint8_t how;

    if (!o->quiet)
        (void)fputs("Waiting for VM's qrexec agent.", stderr);
    while (poll(&pfd, 1, 1000) <= 0) {
        if (!o->quiet)
            (void)fputc('.', stderr);
    }
    if (!o->quiet)
        (void)fputc('\n', stderr);
    if (read(fd, &how, 1) != 1) {
        (void)fprintf(stderr,
                "qrexec-daemon: connection to %s failed; see "
                "%s/qrexec.%s.log\n",
                o->name, o->log_dir, o->name);
        return 1;
    }
    if (how == READY_OK)
        return 0;
    (void)fprintf(stderr,
            "qrexec-daemon: no connection to %s's agent for %u seconds, giving "
            "up\n",
            o->name, o->startup_s);
    return 3;
}

static int open_log(const struct options *o)
{
    char path[QREXEC_PATH_MAX];
    int n = snprintf(
            path, sizeof(path), "%s/qrexec.%s.log", o->log_dir, o->name);
    int fd;

    if (n < 0 || (size_t)n >= sizeof(path))
        return -1;
    (void)umask(0007); /* group qubes may read it */
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY, 0660);
    if (fd < 0)
        (void)fprintf(stderr, "qrexec-daemon: %s: %s\n", path, strerror(errno));
    else if (dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
        return -1;
    if (fd > 2)
        (void)close(fd);
    return fd;
}

/* Goes on in a child; the parent says how it went. */
static void daemonise(struct daemon *d)
{
    int fds[2] = {-1, -1};
    pid_t pid;

    if (pipe2(fds, O_CLOEXEC) < 0)
        exit(1);
    pid = fork();
    if (pid < 0)
        exit(1);
    if (pid > 0) {
        (void)close(fds[1]);
        exit(d->o.startup_s ? wait_ready(&d->o, fds[0]) : 0);
    }
    (void)close(fds[0]);
    d->ready_fd = fds[1];
    if (open_log(&d->o) < 0 || setsid() < 0)
        exit(1);
}

static void check_stdio(void)
{
    int null = open("/dev/null", O_RDWR | O_NOCTTY | O_CLOEXEC);

    if (null < 0 || dup2(null, 0) < 0)
        exit(1);
    for (int fd = 1; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && dup2(null, fd) < 0)
            exit(1);
    }
    if (null > 2)
        (void)close(null);
}

/* ---- the loop -------------------------------------------------------- */

static int on_startup(sd_event_source *s, uint64_t usec, void *ctx)
{
    struct daemon *d = ctx;

    (void)s;
    (void)usec;
    daemon_log(
            d, "the agent does not answer for %u s, giving up", d->o.startup_s);
    tell_parent(d, READY_TIMEOUT);
    daemon_exit(d, 3);
    return 0;
}

static int on_closing(sd_event_source *s, uint64_t usec, void *ctx)
{
    (void)s;
    (void)usec;
    daemon_exit(ctx, 0);
    return 0;
}

static int on_term(
        sd_event_source *s, const struct signalfd_siginfo *info, void *ctx)
{
    struct daemon *d = ctx;
    bool again = d->closing;

    (void)s;
    (void)info;
    d->closing = true;
    clients_close(d);
    requests_abort(d);
    if (again || d->n_requests == 0 ||
            sd_event_add_time_relative(d->event, NULL, CLOCK_MONOTONIC,
                    CLOSING_S * SECOND_US, 0, on_closing, d) < 0)
        daemon_exit(d, 0);
    return 0;
}

static int prepare(struct daemon *d)
{
    sigset_t set;

    (void)signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 || sd_event_new(&d->event) < 0)
        return -1;
    if (sd_event_add_signal(d->event, NULL, SIGTERM, on_term, d) < 0 ||
            sd_event_add_signal(d->event, NULL, SIGINT, on_term, d) < 0)
        return -1;
    if (d->o.startup_s &&
            sd_event_add_time_relative(d->event, &d->startup, CLOCK_MONOTONIC,
                    d->o.startup_s * SECOND_US, 0, on_startup, d) < 0)
        return -1;
    return 0;
}

int main(int argc, char **argv)
{
    static struct daemon d = {.listener = -1, .ready_fd = -1};
    int code;

    check_stdio();
    code = options_parse(argc, argv, &d.o);
    if (code >= 0)
        return code;
    if (chdir(d.o.socket_dir) < 0) {
        (void)fprintf(stderr, "qrexec-daemon: %s: %s\n", d.o.socket_dir,
                strerror(errno));
        return 1;
    }
    if (!d.o.direct)
        daemonise(&d);
    (void)umask(0077);
    ports_init(&d.ports, d.o.domain);
    if (prepare(&d) < 0) {
        daemon_log(&d, "no event loop");
        return 1;
    }
    control_start(&d);
    code = sd_event_loop(d.event);
    clients_close(&d);
    control_fini(&d);
    return code < 0 ? 1 : code;
}
