/* SPDX-License-Identifier: Apache-2.0 */
/* A call from its request to its end; docs/proto/agent.md, section 2. */
#include "buf.h"
#include "link.h"
#include "qair-qrexec.h"
#include "qrexec.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define AGENT_SOCKET "/run/qubes/qrexec-agent"
#define IDENT        "SOCKET REASON"
#define REASON_MARK  UINT32_MAX
#define CHUNK        65536
/* As it was when the header was first published. */
#define OPTIONS_SIZE_FIRST offsetof(struct qair_call_options, timeout_ms)
#define OUT_MAX            ((size_t)2 * (CHUNK + QREXEC_HEADER_SIZE))

/* One of the service's output streams: what came and was not read yet. */
struct stream {
    struct buf bytes;
    size_t done;
    bool ended;
};

struct qair_call {
    enum qair_call_state state;
    struct link *link;      /* to the agent, then the call's data */
    struct link_port *port; /* where the data is awaited (vchan) */
    struct link *agent;     /* vchan: its end tells dom0 that of the call */
    struct qrexec_data data;
    struct stream out, err;
    int64_t until; /* of now_ms; 0: no end */
    bool input_ended;
    int exit_code;
    char where[QREXEC_REASON_MAX];
    char reason[QREXEC_REASON_MAX];
};

static int64_t now_ms(void)
{
    struct timespec t = {.tv_sec = 0};

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- the end --------------------------------------------------------- */

static void end(struct qair_call *c, enum qair_call_state state)
{
    c->state = state;
    link_free(TAKE_PTR(c->link));
    link_port_free(TAKE_PTR(c->port));
    link_free(TAKE_PTR(c->agent));
    c->out.ended = c->err.ended = true;
}

static void lose(struct qair_call *c, const char *reason)
{
    (void)snprintf(c->reason, sizeof(c->reason), "%s", reason);
    end(c, QAIR_CALL_LOST);
}

static bool is_over(const struct qair_call *c)
{
    return c->link == NULL && c->port == NULL;
}

/* ---- the request ----------------------------------------------------- */

static int connect_agent(const char *path, unsigned timeout_ms, int *ret)
{
    const struct timeval patience = {.tv_sec = timeout_ms / 1000,
            .tv_usec = (suseconds_t)(timeout_ms % 1000) * 1000};
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd, e;

    if (strlen(path) >= sizeof(addr.sun_path))
        return -ENAMETOOLONG;
    memcpy(addr.sun_path, path, strlen(path));
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    /* Zero is without end. */
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) <
                    0 ||
            connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
        e = -errno;
        (void)close(fd);
        return e;
    }
    *ret = fd;
    return 0;
}

static int ask(struct link *l, const char *target, const char *service,
        const char *source)
{
    uint8_t *bytes = malloc(QREXEC_MSG_MAX);
    struct qrexec_msg m = {.type = QREXEC_TRIGGER_SERVICE4,
            .source = span_str(source),
            .target = span_str(target),
            .ident = span_str(IDENT),
            .service = span_str(service)};
    size_t len;
    int r = 0;

    if (!bytes)
        return -ENOMEM;
    if (qrexec_msg_put(&m, bytes, QREXEC_MSG_MAX, &len) != 0)
        r = -ENAMETOOLONG;
    else if (link_send(l, SPAN(bytes, len), NULL, 0, NULL) != 0)
        r = -ECONNREFUSED;
    free(bytes);
    return r;
}

static int start(struct qair_call *c, const char *target, const char *service,
        const struct qair_call_options *o)
{
    int fd = -1, r;

    if (o->timeout_ms)
        c->until = now_ms() + o->timeout_ms;
    r = connect_agent(o->agent ? o->agent : AGENT_SOCKET, o->timeout_ms, &fd);
    if (r != 0)
        return r;
    c->link = link_new_unix(fd, 8 + QREXEC_REASON_MAX, QREXEC_MSG_MAX);
    if (!c->link) {
        (void)close(fd);
        return -ENOMEM;
    }
    return ask(c->link, target, service, o->source ? o->source : "");
}

int qair_call_start(const char *target, const char *service,
        const struct qair_call_options *options, struct qair_call **ret)
{
    struct qair_call_options o = {.size = sizeof(o)};
    struct qair_call *c;
    int r;

    if (!target || !qrexec_is_service(span_str(service ? service : "")))
        return -EINVAL;
    /* A caller built against a later header may ask for what is not known. */
    if (options &&
            (options->size > sizeof(o) || options->size < OPTIONS_SIZE_FIRST))
        return -EINVAL;
    if (options)
        memcpy(&o, options, options->size);
    c = calloc(1, sizeof(*c));
    if (!c)
        return -ENOMEM;
    c->out.bytes = BUF_INIT(CHUNK);
    c->err.bytes = BUF_INIT(CHUNK);
    r = start(c, target, service, &o);
    if (r != 0)
        qair_call_free(TAKE_PTR(c));
    *ret = c;
    return r;
}

void qair_call_free(struct qair_call *c)
{
    if (!c)
        return;
    link_free(c->link);
    link_port_free(c->port);
    link_free(c->agent);
    buf_fini(&c->out.bytes);
    buf_fini(&c->err.bytes);
    free(c);
}

/* ---- the answer ------------------------------------------------------ */

static void refused(struct qair_call *c, struct span text)
{
    const uint8_t *mid = text.len ? memchr(text.ptr, 0, text.len) : NULL;

    (void)snprintf(c->reason, sizeof(c->reason), "no reason given");
    if (mid && text.ptr[text.len - 1] == 0) {
        size_t n = (size_t)(mid - text.ptr);

        text_format_safe(SPAN(text.ptr, n), c->where, sizeof(c->where));
        if (n + 2 < text.len)
            text_format_safe(SPAN(mid + 1, text.len - n - 2), c->reason,
                    sizeof(c->reason));
    }
    end(c, QAIR_CALL_REFUSED);
}

/* The call's stream is there. */
static void run(struct qair_call *c)
{
    uint8_t hello[12];

    qrexec_data_init(&c->data, QREXEC_CALLER);
    qrexec_data_put_hello(&c->data, hello);
    c->state = QAIR_CALL_RUNNING;
    if (link_send(c->link, SPAN_OF(hello), NULL, 0, NULL) != 0)
        lose(c, "the call's stream was closed");
}

/* A zone's agent sends the stream, Qubes' agent says where it will be: the
 * caller is the vchan server. */
static void allowed(struct qair_call *c, uint32_t domain, uint32_t port)
{
    int fd = link_take_fd(c->link);
    struct err err;

    c->agent = TAKE_PTR(c->link);
    if (fd < 0) {
        if (link_port_listen(domain, port, &c->port, &err) != 0)
            lose(c, err.msg);
        return;
    }
    link_free(TAKE_PTR(c->agent));
    c->link = link_new_unix(fd, CHUNK, OUT_MAX);
    if (c->link) {
        run(c);
        return;
    }
    (void)close(fd);
    lose(c, "no memory for the call's stream");
}

static void await_peer(struct qair_call *c)
{
    struct err err;
    int r = link_port_open(c->port, CHUNK, OUT_MAX, &c->link, &err);

    if (r == ERR_STATE)
        return;
    link_port_free(TAKE_PTR(c->port));
    if (r == 0)
        run(c);
    else
        lose(c, err.msg);
}

static void take_answer(struct qair_call *c)
{
    struct wire_reader r = wire_reader_of(link_in(c->link));
    uint32_t domain, port;
    struct span text;

    if (!wire_get_u32le(&r, &domain) || !wire_get_u32le(&r, &port))
        return;
    if (domain != REASON_MARK)
        allowed(c, domain, port);
    else if (port > QREXEC_REASON_MAX)
        refused(c, SPAN_EMPTY);
    else if (wire_get_span(&r, port, &text))
        refused(c, text);
}

/* ---- the stream ------------------------------------------------------ */

static size_t room(const struct stream *s)
{
    return s->bytes.cap - (s->bytes.len - s->done);
}

static void keep(struct stream *s, struct span bytes)
{
    if (s->done > 0) {
        buf_consume(&s->bytes, s->done);
        s->done = 0;
    }
    buf_append(&s->bytes, bytes);
}

static bool take_event(struct qair_call *c, const struct qrexec_event *e)
{
    struct stream *s = e->stream == QREXEC_STDERR ? &c->err : &c->out;

    if (e->kind == QREXEC_EVENT_DATA)
        keep(s, e->data);
    if (e->kind == QREXEC_EVENT_EOF)
        s->ended = true;
    if (e->kind != QREXEC_EVENT_EXIT)
        return true;
    c->exit_code = (int)(e->exit_code & 0xff);
    end(c, QAIR_CALL_EXITED);
    return false;
}

static void take_stream(struct qair_call *c)
{
    struct qrexec_event e;
    struct err err;

    for (;;) {
        size_t fits =
                room(&c->out) < room(&c->err) ? room(&c->out) : room(&c->err);
        struct span all = link_in(c->link), in;

        in = SPAN(all.ptr, all.len < fits ? all.len : fits);
        if (in.len == 0)
            return;
        all = in;
        if (qrexec_data_feed(&c->data, &in, &e, &err) != 0) {
            lose(c, err.msg);
            return;
        }
        if (!take_event(c, &e))
            return;
        link_consume(c->link, all.len - in.len);
    }
}

static void take_and_give(struct qair_call *c)
{
    struct err err;
    int sent, got;

    if (c->port)
        await_peer(c);
    if (!c->link)
        return;
    sent = link_flush(c->link, &err);
    got = link_recv(c->link, &err);
    if (c->state == QAIR_CALL_ASKING) {
        take_answer(c);
        if (c->state != QAIR_CALL_ASKING || c->port)
            return;
    }
    if (c->state == QAIR_CALL_RUNNING)
        take_stream(c);
    /* What came before the end counts; what is left cannot be sent. */
    if (c->link && (got != 0 || sent == ERR_IO) &&
            (c->state == QAIR_CALL_ASKING || link_in(c->link).len == 0)) {
        if (c->state == QAIR_CALL_ASKING && got == ERR_PEER)
            refused(c, SPAN_EMPTY); /* as upstream's agent says it */
        else
            lose(c, "the call's stream ended before the service did");
    }
}

enum qair_call_state qair_call_step(struct qair_call *c)
{
    take_and_give(c);
    if (!is_over(c) && c->until != 0 && now_ms() >= c->until)
        lose(c, "it was not over in time");
    return c->state;
}

int qair_call_left_ms(const struct qair_call *c)
{
    int64_t left = c->until - now_ms();

    if (c->until == 0 || is_over(c))
        return -1;
    return left <= 0 ? 0 : left < INT_MAX ? (int)left : INT_MAX;
}

int qair_call_fd(const struct qair_call *c)
{
    if (c->port)
        return link_port_fd(c->port);
    return c->link ? link_fd(c->link) : -1;
}

short qair_call_events(const struct qair_call *c)
{
    if (c->port)
        return POLLIN;
    return c->link ? link_events(c->link) : 0;
}

static bool has_bytes(const struct stream *s)
{
    return s->bytes.len > s->done;
}

static bool may_write(const struct qair_call *c)
{
    return c->state == QAIR_CALL_RUNNING && !c->input_ended &&
           qrexec_data_may_send(&c->data, QREXEC_STDIN) &&
           !(link_events(c->link) & POLLOUT);
}

/* The shorter of two, where a negative one is no bound. */
static int sooner(int a, int b)
{
    return b < 0 || (a >= 0 && a < b) ? a : b;
}

int qair_call_wait(struct qair_call *c, int want_write, int timeout_ms)
{
    int64_t until = now_ms() + timeout_ms;

    for (;;) {
        struct pollfd p;
        int left = -1;

        (void)qair_call_step(c);
        if (is_over(c) || has_bytes(&c->out) || has_bytes(&c->err) ||
                (want_write && may_write(c)))
            return 0;
        if (timeout_ms >= 0)
            left = (int)(until - now_ms());
        if (timeout_ms >= 0 && left <= 0)
            return -ETIMEDOUT;
        p = (struct pollfd){
                .fd = qair_call_fd(c), .events = qair_call_events(c)};
        if (poll(&p, 1, sooner(left, qair_call_left_ms(c))) < 0)
            return -errno;
    }
}

/* ---- what goes in and comes out -------------------------------------- */

static int send_input(struct qair_call *c, struct span bytes)
{
    uint8_t part[QREXEC_HEADER_SIZE + CHUNK];
    struct qrexec_data before = c->data;
    int r;

    if (is_over(c) || c->input_ended)
        return -EPIPE;
    if (c->state != QAIR_CALL_RUNNING ||
            !qrexec_data_may_send(&c->data, QREXEC_STDIN))
        return c->data.eof_sent ? -EPIPE : -EAGAIN;
    if (qrexec_data_put_header(&c->data, QREXEC_STDIN, bytes.len, part) != 0)
        return -EPIPE;
    if (bytes.len > 0)
        memcpy(part + QREXEC_HEADER_SIZE, bytes.ptr, bytes.len);
    r = link_send(
            c->link, SPAN(part, QREXEC_HEADER_SIZE + bytes.len), NULL, 0, NULL);
    if (r == 0)
        return 0;
    c->data = before;
    return r == ERR_LIMIT ? -EAGAIN : -EPIPE;
}

ssize_t qair_call_write(struct qair_call *c, const void *bytes, size_t n)
{
    size_t max = qrexec_data_chunk_max(&c->data);
    int r;

    if (n == 0)
        return 0;
    if (n > CHUNK)
        n = CHUNK;
    if (max > 0 && n > max)
        n = max;
    r = send_input(c, SPAN(bytes, n));
    return r == 0 ? (ssize_t)n : r;
}

int qair_call_end_input(struct qair_call *c)
{
    int r = send_input(c, SPAN_EMPTY);

    if (r == 0)
        c->input_ended = true;
    return r;
}

ssize_t qair_call_read(
        struct qair_call *c, enum qair_call_stream which, void *bytes, size_t n)
{
    struct stream *s = which == QAIR_CALL_STDERR ? &c->err : &c->out;
    size_t there = s->bytes.len - s->done;

    if (n > there)
        n = there;
    if (n > 0) {
        memcpy(bytes, s->bytes.ptr + s->done, n);
        s->done += n;
        return (ssize_t)n;
    }
    return there > 0 || s->ended ? 0 : -EAGAIN;
}

int qair_call_exit_code(const struct qair_call *c)
{
    return c->exit_code;
}

const char *qair_call_where(const struct qair_call *c)
{
    return c->where;
}

const char *qair_call_reason(const struct qair_call *c)
{
    return c->reason;
}
