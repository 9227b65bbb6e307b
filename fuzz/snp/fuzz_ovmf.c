/* SPDX-License-Identifier: Apache-2.0 */
/* The table at the end of firmware, and what is measured because of it. */
#include "snp.h"

#include <stdlib.h>

/* Millions of pages take their time and show nothing new. */
static bool is_small(const struct snp_ovmf *o)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < o->n_sections; i++)
        sum += o->sections[i].size;
    return sum < 1u << 20;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct snp_kernel kernel;
    struct snp_launch l = {
            .ovmf = SPAN(data, size), .svsm = SPAN(data, size), .vcpus = 2};
    uint8_t digest[SNP_DIGEST];
    struct snp_ovmf o;
    size_t len;

    if (snp_ovmf_parse(SPAN(data, size), 1ull << 32, &o, NULL) != 0)
        return 0;
    if (o.n_sections > SNP_SECTIONS_MAX || o.gpa + size != 1ull << 32)
        abort();
    if (!is_small(&o))
        return 0;
    for (unsigned i = 0; i < 8; i++) {
        l.mode = (enum snp_mode)(i % 4);
        l.vmm = (enum snp_vmm)(i % 3);
        l.kernel = i / 4 ? &kernel : NULL;
        if (snp_launch_digest(&l, digest, &len, NULL) == 0 &&
                len != (l.mode < SNP_MODE_SNP ? 32 : 48))
            abort();
    }
    return 0;
}
