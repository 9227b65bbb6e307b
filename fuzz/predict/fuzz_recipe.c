/* SPDX-License-Identifier: Apache-2.0 */
/* A recipe that stands beside a reference value: canonical. */
#include "predict.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf again = BUF_INIT(PREDICT_RECIPE_MAX);
    struct predict p;

    if (predict_parse(SPAN(data, size), &p, NULL) != 0)
        return 0;
    if (predict_format(&p, &again, NULL) != 0 ||
            !span_eq(buf_span(&again), SPAN(data, size)))
        abort();
    predict_fini(&p);
    buf_fini(&again);
    return 0;
}
