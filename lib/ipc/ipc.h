/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room ipc (floor 4): datagrams with descriptors between processes of one
 * machine, and bytes that cannot change any more (sealed memfd).
 *
 * Sockets are SOCK_SEQPACKET and non-blocking.  Every descriptor made or
 * received here is close-on-exec.  Codes: ERR_STATE "nothing now" (EAGAIN),
 * ERR_PEER "the other end is gone", ERR_LIMIT "too much", ERR_IO the rest.
 */
#ifndef QAIR_IPC_H
#define QAIR_IPC_H

#include "base.h"

#include <sys/types.h>

/* Two connected ends. */
int ipc_pair(int ret_fds[static 2], struct err *err) MUST_CHECK;

/* One datagram; descriptors are duplicated, the caller keeps its own. */
int ipc_send(int fd, struct span datagram, const int *fds, size_t n_fds)
        MUST_CHECK;

struct ipc_fds {
    int fd[LIMIT_IPC_FDS_MAX];
    size_t n;
};
/* Closes what is left (-1 entries were taken). */
void ipc_fds_close(struct ipc_fds *f);

/*
 * One datagram into buf[cap].  A truncated datagram or control message is
 * ERR_LIMIT, and whatever descriptors came with it are closed.
 */
int ipc_recv(int fd, uint8_t *buf, size_t cap, size_t *ret_len,
        struct ipc_fds *ret_fds) MUST_CHECK;
/* The same, and waits, on a socket that was made blocking. */
int ipc_recv_wait(int fd, uint8_t *buf, size_t cap, size_t *ret_len,
        struct ipc_fds *ret_fds) MUST_CHECK;

/* ---- local sockets --------------------------------------------------- */

/* A SOCK_SEQPACKET listener at path with the given owner and mode 0600; a
 * stale socket file is replaced.  dirfd of the folder; name without slash. */
int ipc_listen(int dirfd, const char *name, uid_t uid, gid_t gid, int *ret_fd,
        struct err *err) MUST_CHECK;
/* A connection to the socket `name` in the folder `dir`. */
int ipc_connect(const char *dir, const char *name, int *ret_fd, struct err *err)
        MUST_CHECK;
/* Waits for at most timeout_ms (-1: for ever) until fd is readable. */
int ipc_wait(int fd, int timeout_ms, struct err *err) MUST_CHECK;

struct ipc_cred {
    pid_t pid;
    uid_t uid;
    gid_t gid;
};
int ipc_peer_cred(int fd, struct ipc_cred *ret, struct err *err) MUST_CHECK;

/* ---- sealed bytes ---------------------------------------------------- */

/* A memfd with a copy of the bytes: no grow, shrink, write or unseal. */
int ipc_seal(struct span bytes, const char *name, int *ret_fd, struct err *err)
        MUST_CHECK;
/*
 * Maps a sealed memfd read-only.  Refuses one that lacks a seal (ERR_DENIED:
 * its sender could still change it) or is larger than max.
 */
int ipc_map(int fd, size_t max, struct span *ret, struct err *err) MUST_CHECK;
void ipc_unmap(struct span s);

#endif
