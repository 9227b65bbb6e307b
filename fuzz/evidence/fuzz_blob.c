/* SPDX-License-Identifier: Apache-2.0 */
/* The evidence blob: decode, then encode gives the same bytes. */
#include "evidence.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf again = BUF_INIT(LIMIT_EVIDENCE_MAX);
    struct evidence e;
    uint8_t digest[CRYPTO_HASH_MAX];

    if (evidence_parse(SPAN(data, size), &e, NULL) != 0)
        return 0;
    if (evidence_format(&e, &again, NULL) != 0 ||
            !span_eq(buf_span(&again), SPAN(data, size)))
        abort();
    buf_fini(&again);
    if (tcg_pcr_digest(&e.values, CRYPTO_SHA256, digest) != 0)
        abort();
    (void)!tcg_verify(&e.ak_public, e.attest, &e.sig, NULL);
    return 0;
}
