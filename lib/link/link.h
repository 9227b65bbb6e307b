/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room link (floor 4): byte links between a zone and its qubes.
 *
 * A link carries bytes in order both ways and, where the carrier can, open
 * descriptors with them.  Today's carrier is a Unix stream socket; vsock,
 * virtio-serial and vchan are carriers without descriptors (link_has_fds).
 * Everything is non-blocking.  The out-queue and the in-buffer have caps that
 * are named at creation: a peer that does not read costs no more than that
 * and then its link fails.
 *
 * Descriptors: link_send takes the fds in any case.  Received
 * ones wait in order of arrival until link_take_fd; how many belong to a
 * message is what the message says.  More than LINK_FDS_MAX waiting, or one
 * on a link that was made without, is the peer's violation.
 *
 * For calld (qube links), the agent and qrexec-client-vm.
 */
#ifndef QAIR_LINK_H
#define QAIR_LINK_H

#include "base.h"

#define LINK_FDS_MAX 8 /* waiting to be taken; a message has at most 2 */

struct link; /* heap */

/* Takes fd (a connected Unix stream), sets it non-blocking; NULL: memory. */
struct link *link_new_unix(int fd, size_t in_cap, size_t out_cap) MUST_CHECK;
void link_free(struct link *l); /* closes; NULL is fine */
void link_free_ptr(struct link **l);

int link_fd(const struct link *l);
bool link_has_fds(const struct link *l);
/* POLLIN while the in-buffer has room, POLLOUT while bytes wait. */
short link_events(const struct link *l);

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
 * ERR_PEER, ERR_IO when the link is dead.
 */
int link_send(struct link *l, struct span bytes, const int *fds, size_t n,
        struct err *err) MUST_CHECK;
int link_flush(struct link *l, struct err *err) MUST_CHECK;

#endif
