/* SPDX-License-Identifier: Apache-2.0 */
/* Foreign envelopes; one that nobody signed is never verified. */
#include "statement.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t seed[32] = {1};
    struct crypto_key *k = crypto_key_ed25519(seed);
    struct statement_dsse d;
    struct statement s;

    if (k == NULL)
        abort();
    if (statement_dsse_parse(SPAN(data, size), &d, NULL) == 0) {
        if (statement_dsse_verify(&d, "forged", crypto_key_pub(k), NULL) == 0)
            abort();
        statement_dsse_fini(&d);
    }
    if (statement_open_untrusted(SPAN(data, size), &s, NULL) == 0)
        statement_fini(&s);
    crypto_key_free(k);
    return 0;
}
