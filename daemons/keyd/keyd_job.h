/* SPDX-License-Identifier: Apache-2.0 */
/* Key sessions and their jobs: keyd_session.c owns them, keyd_sign.c signs. */
#ifndef QAIR_KEYD_JOB_H
#define QAIR_KEYD_JOB_H

#include "keyd.h"

struct keyd_session {
    struct keyd *k;
    struct role_link *link;
    struct msg_key_session call; /* spans into text */
    sd_event_source *timer;
    bool over; /* its time is up: closed once its last job is */
    size_t n_jobs;
    uint8_t text[];
};

struct keyd_job {
    LIST_ENTRY(keyd_job) next;
    struct keyd_session *session;
    struct keyd_key *key;
    struct role_ticket ticket;
    char name[PROFILE_ARTEFACT_MAX + 1];
    /* while the child reads */
    pid_t child;
    int fd;
    sd_event_source *io, *timer;
    size_t got;
    uint8_t answer[sizeof(struct profile_digests) + 1];
    struct profile_digests digests;
    /* while the record is on its way */
    struct buf signature, evidence, statement;
};

/*
 * The signature file for j->digests, verified; the evidence of this act; the
 * statement that names both, signed by the zone identity.  The state must have
 * been checked before, and must be checked after.
 */
int keyd_sign_artefact(struct keyd_job *j, struct err *err) MUST_CHECK;
/* The receipt, once the log gave its proof. */
int keyd_sign_receipt(const struct keyd_job *j, struct span proof,
        struct buf *ret, struct err *err) MUST_CHECK;

#endif
