/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies and their windows; docs/proto/channel.md, section 4. */
#include "channel_h2.h"

/* Between two measurements when the last one changed nothing. */
#define PROBE_EACH_MS 50

/* ---- windows --------------------------------------------------------- */

void channel_flow_begin(struct channel_stream *s)
{
    s->window = CHANNEL_WINDOW;
    s->in = BUF_INIT(s->window);
}

void channel_flow_end(struct channel_stream *s)
{
    s->ch->pool -= s->window - CHANNEL_WINDOW;
    s->window = CHANNEL_WINDOW;
}

static uint64_t taken(const struct channel_stream *s)
{
    return s->received - channel_stream_pending(s);
}

/* What of the pool the stream may have: one source leaves half to the others.
 * Whose an incoming call is, its envelope says, which nobody here has read. */
static bool has_room(const struct channel_stream *s, uint32_t more)
{
    const struct channel_stream *o;
    uint32_t same = 0;

    if (more > CHANNEL_WINDOW_POOL - s->ch->pool)
        return false;
    if (s->kind != CHANNEL_STREAM_CALL_OUT)
        return true;
    TAILQ_FOREACH (o, &s->ch->streams, link) {
        if (o->kind == CHANNEL_STREAM_CALL_OUT && o->source == s->source)
            same += o->window - CHANNEL_WINDOW;
    }
    return same + more <= CHANNEL_WINDOW_SOURCE;
}

/* The reader took more than a third of a window in one round trip: twice the
 * window, so far as the channel has any to give. */
static bool grow(struct channel_stream *s)
{
    uint32_t more = s->window;

    if (s->gone || !s->h2_open || s->peer_ended ||
            s->window >= CHANNEL_WINDOW_MAX ||
            taken(s) - s->marked <= s->window / 3 || !has_room(s, more) ||
            nghttp2_session_set_local_window_size(s->ch->h2, NGHTTP2_FLAG_NONE,
                    s->id, (int32_t)(s->window + more)) != 0)
        return false;
    s->window += more;
    s->in.cap = s->window;
    s->ch->pool += more;
    return true;
}

/* How much that is tells a PING, whose answer comes behind it. */
static void probe(struct channel *ch)
{
    struct channel_stream *s;

    if (ch->probing || ch->now.mono_ms < ch->probe_ms ||
            !channel_guard_may_probe(ch) ||
            nghttp2_submit_ping(ch->h2, NGHTTP2_FLAG_NONE, NULL) != 0)
        return;
    ch->probing = true;
    ch->probe_ms = ch->now.mono_ms;
    TAILQ_FOREACH (s, &ch->streams, link)
        s->marked = taken(s);
}

void channel_flow_probe_done(struct channel *ch)
{
    struct channel_stream *s;
    bool grown = false;

    if (!ch->probing)
        return;
    ch->probing = false;
    ch->rtt_ms = ch->now.mono_ms - ch->probe_ms;
    TAILQ_FOREACH (s, &ch->streams, link)
        grown = grow(s) || grown;
    ch->probe_ms = ch->now.mono_ms + (grown ? 0 : PROBE_EACH_MS);
}

/* ---- bodies ---------------------------------------------------------- */

void channel_flow_resume(struct channel_stream *s)
{
    s->deferred = false;
    if (s->h2_open)
        (void)nghttp2_session_resume_data(s->ch->h2, s->id);
}

void channel_flow_consume(struct channel_stream *s, size_t n)
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

ssize_t channel_flow_read_length(nghttp2_session *h2, uint8_t type, int32_t id,
        int32_t connection_window, int32_t stream_window, uint32_t frame_max,
        void *arg)
{
    (void)h2;
    (void)type;
    (void)id;
    (void)connection_window;
    (void)stream_window;
    (void)arg;
    return frame_max < CHANNEL_H2_DATA_MAX ? frame_max
                                           : (ssize_t)CHANNEL_H2_DATA_MAX;
}

nghttp2_data_provider channel_flow_source(struct channel_stream *s)
{
    return (nghttp2_data_provider){.source.ptr = s, .read_callback = read_cb};
}

int channel_flow_on_data(nghttp2_session *h2, uint8_t flags, int32_t id,
        const uint8_t *data, size_t len, void *arg)
{
    struct channel *ch = arg;
    struct channel_stream *s = channel_h2_stream(ch, id);
    (void)flags;

    /* The connection's window is all windows together, and is given back at
     * once: a stream that nobody reads is held by its own alone. */
    if (nghttp2_session_consume_connection(h2, len) != 0)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    if (s == NULL || ch->ending)
        return 0;
    if (s->window < CHANNEL_WINDOW_MAX)
        probe(ch);
    s->received += len;
    channel_stream_input(s, SPAN(data, len));
    return 0;
}
