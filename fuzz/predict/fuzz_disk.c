/* SPDX-License-Identifier: Apache-2.0 */
/* The first sectors of a disk. */
#include "predict.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct predict p = predict_of(PREDICT_BANK(CRYPTO_SHA256));

    if (predict_boot_disk(&p, SPAN(data, size), NULL) != 0 && (p.n || p.pcrs))
        abort();
    predict_fini(&p);
    return 0;
}
