/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call of the library with a hostile other side.  First byte: whether the
 * rest is the agent's answer or, after an honest one, the callee's stream, and
 * how much the program reads at once.  However it reads, it gets what the
 * stream says when it is taken in one piece.
 */
#include "buf.h"
#include "link.h"
#include "qair-qrexec.h"
#include "qrexec.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define INPUT_MAX 60000 /* fits into a socket */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct sockaddr_un where = {.sun_family = AF_UNIX};
static int listener = -1;

static void leave(void)
{
    (void)unlink(where.sun_path);
}

static void begin(void)
{
    (void)snprintf(where.sun_path, sizeof(where.sun_path),
            "/tmp/qair-fuzz-call-%d", (int)getpid());
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert(bind(listener, (struct sockaddr *)&where, sizeof(where)) == 0);
    assert(listen(listener, 1) == 0);
    (void)atexit(leave);
}

static struct qair_call *ask(int *ret_agent)
{
    const struct qair_call_options o = {
            .size = sizeof(o), .agent = where.sun_path};
    struct qair_call *c = NULL;

    assert(qair_call_start("vault", "a.B", &o, &c) == 0);
    *ret_agent = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert(*ret_agent >= 0);
    return c;
}

/* All there is to read, at most n at once; true when something came. */
static bool drain(struct qair_call *c, enum qair_call_stream which, size_t n,
        struct buf *ret)
{
    char bytes[4096];
    ssize_t got = qair_call_read(
            c, which, bytes, n < sizeof(bytes) ? n : sizeof(bytes));

    if (got > 0)
        buf_append(ret, SPAN(bytes, (size_t)got));
    return got > 0;
}

static void check_words(const char *s)
{
    size_t n = strlen(s);

    assert(n < QREXEC_REASON_MAX);
    for (size_t i = 0; i < n; i++)
        assert(s[i] >= 0x20 && s[i] <= 0x7e);
}

static void fuzz_answer(struct span bytes)
{
    struct qair_call *c;
    int agent;

    c = ask(&agent);
    assert(buf_write_all(agent, bytes, NULL) == 0);
    assert(shutdown(agent, SHUT_WR) == 0);
    while (qair_call_fd(c) >= 0)
        (void)qair_call_step(c);
    /* No answer without a stream lets a call run. */
    assert(qair_call_step(c) == QAIR_CALL_REFUSED ||
            qair_call_step(c) == QAIR_CALL_LOST);
    assert(*qair_call_reason(c));
    check_words(qair_call_where(c));
    check_words(qair_call_reason(c));
    qair_call_free(c);
    (void)close(agent);
}

/* The stream in one piece; true when the service ended. */
static bool take_whole(
        struct span in, struct buf *out, struct buf *errors, int *ret_code)
{
    struct qrexec_event e;
    struct qrexec_data d;
    struct err err;

    qrexec_data_init(&d, QREXEC_CALLER);
    while (qrexec_data_feed(&d, &in, &e, &err) == 0 &&
            e.kind != QREXEC_EVENT_NONE) {
        if (e.kind == QREXEC_EVENT_DATA)
            buf_append(e.stream == QREXEC_STDERR ? errors : out, e.data);
        if (e.kind != QREXEC_EVENT_EXIT)
            continue;
        *ret_code = (int)(e.exit_code & 0xff);
        return true;
    }
    return false;
}

/* The peer's end, which stays open until all was read. */
static int run_stream(struct qair_call *c, int agent, struct span bytes)
{
    static const uint8_t answer[8] = {1, 0, 0, 0, 1, 2, 0, 0};
    struct link *l = link_new_unix(agent, 64, 64);
    int fds[2];

    assert(l && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    assert(link_send(l, SPAN_OF(answer), &fds[1], 1, NULL) == 0);
    (void)close(fds[1]);
    assert(buf_write_all(fds[0], bytes, NULL) == 0);
    assert(shutdown(fds[0], SHUT_WR) == 0);
    while (qair_call_step(c) == QAIR_CALL_ASKING) {
    }
    /* What it is sent it need not take, but it may not fail of it. */
    (void)qair_call_write(c, "x", 1);
    (void)qair_call_end_input(c);
    link_free(l);
    return fds[0];
}

static void fuzz_stream(struct span bytes, size_t step)
{
    struct buf out = BUF_INIT(INPUT_MAX), errors = BUF_INIT(INPUT_MAX);
    struct buf got = BUF_INIT(INPUT_MAX), got_errors = BUF_INIT(INPUT_MAX);
    bool more = true, exited;
    struct qair_call *c;
    int agent, peer, code = 0;

    exited = take_whole(bytes, &out, &errors, &code);
    c = ask(&agent);
    peer = run_stream(c, agent, bytes);
    while (more || qair_call_fd(c) >= 0) {
        (void)qair_call_step(c);
        more = drain(c, QAIR_CALL_STDOUT, step, &got);
        more |= drain(c, QAIR_CALL_STDERR, step, &got_errors);
    }
    assert(span_eq(buf_span(&out), buf_span(&got)));
    assert(span_eq(buf_span(&errors), buf_span(&got_errors)));
    assert(qair_call_step(c) == (exited ? QAIR_CALL_EXITED : QAIR_CALL_LOST));
    assert(!exited || qair_call_exit_code(c) == code);
    assert(exited || *qair_call_reason(c));
    check_words(qair_call_reason(c));
    qair_call_free(c);
    (void)close(peer);
    buf_fini(&out);
    buf_fini(&errors);
    buf_fini(&got);
    buf_fini(&got_errors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > INPUT_MAX)
        return 0;
    if (listener < 0)
        begin();
    if (data[0] & 1)
        fuzz_stream(SPAN(data + 1, size - 1), 16u * (data[0] >> 1) + 1);
    else
        fuzz_answer(SPAN(data + 1, size - 1));
    return 0;
}
