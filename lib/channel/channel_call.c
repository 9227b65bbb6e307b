/* SPDX-License-Identifier: Apache-2.0 */
#include "channel_private.h"

#include <sys/epoll.h>

int channel_call(struct channel *ch, struct span envelope, int fd,
        uint64_t source, const struct channel_time *now, uint32_t *ret_stream)
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
    s->source = source;
    wire_put_u32be(&w, (uint32_t)envelope.len);
    buf_append(&s->head, SPAN_OF(prefix));
    buf_append(&s->head, envelope);
    int rc = buf_ok(&s->head, NULL);
    if (rc == 0)
        rc = channel_stream_attach(s, fd);
    if (rc == 0)
        rc = channel_request_send(ch, s);
    if (rc != 0) {
        channel_stream_detach(s);
        return rc;
    }
    *ret_stream = (uint32_t)s->id;
    channel_io_wake(ch);
    return 0;
}

unsigned channel_calls(const struct channel *ch, uint64_t source)
{
    const struct channel_stream *s;
    unsigned n = 0;

    TAILQ_FOREACH (s, &ch->streams, link)
        n += s->kind == CHANNEL_STREAM_CALL_OUT && s->source == source &&
             !s->gone;
    return n;
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

int channel_call_serve(struct channel *ch, uint32_t stream, int fd,
        const struct channel_time *now)
{
    struct channel_stream *s = incoming(ch, stream);

    ch->now = *now;
    if (s == NULL)
        return ERR_NOT_FOUND;
    int rc = channel_stream_attach(s, fd);
    if (rc != 0)
        return rc;
    rc = channel_request_respond(ch, s, true);
    if (rc != 0) {
        s->fd = -1;
        (void)epoll_ctl(ch->epoll, EPOLL_CTL_DEL, fd, NULL);
        return rc;
    }
    s->answered = true;
    channel_io_wake(ch);
    return 0;
}

int channel_call_refuse(struct channel *ch, uint32_t stream, struct span where,
        struct span reason, const struct channel_time *now)
{
    struct channel_stream *s = incoming(ch, stream);

    ch->now = *now;
    if (s == NULL)
        return ERR_NOT_FOUND;
    text_format_safe(where, s->where, sizeof(s->where));
    text_format_safe(reason, s->reason, sizeof(s->reason));
    int rc = channel_request_respond(ch, s, false);
    if (rc != 0)
        return rc;
    s->answered = true;
    s->deaf = true; /* what else the caller sends is dropped */
    channel_io_wake(ch);
    return 0;
}

void channel_call_cancel(struct channel *ch, uint32_t stream, int code,
        const char *reason, const struct channel_time *now)
{
    struct channel_stream *s =
            stream <= INT32_MAX ? channel_stream_find(ch, (int32_t)stream)
                                : NULL;

    ch->now = *now;
    if (s == NULL || s->kind == CHANNEL_STREAM_ATTEST)
        return;
    channel_stream_abort(s, code, reason);
    channel_io_wake(ch);
}
