/* SPDX-License-Identifier: Apache-2.0 */
/* The peer to local sinks, as far as they take it. */
#include "pump_private.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

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
static ssize_t write_sink(const struct pump_call *r, size_t i, struct span s)
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
static int sink_gone(struct pump_call *r, uint32_t stream, struct err *err)
{
    bool gone = errno == EPIPE || errno == ECONNRESET || errno == EIO;

    if (!gone && r->d.end == QREXEC_CALLER)
        return err_errno(err, "writing the call's output");
    pump_close(r, stream);
    r->pend = SPAN_EMPTY;
    if (stream == QREXEC_STDOUT) { /* nobody wants the answer any more */
        r->p->exit_code = QREXEC_EXIT_SIGNAL_BASE + SIGPIPE;
        r->over = true;
    }
    return 0;
}

static int write_pend(struct pump_call *r, struct err *err)
{
    size_t i = pump_index(r->pend_stream);

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
        struct pump_call *r, const struct qrexec_event *ev, struct err *err)
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
        pump_close(r, ev->stream);
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

/* Feeds until a sink blocks or all is used. */
static int feed(struct pump_call *r, struct err *err)
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

int pump_recv(struct pump_call *r, struct err *err)
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
