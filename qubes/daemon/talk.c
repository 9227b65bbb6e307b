/* SPDX-License-Identifier: Apache-2.0 */
#include "talk.h"

#include "link.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define OUT_MAX (128u * 1024)
/* A listener whose queue is full is asked again. */
#define AGAIN_US 20000
#define SECOND   1000000ull

struct talk {
    struct talk_config config; /* path and text: see below */
    struct sockaddr_un addr;
    uint8_t *text;
    struct link *link; /* NULL: not connected yet */
    sd_event_source *io;
    sd_event_source *again;
    sd_event_source *deadline;
};

void talk_free(struct talk *t)
{
    if (!t)
        return;
    sd_event_source_disable_unref(t->io);
    sd_event_source_disable_unref(t->again);
    sd_event_source_disable_unref(t->deadline);
    link_free(t->link);
    free(t->text);
    free(t);
}

static void tell(struct talk *t, int r, struct err *err)
{
    t->config.fn(t->config.ctx, r, err);
}

/* The last call. */
static void fail(struct talk *t, int r, struct err *err)
{
    sd_event_source_disable_unref(TAKE_PTR(t->io));
    sd_event_source_disable_unref(TAKE_PTR(t->again));
    sd_event_source_disable_unref(TAKE_PTR(t->deadline));
    tell(t, r, err);
}

static int poll_again(struct talk *t, struct err *err)
{
    short events = link_events(t->link);
    int r = sd_event_source_set_io_events(t->io, (uint32_t)events);

    if (r < 0)
        return err_set(err, ERR_IO, "event loop: %s", strerror(-r));
    if (t->config.end && !(events & POLLOUT)) {
        t->config.end = false;
        link_end(t->link);
    }
    return 0;
}

static int on_io(sd_event_source *s, int fd, uint32_t revents, void *ctx)
{
    struct talk *t = ctx;
    struct err err = {0};
    size_t before = link_in(t->link).len;
    int r = link_flush(t->link, &err);

    (void)s;
    (void)fd;
    if (!r && (revents & ~(uint32_t)EPOLLOUT))
        r = link_recv(t->link, &err);
    if (!r && link_in(t->link).len > t->config.in_max)
        r = err_set(&err, ERR_LIMIT, "answer of more than %zu bytes",
                t->config.in_max);
    if (!r)
        r = poll_again(t, &err);
    if (r)
        fail(t, r, &err);
    else if (link_in(t->link).len > before)
        tell(t, 0, &err);
    return 0;
}

static int start(struct talk *t, int fd, struct err *err)
{
    const struct talk_config *c = &t->config;
    int r;

    t->link = link_new_stream(fd, c->in_max + 1, OUT_MAX);
    if (!t->link) {
        (void)close(fd);
        return err_set(err, ERR_MEMORY, "no memory");
    }
    r = sd_event_add_io(c->event, &t->io, fd, EPOLLIN, on_io, t);
    if (r < 0)
        return err_set(err, ERR_IO, "event loop: %s", strerror(-r));
    if (c->text.len) {
        r = link_send(t->link, c->text, NULL, 0, err);
        /* Who closes at once may have said why before. */
        if (r == ERR_PEER)
            r = 0;
    }
    return r ? r : poll_again(t, err);
}

static int connect_now(struct talk *t, struct err *err);

static int on_again(sd_event_source *s, uint64_t usec, void *ctx)
{
    struct talk *t = ctx;
    struct err err = {0};
    int r;

    (void)s;
    (void)usec;
    sd_event_source_disable_unref(TAKE_PTR(t->again));
    r = connect_now(t, &err);
    if (r)
        fail(t, r, &err);
    return 0;
}

static int connect_again(struct talk *t, struct err *err)
{
    int r = sd_event_add_time_relative(t->config.event, &t->again,
            CLOCK_MONOTONIC, AGAIN_US, 1000, on_again, t);

    return r < 0 ? err_set(err, ERR_IO, "event loop: %s", strerror(-r)) : 0;
}

static int connect_now(struct talk *t, struct err *err)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int e;

    if (fd < 0)
        return err_errno(err, "socket");
    if (connect(fd, (struct sockaddr *)&t->addr, sizeof(t->addr)) == 0)
        return start(t, fd, err);
    e = errno;
    (void)close(fd);
    if (e == EAGAIN || e == EINTR)
        return connect_again(t, err);
    return err_set(err,
            e == ENOENT || e == ECONNREFUSED ? ERR_NOT_FOUND : ERR_IO, "%s: %s",
            t->addr.sun_path, strerror(e));
}

static int on_deadline(sd_event_source *s, uint64_t usec, void *ctx)
{
    struct talk *t = ctx;
    struct err err = {0};

    (void)s;
    (void)usec;
    fail(t,
            err_set(&err, ERR_TIMEOUT, "no answer within %u s",
                    t->config.timeout_s),
            &err);
    return 0;
}

static int prepare(struct talk *t, const struct talk_config *c, struct err *err)
{
    int r;

    t->config = *c;
    t->addr.sun_family = AF_UNIX;
    if (strlen(c->path) >= sizeof(t->addr.sun_path))
        return err_set(err, ERR_LIMIT, "socket path is too long: %s", c->path);
    memcpy(t->addr.sun_path, c->path, strlen(c->path));
    t->text = malloc(c->text.len + 1);
    if (!t->text)
        return err_set(err, ERR_MEMORY, "no memory");
    if (c->text.len)
        memcpy(t->text, c->text.ptr, c->text.len);
    t->config.text = SPAN(t->text, c->text.len);
    r = sd_event_add_time_relative(c->event, &t->deadline, CLOCK_MONOTONIC,
            c->timeout_s * SECOND, 0, on_deadline, t);
    return r < 0 ? err_set(err, ERR_IO, "event loop: %s", strerror(-r)) : 0;
}

int talk_new(const struct talk_config *c, struct talk **ret, struct err *err)
{
    struct talk *t = calloc(1, sizeof(*t));
    int r;

    if (!t)
        return err_set(err, ERR_MEMORY, "no memory");
    r = prepare(t, c, err);
    if (!r)
        r = connect_now(t, err);
    if (r)
        talk_free(t);
    else
        *ret = t;
    return r;
}

struct span talk_in(const struct talk *t)
{
    return t->link ? link_in(t->link) : SPAN_EMPTY;
}

void talk_consume(struct talk *t, size_t n)
{
    link_consume(t->link, n);
}

int talk_send(struct talk *t, struct span bytes, struct err *err)
{
    int r = link_send(t->link, bytes, NULL, 0, err);

    return r ? r : poll_again(t, err);
}

void talk_no_deadline(struct talk *t)
{
    sd_event_source_disable_unref(TAKE_PTR(t->deadline));
}
