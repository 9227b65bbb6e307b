/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room link (floor 4): byte links between a host and its qubes.
 *
 * A link carries bytes in order both ways and, where the carrier can, open
 * descriptors with them.  Carriers:
 *
 *   Unix          a connected stream socket, with descriptors (zone world)
 *   socket vchan  a Unix stream at a place that two domain ids and a port
 *                 name, without descriptors (Qubes world; what
 *                 qubes-core-vchan-socket speaks)
 *
 * vsock, virtio-serial and Xen vchan fit the same table (link_private.h):
 * peer and port, no descriptors, and a descriptor to poll that need not be
 * the one that carries the bytes (link_want, link_ready).
 *
 * Everything is non-blocking but link_port_wait.  A link is used in one of
 * two ways.  Queued: link_recv, link_in, link_send, link_flush, within the
 * caps named at creation; a peer that does not read costs no more than that,
 * and then its link fails.  Straight: link_read and link_writev, for a pump
 * that has its own buffers; caps may be 0 then.
 *
 * Descriptors: link_send takes the fds in any case.  Received ones wait in
 * order of arrival until link_take_fd; how many belong to a message is what
 * the message says.  More than LINK_FDS_MAX waiting, or one on a carrier that
 * has none, is the peer's violation.
 */
#ifndef QAIR_LINK_H
#define QAIR_LINK_H

#include "base.h"

#include <sys/types.h>
#include <sys/uio.h>

#define LINK_FDS_MAX 8 /* waiting to be taken; a message has at most 2 */

struct link; /* heap */

/* Takes fd (a connected Unix stream), sets it non-blocking; NULL: memory,
 * and fd stays the caller's. */
struct link *link_new_unix(int fd, size_t in_cap, size_t out_cap) MUST_CHECK;
/* Any connected stream socket; descriptors that come are dropped. */
struct link *link_new_stream(int fd, size_t in_cap, size_t out_cap) MUST_CHECK;
void link_free(struct link *l); /* closes; NULL is fine */
void link_free_ptr(struct link **l);

/* ---- a link that is not there yet ------------------------------------ */

/*
 * The place where one link is awaited (server) or looked for (client).  Poll
 * link_port_fd for POLLIN, then call link_port_open.
 *
 * Socket vchan: $VCHAN_SOCKET_DIR/vchan.SERVER.CLIENT.PORT.sock (default
 * folder /var/run/vchan), own domain id in $VCHAN_DOMAIN.  A server takes one
 * connection and removes its socket then; what an earlier server left behind
 * is replaced.
 */
struct link_port; /* heap */

#define LINK_VCHAN_DIR       "/var/run/vchan"
#define LINK_CONTROL_PORT    512 /* agent's server for domain 0 */
#define LINK_DATA_PORT_FIRST 513
#define LINK_DATA_PORT_LAST  768

/* ERR_USAGE: $VCHAN_DOMAIN is missing or not a number; ERR_IO. */
int link_port_listen(uint32_t client, uint32_t port, struct link_port **ret,
        struct err *err) MUST_CHECK;
/* timeout_ms from now on; 0 = no end. */
int link_port_connect(uint32_t server, uint32_t port, unsigned timeout_ms,
        struct link_port **ret, struct err *err) MUST_CHECK;
void link_port_free(struct link_port *p); /* NULL is fine */
void link_port_free_ptr(struct link_port **p);
int link_port_fd(const struct link_port *p);
/*
 * The link, once; the port is only to be freed then.  ERR_STATE: not yet;
 * ERR_TIMEOUT: the client's deadline passed; ERR_IO, ERR_MEMORY.
 */
int link_port_open(struct link_port *p, size_t in_cap, size_t out_cap,
        struct link **ret, struct err *err) MUST_CHECK;
/* As link_port_open, but waits; timeout_ms for this wait, 0 = no end. */
int link_port_wait(struct link_port *p, unsigned timeout_ms, size_t in_cap,
        size_t out_cap, struct link **ret, struct err *err) MUST_CHECK;

/* ---- polling --------------------------------------------------------- */

/* To poll, with the events of link_events or link_want; stays the same. */
int link_fd(const struct link *l);
bool link_has_fds(const struct link *l);
/* Queued use: to read while the in-buffer has room, to write while bytes
 * wait.  Ask anew before every poll. */
short link_events(const struct link *l);
/* What to poll for when POLLIN or POLLOUT of the link is wanted, */
short link_want(const struct link *l, short events);
/* and what of POLLIN, POLLOUT, POLLHUP, POLLERR the answer means. */
short link_ready(const struct link *l, short revents);

/* ---- queued ---------------------------------------------------------- */

/*
 * Reads once.  0: something came, or nothing is there now; ERR_PEER: the peer
 * closed (bytes already read stay readable) or broke a rule; ERR_IO.
 */
int link_recv(struct link *l, struct err *err) MUST_CHECK;
/* Bytes that came and were not consumed; valid until the next link_recv. */
struct span link_in(const struct link *l);
void link_consume(struct link *l, size_t n);
/* The descriptor that came first, now the caller's; -1 when none waits. */
int link_take_fd(struct link *l) MUST_CHECK;

/*
 * Queues bytes with n fds on their first byte and writes what goes at once.
 * ERR_LIMIT when the queue would exceed its cap (nothing is queued);
 * ERR_UNSUPPORTED for fds on a carrier without; ERR_PEER, ERR_IO when the
 * link is dead.
 */
int link_send(struct link *l, struct span bytes, const int *fds, size_t n,
        struct err *err) MUST_CHECK;
int link_flush(struct link *l, struct err *err) MUST_CHECK;
/* Bytes that link_send may still queue. */
size_t link_room(const struct link *l);

/* ---- straight -------------------------------------------------------- */

/*
 * As read and writev: -1 with errno (EAGAIN: not now), 0 from link_read is the
 * peer's end.  Bytes that link_recv left come first; nothing may be queued to
 * send.
 */
ssize_t link_read(struct link *l, void *ret, size_t cap) MUST_CHECK;
ssize_t link_writev(struct link *l, const struct iovec *iov, int n) MUST_CHECK;
/* No more is sent; the peer reads what was sent, then the end. */
void link_end(struct link *l);

#endif
