/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates and keys from strangers: whatever is accepted encodes to the
 * same bytes, and no question about it reads out of bounds.
 */
#include "crypto.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_pub(struct crypto_pub *k)
{
    uint8_t der[CRYPTO_SPKI_MAX];
    struct crypto_pub *again;
    size_t len;

    if (crypto_pub_spki(k, der, sizeof(der), &len))
        abort();
    again = crypto_pub_from_spki(SPAN(der, len));
    if (!again || !crypto_pub_eq(k, again))
        abort();
    crypto_pub_free(again);
}

static void check_cert(struct crypto_cert *c, struct span input)
{
    uint8_t der[CRYPTO_CERT_MAX];
    char text[64];
    struct crypto_pub *k = crypto_cert_pub(c);
    uint64_t from, until;
    struct err err;
    size_t len;

    if (crypto_cert_der(c, der, sizeof(der), &len) ||
            !span_eq(input, SPAN(der, len)))
        abort();
    (void)crypto_cert_valid_at(c, 1500000000);
    if (crypto_cert_validity(c, &from, &until) == 0 && from > until)
        abort();
    if (crypto_cert_cn(c, text, sizeof(text)) == 0 &&
            !text_is_utf8(span_str(text)))
        abort();
    (void)crypto_cert_has_eku(c, "2.23.133.8.1");
    if (crypto_cert_tpm_san(c, "2.23.133.2.1", text, sizeof(text)) == 0 &&
            strlen(text) >= sizeof(text))
        abort();
    /* Nothing signs itself into trust without being a root. */
    if (crypto_cert_path(c, &c, 1, NULL, 0, 1500000000, &err) == 0)
        abort();
    if (crypto_cert_path(c, NULL, 0, &c, 1, 1500000000, &err) == 0 &&
            (!k || crypto_cert_verify(c, k)))
        abort();
    if (k)
        check_pub(k);
    crypto_pub_free(k);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span input = SPAN(data, size), rest = input;
    struct crypto_cert *c = crypto_cert_from_der(input);
    struct crypto_pub *k = crypto_pub_from_spki(input);
    uint8_t rs[64], der[80];
    size_t len;

    if (c)
        check_cert(c, input);
    crypto_cert_free(c);
    if (k)
        check_pub(k);
    crypto_pub_free(k);
    k = crypto_pub_from_pem(input);
    if (k)
        check_pub(k);
    crypto_pub_free(k);
    while ((c = crypto_cert_from_pem(&rest)) != NULL)
        crypto_cert_free(c);
    if (crypto_ecdsa_from_der(input, rs, 32) == 0 &&
            (crypto_ecdsa_to_der(SPAN_OF(rs), der, sizeof(der), &len) ||
                    !span_eq(input, SPAN(der, len))))
        abort();
    return 0;
}
