/* SPDX-License-Identifier: Apache-2.0 */
/* Certificate chains of devices (DSP0274 10.7). */
#include "spdm_private.h"

#include <stdlib.h>

/* DMTF, table 41: a responder's leaf; one for requesters alone is refused. */
#define EKU_RESPONDER "1.3.6.1.4.1.412.274.3"
#define EKU_REQUESTER "1.3.6.1.4.1.412.274.4"

/* The length of one DER SEQUENCE in front of p. */
static bool der_length(struct span p, size_t *ret)
{
    size_t n = 0, head = 2;

    if (p.len < 2 || p.ptr[0] != 0x30)
        return false;
    if (p.ptr[1] < 0x80) {
        n = p.ptr[1];
    } else {
        size_t k = p.ptr[1] & 0x7fu;

        if (k == 0 || k > 2 || p.len < 2 + k)
            return false;
        for (size_t i = 0; i < k; i++)
            n = n << 8 | p.ptr[2 + i];
        head += k;
    }
    if (n > p.len - head)
        return false;
    *ret = head + n;
    return true;
}

int spdm_chain_split(
        struct span chain, struct span *ret, size_t *ret_n, struct err *err)
{
    size_t n = 0;

    while (chain.len > 0) {
        size_t len;

        if (n == SPDM_CERTS_MAX)
            return err_set(err, ERR_LIMIT,
                    "SPDM: more than %d certificates in a chain",
                    SPDM_CERTS_MAX);
        if (!der_length(chain, &len))
            return err_set(
                    err, ERR_SYNTAX, "SPDM: certificate %zu is malformed", n);
        ret[n++] = SPAN(chain.ptr, len);
        chain = SPAN(chain.ptr + len, chain.len - len);
    }
    if (n == 0)
        return err_set(err, ERR_SYNTAX, "SPDM: chain without certificates");
    *ret_n = n;
    return 0;
}

/* Is the root that the chain names this certificate? */
static bool is_root(const struct spdm_result *r, const struct crypto_cert *root)
{
    uint8_t der[CRYPTO_CERT_MAX], digest[CRYPTO_HASH_MAX];
    size_t len;

    if (crypto_cert_der(root, der, sizeof(der), &len) != 0)
        return false;
    crypto_hash(r->agreed.hash, SPAN(der, len), digest);
    return span_eq(SPAN(digest, r->agreed.hash_size), r->root_hash);
}

static int check_leaf(const struct crypto_cert *leaf, struct err *err)
{
    if (crypto_cert_has_eku(leaf, EKU_REQUESTER) &&
            !crypto_cert_has_eku(leaf, EKU_RESPONDER))
        return err_set(err, ERR_MISMATCH,
                "SPDM: leaf certificate is for requesters alone");
    if (crypto_cert_is_ca(leaf))
        return err_set(err, ERR_MISMATCH,
                "SPDM: leaf certificate is one of an authority");
    return 0;
}

int spdm_chain_verify(const struct spdm_result *r,
        struct crypto_cert *const *roots, size_t n_roots, uint64_t unix_s,
        struct err *err)
{
    struct crypto_cert *cert[SPDM_CERTS_MAX] = {0};
    struct span der[SPDM_CERTS_MAX];
    size_t n, root = 0;
    int rc = spdm_chain_split(r->chain, der, &n, err);

    if (rc != 0)
        return rc;
    while (root < n_roots && !is_root(r, roots[root]))
        root++;
    if (root == n_roots)
        return err_set(err, ERR_MISMATCH,
                "SPDM: the chain's root is not one that is trusted");
    for (size_t i = 0; i < n && rc == 0; i++) {
        cert[i] = crypto_cert_from_der(der[i]);
        if (!cert[i])
            rc = err_set(
                    err, ERR_SYNTAX, "SPDM: certificate %zu is malformed", i);
    }
    if (rc == 0)
        rc = check_leaf(cert[n - 1], err);
    if (rc == 0)
        rc = crypto_cert_path(
                cert[n - 1], cert, n - 1, &roots[root], 1, unix_s, err);
    for (size_t i = 0; i < n; i++)
        crypto_cert_free(cert[i]);
    return rc;
}
