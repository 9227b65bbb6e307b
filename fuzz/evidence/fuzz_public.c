/* SPDX-License-Identifier: Apache-2.0 */
/* TPMT_PUBLIC: parse, judge, name and turn into a key. */
#include "evidence.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct evidence_public p;
    struct evidence_name name;

    if (evidence_tpm_public(SPAN(data, size), &p, NULL) != 0)
        return 0;
    crypto_pub_free(evidence_tpm_pub(&p));
    if (evidence_tpm_check_ak(&p, NULL) == 0 &&
            (evidence_tpm_name(&p, &name) != 0 ||
                    evidence_tpm_check_ek(&p, NULL) == 0))
        __builtin_trap(); /* an AK has a name and is no EK */
    return 0;
}
