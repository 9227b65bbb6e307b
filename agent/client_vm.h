/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qrexec-client-vm, inside.
 *
 *   client_vm.c        options, the local end, the call
 *   client_vm_ask.c    the request to the agent, and the way to the callee
 */
#ifndef AGENT_CLIENT_VM_H
#define AGENT_CLIENT_VM_H

#include "base.h"
#include "link.h"

/* Upstream's code for a call that broke off (its exit(-1)). */
#define CLIENT_VM_CUT_OFF 255

struct client_vm_request {
    const char *socket; /* the agent's */
    const char *source; /* claimed, may be empty */
    const char *target;
    const char *service;
};

/* What the agent gave: the world shows in whether a descriptor came with it. */
struct client_vm_call {
    struct link *data;
    struct link *agent; /* vchan: to be kept open while the call lasts */
};

_Noreturn void client_vm_die(int code, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Exits when the call is refused. */
struct client_vm_call client_vm_ask(const struct client_vm_request *q);

#endif
