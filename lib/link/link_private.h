/* SPDX-License-Identifier: Apache-2.0 */
/* Room link, inside: what a carrier is. */
#ifndef QAIR_LINK_PRIVATE_H
#define QAIR_LINK_PRIVATE_H

#include "link.h"

#include "buf.h"

/*
 * A carrier of bytes.  All calls are non-blocking and retry EINTR themselves;
 * -1 with errno, EAGAIN: not now.
 */
struct link_carrier {
    bool has_fds;
    /* With has_fds: received ones are appended to fds (at most
     * LINK_FDS_MAX), EMFILE when there are more. */
    ssize_t (*read)(struct link *l, void *ret, size_t cap);
    ssize_t (*writev)(struct link *l, const struct iovec *iov, int n);
    /* With has_fds: n fds leave with the first byte. */
    ssize_t (*send_fds)(
            struct link *l, struct span bytes, const int *fds, size_t n);
    void (*end)(struct link *l);
    void (*close)(struct link *l);
    /* Poll events of fd for events of the link, and back. */
    short (*want)(const struct link *l, short events);
    short (*ready)(const struct link *l, short revents);
};

/* Descriptors in flight that leave with the byte at a queue position. */
struct link_parcel {
    size_t at; /* offset in out of the byte they go with */
    int fds[LINK_FDS_MAX];
    size_t n;
};

struct link {
    const struct link_carrier *carrier;
    int fd; /* to poll */
    struct buf in;
    size_t in_done; /* consumed bytes at the front of in */
    struct buf out;
    struct link_parcel *parcels; /* a ring would save a move of a few hundred */
    size_t n_parcels;
    int fds[LINK_FDS_MAX]; /* received */
    size_t n_fds;
};

struct link *link_new(const struct link_carrier *carrier, int fd, size_t in_cap,
        size_t out_cap);

#endif
