/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last evidence of each zone that was found genuine, so that a new pack
 * can be put to it at once: what changed is the owner's word, not the machine.
 * One entry a zone, and no more bytes than KEPT_BYTES_MAX in all: when it is
 * full, that of the zone not heard of for longest goes.  Its channels are
 * closed with the next new pack, and attest anew.
 */
#ifndef QAIR_ATTESTD_KEPT_H
#define QAIR_ATTESTD_KEPT_H

#include "base.h"

#include "crypto.h"

/* All zones of a full pack with logs of 256 KiB, or 16 with the largest. */
#define KEPT_BYTES_MAX ((size_t)64 << 20)

/* The owner's words that were in force: when they were signed; 0: none. */
struct kept_word {
    uint64_t reference;
    uint64_t rules;
};

struct kept_entry {
    char zone[LIMIT_ZONE_NAME_MAX + 1];
    uint8_t binder[CRYPTO_SHA256_SIZE];
    uint8_t *bytes;
    size_t len;
    struct kept_word word; /* by which it was judged last */
    uint64_t time;         /* when it came */
};

struct kept {
    struct kept_entry entry[LIMIT_ZONES_MAX]; /* the newest last */
    size_t n;
    size_t bytes;
};

/* Replaces what is there of the zone; false: no memory, and nothing is. */
bool kept_put(struct kept *k, struct span zone,
        const uint8_t binder[static CRYPTO_SHA256_SIZE], struct span evidence,
        const struct kept_word *word, uint64_t time);
void kept_drop(struct kept *k, struct span zone);
/* NULL: none. */
struct kept_entry *kept_find(struct kept *k, struct span zone);
void kept_fini(struct kept *k);

#endif
