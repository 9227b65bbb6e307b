/* SPDX-License-Identifier: Apache-2.0 */
/* What an NV index or a claim calls an endorsement key certificate. */
#include "tcg.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct crypto_pub *pub = NULL;
    struct crypto_cert *c;
    struct tcg_ek ek;
    struct span der;

    if (tcg_ek_trim(SPAN(data, size), &der) != 0)
        return 0;
    if (der.ptr < data || der.len > size)
        abort();
    c = crypto_cert_from_der(der);
    if (!c)
        return 0;
    /* It is its own root here, so that the profile alone decides. */
    (void)!tcg_ek_verify(c, NULL, 0, &c, 1, 1764037560, &ek, &pub, NULL);
    crypto_pub_free(pub);
    crypto_cert_free(c);
    return 0;
}
