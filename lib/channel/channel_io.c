/* SPDX-License-Identifier: Apache-2.0 */
#include "channel_private.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/* Work of one channel_run, so that many channels share one thread fairly. */
#define READS_PER_RUN  8
#define WRITES_PER_RUN 16
#define READ_SIZE      CHANNEL_FRAME

/* Unsent bytes that the kernel may keep, for less delay of what comes behind
 * them, of other calls.  A smaller one costs throughput: on a line of 200
 * Mbit/s and 50 ms a sixteenth with 512 KiB, nothing with this. */
#define NOTSENT_MAX (2u << 20)
/* A line that comes back is noticed as soon (Linux 6.15 and later). */
#define RTO_MAX_MS 3000
#ifndef TCP_RTO_MAX_MS
#define TCP_RTO_MAX_MS 44
#endif

/* ---- the socket ------------------------------------------------------ */

void channel_io_tune(int fd)
{
    static const struct {
        int name;
        int value;
    } options[] = {
            {TCP_NODELAY, 1}, /* calls are small messages back and forth */
            {TCP_NOTSENT_LOWAT, NOTSENT_MAX},
            {TCP_USER_TIMEOUT, CHANNEL_STALL_MS},
            {TCP_RTO_MAX_MS, RTO_MAX_MS},
    };

    /* None is needed, and a test's socket pair has none. */
    for (size_t i = 0; i < ARRAY_LEN(options); i++)
        (void)setsockopt(fd, IPPROTO_TCP, options[i].name, &options[i].value,
                sizeof(options[i].value));
}

/* ---- readiness ------------------------------------------------------- */

bool channel_io_may_read(const struct channel *ch)
{
    if (ch->ending)
        return false;
    return ch->state == CHANNEL_OPEN ||
           (ch->state == CHANNEL_ATTESTING && !ch->asked);
}

bool channel_io_has_output(const struct channel *ch)
{
    return ch->out_sent < ch->out_len;
}

void channel_io_update_interest(struct channel *ch)
{
    struct epoll_event ev = {.events = 0};
    bool more = ch->kick || channel_io_has_output(ch) ||
                (ch->h2 != NULL && channel_h2_wants_write(ch)) ||
                (ch->h2 == NULL && ch->attest.out.len > 0);

    if (ch->state == CHANNEL_CONNECTING && !ch->ending)
        ev.events = channel_tls_wants_write(ch->tls) ? EPOLLOUT : EPOLLIN;
    else
        ev.events = (channel_io_may_read(ch) ? EPOLLIN : 0u) |
                    (more ? EPOLLOUT : 0u);
    if (ev.events == ch->interest)
        return;
    if (epoll_ctl(ch->epoll, EPOLL_CTL_MOD, ch->fd, &ev) == 0)
        ch->interest = ev.events;
}

void channel_io_wake(struct channel *ch)
{
    ch->kick = true;
    if (!ch->over)
        channel_io_update_interest(ch);
}

/* ---- bytes in -------------------------------------------------------- */

static void take_bytes(struct channel *ch, struct span bytes)
{
    if (ch->state == CHANNEL_ATTESTING) {
        size_t used = channel_round_feed(ch, bytes);
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

void channel_io_read(struct channel *ch)
{
    uint8_t bytes[READ_SIZE];
    struct err err = {0};
    int rc = 0;

    if (ch->state == CHANNEL_OPEN && ch->early.len > 0) {
        channel_h2_feed(ch, buf_span(&ch->early));
        buf_fini(&ch->early);
    }
    for (unsigned i = 0;
            i < READS_PER_RUN && rc == 0 && channel_io_may_read(ch); i++) {
        size_t len;
        rc = read_records(ch, bytes, &len, &err);
        if (len > 0) {
            ch->rx_ms = ch->now.mono_ms;
            ch->ping_sent = false;
            ch->probe_end_ms = UINT64_MAX;
            take_bytes(ch, SPAN(bytes, len));
        }
    }
    /* The socket does not tell of bytes that libssl has read ahead. */
    ch->unread = rc == 0 && channel_io_may_read(ch) &&
                 channel_tls_has_pending(ch->tls);
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

void channel_io_write(struct channel *ch)
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
