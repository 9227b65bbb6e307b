/* SPDX-License-Identifier: Apache-2.0 */
/* A report that nobody vouches for, and Azure's blob around one. */
#include "snp.h"

#include <stdlib.h>

static void in(struct span outer, struct span s)
{
    if (s.len > 0 &&
            (s.ptr < outer.ptr || s.ptr + s.len > outer.ptr + outer.len))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span all = SPAN(data, size);
    struct snp_verdict v;
    struct snp_hcl h;

    snp_verify(all, NULL, 1767225600, NULL, &v);
    if (v.authentic || v.acceptable || v.reasons == 0)
        abort();
    if (!(v.reasons & SNP_REASON(SNP_R_LENGTH))) {
        if (!(v.reasons & SNP_REASON(SNP_R_CERTIFICATE)))
            abort();
        in(all, v.report.measurement);
        in(all, v.report.chip_id);
        in(all, v.report.s);
    }
    if (snp_hcl_parse(all, &h, NULL) == 0) {
        in(all, h.report);
        in(all, h.runtime);
    }
    return 0;
}
