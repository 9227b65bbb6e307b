/* SPDX-License-Identifier: Apache-2.0 */
#include "netd.h"

#include <stdio.h>
#include <stdlib.h>

/* Asked of keyd or attestd for one channel. */
struct ask {
    struct netd *d;
    uint64_t conn;
};

static struct ask *ask_new(struct conn *c)
{
    struct ask *a = calloc(1, sizeof(*a));

    if (a == NULL)
        role_fatal(c->d->role, "out of memory");
    *a = (struct ask){.d = c->d, .conn = c->serial};
    return a;
}

/* Another role cannot or will not: the peer hears a class, people the rest. */
static void cannot(struct conn *c, enum channel_reason why,
        const struct msg_refused *refused)
{
    struct channel_time now = netd_now();

    netd_text(c->where, sizeof(c->where), refused->where);
    netd_text(c->reason, sizeof(c->reason), refused->reason);
    (void)channel_round_cannot(c->ch, why, &now);
}

static void on_own_evidence(
        struct role *r, const struct role_msg *m, void *user)
{
    struct ask *a = user;
    struct conn *c = conn_find(a->d, a->conn);
    struct channel_time now = netd_now();
    struct span evidence;
    struct err err;

    free(a);
    if (c == NULL)
        return;
    if (m->type == MSG_REFUSED) {
        cannot(c, CHANNEL_REASON_OWN, m->body);
        return;
    }
    if (ipc_map(m->fds->fd[0], LIMIT_EVIDENCE_MAX, &evidence, &err) != 0) {
        role_log(r, "keyd's evidence: %s", err.msg);
        (void)channel_round_cannot(c->ch, CHANNEL_REASON_OWN, &now);
        return;
    }
    (void)channel_round_evidence(c->ch, evidence, &now);
    ipc_unmap(evidence);
}

void attest_own(struct conn *c, const uint8_t binder[static CHANNEL_BINDER])
{
    struct msg_evidence_get get;

    memcpy(get.binder, binder, sizeof(get.binder));
    role_request(c->d->role, &(struct role_request){.to = MSG_ROLE_KEYD,
                                     .type = MSG_EVIDENCE_GET,
                                     .msg = &get,
                                     .expect = MSG_FILE,
                                     .done = on_own_evidence,
                                     .user = ask_new(c)});
}

static void on_appraised(struct role *r, const struct role_msg *m, void *user)
{
    struct ask *a = user;
    struct conn *c = conn_find(a->d, a->conn);
    struct channel_time now = netd_now();

    free(a);
    if (c == NULL)
        return;
    if (m->type == MSG_REFUSED) {
        cannot(c, CHANNEL_REASON_BUSY, m->body);
        return;
    }
    const struct msg_appraised *v = m->body;
    memcpy(c->evidence, v->evidence, sizeof(c->evidence));
    netd_text(c->state, sizeof(c->state), v->state);
    if (v->accept != 1) {
        (void)snprintf(
                c->where, sizeof(c->where), "attestd of zone %s", role_zone(r));
        netd_text(c->reason, sizeof(c->reason), v->reason);
    }
    (void)channel_round_appraised(c->ch, v->accept == 1, &now);
}

void attest_peer(struct conn *c, const uint8_t binder[static CHANNEL_BINDER],
        struct span untrusted_evidence)
{
    struct msg_appraise msg = {.zone = span_str(channel_peer(c->ch))};
    struct channel_time now = netd_now();
    CLEANUP(buf_close_fd) int fd = -1;
    struct err err;

    if (ipc_seal(untrusted_evidence, "evidence", &fd, &err) != 0) {
        role_log(
                c->d->role, "evidence of %s: %s", channel_peer(c->ch), err.msg);
        (void)channel_round_cannot(c->ch, CHANNEL_REASON_BUSY, &now);
        return;
    }
    memcpy(msg.binder, binder, sizeof(msg.binder));
    role_request(c->d->role, &(struct role_request){.to = MSG_ROLE_ATTESTD,
                                     .type = MSG_APPRAISE,
                                     .msg = &msg,
                                     .fds = &fd,
                                     .n_fds = 1,
                                     .expect = MSG_APPRAISED,
                                     .done = on_appraised,
                                     .user = ask_new(c)});
}
