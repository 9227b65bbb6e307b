/* SPDX-License-Identifier: Apache-2.0 */
/* A boot loader's configuration. */
#include "predict.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct predict_file files[] = {
            {"/k", {(const uint8_t *)"kernel", 6}}, {"/c", SPAN(data, size)}};
    struct predict_grub g = {.config = {"grub.cfg", SPAN(data, size)},
            .n_files = ARRAY_LEN(files),
            .files = files};
    struct predict p = predict_of(PREDICT_BANK(CRYPTO_SHA256));
    int r = predict_grub(&p, &g, NULL);

    /* All or nothing. */
    if (r != 0 && (p.n || p.pcrs))
        abort();
    predict_fini(&p);
    return 0;
}
