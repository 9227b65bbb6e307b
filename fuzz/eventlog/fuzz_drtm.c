/* SPDX-License-Identifier: Apache-2.0 */
/* Logs of dynamic launches, and the Secure Launch Resource Table. */
#include "eventlog.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span bytes = SPAN(data, size), s;
    struct eventlog_drtm d;
    struct eventlog_pcrs p;
    struct eventlog_slrt t;

    if (eventlog_drtm_open(bytes, &d, NULL) == 0) {
        if (d.next > size)
            abort();
        if (eventlog_drtm_replay(&d, &p, NULL) == 0) {
            for (size_t i = 0; i < p.n; i++) {
                if (p.bank[i].extended & ~0x7e0000u)
                    abort();
            }
        }
    }
    if (eventlog_slrt_parse(bytes, &t, NULL) == 0) {
        for (size_t i = 0; i < t.n_policies; i++) {
            if (t.policy[i].pcr < 17 || t.policy[i].pcr > 22)
                abort();
        }
    }
    if (eventlog_drtm_slb(bytes, &s, NULL) == 0 && s.len > size)
        abort();
    if (eventlog_drtm_kernel(bytes, &s, NULL) == 0 && s.len > size)
        abort();
    return 0;
}
