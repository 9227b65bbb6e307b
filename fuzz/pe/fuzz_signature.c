/* SPDX-License-Identifier: Apache-2.0 */
/* The certificate table's contents: an Authenticode signature. */
#include "pe.h"

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
    static const uint8_t file[64];
    const struct pe pe = {
            .file = SPAN_OF(file), .checksum_at = 8, .cert_entry_at = 16};
    struct span in = SPAN(data, size);
    struct pe_signature s;

    if (pe_signature(in, &s, NULL) != 0)
        return 0;
    check_inside(in, s.content);
    check_inside(in, s.attributes);
    check_inside(in, s.certs);
    check_inside(in, s.sig);
    if (s.digest.len != crypto_hash_size(s.hash))
        abort();
    /* Its own certificates as anchor: as deep as it gets. */
    (void)!pe_verify(&pe, &s, s.certs, NULL);
    return 0;
}
