/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP/2 session (RFC 9113, by nghttp2); docs/proto/channel.md, 4. */
#include "channel_h2.h"

/* A header block, unpacked: ours are far smaller. */
#define HEADER_LIST_MAX 4096
/* Behind what channel_guard.c allows, and with fewer words. */
#define RESET_BURST 2000
#define RESET_RATE  200
/* Answers to PING and SETTINGS that wait because the peer does not read. */
#define ACKS_MAX          64
#define SETTINGS_MAX      8
#define CONTINUATIONS_MAX 2

struct channel_stream *channel_h2_stream(struct channel *ch, int32_t id)
{
    return nghttp2_session_get_stream_user_data(ch->h2, id);
}

static nghttp2_session_callbacks *make_callbacks(void)
{
    nghttp2_session_callbacks *cb;

    if (nghttp2_session_callbacks_new(&cb) != 0)
        return NULL;
    nghttp2_session_callbacks_set_on_begin_frame_callback(
            cb, channel_guard_on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(
            cb, channel_request_on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(
            cb, channel_request_on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(
            cb, channel_request_on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
            cb, channel_flow_on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(
            cb, channel_request_on_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(
            cb, channel_request_on_sent);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(
            cb, channel_request_on_not_sent);
    nghttp2_session_callbacks_set_data_source_read_length_callback(
            cb, channel_flow_read_length);
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
                    (int32_t)CHANNEL_BUFFER_MAX) != 0)
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
    channel_guard_init(ch);
    return submit_settings(ch);
}

void channel_h2_ping(struct channel *ch)
{
    (void)nghttp2_submit_ping(ch->h2, NGHTTP2_FLAG_NONE, NULL);
}

/* RFC 9113, 6.8: debug data is ours to define, here one byte. */
void channel_h2_goodbye(struct channel *ch, enum channel_reason why)
{
    const uint8_t data = (uint8_t)why;

    (void)nghttp2_submit_goaway(ch->h2, NGHTTP2_FLAG_NONE,
            nghttp2_session_get_last_proc_stream_id(ch->h2),
            NGHTTP2_INADEQUATE_SECURITY, &data, sizeof(data));
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
    while (cap - len >= CHANNEL_FRAME) {
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
