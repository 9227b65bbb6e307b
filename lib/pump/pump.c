/* SPDX-License-Identifier: Apache-2.0 */
#include "pump.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUT_SIZE (QREXEC_HEADER_SIZE + LIMIT_QREXEC_DATA_MAX)
#define IN_SIZE  (2u * LIMIT_QREXEC_DATA_MAX)
#define STREAMS  3
/* After the exit code a callee waits so long for its caller to close, so that
 * bytes in flight do not turn into a reset of the stream. */
#define LINGER_MS 5000

enum slot {
    SLOT_LINK,
    SLOT_SINK,
    SLOT_CHILD,
    SLOT_SIGNAL,
    SLOT_SOURCE,
    SLOT_COUNT = SLOT_SOURCE + STREAMS
};

struct run {
    struct pump *p;
    struct qrexec_data d;
    int fd[STREAMS]; /* by stream - QREXEC_STDIN; -1 = closed */
    bool is_sock[STREAMS];
    bool is_service_socket;
    int child_fd;  /* pidfd, -1 = none or done */
    int signal_fd; /* for SIGUSR1, -1 = not awaited */
    int spare_fd;  /* what becomes the source then; outlives the sink */
    uint8_t *out;  /* one message on its way to the peer */
    size_t out_at;
    size_t out_len;
    uint8_t *in;
    struct span fresh; /* of in: not fed yet */
    struct span pend;  /* of in: body bytes that pend_stream's sink owes */
    uint32_t pend_stream;
    uint32_t turn;   /* source that goes first, for fairness */
    bool link_ended; /* caller: the peer reads no more */
    bool over;
    struct pollfd poll[SLOT_COUNT];
};

static size_t index_of(uint32_t stream)
{
    return stream - QREXEC_STDIN;
}

static bool is_source(const struct run *r, uint32_t stream)
{
    return (r->d.end == QREXEC_CALLER) == (stream == QREXEC_STDIN);
}

static void close_stream(struct run *r, uint32_t stream)
{
    size_t i = index_of(stream);

    if (r->fd[i] < 0)
        return;
    if (r->is_sock[i] && !is_source(r, stream))
        (void)shutdown(r->fd[i], SHUT_WR);
    if (r->fd[i] != STDERR_FILENO) /* messages go there to the end */
        (void)close(r->fd[i]);
    r->fd[i] = -1;
}

/* ---- to the peer ----------------------------------------------------- */

static int flush_out(struct run *r, struct err *err)
{
    while (r->out_at < r->out_len) {
        const struct iovec iov = {.iov_base = r->out + r->out_at,
                .iov_len = r->out_len - r->out_at};
        ssize_t n = link_writev(r->p->link, &iov, 1);

        if (n >= 0) {
            r->out_at += (size_t)n;
        } else if (errno == EAGAIN) {
            return 0;
        } else {
            if (errno != EPIPE && errno != ECONNRESET)
                return err_errno(err, "data stream");
            if (r->d.end == QREXEC_CALLEE)
                return err_set(err, ERR_PEER, "the caller went away");
            r->link_ended = true; /* the exit code may still be there */
            r->out_at = r->out_len;
        }
    }
    r->out_at = r->out_len = 0;
    return 0;
}

static int put(struct run *r, uint32_t stream, size_t len)
{
    int e = qrexec_data_put_header(&r->d, stream, len, r->out);

    if (e == 0)
        r->out_len = QREXEC_HEADER_SIZE + len;
    return e;
}

/* One read of a source into the message behind its header. */
static int fill_from(struct run *r, uint32_t stream, struct err *err)
{
    size_t i = index_of(stream);
    size_t max = qrexec_data_chunk_max(&r->d);
    uint8_t *body = r->out + QREXEC_HEADER_SIZE;
    ssize_t n = 0;

    if (r->fd[i] >= 0)
        n = r->is_sock[i] ? recv(r->fd[i], body, max, MSG_DONTWAIT)
                          : read(r->fd[i], body, max);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0) { /* an error of a source is its end: a tty that hung up */
        close_stream(r, stream);
        n = 0;
        if (r->p->exit_on_service_eof && stream == QREXEC_STDOUT)
            r->over = true;
    }
    if (stream == QREXEC_STDERR && n > 0 && r->p->log_fd > 0)
        (void)!write(r->p->log_fd, body, (size_t)n);
    if (put(r, stream, (size_t)n))
        return err_set(err, ERR_STATE, "data out of order");
    return 0;
}

static int fill_prefix(struct run *r, struct err *err)
{
    struct span *prefix = &r->p->prefix;
    size_t max = qrexec_data_chunk_max(&r->d);
    size_t n = prefix->len < max ? prefix->len : max;

    memcpy(r->out + QREXEC_HEADER_SIZE, prefix->ptr, n);
    *prefix = SPAN(prefix->ptr + n, prefix->len - n);
    if (put(r, QREXEC_STDIN, n))
        return err_set(err, ERR_STATE, "data out of order");
    return 0;
}

static bool is_ready(const struct run *r, uint32_t stream)
{
    return r->fd[index_of(stream)] < 0 ||
           (r->poll[SLOT_SOURCE + index_of(stream)].revents &
                   (POLLIN | POLLHUP | POLLERR | POLLNVAL));
}

/* A service that is a socket has no process whose end is the call's: it is
 * over when the socket has closed both ways. */
static bool takes_stdin(const struct run *r)
{
    size_t i = index_of(QREXEC_STDIN);

    return r->d.end == QREXEC_CALLEE && r->is_service_socket && r->fd[i] >= 0;
}

static bool may_exit(const struct run *r)
{
    return r->d.end == QREXEC_CALLEE && r->child_fd < 0 && !r->d.exit_sent &&
           !takes_stdin(r) && !qrexec_data_may_send(&r->d, QREXEC_STDOUT) &&
           !qrexec_data_may_send(&r->d, QREXEC_STDERR);
}

/* The next message, when there is something to say. */
static int fill_out(struct run *r, struct err *err)
{
    if (!r->d.hello_sent) {
        qrexec_data_put_hello(&r->d, r->out);
        r->out_len = QREXEC_HEADER_SIZE + 4;
        return 0;
    }
    if (!r->d.version || r->link_ended)
        return 0;
    if (r->p->prefix.len)
        return fill_prefix(r, err);
    for (uint32_t k = 0; k < STREAMS && !r->out_len; k++) {
        uint32_t stream = QREXEC_STDIN + (r->turn + k) % STREAMS;

        if (qrexec_data_may_send(&r->d, stream) && is_ready(r, stream)) {
            int e = fill_from(r, stream, err);

            if (e)
                return e;
            r->poll[SLOT_SOURCE + index_of(stream)].revents = 0;
            r->turn = stream - QREXEC_STDIN + 1;
        }
    }
    if (!r->out_len && may_exit(r)) {
        if (qrexec_data_put_exit(&r->d, r->p->exit_code, r->out))
            return err_set(err, ERR_STATE, "exit code out of order");
        r->out_len = QREXEC_HEADER_SIZE + 4;
    }
    return 0;
}

/* Until there is nothing to say or the stream is full. */
static int send_side(struct run *r, struct err *err)
{
    for (;;) {
        int e = r->out_len ? 0 : fill_out(r, err);

        if (e || !r->out_len)
            return e;
        e = flush_out(r, err);
        if (e || r->out_len)
            return e;
    }
}

/* ---- from the peer --------------------------------------------------- */

/* Terminal tricks of a less trusted qube (upstream: do_replace_chars). */
static void filter(uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if ((p[i] < 0x20 || p[i] > 0x7e) &&
                (p[i] == 0 || !strchr("\t\n\r\b\a", p[i])))
            p[i] = '_';
    }
}

/* Bytes that the sink takes now; negative: the sink is gone. */
static ssize_t write_sink(const struct run *r, size_t i, struct span s)
{
    ssize_t n;

    do {
        n = r->is_sock[i]
                    ? send(r->fd[i], s.ptr, s.len, MSG_DONTWAIT | MSG_NOSIGNAL)
                    : write(r->fd[i], s.ptr, s.len);
    } while (n < 0 && errno == EINTR);
    return n < 0 && errno == EAGAIN ? 0 : n;
}

/* A sink that takes no more: what that means depends on which. */
static int sink_gone(struct run *r, uint32_t stream, struct err *err)
{
    bool gone = errno == EPIPE || errno == ECONNRESET || errno == EIO;

    if (!gone && r->d.end == QREXEC_CALLER)
        return err_errno(err, "writing the call's output");
    close_stream(r, stream);
    r->pend = SPAN_EMPTY;
    if (stream == QREXEC_STDOUT) { /* nobody wants the answer any more */
        r->p->exit_code = QREXEC_EXIT_SIGNAL_BASE + SIGPIPE;
        r->over = true;
    }
    return 0;
}

static int write_pend(struct run *r, struct err *err)
{
    size_t i = index_of(r->pend_stream);

    while (r->pend.len) {
        ssize_t n;

        if (r->fd[i] < 0) { /* the sink closed earlier: dropped */
            r->pend = SPAN_EMPTY;
            return 0;
        }
        n = write_sink(r, i, r->pend);
        if (n < 0)
            return sink_gone(r, r->pend_stream, err);
        if (n == 0)
            return 0;
        r->pend = SPAN(r->pend.ptr + n, r->pend.len - (size_t)n);
    }
    return 0;
}

static int on_event(
        struct run *r, const struct qrexec_event *ev, struct err *err)
{
    switch (ev->kind) {
    case QREXEC_EVENT_NONE:
    case QREXEC_EVENT_HELLO:
        return 0;
    case QREXEC_EVENT_DATA:
        r->pend = ev->data;
        r->pend_stream = ev->stream;
        if (ev->stream == QREXEC_STDOUT ? r->p->filter_stdout
                                        : r->p->filter_stderr)
            filter(r->in + (ev->data.ptr - r->in), ev->data.len);
        return write_pend(r, err);
    case QREXEC_EVENT_EOF:
        close_stream(r, ev->stream);
        if (ev->stream == QREXEC_STDIN && r->p->exit_on_client_eof)
            r->over = true;
        return 0;
    case QREXEC_EVENT_EXIT:
        r->p->exit_code = ev->exit_code;
        r->over = true;
        if (r->fresh.len)
            return err_set(err, ERR_PEER, "bytes after the exit code");
        return 0;
    }
    return 0;
}

/*
 * The end of stdin that upstream's callee still hears after its exit code;
 * whatever is on its way goes first, as far as the link takes it.
 */
static void end_stdin(struct run *r)
{
    struct err ignored;

    if (r->link_ended || (r->out_len && flush_out(r, &ignored)) || r->out_len)
        return;
    if (!qrexec_data_put_last_eof(&r->d, r->out))
        return;
    r->out_len = QREXEC_HEADER_SIZE;
    (void)!flush_out(r, &ignored);
}

/* Feeds until a sink blocks or all is used. */
static int feed(struct run *r, struct err *err)
{
    while (r->fresh.len && !r->pend.len && !r->over) {
        struct qrexec_event ev;
        int e = qrexec_data_feed(&r->d, &r->fresh, &ev, err);

        if (e == 0)
            e = on_event(r, &ev, err);
        if (e)
            return e;
    }
    return 0;
}

static int recv_side(struct run *r, struct err *err)
{
    short peer = link_ready(r->p->link, r->poll[SLOT_LINK].revents);
    int e = r->pend.len ? write_pend(r, err) : 0;

    if (e == 0)
        e = feed(r, err);
    if (e || r->over)
        return e;
    if (r->pend.len) {
        /* Not reading: only the caller's disappearance is of interest. */
        if (r->d.end == QREXEC_CALLEE && (peer & (POLLHUP | POLLERR)))
            return err_set(err, ERR_PEER, "the caller went away");
        return 0;
    }
    if (peer & (POLLIN | POLLHUP | POLLERR)) {
        ssize_t n = link_read(r->p->link, r->in, IN_SIZE);

        if (n < 0 && errno == EAGAIN)
            return 0;
        if (n <= 0)
            return err_set(err, ERR_PEER,
                    r->d.end == QREXEC_CALLEE ? "the caller went away"
                                              : "the call was cut off");
        r->fresh = SPAN(r->in, (size_t)n);
        return feed(r, err);
    }
    return 0;
}

/* ---- the loop -------------------------------------------------------- */

static void want(struct run *r, unsigned slot, int fd, short events)
{
    r->poll[slot] = (struct pollfd){.fd = fd, .events = events};
}

static void prepare(struct run *r)
{
    short peer = 0;
    bool waits = r->pend.len > 0;

    if (!waits)
        peer |= POLLIN;
    if (r->out_len)
        peer |= POLLOUT;
    /* A hang-up that nobody handles would make poll spin. */
    want(r, SLOT_LINK,
            peer || r->d.end == QREXEC_CALLEE ? link_fd(r->p->link) : -1,
            link_want(r->p->link, peer));
    want(r, SLOT_SINK, waits ? r->fd[index_of(r->pend_stream)] : -1, POLLOUT);
    if (!waits && takes_stdin(r)) /* for its hang-up alone */
        want(r, SLOT_SINK, r->fd[index_of(QREXEC_STDIN)], 0);
    want(r, SLOT_CHILD, r->child_fd, POLLIN);
    want(r, SLOT_SIGNAL, r->signal_fd, POLLIN);
    for (uint32_t s = QREXEC_STDIN; s <= QREXEC_STDERR; s++) {
        bool read = !r->out_len && !r->link_ended && !r->p->prefix.len &&
                    qrexec_data_may_send(&r->d, s);

        want(r, SLOT_SOURCE + (unsigned)index_of(s),
                read ? r->fd[index_of(s)] : -1, POLLIN);
    }
}

static void reap(struct run *r)
{
    int status = 0;

    if (waitpid(r->p->child, &status, WNOHANG) != r->p->child)
        return;
    r->p->exit_code = qrexec_exit_code(status);
    r->p->child = 0;
    (void)close(r->child_fd);
    r->child_fd = -1;
    /* What the service left running has its output, and no more input. */
    close_stream(r, QREXEC_STDIN);
    r->pend = SPAN_EMPTY;
}

/* SIGUSR1: the program wants its stdin, a socket, for both directions. */
static void use_one_socket(struct run *r)
{
    size_t from =
            index_of(r->d.end == QREXEC_CALLEE ? QREXEC_STDOUT : QREXEC_STDIN);

    (void)close(r->signal_fd);
    r->signal_fd = -1;
    if (r->fd[from] < 0 || r->spare_fd < 0)
        return;
    (void)close(r->fd[from]);
    r->fd[from] = TAKE_FD(r->spare_fd);
    r->is_sock[from] = true;
    r->poll[SLOT_SOURCE + from].revents = 0;
}

static int step(struct run *r, struct err *err)
{
    int e;

    prepare(r);
    if (poll(r->poll, SLOT_COUNT, -1) < 0)
        return errno == EINTR ? 0 : err_errno(err, "poll");
    if (r->child_fd >= 0 && r->poll[SLOT_CHILD].revents)
        reap(r);
    if (r->signal_fd >= 0 && r->poll[SLOT_SIGNAL].revents)
        use_one_socket(r);
    if (!r->pend.len && takes_stdin(r) && r->poll[SLOT_SINK].revents)
        close_stream(r, QREXEC_STDIN);
    e = recv_side(r, err);
    if (e == 0 && !r->over)
        e = send_side(r, err);
    if (e == 0 && r->d.exit_sent && !r->out_len)
        r->over = true;
    return e;
}

/* exit_on_*: the streams end here, whatever the service still does. */
static void say_last_words(struct run *r)
{
    struct err ignored;

    if (r->p->child)
        r->p->exit_code = 0;
    for (uint32_t s = QREXEC_STDIN; s <= QREXEC_STDERR; s++)
        close_stream(r, s);
    r->turn = QREXEC_STDERR - QREXEC_STDIN; /* upstream's order */
    if (r->child_fd >= 0)
        (void)close(r->child_fd);
    r->child_fd = -1;
    while (!r->d.exit_sent || r->out_len) {
        struct pollfd pfd = {.fd = link_fd(r->p->link),
                .events = link_want(r->p->link, POLLOUT)};

        if (send_side(r, &ignored) || (!r->out_len && !r->d.version))
            return;
        if (r->out_len && poll(&pfd, 1, LINGER_MS) <= 0)
            return;
    }
}

static void linger(struct run *r)
{
    int ms = r->p->linger_ms ? r->p->linger_ms : LINGER_MS;
    struct pollfd pfd = {
            .fd = link_fd(r->p->link), .events = link_want(r->p->link, POLLIN)};
    ssize_t n;

    link_end(r->p->link);
    do {
        if (poll(&pfd, 1, ms) <= 0)
            return;
        n = link_read(r->p->link, r->in, IN_SIZE);
    } while (n > 0 || (n < 0 && errno == EAGAIN));
}

static int watch_signal(struct run *r, struct err *err)
{
    size_t sink =
            index_of(r->d.end == QREXEC_CALLEE ? QREXEC_STDIN : QREXEC_STDOUT);
    sigset_t set;

    if (r->fd[sink] >= 0 && r->is_sock[sink])
        r->spare_fd = fcntl(r->fd[sink], F_DUPFD_CLOEXEC, 3);

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    if (sigprocmask(SIG_BLOCK, &set, NULL) == 0)
        r->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return r->signal_fd < 0 ? err_errno(err, "signalfd") : 0;
}

static int start(struct run *r, struct err *err)
{
    const int fds[STREAMS] = {r->p->stdin_fd, r->p->stdout_fd, r->p->stderr_fd};

    for (size_t i = 0; i < STREAMS; i++) {
        struct stat st;
        int flags;

        r->fd[i] = fds[i];
        if (fds[i] < 0)
            continue;
        r->is_sock[i] = fstat(fds[i], &st) == 0 && S_ISSOCK(st.st_mode);
        flags = fcntl(fds[i], F_GETFL);
        if (fds[i] > 2 && flags >= 0 && !r->is_sock[i])
            (void)fcntl(fds[i], F_SETFL, flags | O_NONBLOCK);
    }
    r->is_service_socket = !r->p->child && r->is_sock[0];
    if (r->p->no_stderr)
        r->d.eof_sent |= (uint8_t)(1u << index_of(QREXEC_STDERR));
    r->out = malloc(OUT_SIZE);
    r->in = malloc(IN_SIZE);
    if (!r->p->link || !r->out || !r->in)
        return err_set(err, ERR_MEMORY, "no memory for a call");
    if (r->p->child) {
        r->child_fd = (int)syscall(SYS_pidfd_open, r->p->child, 0);
        if (r->child_fd < 0)
            return err_errno(err, "pidfd_open");
    }
    if (r->p->one_socket_on_usr1 && watch_signal(r, err))
        return ERR_IO;
    return send_side(r, err);
}

int pump_run(struct pump *p, int *ret_exit, struct err *err)
{
    struct run r = {.p = p, .child_fd = -1, .signal_fd = -1, .spare_fd = -1};
    int e;

    qrexec_data_init(&r.d, p->end);
    e = start(&r, err);
    while (e == 0 && !r.over)
        e = step(&r, err);
    if (e == 0 && p->end == QREXEC_CALLEE) {
        if (!r.d.exit_sent)
            say_last_words(&r);
        linger(&r);
    }
    if (e == 0 && r.d.exit_got)
        end_stdin(&r);
    for (uint32_t s = QREXEC_STDIN; s <= QREXEC_STDERR; s++)
        close_stream(&r, s);
    if (r.child_fd >= 0)
        (void)close(r.child_fd);
    if (r.signal_fd >= 0)
        (void)close(r.signal_fd);
    if (r.spare_fd >= 0)
        (void)close(r.spare_fd);
    link_free(p->link);
    p->link = NULL;
    free(r.out);
    free(r.in);
    if (e == 0)
        *ret_exit = p->exit_code;
    return e;
}
