/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two real qair-netd in their sandboxes, zones thin and server, talking over
 * loopback TCP; the test process is everybody else in both zones.
 */
#ifndef QAIR_TEST_NETD_WORLD_H
#define QAIR_TEST_NETD_WORLD_H

#include "driver.h"
#include "pack_fixture.h"
#include "statement.h"

extern const char *world_program;
/* A real qair-attestd for each zone, and evidence of its estate's machine;
 * NULL: the test plays attestd, and evidence is the binder. */
extern const char *world_attestd;

/* Links of one netd; the test is at the other end. */
enum link { KEYD, ATTESTD, LOGD, CALLD, LINKS };

/* A netd, what its neighbours do, and what they were asked. */
struct zone {
    struct estate estate;
    struct buf file;      /* zones/NAME.json */
    struct buf reference; /* references/NAME.json; empty: none */
    struct buf rules;     /* rules/NAME.json; empty: none */
    struct driver d;
    struct driver attestd; /* with world_attestd */
    int link[LINKS];
    char conf[1024];
    /* knobs */
    unsigned cert_s;   /* keyd: a certificate holds so long */
    bool no_cert;      /* keyd: state not approved */
    bool no_evidence;  /* keyd: TPM does not answer */
    bool not_golden;   /* attestd about the peer */
    bool log_full;     /* logd */
    bool log_slow;     /* logd keeps the request */
    bool refuse_calls; /* calld */
    bool hold_calls;   /* calld decides later */
    bool mute_attestd;
    uint64_t boot;          /* attestd: of the peer's TPM */
    uint64_t until;         /* attestd: of an appraisal; 0: never ends */
    const char *peer_state; /* attestd; NULL: WORLD_STATE */
    bool broken_pack;       /* at start */
    /* what happened */
    uint64_t cert_until; /* of the last certificate */
    unsigned certs, quotes, appraisals;
    unsigned records[STATEMENT_CHANNEL_EVENT_COUNT];
    char record_reason[256];
    char reason_of[STATEMENT_CHANNEL_EVENT_COUNT][256]; /* the last of each */
    uint32_t held; /* id of the request that logd keeps */
    unsigned incoming;
    int data; /* of the last incoming call */
    char envelope[64];
    char incoming_state[64];        /* that came with it */
    struct msg_appraisal appraisal; /* the last; its state in text */
    char appraisal_state[64];
    unsigned peer_states; /* that calld heard of */
    char told_state[64];
    unsigned answers;
    uint16_t answer;
    char where[128], reason[300];
};

/* Both, and the way from thin to server. */
struct world {
    struct zone thin, server;
    struct crypto_key *server_owner; /* put back at the end */
    uint16_t port;
    int listener;
    char dir[32];        /* of the admin sockets */
    const char *source;  /* of the calls; NULL: work */
    unsigned deadline_s; /* of the calls; 0: 60 */
};

/* The zone's state as it is now is what the owner approves. */
void world_approve(struct zone *z);
/* The owner signs rules for the zone; the next pack has them. */
void world_rule(struct zone *z, const char *text);
/* The server's machine is gone: nothing listens there, and nobody answers. */
void world_lose_server(struct world *w);
/* It is back, at the same address. */
void world_restart_server(struct world *w);
struct world *world_new(unsigned reattest_s);
/* The same in two steps: prepare, set knobs, start each zone. */
struct world *world_prepare(void);
void world_start(struct world *w, struct zone *z, unsigned reattest_s);
void world_free(struct world *w);

/* Serves both zones until nothing came for quiet_ms; false: a process died. */
bool world_serve(struct world *w, int quiet_ms);
/* Serves until *count reaches want; asserts that it does, within 20 s. */
void world_serve_until(struct world *w, const unsigned *count, unsigned want);

enum world_pack {
    WORLD_PACK_WHOLE,  /* both zones, as their files are now */
    WORLD_PACK_ALONE,  /* z itself */
    WORLD_PACK_BROKEN, /* one file is signed by nobody */
};
/* The owner signs the zone's file anew. */
void world_sign(struct zone *z);
/* The same with another identity, which no keyd has. */
void world_replace_identity(struct zone *z);
void world_put_pack(struct world *w, struct zone *z, enum world_pack kind);

#define WORLD_STATE "golden (emulated)"
#define WORLD_BOOT  7

/* calld of thin opens a call: the caller's end of the data.  Its envelope
 * names an appraisal of WORLD_STATE and WORLD_BOOT, before any other. */
int world_call(struct world *w, const char *zone, const char *envelope);
/* The same with an appraisal of the caller's choice. */
int world_call_on(
        struct world *w, const char *zone, const struct msg_appraisal *on);
/* calld of thin asks for the zone's appraisal. */
int world_ask(struct world *w, const char *zone);
/* attestd of z has a new pack, and says this of a zone ("": that is all). */
void world_rejudge(struct zone *z, const char *zone, bool accept, uint8_t pack,
        const char *text);
/* A stranger's TCP connection to server. */
int world_connect(const struct world *w);

#endif
