/* SPDX-License-Identifier: Apache-2.0 */
/* Two zones in one process, joined by a socket pair, with an appraiser that
 * accepts exactly the evidence that names the binder it was asked about. */
#ifndef QAIR_TEST_CHANNEL_FIXTURE_H
#define QAIR_TEST_CHANNEL_FIXTURE_H

#include "channel.h"

#define FIXTURE_NOW 1795600000u /* unix seconds */

enum fixture_zone { FIXTURE_THIN, FIXTURE_SERVER, FIXTURE_OTHER };

struct fixture_zones {
    struct crypto_key *identity[3];
    struct channel_zone zones[4];
    size_t n_zones;
};
void fixture_zones_init(struct fixture_zones *z);
void fixture_zones_fini(struct fixture_zones *z);

/* What a context is made from; fields may be spoilt before use. */
struct fixture_own {
    const char *zone;
    const char *cert_name;
    const struct crypto_key *issuer;
    uint64_t from;
    uint64_t until;
    unsigned reattest_s;
};
struct fixture_own fixture_own(
        const struct fixture_zones *z, enum fixture_zone which);
struct channel_context *fixture_context(const struct fixture_zones *z,
        const struct fixture_own *own, struct err *err);

struct fixture_side {
    struct channel *ch;
    struct channel_time *now;
    /* knobs */
    bool deny;          /* appraiser says no */
    bool no_evidence;   /* own evidence cannot be had */
    bool hold_confirm;  /* the record takes its time */
    bool hold_evidence; /* the quote takes its time */
    bool hold_calls;    /* incoming calls are not answered */
    bool refuse_calls;
    bool lie; /* evidence over another binder */
    /* what happened */
    unsigned evidences, appraisals, confirms, closed;
    uint8_t binder[CHANNEL_BINDER];      /* last own */
    uint8_t peer_binder[CHANNEL_BINDER]; /* last of the peer */
    int closed_code;
    char closed_reason[ERR_MSG_MAX];
    unsigned incoming;
    uint32_t stream; /* last incoming */
    char envelope[256];
    int served; /* our end of the last call served, or -1 */
    unsigned answers;
    int answer_code;
    char answer_where[80];
    char answer_reason[256];
};

struct fixture {
    struct fixture_zones zones;
    struct channel_time now;
    struct channel_context *ctx[2];
    struct fixture_side client, server;
};
/* Both contexts, zones thin (dials) and server. */
void fixture_init(struct fixture *f);
void fixture_join(struct fixture *f, const char *dial);
void fixture_fini(struct fixture *f);
void fixture_side_accept(
        struct fixture_side *s, struct channel_context *c, int fd);
void fixture_side_dial(struct fixture_side *s, struct channel_context *c,
        int fd, const char *peer);
/* Runs what is due until nothing is. */
void fixture_pump(struct fixture *f);
void fixture_later(struct fixture *f, uint64_t ms);
void fixture_open(struct fixture *f); /* init, join, pump; asserts it opened */
bool fixture_is_open(const struct fixture_side *s);
/* A call from the client; returns the local end. */
int fixture_call(struct fixture *f, const char *envelope, uint32_t *ret_id);

#endif
