/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames of qair-att/1: docs/proto/channel.md, 3.2.  Canonical: what a getter
 * accepts, its putter writes again, byte for byte.
 */
#ifndef QAIR_CHANNEL_FRAME_H
#define QAIR_CHANNEL_FRAME_H

#include "buf.h"
#include "channel.h"

#define CHANNEL_FRAME_VERSION 1
#define CHANNEL_FRAME_HEADER  8
#define CHANNEL_FRAME_NONCE   32
/* version, role, nonce, interval, two names with a length each */
#define CHANNEL_FRAME_HELLO_MAX (38 + 2 * (1 + LIMIT_ZONE_NAME_MAX))
#define CHANNEL_FRAME_VERDICT   34
#define CHANNEL_FRAME_BODY_MAX  LIMIT_EVIDENCE_MAX
#define CHANNEL_FRAME_MAX       (CHANNEL_FRAME_HEADER + CHANNEL_FRAME_BODY_MAX)
enum channel_frame_type {
    CHANNEL_FRAME_T_HELLO = 1,
    CHANNEL_FRAME_T_EVIDENCE = 2,
    CHANNEL_FRAME_T_VERDICT = 3,
};

enum channel_attest_role {
    CHANNEL_ATTEST_CLIENT = 1,
    CHANNEL_ATTEST_SERVER = 2,
};

struct channel_frame_hello {
    uint8_t version;
    uint8_t role;
    uint8_t nonce[CHANNEL_FRAME_NONCE];
    uint32_t interval_s; /* wants evidence at least this often, >= 1 */
    struct span from;    /* zone that speaks */
    struct span to;      /* zone it means */
};
struct channel_frame_verdict {
    uint8_t accept; /* 0 or 1 */
    uint8_t reason; /* enum channel_reason; 0 exactly when accepted */
    /* SHA-256 of the evidence that was accepted; zero when denied. */
    uint8_t evidence[CRYPTO_SHA256_SIZE];
};

/* Header alone: type known, reserved byte zero, length allowed for the type. */
int channel_frame_get_header(struct span s, uint8_t *ret_type,
        uint16_t *ret_round, uint32_t *ret_len) MUST_CHECK;
int channel_frame_get_hello(struct span body, struct channel_frame_hello *ret)
        MUST_CHECK;
int channel_frame_get_verdict(
        struct span body, struct channel_frame_verdict *ret) MUST_CHECK;
/* A whole frame, appended; what the getters refuse is not written. */
int channel_frame_put_hello(struct buf *out, uint16_t round,
        const struct channel_frame_hello *h) MUST_CHECK;
int channel_frame_put_evidence(
        struct buf *out, uint16_t round, struct span evidence) MUST_CHECK;
int channel_frame_put_verdict(struct buf *out, uint16_t round,
        const struct channel_frame_verdict *v) MUST_CHECK;

#endif
