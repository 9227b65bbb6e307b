/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define CERT CLEANUP(crypto_cert_free_ptr) struct crypto_cert
#define KEY  CLEANUP(crypto_key_free_ptr) struct crypto_key
#define PUB  CLEANUP(crypto_pub_free_ptr) struct crypto_pub

/* ---- channel certificates -------------------------------------------- */

static struct crypto_cert *issue(const struct crypto_key *issuer,
        const char *name, const struct crypto_pub *subject, uint64_t from,
        uint64_t until)
{
    uint8_t der[CRYPTO_CERT_MAX];
    size_t len;
    struct crypto_cert *c;

    assert_int_equal(crypto_cert_issue(issuer, name, subject, from, until, der,
                             sizeof(der), &len),
            0);
    c = crypto_cert_from_der(SPAN(der, len));
    assert_non_null(c);
    return c;
}

static void issued_certificate_says_what_was_asked(void **state)
{
    const enum crypto_key_type types[] = {CRYPTO_ED25519, CRYPTO_P256};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        KEY *identity = crypto_key_generate(types[i]);
        KEY *other = crypto_key_generate(types[i]);
        KEY *channel = crypto_key_generate(CRYPTO_P256);
        CERT *c =
                issue(identity, "server", crypto_key_pub(channel), 1000, 2000);
        PUB *k = crypto_cert_pub(c);
        char name[LIMIT_ZONE_NAME_MAX + 1];

        assert_true(crypto_pub_eq(k, crypto_key_pub(channel)));
        assert_int_equal(crypto_cert_cn(c, name, sizeof(name)), 0);
        assert_string_equal(name, "server");
        assert_int_equal(crypto_cert_cn(c, name, 6), ERR_LIMIT);
        assert_int_equal(crypto_cert_verify(c, crypto_key_pub(identity)), 0);
        assert_int_equal(
                crypto_cert_verify(c, crypto_key_pub(other)), ERR_MISMATCH);
        assert_int_equal(
                crypto_cert_verify(c, crypto_key_pub(channel)), ERR_MISMATCH);
        assert_true(crypto_cert_has_eku(c, "1.3.6.1.5.5.7.3.1"));
        assert_true(crypto_cert_has_eku(c, "1.3.6.1.5.5.7.3.2"));
        assert_false(crypto_cert_has_eku(c, "2.23.133.8.1"));
    }
}

static void validity_has_both_ends(void **state)
{
    KEY *k = crypto_key_generate(CRYPTO_ED25519);
    CERT *c = issue(k, "thin", crypto_key_pub(k), 1000, 2000);
    uint8_t der[CRYPTO_CERT_MAX];
    size_t len;

    (void)state;
    assert_false(crypto_cert_valid_at(c, 0));
    assert_false(crypto_cert_valid_at(c, 999));
    assert_true(crypto_cert_valid_at(c, 1000));
    assert_true(crypto_cert_valid_at(c, 2000));
    assert_false(crypto_cert_valid_at(c, 2001));
    assert_false(crypto_cert_valid_at(c, UINT64_MAX));
    assert_int_equal(crypto_cert_issue(k, "thin", crypto_key_pub(k), 2000, 2000,
                             der, sizeof(der), &len),
            ERR_USAGE);
    assert_int_equal(crypto_cert_issue(k, "thin", crypto_key_pub(k), 1, 2, der,
                             100, &len),
            ERR_LIMIT);
}

static void certificate_is_exact(void **state)
{
    KEY *k = crypto_key_generate(CRYPTO_ED25519);
    CERT *c = issue(k, "thin", crypto_key_pub(k), 1000, 2000);
    uint8_t der[CRYPTO_CERT_MAX];
    size_t len;

    (void)state;
    assert_int_equal(crypto_cert_der(c, der, 100, &len), ERR_LIMIT);
    assert_int_equal(crypto_cert_der(c, der, sizeof(der), &len), 0);
    for (size_t n = 0; n < len; n++)
        assert_null(crypto_cert_from_der(SPAN(der, n)));
    der[len] = 0;
    assert_null(crypto_cert_from_der(SPAN(der, len + 1)));
}

static void any_flipped_bit_breaks_it(void **state)
{
    KEY *k = crypto_key_generate(CRYPTO_ED25519);
    CERT *c = issue(k, "thin", crypto_key_pub(k), 1000, 2000);
    uint8_t der[CRYPTO_CERT_MAX];
    size_t len;

    (void)state;
    assert_int_equal(crypto_cert_der(c, der, sizeof(der), &len), 0);
    for (size_t bit = 0; bit < len * 8; bit++) {
        der[bit / 8] ^= (uint8_t)(1 << bit % 8);
        CERT *bad = crypto_cert_from_der(SPAN(der, len));
        assert_true(!bad ||
                    crypto_cert_verify(bad, crypto_key_pub(k)) == ERR_MISMATCH);
        der[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void two_names_are_no_name(void **state)
{
    KEY *k = crypto_key_generate(CRYPTO_ED25519);
    CERT *c = issue(k, "thin", crypto_key_pub(k), 1000, 2000);
    X509 *x = crypto_cert_native(c);
    char name[32];

    (void)state;
    (void)X509_NAME_add_entry_by_NID(X509_get_subject_name(x), NID_commonName,
            MBSTRING_UTF8, (const unsigned char *)"server", -1, -1, 0);
    assert_int_equal(crypto_cert_cn(c, name, sizeof(name)), ERR_NOT_FOUND);
}

/* ---- paths ----------------------------------------------------------- */

#define NOW 1500

struct spec {
    const char *subject, *issuer;
    unsigned key, issuer_key; /* index into keys */
    const char *bc, *ku;      /* OpenSSL's notation; NULL: none */
    const char *extra;        /* an extension that nobody here understands */
    const char *nc;           /* name constraints */
    bool malformed;           /* key identifier that is no octet string */
    bool wrong_hint;          /* authority key identifier of nobody */
    long from, until;
    int version;
};

static struct crypto_key *keys[4];

static int make_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        keys[i] = crypto_key_generate(CRYPTO_P256);
    return 0;
}

static int free_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        crypto_key_free(keys[i]);
    return 0;
}

static void add_ext(X509 *x, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    assert_non_null(e);
    assert_int_equal(X509_add_ext(x, e, -1), 1);
    X509_EXTENSION_free(e);
}

static void name_of(X509_NAME *n, const char *cn)
{
    assert_int_equal(
            X509_NAME_add_entry_by_NID(n, NID_commonName, MBSTRING_UTF8,
                    (const unsigned char *)cn, -1, -1, 0),
            1);
}

static void add_raw(X509 *x, int nid, struct span der)
{
    ASN1_OCTET_STRING *data = ASN1_OCTET_STRING_new();
    X509_EXTENSION *e;

    assert_int_equal(ASN1_OCTET_STRING_set(data, der.ptr, (int)der.len), 1);
    e = X509_EXTENSION_create_by_NID(NULL, nid, 0, data);
    assert_int_equal(X509_add_ext(x, e, -1), 1);
    X509_EXTENSION_free(e);
    ASN1_OCTET_STRING_free(data);
}

static struct crypto_cert *make(const struct spec *s)
{
    X509 *x = X509_new();
    struct crypto_cert *c;
    uint8_t *der = NULL;
    int len;

    assert_int_equal(X509_set_version(x, s->version - 1), 1);
    (void)ASN1_INTEGER_set(X509_get_serialNumber(x), 7);
    name_of(X509_get_subject_name(x), s->subject);
    name_of(X509_get_issuer_name(x), s->issuer);
    (void)ASN1_TIME_set(X509_getm_notBefore(x), s->from);
    (void)ASN1_TIME_set(X509_getm_notAfter(x), s->until);
    (void)X509_set_pubkey(x, keys[s->key]->pkey);
    if (s->bc)
        add_ext(x, NID_basic_constraints, s->bc);
    if (s->ku)
        add_ext(x, NID_key_usage, s->ku);
    if (s->extra)
        add_ext(x, NID_netscape_comment, s->extra);
    if (s->nc)
        add_ext(x, NID_name_constraints, s->nc);
    if (s->malformed)
        add_raw(x, NID_subject_key_identifier, SPAN("\x05\x01", 2));
    if (s->wrong_hint)
        add_raw(x, NID_authority_key_identifier,
                SPAN("\x30\x03\x80\x01\x99", 5));
    assert_true(X509_sign(x, keys[s->issuer_key]->pkey, EVP_sha256()) > 0);
    len = i2d_X509(x, &der);
    c = crypto_cert_from_der(SPAN(der, (size_t)len));
    assert_non_null(c);
    OPENSSL_free(der);
    X509_free(x);
    return c;
}

#define ROOT                                                                   \
    {                                                                          \
        .subject = "root", .issuer = "root", .key = 0, .issuer_key = 0,        \
        .bc = "critical,CA:TRUE", .ku = "critical,keyCertSign", .from = 1000,  \
        .until = 2000, .version = 3                                            \
    }
#define INTER                                                                  \
    {                                                                          \
        .subject = "inter", .issuer = "root", .key = 1, .issuer_key = 0,       \
        .bc = "critical,CA:TRUE,pathlen:0", .ku = "critical,keyCertSign",      \
        .from = 1000, .until = 2000, .version = 3                              \
    }
#define LEAF                                                                   \
    {                                                                          \
        .subject = "leaf", .issuer = "inter", .key = 2, .issuer_key = 1,       \
        .bc = "critical,CA:FALSE", .ku = "critical,keyEncipherment",           \
        .from = 1000, .until = 2000, .version = 3                              \
    }

static int path(struct spec root, struct spec inter, struct spec leaf)
{
    CERT *r = make(&root);
    CERT *i = make(&inter);
    CERT *l = make(&leaf);
    struct err err = {0};
    int rc = crypto_cert_path(l, (struct crypto_cert *[]){i}, 1,
            (struct crypto_cert *[]){r}, 1, NOW, &err);

    assert_true(rc == 0 || (rc == ERR_MISMATCH && err.msg[0] != '\0'));
    return rc;
}

static void good_path_is_accepted(void **state)
{
    struct spec root = ROOT, inter = INTER, leaf = LEAF;

    (void)state;
    assert_int_equal(path(root, inter, leaf), 0);
    /* a leaf right under the root */
    leaf.issuer = "root";
    leaf.issuer_key = 0;
    assert_int_equal(path(root, inter, leaf), 0);
}

static void bad_paths_are_refused(void **state)
{
    const struct spec root = ROOT, inter = INTER, leaf = LEAF;
    struct spec s;

    (void)state;
#define REFUSED(who, change)                                                   \
    do {                                                                       \
        struct spec root_ = root, inter_ = inter, leaf_ = leaf;                \
        s = who;                                                               \
        change;                                                                \
        who##_ = s;                                                            \
        assert_int_equal(path(root_, inter_, leaf_), ERR_MISMATCH);            \
    } while (0)
    REFUSED(leaf, s.until = NOW - 1);
    REFUSED(leaf, s.from = NOW + 1);
    REFUSED(inter, s.until = NOW - 1);
    REFUSED(root, s.until = NOW - 1);
    REFUSED(leaf, s.issuer_key = 3); /* right name, other key */
    REFUSED(inter, s.issuer_key = 3);
    REFUSED(leaf, s.issuer = "other");
    REFUSED(leaf, (s.issuer = "leaf", s.issuer_key = 2)); /* self-signed */
    REFUSED(inter, s.bc = "critical,CA:FALSE");
    REFUSED(inter, s.bc = NULL);
    REFUSED(inter, s.ku = "critical,digitalSignature");
    REFUSED(root, s.bc = "critical,CA:FALSE");
    REFUSED(root, s.bc = "critical,CA:TRUE,pathlen:0");
    REFUSED(leaf, s.extra = "critical,unknown here");
    REFUSED(inter, s.extra = "critical,unknown here");
    REFUSED(root, s.extra = "critical,unknown here");
    REFUSED(inter, s.nc = "permitted;DNS:example.org");
    REFUSED(root, s.nc = "critical,permitted;DNS:example.org");
    REFUSED(leaf, s.malformed = true);
    REFUSED(leaf, s.version = 1);
    REFUSED(inter, s.version = 1);
#undef REFUSED
}

static void a_root_of_version_1_is_its_owners_trust(void **state)
{
    struct spec root = ROOT, inter = INTER, leaf = LEAF, bad;

    (void)state;
    root.version = 1;
    root.bc = root.ku = NULL;
    assert_int_equal(path(root, inter, leaf), 0);
    bad = root;
    bad.until = NOW - 1;
    assert_int_equal(path(bad, inter, leaf), ERR_MISMATCH);
    bad = root;
    bad.issuer = "somebody";
    assert_int_equal(path(bad, inter, leaf), ERR_MISMATCH);
    bad = root;
    bad.issuer_key = 3; /* its own name, another's signature */
    assert_int_equal(path(bad, inter, leaf), ERR_MISMATCH);
    bad = root;
    bad.version = 3; /* no excuse for saying nothing */
    assert_int_equal(path(bad, inter, leaf), ERR_MISMATCH);
}

static void a_wrong_hint_is_no_reason(void **state)
{
    struct spec root = ROOT, inter = INTER, leaf = LEAF;

    (void)state;
    leaf.wrong_hint = inter.wrong_hint = true;
    assert_int_equal(path(root, inter, leaf), 0);
    inter.issuer_key = 3;
    assert_int_equal(path(root, inter, leaf), ERR_MISMATCH);
}

static void no_root_is_no_path(void **state)
{
    struct spec root_spec = ROOT, leaf_spec = LEAF;
    CERT *root = make(&root_spec);
    CERT *leaf = make(&leaf_spec);
    struct err err;

    (void)state;
    assert_int_equal(
            crypto_cert_path(leaf, NULL, 0, NULL, 0, NOW, &err), ERR_MISMATCH);
    assert_int_equal(crypto_cert_path(leaf, NULL, 0,
                             (struct crypto_cert *[]){root}, 1, NOW, &err),
            ERR_MISMATCH);
    /* a root that is handed over as an intermediate is not trusted */
    assert_int_equal(crypto_cert_path(root, (struct crypto_cert *[]){root}, 1,
                             NULL, 0, NOW, &err),
            ERR_MISMATCH);
}

/* Two CAs that certify each other must not keep the walk busy. */
static void a_loop_of_certificates_ends(void **state)
{
    struct spec a = INTER, b = INTER, leaf_spec = LEAF;
    struct err err;

    (void)state;
    a.issuer = "b";
    a.issuer_key = 3;
    a.bc = b.bc = "critical,CA:TRUE";
    b.subject = "b";
    b.key = 3;
    b.issuer = "inter";
    b.issuer_key = 1;
    CERT *x = make(&a);
    CERT *y = make(&b);
    CERT *leaf = make(&leaf_spec);
    assert_int_equal(crypto_cert_path(leaf, (struct crypto_cert *[]){x, y}, 2,
                             NULL, 0, NOW, &err),
            ERR_MISMATCH);
    assert_string_equal(err.msg, "certificate chain too long");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(issued_certificate_says_what_was_asked),
            cmocka_unit_test(validity_has_both_ends),
            cmocka_unit_test(certificate_is_exact),
            cmocka_unit_test(any_flipped_bit_breaks_it),
            cmocka_unit_test(two_names_are_no_name),
            cmocka_unit_test(good_path_is_accepted),
            cmocka_unit_test(bad_paths_are_refused),
            cmocka_unit_test(a_root_of_version_1_is_its_owners_trust),
            cmocka_unit_test(a_wrong_hint_is_no_reason),
            cmocka_unit_test(no_root_is_no_path),
            cmocka_unit_test(a_loop_of_certificates_ends),
    };

    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
