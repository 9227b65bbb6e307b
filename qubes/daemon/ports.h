/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Data ports of one qube's calls, 513..768.
 *
 * Two daemons allocate for a pair of qubes, each for calls to its own; so that
 * they never choose the same port, the daemon of the lower id takes odd ones
 * and the other even ones.  Calls of dom0, which has no daemon, use all.
 *
 * A port that has just become free is not used again for the same peer at
 * once: the callee's agent reports the end of a call while the caller may still
 * own the vchan of that port, and a second vchan at one place stalls both.
 *
 * A vchan is known by both qubes and the port.  So once every port has a call,
 * a peer still gets those that only others use: one qube that holds all the
 * calls it may cannot keep the rest out.
 */
#ifndef QAIR_QUBES_PORTS_H
#define QAIR_QUBES_PORTS_H

#include "base.h"
#include "link.h"

#define PORTS_COUNT (LINK_DATA_PORT_LAST - LINK_DATA_PORT_FIRST + 1)
/* As many as the agent runs; eight peers may hold all they can. */
#define PORTS_CALLS_MAX 1024
/* How long a caller may take to let go of a vchan that has ended. */
#define PORTS_REST_MS 5000
/* Ends that are remembered: all ports of four peers in a row. */
#define PORTS_PAST (4 * PORTS_COUNT)

struct ports {
    uint32_t own; /* domain id of the qube */
    struct ports_call {
        bool used;
        uint32_t domain; /* the other end */
        uint32_t slot;
        void *owner; /* who is told of the end, or NULL */
    } calls[PORTS_CALLS_MAX];
    struct ports_end {
        uint32_t domain;
        uint32_t slot;
        uint64_t at; /* 0: none */
    } past[PORTS_PAST];
    size_t next; /* the oldest of past */
};

void ports_init(struct ports *p, uint32_t own);
/*
 * A port for a call from domain: the first that nobody uses, else the first
 * that domain does not use; one that still rests only when there is no other,
 * the longest first.  ERR_LIMIT when domain uses all of its own.
 */
int ports_take(struct ports *p, uint32_t domain, uint64_t now_ms, void *owner,
        uint32_t *ret_port) MUST_CHECK;
/*
 * The call is over.  False when that port is not used with that domain (the
 * agent's word is not to be trusted); else *ret_owner is who took it.
 */
bool ports_put(struct ports *p, uint32_t domain, uint32_t port, uint64_t now_ms,
        void **ret_owner) MUST_CHECK;
/* owner is no more; its ports stay taken. */
void ports_forget(struct ports *p, const void *owner);

#endif
