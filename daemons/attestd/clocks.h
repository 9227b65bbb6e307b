/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TPM clock of each zone's last genuine quote, so that a quote from before
 * a reboot is refused although its signature holds.  One entry a zone of the
 * pack; it is forgotten when the process ends, and for a zone whose AK changed.
 */
#ifndef QAIR_ATTESTD_CLOCKS_H
#define QAIR_ATTESTD_CLOCKS_H

#include "appraise.h"

struct clocks {
    size_t n;
    struct clock_entry {
        char zone[LIMIT_ZONE_NAME_MAX + 1];
        uint8_t ak[CRYPTO_SHA256_SIZE]; /* of the AK's name */
        struct tcg_clock clock;
    } entry[LIMIT_ZONES_MAX];
};

struct appraise_previous clocks_get(
        const struct clocks *c, const struct pack_zone *z);
/* Keeps the later of what is there and this; of a genuine quote alone. */
void clocks_put(struct clocks *c, const struct pack_zone *z,
        const struct tcg_clock *clock);

#endif
