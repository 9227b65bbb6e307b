/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Socket vchan (qubes-core-vchan-socket): an unframed Unix stream whose path
 * is made of two domain ids and a port.  A client may come first; it looks for
 * its server again and again.
 */
#include "link_private.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* How often a client looks: a call waits for this, so often at first. */
#define QUICK_TRIES  50
#define QUICK_NS     200000
#define STEADY_TRIES 1000
#define STEADY_NS    1000000
#define SLOW_NS      20000000

struct link_port {
    int fd; /* the server's listener or the client's timer */
    bool is_server;
    bool bound; /* the path is ours to remove */
    struct sockaddr_un addr;
    unsigned tries;
    uint64_t deadline_ms; /* client; 0 = none */
};

static uint64_t now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int own_domain(uint32_t *ret, struct err *err)
{
    const char *text = getenv("VCHAN_DOMAIN");
    uint64_t id;

    if (!text || !text_parse_u64(span_str(text), &id) || id > UINT32_MAX)
        return err_set(err, ERR_USAGE,
                "set VCHAN_DOMAIN to the number of this domain");
    *ret = (uint32_t)id;
    return 0;
}

static int set_path(
        struct link_port *p, uint32_t peer, uint32_t port, struct err *err)
{
    const char *dir = getenv("VCHAN_SOCKET_DIR");
    uint32_t own = 0;
    int r = own_domain(&own, err);
    int n;

    if (r)
        return r;
    p->addr.sun_family = AF_UNIX;
    n = snprintf(p->addr.sun_path, sizeof(p->addr.sun_path),
            "%s/vchan.%u.%u.%u.sock", dir && *dir ? dir : LINK_VCHAN_DIR,
            p->is_server ? own : peer, p->is_server ? peer : own, port);
    if (n < 0 || (size_t)n >= sizeof(p->addr.sun_path))
        return err_set(err, ERR_USAGE, "VCHAN_SOCKET_DIR is too long");
    return 0;
}

static int new_port(bool is_server, uint32_t peer, uint32_t port,
        struct link_port **ret, struct err *err)
{
    struct link_port *p = calloc(1, sizeof(*p));
    int r;

    if (!p)
        return err_set(err, ERR_MEMORY, "no memory for a vchan");
    p->fd = -1;
    p->is_server = is_server;
    r = set_path(p, peer, port, err);
    if (r)
        link_port_free(p);
    else
        *ret = p;
    return r;
}

void link_port_free(struct link_port *p)
{
    if (!p)
        return;
    if (p->bound)
        (void)unlink(p->addr.sun_path);
    if (p->fd >= 0)
        (void)close(p->fd);
    free(p);
}

void link_port_free_ptr(struct link_port **p)
{
    link_port_free(*p);
}

int link_port_fd(const struct link_port *p)
{
    return p->fd;
}

/* ---- server ---------------------------------------------------------- */

int link_port_listen(
        uint32_t client, uint32_t port, struct link_port **ret, struct err *err)
{
    CLEANUP(link_port_free_ptr) struct link_port *p = NULL;
    int r = new_port(true, client, port, &p, err);

    if (r)
        return r;
    p->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    (void)unlink(p->addr.sun_path);
    if (p->fd < 0 ||
            bind(p->fd, (struct sockaddr *)&p->addr, sizeof(p->addr)) < 0)
        return err_errno(err, "%s", p->addr.sun_path);
    p->bound = true;
    if (listen(p->fd, 1) < 0)
        return err_errno(err, "%s", p->addr.sun_path);
    *ret = TAKE_PTR(p);
    return 0;
}

static int open_server(struct link_port *p, int *ret, struct err *err)
{
    int fd = accept4(p->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0)
        return errno == EAGAIN || errno == EINTR || errno == ECONNABORTED
                       ? err_set(err, ERR_STATE, "no client yet")
                       : err_errno(err, "%s", p->addr.sun_path);
    /* Gone before the port is used again: it may be as soon as we close. */
    (void)unlink(p->addr.sun_path);
    p->bound = false;
    (void)close(p->fd);
    p->fd = -1;
    *ret = fd;
    return 0;
}

/* ---- client ---------------------------------------------------------- */

static int arm(struct link_port *p, long ns, struct err *err)
{
    struct itimerspec t = {.it_value = {.tv_nsec = ns}};

    return timerfd_settime(p->fd, 0, &t, NULL) < 0
                   ? err_errno(err, "timerfd_settime")
                   : 0;
}

int link_port_connect(uint32_t server, uint32_t port, unsigned timeout_ms,
        struct link_port **ret, struct err *err)
{
    CLEANUP(link_port_free_ptr) struct link_port *p = NULL;
    int r = new_port(false, server, port, &p, err);

    if (r)
        return r;
    if (timeout_ms)
        p->deadline_ms = now_ms() + timeout_ms;
    p->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (p->fd < 0)
        return err_errno(err, "timerfd_create");
    r = arm(p, 1, err); /* the first look is due at once */
    if (r)
        return r;
    *ret = TAKE_PTR(p);
    return 0;
}

/* A server that is not there, or not yet: what a further look can mend. */
static bool is_absent(int error)
{
    return error == ENOENT || error == ECONNREFUSED || error == EAGAIN ||
           error == EINTR;
}

static int look_again(struct link_port *p, struct err *err)
{
    long ns = p->tries < QUICK_TRIES    ? QUICK_NS
              : p->tries < STEADY_TRIES ? STEADY_NS
                                        : SLOW_NS;
    int r;

    if (p->deadline_ms && now_ms() >= p->deadline_ms)
        return err_set(
                err, ERR_TIMEOUT, "no server at %s in time", p->addr.sun_path);
    p->tries++;
    r = arm(p, ns, err);
    return r ? r : err_set(err, ERR_STATE, "no server yet");
}

static int open_client(struct link_port *p, int *ret, struct err *err)
{
    uint64_t expired;
    int fd;

    if (read(p->fd, &expired, sizeof(expired)) < 0 && errno != EAGAIN)
        return err_errno(err, "timerfd");
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_errno(err, "socket");
    if (connect(fd, (struct sockaddr *)&p->addr, sizeof(p->addr)) == 0) {
        *ret = fd;
        return 0;
    }
    (void)close(fd);
    if (!is_absent(errno))
        return err_errno(err, "%s", p->addr.sun_path);
    return look_again(p, err);
}

/* ---- both ------------------------------------------------------------ */

int link_port_open(struct link_port *p, size_t in_cap, size_t out_cap,
        struct link **ret, struct err *err)
{
    struct link *l;
    int fd = -1;
    int r = p->is_server ? open_server(p, &fd, err) : open_client(p, &fd, err);

    if (r)
        return r;
    l = link_new_stream(fd, in_cap, out_cap);
    if (!l) {
        (void)close(fd);
        return err_set(err, ERR_MEMORY, "no memory for a vchan");
    }
    *ret = l;
    return 0;
}

int link_port_wait(struct link_port *p, unsigned timeout_ms, size_t in_cap,
        size_t out_cap, struct link **ret, struct err *err)
{
    uint64_t end = now_ms() + timeout_ms;

    for (;;) {
        struct pollfd pfd = {.fd = p->fd, .events = POLLIN};
        uint64_t now = now_ms();
        int r = link_port_open(p, in_cap, out_cap, ret, err);

        if (r != ERR_STATE)
            return r;
        if (timeout_ms && now >= end)
            return err_set(
                    err, ERR_TIMEOUT, "nobody at %s in time", p->addr.sun_path);
        if (poll(&pfd, 1, timeout_ms ? (int)(end - now) : -1) < 0 &&
                errno != EINTR)
            return err_errno(err, "poll");
    }
}
