/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PCR files and keys as others write them: a selection as a quote has it, then
 * the file.  What is taken fits the selection and lies in the file.
 */
#include "tcg.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void want(bool good)
{
    if (!good)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire_reader r = wire_reader_of(SPAN(data, size));
    struct tcg_selection s;
    struct tcg_values v;
    struct tcg_ak *ak = NULL;
    uint8_t digest[CRYPTO_HASH_MAX];
    struct span inner = tcg_file_unwrap(SPAN(data, size));

    want(inner.len == size || inner.len + 2 == size);
    if (tcg_ak_new(SPAN(data, size), &ak, NULL) == 0)
        want(tcg_ak_pub(ak) && tcg_ak_pin(ak).len > 0);
    tcg_ak_free(ak);
    if (!tcg_get_selection(&r, &s) ||
            tcg_file_pcrs(SPAN(r.ptr, r.left), &s, &v, NULL) != 0)
        return 0;
    want(tcg_values_fit(&s, &v));
    for (size_t i = 0; i < v.n; i++)
        want(v.value[i].ptr >= r.ptr &&
                v.value[i].ptr + v.value[i].len <= data + size);
    want(tcg_pcr_digest(&v, CRYPTO_SHA256, digest) == 0);
    return 0;
}
