/* SPDX-License-Identifier: Apache-2.0 */
/* Stream sockets as carriers: with descriptors (Unix), and without. */
#include "link_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int) * LINK_FDS_MAX)];
};

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

static ssize_t read_fds(struct link *l, void *ret, size_t cap)
{
    union control control;
    struct iovec iov = {.iov_base = ret, .iov_len = cap};
    struct msghdr mh = {.msg_iov = &iov,
            .msg_iovlen = 1,
            .msg_control = &control,
            .msg_controllen = sizeof(control)};
    ssize_t n;

    do {
        n = recvmsg(l->fd, &mh, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n >= 0 && !keep_fds(l, &mh)) {
        errno = EMFILE;
        return -1;
    }
    return n;
}

/* The kernel drops descriptors that nobody has room for. */
static ssize_t read_plain(struct link *l, void *ret, size_t cap)
{
    ssize_t n;

    do {
        n = recv(l->fd, ret, cap, MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    return n;
}

static ssize_t send_message(struct link *l, const struct msghdr *mh)
{
    ssize_t n;

    do {
        n = sendmsg(l->fd, mh, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n;
}

static ssize_t stream_writev(struct link *l, const struct iovec *iov, int n)
{
    struct iovec *parts = (struct iovec *)(uintptr_t)iov; /* not written to */
    struct msghdr mh = {.msg_iov = parts, .msg_iovlen = (size_t)n};

    return send_message(l, &mh);
}

static ssize_t unix_send_fds(
        struct link *l, struct span bytes, const int *fds, size_t n)
{
    union control control = {0};
    struct iovec iov = {
            .iov_base = (void *)(uintptr_t)bytes.ptr, .iov_len = bytes.len};
    struct msghdr mh = {.msg_iov = &iov,
            .msg_iovlen = 1,
            .msg_control = &control,
            .msg_controllen = CMSG_SPACE(sizeof(int) * n)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&mh);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int) * n);
    memcpy(CMSG_DATA(c), fds, sizeof(int) * n);
    return send_message(l, &mh);
}

static void stream_end(struct link *l)
{
    (void)shutdown(l->fd, SHUT_WR);
}

static void stream_close(struct link *l)
{
    (void)close(l->fd);
}

static short same(const struct link *l, short events)
{
    (void)l; /* the socket polls as what it is */
    return events;
}

static const struct link_carrier carrier_unix = {
        .has_fds = true,
        .read = read_fds,
        .writev = stream_writev,
        .send_fds = unix_send_fds,
        .end = stream_end,
        .close = stream_close,
        .want = same,
        .ready = same,
};

static const struct link_carrier carrier_stream = {
        .read = read_plain,
        .writev = stream_writev,
        .end = stream_end,
        .close = stream_close,
        .want = same,
        .ready = same,
};

static struct link *make(const struct link_carrier *carrier, int fd,
        size_t in_cap, size_t out_cap)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
            fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return NULL;
    return link_new(carrier, fd, in_cap, out_cap);
}

struct link *link_new_unix(int fd, size_t in_cap, size_t out_cap)
{
    return make(&carrier_unix, fd, in_cap, out_cap);
}

struct link *link_new_stream(int fd, size_t in_cap, size_t out_cap)
{
    return make(&carrier_stream, fd, in_cap, out_cap);
}
