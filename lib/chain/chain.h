/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room chain (floor 3, pure): the links of a call that went through several
 * zones.  Specification: docs/proto/statement.md, "Chains".
 *
 * Zone thin calls zone gateway, whose policy sends the call on to zone server:
 * gateway signs an envelope of its own, and in it, as `via`, the envelope that
 * it got.  So each zone signs what it decided and what it decided it about,
 * and the last envelope holds them all, the newest outside.
 *
 * A chain is good when
 *   - each link is signed by the identity of its origin, a zone of the pack
 *     that is valid
 *   - all links are of one call (id) and one service
 *   - each link was made by the zone that the one before it was for, and asks
 *     for the qube that the one before it named
 *   - no link was issued before, or lives longer than, the one before it
 *   - no zone stands in it twice, the target included
 *   - it has at most LIMIT_CALL_HOPS links
 * What a qube of an earlier zone is called in a later one is that zone's word.
 *
 * keyd asks before it signs a link, policyd before it decides on one, and the
 * judge of receipts years later.
 */
#ifndef QAIR_CHAIN_H
#define QAIR_CHAIN_H

#include "pack.h"
#include "statement.h"

/* "thin/work -> gateway/thin-work -> server/signer" at its longest. */
#define CHAIN_PATH_MAX                                                         \
    ((LIMIT_CALL_HOPS + 1) * (LIMIT_ZONE_NAME_MAX + 1 + 64 + 4) + 1)

/* The links before the last one. */
struct chain {
    size_t n;
    struct statement statement[LIMIT_CALL_HOPS];
    struct statement_call call[LIMIT_CALL_HOPS]; /* [0]: right before it */
};

/*
 * Opens and checks the links before last, whose own signature is the caller's
 * matter: it may have none yet.  n is 0 for a call that begins with it.
 * at: the time at which the zones must be valid; 0: each when it signed.
 */
int chain_open(const struct statement_call *last, const struct pack *pack,
        uint64_t at, struct chain *ret, struct err *err) MUST_CHECK;
void chain_fini(struct chain *c);
/* The first link: where the call began. */
const struct statement_call *chain_first(
        const struct chain *c, const struct statement_call *last);
/* Is zone the origin of one of the links, or of last? */
bool chain_has_zone(const struct chain *c, const struct statement_call *last,
        struct span zone);
/* "thin/work -> gateway/thin-work -> server/signer": who asks whom. */
void chain_path(const struct chain *c, const struct statement_call *last,
        char ret[static CHAIN_PATH_MAX]);

#endif
