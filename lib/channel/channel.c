/* SPDX-License-Identifier: Apache-2.0 */
#include "channel_private.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Work of one channel_run, so that many channels share one thread fairly. */
#define READS_PER_RUN  8
#define WRITES_PER_RUN 16
#define EVENTS_PER_RUN 64
#define READ_SIZE      CHANNEL_FRAME

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

/* ---- readiness ------------------------------------------------------- */

/* While the peer has no turn, its bytes stay in the kernel. */
static bool may_read(const struct channel *ch)
{
    if (ch->ending)
        return false;
    return ch->state == CHANNEL_OPEN ||
           (ch->state == CHANNEL_ATTESTING && !ch->asked);
}

static bool has_output(const struct channel *ch)
{
    return ch->out_sent < ch->out_len;
}

static void update_interest(struct channel *ch)
{
    struct epoll_event ev = {.events = 0};
    bool more = ch->kick || has_output(ch) ||
                (ch->h2 != NULL && channel_h2_wants_write(ch)) ||
                (ch->h2 == NULL && ch->attest.out.len > 0);

    if (ch->state == CHANNEL_CONNECTING && !ch->ending)
        ev.events = channel_tls_wants_write(ch->tls) ? EPOLLOUT : EPOLLIN;
    else
        ev.events = (may_read(ch) ? EPOLLIN : 0u) | (more ? EPOLLOUT : 0u);
    if (ev.events == ch->interest)
        return;
    if (epoll_ctl(ch->epoll, EPOLL_CTL_MOD, ch->fd, &ev) == 0)
        ch->interest = ev.events;
}

/* Something changed from outside: the next channel_run is due at once. */
static void wake(struct channel *ch)
{
    ch->kick = true;
    if (!ch->over)
        update_interest(ch);
}

/* ---- attestation ----------------------------------------------------- */

static int begin_round(struct channel *ch)
{
    struct channel_attest_conf conf = {
            .role = ch->dialled ? CHANNEL_ATTEST_CLIENT : CHANNEL_ATTEST_SERVER,
            .round = (uint16_t)ch->rounds,
            .interval_s = channel_context_reattest_s(ch->ctx),
            .exporter = ch->exporter,
            .exporter_arg = ch->tls,
    };
    if (ch->attesting)
        return ERR_STATE;
    (void)snprintf(
            conf.zone, sizeof(conf.zone), "%s", channel_context_zone(ch->ctx));
    memcpy(conf.peer, ch->peer, sizeof(conf.peer));
    crypto_random(conf.nonce, sizeof(conf.nonce));
    if (ch->tls != NULL) {
        channel_tls_spki(ch->tls, conf.spki);
        channel_tls_peer_spki(ch->tls, conf.peer_spki);
    }
    channel_attest_fini(&ch->attest);
    int rc = channel_attest_init(&ch->attest, &conf);
    ch->attesting = rc == 0;
    ch->asked = false;
    return rc;
}

int channel_attest_begin(struct channel *ch)
{
    return ch->dialled || ch->rounds > CHANNEL_ATTEST_ROUND_MAX
                   ? ERR_STATE
                   : begin_round(ch);
}

/* Own record is durable: the first round opens, later ones renew. */
static void round_done(struct channel *ch)
{
    uint64_t own = channel_context_reattest_s(ch->ctx);
    uint64_t peer = ch->attest.peer_interval_s;

    ch->attesting = false;
    ch->rounds++;
    ch->interval_ms = 1000 * (own < peer ? own : peer);
    ch->attested_ms = ch->now.mono_ms;
    if (ch->h2 != NULL) {
        ch->rekey = ch->dialled; /* asks the peer for new keys as well */
        return;
    }
    if (channel_h2_new(ch) != 0) {
        channel_end(ch, ERR_MEMORY, "out of memory");
        return;
    }
    ch->state = CHANNEL_OPEN;
    channel_tls_read_ahead(ch->tls);
    ch->bare = ch->attest.out.len > 0;
}

/* Passes on the wish of the moment, once; moves bytes that became ready. */
static void attest_step(struct channel *ch)
{
    struct channel_attest *a = &ch->attest;

    ch->kick = true;
    if (ch->attest_stream != NULL && ch->attest_stream->deferred)
        channel_h2_resume(ch->attest_stream);
    if (!ch->attesting || ch->asked)
        return;
    switch (channel_attest_want(a)) {
    case CHANNEL_ATTEST_EVIDENCE:
        ch->asked = true;
        ch->ops->evidence(ch->arg, ch, a->binder);
        break;
    case CHANNEL_ATTEST_APPRAISE:
        ch->asked = true;
        ch->ops->appraise(
                ch->arg, ch, a->binder, buf_span(&a->untrusted_evidence));
        break;
    case CHANNEL_ATTEST_CONFIRM:
        ch->asked = true;
        ch->ops->accepted(ch->arg, ch, ch->rounds);
        break;
    case CHANNEL_ATTEST_DONE:
        round_done(ch);
        break;
    case CHANNEL_ATTEST_INPUT:
    case CHANNEL_ATTEST_FAILED:
        break;
    }
}

static size_t attest_feed(struct channel *ch, struct span untrusted)
{
    struct err err = {0};
    size_t used = 0;

    if (channel_attest_feed(&ch->attest, untrusted, &used, &err) != 0)
        channel_end(ch, err.code, "attestation: %s", err.msg);
    attest_step(ch);
    return used;
}

void channel_attest_input(struct channel *ch, struct span untrusted)
{
    if (!ch->attesting ||
            (attest_feed(ch, untrusted) != untrusted.len && !ch->ending))
        channel_end(ch, ERR_PEER, "bytes behind a round of attestation");
}

static int answered(
        struct channel *ch, int rc, const struct err *err, const char *what)
{
    if (rc == ERR_STATE)
        return rc;
    if (rc != 0)
        channel_end(ch, rc, "%s: %s", what, err->msg);
    attest_step(ch);
    wake(ch);
    return 0;
}

int channel_evidence(struct channel *ch, struct span evidence,
        const struct channel_time *now)
{
    struct err err = {0};

    ch->now = *now;
    if (!ch->attesting ||
            channel_attest_want(&ch->attest) != CHANNEL_ATTEST_EVIDENCE)
        return ERR_STATE;
    ch->asked = false;
    return answered(ch, channel_attest_evidence(&ch->attest, evidence, &err),
            &err, "own evidence");
}

int channel_appraised(
        struct channel *ch, bool accept, const struct channel_time *now)
{
    struct err err = {0};

    ch->now = *now;
    if (!ch->attesting ||
            channel_attest_want(&ch->attest) != CHANNEL_ATTEST_APPRAISE)
        return ERR_STATE;
    ch->asked = false;
    return answered(ch, channel_attest_appraised(&ch->attest, accept, &err),
            &err, "attestation");
}

int channel_confirm(struct channel *ch, const struct channel_time *now)
{
    struct err err = {0};

    ch->now = *now;
    if (!ch->attesting ||
            channel_attest_want(&ch->attest) != CHANNEL_ATTEST_CONFIRM)
        return ERR_STATE;
    ch->asked = false;
    return answered(
            ch, channel_attest_confirm(&ch->attest), &err, "attestation");
}

int channel_cannot(struct channel *ch, enum channel_reason why,
        const struct channel_time *now)
{
    ch->now = *now;
    if (!ch->attesting || !ch->asked)
        return ERR_STATE;
    channel_attest_fail(&ch->attest, why);
    if (ch->attest_stream != NULL && ch->attest_stream->deferred)
        channel_h2_resume(ch->attest_stream);
    channel_end(ch, ERR_DENIED, "this zone %s", channel_reason_text(why));
    wake(ch);
    return 0;
}

/* A client's next round, on a stream of its own. */
static void reattest(struct channel *ch)
{
    if (ch->rounds > CHANNEL_ATTEST_ROUND_MAX) {
        channel_end(ch, ERR_LIMIT, "rounds of attestation are used up");
        return;
    }
    struct channel_stream *s = channel_stream_new(ch, CHANNEL_STREAM_ATTEST);
    if (s == NULL || begin_round(ch) != 0 || channel_h2_request(ch, s) != 0) {
        channel_end(ch, ERR_MEMORY, "re-attestation could not begin");
        return;
    }
    ch->attest_stream = s;
    ch->kick = true;
}

/* ---- bytes in -------------------------------------------------------- */

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
    if (begin_round(ch) != 0)
        channel_end(ch, ERR_MEMORY, "out of memory");
    attest_step(ch);
}

static void take_bytes(struct channel *ch, struct span bytes)
{
    if (ch->state == CHANNEL_ATTESTING) {
        size_t used = attest_feed(ch, bytes);
        bytes = SPAN(bytes.ptr + used, bytes.len - used);
        if (ch->ending || bytes.len == 0)
            return;
    }
    if (ch->state == CHANNEL_OPEN) {
        channel_h2_feed(ch, bytes);
        return;
    }
    buf_append(&ch->early, bytes);
    if (buf_ok(&ch->early, NULL) != 0)
        channel_end(ch, ERR_PEER, "peer speaks out of turn");
}

/* What the peer sent, a few records at once when they are there. */
static int read_records(
        struct channel *ch, uint8_t *ret, size_t *ret_len, struct err *err)
{
    size_t len = 0;
    int rc;

    do {
        size_t n = 0;
        rc = channel_tls_read(ch->tls, ret + len, READ_SIZE - len, &n, err);
        len += n;
    } while (rc == 0 && ch->state == CHANNEL_OPEN &&
             READ_SIZE - len >= CHANNEL_RECORD);
    *ret_len = len;
    return rc;
}

static void read_some(struct channel *ch)
{
    uint8_t bytes[READ_SIZE];
    struct err err = {0};
    int rc = 0;

    if (ch->state == CHANNEL_OPEN && ch->early.len > 0) {
        channel_h2_feed(ch, buf_span(&ch->early));
        buf_fini(&ch->early);
    }
    for (unsigned i = 0; i < READS_PER_RUN && rc == 0 && may_read(ch); i++) {
        size_t len;
        rc = read_records(ch, bytes, &len, &err);
        if (len > 0) {
            ch->rx_ms = ch->now.mono_ms;
            ch->ping_sent = false;
            take_bytes(ch, SPAN(bytes, len));
        }
    }
    /* The socket does not tell of bytes that libssl has read ahead. */
    ch->unread = rc == 0 && may_read(ch) && channel_tls_has_pending(ch->tls);
    if (rc != 0 && rc != ERR_STATE)
        channel_end(ch, rc, "%s", err.msg);
}

/* ---- bytes out ------------------------------------------------------- */

static bool refill(struct channel *ch)
{
    struct buf *a = &ch->attest.out;

    ch->out_len = ch->out_sent = 0;
    /* The first round goes over the bare connection, before all else. */
    if ((ch->h2 == NULL || ch->bare) && a->len > 0) {
        ch->out_len = a->len < sizeof(ch->out) ? a->len : sizeof(ch->out);
        memcpy(ch->out, a->ptr, ch->out_len);
        buf_consume(a, ch->out_len);
        ch->bare = ch->bare && a->len > 0;
        return true;
    }
    if (ch->h2 == NULL)
        return false;
    if (ch->rekey) {
        ch->rekey = false;
        if (channel_tls_rekey(ch->tls) != 0)
            channel_end(ch, ERR_CRYPTO, "TLS refuses new keys");
    }
    ch->out_len = channel_h2_pull(ch, ch->out, sizeof(ch->out));
    return ch->out_len > 0;
}

static void write_some(struct channel *ch)
{
    struct err err = {0};

    for (unsigned i = 0; i < WRITES_PER_RUN; i++) {
        if (ch->out_sent == ch->out_len && !refill(ch)) {
            ch->tx_ms = ch->now.mono_ms;
            return;
        }
        while (ch->out_sent < ch->out_len) {
            size_t n;
            int rc = channel_tls_write(ch->tls,
                    SPAN(ch->out + ch->out_sent, ch->out_len - ch->out_sent),
                    &n, &err);
            if (rc == ERR_STATE)
                return;
            if (rc != 0) {
                channel_end(ch, rc, "%s", err.msg);
                ch->end_ms = 0; /* no last words through a broken pipe */
                return;
            }
            ch->out_sent += n;
            ch->tx_ms = ch->now.mono_ms;
        }
    }
}

/* ---- timers ---------------------------------------------------------- */

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Unix second as monotonic milliseconds, as the clocks stand now. */
static uint64_t mono_of(const struct channel *ch, uint64_t unix_s)
{
    return unix_s <= ch->now.unix_s
                   ? ch->now.mono_ms
                   : ch->now.mono_ms + (unix_s - ch->now.unix_s) * 1000;
}

static uint64_t expires(const struct channel *ch)
{
    return earlier(channel_context_expires(ch->ctx),
            channel_tls_peer_expires(ch->tls));
}

uint64_t channel_deadline(const struct channel *ch)
{
    const struct channel_stream *s;
    uint64_t due;

    if (ch->over)
        return UINT64_MAX;
    if (ch->ending)
        return ch->end_ms;
    if (ch->unread)
        return ch->now.mono_ms;
    if (ch->state == CHANNEL_CONNECTING)
        return ch->since_ms + CHANNEL_TLS_MS;
    if (ch->state == CHANNEL_ATTESTING)
        return ch->since_ms + CHANNEL_HANDSHAKE_MS;
    due = earlier(mono_of(ch, expires(ch)),
            ch->attested_ms +
                    (ch->dialled && !ch->attesting ? 1 : 2) * ch->interval_ms);
    due = earlier(due,
            ch->rx_ms + (ch->ping_sent ? CHANNEL_STALL_MS : CHANNEL_PING_MS));
    if (has_output(ch))
        due = earlier(due, ch->tx_ms + CHANNEL_STALL_MS);
    TAILQ_FOREACH (s, &ch->streams, link)
        due = earlier(due, s->due);
    return due;
}

static void open_timers(struct channel *ch)
{
    uint64_t now = ch->now.mono_ms;
    struct channel_stream *s;

    if (now >= mono_of(ch, expires(ch)))
        channel_end(ch, ERR_TIMEOUT, "a channel certificate expired");
    else if (now >= ch->attested_ms + 2 * ch->interval_ms)
        channel_end(ch, ERR_TIMEOUT, "no fresh evidence in two intervals");
    else if (now >= ch->rx_ms + CHANNEL_STALL_MS)
        channel_end(ch, ERR_TIMEOUT, "peer is silent");
    else if (has_output(ch) && now >= ch->tx_ms + CHANNEL_STALL_MS)
        channel_end(ch, ERR_TIMEOUT, "peer does not read");
    if (ch->ending)
        return;
    if (ch->dialled && !ch->attesting && !ch->bare &&
            now >= ch->attested_ms + ch->interval_ms)
        reattest(ch);
    if (now >= ch->rx_ms + CHANNEL_PING_MS && !ch->ping_sent) {
        ch->ping_sent = true;
        channel_h2_ping(ch);
    }
    TAILQ_FOREACH (s, &ch->streams, link) {
        if (now >= s->due)
            channel_stream_is_due(s);
    }
}

static void timers(struct channel *ch)
{
    if (ch->ending)
        return;
    if (ch->state == CHANNEL_OPEN) {
        open_timers(ch);
    } else if (ch->now.mono_ms >= channel_deadline(ch)) {
        if (ch->state == CHANNEL_ATTESTING)
            channel_attest_fail(&ch->attest, CHANNEL_REASON_BUSY);
        channel_end(ch, ERR_TIMEOUT, "%s took too long",
                ch->state == CHANNEL_CONNECTING ? "connection and TLS"
                                                : "attestation");
    }
}

/* ---- run ------------------------------------------------------------- */

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
        read_some(ch);
    /* With reading off, this is the only sign that the peer went. */
    if ((tcp & (EPOLLHUP | EPOLLERR)) != 0 && !may_read(ch)) {
        channel_end(ch, ERR_PEER, "connection lost");
        ch->end_ms = 0;
    }
    timers(ch);
    if (ch->state != CHANNEL_CONNECTING)
        write_some(ch);
    channel_stream_settle(ch);
    if (ch->h2 != NULL && channel_h2_is_over(ch))
        channel_end(ch, ERR_PEER, "HTTP/2: violation or goodbye");
    if (ch->ending && (now->mono_ms >= ch->end_ms || !has_output(ch))) {
        finish(ch);
        return;
    }
    channel_stream_reap(ch, false);
    update_interest(ch);
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

void channel_close(struct channel *ch, int code, const char *reason)
{
    channel_end(ch, code, "%s", reason);
    wake(ch);
}

/* ---- calls ----------------------------------------------------------- */

int channel_call(struct channel *ch, struct span envelope, int fd,
        const struct channel_time *now, uint32_t *ret_stream)
{
    uint8_t prefix[4];
    struct wire_writer w = wire_writer_of(prefix, sizeof(prefix));
    struct channel_stream *s;

    ch->now = *now;
    if (ch->state != CHANNEL_OPEN || !ch->dialled)
        return ERR_STATE;
    if (ch->n_streams >= CHANNEL_STREAMS_MAX || envelope.len == 0 ||
            envelope.len > LIMIT_LOG_ENTRY_MAX)
        return ERR_LIMIT;
    s = channel_stream_new(ch, CHANNEL_STREAM_CALL_OUT);
    if (s == NULL)
        return ERR_MEMORY;
    wire_put_u32be(&w, (uint32_t)envelope.len);
    buf_append(&s->head, SPAN_OF(prefix));
    buf_append(&s->head, envelope);
    int rc = buf_ok(&s->head, NULL);
    if (rc == 0)
        rc = channel_stream_attach(s, fd);
    if (rc == 0)
        rc = channel_h2_request(ch, s);
    if (rc != 0) {
        channel_stream_detach(s);
        return rc;
    }
    *ret_stream = (uint32_t)s->id;
    wake(ch);
    return 0;
}

static struct channel_stream *incoming(struct channel *ch, uint32_t stream)
{
    struct channel_stream *s =
            stream <= INT32_MAX ? channel_stream_find(ch, (int32_t)stream)
                                : NULL;
    return s != NULL && s->kind == CHANNEL_STREAM_CALL_IN && s->announced &&
                           !s->answered
                   ? s
                   : NULL;
}

int channel_serve(struct channel *ch, uint32_t stream, int fd,
        const struct channel_time *now)
{
    struct channel_stream *s = incoming(ch, stream);

    ch->now = *now;
    if (s == NULL)
        return ERR_NOT_FOUND;
    int rc = channel_stream_attach(s, fd);
    if (rc != 0)
        return rc;
    rc = channel_h2_respond(ch, s, true);
    if (rc != 0) {
        s->fd = -1;
        (void)epoll_ctl(ch->epoll, EPOLL_CTL_DEL, fd, NULL);
        return rc;
    }
    s->answered = true;
    wake(ch);
    return 0;
}

int channel_refuse(struct channel *ch, uint32_t stream, struct span where,
        struct span reason, const struct channel_time *now)
{
    struct channel_stream *s = incoming(ch, stream);

    ch->now = *now;
    if (s == NULL)
        return ERR_NOT_FOUND;
    text_format_safe(where, s->where, sizeof(s->where));
    text_format_safe(reason, s->reason, sizeof(s->reason));
    int rc = channel_h2_respond(ch, s, false);
    if (rc != 0)
        return rc;
    s->answered = true;
    s->deaf = true; /* what else the caller sends is dropped */
    wake(ch);
    return 0;
}

void channel_cancel(struct channel *ch, uint32_t stream, int code,
        const char *reason, const struct channel_time *now)
{
    struct channel_stream *s =
            stream <= INT32_MAX ? channel_stream_find(ch, (int32_t)stream)
                                : NULL;

    ch->now = *now;
    if (s == NULL || s->kind == CHANNEL_STREAM_ATTEST)
        return;
    channel_stream_abort(s, code, reason);
    wake(ch);
}

void channel_status(const struct channel *ch, struct channel_status *ret)
{
    bool known = ch->dialled || ch->state != CHANNEL_CONNECTING;

    *ret = (struct channel_status){
            .state = ch->state,
            .dialled = ch->dialled,
            .peer = known ? ch->peer : "",
            .since_ms = ch->since_ms,
            .peer_expires = ch->tls != NULL && ch->rounds > 0
                                    ? channel_tls_peer_expires(ch->tls)
                                    : 0,
            .rounds = ch->rounds,
            .streams = ch->n_streams,
            .bytes_in = ch->bytes_in,
            .bytes_out = ch->bytes_out,
    };
}

const char *channel_peer(const struct channel *ch)
{
    return ch->state == CHANNEL_CONNECTING && !ch->dialled ? "" : ch->peer;
}
