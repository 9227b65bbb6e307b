/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call's stream from a hostile peer.  First byte: which end we are, and how
 * many bytes are fed at once.  However the stream is cut, the events are the
 * same; what was accepted, said again by the other end, is the same bytes.
 */
#include "qrexec.h"

#include "buf.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Event by event; data one byte after another, so that cuts do not show. */
static void note(struct buf *b, const struct qrexec_event *ev)
{
    for (size_t i = 0; i < ev->data.len; i++) {
        buf_append_u8(b, (uint8_t)ev->stream);
        buf_append_u8(b, ev->data.ptr[i]);
    }
    if (ev->kind != QREXEC_EVENT_DATA && ev->kind != QREXEC_EVENT_NONE)
        buf_printf(b, "%d,%u,%d;", ev->kind, ev->stream, ev->exit_code);
}

/* The events as text; ret_used: bytes before the one that broke it. */
static void run(
        enum qrexec_end end, struct span in, size_t step, struct buf *ret)
{
    struct qrexec_data d;

    qrexec_data_init(&d, end);
    while (in.len) {
        size_t n = in.len < step ? in.len : step;
        struct span part = SPAN(in.ptr, n);
        struct qrexec_event ev;
        struct err err;

        in = SPAN(in.ptr + n, in.len - n);
        do {
            int r = qrexec_data_feed(&d, &part, &ev, &err);

            if (r) {
                buf_printf(ret, "!%d", r);
                return;
            }
            assert(ev.kind != QREXEC_EVENT_DATA || ev.data.len > 0);
            note(ret, &ev);
        } while (ev.kind != QREXEC_EVENT_NONE);
        assert(part.len == 0);
    }
}

/* The other end says what this one understood; whole messages alone. */
static void say_again(enum qrexec_end end, struct span in)
{
    enum qrexec_end other =
            end == QREXEC_CALLER ? QREXEC_CALLEE : QREXEC_CALLER;
    struct qrexec_data heard;
    struct qrexec_data said;
    struct qrexec_event ev;
    struct err err;
    uint8_t head[12];

    qrexec_data_init(&heard, end);
    qrexec_data_init(&said, other);
    said.version = QREXEC_VERSION;
    for (;;) {
        const uint8_t *from = in.ptr;

        if (qrexec_data_feed(&heard, &in, &ev, &err) ||
                ev.kind == QREXEC_EVENT_NONE || heard.in_body)
            return;
        if (ev.kind == QREXEC_EVENT_HELLO) {
            qrexec_data_put_hello(&said, head);
            assert(memcmp(from, head, 8) == 0);
            said.version = heard.version;
        } else if (ev.kind == QREXEC_EVENT_EXIT) {
            assert(qrexec_data_put_exit(&said, ev.exit_code, head) == 0);
            assert(memcmp(from, head, 12) == 0);
        } else {
            assert(qrexec_data_put_header(
                           &said, ev.stream, ev.data.len, head) == 0);
            assert(memcmp(from, head, 8) == 0);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf whole = BUF_INIT(1u << 24);
    struct buf cut = BUF_INIT(1u << 24);
    enum qrexec_end end;
    struct span in;

    if (size == 0 || size > 100000)
        return 0;
    end = data[0] & 1 ? QREXEC_CALLEE : QREXEC_CALLER;
    in = SPAN(data + 1, size - 1);
    run(end, in, SIZE_MAX, &whole);
    run(end, in, (data[0] >> 1) + 1u, &cut);
    assert(span_eq(buf_span(&whole), buf_span(&cut)));
    say_again(end, in);
    buf_fini(&whole);
    buf_fini(&cut);
    return 0;
}
