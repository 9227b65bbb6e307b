/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record of SPDM exchanges, and the same bytes as one frame of each carrier.
 * Nobody signs what the fuzzer makes, so nothing may come out as attested.
 */
#include "spdm.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct spdm_transcript *t;
    struct spdm_result r;
    struct span body, cert[SPDM_CERTS_MAX];
    enum spdm_payload payload;
    uint8_t type;
    size_t n;

    if (size < 1)
        return 0;
    t = spdm_transcript_new(data[0] & 1);
    if (!t)
        return 0;
    if (spdm_transcript_replay(t, SPAN(data + 1, size - 1), NULL) == 0) {
        spdm_transcript_result(t, &r);
        if (r.attested || r.challenge)
            abort();
    }
    spdm_transcript_free(t);
    for (enum spdm_carrier c = SPDM_DOE; c <= SPDM_MCTP; c++) {
        if (spdm_frame_open(
                    c, SPAN(data, size), &payload, &type, &body, NULL) == 0 &&
                body.len > size)
            abort();
    }
    (void)!spdm_chain_split(SPAN(data, size), cert, &n, NULL);
    return 0;
}
