/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stands in for qubesd: qubesd-stub DIR.  Serves DIR/qubesd.internal.sock
 * (internal.GetSystemInfo: the text of DIR/info.json) and DIR/qubesd.sock
 * (admin.Events).  SIGUSR1 sends an event to all subscribers, SIGUSR2 ends
 * their subscriptions.  A file DIR/silent: GetSystemInfo is taken and not
 * answered; DIR/no-events: subscriptions are refused; DIR/error: GetSystemInfo
 * is answered with an exception.  Each fetch adds a byte to DIR/fetches, each
 * event sent to DIR/events.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SUBSCRIBERS_MAX 16
#define SILENT_MAX      64

static const char *dir;
static int subscribers[SUBSCRIBERS_MAX], n_subscribers;
static int silent[SILENT_MAX], n_silent;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static const char *in_dir(const char *name)
{
    static char path[108];

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

static int listen_at(const char *name)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", in_dir(name));
    (void)unlink(sun.sun_path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0 ||
            listen(fd, 64) < 0)
        die(name);
    return fd;
}

static void mark(const char *name)
{
    int fd = open(in_dir(name), O_WRONLY | O_CREAT | O_APPEND, 0600);

    if (fd < 0 || write(fd, "x", 1) != 1)
        die(name);
    (void)close(fd);
}

static void send_bytes(int fd, const char *bytes, size_t len)
{
    (void)!send(fd, bytes, len, MSG_NOSIGNAL);
}

static void read_all(int fd, char *buf, size_t cap)
{
    size_t len = 0;
    ssize_t n;

    while (len < cap - 1 && (n = read(fd, buf + len, cap - 1 - len)) > 0)
        len += (size_t)n;
    buf[len] = '\0';
}

static void send_info(int fd)
{
    char buf[65536];
    int file = open(in_dir("info.json"), O_RDONLY);
    ssize_t n;

    if (file < 0)
        die("info.json");
    send_bytes(fd, "0", 2);
    while ((n = read(file, buf, sizeof(buf))) > 0)
        send_bytes(fd, buf, (size_t)n);
    (void)close(file);
}

static void serve_internal(int fd)
{
    char head[256];

    read_all(fd, head, sizeof(head));
    if (strcmp(head, "internal.GetSystemInfo+ dom0 name dom0") != 0) {
        (void)fprintf(stderr, "qubesd-stub: '%s'\n", head);
    } else if (access(in_dir("silent"), F_OK) == 0) {
        mark("fetches");
        if (n_silent < SILENT_MAX)
            silent[n_silent++] = fd;
        return;
    } else if (access(in_dir("error"), F_OK) == 0) {
        static const char what[] = "2\0QubesException\0\0sorry\0";

        mark("fetches");
        send_bytes(fd, what, sizeof(what) - 1);
    } else {
        mark("fetches");
        send_info(fd);
    }
    (void)close(fd);
}

static void serve_admin(int fd)
{
    static const char hello[] = "1\0\0connection-established\0";
    static const char no[] = "2\0PermissionDenied\0\0no\0";
    char head[256];

    read_all(fd, head, sizeof(head));
    if (strcmp(head, "admin.Events+ dom0 name dom0") != 0 ||
            n_subscribers == SUBSCRIBERS_MAX ||
            access(in_dir("no-events"), F_OK) == 0) {
        send_bytes(fd, no, sizeof(no) - 1);
        (void)close(fd);
        return;
    }
    send_bytes(fd, hello, sizeof(hello));
    subscribers[n_subscribers++] = fd;
}

static void on_signal(int fd)
{
    static const char event[] = "1\0work\0domain-tag-add:x\0tag\0x\0";
    struct signalfd_siginfo si;

    if (read(fd, &si, sizeof(si)) != sizeof(si))
        die("signal");
    for (int i = 0; i < n_subscribers; i++) {
        if (si.ssi_signo == SIGUSR1)
            send_bytes(subscribers[i], event, sizeof(event));
        else
            (void)close(subscribers[i]);
    }
    if (si.ssi_signo == SIGUSR2)
        n_subscribers = 0;
    mark("events");
}

int main(int argc, char **argv)
{
    struct pollfd p[3] = {
            {.events = POLLIN}, {.events = POLLIN}, {.events = POLLIN}};
    sigset_t set;

    if (argc != 2)
        return 2;
    dir = argv[1];
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGUSR1);
    (void)sigaddset(&set, SIGUSR2);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    p[0].fd = listen_at("qubesd.internal.sock");
    p[1].fd = listen_at("qubesd.sock");
    p[2].fd = signalfd(-1, &set, SFD_CLOEXEC);
    for (;;) {
        if (poll(p, 3, -1) < 0)
            die("poll");
        if (p[2].revents)
            on_signal(p[2].fd);
        if (p[0].revents)
            serve_internal(accept(p[0].fd, NULL, NULL));
        if (p[1].revents)
            serve_admin(accept(p[1].fd, NULL, NULL));
    }
}
