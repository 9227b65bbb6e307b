/* SPDX-License-Identifier: Apache-2.0 */
/* Asking a running zone on one of its local sockets. */
#ifndef QAIR_CLI_ADMIN_H
#define QAIR_CLI_ADMIN_H

#include "buf.h"
#include "cli.h"
#include "ipc.h"
#include "msg.h"

struct cli_admin {
    int fd;
    uint8_t bytes[LIMIT_IPC_MSG_MAX]; /* of the last answer */
};

/* socket: "key.sock".  ERR_STATE when the zone is not running. */
int cli_admin_open(const struct cli *cli, const char *socket,
        struct cli_admin *ret, struct err *err) MUST_CHECK;
void cli_admin_close(struct cli_admin *a);
/*
 * One request, one answer of the type expect; its spans live in a until the
 * next.  A refusal is its code and "WHERE: REASON".  ret_fds: may be NULL.
 */
int cli_admin_ask(struct cli_admin *a, enum msg_type type, const void *msg,
        enum msg_type expect, void *ret_body, struct ipc_fds *ret_fds,
        struct err *err) MUST_CHECK;
/* The same for an answer of MSG_FILE: its bytes, appended to ret. */
int cli_admin_ask_file(struct cli_admin *a, enum msg_type type, const void *msg,
        struct buf *ret, struct err *err) MUST_CHECK;

#endif
