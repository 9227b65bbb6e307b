/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One real qair-calld of the zone `server`, whose qubes are `work`,
 * `signer` (which may use the key `release`), and `vault` of the Qubes host.
 * This process plays every other role, the agents of the qubes and the owner.
 */
#ifndef QAIR_TEST_CALLD_WORLD_H
#define QAIR_TEST_CALLD_WORLD_H

#include "driver.h"
#include "link.h"
#include "qrexec.h"
#include "statement.h"

#define ZONE "server"

union body {
    union msg_any any;
    struct msg_append append;
    struct msg_blob blob;
    struct msg_decide decide;
    struct msg_decide_remote decide_remote;
    struct msg_envelope envelope;
    struct msg_key_session key_session;
    struct msg_named named;
    struct msg_qube_start start;
    struct msg_appraisal_get appraisal_get;
    struct msg_open open;
    struct msg_refused refused;
};

struct world {
    struct driver d;
    int policyd;
    int logd;
    int keyd;
    int netd;
    char dir[32];
    union body m;
    struct ipc_fds fds;
    uint32_t id;
};

extern const char *world_program;
/* Of the policy that every decision names. */
extern const uint8_t world_policy[MSG_DIGEST];

/* cmocka's setup and teardown; the world is *state. */
int world_begin(void **state);
int world_finish(void **state);

/* ---- the other roles ------------------------------------------------- */

/* The next message must be of this type; it stays in w->m, w->fds, w->id. */
void world_hear(struct world *w, int fd, enum msg_type type);
/* These answer the message heard last. */
void world_refuse(
        struct world *w, int fd, const char *where, const char *reason);
void world_ok(struct world *w, int fd);
void world_decide(struct world *w, const struct msg_decision *d);
void world_appended(struct world *w, uint64_t size);
/* netd is asked for the state of the zone to call, and says it: golden. */
void world_appraised(struct world *w);
/* keyd says what this zone's own state is; empty: not approved. */
void world_own_state(struct world *w, const char *zone_state);
/* A decision of policyd that lets qair.Sign+release through. */
struct msg_decision world_allowed(
        uint8_t kind, const char *source, const char *zone, const char *qube);
/* Answers what calld asks logd first. */
void world_skip_checkpoint(struct world *w);
/* The next record, parsed; texts point into it until *ret_doc is finished. */
struct statement_decision world_hear_decision(
        struct world *w, struct statement *ret_doc);

/* ---- agents ---------------------------------------------------------- */

struct agent {
    struct link *l;
};

void agent_say(
        struct agent *a, const struct qrexec_msg *m, const int *fds, size_t n);
/* The next message of the zone; false when the link ended. */
bool agent_hear(struct agent *a, struct qrexec_msg *ret);
void agent_hear_type(struct agent *a, struct qrexec_msg *ret, uint32_t type);
void agent_greet(struct agent *a);
void agent_trigger(struct agent *a, const char *source, const char *target,
        const char *service, const char *ident);
void agent_hear_refused(struct agent *a, const char *ident, const char *where,
        const char *reason);
/* Answers calld's request to start a qube; not yet the hello. */
struct agent world_start_qube(struct world *w, const char *name);
/* One of whatever name (NULL) that is made from `of`; it stays in w->m. */
struct agent world_start_qube_of(
        struct world *w, const char *name, const char *of);
/* The qube `work`, running: every test of calls from a qube begins so. */
struct agent world_work_qube(struct world *w);

/* ---- the owner ------------------------------------------------------- */

/* A connection of the owner, with one end of a stream sent. */
int owner_asks(
        struct world *w, enum msg_type type, const void *msg, int *ret_data);
int owner_runs(
        struct world *w, const char *qube, const char *command, int *ret_data);
void owner_hears_refused(
        struct world *w, int fd, const char *where, const char *reason);

/* Bytes written to a come out at b: they are ends of one stream. */
void world_assert_stream(int a, int b);

#endif
