/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 9113 by nghttp2; docs/proto/channel.md, section 4. */
#include "channel_private.h"

#include <nghttp2/nghttp2.h>

#define PATH_CALL   "/qair/call/v1"
#define PATH_ATTEST "/qair/attest/v1"
/* Ours have at most five; a peer gets a few more, and a small block. */
#define HEADERS_MAX     12
#define HEADER_LIST_MAX 4096
/* A DATA frame with its header fills TLS records without a rest. */
#define FRAME_HEADER 9
#define DATA_MAX     (CHANNEL_FRAME - FRAME_HEADER)
/* Every stream's window and then some: a stream whose reader stands still
 * must not use up what the others need (its own window holds it). */
#define CONNECTION_WINDOW (CHANNEL_STREAMS_MAX * CHANNEL_WINDOW)
/* Calls that a peer opens and resets at once (CVE-2023-44487). */
#define RESET_BURST 1000
#define RESET_RATE  100
/* Answers to PING and SETTINGS that wait because the peer does not read. */
#define ACKS_MAX          64
#define SETTINGS_MAX      8
#define CONTINUATIONS_MAX 2

static struct channel_stream *stream_of(struct channel *ch, int32_t id)
{
    return nghttp2_session_get_stream_user_data(ch->h2, id);
}

/* ---- what streams ask for -------------------------------------------- */

void channel_h2_reset(struct channel_stream *s, bool clean)
{
    if (!s->h2_open || s->resetting)
        return;
    s->resetting =
            nghttp2_submit_rst_stream(s->ch->h2, NGHTTP2_FLAG_NONE, s->id,
                    clean ? NGHTTP2_NO_ERROR : NGHTTP2_CANCEL) == 0;
}

void channel_h2_resume(struct channel_stream *s)
{
    s->deferred = false;
    if (s->h2_open)
        (void)nghttp2_session_resume_data(s->ch->h2, s->id);
}

void channel_h2_consume(struct channel_stream *s, size_t n)
{
    if (n > 0 && s->h2_open)
        (void)nghttp2_session_consume_stream(s->ch->h2, s->id, n);
}

static ssize_t read_cb(nghttp2_session *h2, int32_t id, uint8_t *buf,
        size_t len, uint32_t *flags, nghttp2_data_source *source, void *arg)
{
    struct channel_stream *s = source->ptr;
    (void)h2;
    (void)id;
    (void)arg;

    if (s->gone)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    ssize_t n = channel_stream_output(s, buf, len);
    if (n > 0)
        return n;
    if (n == CHANNEL_STREAM_WAIT)
        return NGHTTP2_ERR_DEFERRED;
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    return 0;
}

static ssize_t read_length_cb(nghttp2_session *h2, uint8_t type, int32_t id,
        int32_t connection_window, int32_t stream_window, uint32_t frame_max,
        void *arg)
{
    (void)h2;
    (void)type;
    (void)id;
    (void)connection_window;
    (void)stream_window;
    (void)arg;
    return frame_max < DATA_MAX ? frame_max : (ssize_t)DATA_MAX;
}

/* Values are strings that outlive the call; nghttp2 copies them. */
static nghttp2_nv nv(const char *name, const char *value)
{
    return (nghttp2_nv){
            .name = (uint8_t *)(uintptr_t)name,
            .value = (uint8_t *)(uintptr_t)value,
            .namelen = strlen(name),
            .valuelen = strlen(value),
    };
}

int channel_h2_request(struct channel *ch, struct channel_stream *s)
{
    bool attest = s->kind == CHANNEL_STREAM_ATTEST;
    nghttp2_data_provider data = {.source.ptr = s, .read_callback = read_cb};
    const nghttp2_nv headers[] = {
            nv(":method", "POST"),
            nv(":scheme", "https"),
            nv(":authority", ch->peer),
            nv(":path", attest ? PATH_ATTEST : PATH_CALL),
    };
    int32_t id = nghttp2_submit_request(
            ch->h2, NULL, headers, ARRAY_LEN(headers), &data, s);
    if (id < 0)
        return id == NGHTTP2_ERR_NOMEM ? ERR_MEMORY : ERR_STATE;
    s->id = id;
    s->h2_open = true;
    return 0;
}

int channel_h2_respond(
        struct channel *ch, struct channel_stream *s, bool accept)
{
    nghttp2_data_provider data = {.source.ptr = s, .read_callback = read_cb};
    const nghttp2_nv yes[] = {nv(":status", "200")};
    const nghttp2_nv no[] = {
            nv(":status", "403"),
            nv("qair-where", s->where),
            nv("qair-reason", s->reason),
    };
    int rc = accept ? nghttp2_submit_response(
                              ch->h2, s->id, yes, ARRAY_LEN(yes), &data)
                    : nghttp2_submit_response(
                              ch->h2, s->id, no, ARRAY_LEN(no), NULL);
    return rc == 0 ? 0 : ERR_MEMORY;
}

void channel_h2_ping(struct channel *ch)
{
    (void)nghttp2_submit_ping(ch->h2, NGHTTP2_FLAG_NONE, NULL);
}

/* ---- what the peer sends --------------------------------------------- */

/* A bucket of tokens for what costs more to handle than to send. */
static void spend_control(struct channel *ch)
{
    uint64_t s = (ch->now.mono_ms - ch->control_ms) / 1000;

    if (s > 0) {
        uint64_t tokens = ch->control + s * CHANNEL_CONTROL_RATE;
        ch->control = tokens > CHANNEL_CONTROL_BURST ? CHANNEL_CONTROL_BURST
                                                     : (unsigned)tokens;
        ch->control_ms += s * 1000;
    }
    if (ch->control == 0) {
        channel_end(ch, ERR_LIMIT, "peer floods control frames");
        return;
    }
    ch->control--;
}

static int on_begin_frame(
        nghttp2_session *h2, const nghttp2_frame_hd *hd, void *arg)
{
    struct channel *ch = arg;
    bool pays = hd->type != NGHTTP2_DATA && hd->type != NGHTTP2_HEADERS &&
                hd->type != NGHTTP2_RST_STREAM && /* limits of their own */
                hd->type != NGHTTP2_WINDOW_UPDATE;
    (void)h2;

    if (hd->type == NGHTTP2_DATA && hd->length == 0 &&
            (hd->flags & NGHTTP2_FLAG_END_STREAM) == 0)
        pays = true;
    if (pays && !ch->ending)
        spend_control(ch);
    return 0;
}

static int on_begin_headers(
        nghttp2_session *h2, const nghttp2_frame *frame, void *arg)
{
    struct channel *ch = arg;
    struct channel_stream *s;

    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST || ch->ending)
        return 0;
    /* One more for re-attestation.  Streams that nghttp2 has forgotten but
     * whose bytes wait for a slow reader count, too. */
    s = ch->n_streams > CHANNEL_STREAMS_MAX
                ? NULL
                : channel_stream_new(ch, CHANNEL_STREAM_UNKNOWN);
    if (s == NULL)
        return nghttp2_submit_rst_stream(h2, NGHTTP2_FLAG_NONE,
                       frame->hd.stream_id, NGHTTP2_REFUSED_STREAM) == 0
                       ? 0
                       : NGHTTP2_ERR_CALLBACK_FAILURE;
    s->id = frame->hd.stream_id;
    s->h2_open = true;
    s->due = ch->now.mono_ms + CHANNEL_ENVELOPE_MS;
    (void)nghttp2_session_set_stream_user_data(h2, s->id, s);
    return 0;
}

static void request_header(
        struct channel_stream *s, struct span name, struct span value)
{
    if (span_eq_str(name, ":method"))
        s->method_ok = span_eq_str(value, "POST");
    else if (span_eq_str(name, ":path") && span_eq_str(value, PATH_CALL))
        s->kind = CHANNEL_STREAM_CALL_IN;
    else if (span_eq_str(name, ":path") && span_eq_str(value, PATH_ATTEST))
        s->kind = CHANNEL_STREAM_ATTEST;
}

/* The peer has made it printable and short (channel_call_refuse); make sure. */
static void take_text(struct span value, char *ret, size_t cap)
{
    size_t n = value.len < cap - 1 ? value.len : cap - 1;

    for (size_t i = 0; i < n; i++) {
        uint8_t c = value.ptr[i];
        ret[i] = c >= ' ' && c <= '~' ? (char)c : '?';
    }
    ret[n] = '\0';
}

static void response_header(
        struct channel_stream *s, struct span name, struct span value)
{
    uint64_t status;

    if (span_eq_str(name, ":status") && text_parse_u64(value, &status) &&
            status < 1000)
        s->status = (unsigned)status;
    else if (span_eq_str(name, "qair-where"))
        take_text(value, s->where, sizeof(s->where));
    else if (span_eq_str(name, "qair-reason"))
        take_text(value, s->reason, sizeof(s->reason));
}

static int on_header(nghttp2_session *h2, const nghttp2_frame *frame,
        const uint8_t *name, size_t namelen, const uint8_t *value,
        size_t valuelen, uint8_t flags, void *arg)
{
    struct channel_stream *s = stream_of(arg, frame->hd.stream_id);
    (void)h2;
    (void)flags;

    if (s == NULL || s->gone)
        return 0;
    if (++s->n_headers > HEADERS_MAX)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* resets the stream */
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        request_header(s, SPAN(name, namelen), SPAN(value, valuelen));
    else if (frame->headers.cat == NGHTTP2_HCAT_RESPONSE)
        response_header(s, SPAN(name, namelen), SPAN(value, valuelen));
    return 0;
}

static void on_request(struct channel *ch, struct channel_stream *s)
{
    if (!s->method_ok || s->kind == CHANNEL_STREAM_UNKNOWN) {
        channel_stream_abort(s, ERR_PEER, "unknown request");
        return;
    }
    if (s->kind == CHANNEL_STREAM_CALL_IN)
        return;
    s->due = UINT64_MAX; /* the round has a deadline of its own */
    ch->attest_stream = s;
    if (channel_round_accept(ch) != 0 || channel_h2_respond(ch, s, true) != 0)
        channel_end(ch, ERR_PEER, "re-attestation out of turn");
}

static void on_response(struct channel *ch, struct channel_stream *s)
{
    if (s->kind == CHANNEL_STREAM_ATTEST) {
        if (s->status != 200)
            channel_end(ch, ERR_PEER, "peer refuses to attest again");
    } else if (s->status == 200) {
        channel_stream_answer(s, 0, "", "");
    } else if (s->status == 403) {
        channel_stream_answer(s, ERR_DENIED, s->where, s->reason);
        channel_stream_hang_up(s);
    } else {
        channel_stream_abort(s, ERR_PEER, "the peer's answer is malformed");
    }
}

static int on_frame(nghttp2_session *h2, const nghttp2_frame *frame, void *arg)
{
    struct channel *ch = arg;
    struct channel_stream *s = NULL;
    (void)h2;

    if (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS)
        s = stream_of(ch, frame->hd.stream_id);
    if (s == NULL || s->gone || ch->ending)
        return 0;
    if (frame->hd.type == NGHTTP2_HEADERS) {
        if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
            on_request(ch, s);
        else if (frame->headers.cat == NGHTTP2_HCAT_RESPONSE)
            on_response(ch, s);
    }
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
        channel_stream_peer_ended(s);
    return 0;
}

static int on_data(nghttp2_session *h2, uint8_t flags, int32_t id,
        const uint8_t *data, size_t len, void *arg)
{
    struct channel *ch = arg;
    struct channel_stream *s = stream_of(ch, id);
    (void)flags;

    /* At once: see CONNECTION_WINDOW. */
    if (nghttp2_session_consume_connection(h2, len) != 0)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    if (s != NULL && !ch->ending)
        channel_stream_input(s, SPAN(data, len));
    return 0;
}

static int on_close(
        nghttp2_session *h2, int32_t id, uint32_t error_code, void *arg)
{
    struct channel *ch = arg;
    struct channel_stream *s = stream_of(ch, id);
    (void)h2;

    if (s == NULL)
        return 0;
    if (ch->attest_stream == s) {
        ch->attest_stream = NULL;
        if (ch->attesting)
            channel_end(ch, ERR_PEER, "re-attestation was cut off");
    }
    channel_stream_h2_closed(s, error_code == NGHTTP2_NO_ERROR);
    return 0;
}

static int on_sent(nghttp2_session *h2, const nghttp2_frame *frame, void *arg)
{
    struct channel_stream *s;
    (void)h2;

    if ((frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS) ||
            (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0)
        return 0;
    s = stream_of(arg, frame->hd.stream_id);
    if (s != NULL && !s->gone)
        channel_stream_sent_end(s);
    return 0;
}

/* A request that never left: nghttp2 does not call on_close for it. */
static int on_not_sent(
        nghttp2_session *h2, const nghttp2_frame *frame, int code, void *arg)
{
    struct channel *ch = arg;
    struct channel_stream *s;
    (void)h2;
    (void)code;

    if (frame->hd.type != NGHTTP2_HEADERS ||
            frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    TAILQ_FOREACH (s, &ch->streams, link) {
        if (s->id == frame->hd.stream_id && s->h2_open)
            channel_stream_h2_closed(s, false);
    }
    return 0;
}

/* ---- session --------------------------------------------------------- */

static nghttp2_session_callbacks *make_callbacks(void)
{
    nghttp2_session_callbacks *cb;

    if (nghttp2_session_callbacks_new(&cb) != 0)
        return NULL;
    nghttp2_session_callbacks_set_on_begin_frame_callback(cb, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(
            cb, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_sent);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(cb, on_not_sent);
    nghttp2_session_callbacks_set_data_source_read_length_callback(
            cb, read_length_cb);
    return cb;
}

static nghttp2_option *make_option(void)
{
    nghttp2_option *o;

    if (nghttp2_option_new(&o) != 0)
        return NULL;
    nghttp2_option_set_no_auto_window_update(o, 1);
    nghttp2_option_set_no_closed_streams(o, 1);
    nghttp2_option_set_max_outbound_ack(o, ACKS_MAX);
    nghttp2_option_set_max_settings(o, SETTINGS_MAX);
    nghttp2_option_set_max_continuations(o, CONTINUATIONS_MAX);
    nghttp2_option_set_stream_reset_rate_limit(o, RESET_BURST, RESET_RATE);
    nghttp2_option_set_max_reserved_remote_streams(o, 0);
    nghttp2_option_set_peer_max_concurrent_streams(o, CHANNEL_STREAMS_MAX);
    return o;
}

static int submit_settings(struct channel *ch)
{
    const nghttp2_settings_entry s[] = {
            {NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, 0}, /* no state kept */
            {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
            {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
                    ch->dialled ? 0 : CHANNEL_STREAMS_MAX + 1},
            {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, CHANNEL_WINDOW},
            {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, CHANNEL_FRAME},
            {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HEADER_LIST_MAX},
    };
    if (nghttp2_submit_settings(ch->h2, NGHTTP2_FLAG_NONE, s, ARRAY_LEN(s)) !=
                    0 ||
            nghttp2_session_set_local_window_size(ch->h2, NGHTTP2_FLAG_NONE, 0,
                    (int32_t)CONNECTION_WINDOW) != 0)
        return ERR_MEMORY;
    return 0;
}

int channel_h2_new(struct channel *ch)
{
    nghttp2_session_callbacks *cb = make_callbacks();
    nghttp2_option *o = make_option();
    int rc = NGHTTP2_ERR_NOMEM;

    if (cb != NULL && o != NULL)
        rc = ch->dialled ? nghttp2_session_client_new2(&ch->h2, cb, ch, o)
                         : nghttp2_session_server_new2(&ch->h2, cb, ch, o);
    nghttp2_session_callbacks_del(cb);
    nghttp2_option_del(o);
    if (rc != 0)
        return ERR_MEMORY;
    ch->control = CHANNEL_CONTROL_BURST;
    ch->control_ms = ch->now.mono_ms;
    return submit_settings(ch);
}

void channel_h2_free(struct channel *ch)
{
    nghttp2_session_del(ch->h2);
    ch->h2 = NULL;
}

void channel_h2_feed(struct channel *ch, struct span untrusted)
{
    ssize_t n = nghttp2_session_mem_recv(ch->h2, untrusted.ptr, untrusted.len);

    if (n < 0)
        channel_end(ch, ERR_PEER, "HTTP/2: %s", nghttp2_strerror((int)n));
}

size_t channel_h2_pull(struct channel *ch, uint8_t *ret, size_t cap)
{
    size_t len = 0;

    /* No frame of ours is larger, and what nghttp2 makes itself (SETTINGS,
     * PING) is small. */
    while (cap - len >= FRAME_HEADER + DATA_MAX) {
        const uint8_t *p;
        ssize_t n = nghttp2_session_mem_send(ch->h2, &p);
        if (n < 0)
            channel_end(ch, ERR_PEER, "HTTP/2: %s", nghttp2_strerror((int)n));
        if (n <= 0)
            break;
        if ((size_t)n > cap - len) {
            channel_end(ch, ERR_LIMIT, "HTTP/2: frame of %zd bytes", n);
            break;
        }
        memcpy(ret + len, p, (size_t)n);
        len += (size_t)n;
    }
    return len;
}

bool channel_h2_is_over(const struct channel *ch)
{
    return nghttp2_session_want_read(ch->h2) == 0 &&
           nghttp2_session_want_write(ch->h2) == 0;
}

bool channel_h2_wants_write(const struct channel *ch)
{
    return nghttp2_session_want_write(ch->h2) != 0;
}
