/* SPDX-License-Identifier: Apache-2.0 */
#include "qubesd.h"

#include "buf.h"
#include "journal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

/* Before the clients' own sources: an event counts for what comes with it. */
#define PRIORITY_EVENTS (-20)
#define PRIORITY_FETCH  (-10)

#define FETCH_TIMEOUT_US (5u * 1000000)
#define RETRY_MIN_US     (100u * 1000)
#define RETRY_MAX_US     (5u * 1000000)

struct fetch {
    int fd; /* -1: none is under way */
    uint64_t began;
    struct buf buf;
    sd_event_source *io, *timer;
};

struct events {
    int fd; /* -1: no connection */
    bool live;
    uint8_t head[2]; /* the first bytes: "1\0" is a subscription */
    size_t n_head;
    uint64_t wait_us;
    sd_event_source *io, *timer;
};

struct qubesd {
    sd_event *event;
    const char *socket, *internal_socket;
    qubesd_done *done;
    void *ctx;
    struct info *info;
    uint64_t epoch;      /* rises with all that may have changed the state */
    uint64_t info_epoch; /* of the fetch that brought info */
    uint64_t info_us;    /* when that fetch began */
    struct fetch fetch;
    struct events events;
};

static uint64_t now_us(const struct qubesd *q)
{
    uint64_t now = 0;

    (void)sd_event_now(q->event, CLOCK_MONOTONIC, &now);
    return now;
}

/* Connects and asks; what comes back is read without blocking. */
static int call(const char *path, const char *method, int *ret, struct err *err)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    char head[128];
    int n = snprintf(head, sizeof(head), "%s+ dom0 name dom0", method);
    int fd;

    if (strlen(path) >= sizeof(sun.sun_path))
        return err_set(err, ERR_LIMIT, "path of a socket is too long");
    (void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_errno(err, "cannot make a socket");
    if (connect(fd, (const struct sockaddr *)&sun, sizeof(sun)) < 0 ||
            send(fd, head, (size_t)n + 1, MSG_NOSIGNAL) != n + 1 ||
            shutdown(fd, SHUT_WR) < 0) {
        (void)err_errno(err, "cannot reach qubesd at '%s'", path);
        (void)close(fd);
        return ERR_IO;
    }
    *ret = fd;
    return 0;
}

/* ---- state -------------------------------------------------------------- */

static void fetch_stop(struct fetch *f)
{
    f->io = sd_event_source_disable_unref(f->io);
    f->timer = sd_event_source_disable_unref(f->timer);
    if (f->fd >= 0)
        (void)close(f->fd);
    f->fd = -1;
    buf_fini(&f->buf);
}

/* "0\0" and the answer, or "2\0TYPE\0..." and what went wrong. */
static int judge_answer(struct span answer, struct info **ret, struct err *err)
{
    char safe[64];

    if (answer.len >= 2 && memcmp(answer.ptr, "0", 2) == 0)
        return info_parse(SPAN(answer.ptr + 2, answer.len - 2), ret, err);
    if (answer.len >= 2 && memcmp(answer.ptr, "2", 2) == 0) {
        text_format_safe(
                SPAN(answer.ptr + 2,
                        strnlen((const char *)answer.ptr + 2, answer.len - 2)),
                safe, sizeof(safe));
        return err_set(
                err, ERR_PEER, "qubesd refuses its system state: %s", safe);
    }
    return err_set(err, ERR_PEER, "qubesd answered nothing that is known");
}

static void fetch_end(
        struct qubesd *q, struct info *info, const struct err *err)
{
    uint64_t began = q->fetch.began;

    fetch_stop(&q->fetch);
    if (info) {
        info_free(q->info);
        q->info = info;
        q->info_epoch = began;
    } else {
        journal_note(LOG_WARNING, "%s", err->msg);
    }
    q->done(q->ctx, began, info ? NULL : err);
}

static int on_fetch_timeout(sd_event_source *s, uint64_t usec, void *ctx)
{
    struct qubesd *q = ctx;
    struct err err;

    (void)s;
    (void)usec;
    (void)err_set(&err, ERR_TIMEOUT, "qubesd does not tell its system state");
    fetch_end(q, NULL, &err);
    return 0;
}

static int on_fetch(sd_event_source *s, int fd, uint32_t revents, void *ctx)
{
    struct qubesd *q = ctx;
    struct info *info = NULL;
    struct err err = {.code = 0};
    ssize_t n;

    (void)s;
    (void)revents;
    for (;;) {
        uint8_t *room = buf_reserve(&q->fetch.buf, 65536);

        if (!room) {
            (void)!buf_ok(&q->fetch.buf, &err);
            break;
        }
        n = recv(fd, room, 65536, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return 0;
        if (n <= 0) {
            if (n < 0)
                (void)err_errno(&err, "qubesd");
            break;
        }
        buf_commit(&q->fetch.buf, (size_t)n);
    }
    if (err.code == 0)
        (void)!judge_answer(buf_span(&q->fetch.buf), &info, &err);
    fetch_end(q, info, &err);
    return 0;
}

static int fetch_arm(struct qubesd *q, struct err *err)
{
    struct fetch *f = &q->fetch;
    int r = sd_event_add_io(q->event, &f->io, f->fd, EPOLLIN, on_fetch, q);

    if (r >= 0)
        r = sd_event_source_set_priority(f->io, PRIORITY_FETCH);
    if (r >= 0)
        r = sd_event_add_time_relative(q->event, &f->timer, CLOCK_MONOTONIC,
                FETCH_TIMEOUT_US, 0, on_fetch_timeout, q);
    return r < 0 ? err_set(err, ERR_IO, "cannot wait for qubesd: %s",
                           strerror(-r))
                 : 0;
}

/* A fetch that cannot begin is over soon: never from within qubesd_info. */
static int on_fetch_failed(sd_event_source *s, uint64_t usec, void *ctx)
{
    struct qubesd *q = ctx;
    struct err err = {.code = 0};
    int fd;

    (void)s;
    (void)usec;
    /* The message is that of a second try, which may even succeed. */
    if (call(q->internal_socket, "internal.GetSystemInfo", &fd, &err) == 0) {
        q->fetch.timer = sd_event_source_disable_unref(q->fetch.timer);
        q->fetch.fd = fd;
        if (fetch_arm(q, &err) == 0)
            return 0;
    }
    fetch_end(q, NULL, &err);
    return 0;
}

static bool fetch_runs(const struct qubesd *q)
{
    return q->fetch.fd >= 0 || q->fetch.timer;
}

static void fetch_start(struct qubesd *q)
{
    struct fetch *f = &q->fetch;
    struct err err = {.code = 0};

    f->began = q->epoch;
    q->info_us = now_us(q);
    f->buf = BUF_INIT(INFO_MAX + 65536 + 2);
    if (call(q->internal_socket, "internal.GetSystemInfo", &f->fd, &err) == 0 &&
            fetch_arm(q, &err) == 0)
        return;
    fetch_stop(f);
    (void)sd_event_add_time_relative(
            q->event, &f->timer, CLOCK_MONOTONIC, 1000, 0, on_fetch_failed, q);
}

/* ---- events ------------------------------------------------------------- */

static int on_events_retry(sd_event_source *s, uint64_t usec, void *ctx);

static void events_lost(struct qubesd *q, const char *why)
{
    struct events *e = &q->events;

    if (e->live || e->wait_us == RETRY_MIN_US)
        journal_note(LOG_WARNING,
                "no events from qubesd (%s): the system state is fetched for "
                "each request",
                why);
    e->io = sd_event_source_disable_unref(e->io);
    if (e->fd >= 0)
        (void)close(e->fd);
    e->fd = -1;
    e->live = false;
    e->n_head = 0;
    q->epoch++;
    e->timer = sd_event_source_disable_unref(e->timer);
    (void)sd_event_add_time_relative(q->event, &e->timer, CLOCK_MONOTONIC,
            e->wait_us, 0, on_events_retry, q);
    e->wait_us = e->wait_us * 2 > RETRY_MAX_US ? RETRY_MAX_US : e->wait_us * 2;
}

/* What an event says does not matter: the state is not what it was. */
static void events_bytes(struct qubesd *q, struct span got)
{
    struct events *e = &q->events;

    while (e->n_head < sizeof(e->head) && got.len > 0) {
        e->head[e->n_head++] = got.ptr[0];
        got = SPAN(got.ptr + 1, got.len - 1);
    }
    if (e->n_head < sizeof(e->head))
        return;
    if (memcmp(e->head, "1", 2) != 0) {
        events_lost(q, "refused");
        return;
    }
    if (!e->live)
        journal_note(LOG_INFO, "events from qubesd");
    e->live = true;
    e->wait_us = RETRY_MIN_US;
    q->epoch++;
}

/* Takes all that has come by now. */
static void events_drain(struct qubesd *q)
{
    uint8_t buf[16384];
    ssize_t n;

    while (q->events.fd >= 0) {
        n = recv(q->events.fd, buf, sizeof(buf), MSG_DONTWAIT);
        if (n > 0)
            events_bytes(q, SPAN(buf, (size_t)n));
        else if (n < 0 && errno == EINTR)
            continue;
        else if (n < 0 && errno == EAGAIN)
            return;
        else
            events_lost(q, n == 0 ? "closed" : strerror(errno));
    }
}

static int on_events(sd_event_source *s, int fd, uint32_t revents, void *ctx)
{
    (void)s;
    (void)fd;
    (void)revents;
    events_drain(ctx);
    return 0;
}

static void events_start(struct qubesd *q)
{
    struct events *e = &q->events;
    struct err err = {.code = 0};

    if (call(q->socket, "admin.Events", &e->fd, &err) < 0) {
        events_lost(q, err.msg);
        return;
    }
    if (sd_event_add_io(q->event, &e->io, e->fd, EPOLLIN, on_events, q) < 0 ||
            sd_event_source_set_priority(e->io, PRIORITY_EVENTS) < 0)
        events_lost(q, "out of memory");
}

static int on_events_retry(sd_event_source *s, uint64_t usec, void *ctx)
{
    struct qubesd *q = ctx;

    (void)s;
    (void)usec;
    events_start(q);
    return 0;
}

/* ---- the door ----------------------------------------------------------- */

int qubesd_new(sd_event *event, const char *socket, const char *internal_socket,
        qubesd_done *done, void *ctx, struct qubesd **ret, struct err *err)
{
    struct qubesd *q = calloc(1, sizeof(*q));

    if (!q)
        return err_set(err, ERR_MEMORY, "out of memory");
    q->event = event;
    q->socket = socket;
    q->internal_socket = internal_socket;
    q->done = done;
    q->ctx = ctx;
    q->epoch = 1;
    q->fetch.fd = q->events.fd = -1;
    q->events.wait_us = RETRY_MIN_US;
    events_start(q);
    *ret = q;
    return 0;
}

void qubesd_free(struct qubesd *q)
{
    if (!q)
        return;
    fetch_stop(&q->fetch);
    q->events.io = sd_event_source_disable_unref(q->events.io);
    q->events.timer = sd_event_source_disable_unref(q->events.timer);
    if (q->events.fd >= 0)
        (void)close(q->events.fd);
    info_free(q->info);
    free(q);
}

uint64_t qubesd_need(struct qubesd *q)
{
    events_drain(q);
    if (!q->events.live || now_us(q) - q->info_us > QUBESD_AGE_US)
        q->epoch++;
    return q->epoch;
}

const struct info *qubesd_info(struct qubesd *q, uint64_t need)
{
    events_drain(q);
    if (q->info && q->info_epoch >= need &&
            (!q->events.live || q->info_epoch == q->epoch))
        return q->info;
    if (!fetch_runs(q))
        fetch_start(q);
    return NULL;
}
