/* SPDX-License-Identifier: Apache-2.0 */
/* Roots and CAs that are trusted, and what AMD revoked of them. */
#include "snp_private.h"

#include <stdlib.h>

/* AMD's CAs have RSA keys of one size. */
#define CA_BITS 4096

void snp_trust_ca_fini(struct snp_ca *ca)
{
    free(ca->der);
    free(ca->crl_der);
    crypto_pub_free(ca->pub);
    *ca = (struct snp_ca){0};
}

/* The next of PEM blocks or the one DER: 0, ERR_NOT_FOUND at the end. */
int snp_trust_next_der(struct span *rest, const char *label, uint8_t *buf,
        size_t cap, struct span *ret, struct err *err)
{
    size_t len;
    int rc;

    if (rest->len == 0)
        return ERR_NOT_FOUND;
    if (rest->ptr[0] == DER_SEQUENCE) {
        *ret = *rest;
        *rest = SPAN_EMPTY;
        return 0;
    }
    rc = crypto_pem_next(rest, label, buf, cap, &len);
    if (rc == ERR_NOT_FOUND)
        return rc;
    if (rc)
        return err_set(err, rc, "neither DER nor PEM of a %s", label);
    *ret = SPAN(buf, len);
    return 0;
}

int snp_trust_ca_init(struct snp_ca *ret, struct span der, struct err *err)
{
    struct snp_ca ca = {0};
    int rc;

    ca.der = malloc(der.len ? der.len : 1);
    if (!ca.der)
        return err_set(err, ERR_MEMORY, "no memory for a certificate");
    memcpy(ca.der, der.ptr, der.len);
    rc = snp_cert_parse(SPAN(ca.der, der.len), &ca.c, err);
    if (rc == 0 && (!ca.c.is_ca || !ca.c.may_sign_certs))
        rc = err_set(err, ERR_MISMATCH, "%.*s: not a CA", (int)ca.c.cn.len,
                (const char *)ca.c.cn.ptr);
    if (rc == 0) {
        ca.pub = crypto_pub_from_spki(ca.c.spki);
        if (!ca.pub || crypto_pub_type(ca.pub) != CRYPTO_RSA ||
                crypto_pub_bits(ca.pub) != CA_BITS)
            rc = err_set(err, ERR_UNSUPPORTED, "%.*s: not an RSA-%d key",
                    (int)ca.c.cn.len, (const char *)ca.c.cn.ptr, CA_BITS);
    }
    if (rc) {
        snp_trust_ca_fini(&ca);
        return rc;
    }
    *ret = ca;
    return 0;
}

bool snp_trust_issued(const struct snp_cert *c, const struct snp_ca *by)
{
    return span_eq(c->issuer, by->c.subject) &&
           snp_cert_signed(c->tbs, c->signature, by->pub) == 0;
}

/* The root of a list that signed a CA, with one CA below allowed. */
const struct snp_ca *snp_trust_root(
        const struct snp_ca *list, size_t n, const struct snp_cert *c)
{
    for (size_t i = 0; i < n; i++) {
        const struct snp_ca *ca = &list[i];

        if (ca->root == ca && !(ca->c.has_path_limit && ca->c.path_limit < 1) &&
                snp_trust_issued(c, ca))
            return ca;
    }
    return NULL;
}

/* ---- trust ----------------------------------------------------------- */

struct snp_trust *snp_trust_new(void)
{
    return calloc(1, sizeof(struct snp_trust));
}

struct snp_trust *snp_trust_new_amd(void)
{
    struct snp_trust *t = snp_trust_new();

    if (t)
        t->amd = true;
    return t;
}

/* SHA-256 of ARK-Milan, ARK-Genoa and ARK-Turin as AMD's KDS serves them. */
bool snp_trust_is_amd(struct span der)
{
    static const uint8_t arks[][CRYPTO_SHA256_SIZE] = {
            {0x69, 0xd0, 0x63, 0xb4, 0x53, 0x44, 0xd2, 0x6a, 0x2e, 0x94, 0xe1,
                    0xf4, 0x21, 0x0d, 0xe4, 0x9e, 0xf5, 0x55, 0x30, 0x82, 0x87,
                    0xd4, 0xc1, 0x74, 0x44, 0x5c, 0x95, 0x63, 0x9a, 0x54, 0x0b,
                    0xcd},
            {0x4c, 0x65, 0x98, 0xd1, 0x9c, 0x18, 0x71, 0x9c, 0x5d, 0xfd, 0x4a,
                    0x7d, 0x33, 0x5f, 0x67, 0x4e, 0x5b, 0xfe, 0x1d, 0x8f, 0x80,
                    0x0c, 0xea, 0x2c, 0xf2, 0x70, 0xc1, 0x0d, 0x10, 0x3d, 0xb2,
                    0xf1},
            {0x1f, 0x08, 0x41, 0x61, 0xa4, 0x4b, 0xb6, 0xd9, 0x37, 0x78, 0xa9,
                    0x04, 0x87, 0x7d, 0x48, 0x19, 0xca, 0xfa, 0x5d, 0x05, 0xef,
                    0x41, 0x93, 0xb2, 0xde, 0xd9, 0xdd, 0x9c, 0x73, 0xdd, 0x3f,
                    0x6a},
    };
    uint8_t digest[CRYPTO_SHA256_SIZE];

    crypto_sha256(der, digest);
    for (size_t i = 0; i < ARRAY_LEN(arks); i++) {
        if (memcmp(digest, arks[i], sizeof(digest)) == 0)
            return true;
    }
    return false;
}

void snp_trust_free(struct snp_trust *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n; i++)
        snp_trust_ca_fini(&t->ca[i]);
    free(t);
}

void snp_trust_free_ptr(struct snp_trust **t)
{
    snp_trust_free(*t);
}

enum snp_product snp_trust_product_of(struct span cn)
{
    return cn.len > 4 && memcmp(cn.ptr, "ARK-", 4) == 0
                   ? snp_product_of_name(SPAN(cn.ptr + 4, cn.len - 4))
                   : SNP_PRODUCT_UNKNOWN;
}

static int trust_add_one(struct snp_trust *t, struct span der, struct err *err)
{
    struct snp_ca *ca = &t->ca[t->n];
    int rc;

    for (size_t i = 0; i < t->n; i++) {
        if (span_eq(t->ca[i].c.der, der))
            return 0;
    }
    if (t->n == SNP_TRUST_CERTS_MAX)
        return err_set(err, ERR_LIMIT, "more than %d trusted certificates",
                SNP_TRUST_CERTS_MAX);
    rc = snp_trust_ca_init(ca, der, err);
    if (rc)
        return rc;
    if (!span_eq(ca->c.issuer, ca->c.subject)) {
        ca->root = snp_trust_root(t->ca, t->n, &ca->c);
        t->n++;
        return 0;
    }
    if (!snp_trust_issued(&ca->c, ca)) {
        rc = err_set(err, ERR_MISMATCH, "%.*s: not signed by its own key",
                (int)ca->c.cn.len, (const char *)ca->c.cn.ptr);
        snp_trust_ca_fini(ca);
        return rc;
    }
    ca->root = ca;
    ca->product = snp_trust_product_of(ca->c.cn);
    t->n++;
    for (size_t i = 0; i < t->n; i++) { /* those that came before it */
        if (!t->ca[i].root)
            t->ca[i].root = snp_trust_root(t->ca, t->n, &t->ca[i].c);
    }
    return 0;
}

int snp_trust_add(struct snp_trust *t, struct span bytes, struct err *err)
{
    uint8_t buf[SNP_CERT_MAX];
    size_t n = 0;
    struct span der = SPAN_EMPTY;
    int rc;

    while ((rc = snp_trust_next_der(
                    &bytes, "CERTIFICATE", buf, sizeof(buf), &der, err)) == 0) {
        rc = trust_add_one(t, der, err);
        if (rc)
            return rc;
        n++;
    }
    if (rc != ERR_NOT_FOUND)
        return rc;
    return n ? 0 : err_set(err, ERR_SYNTAX, "no certificate");
}

int snp_trust_add_known(struct snp_trust *t, struct span bytes, struct err *err)
{
    uint8_t buf[SNP_CERT_MAX];
    struct span der = SPAN_EMPTY;
    int rc = 0;

    while (rc == 0 && snp_trust_next_der(&bytes, "CERTIFICATE", buf,
                              sizeof(buf), &der, NULL) == 0) {
        if (t->amd && snp_trust_is_amd(der))
            rc = trust_add_one(t, der, err);
    }
    return rc;
}

static int trust_take_crl(struct snp_trust *t, struct span der, struct err *err)
{
    uint8_t *own = malloc(der.len ? der.len : 1);
    struct snp_crl crl;
    int rc;

    if (!own)
        return err_set(err, ERR_MEMORY, "no memory for a CRL");
    memcpy(own, der.ptr, der.len);
    rc = snp_crl_parse(SPAN(own, der.len), &crl, err);
    for (size_t i = 0; rc == 0 && i < t->n; i++) {
        struct snp_ca *ca = &t->ca[i];

        if (ca->root != ca || !ca->c.may_sign_crls ||
                !span_eq(crl.issuer, ca->c.subject) ||
                snp_cert_signed(crl.tbs, crl.signature, ca->pub) != 0)
            continue;
        if (ca->crl_der && crl.this_update < ca->crl.this_update) {
            rc = err_set(
                    err, ERR_MISMATCH, "CRL: older than the one that is known");
            break;
        }
        free(ca->crl_der);
        ca->crl_der = own;
        ca->crl = crl;
        return 0;
    }
    free(own);
    return rc ? rc
              : err_set(err, ERR_MISMATCH, "CRL: not signed by a trusted ARK");
}

int snp_trust_add_crl(struct snp_trust *t, struct span bytes, struct err *err)
{
    uint8_t *buf = malloc(SNP_CRL_MAX);
    struct span der = SPAN_EMPTY;
    int rc;

    if (!buf)
        return err_set(err, ERR_MEMORY, "no memory for a CRL");
    rc = snp_trust_next_der(&bytes, "X509 CRL", buf, SNP_CRL_MAX, &der, err);
    if (rc == ERR_NOT_FOUND)
        rc = err_set(err, ERR_SYNTAX, "no CRL");
    if (rc == 0)
        rc = trust_take_crl(t, der, err);
    free(buf);
    return rc;
}
