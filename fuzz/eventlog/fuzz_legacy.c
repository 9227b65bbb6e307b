/* SPDX-License-Identifier: Apache-2.0 */
/* Logs of SHA-1 alone: the agile door stays shut, nothing is proved. */
#include "eventlog.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct eventlog_claim claim[TCG_PCRS];
    struct span log = SPAN(data, size);
    struct eventlog_pcrs p;
    struct eventlog_agreement a;

    if (eventlog_replay_any(log, &p, NULL) != 0 || p.format != EVENTLOG_LEGACY)
        return 0;
    if (eventlog_replay(log, &p, NULL) == 0 || p.n != 1)
        abort();
    for (unsigned i = 0; i < TCG_PCRS; i++)
        claim[i] = (struct eventlog_claim){
                TCG_ALG_SHA1, i, SPAN(p.bank[0].value[i], 20)};
    if (eventlog_compare(&p, claim, TCG_PCRS, &a, NULL) != 0 || a.proved)
        abort();
    return 0;
}
