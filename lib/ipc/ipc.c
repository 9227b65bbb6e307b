/* SPDX-License-Identifier: Apache-2.0 */
#include "ipc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/* Aligned room for one SCM_RIGHTS message. */
union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int) * LIMIT_IPC_FDS_MAX)];
};

int ipc_pair(int ret_fds[static 2], struct err *err)
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
                ret_fds) < 0)
        return err_errno(err, "socketpair");
    return 0;
}

static int code_of_errno(void)
{
    switch (errno) {
    case EAGAIN:
    case ENOBUFS:
    case ENOMEM:
        return ERR_STATE;
    case EPIPE:
    case ECONNRESET:
    case ENOTCONN:
        return ERR_PEER;
    case EMSGSIZE:
    case ETOOMANYREFS:
        return ERR_LIMIT;
    default:
        return ERR_IO;
    }
}

int ipc_send(int fd, struct span datagram, const int *fds, size_t n_fds)
{
    union control control = {0};
    struct iovec iov = {
            /* sendmsg does not write through it */
            .iov_base = (void *)(uintptr_t)datagram.ptr,
            .iov_len = datagram.len,
    };
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    ssize_t n;

    /* An empty datagram would look like the end of the link. */
    if (datagram.len == 0 || datagram.len > LIMIT_IPC_MSG_MAX ||
            n_fds > LIMIT_IPC_FDS_MAX)
        return ERR_LIMIT;
    if (n_fds > 0) {
        m.msg_control = control.bytes;
        m.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
    }
    do {
        n = sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? code_of_errno() : 0;
}

void ipc_fds_close(struct ipc_fds *f)
{
    for (size_t i = 0; i < f->n; i++) {
        if (f->fd[i] >= 0)
            (void)close(f->fd[i]);
    }
    f->n = 0;
}

/* All descriptors of all control messages; false when they are too many or
 * something else was sent along. */
static bool take_fds(struct msghdr *m, struct ipc_fds *ret)
{
    bool ok = !(m->msg_flags & MSG_CTRUNC);

    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        size_t n;

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
            ok = false;
            continue;
        }
        n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
            if (ret->n < LIMIT_IPC_FDS_MAX) {
                ret->fd[ret->n++] = fd;
            } else {
                (void)close(fd);
                ok = false;
            }
        }
    }
    return ok;
}

static int receive(int fd, int flags, uint8_t *buf, size_t cap, size_t *ret_len,
        struct ipc_fds *ret_fds)
{
    union control control;
    struct iovec iov = {.iov_base = buf, .iov_len = cap};
    struct msghdr m = {
            .msg_iov = &iov,
            .msg_iovlen = 1,
            .msg_control = control.bytes,
            .msg_controllen = sizeof(control.bytes),
    };
    struct ipc_fds fds = {.n = 0};
    ssize_t n;

    do {
        n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC | flags);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return code_of_errno();
    if (!take_fds(&m, &fds) || (m.msg_flags & MSG_TRUNC)) {
        ipc_fds_close(&fds);
        return ERR_LIMIT;
    }
    if (n == 0) {
        ipc_fds_close(&fds);
        return ERR_PEER;
    }
    *ret_len = (size_t)n;
    *ret_fds = fds;
    return 0;
}

int ipc_recv(int fd, uint8_t *buf, size_t cap, size_t *ret_len,
        struct ipc_fds *ret_fds)
{
    return receive(fd, MSG_DONTWAIT, buf, cap, ret_len, ret_fds);
}

int ipc_recv_wait(int fd, uint8_t *buf, size_t cap, size_t *ret_len,
        struct ipc_fds *ret_fds)
{
    return receive(fd, 0, buf, cap, ret_len, ret_fds);
}

/* ---- local sockets --------------------------------------------------- */

/* sun_path is short; a folder's descriptor makes any path fit. */
static int address_of(
        int dirfd, const char *name, struct sockaddr_un *ret, struct err *err)
{
    int n;

    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    n = snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/%s",
            dirfd, name);
    if (n < 0 || (size_t)n >= sizeof(ret->sun_path) || strchr(name, '/'))
        return err_set(err, ERR_LIMIT, "socket name %s", name);
    return 0;
}

static int bind_and_listen(int fd, int dirfd, const char *name,
        const struct sockaddr_un *a, uid_t uid, gid_t gid, struct err *err)
{
    if (unlinkat(dirfd, name, 0) < 0 && errno != ENOENT)
        return err_errno(err, "remove old socket %s", name);
    if (bind(fd, (const struct sockaddr *)a, sizeof(*a)) < 0)
        return err_errno(err, "bind %s", name);
    /* Connecting fails until listen, so nobody slips in before the mode. */
    if (fchmodat(dirfd, name, 0600, 0) < 0)
        return err_errno(err, "mode of %s", name);
    if (fchownat(dirfd, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(err, "owner of %s", name);
    if (listen(fd, 16) < 0)
        return err_errno(err, "listen on %s", name);
    return 0;
}

int ipc_listen(int dirfd, const char *name, uid_t uid, gid_t gid, int *ret_fd,
        struct err *err)
{
    struct sockaddr_un a;
    int fd, rc = address_of(dirfd, name, &a, err);

    if (rc < 0)
        return rc;
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_errno(err, "socket");
    rc = bind_and_listen(fd, dirfd, name, &a, uid, gid, err);
    if (rc < 0) {
        (void)close(fd);
        return rc;
    }
    *ret_fd = fd;
    return 0;
}

static int connect_at(
        int fd, const char *dir, const char *name, struct err *err)
{
    struct sockaddr_un a;
    int rc, dirfd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (dirfd < 0)
        return err_errno(err, "%s", dir);
    rc = address_of(dirfd, name, &a, err);
    if (rc == 0 && connect(fd, (const struct sockaddr *)&a, sizeof(a)) < 0)
        rc = err_errno(err, "%s/%s", dir, name);
    (void)close(dirfd);
    return rc;
}

int ipc_connect(const char *dir, const char *name, int *ret_fd, struct err *err)
{
    int fd, rc;

    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_errno(err, "socket");
    rc = connect_at(fd, dir, name, err);
    if (rc < 0) {
        (void)close(fd);
        return rc;
    }
    *ret_fd = fd;
    return 0;
}

int ipc_wait(int fd, int timeout_ms, struct err *err)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int n;

    do {
        n = poll(&p, 1, timeout_ms);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_errno(err, "poll");
    if (n == 0)
        return err_set(err, ERR_TIMEOUT, "no answer in %d ms", timeout_ms);
    return 0;
}

int ipc_peer_cred(int fd, struct ipc_cred *ret, struct err *err)
{
    struct ucred c;
    socklen_t len = sizeof(c);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &len) < 0)
        return err_errno(err, "SO_PEERCRED");
    *ret = (struct ipc_cred){.pid = c.pid, .uid = c.uid, .gid = c.gid};
    return 0;
}

/* ---- sealed bytes ---------------------------------------------------- */

static int write_memfd(int fd, struct span s, struct err *err)
{
    while (s.len > 0) {
        ssize_t n = write(fd, s.ptr, s.len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, "write to memfd");
        s = SPAN(s.ptr + n, s.len - (size_t)n);
    }
    if (fcntl(fd, F_ADD_SEALS, SEALS) < 0)
        return err_errno(err, "seal");
    return 0;
}

int ipc_seal(struct span bytes, const char *name, int *ret_fd, struct err *err)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int rc;

    if (fd < 0)
        return err_errno(err, "memfd %s", name);
    rc = write_memfd(fd, bytes, err);
    if (rc < 0) {
        (void)close(fd);
        return rc;
    }
    *ret_fd = fd;
    return 0;
}

int ipc_map(int fd, size_t max, struct span *ret, struct err *err)
{
    struct stat st;
    void *p;
    int seals = fcntl(fd, F_GET_SEALS);

    if (seals < 0 || (seals & SEALS) != SEALS)
        return err_set(err, ERR_DENIED, "not a sealed memfd");
    if (fstat(fd, &st) < 0)
        return err_errno(err, "memfd");
    if ((uint64_t)st.st_size > max)
        return err_set(err, ERR_LIMIT, "memfd of %lld bytes, at most %zu",
                (long long)st.st_size, max);
    if (st.st_size == 0) {
        *ret = SPAN_EMPTY;
        return 0;
    }
    p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return err_errno(err, "map memfd");
    *ret = SPAN(p, (size_t)st.st_size);
    return 0;
}

void ipc_unmap(struct span s)
{
    if (s.ptr)
        (void)munmap((void *)(uintptr_t)s.ptr, s.len);
}
