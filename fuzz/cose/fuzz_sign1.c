/* SPDX-License-Identifier: Apache-2.0 */
/*
 * COSE_Sign1 and COSE_Key: no crash, spans within the message, nothing that
 * the strict reader takes is refused by the loose one, and no message at all
 * is signed by a key that nobody has.
 */
#include "cose.h"

#include <stdlib.h>

static void check_within(struct span doc, struct span s)
{
    if (s.len > 0 && (s.ptr < doc.ptr || s.ptr + s.len > doc.ptr + doc.len))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t seed[32] = {1};
    static struct crypto_key *k;
    const struct cose_options strict = {0}, loose = {.order = CBOR_ANY_ORDER,
                                                    .untagged = true,
                                                    .alg_unprotected = true};
    struct span doc = SPAN(data, size), empty = SPAN_EMPTY;
    struct crypto_pub *pub = NULL;
    struct cose_sign1 m;
    struct wire_reader r;

    if (!k)
        k = crypto_key_ed25519(seed);
    if (cose_key_parse(doc, CBOR_ANY_ORDER, &pub, NULL) == 0)
        crypto_pub_free(pub);
    if (cose_sign1_parse(doc, &loose, &m, NULL) != 0) {
        if (cose_sign1_parse(doc, &strict, &m, NULL) == 0)
            abort();
        return 0;
    }
    check_within(doc, m.protected_header);
    check_within(doc, m.unprotected_header);
    check_within(doc, m.kid);
    check_within(doc, m.content_type);
    check_within(doc, m.payload);
    check_within(doc, m.signature);
    if (cose_header(&m, COSE_UNPROTECTED, COSE_X5CHAIN, &r))
        check_within(doc, SPAN(r.ptr, r.left));
    if (cose_sign1_verify(&m, crypto_key_pub(k), SPAN_EMPTY,
                m.detached ? &empty : NULL, NULL) == 0)
        abort();
    return 0;
}
