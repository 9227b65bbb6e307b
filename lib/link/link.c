/* SPDX-License-Identifier: Apache-2.0 */
#include "link.h"

#include "buf.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* Descriptors in flight that leave with the byte at a queue position. */
struct parcel {
    size_t at; /* offset in out of the byte they go with */
    int fds[LINK_FDS_MAX];
    size_t n;
};

/* Parcels queued; a full queue refuses further sends with descriptors. */
#define PARCELS_MAX 512

struct link {
    int fd;
    struct buf in;
    size_t in_done; /* consumed bytes at the front of in */
    struct buf out;
    struct parcel *parcels; /* a ring would save a move of a few hundred */
    size_t n_parcels;
    int fds[LINK_FDS_MAX]; /* received */
    size_t n_fds;
};

struct link *link_new_unix(int fd, size_t in_cap, size_t out_cap)
{
    struct link *l = calloc(1, sizeof(*l));
    int flags = fcntl(fd, F_GETFL);

    if (!l || flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
            fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
        free(l);
        return NULL;
    }
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
    (void)close(l->fd);
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
    (void)l; /* the one carrier of today has them */
    return true;
}

short link_events(const struct link *l)
{
    short events = 0;

    if (l->in.len - l->in_done < l->in.cap)
        events |= POLLIN;
    if (l->out.len)
        events |= POLLOUT;
    return events;
}

/* ---- receiving ------------------------------------------------------- */

/* Takes over what came; false when it is more than may wait. */
static bool keep_fds(struct link *l, struct msghdr *mh)
{
    bool fits = !(mh->msg_flags & MSG_CTRUNC);

    for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
        size_t n;

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
            if (l->n_fds < LINK_FDS_MAX) {
                l->fds[l->n_fds++] = fd;
            } else {
                (void)close(fd);
                fits = false;
            }
        }
    }
    return fits;
}

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

int link_recv(struct link *l, struct err *err)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * LINK_FDS_MAX)];
    } control;
    struct iovec iov;
    struct msghdr mh = {.msg_iov = &iov,
            .msg_iovlen = 1,
            .msg_control = &control,
            .msg_controllen = sizeof(control)};
    ssize_t n;

    iov.iov_base = in_space(l, &iov.iov_len);
    if (!iov.iov_base)
        return err_set(err, ERR_MEMORY, "no memory for a link");
    if (iov.iov_len == 0)
        return 0; /* full: link_events did not ask for more */
    do {
        n = recvmsg(l->fd, &mh, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        if (errno == EAGAIN)
            return 0;
        return errno == ECONNRESET
                       ? err_set(err, ERR_PEER, "the other end closed")
                       : err_errno(err, "link");
    }
    if (!keep_fds(l, &mh))
        return err_set(err, ERR_PEER, "too many descriptors on a link");
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
    struct parcel *p;

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
static size_t next_run(const struct link *l, const struct parcel **ret)
{
    size_t first = 0;

    *ret = NULL;
    if (l->n_parcels && l->parcels[0].at == 0) {
        *ret = &l->parcels[0];
        first = 1;
    }
    return l->n_parcels > first ? l->parcels[first].at : l->out.len;
}

static ssize_t send_run(struct link *l, size_t len, const struct parcel *p)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * LINK_FDS_MAX)];
    } control = {0};
    struct iovec iov = {.iov_base = l->out.ptr, .iov_len = len};
    struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
    ssize_t n;

    if (p) {
        struct cmsghdr *c;

        mh.msg_control = &control;
        mh.msg_controllen = CMSG_SPACE(sizeof(int) * p->n);
        c = CMSG_FIRSTHDR(&mh);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * p->n);
        memcpy(CMSG_DATA(c), p->fds, sizeof(int) * p->n);
    }
    do {
        n = sendmsg(l->fd, &mh, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n;
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
        const struct parcel *p;
        size_t len = next_run(l, &p);
        ssize_t n = send_run(l, len, p);

        if (n < 0) {
            if (errno == EAGAIN)
                return 0;
            return errno == EPIPE || errno == ECONNRESET
                           ? err_set(err, ERR_PEER, "the other end closed")
                           : err_errno(err, "link");
        }
        sent(l, (size_t)n, p != NULL);
    }
    return 0;
}
