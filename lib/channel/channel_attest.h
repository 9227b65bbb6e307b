/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The attestation handshake qair-att/1 as a pure state machine: bytes in,
 * bytes and wishes out.  No socket, clock, randomness or TLS of its own.
 * Specification: docs/proto/channel.md, section 3.
 *
 * One machine runs one round.  Its user moves bytes (channel_attest_feed, the
 * buffer out) and fulfils the wish of the moment (channel_attest_want):
 *
 *   INPUT     feed bytes from the peer
 *   EVIDENCE  own evidence over .binder      -> channel_attest_evidence
 *   APPRAISE  .untrusted_evidence over .binder -> channel_attest_appraised
 *   CONFIRM   both accept; make that durable -> channel_attest_confirm
 *   DONE      the channel may be used
 *   FAILED    send what is in out, close
 *
 * A failure is final and leaves a denying VERDICT in out, with the class of
 * the reason and nothing else.
 */
#ifndef QAIR_CHANNEL_ATTEST_H
#define QAIR_CHANNEL_ATTEST_H

#include "channel_frame.h"

#define CHANNEL_ATTEST_EKM 48
/* Rounds are numbered in 16 bits and never wrap: the channel ends first. */
#define CHANNEL_ATTEST_ROUND_MAX 65535

/* ---- machine --------------------------------------------------------- */

enum channel_attest_want {
    CHANNEL_ATTEST_INPUT,
    CHANNEL_ATTEST_EVIDENCE,
    CHANNEL_ATTEST_APPRAISE,
    CHANNEL_ATTEST_CONFIRM,
    CHANNEL_ATTEST_DONE,
    CHANNEL_ATTEST_FAILED,
};

enum channel_attest_state {
    CHANNEL_ATTEST_S_HELLO,    /* input: the peer's HELLO */
    CHANNEL_ATTEST_S_EVIDENCE, /* input: its EVIDENCE */
    CHANNEL_ATTEST_S_VERDICT,  /* input: its VERDICT */
    CHANNEL_ATTEST_S_OWN,      /* wish: EVIDENCE */
    CHANNEL_ATTEST_S_APPRAISE, /* wish */
    CHANNEL_ATTEST_S_CONFIRM,  /* wish */
    CHANNEL_ATTEST_S_DONE,
    CHANNEL_ATTEST_S_FAILED,
};

struct channel_attest_conf {
    enum channel_attest_role role; /* own */
    uint16_t round;
    uint32_t interval_s;
    char zone[LIMIT_ZONE_NAME_MAX + 1]; /* own */
    char peer[LIMIT_ZONE_NAME_MAX + 1]; /* as authenticated by TLS */
    uint8_t nonce[CHANNEL_FRAME_NONCE];
    uint8_t spki[CRYPTO_SHA384_SIZE]; /* SHA-384 of own channel SPKI */
    uint8_t peer_spki[CRYPTO_SHA384_SIZE];
    /* RFC 8446, 7.5: CHANNEL_ATTEST_EKM bytes of this very connection. */
    int (*exporter)(
            void *arg, const char *label, struct span context, uint8_t *ret);
    void *exporter_arg;
};

struct channel_attest {
    struct channel_attest_conf conf;
    enum channel_attest_state state;
    struct buf in;   /* the frame that is being received */
    size_t in_need;  /* bytes that in must have to go on */
    struct buf out;  /* for the peer; the user consumes it */
    struct buf mine; /* own HELLO, until the peer's is here */
    uint8_t ctx[CRYPTO_SHA384_SIZE];
    uint8_t binder[CHANNEL_BINDER];   /* valid for EVIDENCE and APPRAISE */
    struct buf untrusted_evidence;    /* valid for APPRAISE */
    uint8_t own[CRYPTO_SHA256_SIZE];  /* digest of the evidence sent */
    uint8_t peer[CRYPTO_SHA256_SIZE]; /* of the evidence appraised */
    uint32_t peer_interval_s;
    bool peer_denied; /* FAILED because of its VERDICT */
    enum channel_reason peer_reason;
};

/* A client's HELLO is in out afterwards. */
int channel_attest_init(struct channel_attest *a,
        const struct channel_attest_conf *conf) MUST_CHECK;
void channel_attest_fini(struct channel_attest *a);
enum channel_attest_want channel_attest_want(const struct channel_attest *a);
/*
 * Takes bytes while INPUT is wanted; *ret_used tells how many.  What comes
 * behind a client's last VERDICT belongs to the next protocol and is left; what
 * comes in any other moment is a peer that speaks out of turn: ERR_PEER.
 */
int channel_attest_feed(struct channel_attest *a, struct span untrusted,
        size_t *ret_used, struct err *err) MUST_CHECK;
/* ERR_STATE when this is not the wish of the moment (nothing changes). */
int channel_attest_evidence(struct channel_attest *a, struct span evidence,
        struct err *err) MUST_CHECK;
int channel_attest_appraised(
        struct channel_attest *a, bool accept, struct err *err) MUST_CHECK;
int channel_attest_confirm(struct channel_attest *a) MUST_CHECK;
/* Gives up for a reason of this side's. */
void channel_attest_fail(struct channel_attest *a, enum channel_reason why);

#endif
