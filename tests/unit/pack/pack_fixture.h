/* SPDX-License-Identifier: Apache-2.0 */
/* An owner, a zone that is enrolled, and its approved state, for tests. */
#ifndef QAIR_PACK_FIXTURE_H
#define QAIR_PACK_FIXTURE_H

#include "evidence_fixture.h"
#include "pack.h"

#define FIXTURE_NOW 1764037560u /* 2025-11-25T02:26:00Z */

struct estate {
    struct crypto_key *owner, *identity, *log;
    struct machine machine;
    struct pack_zone zone; /* of machine; keys borrowed from above */
};

void estate_init(struct estate *e, const char *zone);
void estate_fini(struct estate *e);
/* Signed files, by owner. */
void estate_zone_file(struct estate *e, struct buf *ret);
void estate_reference_file(struct estate *e, uint64_t issued, struct buf *ret);
/* A pack with the zone and, unless issued is 0, its state as it is now. */
struct pack *estate_pack(struct estate *e, uint64_t issued);

#endif
