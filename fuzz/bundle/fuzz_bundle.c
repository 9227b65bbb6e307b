/* SPDX-License-Identifier: Apache-2.0 */
/* A bundle that passes the check is written again to the same bytes. */
#include "bundle.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span in = SPAN(data, size);
    struct buf out = BUF_INIT(LIMIT_BUNDLE_MAX);
    struct bundle_writer w = {.out = &out};
    struct bundle_iter it = bundle_iter_of(in);
    struct bundle_file f;
    struct span content;
    size_t n = 0;

    if (bundle_check(in, NULL) == 0) {
        while (bundle_next(&it, &f)) {
            if (bundle_put(&w, &f, NULL) < 0)
                abort();
            n++;
        }
        if (!span_eq(buf_span(&out), in) || bundle_count(in) != n)
            abort();
    } else {
        if (bundle_find(in, "a", &content) && bundle_count(in) == 0)
            abort();
    }
    buf_fini(&out);
    return 0;
}
