/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device that answers SPDM: P-256 and SHA-256, one slot, three measurements.
 * Made for tests: it can lie in the ways that tests/unit/spdm names.
 */
#ifndef QAIR_RESPONDER_H
#define QAIR_RESPONDER_H

#include "spdm.h"

enum responder_lie {
    LIE_NONE,
    LIE_OLD_VERSION,    /* offers 1.1 alone */
    LIE_BUSY_ONCE,      /* says once that it is busy */
    LIE_NO_SIGNATURES,  /* measures, but signs nothing */
    LIE_FLIPPED_SIG,    /* a bit of the measurement signature */
    LIE_FLIPPED_AUTH,   /* a bit of the challenge signature */
    LIE_OLD_NONCE,      /* signs for the nonce of another time */
    LIE_OTHER_CHAIN,    /* shows a chain that is not its own */
    LIE_DIGEST,         /* digest of another chain */
    LIE_TWICE,          /* an index twice */
    LIE_SHORT,          /* the last byte is missing */
    LIE_LONG,           /* a byte more */
    LIE_OTHER_SLOT,     /* signs with a slot that was not asked */
    LIE_CONTEXT,        /* returns another requester context */
    LIE_WEAK,           /* selects what was not proposed: SHA-1-like bit */
    LIE_TWO_HASHES,     /* selects two hashes at once */
    LIE_ENDLESS_CHAIN,  /* always a byte more to come, none sent */
    LIE_WRONG_ANSWER,   /* CAPABILITIES to whatever is asked */
    LIE_REQUESTER_LEAF, /* certificate for requesters alone */
    LIE_CA_LEAF,        /* certificate of an authority */
    LIE_COUNT
};

struct responder {
    enum responder_lie lie;
    uint8_t version; /* the highest it offers */
    struct crypto_key *key;
    struct crypto_cert *root;
    struct buf chain; /* table 33 */
    struct buf vca, m1, l1;
    uint8_t value[3][32];
    uint8_t n_blocks; /* of them that it tells */
    bool was_busy;
    uint8_t agreed;
};

/* Certificates are valid from 2020 to 2040. */
void responder_init(
        struct responder *d, enum responder_lie lie, uint8_t version);
void responder_fini(struct responder *d);
/* Its answer to a request, appended to ret, which is empty. */
void responder_answer(
        struct responder *d, struct span request, struct buf *ret);

#endif
