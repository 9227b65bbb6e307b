/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose certificate is it?  docs/proto/channel.md, section 2; pure.  There
 * are no CAs: a certificate is right when the pack's identity of the zone it
 * names has signed it, and it says what a channel certificate says.
 */
#ifndef QAIR_CHANNEL_CERT_H
#define QAIR_CHANNEL_CERT_H

#include "channel.h"

/* The pins, and the name that no peer can have. */
struct channel_cert_pins {
    char own[LIMIT_ZONE_NAME_MAX + 1];
    struct channel_zone *zones; /* identities owned */
    size_t n_zones;
};

/* What a certificate has proved about the peer. */
struct channel_cert_peer {
    char zone[LIMIT_ZONE_NAME_MAX + 1];
    const struct channel_zone *pin; /* what the proof rests on; of the pins */
    uint8_t spki[CRYPTO_SHA384_SIZE];
    uint64_t expires;
};

/* Copies, identities too; after a failure fini as well. */
int channel_cert_pins_init(struct channel_cert_pins *p,
        const struct channel_conf *conf) MUST_CHECK;
void channel_cert_pins_fini(struct channel_cert_pins *p);

/* Own certificate: the same rules that peers will apply to it. */
int channel_cert_check_own(const struct channel_cert_pins *p,
        const struct crypto_cert *cert, const struct crypto_pub *own,
        uint64_t unix_s, uint64_t *ret_expires, struct err *err) MUST_CHECK;
/* dialled: the zone that must have answered, or NULL. */
int channel_cert_check_peer(const struct channel_cert_pins *p,
        struct span untrusted_der, const char *dialled, uint64_t unix_s,
        struct channel_cert_peer *ret, struct err *err) MUST_CHECK;
int channel_cert_spki(const struct crypto_pub *pub,
        uint8_t ret[static CRYPTO_SHA384_SIZE]) MUST_CHECK;

#endif
