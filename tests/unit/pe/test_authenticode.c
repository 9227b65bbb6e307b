/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Authenticode: signatures that are made here, field by field, so that each
 * can be made wrong.
 */
/* OpenSSL has an opaque type of this name, and base an error code. */
#define ERR_STATE OPENSSL_ERR_STATE
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#undef ERR_STATE

#include "der.h"
#include "pe.h"
#include "pe_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* ---- DER ------------------------------------------------------------- */

#define BYTES_MAX 16384

struct bytes {
    uint8_t ptr[BYTES_MAX];
    size_t len;
};

static struct span span_of(const struct bytes *b)
{
    return SPAN(b->ptr, b->len);
}

static void put(struct bytes *b, struct span s)
{
    if (s.len > BYTES_MAX - b->len)
        abort();
    if (s.len)
        memcpy(b->ptr + b->len, s.ptr, s.len);
    b->len += s.len;
}

static void put_tag(struct bytes *b, uint8_t tag, struct span content)
{
    struct wire_writer w = wire_writer_of(b->ptr + b->len, BYTES_MAX - b->len);
    struct span head;

    der_put_header(&w, tag, content.len);
    if (!wire_finish(&w, &head))
        abort();
    b->len += head.len;
    put(b, content);
}

static void wrap(struct bytes *b, uint8_t tag)
{
    struct bytes inner = *b;

    b->len = 0;
    put_tag(b, tag, span_of(&inner));
}

static const uint8_t version_1[] = {1};
static const char oid_signed[] = "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02";
static const char oid_indirect[] = "\x2b\x06\x01\x04\x01\x82\x37\x02\x01\x04";
static const char oid_content[] = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x03";
static const char oid_digest[] = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x04";
static const char oid_rsa[] = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";
static const char oid_sha256[] = "\x60\x86\x48\x01\x65\x03\x04\x02\x01";
static const char oid_sha1[] = "\x2b\x0e\x03\x02\x1a";

static void put_alg(struct bytes *b, const char *oid)
{
    struct bytes a = {.len = 0};

    put_tag(&a, DER_OID, span_str(oid));
    put_tag(&a, DER_NULL, SPAN_EMPTY);
    put_tag(b, DER_SEQUENCE, span_of(&a));
}

/* ---- keys and certificates ------------------------------------------- */

enum who { ROOT, MIDDLE, LEAF, STRANGER, KEYS };

static EVP_PKEY *key[KEYS];
static uint8_t cert[KEYS][2048];
static size_t cert_len[KEYS];
static struct bytes name[KEYS], serial[KEYS];

static struct span cert_of(enum who w)
{
    return SPAN(cert[w], cert_len[w]);
}

static void set_name(X509_NAME *n, enum who w)
{
    static const char *const text[] = {"root", "middle", "leaf", "root"};

    X509_NAME_add_entry_by_txt(
            n, "CN", MBSTRING_ASC, (const unsigned char *)text[w], -1, -1, 0);
}

static void make_cert(enum who subject, enum who issuer, bool ca)
{
    X509 *x = X509_new();
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints,
            ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
    unsigned char *p = cert[subject];

    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 7 + (long)subject);
    /* Long ago: firmware has no clock. */
    ASN1_TIME_set_string(X509_getm_notBefore(x), "20100101000000Z");
    ASN1_TIME_set_string(X509_getm_notAfter(x), "20110101000000Z");
    set_name(X509_get_subject_name(x), subject);
    set_name(X509_get_issuer_name(x), issuer);
    X509_set_pubkey(x, key[subject]);
    X509_add_ext(x, e, -1);
    if (!X509_sign(x, key[issuer], EVP_sha256()))
        abort();
    cert_len[subject] = (size_t)i2d_X509(x, &p);
    p = name[subject].ptr;
    name[subject].len = (size_t)i2d_X509_NAME(X509_get_issuer_name(x), &p);
    serial[subject].len = 0;
    put(&serial[subject], SPAN("\x02\x01", 2));
    put(&serial[subject], SPAN(&(uint8_t){(uint8_t)(7 + subject)}, 1));
    X509_EXTENSION_free(e);
    X509_free(x);
}

static int make_keys(void **state)
{
    (void)state;
    for (int i = 0; i < KEYS; i++) {
        key[i] = EVP_RSA_gen(2048);
        if (!key[i])
            return -1;
    }
    make_cert(ROOT, ROOT, true);
    make_cert(MIDDLE, ROOT, true);
    make_cert(LEAF, MIDDLE, false);
    make_cert(STRANGER, STRANGER, true);
    return 0;
}

static int drop_keys(void **state)
{
    (void)state;
    for (int i = 0; i < KEYS; i++)
        EVP_PKEY_free(key[i]);
    return 0;
}

/* ---- a signature ----------------------------------------------------- */

/* What a test changes. */
static struct {
    const char *digest_oid, *content_type;
    bool wrong_digest, wrong_message_digest, wrong_issuer, wrong_serial;
    bool no_content_type, no_message_digest, twice_message_digest;
    bool two_signers, no_certs, many_certs, no_middle, trailing;
    uint8_t version;
    enum who signer;
} knob;

static struct buf image;
static struct pe pe;

static void make_content(struct bytes *content)
{
    struct bytes what = {.len = 0}, info = {.len = 0};
    uint8_t digest[32];

    pe_digest(&pe, CRYPTO_SHA256, digest);
    digest[0] ^= knob.wrong_digest;
    put_tag(&what, DER_OID,
            span_str("\x2b\x06\x01\x04\x01\x82\x37\x02\x01\x0f"));
    put_alg(&info, knob.digest_oid);
    put_tag(&info, DER_OCTET_STRING, SPAN_OF(digest));
    content->len = 0;
    put_tag(content, DER_SEQUENCE, span_of(&what));
    put_tag(content, DER_SEQUENCE, span_of(&info));
}

static void put_attribute(
        struct bytes *b, const char *oid, uint8_t tag, struct span value)
{
    struct bytes a = {.len = 0}, values = {.len = 0};

    put_tag(&a, DER_OID, span_str(oid));
    put_tag(&values, tag, value);
    put_tag(&a, DER_SET, span_of(&values));
    put_tag(b, DER_SEQUENCE, span_of(&a));
}

static void make_attributes(const struct bytes *content, struct bytes *ret)
{
    uint8_t digest[32];

    crypto_sha256(span_of(content), digest);
    digest[0] ^= knob.wrong_message_digest;
    ret->len = 0;
    if (!knob.no_content_type)
        put_attribute(ret, oid_content, DER_OID, span_str(knob.content_type));
    if (!knob.no_message_digest)
        put_attribute(ret, oid_digest, DER_OCTET_STRING, SPAN_OF(digest));
    if (knob.twice_message_digest)
        put_attribute(ret, oid_digest, DER_OCTET_STRING, SPAN_OF(digest));
}

static void sign(const struct bytes *attributes, struct bytes *ret)
{
    struct bytes set = {.len = 0};
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t len = sizeof(ret->ptr);

    put_tag(&set, DER_SET, span_of(attributes));
    if (EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key[knob.signer]) !=
                    1 ||
            EVP_DigestSign(ctx, ret->ptr, &len, set.ptr, set.len) != 1)
        abort();
    ret->len = len;
    EVP_MD_CTX_free(ctx);
}

static void make_signer(const struct bytes *content, struct bytes *ret)
{
    static struct bytes attributes, sig;
    struct bytes id = {.len = 0};

    make_attributes(content, &attributes);
    sign(&attributes, &sig);
    put(&id, span_of(&name[knob.wrong_issuer ? MIDDLE : LEAF]));
    put(&id, span_of(&serial[knob.wrong_serial ? MIDDLE : LEAF]));
    ret->len = 0;
    put_tag(ret, DER_INTEGER, SPAN(&knob.version, 1));
    put_tag(ret, DER_SEQUENCE, span_of(&id));
    put_alg(ret, oid_sha256);
    put_tag(ret, DER_CONTEXT_CONSTRUCTED(0), span_of(&attributes));
    put_alg(ret, oid_rsa);
    put_tag(ret, DER_OCTET_STRING, span_of(&sig));
    wrap(ret, DER_SEQUENCE);
}

static void put_certs(struct bytes *b)
{
    struct bytes certs = {.len = 0};

    if (!knob.no_certs)
        put(&certs, cert_of(LEAF));
    if (!knob.no_middle)
        put(&certs, cert_of(MIDDLE));
    for (unsigned i = 0; knob.many_certs && i < PE_CERTS_MAX; i++)
        put_tag(&certs, DER_SEQUENCE, SPAN_EMPTY);
    put_tag(b, DER_CONTEXT_CONSTRUCTED(0), span_of(&certs));
}

static void make_signature(struct bytes *ret)
{
    static struct bytes content, info, signer, signers, algs;

    make_content(&content);
    make_signer(&content, &signer);
    info.len = signers.len = algs.len = ret->len = 0;
    info = content;
    wrap(&info, DER_SEQUENCE);
    wrap(&info, DER_CONTEXT_CONSTRUCTED(0));
    content = info;
    info.len = 0;
    put_tag(&info, DER_OID, span_str(oid_indirect));
    put(&info, span_of(&content));
    put(&signers, span_of(&signer));
    if (knob.two_signers)
        put(&signers, span_of(&signer));
    put_alg(&algs, oid_sha256);
    put_tag(ret, DER_INTEGER, SPAN_OF(version_1));
    put_tag(ret, DER_SET, span_of(&algs));
    put_tag(ret, DER_SEQUENCE, span_of(&info));
    put_certs(ret);
    put_tag(ret, DER_SET, span_of(&signers));
    wrap(ret, DER_SEQUENCE);
    wrap(ret, DER_CONTEXT_CONSTRUCTED(0));
    info = *ret;
    ret->len = 0;
    put_tag(ret, DER_OID, span_str(oid_signed));
    put(ret, span_of(&info));
    wrap(ret, DER_SEQUENCE);
    if (knob.trailing)
        put(ret, SPAN("\0\0\x01", 3));
}

static int setup(void **state)
{
    static const uint8_t code[] = {0xeb, 0xfe};
    const struct pe_fixture_section s[] = {{".text", SPAN_OF(code)}};

    (void)state;
    memset(&knob, 0, sizeof(knob));
    knob.digest_oid = oid_sha256;
    knob.content_type = oid_indirect;
    knob.version = 1;
    knob.signer = LEAF;
    image = BUF_INIT(PE_FIXTURE_MAX);
    pe_fixture(s, 1, &image);
    return pe_parse(buf_span(&image), &pe, NULL);
}

static int teardown(void **state)
{
    (void)state;
    buf_fini(&image);
    return 0;
}

static struct bytes pkcs7;

static int read_signature(struct pe_signature *ret)
{
    make_signature(&pkcs7);
    return pe_signature(span_of(&pkcs7), ret, NULL);
}

static int verify(enum who anchor)
{
    struct pe_signature s;
    int r = read_signature(&s);

    return r == 0 ? pe_verify(&pe, &s, cert_of(anchor), NULL) : r;
}

/* ---- tests ----------------------------------------------------------- */

static void test_signature_leads_to_each_of_its_issuers(void **state)
{
    (void)state;
    assert_int_equal(verify(LEAF), 0);
    assert_int_equal(verify(MIDDLE), 0);
    assert_int_equal(verify(ROOT), 0);
}

static void test_same_name_with_another_key_is_nobody(void **state)
{
    (void)state;
    assert_int_equal(verify(STRANGER), ERR_MISMATCH);
}

static void test_chain_with_a_gap_does_not_hold(void **state)
{
    (void)state;
    knob.no_middle = true;
    assert_int_equal(verify(ROOT), ERR_MISMATCH);
    assert_int_equal(verify(MIDDLE), 0);
}

static void test_issuer_that_is_no_ca_does_not_hold(void **state)
{
    (void)state;
    make_cert(MIDDLE, ROOT, false);
    assert_int_equal(verify(ROOT), ERR_MISMATCH);
    make_cert(MIDDLE, ROOT, true);
    assert_int_equal(verify(ROOT), 0);
}

static void test_signature_over_another_image_is_refused(void **state)
{
    (void)state;
    knob.wrong_digest = true;
    assert_int_equal(verify(LEAF), ERR_MISMATCH);
}

static void test_signature_of_other_content_is_refused(void **state)
{
    (void)state;
    knob.wrong_message_digest = true;
    assert_int_equal(verify(LEAF), ERR_MISMATCH);
}

static void test_signature_by_another_key_is_refused(void **state)
{
    (void)state;
    knob.signer = STRANGER;
    assert_int_equal(verify(LEAF), ERR_MISMATCH);
}

static void test_signer_that_is_not_there_is_refused(void **state)
{
    (void)state;
    knob.wrong_issuer = true;
    assert_int_equal(verify(LEAF), ERR_NOT_FOUND);
    knob.wrong_issuer = false;
    knob.wrong_serial = true;
    assert_int_equal(verify(LEAF), ERR_NOT_FOUND);
    knob.wrong_serial = false;
    knob.no_certs = true;
    assert_int_equal(verify(LEAF), ERR_NOT_FOUND);
}

static void test_odd_signatures_are_not_read(void **state)
{
    struct pe_signature s;
    bool *const flags[] = {&knob.no_content_type, &knob.no_message_digest,
            &knob.twice_message_digest, &knob.two_signers, &knob.many_certs,
            &knob.trailing};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        *flags[i] = true;
        assert_int_equal(read_signature(&s), ERR_SYNTAX);
        *flags[i] = false;
        assert_int_equal(read_signature(&s), 0);
    }
    knob.digest_oid = oid_sha1;
    assert_int_equal(read_signature(&s), ERR_SYNTAX);
    knob.digest_oid = oid_sha256;
    knob.content_type = oid_signed;
    assert_int_equal(read_signature(&s), ERR_SYNTAX);
    knob.content_type = oid_indirect;
    knob.version = 3;
    assert_int_equal(read_signature(&s), ERR_SYNTAX);
}

static void test_padding_of_the_table_is_no_content(void **state)
{
    struct pe_signature s;

    (void)state;
    make_signature(&pkcs7);
    put(&pkcs7, SPAN("\0\0\0\0\0\0\0", 7));
    assert_int_equal(pe_signature(span_of(&pkcs7), &s, NULL), 0);
    put(&pkcs7, SPAN("\0", 1));
    assert_int_equal(pe_signature(span_of(&pkcs7), &s, NULL), ERR_SYNTAX);
}

static void test_every_cut_signature_is_refused(void **state)
{
    struct pe_signature s;

    (void)state;
    make_signature(&pkcs7);
    for (size_t n = 0; n < pkcs7.len; n++)
        assert_int_equal(
                pe_signature(SPAN(pkcs7.ptr, n), &s, NULL), ERR_SYNTAX);
}

/*
 * No flipped bit of what is signed or signs goes unnoticed.  Bits of the
 * unused certificate's own fields may: the chain does not need all of them.
 */
static void test_every_flipped_bit_is_noticed(void **state)
{
    struct pe_signature s, t;
    size_t from, to, refused = 0;

    (void)state;
    assert_int_equal(read_signature(&s), 0);
    from = (size_t)(s.content.ptr - pkcs7.ptr);
    to = (size_t)(s.sig.ptr + s.sig.len - pkcs7.ptr);
    for (size_t i = from; i < to; i++) {
        bool in_certs = pkcs7.ptr + i >= s.certs.ptr &&
                        pkcs7.ptr + i < s.certs.ptr + s.certs.len;
        bool accepted;

        if (in_certs)
            continue;
        pkcs7.ptr[i] ^= 0x04;
        accepted = pe_signature(span_of(&pkcs7), &t, NULL) == 0 &&
                   pe_verify(&pe, &t, cert_of(LEAF), NULL) == 0;
        if (accepted)
            fail_msg("byte %zu of %zu", i, pkcs7.len);
        refused++;
        pkcs7.ptr[i] ^= 0x04;
    }
    assert_in_range(refused, 300, 2000);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
            T(test_signature_leads_to_each_of_its_issuers),
            T(test_same_name_with_another_key_is_nobody),
            T(test_chain_with_a_gap_does_not_hold),
            T(test_issuer_that_is_no_ca_does_not_hold),
            T(test_signature_over_another_image_is_refused),
            T(test_signature_of_other_content_is_refused),
            T(test_signature_by_another_key_is_refused),
            T(test_signer_that_is_not_there_is_refused),
            T(test_odd_signatures_are_not_read),
            T(test_padding_of_the_table_is_no_content),
            T(test_every_cut_signature_is_refused),
            T(test_every_flipped_bit_is_noticed),
    };

    return cmocka_run_group_tests(tests, make_keys, drop_keys);
}
