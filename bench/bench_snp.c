/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-snp: checks of an SNP report beside the signature verifications that
 * they cannot do without, made straight with libcrypto on the same keys, in the
 * same run.  CPU time; rounds take turns, the median of each figure.  Prints
 * JSON lines.
 */
#define ERR_STATE OPENSSL_ERR_STATE
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#undef ERR_STATE

#include "snp_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS    21
#define OVMF_SIZE (4u << 20)

static struct {
    struct span ark, ask, vcek;
    uint8_t report[SNP_REPORT_SIZE];
    struct snp_trust *trust;
    struct snp_vek *vek;
    EVP_PKEY_CTX *p384, *pss;
    uint8_t digest[48], sig[128], cert_digest[48];
    size_t sig_len;
    const ASN1_BIT_STRING *cert_sig;
    X509 *x;
    uint8_t *ovmf;
} b;

_Noreturn static void die(const char *what)
{
    (void)fprintf(stderr, "bench-snp: %s\n", what);
    exit(1);
}

static double cpu_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* ---- the limit ---------------------------------------------------------- */

static void raw_p384(void)
{
    if (EVP_PKEY_verify(b.p384, b.sig, b.sig_len, b.digest, 48) != 1)
        die("raw P-384");
}

static void raw_pss(void)
{
    if (EVP_PKEY_verify(b.pss, b.cert_sig->data, (size_t)b.cert_sig->length,
                b.cert_digest, 48) != 1)
        die("raw RSA-PSS");
}

static void raw_cold(void)
{
    raw_pss();
    raw_pss();
    raw_pss();
    raw_p384();
}

static void raw_new_chip(void)
{
    raw_pss();
    raw_p384();
}

static void raw_hash(void)
{
    uint8_t d[64];

    crypto_hash(CRYPTO_SHA384, SPAN(b.ovmf, OVMF_SIZE), d);
}

/* ---- ours --------------------------------------------------------------- */

static void check(const struct snp_vek *vek)
{
    struct snp_verdict v;

    snp_verify(SPAN_OF(b.report), vek, SNP_FIXTURE_AT, NULL, &v);
    if (!v.acceptable)
        die("the report is refused");
}

static void cached(void)
{
    check(b.vek);
}

static void with_trust(const struct snp_trust *t)
{
    struct snp_vek *vek = NULL;

    if (snp_vek_new(t, b.vcek, NULL, 0, &vek, NULL) != 0)
        die("the VCEK is refused");
    check(vek);
    snp_vek_free(vek);
}

static void new_chip(void)
{
    with_trust(b.trust);
}

static void cold(void)
{
    struct snp_trust *t = snp_trust_new();

    if (!t || snp_trust_add(t, b.ark, NULL) || snp_trust_add(t, b.ask, NULL))
        die("a CA is refused");
    with_trust(t);
    snp_trust_free(t);
}

static void launch(void)
{
    uint8_t d[SNP_DIGEST];

    if (snp_launch_ovmf(SPAN(b.ovmf, OVMF_SIZE), d, NULL) != 0)
        die("no launch digest");
}

/* ---- runs --------------------------------------------------------------- */

static int by_value(const void *a, const void *c)
{
    double x = *(const double *)a, y = *(const double *)c;

    return (x > y) - (x < y);
}

static double time_of(void (*f)(void), int n)
{
    double at = cpu_us();

    for (int i = 0; i < n; i++)
        f();
    return (cpu_us() - at) / n;
}

static void figure(
        const char *name, void (*ours)(void), void (*raw)(void), int n)
{
    double a[ROUNDS], r[ROUNDS];

    (void)time_of(ours, n);
    (void)time_of(raw, n);
    for (int i = 0; i < ROUNDS; i++) {
        a[i] = time_of(ours, n);
        r[i] = time_of(raw, n);
    }
    qsort(a, ROUNDS, sizeof(*a), by_value);
    qsort(r, ROUNDS, sizeof(*r), by_value);
    (void)printf("{\"name\":\"%s\",\"value\":%.3f,\"unit\":\"us\","
                 "\"reference\":%.3f,\"ratio\":%.2f}\n",
            name, a[ROUNDS / 2], r[ROUNDS / 2], a[ROUNDS / 2] / r[ROUNDS / 2]);
}

static void set_up_raw(void)
{
    const uint8_t *p = b.vcek.ptr, *q = b.ark.ptr;
    uint8_t rs[96], *tbs = NULL;
    X509 *ark = d2i_X509(NULL, &q, (long)b.ark.len);
    const X509_ALGOR *alg;
    int n;

    b.x = d2i_X509(NULL, &p, (long)b.vcek.len);
    if (!b.x || !ark)
        die("certificates");
    X509_get0_signature(&b.cert_sig, &alg, b.x);
    n = i2d_re_X509_tbs(b.x, &tbs);
    crypto_hash(CRYPTO_SHA384, SPAN(tbs, (size_t)n), b.cert_digest);
    OPENSSL_free(tbs);
    b.pss = EVP_PKEY_CTX_new(X509_get0_pubkey(ark), NULL);
    b.p384 = EVP_PKEY_CTX_new(X509_get0_pubkey(b.x), NULL);
    if (EVP_PKEY_verify_init(b.pss) != 1 || EVP_PKEY_verify_init(b.p384) != 1 ||
            EVP_PKEY_CTX_set_rsa_padding(b.pss, RSA_PKCS1_PSS_PADDING) != 1 ||
            EVP_PKEY_CTX_set_signature_md(b.pss, EVP_sha384()) != 1 ||
            EVP_PKEY_CTX_set_rsa_pss_saltlen(b.pss, 48) != 1)
        die("raw contexts");
    X509_free(ark);
    crypto_hash(CRYPTO_SHA384, SPAN(b.report, SNP_REPORT_SIGNED), b.digest);
    for (size_t i = 0; i < 48; i++) {
        rs[i] = b.report[SNP_REPORT_SIGNED + 47 - i];
        rs[48 + i] = b.report[SNP_REPORT_SIGNED + 72 + 47 - i];
    }
    if (crypto_ecdsa_to_der(SPAN_OF(rs), b.sig, sizeof(b.sig), &b.sig_len))
        die("signature");
}

int main(void)
{
    struct snp_fixture_cert ark = snp_fixture_ark(), ask = snp_fixture_ask();
    struct snp_fixture_cert vcek = snp_fixture_vcek();

    snp_fixture_init();
    b.ark = snp_fixture_make(&ark);
    b.ask = snp_fixture_make(&ask);
    b.vcek = snp_fixture_make(&vcek);
    b.trust = snp_fixture_trust();
    b.ovmf = calloc(1, OVMF_SIZE);
    snp_fixture_report(b.report);
    snp_fixture_sign(b.report, SNP_FIXTURE_VEK);
    if (!b.ovmf || snp_vek_new(b.trust, b.vcek, NULL, 0, &b.vek, NULL) != 0)
        die("the VCEK is refused");
    set_up_raw();
    figure("SNP report, chain cached (beside: P-384)", cached, raw_p384, 20);
    figure("SNP report, new chip (beside: PSS, P-384)", new_chip, raw_new_chip,
            20);
    figure("SNP report, cold (beside: 3 PSS, P-384)", cold, raw_cold, 20);
    figure("launch digest of 4 MiB (beside: SHA-384)", launch, raw_hash, 2);
    EVP_PKEY_CTX_free(b.pss);
    EVP_PKEY_CTX_free(b.p384);
    X509_free(b.x);
    free(b.ovmf);
    snp_vek_free(b.vek);
    snp_trust_free(b.trust);
    snp_fixture_fini();
    return 0;
}
