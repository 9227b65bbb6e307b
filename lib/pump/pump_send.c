/* SPDX-License-Identifier: Apache-2.0 */
/* Local sources to the peer, a message at a time, body bytes where they lie. */
#include "pump_private.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static bool is_source(const struct pump_call *r, uint32_t stream)
{
    return (r->d.end == QREXEC_CALLER) == (stream == QREXEC_STDIN);
}

void pump_close(struct pump_call *r, uint32_t stream)
{
    size_t i = pump_index(stream);

    if (r->fd[i] < 0)
        return;
    if (r->is_sock[i] && !is_source(r, stream))
        (void)shutdown(r->fd[i], SHUT_WR);
    if (r->fd[i] != STDERR_FILENO) /* messages go there to the end */
        (void)close(r->fd[i]);
    r->fd[i] = -1;
}

static int flush(struct pump_call *r, struct err *err)
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

static int put(struct pump_call *r, uint32_t stream, size_t len)
{
    int e = qrexec_data_put_header(&r->d, stream, len, r->out);

    if (e == 0)
        r->out_len = QREXEC_HEADER_SIZE + len;
    return e;
}

/* One read of a source into the message behind its header. */
static int fill_from(struct pump_call *r, uint32_t stream, struct err *err)
{
    size_t i = pump_index(stream);
    size_t max = qrexec_data_chunk_max(&r->d);
    uint8_t *body = r->out + QREXEC_HEADER_SIZE;
    ssize_t n = 0;

    if (r->fd[i] >= 0)
        n = r->is_sock[i] ? recv(r->fd[i], body, max, MSG_DONTWAIT)
                          : read(r->fd[i], body, max);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0) { /* an error of a source is its end: a tty that hung up */
        pump_close(r, stream);
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

static int fill_prefix(struct pump_call *r, struct err *err)
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

static bool is_ready(const struct pump_call *r, uint32_t stream)
{
    return r->fd[pump_index(stream)] < 0 ||
           (r->poll[SLOT_SOURCE + pump_index(stream)].revents &
                   (POLLIN | POLLHUP | POLLERR | POLLNVAL));
}

static bool may_exit(const struct pump_call *r)
{
    return r->d.end == QREXEC_CALLEE && r->child_fd < 0 && !r->d.exit_sent &&
           !pump_takes_stdin(r) &&
           !qrexec_data_may_send(&r->d, QREXEC_STDOUT) &&
           !qrexec_data_may_send(&r->d, QREXEC_STDERR);
}

/* The next message, when there is something to say. */
static int fill_out(struct pump_call *r, struct err *err)
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
            r->poll[SLOT_SOURCE + pump_index(stream)].revents = 0;
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
int pump_send(struct pump_call *r, struct err *err)
{
    for (;;) {
        int e = r->out_len ? 0 : fill_out(r, err);

        if (e || !r->out_len)
            return e;
        e = flush(r, err);
        if (e || r->out_len)
            return e;
    }
}

/*
 * The end of stdin that upstream's callee still hears after its exit code;
 * whatever is on its way goes first, as far as the link takes it.
 */
void pump_end_stdin(struct pump_call *r)
{
    struct err ignored;

    if (r->link_ended || (r->out_len && flush(r, &ignored)) || r->out_len)
        return;
    if (!qrexec_data_put_last_eof(&r->d, r->out))
        return;
    r->out_len = QREXEC_HEADER_SIZE;
    (void)!flush(r, &ignored);
}
