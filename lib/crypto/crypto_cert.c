/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto_private.h"

#include <stdlib.h>
#include <time.h>

/* A path of real EK certificates has at most five links. */
#define PATH_MAX_LINKS 8

struct crypto_cert {
    X509 *x;
};

/* Takes x over. */
static struct crypto_cert *cert_of(X509 *x)
{
    struct crypto_cert *c = x ? calloc(1, sizeof(*c)) : NULL;

    if (c)
        c->x = TAKE_PTR(x);
    X509_free(x);
    (void)crypto_fail(0);
    return c;
}

/* OpenSSL reads BER; only what it would write itself is DER. */
static bool is_exact(X509 *x, struct span der)
{
    uint8_t *again = NULL;
    int len = i2d_X509(x, &again);
    bool exact = len > 0 && span_eq(der, SPAN(again, (size_t)len));

    OPENSSL_free(again);
    return exact;
}

struct crypto_cert *crypto_cert_from_der(struct span der)
{
    const uint8_t *p = der.ptr;
    X509 *x;

    if (der.len == 0 || der.len > CRYPTO_CERT_MAX)
        return NULL;
    x = d2i_X509(NULL, &p, (long)der.len);
    if (x && !is_exact(x, der)) {
        X509_free(x);
        x = NULL;
    }
    return cert_of(x);
}

struct crypto_cert *crypto_cert_from_pem(struct span *rest)
{
    uint8_t der[CRYPTO_CERT_MAX];
    size_t len;

    if (crypto_pem_next(rest, "CERTIFICATE", der, sizeof(der), &len))
        return NULL;
    return crypto_cert_from_der(SPAN(der, len));
}

void crypto_cert_free(struct crypto_cert *c)
{
    if (!c)
        return;
    X509_free(c->x);
    free(c);
}

void crypto_cert_free_ptr(struct crypto_cert **c)
{
    crypto_cert_free(*c);
}

int crypto_cert_der(
        const struct crypto_cert *c, uint8_t *ret, size_t cap, size_t *ret_len)
{
    int len = i2d_X509(c->x, NULL);

    if (len <= 0)
        return crypto_fail(ERR_CRYPTO);
    if ((size_t)len > cap)
        return ERR_LIMIT;
    *ret_len = (size_t)i2d_X509(c->x, &ret);
    return 0;
}

struct crypto_pub *crypto_cert_pub(const struct crypto_cert *c)
{
    uint8_t *der = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(c->x), &der);
    struct crypto_pub *k =
            len > 0 ? crypto_pub_from_spki(SPAN(der, (size_t)len)) : NULL;

    OPENSSL_free(der);
    (void)crypto_fail(0);
    return k;
}

int crypto_cert_spki_oid(const struct crypto_cert *c, char *ret, size_t cap)
{
    ASN1_OBJECT *oid = NULL;
    int n;

    if (X509_PUBKEY_get0_param(
                &oid, NULL, NULL, NULL, X509_get_X509_PUBKEY(c->x)) != 1)
        return crypto_fail(ERR_SYNTAX);
    n = OBJ_obj2txt(ret, (int)cap, oid, 1);
    return n > 0 && (size_t)n < cap ? 0 : crypto_fail(ERR_LIMIT);
}

int crypto_cert_extension(const struct crypto_cert *c, const char *oid,
        uint8_t *ret, size_t cap, size_t *ret_len)
{
    ASN1_OBJECT *want = OBJ_txt2obj(oid, 1);
    int i = want ? X509_get_ext_by_OBJ(c->x, want, -1) : -1;
    const ASN1_OCTET_STRING *s =
            i >= 0 ? X509_EXTENSION_get_data(X509_get_ext(c->x, i)) : NULL;
    size_t len = s ? (size_t)ASN1_STRING_length(s) : 0;

    ASN1_OBJECT_free(want);
    if (!s)
        return crypto_fail(ERR_NOT_FOUND);
    if (len > cap)
        return ERR_LIMIT;
    memcpy(ret, ASN1_STRING_get0_data(s), len);
    *ret_len = len;
    return 0;
}

/* Printable UTF-8 without NUL into ret[cap]. */
static int copy_text(const ASN1_STRING *s, char *ret, size_t cap)
{
    uint8_t *utf8 = NULL;
    int len = ASN1_STRING_to_UTF8(&utf8, s), rc = ERR_SYNTAX;

    if (len < 0)
        return crypto_fail(ERR_SYNTAX);
    if ((size_t)len >= cap) {
        rc = ERR_LIMIT;
    } else if (text_is_utf8(SPAN(utf8, (size_t)len))) {
        memcpy(ret, utf8, (size_t)len);
        ret[len] = '\0';
        rc = 0;
    }
    OPENSSL_free(utf8);
    return rc;
}

/* The value of the only attribute of that kind. */
static const ASN1_STRING *only_attribute(
        const X509_NAME *name, const ASN1_OBJECT *oid)
{
    int i = X509_NAME_get_index_by_OBJ(name, oid, -1);

    if (i < 0 || X509_NAME_get_index_by_OBJ(name, oid, i) >= 0)
        return NULL;
    return X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, i));
}

int crypto_cert_cn(const struct crypto_cert *c, char *ret, size_t cap)
{
    const ASN1_STRING *s = only_attribute(
            X509_get_subject_name(c->x), OBJ_nid2obj(NID_commonName));

    return s ? copy_text(s, ret, cap) : ERR_NOT_FOUND;
}

bool crypto_cert_valid_at(const struct crypto_cert *c, uint64_t unix_s)
{
    time_t from = (time_t)unix_s, until = (time_t)unix_s - 1;

    if (unix_s == 0 || unix_s > INT64_MAX)
        return false;
    /* X509_cmp_time says "before" for equal times; both ends count as valid
     * (RFC 5280, 4.1.2.5), and 0 is a time that cannot be read. */
    return X509_cmp_time(X509_get0_notBefore(c->x), &from) < 0 &&
           X509_cmp_time(X509_get0_notAfter(c->x), &until) > 0;
}

static bool unix_time(const ASN1_TIME *t, uint64_t *ret)
{
    struct tm tm;
    time_t v;

    if (ASN1_TIME_to_tm(t, &tm) != 1)
        return false;
    v = timegm(&tm);
    if (v < 0)
        return false;
    *ret = (uint64_t)v;
    return true;
}

int crypto_cert_validity(const struct crypto_cert *c, uint64_t *ret_not_before,
        uint64_t *ret_not_after)
{
    uint64_t from, until;

    if (!unix_time(X509_get0_notBefore(c->x), &from) ||
            !unix_time(X509_get0_notAfter(c->x), &until) || from > until)
        return crypto_fail(ERR_SYNTAX);
    *ret_not_before = from;
    *ret_not_after = until;
    return 0;
}

/*
 * SHA-1 is let in: EK certificates of real chips were signed with it, and a
 * second certificate for the same hash would need a second preimage.
 */
int crypto_cert_verify(const struct crypto_cert *c, const struct crypto_pub *k)
{
    int md = NID_undef;

    if (X509_get_signature_info(c->x, &md, NULL, NULL, NULL) != 1 ||
            md == NID_md5)
        return crypto_fail(ERR_MISMATCH);
    return X509_verify(c->x, k->pkey) == 1 ? 0 : crypto_fail(ERR_MISMATCH);
}

bool crypto_cert_has_eku(const struct crypto_cert *c, const char *oid)
{
    EXTENDED_KEY_USAGE *eku =
            X509_get_ext_d2i(c->x, NID_ext_key_usage, NULL, NULL);
    ASN1_OBJECT *want = OBJ_txt2obj(oid, 1);
    bool found = false;

    for (int i = 0; want && i < sk_ASN1_OBJECT_num(eku); i++)
        found = found || OBJ_cmp(sk_ASN1_OBJECT_value(eku, i), want) == 0;
    ASN1_OBJECT_free(want);
    sk_ASN1_OBJECT_pop_free(eku, ASN1_OBJECT_free);
    (void)crypto_fail(0);
    return found;
}

bool crypto_cert_is_ca(const struct crypto_cert *c)
{
    return X509_check_ca(c->x) != 0;
}

int crypto_cert_tpm_san(
        const struct crypto_cert *c, const char *oid, char *ret, size_t cap)
{
    GENERAL_NAMES *names =
            X509_get_ext_d2i(c->x, NID_subject_alt_name, NULL, NULL);
    ASN1_OBJECT *want = OBJ_txt2obj(oid, 1);
    int rc = ERR_NOT_FOUND;

    for (int i = 0; want && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);
        const ASN1_STRING *s =
                g->type == GEN_DIRNAME
                        ? only_attribute(g->d.directoryName, want)
                        : NULL;

        if (s) {
            rc = copy_text(s, ret, cap);
            break;
        }
    }
    ASN1_OBJECT_free(want);
    GENERAL_NAMES_free(names);
    return crypto_fail(rc);
}

/* ---- path ------------------------------------------------------------ */

/*
 * The walk is our own: X509_verify_cert fails on the rsaesOaep key of an EK
 * certificate before it looks at anything else.
 */
static bool is_understood(const ASN1_OBJECT *oid)
{
    /* Policies: any will do here, RFC 5280, 6.1.1 (c); what constrains them
     * is an extension of its own, critical, and refused. */
    static const int understood[] = {NID_basic_constraints, NID_key_usage,
            NID_ext_key_usage, NID_subject_alt_name, NID_certificate_policies};
    int nid = OBJ_obj2nid(oid);

    for (size_t i = 0; i < ARRAY_LEN(understood); i++) {
        if (nid == understood[i])
            return true;
    }
    return false;
}

/* Roots of the nineties and of some TPM makers: no extension says anything. */
static bool is_v1_root(const struct crypto_cert *c)
{
    struct crypto_pub *k;
    bool own;

    if (X509_get_version(c->x) != X509_VERSION_1 ||
            X509_get_ext_count(c->x) > 0 ||
            X509_NAME_cmp(X509_get_subject_name(c->x),
                    X509_get_issuer_name(c->x)) != 0)
        return false;
    k = crypto_cert_pub(c);
    own = k && crypto_cert_verify(c, k) == 0;
    crypto_pub_free(k);
    return own;
}

/* What holds for every certificate of a path. */
static int check_any(const struct crypto_cert *c, const char *what,
        uint64_t unix_s, struct err *err)
{
    if (X509_get_version(c->x) != X509_VERSION_3)
        return err_set(err, ERR_MISMATCH, "%s: not X.509 version 3", what);
    if (!crypto_cert_valid_at(c, unix_s))
        return err_set(err, ERR_MISMATCH, "%s: not valid at that time", what);
    /* Names, key identifiers and so on, parsed once by OpenSSL. */
    if (X509_get_extension_flags(c->x) & EXFLAG_INVALID)
        return err_set(err, ERR_MISMATCH, "%s: malformed extensions", what);
    for (int i = 0; i < X509_get_ext_count(c->x); i++) {
        X509_EXTENSION *e = X509_get_ext(c->x, i);

        if (X509_EXTENSION_get_critical(e) &&
                !is_understood(X509_EXTENSION_get_object(e)))
            return err_set(err, ERR_MISMATCH,
                    "%s: a critical extension is not understood", what);
        /* Constraints that are not evaluated here must not be ignored. */
        if (OBJ_obj2nid(X509_EXTENSION_get_object(e)) == NID_name_constraints)
            return err_set(err, ERR_MISMATCH,
                    "%s: name constraints are not supported", what);
    }
    return 0;
}

/* below: CA certificates between this one and the leaf. */
static int check_ca(const struct crypto_cert *c, const char *what, long below,
        struct err *err)
{
    uint32_t flags = X509_get_extension_flags(c->x);
    long limit = X509_get_pathlen(c->x);

    if (!(flags & EXFLAG_BCONS) || !(flags & EXFLAG_CA))
        return err_set(err, ERR_MISMATCH, "%s: not a CA", what);
    if ((flags & EXFLAG_KUSAGE) &&
            !(X509_get_key_usage(c->x) & KU_KEY_CERT_SIGN))
        return err_set(
                err, ERR_MISMATCH, "%s: may not sign certificates", what);
    if (limit >= 0 && below > limit)
        return err_set(err, ERR_MISMATCH, "%s: path is too long", what);
    return 0;
}

/*
 * The certificate of set that issued c: name and signature.  Identifiers of
 * the authority are hints for those who search (RFC 5280, 4.2.1.1) and wrong
 * in real chips, whose maker's root was certified anew under another serial
 * number.
 */
static const struct crypto_cert *find_issuer(
        const struct crypto_cert *c, struct crypto_cert *const *set, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct crypto_pub *k;
        bool issued = false;

        if (X509_NAME_cmp(X509_get_subject_name(set[i]->x),
                    X509_get_issuer_name(c->x)) != 0)
            continue;
        k = crypto_cert_pub(set[i]);
        if (k)
            issued = crypto_cert_verify(c, k) == 0;
        crypto_pub_free(k);
        if (issued)
            return set[i];
    }
    return NULL;
}

static int check_root(const struct crypto_cert *c, long below, uint64_t unix_s,
        struct err *err)
{
    const char *what = "root certificate";
    int rc;

    if (is_v1_root(c))
        return crypto_cert_valid_at(c, unix_s)
                       ? 0
                       : err_set(err, ERR_MISMATCH,
                                 "%s: not valid at that time", what);
    rc = check_any(c, what, unix_s, err);
    return rc ? rc : check_ca(c, what, below, err);
}

static int walk(const struct crypto_cert *leaf,
        struct crypto_cert *const *inters, size_t n_inters,
        struct crypto_cert *const *roots, size_t n_roots, uint64_t unix_s,
        struct err *err)
{
    const struct crypto_cert *c = leaf, *up;
    const char *what = "leaf certificate";
    int rc = check_any(leaf, what, unix_s, err);

    for (long below = 0; rc == 0 && below < PATH_MAX_LINKS; below++) {
        up = find_issuer(c, roots, n_roots);
        what = "intermediate certificate";
        if (up)
            return check_root(up, below, unix_s, err);
        up = find_issuer(c, inters, n_inters);
        if (!up || up == c)
            return err_set(err, ERR_MISMATCH,
                    "certificate chain does not reach a trusted root");
        rc = check_any(up, what, unix_s, err);
        if (rc == 0)
            rc = check_ca(up, what, below, err);
        c = up;
    }
    return rc ? rc : err_set(err, ERR_MISMATCH, "certificate chain too long");
}

int crypto_cert_path(const struct crypto_cert *leaf,
        struct crypto_cert *const *inters, size_t n_inters,
        struct crypto_cert *const *roots, size_t n_roots, uint64_t unix_s,
        struct err *err)
{
    return crypto_fail(
            walk(leaf, inters, n_inters, roots, n_roots, unix_s, err));
}

void *crypto_cert_native(const struct crypto_cert *c)
{
    return c->x;
}
