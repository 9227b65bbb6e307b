/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qrexec-agent, inside: one event loop.
 *
 *   agent.c          start, options, signals
 *   agent_control.c  the link to dom0's daemon
 *   agent_client.c   programs of the qube that call (qrexec-client-vm)
 *   agent_exec.c     services: a runner each, or the fork server
 *   agent_wait.c     services that wait for the user's session
 */
#ifndef QUBES_AGENT_H
#define QUBES_AGENT_H

#include "base.h"
#include "qrexec.h"

#include <sys/resource.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

struct agent {
    sd_event *loop;
    const char *fork_server; /* path with %s for the user; NULL = none */
    struct rlimit files;     /* of descriptors, before it was raised */
};
extern struct agent agent;

void agent_log(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* The process cannot go on. */
_Noreturn void agent_die(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* In a fresh child: without the agent's descriptors and its limit of them. */
void agent_child(void);
/* A child whose end nobody would hear of; 0 or less: there is none. */
void agent_give_up(pid_t pid);

/* ---- control --------------------------------------------------------- */

/* Opens the server for dom0, now and whenever the daemon went away. */
void agent_control_open(void);
/* Which daemon is there: changes with each; 0 = none that said hello. */
unsigned agent_control_epoch(void);
/* A TRIGGER_SERVICE4 in the daemon's version; negative: refuse it. */
int agent_control_ask(const struct qrexec_msg *m, struct err *err) MUST_CHECK;
/* Tells the daemon of that epoch that a call's port is free. */
void agent_control_ended(unsigned epoch, uint32_t domain, uint32_t port);

/* ---- client ---------------------------------------------------------- */

void agent_client_listen(const char *path);
/* From the daemon. */
void agent_client_connect(const struct qrexec_msg *m);
void agent_client_refused(const struct qrexec_msg *m);
/* The daemon is gone: whoever waits for an answer is refused. */
void agent_client_refuse_all(void);

/* ---- exec ------------------------------------------------------------ */

/* EXEC_CMDLINE or JUST_EXEC; may wait for a session first. */
void agent_exec(const struct qrexec_msg *m);
/* What agent_exec does when there is nothing to wait for. */
void agent_exec_now(const struct qrexec_msg *m, unsigned epoch);

/* ---- wait ------------------------------------------------------------ */

/*
 * Has qubes.WaitForSession run for the user, and m after it.  False when the
 * queue is full or there is no such service: do not wait.
 */
bool agent_wait(const struct qrexec_msg *m, struct span user,
        struct span source) MUST_CHECK;

#endif
