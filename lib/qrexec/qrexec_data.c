/* SPDX-License-Identifier: Apache-2.0 */
/* One end of a call's data stream, without I/O. */
#include "qrexec.h"

#include <sys/wait.h>

void qrexec_data_init(struct qrexec_data *d, enum qrexec_end end)
{
    *d = (struct qrexec_data){.end = end};
}

static uint8_t stream_bit(uint32_t stream)
{
    return (uint8_t)(1u << (stream - QREXEC_STDIN));
}

static bool is_stream(uint32_t type)
{
    return type >= QREXEC_STDIN && type <= QREXEC_STDERR;
}

/* May a message of this type come from the given end? */
static bool is_from(enum qrexec_end end, uint32_t type)
{
    return (end == QREXEC_CALLER) == (type == QREXEC_STDIN);
}

static enum qrexec_end other_end(enum qrexec_end end)
{
    return end == QREXEC_CALLER ? QREXEC_CALLEE : QREXEC_CALLER;
}

uint32_t qrexec_data_chunk_max(const struct qrexec_data *d)
{
    if (d->version == 0)
        return 0;
    return d->version == 2 ? QREXEC_DATA_MAX_V2 : LIMIT_QREXEC_DATA_MAX;
}

static int check_fixed(const struct qrexec_data *d, uint32_t type, uint32_t len,
        bool allowed, struct err *err)
{
    if (!allowed)
        return err_set(err, ERR_PEER, "%s out of order in %s",
                qrexec_type_name(type),
                d->version ? "a running call" : "a call before its hello");
    if (len != 4)
        return err_set(err, ERR_SYNTAX, "%s of %u bytes, not 4",
                qrexec_type_name(type), (unsigned)len);
    return 0;
}

/* What the peer may send now. */
static int check_header(const struct qrexec_data *d, uint32_t type,
        uint32_t len, struct err *err)
{
    if (type == QREXEC_HELLO)
        return check_fixed(d, type, len, d->version == 0, err);
    if (d->version == 0)
        return err_set(
                err, ERR_PEER, "message 0x%x before the hello", (unsigned)type);
    if (type == QREXEC_EXIT_CODE)
        return check_fixed(d, type, len, d->end == QREXEC_CALLER, err);
    if (!is_stream(type))
        return err_set(
                err, ERR_UNSUPPORTED, "message 0x%x in a call", (unsigned)type);
    if (!is_from(other_end(d->end), type))
        return err_set(
                err, ERR_PEER, "%s from the wrong end", qrexec_type_name(type));
    if (d->eof_got & stream_bit(type))
        return err_set(err, ERR_PEER, "%s after its end of file",
                qrexec_type_name(type));
    if (len > qrexec_data_chunk_max(d))
        return err_set(err, ERR_LIMIT, "%s of %u bytes, limit %u",
                qrexec_type_name(type), (unsigned)len,
                (unsigned)qrexec_data_chunk_max(d));
    return 0;
}

/* Gathers n bytes in part; false when more are needed. */
static bool gather(struct qrexec_data *d, struct span *in, size_t n)
{
    size_t take = n - d->part_len;

    if (take > in->len)
        take = in->len;
    if (take)
        memcpy(d->part + d->part_len, in->ptr, take);
    d->part_len += take;
    *in = SPAN(in->ptr + take, in->len - take);
    if (d->part_len < n)
        return false;
    d->part_len = 0;
    return true;
}

static uint32_t part_u32(const struct qrexec_data *d, size_t at)
{
    struct wire_reader r =
            wire_reader_of(SPAN(d->part + at, sizeof(d->part) - at));
    uint32_t v = 0;

    if (!wire_get_u32le(&r, &v))
        return 0; /* at is 0 or 4 of 8: cannot happen */
    return v;
}

static int take_header(
        struct qrexec_data *d, struct qrexec_event *ret, struct err *err)
{
    uint32_t type = part_u32(d, 0);
    uint32_t len = part_u32(d, 4);
    int r = check_header(d, type, len, err);

    if (r)
        return r;
    if (len == 0) { /* streams alone: check_fixed wants 4 */
        d->eof_got |= stream_bit(type);
        *ret = (struct qrexec_event){.kind = QREXEC_EVENT_EOF, .stream = type};
        return 0;
    }
    d->type = type;
    d->left = len;
    d->in_body = true;
    return 0;
}

static int take_fixed(struct qrexec_data *d, struct span *in,
        struct qrexec_event *ret, struct err *err)
{
    uint32_t v;

    if (!gather(d, in, 4))
        return 0;
    v = part_u32(d, 0);
    d->in_body = false;
    if (d->type == QREXEC_HELLO) {
        ret->kind = QREXEC_EVENT_HELLO;
        return qrexec_negotiate(v, &d->version, err);
    }
    d->exit_got = true;
    ret->kind = QREXEC_EVENT_EXIT;
    memcpy(&ret->exit_code, &v, sizeof(v));
    return 0;
}

static void take_data(
        struct qrexec_data *d, struct span *in, struct qrexec_event *ret)
{
    size_t n = d->left < in->len ? d->left : in->len;

    ret->kind = QREXEC_EVENT_DATA;
    ret->stream = d->type;
    ret->data = SPAN(in->ptr, n);
    *in = SPAN(in->ptr + n, in->len - n);
    d->left -= (uint32_t)n;
    d->in_body = d->left > 0;
}

static int feed_one(struct qrexec_data *d, struct span *in,
        struct qrexec_event *ret, struct err *err)
{
    if (d->exit_got)
        return err_set(err, ERR_PEER, "bytes after the exit code");
    if (!d->in_body) {
        if (!gather(d, in, QREXEC_HEADER_SIZE))
            return 0;
        return take_header(d, ret, err);
    }
    if (!is_stream(d->type))
        return take_fixed(d, in, ret, err);
    take_data(d, in, ret);
    return 0;
}

int qrexec_data_feed(struct qrexec_data *d, struct span *in,
        struct qrexec_event *ret, struct err *err)
{
    struct qrexec_event ev = {.kind = QREXEC_EVENT_NONE};

    if (d->broken)
        return err_set(err, ERR_STATE, "the call's stream is broken");
    while (in->len && ev.kind == QREXEC_EVENT_NONE) {
        int r = feed_one(d, in, &ev, err);

        if (r) {
            d->broken = true;
            return r;
        }
    }
    *ret = ev;
    return 0;
}

bool qrexec_data_may_send(const struct qrexec_data *d, uint32_t stream)
{
    return d->version && d->hello_sent && !d->broken && !d->exit_sent &&
           !d->exit_got && is_stream(stream) && is_from(d->end, stream) &&
           !(d->eof_sent & stream_bit(stream));
}

static void put_fixed(uint32_t type, uint32_t value, uint8_t ret[static 12])
{
    struct wire_writer w = wire_writer_of(ret, 12);

    wire_put_u32le(&w, type);
    wire_put_u32le(&w, 4);
    wire_put_u32le(&w, value);
}

void qrexec_data_put_hello(struct qrexec_data *d, uint8_t ret[static 12])
{
    d->hello_sent = true;
    put_fixed(QREXEC_HELLO, QREXEC_VERSION, ret);
}

int qrexec_data_put_header(struct qrexec_data *d, uint32_t stream, size_t len,
        uint8_t ret[static QREXEC_HEADER_SIZE])
{
    struct wire_writer w = wire_writer_of(ret, QREXEC_HEADER_SIZE);

    if (!qrexec_data_may_send(d, stream))
        return ERR_STATE;
    if (len > qrexec_data_chunk_max(d))
        return ERR_LIMIT;
    if (len == 0)
        d->eof_sent |= stream_bit(stream);
    wire_put_u32le(&w, stream);
    wire_put_u32le(&w, (uint32_t)len);
    return 0;
}

bool qrexec_data_put_last_eof(
        struct qrexec_data *d, uint8_t ret[static QREXEC_HEADER_SIZE])
{
    struct wire_writer w = wire_writer_of(ret, QREXEC_HEADER_SIZE);

    if (!d->exit_got || d->broken || (d->eof_sent & stream_bit(QREXEC_STDIN)))
        return false;
    d->eof_sent |= stream_bit(QREXEC_STDIN);
    wire_put_u32le(&w, QREXEC_STDIN);
    wire_put_u32le(&w, 0);
    return true;
}

int qrexec_data_put_exit(
        struct qrexec_data *d, int32_t code, uint8_t ret[static 12])
{
    if (d->end != QREXEC_CALLEE || !d->version || !d->hello_sent || d->broken ||
            d->exit_sent)
        return ERR_STATE;
    d->exit_sent = true;
    put_fixed(QREXEC_EXIT_CODE, (uint32_t)code, ret);
    return 0;
}

int qrexec_exit_code(int wait_status)
{
    if (WIFEXITED(wait_status))
        return WEXITSTATUS(wait_status);
    if (WIFSIGNALED(wait_status))
        return QREXEC_EXIT_SIGNAL_BASE + WTERMSIG(wait_status);
    return QREXEC_EXIT_TROUBLE;
}
