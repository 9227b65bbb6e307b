/* SPDX-License-Identifier: Apache-2.0 */
/* Reports and certificates of real machines; args: FOLDER. */
#include "buf.h"
#include "snp.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define VEK   CLEANUP(snp_vek_free_ptr) struct snp_vek
#define TRUST CLEANUP(snp_trust_free_ptr) struct snp_trust
#define AT    1756684800 /* 2025-09-01 */

static const char *shared;

/* Memory that lives as long as the test. */
static struct span load(const char *name)
{
    static struct buf kept[160];
    static size_t n;
    char path[4096];

    assert_true(n < ARRAY_LEN(kept));
    (void)snprintf(path, sizeof(path), "%s/attestation/%s", shared, name);
    kept[n] = BUF_INIT(1u << 20);
    assert_int_equal(buf_load(&kept[n], AT_FDCWD, path, NULL), 0);
    return buf_span(&kept[n++]);
}

static struct snp_trust *amd(void)
{
    static const char *const names[] = {"SEV-Milan", "SEV-Genoa", "SEV-Turin",
            "ARK-Milan", "ARK-Genoa", "ARK-Turin", "SEV-VLEK-Milan",
            "SEV-VLEK-Genoa", "SEV-VLEK-Turin"};
    struct snp_trust *t = snp_trust_new();
    char path[64];

    assert_non_null(t);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        (void)snprintf(path, sizeof(path), "snp/roots/%s.der", names[i]);
        assert_int_equal(snp_trust_add(t, load(path), NULL), 0);
    }
    return t;
}

static struct snp_vek *vek_of(const struct snp_trust *t, const char *name)
{
    struct snp_vek *v = NULL;

    assert_int_equal(snp_vek_new(t, load(name), NULL, 0, &v, NULL), 0);
    return v;
}

static void any_flipped_bit_of_a_real_report_is_refused(void **state)
{
    TRUST *t = amd();
    VEK *vek = vek_of(t, "snp/milan-v3-a/vek.der");
    struct span real = load("snp/milan-v3-a/report.bin");
    uint8_t bytes[SNP_REPORT_SIZE];
    struct snp_verdict v;

    (void)state;
    snp_verify(real, vek, AT, NULL, &v);
    assert_true(v.authentic && v.acceptable && v.reasons == 0);
    assert_int_equal(v.product, SNP_MILAN);
    memcpy(bytes, real.ptr, sizeof(bytes));
    for (size_t bit = 0; bit < SNP_REPORT_SIZE * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        snp_verify(SPAN_OF(bytes), vek, AT, NULL, &v);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (v.authentic || v.acceptable)
            fail_msg("bit %zu of byte %zx", bit % 8, bit / 8);
        /* What is signed fails as such, whatever else it is. */
        if (bit < SNP_REPORT_SIGNED * 8 &&
                !(v.reasons & SNP_REASON(SNP_R_SIGNATURE)))
            fail_msg("byte %zx is not signed", bit / 8);
    }
}

static void any_flipped_bit_of_a_real_vcek_breaks_its_chain(void **state)
{
    TRUST *t = amd();
    struct span real = load("snp/milan-v3-a/vek.der");
    uint8_t bytes[SNP_CERT_MAX];

    (void)state;
    memcpy(bytes, real.ptr, real.len);
    for (size_t bit = 0; bit < real.len * 8; bit++) {
        struct snp_vek *v = NULL;

        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (snp_vek_new(t, SPAN(bytes, real.len), NULL, 0, &v, NULL) == 0 &&
                snp_vek_info(v)->chain)
            fail_msg("bit %zu of byte %zx", bit % 8, bit / 8);
        snp_vek_free(v);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t len = 0; len < real.len; len++) {
        struct snp_vek *v = NULL;

        assert_int_not_equal(
                snp_vek_new(t, SPAN(bytes, len), NULL, 0, &v, NULL), 0);
        assert_null(v);
    }
}

static void every_amd_root_stands_for_its_own_product(void **state)
{
    static const struct {
        const char *vek;
        enum snp_product product;
    } veks[] = {{"snp/milan-v3-a/vek.der", SNP_MILAN},
            {"snp/genoa-v5/vek.der", SNP_GENOA},
            {"snp/certs/vcek_turin.der", SNP_TURIN}};
    TRUST *t = amd();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(veks); i++) {
        VEK *v = vek_of(t, veks[i].vek);

        assert_true(snp_vek_info(v)->chain);
        assert_int_equal(snp_vek_info(v)->product, veks[i].product);
        assert_int_equal(snp_vek_info(v)->root_product, veks[i].product);
    }
    VEK *turin = vek_of(t, "snp/certs/vcek_turin.der");
    assert_int_equal(snp_vek_info(turin)->hwid.len, SNP_CHIP_ID_TURIN);
}

static void certificates_of_another_chip_and_line_do_not_help(void **state)
{
    static const struct {
        const char *report, *vek;
        uint64_t reasons;
    } cases[] = {
            {"snp/milan-v3-a/report.bin", "snp/azure-v0/vek.der",
                    SNP_REASON(SNP_R_SIGNATURE) |
                            SNP_REASON(SNP_R_HWID_MISMATCH)},
            {"snp/milan-v3-a/report.bin", "snp/genoa-v5/vek.der",
                    SNP_REASON(SNP_R_SIGNATURE) |
                            SNP_REASON(SNP_R_PRODUCT_MISMATCH) |
                            SNP_REASON(SNP_R_TCB_MISMATCH) |
                            SNP_REASON(SNP_R_HWID_MISMATCH)},
            {"snp/genoa-v5/report.bin", "snp/certs/vcek_turin.der",
                    SNP_REASON(SNP_R_SIGNATURE) |
                            SNP_REASON(SNP_R_PRODUCT_MISMATCH) |
                            SNP_REASON(SNP_R_TCB_MISMATCH) |
                            SNP_REASON(SNP_R_HWID_MISMATCH)},
            {"snp/milan-v3-a/report.bin", "snp/milan-v3-vlek-masked/vek.der",
                    SNP_REASON(SNP_R_SIGNATURE) | SNP_REASON(SNP_R_KEY_KIND) |
                            SNP_REASON(SNP_R_TCB_MISMATCH)},
    };
    TRUST *t = amd();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        VEK *vek = vek_of(t, cases[i].vek);
        struct snp_verdict v;

        snp_verify(load(cases[i].report), vek, AT, NULL, &v);
        assert_false(v.authentic);
        if (v.reasons != cases[i].reasons)
            fail_msg("case %zu: %llx", i, (unsigned long long)v.reasons);
    }
}

static void amds_arks_are_known_by_their_digests(void **state)
{
    static const struct {
        const char *vek, *ca, *ark;
    } lines[] = {{"milan-v3-a/vek.der", "SEV-Milan", "ARK-Milan"},
            {"milan-v3-vlek-masked/vek.der", "SEV-VLEK-Milan", "ARK-Milan"},
            {"genoa-v5/vek.der", "SEV-Genoa", "ARK-Genoa"},
            {"certs/vcek_turin.der", "SEV-Turin", "ARK-Turin"}};
    TRUST *t = snp_trust_new_amd(), *none = snp_trust_new();
    uint8_t ark[SNP_CERT_MAX];
    struct span cas[2];
    char path[96];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        struct snp_vek *v = NULL;

        (void)snprintf(path, sizeof(path), "snp/roots/%s.der", lines[i].ca);
        cas[0] = load(path);
        (void)snprintf(path, sizeof(path), "snp/roots/%s.der", lines[i].ark);
        cas[1] = load(path);
        (void)snprintf(path, sizeof(path), "snp/%s", lines[i].vek);
        assert_int_equal(snp_vek_new(t, load(path), cas, 2, &v, NULL), 0);
        assert_true(snp_vek_info(v)->chain);
        assert_int_equal(
                snp_vek_info(v)->root_product, snp_vek_info(v)->product);
        snp_vek_free(v);
        /* Without the ARK, and where no digest is known. */
        assert_int_equal(snp_vek_new(t, load(path), cas, 1, &v, NULL), 0);
        assert_false(snp_vek_info(v)->chain);
        snp_vek_free(v);
        assert_int_equal(snp_vek_new(none, load(path), cas, 2, &v, NULL), 0);
        assert_false(snp_vek_info(v)->chain);
        snp_vek_free(v);
        /* A bit of its signature is another certificate. */
        memcpy(ark, cas[1].ptr, cas[1].len);
        ark[cas[1].len - 1] ^= 1;
        cas[1].ptr = ark;
        assert_int_equal(snp_vek_new(t, load(path), cas, 2, &v, NULL), 0);
        assert_false(snp_vek_info(v)->chain);
        snp_vek_free(v);
    }
}

static void without_a_certificate_nothing_is_authentic(void **state)
{
    struct snp_verdict v;

    (void)state;
    snp_verify(load("snp/milan-v3-a/report.bin"), NULL, AT, NULL, &v);
    assert_int_equal(v.reasons, SNP_REASON(SNP_R_CERTIFICATE));
    assert_false(v.authentic || v.acceptable);
}

static void azure_blob_is_bound_to_its_json(void **state)
{
    struct span real = load("snp/azure-hclreport-milan-v2/hcl-report.bin");
    uint8_t bytes[8192];
    struct snp_hcl h;

    (void)state;
    assert_true(real.len < sizeof(bytes));
    memcpy(bytes, real.ptr, real.len);
    assert_int_equal(snp_hcl_parse(SPAN(bytes, real.len), &h, NULL), 0);
    assert_true(
            span_eq(h.report, load("snp/azure-hclreport-milan-v2/report.bin")));
    for (size_t at = 0; at < h.runtime.len; at++) {
        size_t i = (size_t)(h.runtime.ptr - bytes) + at;

        bytes[i] ^= 1;
        assert_int_equal(
                snp_hcl_parse(SPAN(bytes, real.len), &h, NULL), ERR_MISMATCH);
        bytes[i] ^= 1;
    }
    for (size_t i = 0x4c0; i < 0x4d4; i++) { /* the runtime header */
        bytes[i] ^= 1;
        assert_int_not_equal(snp_hcl_parse(SPAN(bytes, real.len), &h, NULL), 0);
        bytes[i] ^= 1;
    }
    bytes[0x20 + 0x50 + 40] = 1; /* behind the hash in REPORT_DATA */
    assert_int_equal(
            snp_hcl_parse(SPAN(bytes, real.len), &h, NULL), ERR_MISMATCH);
    bytes[0x20 + 0x50 + 40] = 0;
    bytes[real.len] = 1;
    assert_int_equal(
            snp_hcl_parse(SPAN(bytes, real.len + 1), &h, NULL), ERR_SYNTAX);
    for (size_t len = 0; len < 0x4d4 + h.runtime.len; len += 7)
        assert_int_not_equal(snp_hcl_parse(SPAN(bytes, len), &h, NULL), 0);
}

/* ---- SEV of a real Naples ----------------------------------------------- */

static struct {
    struct snp_legacy pdh, pek, oca, cek;
} naples;

static void load_naples(void)
{
    assert_int_equal(snp_legacy_parse(load("sev-legacy/naples/pdh.cert"),
                             &naples.pdh, NULL),
            0);
    assert_int_equal(snp_legacy_parse(load("sev-legacy/naples/pek.cert"),
                             &naples.pek, NULL),
            0);
    assert_int_equal(snp_legacy_parse(load("sev-legacy/naples/oca.cert"),
                             &naples.oca, NULL),
            0);
    assert_int_equal(snp_legacy_parse(load("sev-legacy/naples/cek.cert"),
                             &naples.cek, NULL),
            0);
}

static void naples_certificates_sign_each_other_and_no_others(void **state)
{
    bool is_amd = true;

    (void)state;
    load_naples();
    assert_int_equal(snp_legacy_chain(&naples.pdh, &naples.pek, &naples.oca,
                             &naples.cek, NULL, NULL, &is_amd, NULL),
            0);
    assert_false(is_amd); /* without an ASK and ARK nobody says AMD */
    /* Each pair that is not in the chain. */
    assert_int_equal(
            snp_legacy_signed(&naples.pdh, &naples.oca, NULL), ERR_MISMATCH);
    assert_int_equal(
            snp_legacy_signed(&naples.pdh, &naples.cek, NULL), ERR_MISMATCH);
    assert_int_equal(
            snp_legacy_signed(&naples.pek, &naples.pek, NULL), ERR_MISMATCH);
    assert_int_equal(
            snp_legacy_signed(&naples.cek, &naples.oca, NULL), ERR_MISMATCH);
    assert_int_equal(
            snp_legacy_signed(&naples.pek, &naples.pdh, NULL), ERR_MISMATCH);
    /* And in each place of the chain the wrong one. */
    assert_int_equal(snp_legacy_chain(&naples.pek, &naples.pek, &naples.oca,
                             &naples.cek, NULL, NULL, &is_amd, NULL),
            ERR_MISMATCH);
    assert_int_equal(snp_legacy_chain(&naples.pdh, &naples.pek, &naples.cek,
                             &naples.oca, NULL, NULL, &is_amd, NULL),
            ERR_MISMATCH);
}

static void any_flipped_bit_of_a_pek_breaks_its_signatures(void **state)
{
    struct span real = load("sev-legacy/naples/pek.cert");
    uint8_t bytes[SNP_LEGACY_SIZE];
    struct snp_legacy c;

    (void)state;
    load_naples();
    memcpy(bytes, real.ptr, sizeof(bytes));
    for (size_t bit = 0; bit < SNP_LEGACY_SIZE * 8; bit += 5) {
        bool is_amd;

        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (snp_legacy_parse(SPAN_OF(bytes), &c, NULL) == 0 &&
                snp_legacy_chain(&naples.pdh, &c, &naples.oca, &naples.cek,
                        NULL, NULL, &is_amd, NULL) == 0)
            fail_msg("bit %zu of byte %zx", bit % 8, bit / 8);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t len = 0; len < SNP_LEGACY_SIZE; len += 13)
        assert_int_equal(
                snp_legacy_parse(SPAN(bytes, len), &c, NULL), ERR_SYNTAX);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(any_flipped_bit_of_a_real_report_is_refused),
            cmocka_unit_test(any_flipped_bit_of_a_real_vcek_breaks_its_chain),
            cmocka_unit_test(every_amd_root_stands_for_its_own_product),
            cmocka_unit_test(certificates_of_another_chip_and_line_do_not_help),
            cmocka_unit_test(amds_arks_are_known_by_their_digests),
            cmocka_unit_test(without_a_certificate_nothing_is_authentic),
            cmocka_unit_test(azure_blob_is_bound_to_its_json),
            cmocka_unit_test(naples_certificates_sign_each_other_and_no_others),
            cmocka_unit_test(any_flipped_bit_of_a_pek_breaks_its_signatures),
    };

    shared = argc > 1 ? argv[1] : "";
    if (access(shared, R_OK) < 0)
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
