/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates of real TPMs and of published test sets; args: FOLDER. */
#include "crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define CERT CLEANUP(crypto_cert_free_ptr) struct crypto_cert
#define PUB  CLEANUP(crypto_pub_free_ptr) struct crypto_pub

static const char *shared;

static struct crypto_cert *load(const char *folder, const char *name)
{
    char file[512];
    static uint8_t bytes[8192];
    struct span text;
    size_t n;
    FILE *f;

    (void)snprintf(file, sizeof(file), "%s/attestation/ekcert/%s/%s", shared,
            folder, name);
    f = fopen(file, "rb");
    if (!f)
        return NULL;
    n = fread(bytes, 1, sizeof(bytes), f);
    (void)fclose(f);
    text = SPAN(bytes, n);
    return strstr(name, ".pem") ? crypto_cert_from_pem(&text)
                                : crypto_cert_from_der(text);
}

/* SPKI algorithm rsaesOaep, empty subject, critical SAN, SHA-1 below. */
static void real_st_chip_chains_to_its_root(void **state)
{
    CERT *ek = load("st33-real", "ek.der");
    CERT *int1 = load("st33-real", "int1.der");
    CERT *int2 = load("st33-real", "int2.der");
    CERT *root = load("st33-real", "root.der");
    char text[64];
    struct err err = {0};

    (void)state;
    assert_true(ek && int1 && int2 && root);
    struct crypto_cert *inters[] = {int1, int2}, *roots[] = {root};
    PUB *k = crypto_cert_pub(ek);
    assert_non_null(k);
    assert_int_equal(crypto_pub_type(k), CRYPTO_RSA);
    assert_int_equal(crypto_pub_bits(k), 2048);
    assert_int_equal(crypto_cert_cn(ek, text, sizeof(text)), ERR_NOT_FOUND);
    assert_true(crypto_cert_has_eku(ek, "2.23.133.8.1"));
    assert_int_equal(
            crypto_cert_tpm_san(ek, "2.23.133.2.1", text, sizeof(text)), 0);
    assert_string_equal(text, "id:53544D20");
    assert_int_equal(
            crypto_cert_tpm_san(ek, "2.23.133.2.2", text, sizeof(text)), 0);
    assert_string_equal(text, "ST33ZP24PVSP");
    assert_int_equal(
            crypto_cert_tpm_san(ek, "2.23.133.2.9", text, 64), ERR_NOT_FOUND);
    /* 2017-07-14, and after it expired in 2024 */
    assert_int_equal(
            crypto_cert_path(ek, inters, 2, roots, 1, 1500000000, &err), 0);
    assert_int_equal(
            crypto_cert_path(ek, inters, 2, roots, 1, 1767225600, &err),
            ERR_MISMATCH);
    assert_int_equal(
            crypto_cert_path(ek, inters, 1, roots, 1, 1500000000, &err),
            ERR_MISMATCH);
}

static void published_verdicts_hold(void **state)
{
    static const struct {
        const char *folder, *inter, *root;
        uint64_t time;
        bool good;
    } cases[] = {
            {"synth-good", "int.der", "root.der", 1767225600, true},
            {"synth-no-eku", "int.der", "root.der", 1767225600, true},
            {"synth-expired", "int.der", "root.der", 1767225600, false},
            {"synth-issued-by-root-leaf", "int.der", "root.der", 1767225600,
                    false},
            {"synth-self-signed", "int.der", "root.der", 1767225600, false},
            {"swtpm-rsa2048", "int.pem", "root.pem", 1800000000, true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CERT *ek = load(cases[i].folder, "ek.der");
        CERT *inter = load(cases[i].folder, cases[i].inter);
        CERT *root = load(cases[i].folder, cases[i].root);
        struct crypto_cert *inters[] = {inter}, *roots[] = {root};
        struct err err = {0};

        assert_true(ek && inter && root);
        print_message("%s\n", cases[i].folder);
        assert_int_equal(crypto_cert_path(ek, inters, 1, roots, 1,
                                 cases[i].time, &err) == 0,
                cases[i].good);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(real_st_chip_chains_to_its_root),
            cmocka_unit_test(published_verdicts_hold),
    };

    if (argc != 2 || access(argv[1], R_OK) != 0) {
        (void)printf("skipped: the shared vectors are not here\n");
        return 77;
    }
    shared = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
