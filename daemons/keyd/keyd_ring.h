/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys of the zone: those of its own (AK, identity, log) and the release
 * keys, with the seeds of those that are open.
 *
 * Files: NAME.key a release key, NAME.zone one of the zone's own.  Seeds live
 * in one locked run of pages that forked children do not see.
 */
#ifndef QAIR_KEYD_RING_H
#define QAIR_KEYD_RING_H

#include "crypto.h"
#include "keyd_file.h"
#include "profile.h"

#define KEYD_SEED 32

struct keyd_key {
    struct keyd_file file;
    struct crypto_pub *pub;
    uint8_t spki_sha256[CRYPTO_SHA256_SIZE];
    uint8_t *seed; /* in the ring's pages; zero while open is false */
    bool open;
};

struct keyd_ring {
    int dirfd;
    uint8_t *seeds; /* LIMIT_KEYS_MAX + KEYD_OWN of them */
    struct keyd_key *ak, *identity, *log; /* NULL: not made yet */
    struct keyd_key *key[LIMIT_KEYS_MAX]; /* in the order of their names */
    size_t n;
};

/* dirfd: the folder, borrowed.  One damaged file is an error. */
int keyd_ring_load(struct keyd_ring *r, int dirfd, struct err *err) MUST_CHECK;
void keyd_ring_fini(struct keyd_ring *r);

enum keyd_own { KEYD_AK, KEYD_IDENTITY, KEYD_LOG, KEYD_OWN };
const char *keyd_own_name(enum keyd_own own); /* "ak" */

/* Checks the file, makes it durable, then adds it. ERR_EXISTS, ERR_LIMIT. */
int keyd_ring_add_own(struct keyd_ring *r, enum keyd_own own,
        const struct keyd_file *f, struct err *err) MUST_CHECK;
int keyd_ring_add(struct keyd_ring *r, const struct keyd_file *f,
        struct err *err) MUST_CHECK;
struct keyd_key *keyd_ring_find(const struct keyd_ring *r, struct span name);

/*
 * Takes the seed in when it makes the public key of the file; ERR_MISMATCH
 * otherwise.
 */
int keyd_ring_open(struct keyd_key *k, const uint8_t seed[static KEYD_SEED],
        struct err *err) MUST_CHECK;
/* Wipes every seed but the log's. */
void keyd_ring_close(struct keyd_ring *r);
/* Wipes the log's: logd has it now. */
void keyd_ring_close_log(struct keyd_ring *r);
/* The private key of an open seed, for one use; free it at once. */
struct crypto_key *keyd_ring_private(const struct keyd_key *k) MUST_CHECK;

#endif
