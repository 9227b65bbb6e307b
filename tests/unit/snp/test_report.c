/* SPDX-License-Identifier: Apache-2.0 */
/* Reports that say one thing too much, each signed again, so that the check
 * alone is what refuses. */
#include "snp_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define R(x) SNP_REASON(SNP_R_##x)

static struct snp_trust *trust;
static struct snp_vek *vcek, *vlek, *turin;

static struct snp_vek *make_vek(const struct snp_fixture_cert *c)
{
    struct snp_vek *v = NULL;
    struct err err = {0};

    if (snp_vek_new(trust, snp_fixture_make(c), NULL, 0, &v, &err) != 0)
        fail_msg("%s", err.msg);
    return v;
}

static int setup(void **state)
{
    struct snp_fixture_cert c[] = {snp_fixture_vcek(), snp_fixture_vlek(),
            snp_fixture_turin(), snp_fixture_ark(), snp_fixture_ask()};

    (void)state;
    snp_fixture_init();
    trust = snp_fixture_trust();
    c[3].subject = c[3].issuer = "ARK-Turin";
    c[4].subject = "SEV-Turin";
    c[4].issuer = "ARK-Turin";
    if (snp_trust_add(trust, snp_fixture_make(&c[3]), NULL) != 0 ||
            snp_trust_add(trust, snp_fixture_make(&c[4]), NULL) != 0)
        return -1;
    vcek = make_vek(&c[0]);
    vlek = make_vek(&c[1]);
    turin = make_vek(&c[2]);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    snp_vek_free(vcek);
    snp_vek_free(vlek);
    snp_vek_free(turin);
    snp_trust_free(trust);
    snp_fixture_fini();
    return 0;
}

static void expect(const char *what, const struct snp_verdict *v, uint64_t want)
{
    const uint64_t of_policy = ~(SNP_REASON(SNP_R_POLICY) - 1);

    for (unsigned r = 0; r < SNP_R_COUNT; r++) {
        if ((v->reasons ^ want) & SNP_REASON(r))
            fail_msg("%s: %s %s", what, snp_reason_word(r),
                    want & SNP_REASON(r) ? "is missing" : "is said");
    }
    assert_int_equal(v->authentic, (want & ~of_policy) == 0);
    assert_int_equal(v->acceptable, want == 0);
}

static void good_reports_are_accepted(void **state)
{
    uint8_t b[SNP_REPORT_SIZE];
    struct snp_verdict v;

    (void)state;
    for (uint8_t version = 2; version <= 5; version++) {
        snp_fixture_report(b);
        b[0] = version;
        if (version == 2)
            memset(b + 0x188, 0, 3);
        snp_fixture_sign(b, SNP_FIXTURE_VEK);
        snp_verify(SPAN_OF(b), vcek, SNP_FIXTURE_AT, NULL, &v);
        expect("Milan", &v, 0);
        assert_int_equal(v.product, SNP_MILAN);
        assert_true(v.hwid_compared && v.has_tcb && !v.chip_masked);
        assert_int_equal(v.reported.bootloader, 4);
        assert_int_equal(v.reported.snp, 24);
        assert_int_equal(v.reported.microcode, 219);
    }
    snp_fixture_report_turin(b);
    snp_fixture_sign(b, SNP_FIXTURE_VEK);
    snp_verify(SPAN_OF(b), turin, SNP_FIXTURE_AT, NULL, &v);
    expect("Turin", &v, 0);
    assert_int_equal(v.product, SNP_TURIN);
    assert_int_equal(v.reported.fmc, 1);
    assert_int_equal(v.reported.snp, 4);
}

struct patch {
    const char *what;
    uint16_t at, len;
    uint64_t value;
    uint64_t reasons;
    uint8_t version; /* 0: as it is */
};

static void run_patch(const struct patch *p, bool is_turin)
{
    uint8_t b[SNP_REPORT_SIZE];
    struct snp_verdict v;

    if (is_turin)
        snp_fixture_report_turin(b);
    else
        snp_fixture_report(b);
    if (p->version) {
        b[0] = p->version;
        if (p->version == 2)
            memset(b + 0x188, 0, 3);
    }
    for (size_t i = 0; i < p->len; i++)
        b[p->at + i] = (uint8_t)(i < 8 ? p->value >> (8 * i) : 0);
    snp_fixture_sign(b, SNP_FIXTURE_VEK);
    snp_verify(SPAN_OF(b), is_turin ? turin : vcek, SNP_FIXTURE_AT, NULL, &v);
    expect(p->what, &v, p->reasons);
}

static void each_check_refuses_on_its_own(void **state)
{
    static const struct patch patches[] = {
            {"version 0", 0x000, 4, 0, R(VERSION), 0},
            {"version 6", 0x000, 4, 6, R(VERSION), 0},
            {"version 259", 0x000, 4, 0x103, R(VERSION), 0},
            {"algorithm 0", 0x034, 4, 0, R(SIG_ALGO), 0},
            {"algorithm 2", 0x034, 4, 2, R(SIG_ALGO), 0},
            {"bytes behind the key's", 0x04c, 4, 1, R(RESERVED), 0},
            {"key info, bit 5", 0x048, 4, 0x20, R(RESERVED), 0},
            {"key info, bit 31", 0x048, 4, 0x80000000, R(RESERVED), 0},
            {"CPUID in version 2", 0x188, 1, 0x19, R(RESERVED), 2},
            {"behind CPUID", 0x18b, 1, 1, R(RESERVED), 0},
            {"before CHIP_ID", 0x19f, 1, 1, R(RESERVED), 0},
            {"behind current firmware", 0x1eb, 1, 1, R(RESERVED), 0},
            {"behind committed firmware", 0x1ef, 1, 1, R(RESERVED), 0},
            {"launch mitigations in version 3", 0x1f8, 1, 1, R(RESERVED), 0},
            {"current mitigations in version 4", 0x207, 1, 1, R(RESERVED), 4},
            {"behind mitigations", 0x208, 1, 1, R(RESERVED), 5},
            {"last reserved byte", 0x29f, 1, 1, R(RESERVED), 5},
            {"POLICY without bit 17", 0x008, 8, 0x10000, R(POLICY_RESERVED), 0},
            {"POLICY bit 26", 0x008, 8, 0x4030000, R(POLICY_RESERVED), 0},
            {"POLICY bit 63", 0x008, 8, 0x8000000000030000, R(POLICY_RESERVED),
                    0},
            {"PLATFORM_INFO bit 8", 0x040, 8, 0x125, R(PLATFORM_RESERVED), 0},
            {"PLATFORM_INFO bit 63", 0x040, 8, 0x8000000000000025,
                    R(PLATFORM_RESERVED), 0},
            {"VMPL 4", 0x030, 4, 4, R(VMPL_UNKNOWN), 0},
            {"VMPL fffffffe", 0x030, 4, 0xfffffffe, R(VMPL_UNKNOWN), 0},
            {"Naples", 0x188, 3, 0x020117, R(PRODUCT), 0},
            {"a family to come", 0x188, 3, 0x00501a, R(PRODUCT), 0},
            {"Genoa's CPUID", 0x188, 3, 0x011119, R(PRODUCT_MISMATCH), 0},
            {"a version 2 of Turin's shape", 0x1a8, 56, 0,
                    R(PRODUCT_MISMATCH) | R(RESERVED) | R(HWID_MISMATCH), 2},
            {"reserved byte of CURRENT_TCB", 0x03a, 1, 1, R(RESERVED), 0},
            {"reserved byte of REPORTED_TCB", 0x185, 1, 1, R(RESERVED), 0},
            {"reserved byte of COMMITTED_TCB", 0x1e3, 1, 1, R(RESERVED), 0},
            {"reserved byte of LAUNCH_TCB", 0x1f4, 1, 1, R(RESERVED), 0},
            {"bootloader below", 0x180, 1, 3, R(TCB_MISMATCH), 0},
            {"tee above", 0x181, 1, 1, R(TCB_MISMATCH), 0},
            {"current below reported", 0x03f, 1, 218, R(TCB_ORDER), 0},
            {"snp below", 0x186, 1, 23, R(TCB_MISMATCH), 0},
            {"microcode below", 0x187, 1, 218, R(TCB_MISMATCH), 0},
            {"another chip", 0x1a0, 1, 0xb5, R(HWID_MISMATCH), 0},
            {"another chip at its end", 0x1df, 1, 0x5f, R(HWID_MISMATCH), 0},
            {"signed by a VLEK, it says", 0x048, 4, 1 << 2, R(KEY_KIND), 0},
            {"signed by nothing, it says", 0x048, 4, 7 << 2, R(KEY_KIND), 0},
            {"a reserved kind of key", 0x048, 4, 2 << 2, R(KEY_KIND), 0},
            {"VMPL 1", 0x030, 4, 1, R(VMPL1), 0},
            {"VMPL 2", 0x030, 4, 2, R(VMPL2), 0},
            {"VMPL 3", 0x030, 4, 3, R(VMPL3), 0},
            {"the host", 0x030, 4, 0xffffffff, R(VMPL_HOST), 0},
            {"debug", 0x008, 8, 0xb0000, R(DEBUG), 0},
            {"migration agent", 0x008, 8, 0x70000, R(MIGRATE_MA), 0},
            {"debug and migration", 0x008, 8, 0xf0000, R(DEBUG) | R(MIGRATE_MA),
                    0},
            {"committed above current", 0x1e7, 1, 220, R(TCB_ORDER), 0},
            /* What is fine. */
            {"current above committed", 0x03f, 1, 220, 0, 0},
            {"a chip that is masked", 0x1a0, 64, 0, 0, 0},
            {"author key", 0x048, 4, 1, 0, 0},
            {"mitigations in version 5", 0x1f8, 16, 3, 0, 5},
            {"all known bits of PLATFORM_INFO", 0x040, 8, 0xff, 0, 0},
            {"known bits of POLICY", 0x008, 8, 0x3f300ff, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(patches); i++)
        run_patch(&patches[i], false);
}

static void turin_has_its_own_layout(void **state)
{
    static const struct patch patches[] = {
            {"fmc below", 0x180, 1, 0, R(TCB_MISMATCH), 0},
            {"bootloader below", 0x181, 1, 1, R(TCB_MISMATCH), 0},
            {"tee below", 0x182, 1, 0, R(TCB_MISMATCH), 0},
            {"snp below", 0x183, 1, 3, R(TCB_MISMATCH), 0},
            {"snp where Milan has it", 0x186, 1, 4, R(RESERVED), 0},
            {"a ninth byte of its CHIP_ID", 0x1a8, 1, 1, R(HWID_MISMATCH), 0},
            {"another chip", 0x1a7, 1, 0, R(HWID_MISMATCH), 0},
            {"Milan's CPUID", 0x188, 3, 0x010119,
                    R(PRODUCT_MISMATCH) | R(RESERVED), 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(patches); i++)
        run_patch(&patches[i], true);
}

static void every_wrong_length_is_refused(void **state)
{
    uint8_t b[SNP_REPORT_SIZE + 8] = {0};
    struct snp_verdict v;

    (void)state;
    snp_fixture_report(b);
    snp_fixture_sign(b, SNP_FIXTURE_VEK);
    for (size_t len = 0; len < sizeof(b); len++) {
        if (len == SNP_REPORT_SIZE)
            continue;
        snp_verify(SPAN(b, len), vcek, SNP_FIXTURE_AT, NULL, &v);
        expect("length", &v, R(LENGTH));
    }
}

/* The order of P-384, little endian. */
static const uint8_t order[48] = {0x73, 0x29, 0xc5, 0xcc, 0x6a, 0x19, 0xec,
        0xec, 0x7a, 0xa7, 0xb0, 0x48, 0xb2, 0x0d, 0x1a, 0x58, 0xdf, 0x2d, 0x37,
        0xf4, 0x81, 0x4d, 0x63, 0xc7, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff};

/* s becomes s + n or n - s, where that fits. */
static bool add_order(uint8_t *s)
{
    unsigned carry = 0;

    for (size_t i = 0; i < 48; i++) {
        carry += s[i] + order[i];
        s[i] = (uint8_t)carry;
        carry >>= 8;
    }
    s[48] = (uint8_t)carry; /* the number has 72 bytes */
    return true;
}

static void negate(uint8_t *s)
{
    int borrow = 0;

    for (size_t i = 0; i < 48; i++) {
        int d = order[i] - s[i] - borrow;

        borrow = d < 0;
        s[i] = (uint8_t)d;
    }
}

static void malformed_signatures_are_refused(void **state)
{
    uint8_t good[SNP_REPORT_SIZE], b[SNP_REPORT_SIZE];
    uint8_t *r = b + SNP_REPORT_SIGNED, *s = r + 72;
    struct snp_verdict v;

    (void)state;
    snp_fixture_report(good);
    snp_fixture_sign(good, SNP_FIXTURE_VEK);
    for (unsigned kind = 0; kind < 10; kind++) {
        uint64_t want = R(SIGNATURE);

        memcpy(b, good, sizeof(b));
        if (kind == 0)
            memset(r, 0, 72); /* r = 0 */
        else if (kind == 1)
            memset(s, 0, 72); /* s = 0 */
        else if (kind == 2)
            memset(r, 0, 144);
        else if (kind == 3)
            memcpy(s, order, 48); /* s = n */
        else if (kind == 4)
            memcpy(r, order, 48);
        else if (kind == 5)
            (void)add_order(s); /* the same modulo n */
        else if (kind == 6)
            s[71] = 1; /* above 48 bytes */
        else if (kind == 7)
            r[48] = 1;
        else if (kind == 8)
            memset(r, 0xff, 144);
        else {
            negate(s); /* high or low s: AMD asks for neither */
            want = 0;
        }
        snp_verify(SPAN_OF(b), vcek, SNP_FIXTURE_AT, NULL, &v);
        expect("signature", &v, want);
    }
    for (size_t i = SNP_REPORT_SIGNED + 144; i < SNP_REPORT_SIZE; i++) {
        memcpy(b, good, sizeof(b));
        b[i] = 1;
        snp_verify(SPAN_OF(b), vcek, SNP_FIXTURE_AT, NULL, &v);
        expect("padding", &v, R(SIG_PADDING));
    }
}

static void another_key_of_the_same_curve_is_refused(void **state)
{
    uint8_t b[SNP_REPORT_SIZE];
    struct snp_verdict v;

    (void)state;
    snp_fixture_report(b);
    snp_fixture_sign(b, SNP_FIXTURE_OTHER);
    snp_verify(SPAN_OF(b), vcek, SNP_FIXTURE_AT, NULL, &v);
    expect("another key", &v, R(SIGNATURE));
}

static void fleet_keys_name_no_chip(void **state)
{
    struct snp_policy p = snp_policy_strict();
    uint8_t b[SNP_REPORT_SIZE];
    struct snp_verdict v;

    (void)state;
    snp_fixture_report(b);
    b[0x048] = 1 << 2 | 1 << 1;
    memset(b + 0x1a0, 0, SNP_CHIP_ID);
    snp_fixture_sign(b, SNP_FIXTURE_VEK);
    snp_verify(SPAN_OF(b), vlek, SNP_FIXTURE_AT, NULL, &v);
    expect("VLEK", &v, 0);
    assert_true(v.chip_masked && !v.hwid_compared);
    p.refuse_vlek = true;
    snp_verify(SPAN_OF(b), vlek, SNP_FIXTURE_AT, &p, &v);
    expect("VLEK refused", &v, R(VLEK));
    p.refuse_masked_chip = true;
    snp_verify(SPAN_OF(b), vlek, SNP_FIXTURE_AT, &p, &v);
    expect("both refused", &v, R(VLEK) | R(CHIP_MASKED));
    snp_verify(SPAN_OF(b), vcek, SNP_FIXTURE_AT, NULL, &v);
    expect("a VCEK for it", &v, R(KEY_KIND));
    snp_fixture_report(b);
    snp_fixture_sign(b, SNP_FIXTURE_VEK);
    snp_verify(SPAN_OF(b), vlek, SNP_FIXTURE_AT, NULL, &v);
    expect("a VLEK for a VCEK's", &v, R(KEY_KIND));
}

/* ---- policies ---------------------------------------------------------- */

static void judge(const char *what, const struct snp_policy *p, uint64_t want)
{
    uint8_t b[SNP_REPORT_SIZE];
    struct snp_verdict v;

    snp_fixture_report(b);
    snp_fixture_sign(b, SNP_FIXTURE_VEK);
    snp_verify(SPAN_OF(b), vcek, SNP_FIXTURE_AT, p, &v);
    expect(what, &v, want);
}

static void floors_are_compared_by_component(void **state)
{
    static const struct {
        struct snp_tcb floor;
        bool met;
    } floors[] = {
            {{0, 4, 0, 24, 219}, true},
            {{0, 0, 0, 0, 0}, true},
            {{0, 5, 0, 0, 0}, false},
            {{0, 0, 1, 0, 0}, false},
            {{0, 0, 0, 25, 0}, false},
            {{0, 0, 0, 0, 220}, false},
            {{1, 0, 0, 0, 0}, false},
            /* As one number the report's would be larger. */
            {{0, 255, 0, 0, 0}, false},
    };
    static const uint64_t all =
            R(REPORTED_TCB) | R(CURRENT_TCB) | R(COMMITTED_TCB) | R(LAUNCH_TCB);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(floors); i++) {
        struct snp_policy p = snp_policy_strict();

        p.floor[SNP_MILAN] = floors[i].floor;
        p.has_floor[SNP_MILAN] = true;
        judge("floor", &p, floors[i].met ? 0 : all);
        p.has_floor[SNP_MILAN] = false;
        p.has_floor[SNP_GENOA] = true;
        judge("a floor for Genoa alone", &p, all);
    }
}

static void each_of_the_four_tcbs_has_its_floor(void **state)
{
    static const struct {
        uint16_t at;
        uint64_t reasons;
    } tcbs[] = {{0x03f, R(CURRENT_TCB) | R(TCB_ORDER)},
            {0x187, R(REPORTED_TCB) | R(TCB_MISMATCH)},
            {0x1e7, R(COMMITTED_TCB)}, {0x1f7, R(LAUNCH_TCB)}};
    struct snp_policy p = snp_policy_strict();

    (void)state;
    p.has_floor[SNP_MILAN] = true;
    p.floor[SNP_MILAN].microcode = 219;
    for (size_t i = 0; i < ARRAY_LEN(tcbs); i++) {
        uint8_t b[SNP_REPORT_SIZE];
        struct snp_verdict v;

        snp_fixture_report(b);
        b[tcbs[i].at] = 218;
        snp_fixture_sign(b, SNP_FIXTURE_VEK);
        snp_verify(SPAN_OF(b), vcek, SNP_FIXTURE_AT, &p, &v);
        expect("one of four", &v, tcbs[i].reasons);
    }
}

#define POLICY(change, want)                                                   \
    do {                                                                       \
        struct snp_policy p = snp_policy_strict();                             \
                                                                               \
        p.change;                                                              \
        judge(#change, &p, want);                                              \
    } while (0)

static void each_wish_of_a_policy_is_looked_at(void **state)
{
    uint8_t d1[64], other[64] = {1}, ff[48] = {0};

    (void)state;
    memset(d1, 0xd1, sizeof(d1));
    POLICY(vmpl[0] = false, R(VMPL0));
    POLICY(vmpl[3] = true, 0);
    POLICY(policy_clear |= SNP_POLICY_SMT, R(GUEST_POLICY));
    POLICY(policy_set |= SNP_POLICY_SINGLE_SOCKET, R(GUEST_POLICY));
    POLICY(policy_set |= SNP_POLICY_SMT, 0);
    POLICY(platform_set |= SNP_PLATFORM_ALIAS_CHECK, 0);
    POLICY(platform_set |= SNP_PLATFORM_CIPHERTEXT_HIDING, R(PLATFORM_INFO));
    POLICY(platform_clear |= SNP_PLATFORM_SMT, R(PLATFORM_INFO));
    POLICY(platform_clear |= SNP_PLATFORM_ALIAS_CHECK, R(ALIAS_CHECK));
    POLICY(refuse_provisional = true, 0);
    POLICY(refuse_vlek = true, 0);
    POLICY(refuse_masked_chip = true, 0);
    POLICY(refuse_product[SNP_MILAN] = true, R(PRODUCT_REFUSED));
    POLICY(refuse_product[SNP_TURIN] = true, 0);
    POLICY(require_crl = true, R(CRL_MISSING));
    POLICY(min_fw = ((struct snp_firmware){1, 55, 31}), 0);
    POLICY(min_fw = ((struct snp_firmware){1, 55, 32}), R(FIRMWARE));
    POLICY(min_fw = ((struct snp_firmware){1, 56, 0}), R(FIRMWARE));
    POLICY(min_fw = ((struct snp_firmware){2, 0, 0}), R(FIRMWARE));
    POLICY(min_fw = ((struct snp_firmware){0, 99, 99}), 0);
    POLICY(mitigations = 1, R(MITIGATION));
    POLICY(min_guest_svn = 1, R(GUEST_SVN));
    POLICY(report_data = SPAN_OF(d1), 0);
    POLICY(report_data = SPAN(d1, 63), R(REPORT_DATA));
    POLICY(report_data = SPAN_OF(other), R(REPORT_DATA));
    POLICY(measurement = SPAN(other, 48), R(MEASUREMENT));
    POLICY(host_data = SPAN(ff, 32), 0);
    POLICY(host_data = SPAN(other, 32), R(HOST_DATA));
    POLICY(chip_id = SPAN_OF(other), R(CHIP_ID));
    POLICY(id_key_digest = SPAN_OF(ff), 0);
    POLICY(id_key_digest = SPAN(other, 48), R(ID_KEY));
    POLICY(author_key_digest = SPAN(other, 48), R(AUTHOR_KEY));
}

static void provisional_firmware_and_mitigations_by_report(void **state)
{
    struct snp_policy p = snp_policy_strict();
    uint8_t b[SNP_REPORT_SIZE];
    struct snp_verdict v;

    (void)state;
    p.refuse_provisional = true;
    snp_fixture_report(b);
    b[0x03f] = 220;
    snp_fixture_sign(b, SNP_FIXTURE_VEK);
    snp_verify(SPAN_OF(b), vcek, SNP_FIXTURE_AT, &p, &v);
    expect("provisional", &v, R(PROVISIONAL));
    p = snp_policy_strict();
    p.platform_set = SNP_PLATFORM_ALIAS_CHECK;
    snp_fixture_report(b);
    b[0x040] = 0x05;
    snp_fixture_sign(b, SNP_FIXTURE_VEK);
    snp_verify(SPAN_OF(b), vcek, SNP_FIXTURE_AT, &p, &v);
    expect("aliases", &v, R(ALIAS_CHECK));
    p = snp_policy_strict();
    p.mitigations = 3;
    snp_fixture_report_turin(b);
    snp_fixture_sign(b, SNP_FIXTURE_VEK);
    snp_verify(SPAN_OF(b), turin, SNP_FIXTURE_AT, &p, &v);
    expect("both mitigations", &v, 0);
    b[0x200] = 1; /* now, but not when it was launched, and so on */
    snp_fixture_sign(b, SNP_FIXTURE_VEK);
    snp_verify(SPAN_OF(b), turin, SNP_FIXTURE_AT, &p, &v);
    expect("one mitigation", &v, R(MITIGATION));
}

static void both_firmwares_have_the_floor(void **state)
{
    static const uint16_t builds[] = {0x1e8, 0x1ec}; /* current, committed */
    struct snp_policy p = snp_policy_strict();
    uint8_t b[SNP_REPORT_SIZE];
    struct snp_verdict v;

    (void)state;
    p.min_fw = (struct snp_firmware){1, 55, 31};
    for (size_t i = 0; i < 2; i++) {
        snp_fixture_report(b);
        b[builds[i]] = 30;
        snp_fixture_sign(b, SNP_FIXTURE_VEK);
        snp_verify(SPAN_OF(b), vcek, SNP_FIXTURE_AT, &p, &v);
        expect("one firmware", &v, R(FIRMWARE));
    }
}

static void every_reason_has_a_word_of_its_own(void **state)
{
    (void)state;
    for (unsigned r = 0; r < SNP_R_COUNT; r++) {
        if (r == SNP_R_POLICY) {
            assert_null(snp_reason_word(r));
            continue;
        }
        assert_non_null(snp_reason_word(r));
        assert_non_null(snp_reason_text(r));
        for (unsigned other = 0; other < r; other++) {
            if (other != SNP_R_POLICY)
                assert_string_not_equal(
                        snp_reason_word(r), snp_reason_word(other));
        }
    }
    assert_null(snp_reason_word(SNP_R_COUNT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(good_reports_are_accepted),
            cmocka_unit_test(each_check_refuses_on_its_own),
            cmocka_unit_test(turin_has_its_own_layout),
            cmocka_unit_test(every_wrong_length_is_refused),
            cmocka_unit_test(malformed_signatures_are_refused),
            cmocka_unit_test(another_key_of_the_same_curve_is_refused),
            cmocka_unit_test(fleet_keys_name_no_chip),
            cmocka_unit_test(floors_are_compared_by_component),
            cmocka_unit_test(each_of_the_four_tcbs_has_its_floor),
            cmocka_unit_test(each_wish_of_a_policy_is_looked_at),
            cmocka_unit_test(provisional_firmware_and_mitigations_by_report),
            cmocka_unit_test(both_firmwares_have_the_floor),
            cmocka_unit_test(every_reason_has_a_word_of_its_own),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
