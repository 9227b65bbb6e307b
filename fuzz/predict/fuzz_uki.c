/* SPDX-License-Identifier: Apache-2.0 */
/* An image from which a prediction is made. */
#include "predict.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t pcrs[] = {0, 1u << 11, 1u << 4};

    for (size_t i = 0; i < ARRAY_LEN(pcrs); i++) {
        struct predict p = predict_of(PREDICT_BANK(CRYPTO_SHA256));
        struct predict_uki u = {.image = {"uki", SPAN(data, size)},
                .pcrs = pcrs[i],
                .secure_boot = i == 2};

        if (predict_uki(&p, &u, NULL) != 0 && (p.n || p.pcrs))
            abort();
        predict_fini(&p);
    }
    return 0;
}
