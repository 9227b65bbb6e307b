/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates of SEV, AMD's CAs of that time, ID blocks. */
#include "snp.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span all = SPAN(data, size);
    struct snp_legacy_ca ca;
    struct snp_legacy c;
    struct snp_id_auth a;

    if (snp_legacy_parse(all, &c, NULL) == 0) {
        if (c.key.ptr < data || c.sig[1].bytes.ptr + 512 != data + size)
            abort();
        (void)!snp_legacy_signed(&c, &c, NULL);
    }
    if (snp_legacy_ca_parse(all, &ca, NULL) == 0) {
        if (ca.body.len + ca.signature.len != size ||
                (ca.signature.len > 0 &&
                        ca.signature.ptr != data + ca.body.len))
            abort();
        (void)!snp_legacy_ca_signed(&ca, &ca, NULL);
    }
    if (size > SNP_ID_BLOCK_SIZE)
        (void)!snp_id_verify(SPAN(data, SNP_ID_BLOCK_SIZE),
                SPAN(data + SNP_ID_BLOCK_SIZE, size - SNP_ID_BLOCK_SIZE), &a,
                NULL);
    return 0;
}
