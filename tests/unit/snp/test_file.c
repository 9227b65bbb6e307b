/* SPDX-License-Identifier: Apache-2.0 */
/* Files by their content, the host's table as a source, the cache. */
#include "snp_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define TRUST CLEANUP(snp_trust_free_ptr) struct snp_trust
#define VEK   CLEANUP(snp_vek_free_ptr) struct snp_vek

static int setup(void **state)
{
    (void)state;
    snp_fixture_init();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    snp_fixture_fini();
    return 0;
}

static void files_are_told_by_their_content(void **state)
{
    struct snp_fixture_cert vcek = snp_fixture_vcek();
    struct snp_fixture_cert ask = snp_fixture_ask();
    struct snp_fixture_crl crl = {.signer = SNP_FIXTURE_AMD,
            .issuer = "ARK-Milan",
            .this_update = SNP_FIXTURE_FROM,
            .next_update = SNP_FIXTURE_AT};
    struct span v = snp_fixture_make(&vcek), a = snp_fixture_make(&ask);
    uint8_t report[SNP_REPORT_SIZE], hcl[8] = "HCLA";

    (void)state;
    snp_fixture_report(report);
    assert_int_equal(snp_file_of(SPAN_OF(report)), SNP_FILE_REPORT);
    assert_int_equal(snp_file_of(v), SNP_FILE_VEK);
    assert_int_equal(snp_file_of(snp_fixture_pem(v)), SNP_FILE_VEK);
    assert_int_equal(snp_file_of(a), SNP_FILE_CA);
    assert_int_equal(snp_file_of(snp_fixture_pem(a)), SNP_FILE_CA);
    assert_int_equal(snp_file_of(snp_fixture_make_crl(&crl)), SNP_FILE_CRL);
    assert_int_equal(snp_file_of(SPAN_OF(hcl)), SNP_FILE_HCL);
    report[0] = 9;
    assert_int_equal(snp_file_of(SPAN_OF(report)), SNP_FILE_UNKNOWN);
    assert_int_equal(snp_file_of(SPAN_EMPTY), SNP_FILE_UNKNOWN);
    assert_int_equal(snp_file_of(span_str("Not found")), SNP_FILE_UNKNOWN);
    assert_int_equal(snp_file_of(SPAN(v.ptr, 100)), SNP_FILE_UNKNOWN);
    memset(report, 0, 24);
    assert_int_equal(snp_file_of(SPAN(report, 24)), SNP_FILE_UNKNOWN);
}

/* ---- a host's table ------------------------------------------------------ */

static const uint8_t guids[][16] = {
        {0x8d, 0x75, 0xda, 0x63, 0x64, 0xe6, 0x64, 0x45, 0xad, 0xc5, 0xf4, 0xb9,
                0x3b, 0xe8, 0xac, 0xcd},
        {0x79, 0xb3, 0xb7, 0x4a, 0xac, 0xbb, 0xe4, 0x4f, 0xa0, 0x2f, 0x05, 0xae,
                0xf3, 0x27, 0xc7, 0x82},
};

static struct span make_table(const struct span *certs, uint8_t *buf)
{
    size_t at = 3 * 24;

    memset(buf, 0, at);
    for (size_t i = 0; i < 2; i++) {
        uint8_t *e = buf + i * 24;

        memcpy(e, guids[i], 16);
        for (size_t b = 0; b < 4; b++) {
            e[16 + b] = (uint8_t)(at >> (8 * b));
            e[20 + b] = (uint8_t)(certs[i].len >> (8 * b));
        }
        memcpy(buf + at, certs[i].ptr, certs[i].len);
        at += certs[i].len;
    }
    return SPAN(buf, at);
}

static void a_hosts_table_vouches_for_the_key_that_is_named(void **state)
{
    struct snp_fixture_cert ark = snp_fixture_ark(), ask = snp_fixture_ask();
    struct snp_fixture_cert vcek = snp_fixture_vcek();
    struct span certs[] = {snp_fixture_make(&vcek), snp_fixture_make(&ask)};
    uint8_t buf[8192], b[SNP_REPORT_SIZE];
    struct span bytes = make_table(certs, buf);
    TRUST *t = snp_trust_new();
    struct snp_vek *none = NULL, *made = NULL;
    struct snp_table table;
    struct snp_verdict v;

    (void)state;
    assert_int_equal(snp_trust_add(t, snp_fixture_make(&ark), NULL), 0);
    assert_int_equal(snp_table_parse(bytes, &table, NULL), 0);
    assert_int_equal(snp_file_of(bytes), SNP_FILE_TABLE);
    snp_fixture_report(b);
    snp_fixture_sign(b, SNP_FIXTURE_VEK);
    snp_verify(SPAN_OF(b), NULL, SNP_FIXTURE_AT, NULL, &v);
    assert_int_equal(snp_vek_of_table(t, &table, &v.report, &made, NULL), 0);
    VEK *vek = made;
    snp_verify(SPAN_OF(b), vek, SNP_FIXTURE_AT, NULL, &v);
    assert_true(v.acceptable);
    v.report.signing_key = SNP_KEY_VLEK;
    assert_int_equal(
            snp_vek_of_table(t, &table, &v.report, &none, NULL), ERR_NOT_FOUND);
    assert_null(none);
}

/* ---- the cache ----------------------------------------------------------- */

static void the_cache_keeps_what_holds_and_the_newest(void **state)
{
    TRUST *t = snp_fixture_trust();
    struct snp_cache *c = snp_cache_new(t, 2);
    const struct snp_vek *got, *first;
    struct snp_fixture_cert cert = snp_fixture_vcek();
    struct span veks[4];

    (void)state;
    assert_non_null(c);
    for (uint32_t i = 0; i < 4; i++) {
        cert.serial = 10 + i;
        cert.signer = i == 3 ? SNP_FIXTURE_EVIL : SNP_FIXTURE_AMD;
        veks[i] = snp_fixture_make(&cert);
    }
    assert_int_equal(snp_cache_get(c, veks[0], NULL, 0, &first, NULL), 0);
    assert_int_equal(snp_cache_get(c, veks[1], NULL, 0, &got, NULL), 0);
    assert_int_equal(snp_cache_get(c, veks[0], NULL, 0, &got, NULL), 0);
    assert_ptr_equal(got, first);
    assert_int_equal(snp_cache_stats(c).hits, 1);
    assert_int_equal(snp_cache_stats(c).kept, 2);
    /* A third pushes the second out, which was used longest ago. */
    assert_int_equal(snp_cache_get(c, veks[2], NULL, 0, &got, NULL), 0);
    assert_int_equal(snp_cache_get(c, veks[0], NULL, 0, &got, NULL), 0);
    assert_ptr_equal(got, first);
    assert_int_equal(snp_cache_get(c, veks[1], NULL, 0, &got, NULL), 0);
    assert_int_equal(snp_cache_stats(c).hits, 2);
    /* One that does not hold is given, and not kept. */
    for (int i = 0; i < 3; i++) {
        assert_int_equal(snp_cache_get(c, veks[3], NULL, 0, &got, NULL), 0);
        assert_false(snp_vek_info(got)->chain);
    }
    assert_int_equal(snp_cache_stats(c).hits, 2);
    assert_int_not_equal(
            snp_cache_get(c, span_str("rubbish"), NULL, 0, &got, NULL), 0);
    assert_int_equal(snp_cache_get(c, veks[0], NULL, 0, &got, NULL), 0);
    assert_int_equal(snp_cache_stats(c).hits, 3);
    snp_cache_clear(c);
    assert_int_equal(snp_cache_stats(c).kept, 0);
    assert_int_equal(snp_cache_get(c, veks[0], NULL, 0, &got, NULL), 0);
    assert_int_equal(snp_cache_stats(c).hits, 3);
    snp_cache_free(c);
    assert_null(snp_cache_new(t, 0));
    assert_null(snp_cache_new(t, SNP_CACHE_MAX + 1));
}

static void many_in_one_bucket_are_found_again(void **state)
{
    TRUST *t = snp_fixture_trust();
    struct snp_cache *c = snp_cache_new(t, 5);
    struct snp_fixture_cert cert = snp_fixture_vcek();
    const struct snp_vek *got;
    struct span veks[12];

    (void)state;
    for (uint32_t i = 0; i < 12; i++) {
        cert.serial = i;
        veks[i] = snp_fixture_make(&cert);
        assert_int_equal(snp_cache_get(c, veks[i], NULL, 0, &got, NULL), 0);
    }
    for (size_t i = 7; i < 12; i++)
        assert_int_equal(snp_cache_get(c, veks[i], NULL, 0, &got, NULL), 0);
    assert_int_equal(snp_cache_stats(c).hits, 5);
    assert_int_equal(snp_cache_stats(c).misses, 12);
    snp_cache_free(c);
}

static void the_url_names_chip_and_tcb(void **state)
{
    uint8_t b[SNP_REPORT_SIZE];
    char url[SNP_KDS_URL_MAX];
    struct snp_report r;

    (void)state;
    snp_fixture_report_turin(b);
    assert_int_equal(snp_report_parse(SPAN_OF(b), &r, NULL), 0);
    assert_int_equal(snp_kds_url(&r, SNP_TURIN, url, NULL), 0);
    assert_string_equal(url,
            "https://kdsintf.amd.com/vcek/v1/Turin/515e36128c47419d?fmcSPL=01&"
            "blSPL=02&teeSPL=01&snpSPL=04&ucodeSPL=72");
    snp_fixture_report(b);
    assert_int_equal(snp_report_parse(SPAN_OF(b), &r, NULL), 0);
    assert_int_equal(snp_kds_url(&r, SNP_MILAN, url, NULL), 0);
    assert_non_null(strstr(url, "/Milan/b4a1d7179427"));
    assert_non_null(strstr(url, "?blSPL=04&teeSPL=00&snpSPL=24&ucodeSPL=219"));
    assert_int_equal(
            snp_kds_url(&r, SNP_PRODUCT_UNKNOWN, url, NULL), ERR_UNSUPPORTED);
    memset(b + 0x1a0, 0, SNP_CHIP_ID);
    assert_int_equal(snp_kds_url(&r, SNP_MILAN, url, NULL), ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(files_are_told_by_their_content),
            cmocka_unit_test(a_hosts_table_vouches_for_the_key_that_is_named),
            cmocka_unit_test(the_cache_keeps_what_holds_and_the_newest),
            cmocka_unit_test(many_in_one_bucket_are_found_again),
            cmocka_unit_test(the_url_names_chip_and_tcb),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
