/* SPDX-License-Identifier: Apache-2.0 */
/* A tlog-proof that is accepted formats back to the same bytes. */
#include "merkle.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf again = BUF_INIT(MERKLE_TLOG_PROOF_MAX + 1);
    struct merkle_tlog_proof p;
    struct wire_reader r = wire_reader_of(SPAN(data, size));
    struct span entry;
    uint8_t root[MERKLE_HASH];

    if (merkle_tlog_proof_parse(SPAN(data, size), &p, NULL) == 0) {
        if (merkle_tlog_proof_format(&p, &again) < 0 ||
                !span_eq(buf_span(&again), SPAN(data, size)))
            abort();
        memset(root, 0, sizeof root);
        /* hashes that lead to a root of zeros would break SHA-256 */
        if (p.proof.n > 0 &&
                (merkle_inclusion_verify(
                         p.index, p.index + 1, root, &p.proof, root) == 0 ||
                        merkle_consistency_verify(p.index, p.index + p.proof.n,
                                root, root, &p.proof) == 0))
            abort();
    }
    while (merkle_bundle_get(&r, &entry)) {
    }
    buf_fini(&again);
    return 0;
}
