/* SPDX-License-Identifier: Apache-2.0 */
/* The certificate table that a host hands to its guests. */
#include "snp.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct snp_table t;
    const struct span *s[] = {&t.ark, &t.ask, &t.vcek, &t.vlek, &t.crl};

    if (snp_table_parse(SPAN(data, size), &t, NULL) != 0)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(s); i++) {
        if (s[i]->len > 0 && (s[i]->ptr < data || s[i]->len > size ||
                                     s[i]->ptr + s[i]->len > data + size))
            abort();
    }
    return 0;
}
