/* SPDX-License-Identifier: Apache-2.0 */
/* systemd's log: whatever reads to its end extends what it says. */
#include "eventlog.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct eventlog_pcrs p = {.n = 1,
            .bank = {{.alg = TCG_ALG_SHA256,
                    .hash = CRYPTO_SHA256,
                    .size = 32}}};
    struct eventlog_user u;
    struct eventlog_user_record r;
    uint32_t pcrs = 0;
    int rc;

    if (eventlog_user_open(SPAN(data, size), &u, NULL) != 0)
        return 0;
    while ((rc = eventlog_user_next(&u, &r, NULL)) == 1) {
        if (r.has_pcr == r.has_nv || r.n_digests == 0 || r.pcr >= TCG_PCRS)
            abort();
        if (r.has_pcr)
            pcrs |= 1u << r.pcr;
    }
    if ((eventlog_user_replay(SPAN(data, size), &p, NULL) == 0) != (rc == 0))
        abort();
    if (rc == 0 && (p.bank[0].extended | p.bank[0].missing) != pcrs)
        abort();
    return 0;
}
