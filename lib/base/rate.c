/* SPDX-License-Identifier: Apache-2.0 */
#include "rate.h"

bool rate_take(
        struct rate *r, uint64_t now, unsigned burst, unsigned *ret_left_out)
{
    uint64_t gone = now > r->at ? now - r->at : 0;

    r->used = gone < r->used ? r->used - (unsigned)gone : 0;
    r->at += gone;
    if (r->used >= burst) {
        r->left_out++;
        return false;
    }
    r->used++;
    *ret_left_out = r->left_out;
    r->left_out = 0;
    return true;
}
