/* SPDX-License-Identifier: Apache-2.0 */
/*
 * COSE_Sign1 messages of others.  The data has licences of its own and is kept
 * outside: argv[1]/attestation/cose, else exit 77.  The key is the published
 * one of the COSE working group's examples (kid "11").
 */
#include "cose_fixture.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

static char root[PATH_MAX];

#define KEY_X "bac5b11cad8f99f9c72b05cf4b9e26d244dc189f745228255a219a86d6a09eff"
#define KEY_Y "20138bf82dc1b6d562be0fa54ab7804a3a64b6d72ccfed6b6fb6ed28bbfc117e"

static struct span load(const char *name)
{
    static struct buf b[4];
    static size_t next;
    struct buf *into = &b[next++ % ARRAY_LEN(b)];
    char path[2 * PATH_MAX];

    (void)snprintf(path, sizeof(path), "%s/attestation/cose/%s", root, name);
    buf_fini(into);
    *into = BUF_INIT(65536);
    assert_int_equal(buf_load(into, AT_FDCWD, path, NULL), 0);
    return buf_span(into);
}

static struct crypto_pub *example_key(void)
{
    uint8_t x[32], y[32];
    struct crypto_pub *k;

    assert_true(text_parse_hex(span_str(KEY_X), x, 32));
    assert_true(text_parse_hex(span_str(KEY_Y), y, 32));
    k = crypto_pub_ec(CRYPTO_P256, SPAN_OF(x), SPAN_OF(y));
    assert_non_null(k);
    return k;
}

static void assert_tbs(
        const struct cose_sign1 *m, struct span aad, const char *file)
{
    struct buf tbs = BUF_INIT(4096);

    assert_int_equal(cose_sign1_to_be_signed(
                             m->protected_header, aad, m->payload, &tbs, NULL),
            0);
    assert_true(span_eq(buf_span(&tbs), load(file)));
    buf_fini(&tbs);
}

/* An empty protected header sent as a0 and signed as nothing. */
static void test_algorithm_outside_of_the_protected_header(void **state)
{
    const struct cose_options strict = {0}, old = {.alg_unprotected = true};
    struct crypto_pub *k = example_key();
    struct cose_sign1 m;

    (void)state;
    assert_int_equal(
            cose_sign1_parse(load("sign-pass-01.sig"), &strict, &m, NULL),
            ERR_SYNTAX);
    assert_int_equal(
            cose_sign1_parse(load("sign-pass-01.sig"), &old, &m, NULL), 0);
    assert_true(span_eq_str(m.kid, "11"));
    assert_true(span_eq_str(m.payload, "This is the content."));
    assert_tbs(&m, SPAN_EMPTY, "cose-pass-01-toBeSigned.bin");
    assert_int_equal(cose_sign1_verify(&m, k, SPAN_EMPTY, NULL, NULL), 0);
    assert_int_equal(cose_sign1_verify(&m, cose_fixture_pub(FIXTURE_P256),
                             SPAN_EMPTY, NULL, NULL),
            ERR_MISMATCH);
    crypto_pub_free(k);
}

static void test_message_without_its_tag(void **state)
{
    static const uint8_t external[] = {0x11, 0xaa, 0x22, 0xbb, 0x33, 0xcc, 0x44,
            0xdd, 0x55, 0x00, 0x66, 0x99};
    const struct cose_options strict = {0}, untagged = {.untagged = true};
    struct crypto_pub *k = example_key();
    struct cose_sign1 m;

    (void)state;
    assert_int_equal(
            cose_sign1_parse(load("sign-pass-03.cose"), &strict, &m, NULL),
            ERR_SYNTAX);
    assert_int_equal(
            cose_sign1_parse(load("sign-pass-03.cose"), &untagged, &m, NULL),
            0);
    assert_int_equal(m.alg, COSE_ES256);
    assert_int_equal(cose_sign1_verify(&m, k, SPAN_EMPTY, NULL, NULL), 0);
    assert_int_equal(cose_sign1_verify(&m, k, SPAN_OF(external), NULL, NULL),
            ERR_MISMATCH);
    /* the same headers and payload with external data: example 02 */
    assert_tbs(&m, SPAN_OF(external), "cose-pass-02-toBeSigned.bin");
    crypto_pub_free(k);
}

/* Its header says ES256 and its signature has the size of RSA-3072. */
static void test_rsa_signature_that_calls_itself_es256(void **state)
{
    const struct cose_options strict = {0};
    struct crypto_pub *k = example_key();
    struct cose_sign1 m;

    (void)state;
    assert_int_equal(cose_sign1_parse(load("sign_pass_rsa_3072_sha384.cose"),
                             &strict, &m, NULL),
            0);
    assert_int_equal(m.alg, COSE_ES256);
    assert_int_equal(m.signature.len, 384);
    assert_true(span_eq_str(
            m.content_type, "application/cose; cose-type=\"cose-sign1\""));
    assert_tbs(&m, SPAN_EMPTY, "cose-pass-03-toBeSigned.bin");
    assert_int_equal(
            cose_sign1_verify(&m, k, SPAN_EMPTY, NULL, NULL), ERR_MISMATCH);
    assert_int_equal(cose_sign1_verify(&m, cose_fixture_pub(FIXTURE_RSA),
                             SPAN_EMPTY, NULL, NULL),
            ERR_MISMATCH);
    crypto_pub_free(k);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_algorithm_outside_of_the_protected_header),
            cmocka_unit_test(test_message_without_its_tag),
            cmocka_unit_test(test_rsa_signature_that_calls_itself_es256),
    };
    const char *env = getenv("QAIR_SHARED");
    char probe[PATH_MAX + 32];

    (void)snprintf(
            root, sizeof(root), "%s", env ? env : (argc > 1 ? argv[1] : "."));
    (void)snprintf(probe, sizeof(probe), "%s/attestation/cose", root);
    if (access(probe, R_OK) != 0)
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
