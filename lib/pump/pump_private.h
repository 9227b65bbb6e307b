/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room pump, inside: one call on its way.
 *
 *   pump.c        start, loop, end
 *   pump_send.c   local sources to the peer
 *   pump_recv.c   the peer to local sinks
 */
#ifndef QAIR_PUMP_PRIVATE_H
#define QAIR_PUMP_PRIVATE_H

#include "pump.h"

#include <poll.h>

#define OUT_SIZE (QREXEC_HEADER_SIZE + LIMIT_QREXEC_DATA_MAX)
#define IN_SIZE  (2u * LIMIT_QREXEC_DATA_MAX)
#define STREAMS  3

enum slot {
    SLOT_LINK,
    SLOT_SINK,
    SLOT_CHILD,
    SLOT_SIGNAL,
    SLOT_SOURCE,
    SLOT_COUNT = SLOT_SOURCE + STREAMS
};

struct pump_call {
    struct pump *p;
    struct qrexec_data d;
    int fd[STREAMS]; /* by stream - QREXEC_STDIN; -1 = closed */
    bool is_sock[STREAMS];
    bool is_service_socket;
    int child_fd;  /* pidfd, -1 = none or done */
    int signal_fd; /* for SIGUSR1, -1 = not awaited */
    int spare_fd;  /* what becomes the source then; outlives the sink */
    uint8_t *out;  /* one message on its way to the peer */
    size_t out_at;
    size_t out_len;
    uint8_t *in;
    struct span fresh; /* of in: not fed yet */
    struct span pend;  /* of in: body bytes that pend_stream's sink owes */
    uint32_t pend_stream;
    uint32_t turn;   /* source that goes first, for fairness */
    bool link_ended; /* caller: the peer reads no more */
    bool over;
    struct pollfd poll[SLOT_COUNT];
};

static inline size_t pump_index(uint32_t stream)
{
    return stream - QREXEC_STDIN;
}

/* A service that is a socket has no process whose end is the call's: it is
 * over when the socket has closed both ways. */
static inline bool pump_takes_stdin(const struct pump_call *r)
{
    size_t i = pump_index(QREXEC_STDIN);

    return r->d.end == QREXEC_CALLEE && r->is_service_socket && r->fd[i] >= 0;
}

void pump_close(struct pump_call *r, uint32_t stream);
/* To the peer, until there is nothing to say or the link is full. */
int pump_send(struct pump_call *r, struct err *err) MUST_CHECK;
/* The caller's end of stdin after the exit code. */
void pump_end_stdin(struct pump_call *r);
/* From the peer, until it has said all or a sink is full. */
int pump_recv(struct pump_call *r, struct err *err) MUST_CHECK;

#endif
