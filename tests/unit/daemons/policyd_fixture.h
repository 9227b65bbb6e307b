/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server zone and what its owner signed: zones thin, other, attic,
 * cellar, revoked and expired, the RemoteVMs thin-work (work of thin), far
 * (remote of other), back (work of attic) and other-work (thin-work of other,
 * which is what other calls thin's work), other-strict (the same of mail, whose
 * calls must begin there), third (qube of yonder, not enrolled)
 * and the qube signer.
 */
#ifndef TEST_POLICYD_FIXTURE_H
#define TEST_POLICYD_FIXTURE_H

#include "buf.h"
#include "conf.h"
#include "pack.h"
#include "policy.h"

#define FIXTURE_ZONES 6

struct fixture {
    struct crypto_key *owner;
    struct crypto_key *identity[FIXTURE_ZONES];
    struct crypto_key *stranger;
    struct buf pack_bundle; /* the files of pack */
    struct buf qubes_bundle;
    struct pack *pack;
    struct conf_qubes qubes;
    struct policy_system *system;
};

void fixture_init(struct fixture *f, uint64_t now);
void fixture_fini(struct fixture *f);

struct fixture_call {
    uint8_t id; /* first byte of the call id */
    uint64_t issued, deadline;
    const char *signer; /* a zone, or "stranger" */
    const char *origin, *zone, *source, *qube, *service;
    const char *requested; /* NULL: the qube */
    struct span via;
    bool no_autostart;
    bool no_appraisal; /* of the zone that it goes to */
};

/* The DSSE bytes. */
struct buf fixture_envelope(
        const struct fixture *f, const struct fixture_call *c);
/* Of one file, "t.policy". */
struct policy *fixture_policy(const char *text);

#endif
