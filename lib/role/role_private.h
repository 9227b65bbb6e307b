/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of room role: role.c (process and control link), role_link.c (links
 * and dispatch), role_request.c (requests and answers). */
#ifndef QAIR_ROLE_PRIVATE_H
#define QAIR_ROLE_PRIVATE_H

#include "role.h"

#include <sys/queue.h>

#define NAMED_MAX     8 /* things of one kind that qaird hands over */
#define NAMED_NAME    32
#define CONTROL_FD    3
#define STATE_SERVING ROLE_STATE(0) /* of the control link */

/* A message that waits until its peer reads. */
struct outgoing {
    TAILQ_ENTRY(outgoing) next;
    struct ipc_fds fds;
    size_t len;
    uint8_t bytes[];
};

struct role_link {
    LIST_ENTRY(role_link) next;
    struct role *r;
    uint64_t serial; /* never used twice in one process */
    int fd;
    uint8_t peer;
    unsigned state;
    void *user;
    sd_event_source *source;
    TAILQ_HEAD(, outgoing) queue;
    size_t queued, queued_bytes;
    size_t n_pending; /* our requests that it has not answered */
    bool busy;        /* on the stack of on_io: closing frees later */
    bool closed;
    bool announced; /* the daemon's peer callback ran */
};

struct pending {
    uint32_t id;   /* 0: slot is free */
    uint64_t link; /* serial; 0: no link, to be refused from the loop */
    uint16_t expect;
    uint8_t to;
    bool due; /* link 0: refused at this turn of the loop */
    void (*done)(struct role *r, const struct role_msg *answer, void *user);
    void *user;
};

struct named {
    char name[NAMED_NAME];
    int fd;            /* -1 when taken */
    struct span bytes; /* bundles */
};

struct named_set {
    struct named item[NAMED_MAX];
    size_t n;
};

struct role {
    const struct role_spec *spec;
    const char *zone;
    void *user;
    sd_event *event;
    bool serving;
    LIST_HEAD(, role_link) links;
    size_t n_links;
    uint64_t last_serial;
    struct role_link *control;
    struct role_link *peers[MSG_ROLE_COUNT];
    struct named_set handles, listeners, bundles;
    struct pending *pending; /* LIMIT_ROLE_PENDING_MAX slots, by id */
    size_t n_pending;
    uint32_t last_id;
    sd_event_source *orphans; /* refuses requests that have no link */
    uint8_t in[LIMIT_IPC_MSG_MAX];
    uint8_t out[LIMIT_IPC_MSG_MAX];
};

/* role.c */
extern const struct role_permit role_control_permits[];
extern const size_t role_n_control_permits;

/* role_link.c */
struct role_link *role_link_new(struct role *r, int fd, uint8_t peer,
        void *user, struct err *err) MUST_CHECK;
void role_link_enable(struct role_link *l);
struct role_link *role_link_by_serial(struct role *r, uint64_t serial);
void role_link_put(struct role_link *l, enum msg_type type, uint32_t id,
        const void *msg, const int *fds, size_t n_fds);

/* role_request.c */
int role_request_init(struct role *r) MUST_CHECK;
/* False when nobody waits for it. */
bool role_request_answer(struct role *r, const struct role_msg *m,
        struct role_link *l) MUST_CHECK;
void role_request_fail(struct role *r, const struct role_link *l);

#endif
