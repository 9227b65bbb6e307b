/* SPDX-License-Identifier: Apache-2.0 */
/* Endorsement key certificates made here: a good one, and one change each. */
#include "tcg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#define ERR_STATE OPENSSL_ERR_STATE
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#undef ERR_STATE

#define NOW 1500

static EVP_PKEY *ca, *other, *ek_p256, *ek_p384, *ek_rsa, *ek_rsa3072, *weak;

struct spec {
    const char *subject; /* NULL: empty */
    const char *issuer;
    EVP_PKEY *key, *signer;
    const EVP_MD *md;
    const char *bc, *eku, *ku, *extra;
    const char *san[3]; /* manufacturer, model, version; NULL: left out */
    bool san_critical;
    long from, until;
    int64_t serial;
};

static struct spec good_ek(void)
{
    return (struct spec){.issuer = "TPM CA",
            .key = ek_p256,
            .signer = ca,
            .md = EVP_sha256(),
            .bc = "critical,CA:FALSE",
            .eku = "2.23.133.8.1",
            .ku = "critical,keyAgreement",
            .san = {"id:414D4400", "AMD", "id:00060004"},
            .san_critical = true,
            .from = 1000,
            .until = 2000,
            .serial = 7};
}

static struct spec good_ca(void)
{
    return (struct spec){.subject = "TPM CA",
            .issuer = "TPM CA",
            .key = ca,
            .signer = ca,
            .md = EVP_sha256(),
            .bc = "critical,CA:TRUE",
            .ku = "critical,keyCertSign",
            .from = 1000,
            .until = 2000,
            .serial = 1};
}

static void add_ext(X509 *x, int nid, const char *value)
{
    X509_EXTENSION *e =
            value ? X509V3_EXT_conf_nid(NULL, NULL, nid, value) : NULL;

    if (!value)
        return;
    assert_non_null(e);
    assert_int_equal(X509_add_ext(x, e, -1), 1);
    X509_EXTENSION_free(e);
}

static void add_san(X509 *x, const struct spec *s)
{
    static const char *const oids[] = {
            "2.23.133.2.1", "2.23.133.2.2", "2.23.133.2.3"};
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    GENERAL_NAME *g = GENERAL_NAME_new();
    X509_NAME *n = X509_NAME_new();

    for (size_t i = 0; i < 3; i++) {
        if (s->san[i])
            assert_int_equal(
                    X509_NAME_add_entry_by_txt(n, oids[i], MBSTRING_UTF8,
                            (const unsigned char *)s->san[i], -1, -1, 0),
                    1);
    }
    if (X509_NAME_entry_count(n) > 0) {
        GENERAL_NAME_set0_value(g, GEN_DIRNAME, n);
        assert_true(sk_GENERAL_NAME_push(names, g) > 0);
        assert_int_equal(X509_add1_ext_i2d(x, NID_subject_alt_name, names,
                                 s->san_critical, 0),
                1);
    } else {
        X509_NAME_free(n);
        GENERAL_NAME_free(g);
    }
    GENERAL_NAMES_free(names);
}

static void set_name(X509_NAME *n, const char *cn)
{
    if (cn)
        assert_int_equal(
                X509_NAME_add_entry_by_NID(n, NID_commonName, MBSTRING_UTF8,
                        (const unsigned char *)cn, -1, -1, 0),
                1);
}

static struct crypto_cert *make(const struct spec *s)
{
    X509 *x = X509_new();
    struct crypto_cert *c;
    uint8_t *der = NULL;
    int len;

    assert_int_equal(X509_set_version(x, 2), 1);
    (void)ASN1_INTEGER_set_int64(X509_get_serialNumber(x), s->serial);
    set_name(X509_get_subject_name(x), s->subject);
    set_name(X509_get_issuer_name(x), s->issuer);
    (void)ASN1_TIME_set(X509_getm_notBefore(x), s->from);
    (void)ASN1_TIME_set(X509_getm_notAfter(x), s->until);
    (void)X509_set_pubkey(x, s->key);
    add_ext(x, NID_basic_constraints, s->bc);
    add_ext(x, NID_ext_key_usage, s->eku);
    add_ext(x, NID_key_usage, s->ku);
    add_ext(x, NID_netscape_comment, s->extra);
    add_san(x, s);
    assert_true(X509_sign(x, s->signer, s->md) > 0);
    len = i2d_X509(x, &der);
    c = crypto_cert_from_der(SPAN(der, (size_t)len));
    assert_non_null(c);
    OPENSSL_free(der);
    X509_free(x);
    return c;
}

static int verify(struct spec ek, struct tcg_ek *ret, struct err *err)
{
    struct spec root = good_ca();
    struct crypto_cert *r = make(&root), *e = make(&ek);
    struct crypto_pub *pub = NULL;
    int rc = tcg_ek_verify(
            e, NULL, 0, (struct crypto_cert *[]){r}, 1, NOW, ret, &pub, err);

    assert_int_equal(rc == 0, pub != NULL);
    crypto_pub_free(pub);
    crypto_cert_free(e);
    crypto_cert_free(r);
    return rc;
}

static void expect(struct spec ek, int code, const char *says)
{
    struct tcg_ek got;
    struct err err = {0};
    int rc = verify(ek, &got, &err);

    if (rc != code || (code != 0 && !strstr(err.msg, says)))
        fail_msg("%d (%s) for \"%s\"", rc, err.msg, says);
}

static void test_keys_of_every_kind(void **state)
{
    EVP_PKEY *const keys[] = {ek_p256, ek_p384, ek_rsa, ek_rsa3072};
    struct tcg_ek got;
    struct spec s;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        s = good_ek();
        s.key = keys[i];
        assert_int_equal(verify(s, &got, NULL), 0);
        assert_string_equal(got.manufacturer, "id:414D4400");
        assert_string_equal(got.model, "AMD");
        assert_string_equal(got.version, "id:00060004");
        assert_false(got.has_spec || got.has_assertions);
    }
    s = good_ek();
    s.key = weak;
    expect(s, ERR_UNSUPPORTED, "unknown kind of key");
}

static void test_oddities_of_real_chips(void **state)
{
    struct spec s = good_ek();

    (void)state;
    s.md = EVP_sha1();
    expect(s, 0, "");
    s = good_ek();
    s.san_critical = false;
    s.subject = "an EK with a name";
    expect(s, 0, "");
    s = good_ek();
    s.ku = NULL;
    expect(s, 0, "");
    s = good_ek();
    s.bc = NULL;
    expect(s, 0, "");
    s = good_ek();
    s.serial = 0;
    expect(s, 0, "");
    s.serial = -7;
    expect(s, 0, "");
    s = good_ek();
    s.eku = "critical,2.23.133.8.1,1.3.6.1.5.5.7.3.2";
    expect(s, 0, "");
}

static void test_what_is_no_endorsement_key_certificate(void **state)
{
    struct spec s = good_ek();

    (void)state;
    s.eku = NULL;
    expect(s, ERR_DENIED, "2.23.133.8.1");
    s = good_ek();
    s.eku = "2.23.133.8.3"; /* of an attestation key */
    expect(s, ERR_DENIED, "2.23.133.8.1");
    s = good_ek();
    s.bc = "critical,CA:TRUE";
    s.ku = "critical,keyCertSign";
    expect(s, ERR_DENIED, "authority");
    for (size_t i = 0; i < 3; i++) {
        s = good_ek();
        s.san[i] = NULL;
        expect(s, ERR_DENIED, "missing from the alternative name");
    }
    s = good_ek();
    s.san[0] = s.san[1] = s.san[2] = NULL;
    expect(s, ERR_DENIED, "missing from the alternative name");
    s = good_ek();
    s.san[1] =
            "0123456789012345678901234567890123456789012345678901234567890123"
            "4";
    expect(s, ERR_DENIED, "missing from the alternative name");
}

static void test_time_and_issuer(void **state)
{
    struct spec s = good_ek();

    (void)state;
    s.until = NOW - 1;
    expect(s, ERR_MISMATCH, "not valid at that time");
    s = good_ek();
    s.from = NOW + 1;
    expect(s, ERR_MISMATCH, "not valid at that time");
    s = good_ek();
    s.signer = other; /* the right name, another's key */
    expect(s, ERR_MISMATCH, "trusted root");
    s = good_ek();
    s.issuer = "another CA";
    expect(s, ERR_MISMATCH, "trusted root");
    s = good_ek();
    s.subject = s.issuer = "EK";
    s.signer = ek_p256; /* by itself */
    expect(s, ERR_MISMATCH, "trusted root");
    s = good_ek();
    s.extra = "critical,unknown here";
    expect(s, ERR_MISMATCH, "critical extension");
    s = good_ek();
    s.extra = "unknown here";
    expect(s, 0, "");
}

static void test_a_flipped_bit_of_a_certificate(void **state)
{
    struct spec s = good_ek(), root = good_ca();
    struct crypto_cert *r = make(&root), *e = make(&s);
    uint8_t der[CRYPTO_CERT_MAX];
    size_t len;

    (void)state;
    assert_int_equal(crypto_cert_der(e, der, sizeof(der), &len), 0);
    crypto_cert_free(e);
    for (size_t bit = 0; bit < len * 8; bit += 3) {
        struct crypto_pub *pub = NULL;
        struct tcg_ek got;

        der[bit / 8] ^= (uint8_t)(1u << bit % 8);
        e = crypto_cert_from_der(SPAN(der, len));
        if (e && tcg_ek_verify(e, NULL, 0, (struct crypto_cert *[]){r}, 1, NOW,
                         &got, &pub, NULL) == 0)
            fail_msg("bit %zu is not covered", bit);
        crypto_cert_free(e);
        der[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    crypto_cert_free(r);
}

/* ---- what the maker says --------------------------------------------- */

static void test_attributes(void **state)
{
    static const struct {
        const char *hex;
        bool spec, assertions, upgradable, generation;
        uint64_t value;
    } t[] = {
            /* swtpm: family 2.0, level 0, revision 164 */
            {"3019301706056781050210310e300c0c03322e30020100020200a4", true,
                    false, false, false, 0},
            /* assertions with nothing in them */
            {"300d300b06056781050212310230 00", false, true, false, false, 0},
            /* version 1, upgradable, injected, as the profile has it */
            {"30163014060567810502123 10b3009020101010 1ff800101", false, true,
                    true, true, 1},
            /* the same, tagged explicitly, version left out */
            {"30153013060567810502123 10a30080101ffa0030a0101", false, true,
                    true, true, 1},
            {"300d300b060567810502123102 0500", false, false, false, false, 0},
            {"300d300b0605678105021231023001", false, false, false, false, 0},
            {"3018301606056781050210310d300b0c03322e300201000202 00", false,
                    false, false, false, 0},
            {"3000ff", false, false, false, false, 0},
            {"", false, false, false, false, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        struct tcg_ek ek = {0};
        char hex[200];
        uint8_t der[100];
        size_t n = 0;

        for (const char *p = t[i].hex; *p; p++) {
            if (*p != ' ')
                hex[n++] = *p;
        }
        assert_true(text_parse_hex(SPAN(hex, n / 2 * 2), der, n / 2));
        tcg_ek_attributes(SPAN(der, n / 2), &ek);
        if (ek.has_spec != t[i].spec || ek.has_assertions != t[i].assertions ||
                ek.field_upgradable != t[i].upgradable ||
                ek.has_generation != t[i].generation ||
                ek.generation != t[i].value)
            fail_msg("row %zu: %d %d %d %d", i, ek.has_spec, ek.has_assertions,
                    ek.field_upgradable, ek.has_generation);
        if (t[i].spec) {
            assert_string_equal(ek.family, "2.0");
            assert_int_equal(ek.revision, 164);
        }
    }
}

static int setup(void **state)
{
    (void)state;
    ca = EVP_EC_gen("P-256");
    other = EVP_EC_gen("P-256");
    ek_p256 = EVP_EC_gen("P-256");
    ek_p384 = EVP_EC_gen("P-384");
    ek_rsa = EVP_RSA_gen(2048);
    ek_rsa3072 = EVP_RSA_gen(3072);
    weak = EVP_RSA_gen(1024);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    EVP_PKEY_free(ca);
    EVP_PKEY_free(other);
    EVP_PKEY_free(ek_p256);
    EVP_PKEY_free(ek_p384);
    EVP_PKEY_free(ek_rsa);
    EVP_PKEY_free(ek_rsa3072);
    EVP_PKEY_free(weak);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_keys_of_every_kind),
            cmocka_unit_test(test_oddities_of_real_chips),
            cmocka_unit_test(test_what_is_no_endorsement_key_certificate),
            cmocka_unit_test(test_time_and_issuer),
            cmocka_unit_test(test_a_flipped_bit_of_a_certificate),
            cmocka_unit_test(test_attributes),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
