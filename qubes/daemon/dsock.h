/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes over a daemon's socket (docs/proto/qrexec.md, section 8), without
 * I/O: the client's side of it, and what both sides need.
 *
 *     daemon   HELLO(3)
 *     client   HELLO(>= 3), then one of EXEC_CMDLINE, JUST_EXEC,
 *              SERVICE_CONNECT
 *     daemon   the same type with domain and port, when the client left the
 *              port to it; closes when the call is over
 */
#ifndef QAIR_QUBES_DSOCK_H
#define QAIR_QUBES_DSOCK_H

#include "base.h"
#include "qrexec.h"

#define DSOCK_VERSION     3
#define DSOCK_DIR         "/var/run/qubes"
#define DSOCK_HELLO_SIZE  (QREXEC_HEADER_SIZE + 4)
#define DSOCK_EXEC_SIZE   8 /* domain and port */
#define DSOCK_ANSWER_SIZE (QREXEC_HEADER_SIZE + DSOCK_EXEC_SIZE)

/* What a client asks for; text is its command or ident, NUL included. */
struct dsock_request {
    uint32_t type;
    uint32_t domain;
    uint32_t port;
    struct span text;
};

void dsock_put_hello(uint8_t ret[static DSOCK_HELLO_SIZE]);
/* Takes the peer's hello from the front of *in; ERR_STATE: more is needed. */
int dsock_get_hello(struct span *in, struct err *err) MUST_CHECK;

/* Header, domain, port and text; ERR_LIMIT. */
int dsock_put_request(const struct dsock_request *q, uint8_t *buf, size_t cap,
        size_t *ret_len) MUST_CHECK;
int dsock_get_request(
        struct span *in, struct dsock_request *ret, struct err *err) MUST_CHECK;

void dsock_put_answer(uint32_t type, uint32_t domain, uint32_t port,
        uint8_t ret[static DSOCK_ANSWER_SIZE]);
/* type: of the request. */
int dsock_get_answer(struct span *in, uint32_t type, uint32_t *ret_domain,
        uint32_t *ret_port, struct err *err) MUST_CHECK;

/* The text of SERVICE_CONNECT: an ident, padded with NULs. */
void dsock_put_ident(struct span ident, uint8_t ret[static QREXEC_IDENT_SIZE]);
/* DIR/qrexec.NAME; ERR_SYNTAX for a name that is no qube's, ERR_LIMIT. */
int dsock_path(const char *dir, const char *name, char *ret, size_t cap,
        struct err *err) MUST_CHECK;
/* A name of a qube, "uuid:..." or a number, as it stands in a file name. */
bool dsock_is_name(const char *name);
/* "dom0" and its other names. */
bool dsock_is_dom0(struct span target);

#endif
