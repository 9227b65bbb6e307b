/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of room channel: one struct, and a file for each thing done with it:
 *
 *   channel.c           life, and the order of work in one channel_run
 *   channel_io.c        TLS bytes in and out, what the socket is watched for
 *   channel_round.c     rounds of attestation, first and later ones
 *   channel_deadline.c  when something is due, and what happens then
 *   channel_call.c      calls, as the room's user sees them
 *   channel_h2.c        the HTTP/2 session (nghttp2; channel_h2.h)
 *   channel_request.c   requests, responses, resets
 *   channel_flow.c      bodies and their windows
 *   channel_guard.c     floods
 *   channel_stream.c    streams <-> local sockets
 *
 * channel_tls.h, channel_attest.h and channel_frame.h know nothing of it.
 */
#ifndef QAIR_CHANNEL_PRIVATE_H
#define QAIR_CHANNEL_PRIVATE_H

#include "buf.h"
#include "channel_attest.h"
#include "channel_tls.h"

#include <sys/queue.h>

struct nghttp2_session;

/* Bytes of a TLS record, and of the largest frame: fewer, larger copies. */
#define CHANNEL_RECORD (16u << 10)
#define CHANNEL_FRAME  (4 * CHANNEL_RECORD)
/* Small frames, and then a large one. */
#define CHANNEL_OUT_SIZE (CHANNEL_RECORD + CHANNEL_FRAME)
/* How long the last words (a VERDICT, a reset) may take to leave. */
#define CHANNEL_LINGER_MS 1000
/* A client that hears nothing more lets the peer end the stream by itself, for
 * so long and for so many dropped bytes: servers count resets. */
#define CHANNEL_DEAF_MS  1000
#define CHANNEL_DEAF_MAX (64u << 10)

/* So many at once, and so many a second: see channel_guard.c. */
struct channel_bucket {
    unsigned tokens;
    uint64_t ms;
};

/* What a stream carries: chosen by its opener, on the path of its request. */
enum channel_stream_kind {
    CHANNEL_STREAM_UNKNOWN, /* a request whose path is not known yet */
    CHANNEL_STREAM_CALL_OUT,
    CHANNEL_STREAM_CALL_IN,
    CHANNEL_STREAM_ATTEST,
};

/* An HTTP/2 stream and the local party whose bytes it carries. */
struct channel_stream {
    TAILQ_ENTRY(channel_stream) link;
    struct channel *ch;
    int32_t id;
    enum channel_stream_kind kind;
    uint64_t source; /* of a call out: whose */
    int fd;          /* the local party, or -1 */
    struct buf head; /* length and envelope: to be sent, or as it comes in */
    size_t head_sent;
    struct buf in; /* from the peer, not yet written to fd */
    size_t in_sent;
    uint32_t window;   /* what the peer may send ahead of the reader */
    uint64_t received; /* of its body, ever */
    uint64_t marked;   /* of that, what the reader had at the last probe */
    size_t dropped;    /* bytes that nobody took */
    unsigned n_headers;
    bool method_ok;
    unsigned status; /* of the response that came, 0 before */
    char where[CHANNEL_WHERE_MAX + 1];
    char reason[CHANNEL_REASON_MAX + 1];
    bool h2_open;     /* nghttp2 still knows it */
    bool announced;   /* ops.incoming was called */
    bool answered;    /* out: ops.answered was called; in: we answered */
    bool deferred;    /* nghttp2 waits until fd has bytes */
    bool local_ended; /* END_STREAM was sent: nothing more of ours */
    bool peer_ended;  /* the peer has no more bytes */
    bool shut;        /* ... and fd was told */
    bool deaf;        /* fd takes no more bytes: what comes is dropped */
    bool resetting;   /* RST_STREAM is on its way */
    bool gone;        /* done here; reaped when nghttp2 forgets it, too */
    uint64_t due; /* an envelope, or a deaf stream's end; UINT64_MAX: none */
};

TAILQ_HEAD(channel_streams, channel_stream);

/* A connection and all that hangs on it; channel.h is its manual. */
struct channel {
    struct channel_context *ctx;
    const struct channel_ops *ops;
    void *arg;
    struct channel_time now; /* of the call into the room at hand */
    int fd;
    int epoll;
    uint32_t interest; /* epoll events of fd */
    struct channel_tls *tls;
    bool dialled;
    enum channel_state state;
    char peer[LIMIT_ZONE_NAME_MAX + 1];

    /* attestation */
    struct channel_attest attest;
    bool attesting; /* a round is under way */
    bool asked;     /* the wish of the moment was passed on */
    unsigned rounds;
    struct channel_stream *attest_stream; /* of rounds after the first */
    uint64_t interval_ms;                 /* the smaller of both sides' */
    uint64_t attested_ms;                 /* last round completed */
    bool bare; /* its last words still go before HTTP/2 */
    int (*exporter)(
            void *arg, const char *label, struct span context, uint8_t *ret);
    struct buf early; /* behind the last VERDICT, before the own record */

    /* HTTP/2 */
    struct nghttp2_session *h2;
    struct channel_streams streams;
    unsigned n_streams;
    struct channel_bucket control, resets, probes;
    uint32_t pool;     /* of CHANNEL_WINDOW_POOL, given out */
    bool probing;      /* a PING is on its way */
    uint64_t probe_ms; /* ... since; or when the next may leave */
    uint64_t rtt_ms;
    bool rekey;
    bool ping_sent;
    uint64_t probe_end_ms; /* channel_probe: give up then; UINT64_MAX: no */
    uint64_t bytes_in;
    uint64_t bytes_out;

    uint8_t out[CHANNEL_OUT_SIZE];
    size_t out_len;
    size_t out_sent;
    uint64_t since_ms;
    uint64_t rx_ms; /* last bytes from the peer */
    uint64_t tx_ms; /* last progress, or nothing to send */
    bool kick;      /* something changed: channel_run is due at once */
    bool unread;    /* libssl has bytes that did not have their turn */
    bool unsettled; /* a local party ended */

    bool ending; /* last words, then closed */
    bool over;   /* ops.closed was called */
    uint64_t end_ms;
    int end_code;
    char end_reason[ERR_MSG_MAX];
};

/* ---- channel.c ------------------------------------------------------- */

/* Begins the end; only the first reason counts. */
void channel_end(struct channel *ch, int code, const char *fmt, ...)
        PRINTF_LIKE(3, 4);

/* ---- channel_io.c ---------------------------------------------------- */

/* While the peer has no turn, its bytes stay in the kernel. */
bool channel_io_may_read(const struct channel *ch);
bool channel_io_has_output(const struct channel *ch);
void channel_io_read(struct channel *ch);
void channel_io_write(struct channel *ch);
/* Watches the socket for what can be done with it now. */
void channel_io_update_interest(struct channel *ch);
/* The socket of a long line: what netd wants of TCP, as far as it is TCP. */
void channel_io_tune(int fd);
/* Something changed from outside: the next channel_run is due at once. */
void channel_io_wake(struct channel *ch);

/* ---- channel_round.c ------------------------------------------------- */

/* ERR_STATE while another round is under way. */
int channel_round_begin(struct channel *ch) MUST_CHECK;
/* A server's later round: the peer opened its stream. */
int channel_round_accept(struct channel *ch) MUST_CHECK;
/* A client's later round, on a stream of its own. */
void channel_round_again(struct channel *ch);
/* Passes on the wish of the moment, once; moves bytes that became ready. */
void channel_round_step(struct channel *ch);
/* Bytes of the first round, from the bare connection: how many it took. */
size_t channel_round_feed(struct channel *ch, struct span untrusted);
/* Bytes of a later round, from its stream. */
void channel_round_input(struct channel *ch, struct span untrusted);

/* ---- channel_deadline.c ---------------------------------------------- */

/* Unix second of the certificate, own or the peer's, that ends first. */
uint64_t channel_deadline_expires(const struct channel *ch);
/* Does what is due at ch->now. */
void channel_deadline_run(struct channel *ch);

/* ---- channel_h2.c ---------------------------------------------------- */

int channel_h2_new(struct channel *ch) MUST_CHECK;
void channel_h2_free(struct channel *ch);
/* Bytes from the peer; a violation ends the channel. */
void channel_h2_feed(struct channel *ch, struct span untrusted);
/* Bytes for the peer into ret[cap], as many whole frames as fit. */
size_t channel_h2_pull(struct channel *ch, uint8_t *ret, size_t cap);
/* After a violation, once the goodbye is sent, or after the peer's. */
bool channel_h2_is_over(const struct channel *ch);
bool channel_h2_wants_write(const struct channel *ch);
void channel_h2_ping(struct channel *ch);
/* The last frame that the peer reads says why. */
void channel_h2_goodbye(struct channel *ch, enum channel_reason why);

/* ---- channel_request.c ----------------------------------------------- */

int channel_request_send(struct channel *ch, struct channel_stream *s)
        MUST_CHECK;
/* 200 with a body, or 403 with where and reason. */
int channel_request_respond(
        struct channel *ch, struct channel_stream *s, bool accept) MUST_CHECK;
void channel_request_reset(struct channel_stream *s, bool clean);

/* ---- channel_flow.c -------------------------------------------------- */

void channel_flow_resume(struct channel_stream *s);
/* n bytes of the stream have left this process. */
void channel_flow_consume(struct channel_stream *s, size_t n);
/* A stream's window, taken and given back. */
void channel_flow_begin(struct channel_stream *s);
void channel_flow_end(struct channel_stream *s);
/* The measuring PING is answered. */
void channel_flow_probe_done(struct channel *ch);

/* ---- channel_guard.c ------------------------------------------------- */

void channel_guard_init(struct channel *ch);
/* A measuring PING may go: no peer of ours finds too many. */
bool channel_guard_may_probe(struct channel *ch);

/* ---- channel_stream.c ------------------------------------------------ */

struct channel_stream *channel_stream_new(
        struct channel *ch, enum channel_stream_kind kind) MUST_CHECK;
struct channel_stream *channel_stream_find(struct channel *ch, int32_t id);
/* The local party's socket, from here on the stream's. */
int channel_stream_attach(struct channel_stream *s, int fd) MUST_CHECK;
/* Bytes that the local party has not taken. */
size_t channel_stream_pending(const struct channel_stream *s);
void channel_stream_event(struct channel_stream *s, uint32_t events);
/* Bytes from the peer: to the envelope, to fd, or kept. */
void channel_stream_input(struct channel_stream *s, struct span untrusted);
void channel_stream_peer_ended(struct channel_stream *s);
/* Our END_STREAM is out. */
void channel_stream_sent_end(struct channel_stream *s);
enum { CHANNEL_STREAM_END = -1, CHANNEL_STREAM_WAIT = -2 };
/* Bytes for the peer: n > 0, END, WAIT, or another negative: broken. */
ssize_t channel_stream_output(
        struct channel_stream *s, uint8_t *ret, size_t cap);
/* nghttp2 forgot it; clean: by both ends, or without an error. */
void channel_stream_h2_closed(struct channel_stream *s, bool clean);
/* Drops it now; answers a call that has no answer yet. */
void channel_stream_abort(
        struct channel_stream *s, int code, const char *reason);
/* The local party is let go, the stream ends in good order. */
void channel_stream_hang_up(struct channel_stream *s);
/* s->due is here. */
void channel_stream_is_due(struct channel_stream *s);
void channel_stream_answer(struct channel_stream *s, int code,
        const char *where, const char *reason);
/* Half closes and ends that follow from what happened in this run. */
void channel_stream_settle(struct channel *ch);
/* Undoes channel_stream_new and _attach: fd stays the caller's. */
void channel_stream_detach(struct channel_stream *s);
/* Frees what is gone; all: everything, without a word. */
void channel_stream_reap(struct channel *ch, bool all);

#endif
