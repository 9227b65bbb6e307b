/* SPDX-License-Identifier: Apache-2.0 */
/* Claims of an SNP report: when it is believed, and what the rules make of
 * it. */
#include "appraise.h"
#include "pack_fixture.h"
#include "snp_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const uint8_t binder[32] = {0xb1, 0xd0};

static struct estate server;
static struct pack *pack;
static struct buf blob;
static struct appraise_input in;
static struct appraisal out;
static struct appraise_detail detail;
static struct snp_trust *ark; /* the ARK alone: the ASK comes along */

/* What the host hands over: a VEK and its CA behind two GUIDs. */
static uint8_t table[8192], report[SNP_REPORT_SIZE];
static size_t table_len;

static const uint8_t guid_vcek[16] = {0x8d, 0x75, 0xda, 0x63, 0x64, 0xe6, 0x64,
        0x45, 0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac, 0xcd};
static const uint8_t guid_vlek[16] = {0xc2, 0x4b, 0x07, 0xa8, 0x5a, 0xa2, 0x3e,
        0x48, 0xaa, 0xe6, 0x39, 0xc0, 0x45, 0xa0, 0xb8, 0xa1};
static const uint8_t guid_ask[16] = {0x79, 0xb3, 0xb7, 0x4a, 0xac, 0xbb, 0xe4,
        0x4f, 0xa0, 0x2f, 0x05, 0xae, 0xf3, 0x27, 0xc7, 0x82};

static void put(uint8_t *p, size_t v)
{
    for (size_t i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

static void make_table(const uint8_t *guid, const struct snp_fixture_cert *vek,
        const struct snp_fixture_cert *ca)
{
    const struct span certs[] = {snp_fixture_make(vek), snp_fixture_make(ca)};
    size_t at = 72;

    memset(table, 0, at);
    for (size_t i = 0; i < 2; i++) {
        memcpy(table + 24 * i, i ? guid_ask : guid, 16);
        put(table + 24 * i + 16, at);
        put(table + 24 * i + 20, certs[i].len);
        memcpy(table + at, certs[i].ptr, certs[i].len);
        at += certs[i].len;
    }
    table_len = at;
}

static void make_report(void)
{
    snp_fixture_report(report);
    memset(report + 0x50, 0, 64);
    memcpy(report + 0x50, binder, sizeof(binder));
}

static int setup_all(void **state)
{
    struct snp_fixture_cert c;

    (void)state;
    snp_fixture_init();
    c = snp_fixture_ark();
    ark = snp_trust_new();
    return snp_trust_add(ark, snp_fixture_make(&c), NULL);
}

static int teardown_all(void **state)
{
    (void)state;
    snp_trust_free(ark);
    snp_fixture_fini();
    return 0;
}

static int setup(void **state)
{
    struct snp_fixture_cert vcek = snp_fixture_vcek();
    struct snp_fixture_cert ask = snp_fixture_ask();

    (void)state;
    estate_init(&server, "server");
    pack = estate_pack(&server, FIXTURE_NOW - 100);
    blob = BUF_INIT(LIMIT_EVIDENCE_MAX);
    in = (struct appraise_input){
            .binder = SPAN_OF(binder), .time = FIXTURE_NOW, .amd = ark};
    detail = (struct appraise_detail){0};
    make_table(guid_vcek, &vcek, &ask);
    make_report();
    snp_fixture_sign(report, SNP_FIXTURE_VEK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    appraise_detail_fini(&detail);
    pack_free(pack);
    buf_fini(&blob);
    estate_fini(&server);
    return 0;
}

static void set_rules(const char *rules)
{
    struct buf file = BUF_INIT(LIMIT_LOG_ENTRY_MAX);
    struct err err = {0};

    if (pack_rules_sign("server", span_str(rules), FIXTURE_NOW - 50,
                FIXTURE_NOW + 1000, server.owner, &file, &err) != 0 ||
            pack_add(pack, span_str("rules/server.json"), buf_span(&file),
                    &err) != 0)
        fail_msg("%s", err.msg);
    buf_fini(&file);
}

static void run(void)
{
    server.machine.part[EVIDENCE_SNP_REPORT] = SPAN_OF(report);
    server.machine.part[EVIDENCE_SNP_CERTS] = SPAN(table, table_len);
    buf_reset(&blob);
    machine_evidence(&server.machine, binder, &blob);
    in.evidence = buf_span(&blob);
    appraise_take_pack(&in, pack, span_str("server"));
    appraise_detail_fini(&detail);
    appraise_in_full(&in, &out, &detail);
}

static const struct claim *claim(const char *name)
{
    const struct claim *c = claims_get(&detail.claims, name);

    if (!c || !c->attested)
        fail_msg("no %s", name);
    return c;
}

static void test_a_report_gives_its_claims(void **state)
{
    static const struct {
        const char *name;
        bool yes;
    } bools[] = {{"snp.host", false}, {"snp.policy.smt", true},
            {"snp.policy.debug", false}, {"snp.policy.migrate_ma", false},
            {"snp.policy.single_socket", false}, {"snp.policy.cxl", false},
            {"snp.policy.aes256_xts", false}, {"snp.policy.rapl_dis", false},
            {"snp.policy.ciphertext_hiding", false},
            {"snp.policy.page_swap_disable", false}, {"snp.platform.smt", true},
            {"snp.platform.tsme", false}, {"snp.platform.ecc", true},
            {"snp.platform.rapl_dis", false},
            {"snp.platform.ciphertext_hiding", false},
            {"snp.platform.alias_check", true}, {"snp.platform.tio", false},
            {"snp.chip_id.masked", false}, {"snp.firmware.provisional", false}};
    const struct claim *c;

    (void)state;
    run();
    assert_true(out.genuine);
    assert_int_equal(detail.n_notes, 0);
    for (size_t i = 0; i < ARRAY_LEN(bools); i++)
        assert_int_equal(claim(bools[i].name)->value.yes, bools[i].yes);
    assert_int_equal(claim("snp.version")->value.number, 3);
    assert_int_equal(claim("snp.vmpl")->value.number, 0);
    assert_int_equal(claim("snp.policy")->value.number, 0x30000);
    assert_int_equal(claim("snp.platform")->value.number, 0x25);
    assert_true(span_eq_str(claim("snp.product")->value.bytes, "Milan"));
    assert_true(span_eq_str(claim("snp.key")->value.bytes, "vcek"));
    c = claim("snp.tcb.reported");
    assert_int_equal(c->value.n_parts, 4);
    assert_int_equal(c->value.part[0], 4);
    assert_int_equal(c->value.part[3], 219);
    c = claim("snp.measurement");
    assert_memory_equal(c->value.bytes.ptr, report + 0x90, 48);
    c = claim("snp.chip_id");
    assert_memory_equal(c->value.bytes.ptr, report + 0x1a0, 64);
    c = claim("snp.firmware");
    assert_int_equal(c->value.part[1], 55);
    /* Version 3 says nothing of mitigations, this key of no fleet. */
    assert_null(claims_get(&detail.claims, "snp.mit.launch"));
    assert_null(claims_get(&detail.claims, "snp.csp"));
}

static void none(const char *what)
{
    run();
    assert_true(out.genuine); /* the zone's TPM still says who it is */
    for (size_t i = 0; i < detail.claims.n; i++) {
        if (strncmp(detail.claims.claim[i].name, "snp.", 4) == 0)
            fail_msg("%s: %s", what, detail.claims.claim[i].name);
    }
    if (detail.n_notes != 1)
        fail_msg("%s: %zu notes", what, detail.n_notes);
}

static void test_a_report_that_does_not_hold_gives_none(void **state)
{
    struct snp_fixture_cert vcek = snp_fixture_vcek();
    struct snp_fixture_cert ask = snp_fixture_ask();

    (void)state;
    report[0x90] ^= 1;
    none("another measurement");
    assert_non_null(strstr(detail.note[0].text, "not signed"));
    make_report();
    report[0x50] ^= 1;
    snp_fixture_sign(report, SNP_FIXTURE_VEK);
    none("another binder");
    make_report();
    report[0x50 + 63] = 1;
    snp_fixture_sign(report, SNP_FIXTURE_VEK);
    none("more than the binder");
    make_report();
    report[0x1a0] ^= 1;
    snp_fixture_sign(report, SNP_FIXTURE_VEK);
    none("another chip");
    make_report();
    snp_fixture_sign(report, SNP_FIXTURE_VEK);
    in.amd = NULL;
    none("a root that is not AMD's");
    in.amd = ark;
    table_len -= 1;
    none("a table cut short");
    vcek.signer = SNP_FIXTURE_EVIL;
    make_table(guid_vcek, &vcek, &ask);
    none("a VCEK of somebody's");
    vcek = snp_fixture_vcek();
    vcek.until = FIXTURE_NOW - 1;
    make_table(guid_vcek, &vcek, &ask);
    none("a VCEK out of its time");
    vcek = snp_fixture_vcek();
    make_table(guid_vlek, &vcek, &ask);
    none("a VCEK in the place of a VLEK");
}

static void test_a_fleets_report_names_the_fleet(void **state)
{
    struct snp_fixture_cert vlek = snp_fixture_vlek();
    struct snp_fixture_cert asvk = snp_fixture_asvk();

    (void)state;
    make_table(guid_vlek, &vlek, &asvk);
    make_report();
    report[0x48] = 1 << 2;
    memset(report + 0x1a0, 0, 64);
    snp_fixture_sign(report, SNP_FIXTURE_VEK);
    run();
    assert_true(span_eq_str(claim("snp.key")->value.bytes, "vlek"));
    assert_true(span_eq_str(claim("snp.csp")->value.bytes, "CN=cloud.example"));
    assert_true(claim("snp.chip_id.masked")->value.yes);
    assert_null(claims_get(&detail.claims, "snp.chip_id"));
}

static void test_rules_decide_over_what_it_says(void **state)
{
    static const struct {
        const char *what;
        uint16_t at;
        uint8_t value;
        bool accept;
    } cases[] = {{"as it should be", 0x02, 0, true},
            {"debug", 0x0a, 0x0b, false}, {"VMPL 2", 0x30, 2, false},
            {"no alias check", 0x40, 0x05, false},
            {"an older launch", 0x1f7, 218, false}};

    (void)state;
    set_rules("state golden\n"
              "snp.policy.debug is no\n"
              "snp.vmpl is 0\n"
              "snp.platform.alias_check is yes\n"
              "snp.tcb.launch at least 4.0.24.219\n");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        make_report();
        report[cases[i].at] = cases[i].value;
        snp_fixture_sign(report, SNP_FIXTURE_VEK);
        run();
        if (out.accept != cases[i].accept)
            fail_msg("%s: %s", cases[i].what, out.state);
    }
    /* Without a report nothing of this is decided. */
    server.machine.part[EVIDENCE_SNP_REPORT] = SPAN_EMPTY;
    server.machine.part[EVIDENCE_SNP_CERTS] = SPAN_EMPTY;
    buf_reset(&blob);
    machine_evidence(&server.machine, binder, &blob);
    in.evidence = buf_span(&blob);
    appraise_detail_fini(&detail);
    appraise_in_full(&in, &out, &detail);
    assert_true(out.genuine);
    assert_false(out.accept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(
                    test_a_report_gives_its_claims, setup, teardown),
            cmocka_unit_test_setup_teardown(
                    test_a_report_that_does_not_hold_gives_none, setup,
                    teardown),
            cmocka_unit_test_setup_teardown(
                    test_a_fleets_report_names_the_fleet, setup, teardown),
            cmocka_unit_test_setup_teardown(
                    test_rules_decide_over_what_it_says, setup, teardown),
    };

    return cmocka_run_group_tests(tests, setup_all, teardown_all);
}
