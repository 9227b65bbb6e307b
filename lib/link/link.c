/* SPDX-License-Identifier: Apache-2.0 */
#include "link_private.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

/* Parcels queued; a full queue refuses further sends with descriptors. */
#define PARCELS_MAX 512

struct link *link_new(const struct link_carrier *carrier, int fd, size_t in_cap,
        size_t out_cap)
{
    struct link *l = calloc(1, sizeof(*l));

    if (!l)
        return NULL;
    l->carrier = carrier;
    l->fd = fd;
    l->in = BUF_INIT(in_cap);
    l->out = BUF_INIT(out_cap);
    return l;
}

static void close_all(const int *fds, size_t n)
{
    for (size_t i = 0; i < n; i++)
        (void)close(fds[i]);
}

void link_free(struct link *l)
{
    if (!l)
        return;
    l->carrier->close(l);
    close_all(l->fds, l->n_fds);
    for (size_t i = 0; i < l->n_parcels; i++)
        close_all(l->parcels[i].fds, l->parcels[i].n);
    free(l->parcels);
    buf_fini(&l->in);
    buf_fini(&l->out);
    free(l);
}

void link_free_ptr(struct link **l)
{
    link_free(*l);
}

int link_fd(const struct link *l)
{
    return l->fd;
}

bool link_has_fds(const struct link *l)
{
    return l->carrier->has_fds;
}

short link_want(const struct link *l, short events)
{
    return l->carrier->want(l, events);
}

short link_ready(const struct link *l, short revents)
{
    return l->carrier->ready(l, revents);
}

short link_events(const struct link *l)
{
    short events = 0;

    if (l->in.len - l->in_done < l->in.cap)
        events |= POLLIN;
    if (l->out.len)
        events |= POLLOUT;
    return link_want(l, events);
}

/* ---- receiving ------------------------------------------------------- */

static uint8_t *in_space(struct link *l, size_t *ret_n)
{
    const size_t step = 65536;
    size_t room;

    buf_consume(&l->in, l->in_done);
    l->in_done = 0;
    room = l->in.cap - l->in.len;
    *ret_n = room < step ? room : step;
    return buf_reserve(&l->in, *ret_n);
}

static int dead(struct err *err)
{
    return errno == EPIPE || errno == ECONNRESET
                   ? err_set(err, ERR_PEER, "the other end closed")
                   : err_errno(err, "link");
}

int link_recv(struct link *l, struct err *err)
{
    size_t room;
    uint8_t *at = in_space(l, &room);
    ssize_t n;

    if (!at)
        return err_set(err, ERR_MEMORY, "no memory for a link");
    if (room == 0)
        return 0; /* full: link_events did not ask for more */
    n = l->carrier->read(l, at, room);
    if (n < 0 && errno == EMFILE)
        return err_set(err, ERR_PEER, "too many descriptors on a link");
    if (n < 0)
        return errno == EAGAIN ? 0 : dead(err);
    if (n == 0)
        return err_set(err, ERR_PEER, "the other end closed");
    buf_commit(&l->in, (size_t)n);
    return 0;
}

struct span link_in(const struct link *l)
{
    return SPAN(l->in.ptr + l->in_done, l->in.len - l->in_done);
}

void link_consume(struct link *l, size_t n)
{
    l->in_done += n;
}

int link_take_fd(struct link *l)
{
    int fd;

    if (l->n_fds == 0)
        return -1;
    fd = l->fds[0];
    l->n_fds--;
    memmove(l->fds, l->fds + 1, l->n_fds * sizeof(int));
    return fd;
}

/* ---- sending --------------------------------------------------------- */

static bool add_parcel(struct link *l, const int *fds, size_t n)
{
    struct link_parcel *p;

    if (!l->parcels)
        l->parcels = calloc(PARCELS_MAX, sizeof(*p));
    if (!l->parcels || l->n_parcels == PARCELS_MAX)
        return false;
    p = &l->parcels[l->n_parcels++];
    p->at = l->out.len;
    p->n = n;
    memcpy(p->fds, fds, n * sizeof(int));
    return true;
}

int link_send(struct link *l, struct span bytes, const int *fds, size_t n,
        struct err *err)
{
    bool idle = l->out.len == 0;

    assert(bytes.len && n <= LINK_FDS_MAX);
    if (n && !l->carrier->has_fds) {
        close_all(fds, n);
        return err_set(err, ERR_UNSUPPORTED, "no descriptors on this link");
    }
    if (bytes.len > l->out.cap - l->out.len ||
            !buf_reserve(&l->out, bytes.len) || (n && !add_parcel(l, fds, n))) {
        close_all(fds, n);
        return err_set(err, ERR_LIMIT, "the other end does not read");
    }
    buf_append(&l->out, bytes);
    /* Behind a queue it would have to wait anyhow: leave it to POLLOUT. */
    return idle ? link_flush(l, err) : 0;
}

/* Bytes that may go in one sendmsg: up to the next parcel. */
static size_t next_run(const struct link *l, const struct link_parcel **ret)
{
    size_t first = 0;

    *ret = NULL;
    if (l->n_parcels && l->parcels[0].at == 0) {
        *ret = &l->parcels[0];
        first = 1;
    }
    return l->n_parcels > first ? l->parcels[first].at : l->out.len;
}

static ssize_t send_run(struct link *l, size_t len, const struct link_parcel *p)
{
    struct iovec iov = {.iov_base = l->out.ptr, .iov_len = len};

    return p ? l->carrier->send_fds(l, SPAN(l->out.ptr, len), p->fds, p->n)
             : l->carrier->writev(l, &iov, 1);
}

/* n bytes left, and with the first of them the parcel in front. */
static void sent(struct link *l, size_t n, bool parcel)
{
    if (parcel) {
        close_all(l->parcels[0].fds, l->parcels[0].n);
        l->n_parcels--;
        memmove(l->parcels, l->parcels + 1, l->n_parcels * sizeof(*l->parcels));
    }
    for (size_t i = 0; i < l->n_parcels; i++)
        l->parcels[i].at -= n;
    buf_consume(&l->out, n);
}

int link_flush(struct link *l, struct err *err)
{
    while (l->out.len) {
        const struct link_parcel *p;
        size_t len = next_run(l, &p);
        ssize_t n = send_run(l, len, p);

        if (n < 0)
            return errno == EAGAIN ? 0 : dead(err);
        sent(l, (size_t)n, p != NULL);
    }
    return 0;
}

size_t link_room(const struct link *l)
{
    return l->out.cap - l->out.len;
}

/* ---- straight -------------------------------------------------------- */

ssize_t link_read(struct link *l, void *ret, size_t cap)
{
    struct span waiting = link_in(l);

    if (waiting.len) {
        size_t n = waiting.len < cap ? waiting.len : cap;

        memcpy(ret, waiting.ptr, n);
        link_consume(l, n);
        return (ssize_t)n;
    }
    return l->carrier->read(l, ret, cap);
}

ssize_t link_writev(struct link *l, const struct iovec *iov, int n)
{
    assert(l->out.len == 0);
    return l->carrier->writev(l, iov, n);
}

void link_end(struct link *l)
{
    l->carrier->end(l);
}
