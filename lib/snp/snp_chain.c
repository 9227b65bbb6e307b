/* SPDX-License-Identifier: Apache-2.0 */
/* ARK -> ASK or ASVK -> VCEK or VLEK, and what a verified chain leaves. */
#include "snp_private.h"

#include <stdio.h>
#include <stdlib.h>

/* AMD's CAs have RSA keys of one size. */
#define CA_BITS 4096
/* A host gives at most an ARK, an ASK and an ASVK. */
#define EVIDENCE_CAS_MAX 8
#define ISSUER_NAME_MAX  64

/* A CA with bytes of its own. */
struct ca {
    struct snp_cert c;
    uint8_t *der;
    struct crypto_pub *pub;
    const struct ca *root;    /* itself; the root that signed it; NULL */
    enum snp_product product; /* of a root: what it vouches for */
    uint8_t *crl_der;
    struct snp_crl crl; /* of a root */
};

struct snp_trust {
    size_t n;
    struct ca ca[SNP_TRUST_CERTS_MAX];
};

struct snp_vek {
    struct snp_vek_info info;
    struct crypto_pub *pub;
    char issuer[ISSUER_NAME_MAX];
    size_t der_len;
    uint8_t der[]; /* what info points into */
};

static void ca_fini(struct ca *ca)
{
    free(ca->der);
    free(ca->crl_der);
    crypto_pub_free(ca->pub);
    *ca = (struct ca){0};
}

/* The next of PEM blocks or the one DER: 0, ERR_NOT_FOUND at the end. */
static int next_der(struct span *rest, const char *label, uint8_t *buf,
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

static int ca_init(struct ca *ret, struct span der, struct err *err)
{
    struct ca ca = {0};
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
        ca_fini(&ca);
        return rc;
    }
    *ret = ca;
    return 0;
}

static bool issued_by(const struct snp_cert *c, const struct ca *by)
{
    return span_eq(c->issuer, by->c.subject) &&
           snp_cert_signed(c->tbs, c->signature, by->pub) == 0;
}

/* The root of t that signed a CA, with one CA below allowed. */
static const struct ca *root_of(
        const struct snp_trust *t, const struct snp_cert *c)
{
    for (size_t i = 0; i < t->n; i++) {
        const struct ca *ca = &t->ca[i];

        if (ca->root == ca && !(ca->c.has_path_limit && ca->c.path_limit < 1) &&
                issued_by(c, ca))
            return ca;
    }
    return NULL;
}

/* ---- trust ----------------------------------------------------------- */

struct snp_trust *snp_trust_new(void)
{
    return calloc(1, sizeof(struct snp_trust));
}

void snp_trust_free(struct snp_trust *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n; i++)
        ca_fini(&t->ca[i]);
    free(t);
}

void snp_trust_free_ptr(struct snp_trust **t)
{
    snp_trust_free(*t);
}

static enum snp_product root_product(struct span cn)
{
    return cn.len > 4 && memcmp(cn.ptr, "ARK-", 4) == 0
                   ? snp_product_of_name(SPAN(cn.ptr + 4, cn.len - 4))
                   : SNP_PRODUCT_UNKNOWN;
}

static int trust_add_one(struct snp_trust *t, struct span der, struct err *err)
{
    struct ca *ca = &t->ca[t->n];
    int rc;

    for (size_t i = 0; i < t->n; i++) {
        if (span_eq(t->ca[i].c.der, der))
            return 0;
    }
    if (t->n == SNP_TRUST_CERTS_MAX)
        return err_set(err, ERR_LIMIT, "more than %d trusted certificates",
                SNP_TRUST_CERTS_MAX);
    rc = ca_init(ca, der, err);
    if (rc)
        return rc;
    if (!span_eq(ca->c.issuer, ca->c.subject)) {
        ca->root = root_of(t, &ca->c);
        t->n++;
        return 0;
    }
    if (!issued_by(&ca->c, ca)) {
        rc = err_set(err, ERR_MISMATCH, "%.*s: not signed by its own key",
                (int)ca->c.cn.len, (const char *)ca->c.cn.ptr);
        ca_fini(ca);
        return rc;
    }
    ca->root = ca;
    ca->product = root_product(ca->c.cn);
    t->n++;
    for (size_t i = 0; i < t->n; i++) { /* those that came before it */
        if (!t->ca[i].root)
            t->ca[i].root = root_of(t, &t->ca[i].c);
    }
    return 0;
}

int snp_trust_add(struct snp_trust *t, struct span bytes, struct err *err)
{
    uint8_t buf[SNP_CERT_MAX];
    size_t n = 0;
    struct span der = SPAN_EMPTY;
    int rc;

    while ((rc = next_der(
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
        struct ca *ca = &t->ca[i];

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
    rc = next_der(&bytes, "X509 CRL", buf, SNP_CRL_MAX, &der, err);
    if (rc == ERR_NOT_FOUND)
        rc = err_set(err, ERR_SYNTAX, "no CRL");
    if (rc == 0)
        rc = trust_take_crl(t, der, err);
    free(buf);
    return rc;
}

/* ---- a VEK ------------------------------------------------------------ */

static bool has_word(struct span s, const char *word)
{
    return memmem(s.ptr, s.len, word, strlen(word)) != NULL;
}

/* A CA signed it: does the CA belong to a root, and may it? */
static void vek_take_issuer(
        struct snp_vek *v, const struct ca *ca, const struct ca *root)
{
    struct snp_vek_info *i = &v->info;

    if (!root) {
        v->info.why = "its CA is not signed by a trusted ARK";
        return;
    }
    /* ASVKs are named SEV-VLEK-*, ASKs SEV-*: a fleet's CA makes no chips. */
    if (has_word(ca->c.cn, "VLEK") != (i->kind == SNP_KEY_VLEK)) {
        v->info.why = "signed by the CA of the other kind of key";
        i->wrong_ca = true;
        return;
    }
    i->chain = true;
    i->why = NULL;
    (void)snprintf(v->issuer, sizeof(v->issuer), "%.*s", (int)ca->c.cn.len,
            (const char *)ca->c.cn.ptr);
    i->issuer = v->issuer;
    i->root_product = root->product;
    for (size_t n = 0; n < 2; n++) {
        const struct snp_cert *c = n ? &root->c : &ca->c;

        if (c->not_before > i->chain_not_before)
            i->chain_not_before = c->not_before;
        if (c->not_after < i->chain_not_after)
            i->chain_not_after = c->not_after;
        if (root->crl_der && snp_crl_lists(&root->crl, c->serial))
            i->revoked = true;
    }
    if (root->crl_der) {
        i->crl_this_update = root->crl.this_update;
        i->crl_next_update = root->crl.next_update;
    }
}

static bool try_trust(
        struct snp_vek *v, const struct snp_cert *c, const struct snp_trust *t)
{
    for (size_t n = 0; n < t->n; n++) {
        const struct ca *ca = &t->ca[n];

        if (ca->root != ca && issued_by(c, ca)) {
            vek_take_issuer(v, ca, ca->root);
            if (v->info.chain)
                return true;
        }
    }
    return false;
}

/* A CA that came with the evidence, below a root that did not. */
static bool try_evidence(struct snp_vek *v, const struct snp_cert *c,
        const struct snp_trust *t, struct span bytes)
{
    uint8_t buf[SNP_CERT_MAX];
    struct span der = SPAN_EMPTY;
    struct ca ca;

    for (size_t n = 0;
            n < EVIDENCE_CAS_MAX &&
            next_der(&bytes, "CERTIFICATE", buf, sizeof(buf), &der, NULL) == 0;
            n++) {
        if (ca_init(&ca, der, NULL) != 0)
            continue;
        if (issued_by(c, &ca))
            vek_take_issuer(v, &ca, root_of(t, &ca.c));
        ca_fini(&ca);
        if (v->info.chain)
            return true;
    }
    return false;
}

static int vek_init(struct snp_vek *v, struct snp_cert *ret, struct err *err)
{
    struct snp_cert c;
    int rc = snp_cert_parse(SPAN(v->der, v->der_len), &c, err);

    if (rc)
        return rc;
    if (!c.is_vek)
        return err_set(err, ERR_UNSUPPORTED,
                "%.*s: neither a VCEK nor a VLEK of a known product",
                (int)c.cn.len, (const char *)c.cn.ptr);
    v->pub = crypto_pub_from_spki(c.spki);
    if (!v->pub || crypto_pub_type(v->pub) != CRYPTO_P384)
        return err_set(err, ERR_UNSUPPORTED, "VEK: not a key on P-384");
    v->info = (struct snp_vek_info){.kind = c.kind,
            .product = c.product,
            .tcb = c.tcb,
            .product_name = c.product_name,
            .hwid = c.hwid,
            .csp_id = c.csp_id,
            .not_before = c.not_before,
            .not_after = c.not_after,
            .chain_not_before = c.not_before,
            .chain_not_after = c.not_after,
            .why = "no CA that is known signed it"};
    *ret = c;
    return 0;
}

/* A copy of the first certificate of bytes. */
static struct snp_vek *vek_alloc(struct span bytes, struct err *err)
{
    uint8_t buf[SNP_CERT_MAX];
    struct snp_vek *v = NULL;
    struct span der = SPAN_EMPTY;
    int rc = next_der(&bytes, "CERTIFICATE", buf, sizeof(buf), &der, err);

    if (rc == ERR_NOT_FOUND)
        (void)err_set(err, ERR_SYNTAX, "VEK: no certificate");
    else if (rc == 0 && der.len > SNP_CERT_MAX)
        (void)err_set(err, ERR_LIMIT, "VEK: %zu bytes", der.len);
    else if (rc == 0 && !(v = calloc(1, sizeof(*v) + der.len)))
        (void)err_set(err, ERR_MEMORY, "no memory for a VEK");
    if (v) {
        v->der_len = der.len;
        memcpy(v->der, der.ptr, der.len);
    }
    return v;
}

int snp_vek_new(const struct snp_trust *t, struct span bytes,
        const struct span *cas, size_t n_cas, struct snp_vek **ret,
        struct err *err)
{
    CLEANUP(snp_vek_free_ptr) struct snp_vek *v = NULL;
    struct err local = {.code = ERR_SYNTAX}; /* there may be no err */
    struct snp_cert c;
    bool done;
    int rc;

    if (!err)
        err = &local;
    if (n_cas > EVIDENCE_CAS_MAX)
        return err_set(err, ERR_LIMIT, "more than %d CAs with a report",
                EVIDENCE_CAS_MAX);
    v = vek_alloc(bytes, err);
    rc = v ? vek_init(v, &c, err) : err->code;
    if (rc)
        return rc;
    done = try_trust(v, &c, t);
    for (size_t i = 0; !done && i < n_cas; i++)
        done = try_evidence(v, &c, t, cas[i]);
    *ret = TAKE_PTR(v);
    return 0;
}

int snp_vek_of_table(const struct snp_trust *t, const struct snp_table *table,
        const struct snp_report *r, struct snp_vek **ret, struct err *err)
{
    const struct span cas[] = {table->ask, table->ark};
    struct span vek =
            r->signing_key == SNP_KEY_VLEK ? table->vlek : table->vcek;

    if (vek.len == 0)
        return err_set(err, ERR_NOT_FOUND,
                "certificate table: none of the key that the report names");
    return snp_vek_new(t, vek, cas, ARRAY_LEN(cas), ret, err);
}

void snp_vek_free(struct snp_vek *v)
{
    if (!v)
        return;
    crypto_pub_free(v->pub);
    free(v);
}

void snp_vek_free_ptr(struct snp_vek **v)
{
    snp_vek_free(*v);
}

const struct snp_vek_info *snp_vek_info(const struct snp_vek *v)
{
    return &v->info;
}

const struct crypto_pub *snp_vek_pub(const struct snp_vek *v)
{
    return v->pub;
}
