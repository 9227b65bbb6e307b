/* SPDX-License-Identifier: Apache-2.0 */
/* Requests, responses and resets; docs/proto/channel.md, section 4. */
#include "channel_h2.h"

#define PATH_CALL   "/qair/call/v1"
#define PATH_ATTEST "/qair/attest/v1"
/* Ours have at most five fields; a peer gets a few more. */
#define HEADERS_MAX 12

/* ---- sent ------------------------------------------------------------ */

void channel_request_reset(struct channel_stream *s, bool clean)
{
    if (!s->h2_open || s->resetting)
        return;
    s->resetting =
            nghttp2_submit_rst_stream(s->ch->h2, NGHTTP2_FLAG_NONE, s->id,
                    clean ? NGHTTP2_NO_ERROR : NGHTTP2_CANCEL) == 0;
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

int channel_request_send(struct channel *ch, struct channel_stream *s)
{
    bool attest = s->kind == CHANNEL_STREAM_ATTEST;
    nghttp2_data_provider data = channel_flow_source(s);
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

int channel_request_respond(
        struct channel *ch, struct channel_stream *s, bool accept)
{
    nghttp2_data_provider data = channel_flow_source(s);
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

/* ---- what the peer sends --------------------------------------------- */

int channel_request_on_begin_headers(
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

int channel_request_on_header(nghttp2_session *h2, const nghttp2_frame *frame,
        const uint8_t *name, size_t namelen, const uint8_t *value,
        size_t valuelen, uint8_t flags, void *arg)
{
    struct channel_stream *s = channel_h2_stream(arg, frame->hd.stream_id);
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
    if (channel_round_accept(ch) != 0 ||
            channel_request_respond(ch, s, true) != 0)
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

/* The peer's goodbye: a class of reasons, or nothing that we know. */
static void on_goaway(struct channel *ch, const nghttp2_goaway *g)
{
    uint8_t why = g->opaque_data_len == 1 ? g->opaque_data[0] : 0;

    if (g->error_code == NGHTTP2_INADEQUATE_SECURITY &&
            why > CHANNEL_ACCEPTED && why < CHANNEL_REASON_COUNT)
        channel_end(ch, ERR_DENIED, "peer %s",
                channel_reason_text((enum channel_reason)why));
}

int channel_request_on_frame(
        nghttp2_session *h2, const nghttp2_frame *frame, void *arg)
{
    struct channel *ch = arg;
    struct channel_stream *s = NULL;
    (void)h2;

    if (frame->hd.type == NGHTTP2_PING &&
            (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0)
        channel_flow_probe_done(ch);
    if (frame->hd.type == NGHTTP2_GOAWAY)
        on_goaway(ch, &frame->goaway);
    if (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS)
        s = channel_h2_stream(ch, frame->hd.stream_id);
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

int channel_request_on_close(
        nghttp2_session *h2, int32_t id, uint32_t error_code, void *arg)
{
    struct channel *ch = arg;
    struct channel_stream *s = channel_h2_stream(ch, id);
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

int channel_request_on_sent(
        nghttp2_session *h2, const nghttp2_frame *frame, void *arg)
{
    struct channel_stream *s;
    (void)h2;

    if ((frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS) ||
            (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0)
        return 0;
    s = channel_h2_stream(arg, frame->hd.stream_id);
    if (s != NULL && !s->gone)
        channel_stream_sent_end(s);
    return 0;
}

/* A request that never left: nghttp2 does not call on_close for it. */
int channel_request_on_not_sent(
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
