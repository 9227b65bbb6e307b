/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the room: the table of profiles and its columns. */
#ifndef QAIR_PROFILE_PRIVATE_H
#define QAIR_PROFILE_PRIVATE_H

#include "profile.h"

struct profile_kind {
    const char *name;
    const char *suffix;
    bool takes_p256; /* Ed25519 fits every profile */
    bool hashes_blake2b512;
    unsigned steps;
    int (*tbs)(const struct profile_request *r, unsigned step,
            const struct profile_sig *sigs, struct buf *ret, struct err *err);
    int (*assemble)(const struct profile_request *r,
            const struct profile_sig *sigs, struct buf *ret, struct err *err);
    int (*verify)(const struct crypto_pub *key, const struct profile_digests *d,
            struct span text, struct profile_claims *ret, struct err *err);
    int (*format_pub)(struct span name, const struct crypto_pub *key,
            struct buf *ret, struct err *err);
};

extern const struct profile_kind profile_sshsig;
extern const struct profile_kind profile_minisign;

/* 0, or ERR_MISMATCH: one raw signature over tbs. */
int profile_check_raw(const struct crypto_pub *key, struct span tbs,
        struct span sig) MUST_CHECK;
/* Takes prefix off the front of *s; false when it is not there. */
bool profile_take(struct span *s, const char *prefix) MUST_CHECK;

#endif
