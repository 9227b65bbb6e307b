/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions of the Qubes world: a service runs as a user of the qube, in a PAM
 * session (service "qrexec"), by that user's login shell.  For root alone.
 */
#ifndef QUBES_AGENT_SESSION_H
#define QUBES_AGENT_SESSION_H

#include "callee.h"

extern const struct callee_users session_users;

/* The journal, under SERVICE+ARG-SOURCE; -1 when there is none. */
int session_log(const struct qrexec_command *c);

#endif
