/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room role (floor 4): the frame of a role process (calld, policyd, keyd,
 * logd, netd, attestd, measure).  A daemon is a table and its handlers:
 *
 *     static const struct role_permit permits[] = {
 *         {MSG_ROLE_CALLD, MSG_DECIDE, ROLE_OPEN, on_decide},
 *     };
 *     static const struct role_spec spec = {
 *         .role = MSG_ROLE_POLICYD, .sandbox = &sandbox, .start = on_start,
 *         .permits = permits, .n_permits = ARRAY_LEN(permits),
 *     };
 *     int main(int argc, char **argv)
 *     {
 *         return role_main(&spec, argc, argv);
 *     }
 *
 * role_main enters the sandbox, takes what qaird hands over on descriptor 3
 * until MSG_START, calls start, says MSG_READY and serves.  Nothing here
 * blocks; a role is one thread on one sd-event loop (role_event), to which a
 * daemon may add sources of its own.
 *
 * A message that is not permitted, malformed, or carries the wrong number of
 * descriptors ends the process when a role sent it (qaird starts it again),
 * and closes the link when an ADMIN or SERVICE sent it.
 *
 * Links.  At most one link per peer role, found by role_peer; qaird replaces
 * it when the peer was restarted.  Links from local sockets (role_listen) and
 * from passed descriptors (role_link_add) may be many.  A daemon keeps no
 * pointer to a link beyond `gone`; an answer that comes later uses the ticket,
 * which is a value and simply falls silent when its link died.
 */
#ifndef QAIR_ROLE_H
#define QAIR_ROLE_H

#include "base.h"
#include "ipc.h"
#include "msg.h"
#include "sandbox.h"

#include <systemd/sd-event.h>

struct role;
struct role_link;

/* To whom and what an answer belongs. */
struct role_ticket {
    uint64_t link; /* serial number */
    uint32_t id;   /* 0: nobody waits for an answer */
};

/* A message as it arrived.  Everything lives until the handler returns. */
struct role_msg {
    struct role_link *link; /* NULL: made by the frame, see role_request */
    struct role_ticket ticket;
    enum msg_type type;
    const void *body; /* the struct that belongs to type */
    /* msg_fds(type) descriptors; take with TAKE_FD(m->fds->fd[0]), what is
     * left is closed after the handler. */
    struct ipc_fds *fds;
};

typedef void role_handler(struct role *r, const struct role_msg *m);

/* States of a link, a bit each; a link begins in ROLE_OPEN.  A daemon may
 * give bits from ROLE_STATE(0) a meaning and move a link between them. */
#define ROLE_OPEN     1u
#define ROLE_STATE(n) (2u << (n))
#define ROLE_ANY      (~0u)

struct role_permit {
    uint8_t peer;  /* enum msg_role of the sender */
    uint16_t type; /* enum msg_type */
    unsigned states;
    role_handler *handler;
};

struct role_spec {
    uint8_t role; /* own enum msg_role */
    const struct sandbox_spec *sandbox;
    const struct role_permit *permits;
    size_t n_permits;
    /* All has been handed over.  A failure ends the process with its text. */
    int (*start)(struct role *r, struct err *err);
    /* The bundle of that name was replaced while serving (reload).  A failure
     * is logged; the role goes on with what it parsed before, so parse first
     * and swap last.  NULL: the role does not use bundles twice. */
    int (*reload)(struct role *r, const char *bundle, struct err *err);
    /* A link came (also at start, and again after the peer was restarted). */
    void (*peer)(struct role *r, struct role_link *link);
    /* A link goes; its pending requests have been answered already. */
    void (*gone)(struct role *r, struct role_link *link);
};

int role_main(const struct role_spec *spec, int argc, char **argv);

/* ---- what qaird handed over ------------------------------------------ */

sd_event *role_event(struct role *r);
const char *role_zone(const struct role *r); /* this zone's name */
/* Mapped until replaced; checked by bundle_check; empty when absent. */
struct span role_bundle(const struct role *r, const char *name);
/* An open folder or device, -1 when absent; stays the frame's. */
int role_handle(const struct role *r, const char *name);
/* As role_handle and the caller owns it from here on (the TPM socket). */
int role_handle_take(struct role *r, const char *name);
/* A listening socket; the caller owns it (netd's TCP socket). */
int role_listener_take(struct role *r, const char *name);
/* Accepts seqpacket links of that peer role (MSG_ROLE_ADMIN) from the
 * listening socket of that name. */
int role_listen(struct role *r, const char *name, uint8_t peer_role,
        struct err *err) MUST_CHECK;

void role_set_user(struct role *r, void *user);
void *role_user(const struct role *r);

/* ---- links ----------------------------------------------------------- */

/* NULL when there is none (now). */
struct role_link *role_peer(struct role *r, uint8_t peer_role);
/* A link on a descriptor that came with a message (a key session); takes fd,
 * also on failure. */
int role_link_add(struct role *r, int fd, uint8_t peer_role, void *user,
        struct role_link **ret, struct err *err) MUST_CHECK;
uint8_t role_link_peer(const struct role_link *l);
void *role_link_user(const struct role_link *l);
void role_link_set_user(struct role_link *l, void *user);
unsigned role_link_state(const struct role_link *l);
void role_link_set_state(struct role_link *l, unsigned state);
/* Calls gone, drops what is queued.  Not from inside gone. */
void role_link_close(struct role_link *l);
/* Credentials of who connected (ADMIN links). */
int role_link_cred(const struct role_link *l, struct ipc_cred *ret) MUST_CHECK;

/* ---- talking --------------------------------------------------------- */

/*
 * An answer to m->ticket, now or later; descriptors are duplicated.  Silent
 * when the asker is gone.  A message that does not fit is a programmer's
 * error; refer to role_reply_file for what may be large.
 */
void role_reply(struct role *r, struct role_ticket t, enum msg_type type,
        const void *msg, const int *fds, size_t n_fds);
void role_reply_ok(struct role *r, struct role_ticket t);
/* MSG_FILE with a sealed copy of the bytes. */
void role_reply_file(struct role *r, struct role_ticket t, struct span bytes);
/* MSG_REFUSED; code is an err_code, where e.g. "policy of zone server". */
void role_refuse(struct role *r, struct role_ticket t, int code,
        const char *where, const char *fmt, ...) PRINTF_LIKE(5, 6);
/* MSG_REFUSED with what another one refused to us. */
void role_refuse_as(struct role *r, struct role_ticket t,
        const struct msg_refused *refused);

/*
 * A request.  done is called exactly once, later, never from inside
 * role_request: with a message of type expect, or with MSG_REFUSED: the
 * peer's own, or "logd: logd restarted" (code ERR_PEER, link NULL) when the
 * link died, is absent, or too much is in flight.  Anything else that the
 * peer answers ends the process.
 */
struct role_request {
    uint8_t to; /* enum msg_role; MSG_ROLE_QAIRD is the control link */
    enum msg_type type;
    const void *msg;
    const int *fds;
    size_t n_fds;
    enum msg_type expect;
    void (*done)(struct role *r, const struct role_msg *answer, void *user);
    void *user;
};
void role_request(struct role *r, const struct role_request *q);
/* The requests with this user are not waited for any more. */
void role_forget(struct role *r, const void *user);
/* A message nobody answers. */
void role_send(struct role_link *l, enum msg_type type, const void *msg,
        const int *fds, size_t n_fds);

/* ---- small things ---------------------------------------------------- */

uint64_t role_now(void); /* wall clock, seconds since 1970 */
/* One line on stderr, "qair-netd(server): ..."; anything unprintable in the
 * formatted text is escaped. */
void role_log(const struct role *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Logs and ends the process: broken invariant of our own, or of a peer role. */
_Noreturn void role_fatal(const struct role *r, const char *fmt, ...)
        PRINTF_LIKE(2, 3);

#endif
