/* SPDX-License-Identifier: Apache-2.0 */
#include "span.h"

bool span_eq_ct(struct span a, struct span b)
{
    volatile uint8_t diff = 0;

    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        diff = (uint8_t)(diff | (a.ptr[i] ^ b.ptr[i]));
    return diff == 0;
}
