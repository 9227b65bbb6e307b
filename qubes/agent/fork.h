/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What qrexec-agent says to a user's fork server: i32 type, i32 domain, i32
 * port, u32 length, then the command without its user, with its NUL (native
 * byte order; one machine).  The server keeps the connection as long as the
 * call runs.
 */
#ifndef QUBES_AGENT_FORK_H
#define QUBES_AGENT_FORK_H

#include "base.h"

struct fork_request {
    uint32_t type; /* EXEC_CMDLINE or JUST_EXEC */
    uint32_t domain;
    uint32_t port;
    struct span command;
};

#define FORK_HEADER 16

/*
 * Hands a request to the server at pattern, where %s is the user: the
 * connection, or -1 when there is none that the user runs.
 */
int fork_send(
        const char *pattern, struct span user, const struct fork_request *q);
/* Takes one whole request; ERR_STATE: more bytes are needed. */
int fork_parse(struct span in, struct fork_request *ret, struct err *err)
        MUST_CHECK;

#endif
