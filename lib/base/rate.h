/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often somebody else may make us do a thing: a burst at once, then one a
 * second.  What is left out is counted, so that it can be told with the next
 * one that is let through.
 */
#ifndef QAIR_BASE_RATE_H
#define QAIR_BASE_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"

struct rate { /* all zero to begin with */
    unsigned used;
    unsigned left_out;
    uint64_t at; /* of the last look */
};

/*
 * now: monotonic seconds.  True: do it, and tell *ret_left_out, which were left
 * out since the last one.
 */
bool rate_take(struct rate *r, uint64_t now, unsigned burst,
        unsigned *ret_left_out) MUST_CHECK;

#endif
