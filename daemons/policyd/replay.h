/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which call ids were seen: a bounded memory of those whose deadline has not
 * passed.  Full means refuse, never forget.  No peer can take more than a
 * quarter of it, so that one cannot shut the others out.  Pure: the time is
 * the caller's.
 */
#ifndef QAIR_POLICYD_REPLAY_H
#define QAIR_POLICYD_REPLAY_H

#include "base.h"

#define REPLAY_ID     16
#define REPLAY_SHARES 4

struct replay;

/* Room for max ids, all of it taken now; NULL when memory is exhausted. */
struct replay *replay_new(size_t max) MUST_CHECK;
void replay_free(struct replay *r);
void replay_free_ptr(struct replay **r);
/*
 * Remembers id until deadline.  peer: a number under LIMIT_ZONES_MAX.
 * ERR_EXISTS when it is there, whoever brought it; ERR_LIMIT when all room, or
 * the peer's share, is taken by ids whose deadline is not before now.
 */
int replay_add(struct replay *r, size_t peer,
        const uint8_t id[static REPLAY_ID], uint64_t deadline, uint64_t now)
        MUST_CHECK;
size_t replay_count(const struct replay *r);

#endif
