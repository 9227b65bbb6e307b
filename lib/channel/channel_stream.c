/* SPDX-License-Identifier: Apache-2.0 */
#include "channel_private.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define ENVELOPE_PREFIX 4

struct channel_stream *channel_stream_new(
        struct channel *ch, enum channel_stream_kind kind)
{
    struct channel_stream *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return NULL;
    s->ch = ch;
    s->kind = kind;
    s->fd = -1;
    s->due = UINT64_MAX;
    s->head = BUF_INIT(ENVELOPE_PREFIX + LIMIT_LOG_ENTRY_MAX);
    channel_flow_begin(s);
    TAILQ_INSERT_TAIL(&ch->streams, s, link);
    ch->n_streams++;
    return s;
}

struct channel_stream *channel_stream_find(struct channel *ch, int32_t id)
{
    struct channel_stream *s;

    TAILQ_FOREACH (s, &ch->streams, link) {
        if (s->id == id && s->h2_open && !s->gone)
            return s;
    }
    return NULL;
}

static void close_fd(struct channel_stream *s)
{
    if (s->fd < 0)
        return;
    /* Another process may hold the same open file: close alone would leave
     * it in the epoll set. */
    (void)epoll_ctl(s->ch->epoll, EPOLL_CTL_DEL, s->fd, NULL);
    /* And a party that holds it only to watch must not keep the end from the
     * one that waits for it. */
    (void)shutdown(s->fd, SHUT_RDWR);
    (void)close(s->fd);
    s->fd = -1;
}

static void forget(struct channel_stream *s)
{
    close_fd(s);
    s->gone = true;
    s->ch->kick = true; /* reaped in the next channel_run at the latest */
}

void channel_stream_detach(struct channel_stream *s)
{
    if (s->fd >= 0)
        (void)epoll_ctl(s->ch->epoll, EPOLL_CTL_DEL, s->fd, NULL);
    s->fd = -1;
    forget(s);
}

void channel_stream_reap(struct channel *ch, bool all)
{
    struct channel_stream *s = TAILQ_FIRST(&ch->streams);

    while (s != NULL) {
        struct channel_stream *next = TAILQ_NEXT(s, link);
        /* nghttp2 points here until it has closed the stream. */
        if ((s->gone && !s->h2_open) || all) {
            close_fd(s);
            channel_flow_end(s);
            TAILQ_REMOVE(&ch->streams, s, link);
            ch->n_streams--;
            buf_fini(&s->head);
            buf_fini(&s->in);
            free(s);
        }
        s = next;
    }
}

int channel_stream_attach(struct channel_stream *s, int fd)
{
    /* Edge-triggered: bytes are taken and given until EAGAIN. */
    struct epoll_event ev = {
            .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
            .data.ptr = s,
    };
    if (epoll_ctl(s->ch->epoll, EPOLL_CTL_ADD, fd, &ev) != 0)
        return ERR_IO;
    s->fd = fd;
    return 0;
}

/* ---- answers --------------------------------------------------------- */

void channel_stream_answer(struct channel_stream *s, int code,
        const char *where, const char *reason)
{
    struct channel_answer a = {
            .code = code, .where = span_str(where), .reason = span_str(reason)};

    if (s->kind != CHANNEL_STREAM_CALL_OUT || s->answered)
        return;
    s->answered = true;
    s->ch->ops->answered(s->ch->arg, s->ch, (uint32_t)s->id, &a);
}

void channel_stream_abort(
        struct channel_stream *s, int code, const char *reason)
{
    if (s->gone)
        return;
    forget(s);
    channel_request_reset(s, false);
    channel_stream_answer(s, code, "channel", reason);
}

/* ---- from the peer to the local party -------------------------------- */

size_t channel_stream_pending(const struct channel_stream *s)
{
    return s->in.len - s->in_sent;
}

static void drop_input(struct channel_stream *s)
{
    s->deaf = true;
    s->dropped += channel_stream_pending(s);
    channel_flow_consume(s, channel_stream_pending(s));
    buf_fini(&s->in);
    s->in_sent = 0;
}

/* As many bytes as the local party takes now; 0 when none or never. */
static size_t send_some(struct channel_stream *s, struct span bytes)
{
    ssize_t n;

    if (s->fd < 0 || bytes.len == 0)
        return 0;
    do {
        n = send(s->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n >= 0)
        return (size_t)n;
    if (errno != EAGAIN)
        s->deaf = true;
    return 0;
}

/* What follows from the flags: half closes, clean ends, the stream's end. */
static void settle(struct channel_stream *s)
{
    bool flushed = channel_stream_pending(s) == 0 || s->deaf;

    if (s->gone)
        return;
    if (s->peer_ended && flushed && s->fd >= 0 && !s->shut) {
        (void)shutdown(s->fd, SHUT_WR);
        s->shut = true;
    }
    if (!s->h2_open && flushed) {
        forget(s);
        return;
    }
    /* Said all there is to say, and the local party hears nothing more.  A
     * server may end it at once (RFC 9113, 8.1). */
    if (!s->h2_open || !s->deaf || !s->local_ended)
        return;
    if (!s->ch->dialled || s->dropped > CHANNEL_DEAF_MAX)
        channel_request_reset(s, true);
    else if (s->due == UINT64_MAX)
        s->due = s->ch->now.mono_ms + CHANNEL_DEAF_MS;
}

void channel_stream_is_due(struct channel_stream *s)
{
    s->due = UINT64_MAX;
    if (s->deaf && s->local_ended)
        channel_request_reset(s, true);
    else
        channel_stream_abort(s, ERR_TIMEOUT, "no envelope in time");
}

void channel_stream_hang_up(struct channel_stream *s)
{
    drop_input(s);
    close_fd(s);
    buf_fini(&s->head);
    s->head_sent = 0;
    if (s->deferred)
        channel_flow_resume(s);
}

void channel_stream_settle(struct channel *ch)
{
    struct channel_stream *s;

    if (!ch->unsettled)
        return;
    ch->unsettled = false;
    TAILQ_FOREACH (s, &ch->streams, link)
        settle(s);
}

static void flush_input(struct channel_stream *s)
{
    while (channel_stream_pending(s) > 0 && !s->deaf) {
        size_t n = send_some(
                s, SPAN(s->in.ptr + s->in_sent, channel_stream_pending(s)));
        if (n == 0)
            break;
        s->in_sent += n;
        channel_flow_consume(s, n);
    }
    if (s->deaf && channel_stream_pending(s) > 0)
        drop_input(s);
    if (s->in_sent == s->in.len) {
        buf_reset(&s->in);
        s->in_sent = 0;
    }
    settle(s);
}

static void deliver(struct channel_stream *s, struct span bytes)
{
    s->ch->bytes_in += bytes.len;
    if (!s->deaf && channel_stream_pending(s) == 0) {
        size_t n = send_some(s, bytes);
        channel_flow_consume(s, n);
        bytes = SPAN(bytes.ptr + n, bytes.len - n);
    }
    if (s->deaf) {
        s->dropped += bytes.len;
        channel_flow_consume(s, bytes.len);
        drop_input(s);
        settle(s);
        return;
    }
    if (bytes.len == 0)
        return;
    /* Make place: what was sent goes, the rest is at most the window. */
    if (s->in.len + bytes.len > s->window) {
        buf_consume(&s->in, s->in_sent);
        s->in_sent = 0;
    }
    buf_append(&s->in, bytes);
    if (buf_ok(&s->in, NULL) != 0)
        channel_stream_abort(s, ERR_MEMORY, "out of memory");
}

/* u32 length and envelope; returns what lies behind it. */
static struct span take_envelope(struct channel_stream *s, struct span bytes)
{
    uint32_t len = 0;

    while (bytes.len > 0 && !s->gone && !s->announced) {
        size_t need = ENVELOPE_PREFIX;
        if (s->head.len >= ENVELOPE_PREFIX) {
            struct wire_reader r = wire_reader_of(buf_span(&s->head));
            if (!wire_get_u32be(&r, &len) || len == 0 ||
                    len > LIMIT_LOG_ENTRY_MAX) {
                channel_stream_abort(s, ERR_PEER, "length of the envelope");
                return SPAN_EMPTY;
            }
            need += len;
        }
        size_t take = need - s->head.len;
        if (take > bytes.len)
            take = bytes.len;
        buf_append(&s->head, SPAN(bytes.ptr, take));
        if (buf_ok(&s->head, NULL) != 0) {
            channel_stream_abort(s, ERR_MEMORY, "out of memory");
            return SPAN_EMPTY;
        }
        channel_flow_consume(s, take);
        bytes = SPAN(bytes.ptr + take, bytes.len - take);
        if (len > 0 && s->head.len == need)
            s->announced = true;
    }
    return bytes;
}

static void announce(struct channel_stream *s)
{
    struct span envelope =
            SPAN(s->head.ptr + ENVELOPE_PREFIX, s->head.len - ENVELOPE_PREFIX);

    s->due = UINT64_MAX;
    s->ch->ops->incoming(s->ch->arg, s->ch, (uint32_t)s->id, envelope);
    buf_fini(&s->head);
}

void channel_stream_input(struct channel_stream *s, struct span untrusted)
{
    if (s->gone || !s->h2_open)
        return;
    if (s->kind == CHANNEL_STREAM_ATTEST) {
        channel_flow_consume(s, untrusted.len);
        channel_round_input(s->ch, untrusted);
        return;
    }
    if (s->kind == CHANNEL_STREAM_CALL_IN && !s->announced) {
        untrusted = take_envelope(s, untrusted);
        if (s->announced && !s->gone)
            announce(s);
    }
    if (untrusted.len > 0 && !s->gone)
        deliver(s, untrusted);
}

void channel_stream_peer_ended(struct channel_stream *s)
{
    if (s->gone)
        return;
    s->peer_ended = true;
    if (s->kind == CHANNEL_STREAM_CALL_IN && !s->announced)
        channel_stream_abort(s, ERR_PEER, "call without an envelope");
    else
        settle(s);
}

void channel_stream_sent_end(struct channel_stream *s)
{
    s->local_ended = true;
    s->ch->unsettled = true;
}

/* ---- from the local party to the peer -------------------------------- */

static ssize_t output_head(struct channel_stream *s, uint8_t *ret, size_t cap)
{
    size_t n = s->head.len - s->head_sent;

    if (n > cap)
        n = cap;
    memcpy(ret, s->head.ptr + s->head_sent, n);
    s->head_sent += n;
    if (s->head_sent == s->head.len) {
        buf_fini(&s->head);
        s->head_sent = 0;
    }
    return (ssize_t)n;
}

static ssize_t output_attest(struct channel_stream *s, uint8_t *ret, size_t cap)
{
    struct channel_attest *a = &s->ch->attest;
    enum channel_attest_want want = channel_attest_want(a);
    size_t n = a->out.len < cap ? a->out.len : cap;

    if (n > 0) {
        memcpy(ret, a->out.ptr, n);
        buf_consume(&a->out, n);
        return (ssize_t)n;
    }
    if (want == CHANNEL_ATTEST_DONE || want == CHANNEL_ATTEST_FAILED)
        return CHANNEL_STREAM_END;
    s->deferred = true;
    return CHANNEL_STREAM_WAIT;
}

ssize_t channel_stream_output(
        struct channel_stream *s, uint8_t *ret, size_t cap)
{
    ssize_t n;

    if (s->kind == CHANNEL_STREAM_ATTEST)
        return output_attest(s, ret, cap);
    if (s->kind == CHANNEL_STREAM_CALL_OUT && s->head.len > 0)
        return output_head(s, ret, cap);
    if (s->fd < 0)
        return CHANNEL_STREAM_END;
    do {
        n = recv(s->fd, ret, cap, MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n > 0) {
        s->ch->bytes_out += (uint64_t)n;
        return n;
    }
    if (n < 0 && errno == EAGAIN) {
        s->deferred = true;
        return CHANNEL_STREAM_WAIT;
    }
    /* A reset of the local party is an end too: what it means stands in the
     * bytes, which end with an exit code or do not. */
    return CHANNEL_STREAM_END;
}

/* ---- events ---------------------------------------------------------- */

void channel_stream_event(struct channel_stream *s, uint32_t events)
{
    if (s->gone)
        return;
    if ((events & (EPOLLHUP | EPOLLERR)) != 0)
        s->deaf = true;
    if (s->deferred && (events & ~(uint32_t)EPOLLOUT) != 0)
        channel_flow_resume(s);
    flush_input(s);
}

void channel_stream_h2_closed(struct channel_stream *s, bool clean)
{
    if (!s->h2_open)
        return;
    s->h2_open = false;
    if (s->gone)
        return;
    channel_stream_answer(s, ERR_PEER, "channel", "the peer reset the call");
    if (s->gone)
        return;
    /* Bytes that came before an orderly end still reach the local party. */
    if (clean && s->peer_ended && s->fd >= 0)
        settle(s);
    else
        forget(s);
}
