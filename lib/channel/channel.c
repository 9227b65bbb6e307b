/* SPDX-License-Identifier: Apache-2.0 */
#include "channel_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

/* Sockets of one channel_run, so that many channels share one thread fairly. */
#define EVENTS_PER_RUN 64

static const char *const state_names[] = {
        [CHANNEL_CONNECTING] = "connecting",
        [CHANNEL_ATTESTING] = "attesting",
        [CHANNEL_OPEN] = "open",
        [CHANNEL_CLOSED] = "closed",
};

const char *channel_state_name(enum channel_state s)
{
    return state_names[s];
}

/* ---- life ------------------------------------------------------------ */

static struct channel *channel_new(struct channel_context *c, int fd,
        const char *peer, const struct channel_ops *ops, void *arg,
        const struct channel_time *now, struct err *err)
{
    struct epoll_event ev = {.events = EPOLLIN};
    struct channel *ch = calloc(1, sizeof(*ch));

    if (ch == NULL) {
        (void)err_set(err, ERR_MEMORY, "out of memory");
        return NULL;
    }
    TAILQ_INIT(&ch->streams);
    ch->ctx = channel_context_ref(c);
    ch->ops = ops;
    ch->arg = arg;
    ch->now = *now;
    ch->probe_end_ms = UINT64_MAX;
    ch->since_ms = ch->rx_ms = ch->tx_ms = now->mono_ms;
    ch->dialled = peer != NULL;
    ch->fd = -1;
    ch->exporter = channel_tls_export;
    ch->interest = ev.events;
    ch->early = BUF_INIT(CHANNEL_RECORD);
    ch->epoll = epoll_create1(EPOLL_CLOEXEC);
    ch->tls = channel_tls_new(c, fd, peer, err);
    if (ch->tls == NULL) {
        channel_free(ch);
        return NULL;
    }
    if (ch->epoll < 0 || epoll_ctl(ch->epoll, EPOLL_CTL_ADD, fd, &ev) != 0) {
        (void)err_errno(err, "epoll");
        channel_free(ch);
        return NULL;
    }
    ch->fd = fd;
    channel_io_tune(fd);
    ch->kick = true;
    /* A client speaks first: as soon as the socket can be written. */
    if (ch->dialled) {
        ev.events = EPOLLOUT;
        (void)epoll_ctl(ch->epoll, EPOLL_CTL_MOD, fd, &ev);
        ch->interest = ev.events;
    }
    return ch;
}

struct channel *channel_dial(struct channel_context *c, int fd,
        const char *peer, const struct channel_ops *ops, void *arg,
        const struct channel_time *now, struct err *err)
{
    struct channel *ch;

    if (!text_is_name(span_str(peer), LIMIT_ZONE_NAME_MAX)) {
        (void)err_set(err, ERR_USAGE, "name of the zone to dial");
        return NULL;
    }
    ch = channel_new(c, fd, peer, ops, arg, now, err);
    if (ch != NULL)
        (void)snprintf(ch->peer, sizeof(ch->peer), "%s", peer);
    return ch;
}

struct channel *channel_accept(struct channel_context *c, int fd,
        const struct channel_ops *ops, void *arg,
        const struct channel_time *now, struct err *err)
{
    return channel_new(c, fd, NULL, ops, arg, now, err);
}

void channel_free(struct channel *ch)
{
    if (ch == NULL)
        return;
    channel_stream_reap(ch, true);
    channel_h2_free(ch);
    channel_tls_free(ch->tls);
    channel_attest_fini(&ch->attest);
    buf_fini(&ch->early);
    if (ch->fd >= 0)
        (void)close(ch->fd);
    if (ch->epoll >= 0)
        (void)close(ch->epoll);
    channel_context_unref(ch->ctx);
    free(ch);
}

int channel_fd(const struct channel *ch)
{
    return ch->epoll;
}

void channel_probe(struct channel *ch, const struct channel_time *now)
{
    ch->now = *now;
    if (ch->state != CHANNEL_OPEN || ch->probe_end_ms != UINT64_MAX)
        return;
    ch->probe_end_ms = now->mono_ms + CHANNEL_PROBE_MS;
    channel_h2_ping(ch);
    channel_io_wake(ch);
}

void channel_close(struct channel *ch, int code, const char *reason)
{
    channel_end(ch, code, "%s", reason);
    channel_io_wake(ch);
}

void channel_close_saying(struct channel *ch, enum channel_reason why, int code,
        const char *reason)
{
    if (ch->state == CHANNEL_OPEN)
        channel_h2_goodbye(ch, why);
    channel_close(ch, code, reason);
}

static uint64_t held(const struct channel *ch)
{
    const struct channel_stream *s;
    uint64_t n = 0;

    TAILQ_FOREACH (s, &ch->streams, link)
        n += channel_stream_pending(s);
    return n;
}

void channel_status(const struct channel *ch, struct channel_status *ret)
{
    bool known = ch->dialled || ch->state != CHANNEL_CONNECTING;

    *ret = (struct channel_status){
            .state = ch->state,
            .dialled = ch->dialled,
            .peer = known ? ch->peer : "",
            .since_ms = ch->since_ms,
            .expires = ch->tls != NULL && ch->rounds > 0
                               ? channel_deadline_expires(ch)
                               : 0,
            .rounds = ch->rounds,
            .streams = ch->n_streams,
            .rtt_ms = ch->rtt_ms,
            .held = held(ch),
            .bytes_in = ch->bytes_in,
            .bytes_out = ch->bytes_out,
    };
}

const char *channel_peer(const struct channel *ch)
{
    return ch->state == CHANNEL_CONNECTING && !ch->dialled ? "" : ch->peer;
}

const struct crypto_pub *channel_identity(const struct channel *ch)
{
    return ch->state == CHANNEL_CONNECTING || ch->tls == NULL
                   ? NULL
                   : channel_tls_peer_identity(ch->tls);
}

/* ---- end ------------------------------------------------------------- */

static void cut_streams(struct channel *ch, int code, const char *reason)
{
    struct channel_stream *s;

    TAILQ_FOREACH (s, &ch->streams, link) {
        /* A round's last word still has to leave. */
        if (s != ch->attest_stream)
            channel_stream_abort(s, code, reason);
    }
}

void channel_end(struct channel *ch, int code, const char *fmt, ...)
{
    va_list ap;

    if (ch->ending || ch->over)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(ch->end_reason, sizeof(ch->end_reason), fmt, ap);
    va_end(ap);
    ch->ending = true;
    ch->attesting = false;
    ch->state = CHANNEL_CLOSED;
    ch->end_code = code;
    ch->end_ms = ch->now.mono_ms + CHANNEL_LINGER_MS;
    ch->kick = true;
    cut_streams(ch, code, ch->end_reason);
}

/* Everything is released but the struct; then the user hears of it. */
static void finish(struct channel *ch)
{
    if (ch->tls != NULL && ch->out_len == ch->out_sent)
        channel_tls_shutdown(ch->tls);
    channel_stream_reap(ch, true);
    channel_h2_free(ch);
    channel_tls_free(ch->tls);
    ch->tls = NULL;
    ch->attest_stream = NULL;
    channel_attest_fini(&ch->attest);
    if (ch->fd >= 0)
        (void)close(ch->fd);
    ch->fd = -1;
    ch->over = true;
    ch->ops->closed(ch->arg, ch, ch->end_code, ch->end_reason);
}

/* ---- run ------------------------------------------------------------- */

static void handshake(struct channel *ch)
{
    struct err err = {0};
    int rc = channel_tls_handshake(ch->tls, ch->now.unix_s, &err);

    if (rc == ERR_STATE)
        return;
    if (rc != 0) {
        channel_end(ch, rc, "%s", err.msg);
        return;
    }
    (void)snprintf(ch->peer, sizeof(ch->peer), "%s", channel_tls_peer(ch->tls));
    ch->state = CHANNEL_ATTESTING;
    ch->rx_ms = ch->now.mono_ms;
    if (channel_round_begin(ch) != 0)
        channel_end(ch, ERR_MEMORY, "out of memory");
    channel_round_step(ch);
}

static void take_events(struct channel *ch, uint32_t *ret_tcp)
{
    struct epoll_event ev[EVENTS_PER_RUN];
    int n = epoll_wait(ch->epoll, ev, ARRAY_LEN(ev), 0);

    for (int i = 0; i < n; i++) {
        if (ev[i].data.ptr == NULL)
            *ret_tcp |= ev[i].events;
        else
            channel_stream_event(ev[i].data.ptr, ev[i].events);
    }
}

void channel_run(struct channel *ch, const struct channel_time *now)
{
    uint32_t tcp = 0;

    if (ch->over)
        return;
    ch->now = *now;
    ch->kick = false;
    take_events(ch, &tcp);
    if (ch->state == CHANNEL_CONNECTING)
        handshake(ch);
    if (ch->state != CHANNEL_CONNECTING)
        channel_io_read(ch);
    /* With reading off, this is the only sign that the peer went. */
    if ((tcp & (EPOLLHUP | EPOLLERR)) != 0 && !channel_io_may_read(ch)) {
        channel_end(ch, ERR_PEER, "connection lost");
        ch->end_ms = 0;
    }
    channel_deadline_run(ch);
    if (ch->state != CHANNEL_CONNECTING)
        channel_io_write(ch);
    channel_stream_settle(ch);
    if (ch->h2 != NULL && channel_h2_is_over(ch))
        channel_end(ch, ERR_PEER, "HTTP/2: violation or goodbye");
    if (ch->ending &&
            (now->mono_ms >= ch->end_ms || !channel_io_has_output(ch))) {
        finish(ch);
        return;
    }
    channel_stream_reap(ch, false);
    channel_io_update_interest(ch);
}
