/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qair-netd: speaks with other zones (docs/architecture.md, sections 1 and 3).
 *
 *   netd.c      the role's tables, start, reload, status
 *   cert.c      the channel key, its certificate, the channel context
 *   listen.c    connections of strangers, and how many
 *   conn.c      channels: sockets, events, who may have one
 *   limit.c     how much of this process one zone or qube may have
 *   attest.c    attestation by keyd and attestd
 *   dial.c      channels that calls wait for
 *   call.c      MSG_OPEN and MSG_INCOMING
 *   record.c    what netd has the log say
 *
 * netd holds no long-term key and decides nothing about calls: it proves who
 * the peer is and in which state, and carries bytes.  A channel is used only
 * after its record is durable.
 *
 * Anything that comes later is found by number, not by pointer: a channel may
 * be gone when keyd, attestd, logd or calld answers.
 */
#ifndef QAIR_NETD_H
#define QAIR_NETD_H

#include "buf.h"
#include "channel.h"
#include "conf.h"
#include "pack.h"
#include "role.h"

#include <sys/queue.h>
#include <sys/socket.h>

/* Connections whose peer is not proved: each costs a TLS handshake at most. */
#define NETD_STRANGERS_MAX          64
#define NETD_STRANGERS_PER_ADDR_MAX 16
/* Accepted channels of one proved zone: a new one after a crash, and room. */
#define NETD_PER_PEER_MAX 4
/* Calls in flight of one proved zone over all its channels: what one carries;
 * and what they may make this process hold. */
#define NETD_PEER_CALLS_MAX CHANNEL_STREAMS_MAX
#define NETD_PEER_HELD_MAX  (128u << 20)
/* Calls in flight of one qube to one zone: half of what a channel carries. */
#define NETD_SOURCE_CALLS_MAX (CHANNEL_STREAMS_MAX / 2)
/* A zone that broke a limit of the channel comes back after this. */
#define NETD_PENALTY_MS 10000
/* All channels, both directions: two for each zone. */
#define NETD_CONNS_MAX (2 * LIMIT_ZONES_MAX)
/* Accepted connections that wait for the own certificate. */
#define NETD_PARKED_MAX 16
/* Calls that wait for a channel or for the far side's answer. */
#define NETD_CALLS_MAX LIMIT_CALLS_MAX
/* A call waits this long for a channel, or to its deadline if that is sooner:
 * as long as Qubes waits for a qube.  A partition of 20 s fits, and so do TCP,
 * TLS and two quotes. */
#define NETD_WAIT_MS 60000
/* Between two attempts to reach a zone: doubled up to the second; a random part
 * of up to a half is left out, so that zones that lost one peer at once do not
 * come back at once. */
#define NETD_BACKOFF_MIN_MS 250
#define NETD_BACKOFF_MAX_MS 15000
/* keyd is asked for a certificate at most this often. */
#define NETD_CERT_RETRY_MS 500
/* No new calls on a channel that ends so soon, or in the last quarter of one
 * that is shorter: a fresh one is dialled.  Calls under way have that long. */
#define NETD_RETIRE_S 600
/* Records of refusals that a stranger can cause: burst, then one in ms. */
#define NETD_RECORD_BURST   20
#define NETD_RECORD_EACH_MS 5000

#define NETD_TEXT_MAX  240
#define NETD_WHERE_MAX 64
#define NETD_STATE_MAX 64
#define NETD_ADDR_MAX  64 /* of an address as text, without the port */

/* Ended channels that `qair attest watch` can still tell the reason of. */
#define NETD_ENDED_MAX 32

struct netd;
struct peer;

/* What attestd made of a peer's evidence. */
struct proof {
    uint64_t number; /* netd's count of accepted ones; 0: not accepted */
    uint64_t boot;   /* of the peer's TPM */
    uint64_t until;  /* unix seconds: the owner's word ends */
    uint64_t fresh;  /* unix seconds: the evidence is too old */
    uint8_t evidence[MSG_DIGEST];
    uint8_t pack[MSG_DIGEST]; /* that it was judged by */
    char state[NETD_STATE_MAX];
};

/* A channel of either direction, from its socket on. */
struct conn {
    TAILQ_ENTRY(conn) entry;
    struct netd *d;
    uint64_t serial;
    struct channel *ch;
    sd_event_source *io;
    sd_event_source *timer;
    char addr[NETD_ADDR_MAX];
    bool known;          /* the peer is proved by TLS */
    bool recorded;       /* "opened" is in the log */
    bool closed;         /* freed when the stack is unwound */
    bool retiring;       /* takes no new calls */
    uint64_t retire_s;   /* unix second of that, of a dialled one */
    struct peer *peer;   /* of a dialled one */
    struct proof seen;   /* the newest */
    struct proof stands; /* the newest that is accepted and on record */
    /* why this side said no, or could not say yes */
    char where[NETD_WHERE_MAX];
    char reason[NETD_TEXT_MAX];
};
TAILQ_HEAD(conns, conn);

/* A zone that this one calls, and its channel for new calls. */
struct peer {
    TAILQ_ENTRY(peer) entry;
    char zone[LIMIT_ZONE_NAME_MAX + 1];
    struct conn *conn; /* open or on its way; not a retiring one */
    uint64_t next_dial_ms;
    unsigned backoff_ms;
    uint64_t barred_ms; /* an accepted channel of it flooded: until then */
    char failure[NETD_TEXT_MAX]; /* of the last attempt to reach it */
};
TAILQ_HEAD(peers, peer);

/* A call of calld: waits for a channel, for the far side, or is under way. */
struct call {
    TAILQ_ENTRY(call) entry;
    struct role_ticket ticket;
    char zone[LIMIT_ZONE_NAME_MAX + 1];
    uint64_t source;     /* who calls, as a number: channel.h */
    bool asks;           /* for the zone's appraisal, and is over with it */
    struct proof named;  /* by the envelope */
    struct buf envelope; /* until it is sent */
    int fd;              /* until it is sent */
    uint64_t conn;       /* serial once sent, 0 before */
    uint32_t stream;
    uint64_t deadline_ms; /* of the call itself */
    uint64_t give_up_ms;  /* deadline, or sooner while it waits */
};
TAILQ_HEAD(calls, call);

struct ended {
    uint64_t serial; /* of the channel */
    uint64_t time;
    char peer[LIMIT_ZONE_NAME_MAX + 1];
    char state[NETD_STATE_MAX];
    char reason[NETD_TEXT_MAX];
};

/* The process: each file has its part. */
struct netd {
    struct role *role;
    sd_event *event;
    sd_event_source *tick;
    struct conf_zone *conf;
    struct crypto_pub *owner;        /* NULL: zone.conf names none yet */
    struct pack *pack;               /* NULL: nobody is known */
    char pack_reason[NETD_TEXT_MAX]; /* why */

    /* cert.c */
    struct channel_context *context; /* NULL: not now */
    struct crypto_key *key;          /* of context */
    struct crypto_key *new_key;      /* a certificate is asked for */
    struct buf cert;
    uint64_t cert_renew_s;
    uint64_t cert_until_s;
    uint64_t cert_retry_ms;
    char cert_where[NETD_WHERE_MAX]; /* why there is none */
    char cert_reason[NETD_TEXT_MAX];

    /* listen.c */
    int listener;
    sd_event_source *listen;
    int parked[NETD_PARKED_MAX];
    unsigned n_parked;

    /* conn.c */
    struct conns conns;
    unsigned n_conns;
    unsigned n_strangers;
    uint64_t next_serial;
    uint64_t proofs;                    /* accepted, counted */
    struct ended ended[NETD_ENDED_MAX]; /* a ring */
    uint64_t n_ended;

    struct peers peers;
    struct calls calls;
    unsigned n_calls;

    /* record.c */
    unsigned record_tokens;
    uint64_t record_ms;
    unsigned records_left_out;
};

struct channel_time netd_now(void);
/* The zone as the pack has it, if it may have channels now; else NULL. */
const struct pack_zone *netd_zone(const struct netd *d, struct span name);
/* For display and headers: printable, cut. */
void netd_text(char *ret, size_t cap, struct span text);

/* ---- cert.c ---------------------------------------------------------- */

/* True when channels can be made; else keyd is being asked, or has refused
 * (cert_where, cert_reason) and will be asked again soon. */
bool cert_ready(struct netd *d);
bool cert_is_pending(const struct netd *d);
/* The pack or the interval changed: same key, new context; or none, when the
 * certificate does not stand any more. */
int cert_rebuild(struct netd *d, struct err *err) MUST_CHECK;
void cert_tick(struct netd *d);
/* keyd says that the own state fell: certificate and channels go. */
void cert_on_fallen(struct role *r, const struct role_msg *m);

/* ---- listen.c -------------------------------------------------------- */

int listen_start(struct netd *d, struct err *err) MUST_CHECK;
/* Parked connections go on, or are closed. */
void listen_unpark(struct netd *d, bool accept);
void listen_tick(struct netd *d);

/* ---- conn.c ---------------------------------------------------------- */

/* Takes fd on success. */
struct conn *conn_accept(
        struct netd *d, int fd, const char *addr, struct err *err) MUST_CHECK;
struct conn *conn_dial(struct netd *d, struct peer *p,
        const struct conf_addr *addr, struct err *err) MUST_CHECK;
struct conn *conn_find(struct netd *d, uint64_t serial);
void conn_end(struct conn *c, int code, const char *reason);
/* The peer's state is not what it was: c->where and c->reason say why. */
void conn_end_fallen(struct conn *c, const char *where, struct span finding);
/* Channels are closed whose zone the pack in use does not have, revokes, or
 * has with another identity than the one that proved it. */
void conn_check_pack(struct netd *d);
/* All of them: this zone cannot prove itself any more. */
void conn_end_all(struct netd *d, const char *where, const char *reason);
void conn_tick(struct netd *d);
/* Another accepted channel of the zone that proved itself on c. */
bool conn_is_former(const struct conn *o, const struct conn *c);
/* A channel that the zone dialled is open: is each former one still alive? */
void conn_probe_former(struct conn *c);

/* ---- limit.c --------------------------------------------------------- */

/* Accepted channels of the zone. */
unsigned limit_channels_of(const struct netd *d, const char *zone);
/* Calls of this zone's source in flight to that zone, on any channel. */
unsigned limit_calls_to(
        const struct netd *d, struct span zone, uint64_t source);
/* Does the newest call of c's peer break a limit, and which? */
bool limit_is_broken(const struct conn *c, char ret[static NETD_TEXT_MAX]);

/* ---- attest.c -------------------------------------------------------- */

/* keyd is asked for own evidence, attestd about the peer's; the answers go to
 * the channel. */
void attest_own(struct conn *c, const uint8_t binder[static CHANNEL_BINDER]);
void attest_peer(struct conn *c, const uint8_t binder[static CHANNEL_BINDER],
        struct span untrusted_evidence);
/* Both accept, and that is on record: what was seen stands now. */
void attest_stands(struct conn *c);
/* attestd has a new pack. */
void attest_on_reappraised(struct role *r, const struct role_msg *m);
/* Proofs whose time is over. */
void attest_tick(struct netd *d);

/* ---- dial.c ---------------------------------------------------------- */

/* A call waits for this zone: a channel is found, awaited or dialled. */
void dial_for(struct netd *d, const char *zone);
/* A dialled channel opened: what waits goes on. */
void dial_opened(struct conn *c);
/* ... or ended. */
void dial_closed(struct conn *c, int code, const char *reason);
/* Why the last attempt to reach the zone failed; "" when it did not. */
const char *dial_failure(struct netd *d, const char *zone);
/* An accepted channel of the zone broke a limit: none for a while. */
void dial_bar(struct netd *d, const char *zone);
bool dial_is_barred(struct netd *d, const char *zone);
/* No channel can be made now: why stands in cert_where and cert_reason. */
void dial_refused(struct netd *d);
void dial_tick(struct netd *d);
/* The channel for new calls, or NULL. */
struct conn *dial_usable(struct netd *d, const char *zone);

/* ---- call.c ---------------------------------------------------------- */

void call_on_open(struct role *r, const struct role_msg *m);
void call_on_appraisal_get(struct role *r, const struct role_msg *m);
void call_incoming(
        struct conn *c, uint32_t stream, struct span untrusted_envelope);
void call_answered(
        struct conn *c, uint32_t stream, const struct channel_answer *a);
/* Sends what waits for this zone. */
void call_send_waiting(struct conn *c);
/* Refuses what waits for this zone; NULL: for any. */
void call_refuse_waiting(struct netd *d, const char *zone, int code,
        const char *where, const char *reason);
bool call_is_waiting(const struct netd *d, const char *zone);
void call_tick(struct netd *d);

/* ---- record.c -------------------------------------------------------- */

/* Both sides accepted: durable, then channel_round_confirm. */
void record_accepted(struct conn *c, unsigned round);
/* The same evidence, by the owner's newer word, is of another state. */
void record_restated(struct conn *c);
/* The channel is over; code and reason as the room gave them. */
void record_closed(struct conn *c, int code, const char *reason);
/* A call of the peer that a limit refuses: a line of the log, bounded. */
void record_limit(struct conn *c, const char *limit);
/* A connection that got no channel at all. */
void record_refused(struct netd *d, const char *peer, const char *reason);

#endif
