/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Key files, and in them the TPM's public and private areas.  What parses is
 * written again as the same bytes; public areas and points stay inside.
 */
#include "keyd_file.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(buf_fini) struct buf again = BUF_INIT(KEYD_FILE_MAX);
    struct keyd_file f;
    struct span pub;
    uint8_t point[65];

    if (keyd_file_parse(SPAN(data, size), &f, NULL) != 0)
        return 0;
    if (keyd_file_format(&f, &again, NULL) != 0 ||
            !span_eq(buf_span(&again), SPAN(data, size)))
        abort();
    pub = tpm_blob_public(&f.blob);
    if (pub.len == 0 || pub.ptr < f.blob.bytes ||
            pub.ptr + pub.len > f.blob.bytes + f.blob.len)
        abort();
    if (tpm_blob_point(&f.blob, point) == 0 && point[0] != 0x04)
        abort();
    return 0;
}
