/* SPDX-License-Identifier: Apache-2.0 */
/* A firmware image, its decompressed contents, a store of variables. */
#include "predict.h"

#include <stdlib.h>

static void check_inside(struct span outer, struct span s)
{
    if (s.len && (s.ptr < outer.ptr || s.len > outer.len ||
                         (size_t)(s.ptr - outer.ptr) > outer.len - s.len))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"PK", "KEK", "db", "dbx"};
    struct span in = SPAN(data, size), s;
    struct predict_volumes v;

    if (predict_firmware_lzma(in, &s, NULL) == 0)
        check_inside(in, s);
    if (predict_firmware_volumes(in, &v, NULL) == 0) {
        check_inside(in, v.pei);
        check_inside(in, v.dxe);
    }
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (predict_firmware_variable(in, names[i], &s, NULL) == 0)
            check_inside(in, s);
    }
    return 0;
}
