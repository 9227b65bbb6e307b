/* SPDX-License-Identifier: Apache-2.0 */
/* What comes as a VCEK, as a CA with it, as a root and as a CRL. */
#include "snp.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct snp_trust *t = snp_trust_new();
    struct span all = SPAN(data, size);
    struct snp_vek *v = NULL;

    if (!t)
        return 0;
    /* Nobody is trusted, so that no chain can hold. */
    if (snp_vek_new(t, all, &all, 1, &v, NULL) == 0) {
        const struct snp_vek_info *i = snp_vek_info(v);

        if (i->chain || i->issuer || !i->why ||
                i->product == SNP_PRODUCT_UNKNOWN ||
                i->not_before > i->not_after)
            abort();
    } else if (v) {
        abort();
    }
    snp_vek_free(v);
    if (snp_trust_add_crl(t, all, NULL) == 0)
        abort(); /* no root, no CRL */
    (void)!snp_trust_add(t, all, NULL);
    (void)!snp_trust_add_crl(t, all, NULL);
    snp_trust_free(t);
    return 0;
}
