/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto_private.h"

static const struct {
    int nid;
    const char *value;
} extensions[] = {
        {NID_basic_constraints, "critical,CA:FALSE"},
        {NID_key_usage, "critical,digitalSignature"},
        {NID_ext_key_usage, "clientAuth,serverAuth"},
};

static bool add_extensions(X509 *x)
{
    for (size_t i = 0; i < ARRAY_LEN(extensions); i++) {
        X509_EXTENSION *e = X509V3_EXT_conf_nid(
                NULL, NULL, extensions[i].nid, extensions[i].value);
        bool good = e && X509_add_ext(x, e, -1) == 1;

        X509_EXTENSION_free(e);
        if (!good)
            return false;
    }
    return true;
}

/* RFC 5280, 4.1.2.2: positive, at most 20 bytes; 16 random ones here. */
static bool set_serial(X509 *x)
{
    uint8_t bytes[16];
    BIGNUM *n;
    bool good;

    crypto_random(bytes, sizeof(bytes));
    bytes[0] = (uint8_t)((bytes[0] & 0x7f) | 0x40); /* fixed length */
    n = BN_bin2bn(bytes, sizeof(bytes), NULL);
    good = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x)) != NULL;
    BN_free(n);
    return good;
}

static bool set_name(X509_NAME *n, const char *name)
{
    return X509_NAME_add_entry_by_NID(n, NID_commonName, MBSTRING_UTF8,
                   (const unsigned char *)name, -1, -1, 0) == 1;
}

static bool fill(X509 *x, const char *name, const struct crypto_pub *subject,
        uint64_t not_before, uint64_t not_after)
{
    return X509_set_version(x, X509_VERSION_3) == 1 && set_serial(x) &&
           set_name(X509_get_subject_name(x), name) &&
           X509_set_issuer_name(x, X509_get_subject_name(x)) == 1 &&
           ASN1_TIME_set(X509_getm_notBefore(x), (time_t)not_before) &&
           ASN1_TIME_set(X509_getm_notAfter(x), (time_t)not_after) &&
           X509_set_pubkey(x, subject->pkey) == 1 && add_extensions(x);
}

int crypto_cert_issue(const struct crypto_key *issuer, const char *name,
        const struct crypto_pub *subject, uint64_t not_before,
        uint64_t not_after, uint8_t *ret, size_t cap, size_t *ret_len)
{
    /* Ed25519 hashes by itself (RFC 8410). */
    const EVP_MD *md = issuer->pub->type == CRYPTO_ED25519
                               ? NULL
                               : crypto_hash_md(CRYPTO_SHA256);
    X509 *x;
    int len = 0, rc = 0;

    if (not_before >= not_after || not_after > INT64_MAX)
        return ERR_USAGE;
    x = X509_new();
    if (x && fill(x, name, subject, not_before, not_after) &&
            X509_sign(x, issuer->pkey, md) > 0)
        len = i2d_X509(x, NULL);
    if (len <= 0)
        rc = ERR_CRYPTO;
    else if ((size_t)len > cap)
        rc = ERR_LIMIT;
    else
        *ret_len = (size_t)i2d_X509(x, &ret);
    X509_free(x);
    return crypto_fail(rc);
}
