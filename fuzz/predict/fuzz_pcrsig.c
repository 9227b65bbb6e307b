/* SPDX-License-Identifier: Apache-2.0 */
/* systemd's signed policies. */
#include "predict.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct predict_pcrsig s;

    if (predict_pcrsig_parse(SPAN(data, size), &s, NULL) != 0)
        return 0;
    if (s.n == 0 || s.n > PREDICT_PCRSIG_MAX)
        abort();
    for (size_t i = 0; i < s.n; i++) {
        if (s.entry[i].pcrs == 0 || s.entry[i].sig_len > sizeof(s.entry[i].sig))
            abort();
    }
    return 0;
}
