/* SPDX-License-Identifier: Apache-2.0 */
/* ARK -> ASK or ASVK -> VCEK or VLEK, and what a verified chain leaves. */
#include "snp_private.h"

#include <stdio.h>
#include <stdlib.h>

/* A host gives at most an ARK, an ASK and an ASVK. */
#define EVIDENCE_CAS_MAX 8
#define ISSUER_NAME_MAX  64

struct snp_vek {
    struct snp_vek_info info;
    struct crypto_pub *pub;
    char issuer[ISSUER_NAME_MAX];
    size_t der_len;
    uint8_t der[]; /* what info points into */
};

static bool has_word(struct span s, const char *word)
{
    return memmem(s.ptr, s.len, word, strlen(word)) != NULL;
}

/* A CA signed it: does the CA belong to a root, and may it? */
static void vek_take_issuer(
        struct snp_vek *v, const struct snp_ca *ca, const struct snp_ca *root)
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
        const struct snp_ca *ca = &t->ca[n];

        if (ca->root != ca && snp_trust_issued(c, ca)) {
            vek_take_issuer(v, ca, ca->root);
            if (v->info.chain)
                return true;
        }
    }
    return false;
}

/* CAs that came with the evidence. */
struct with_evidence {
    size_t n;
    struct snp_ca ca[EVIDENCE_CAS_MAX];
};

/* What cannot be read is left out: it vouches for nothing. */
static void take_cas(struct with_evidence *e, const struct snp_trust *t,
        const struct span *cas, size_t n_cas)
{
    uint8_t buf[SNP_CERT_MAX];
    struct span rest, der = SPAN_EMPTY;

    for (size_t i = 0; i < n_cas; i++) {
        rest = cas[i];
        while (e->n < EVIDENCE_CAS_MAX &&
                snp_trust_next_der(&rest, "CERTIFICATE", buf, sizeof(buf), &der,
                        NULL) == 0) {
            struct snp_ca *ca = &e->ca[e->n];

            if (snp_trust_ca_init(ca, der, NULL) != 0)
                continue;
            if (t->amd && snp_trust_is_amd(der)) {
                ca->root = ca; /* the digest says more than its signature */
                ca->product = snp_trust_product_of(ca->c.cn);
            }
            e->n++;
        }
    }
}

/* They are below a root of the trust, or an ARK that came along and is AMD's.
 */
static void try_evidence(struct snp_vek *v, const struct snp_cert *c,
        const struct snp_trust *t, const struct with_evidence *e)
{
    for (size_t i = 0; !v->info.chain && i < e->n; i++) {
        const struct snp_ca *ca = &e->ca[i], *root;

        if (ca->root == ca || !snp_trust_issued(c, ca))
            continue;
        root = snp_trust_root(t->ca, t->n, &ca->c);
        vek_take_issuer(
                v, ca, root ? root : snp_trust_root(e->ca, e->n, &ca->c));
    }
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
    v->info = (struct snp_vek_info){.der = c.der,
            .kind = c.kind,
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
    int rc = snp_trust_next_der(
            &bytes, "CERTIFICATE", buf, sizeof(buf), &der, err);

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
    struct with_evidence e = {0};
    struct snp_cert c;
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
    if (!try_trust(v, &c, t)) {
        take_cas(&e, t, cas, n_cas);
        try_evidence(v, &c, t, &e);
        for (size_t i = 0; i < e.n; i++)
            snp_trust_ca_fini(&e.ca[i]);
    }
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
