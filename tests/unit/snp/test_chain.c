/* SPDX-License-Identifier: Apache-2.0 */
/* Chains that an attacker would like: each certificate is signed by a key
 * that we hold, so that what refuses it is the one check in question. */
#include "snp_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define VEK   CLEANUP(snp_vek_free_ptr) struct snp_vek
#define TRUST CLEANUP(snp_trust_free_ptr) struct snp_trust
#define R(x)  SNP_REASON(SNP_R_##x)

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

static struct snp_vek *vek_of(const struct snp_trust *t,
        const struct snp_fixture_cert *c, const struct span *cas, size_t n)
{
    struct snp_vek *v = NULL;
    struct err err = {0};

    if (snp_vek_new(t, snp_fixture_make(c), cas, n, &v, &err) != 0)
        fail_msg("%s", err.msg);
    return v;
}

static uint64_t reasons_at(const struct snp_vek *vek, uint64_t at)
{
    uint8_t b[SNP_REPORT_SIZE];
    struct snp_verdict v;

    snp_fixture_report(b);
    if (snp_vek_info(vek)->kind == SNP_KEY_VLEK) {
        b[0x048] = 1 << 2;
        memset(b + 0x1a0, 0, SNP_CHIP_ID);
    }
    snp_fixture_sign(b, SNP_FIXTURE_VEK);
    snp_verify(SPAN_OF(b), vek, at, NULL, &v);
    return v.reasons;
}

static void good_chains_hold_in_der_and_pem(void **state)
{
    struct snp_fixture_cert c = snp_fixture_vcek(), l = snp_fixture_vlek();
    struct span der = snp_fixture_make(&c);
    struct snp_vek *pem = NULL;
    TRUST *t = snp_fixture_trust();
    VEK *vcek = vek_of(t, &c, NULL, 0);
    VEK *vlek = vek_of(t, &l, NULL, 0);

    (void)state;
    assert_true(snp_vek_info(vcek)->chain);
    assert_null(snp_vek_info(vcek)->why);
    assert_string_equal(snp_vek_info(vcek)->issuer, "SEV-Milan");
    assert_int_equal(snp_vek_info(vcek)->root_product, SNP_MILAN);
    assert_int_equal(snp_vek_info(vcek)->hwid.len, SNP_CHIP_ID);
    assert_int_equal(snp_vek_info(vcek)->crl_next_update, 0);
    assert_int_equal(reasons_at(vcek, SNP_FIXTURE_AT), 0);
    assert_string_equal(snp_vek_info(vlek)->issuer, "SEV-VLEK-Milan");
    assert_true(span_eq_str(snp_vek_info(vlek)->csp_id, "CN=cloud.example"));
    assert_int_equal(reasons_at(vlek, SNP_FIXTURE_AT), 0);
    assert_int_equal(
            snp_vek_new(t, snp_fixture_pem(der), NULL, 0, &pem, NULL), 0);
    assert_int_equal(reasons_at(pem, SNP_FIXTURE_AT), 0);
    snp_vek_free(pem);
}

static void hwid_may_be_wrapped(void **state)
{
    struct snp_fixture_cert c = snp_fixture_vcek();
    TRUST *t = snp_fixture_trust();

    (void)state;
    c.wrap_hwid = true;
    VEK *v = vek_of(t, &c, NULL, 0);
    assert_int_equal(reasons_at(v, SNP_FIXTURE_AT), 0);
}

static void both_ends_of_every_validity_count(void **state)
{
    struct snp_fixture_cert c = snp_fixture_vcek();
    struct snp_fixture_cert ask = snp_fixture_ask(), ark = snp_fixture_ark();
    TRUST *t = snp_trust_new();

    (void)state;
    c.from = SNP_FIXTURE_FROM + 300;
    c.until = SNP_FIXTURE_UNTIL - 300;
    ask.from = SNP_FIXTURE_FROM + 200;
    ask.until = SNP_FIXTURE_UNTIL - 400;
    assert_non_null(t);
    assert_int_equal(snp_trust_add(t, snp_fixture_make(&ark), NULL), 0);
    assert_int_equal(snp_trust_add(t, snp_fixture_make(&ask), NULL), 0);
    VEK *v = vek_of(t, &c, NULL, 0);
    const struct snp_vek_info *i = snp_vek_info(v);
    assert_int_equal(i->chain_not_before, c.from);
    assert_int_equal(i->chain_not_after, ask.until);
    assert_int_equal(i->not_after, c.until);
    assert_int_equal(reasons_at(v, c.from), 0);
    assert_int_equal(reasons_at(v, c.from - 1), R(CERT_TIME));
    assert_int_equal(reasons_at(v, ask.until), 0);
    assert_int_equal(reasons_at(v, ask.until + 1), R(CERT_TIME));
    assert_int_equal(reasons_at(v, 0), R(CERT_TIME));
    assert_int_equal(reasons_at(v, UINT64_MAX), R(CERT_TIME));
}

static void broken_chains_are_seen(void **state)
{
    struct snp_fixture_cert self = snp_fixture_vcek();
    struct snp_fixture_cert name = snp_fixture_vcek();
    struct snp_fixture_cert by_root = snp_fixture_vcek();
    struct snp_fixture_cert by_asvk = snp_fixture_vcek();
    struct snp_fixture_cert by_ask = snp_fixture_vlek();
    const struct {
        const char *what, *why;
        const struct snp_fixture_cert *c;
    } cases[] = {
            {"right names, another key", "no CA that is known signed it",
                    &self},
            {"another name, right key", "no CA that is known signed it", &name},
            {"straight below the ARK", "no CA that is known signed it",
                    &by_root},
            {"a VCEK below the ASVK", "signed by the CA of the other kind",
                    &by_asvk},
            {"a VLEK below the ASK", "signed by the CA of the other kind",
                    &by_ask},
    };
    TRUST *t = snp_fixture_trust();

    (void)state;
    self.signer = SNP_FIXTURE_EVIL;
    name.issuer = "SEV-Genoa";
    by_root.issuer = "ARK-Milan";
    by_asvk.issuer = "SEV-VLEK-Milan";
    by_ask.issuer = "SEV-Milan";
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        VEK *v = vek_of(t, cases[i].c, NULL, 0);

        if (snp_vek_info(v)->chain ||
                !strstr(snp_vek_info(v)->why, cases[i].why))
            fail_msg("%s: %s", cases[i].what, snp_vek_info(v)->why);
        assert_null(snp_vek_info(v)->issuer);
        assert_int_equal(snp_vek_info(v)->wrong_ca, i >= 3);
        assert_int_equal(reasons_at(v, SNP_FIXTURE_AT), R(CHAIN));
    }
}

static void certificates_with_the_report_are_never_roots(void **state)
{
    struct snp_fixture_cert c = snp_fixture_vcek(), ark = snp_fixture_ark();
    struct snp_fixture_cert ask = snp_fixture_ask();
    TRUST *t = snp_trust_new();
    struct span both[2];

    (void)state;
    assert_int_equal(snp_trust_add(t, snp_fixture_make(&ark), NULL), 0);
    /* The right ASK may come along, alone or in one PEM with its ARK. */
    both[0] = snp_fixture_make(&ask);
    both[1] = snp_fixture_make(&ark);
    VEK *good = vek_of(t, &c, both, 1);
    assert_int_equal(reasons_at(good, SNP_FIXTURE_AT), 0);
    both[0] = snp_fixture_pem(both[0]);
    VEK *pem = vek_of(t, &c, both, 2);
    assert_int_equal(reasons_at(pem, SNP_FIXTURE_AT), 0);
    /* Nor does it help where AMD's are known. */
    TRUST *amds = snp_trust_new_amd();
    VEK *ours = vek_of(amds, &c, both, 2);
    assert_int_equal(reasons_at(ours, SNP_FIXTURE_AT), R(CHAIN));
    /* An attacker's whole chain, with AMD's names throughout. */
    c.signer = ask.signer = ark.signer = SNP_FIXTURE_EVIL;
    ask.key = ark.key = SNP_FIXTURE_EVIL;
    both[0] = snp_fixture_make(&ask);
    both[1] = snp_fixture_make(&ark);
    VEK *evil = vek_of(t, &c, both, 2);
    assert_false(snp_vek_info(evil)->chain);
    assert_string_equal(
            snp_vek_info(evil)->why, "its CA is not signed by a trusted ARK");
    assert_int_equal(reasons_at(evil, SNP_FIXTURE_AT), R(CHAIN));
    struct snp_vek *many = NULL;
    struct span nine[9] = {both[0], both[0], both[0], both[0], both[0], both[0],
            both[0], both[0], both[0]};
    assert_int_equal(snp_vek_new(t, snp_fixture_make(&c), nine, 9, &many, NULL),
            ERR_LIMIT);
}

static void a_vek_signs_no_vek(void **state)
{
    /* Its own name as issuer, signed by a CA's key of no one's trust. */
    struct snp_fixture_cert c = snp_fixture_vcek(), below = snp_fixture_vcek();
    TRUST *t = snp_fixture_trust();
    struct span cas[1];

    (void)state;
    c.key = SNP_FIXTURE_EVIL;
    below.issuer = "SEV-VCEK";
    below.signer = SNP_FIXTURE_EVIL;
    cas[0] = snp_fixture_make(&c);
    VEK *v = vek_of(t, &below, cas, 1);
    assert_int_equal(reasons_at(v, SNP_FIXTURE_AT), R(CHAIN));
}

static void certificates_out_of_profile_are_refused(void **state)
{
    struct snp_fixture_cert bad[14];
    TRUST *t = snp_fixture_trust();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        bad[i] = snp_fixture_vcek();
    bad[0].sha256 = true;
    bad[1].salt_32 = true;
    bad[2].critical_extra = true;
    bad[3].twice = true;
    bad[4].leave_out = 1;
    bad[5].leave_out = 2;
    bad[6].leave_out = 3;
    bad[7].leave_out = 8;
    bad[8].product = "Naples";
    bad[9].subject = "SEV-ABCD";
    bad[10].is_ca = true;
    bad[11].key = SNP_FIXTURE_P256;
    bad[12].struct_version = 2;
    bad[13].hwid = SPAN(bad[13].hwid.ptr, SNP_CHIP_ID_TURIN);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct snp_vek *v = NULL;

        if (snp_vek_new(t, snp_fixture_make(&bad[i]), NULL, 0, &v, NULL) == 0)
            fail_msg("certificate %zu", i);
        assert_null(v);
    }
    bad[0] = snp_fixture_turin();
    bad[0].leave_out = 9;
    bad[1] = snp_fixture_turin();
    bad[1].hwid = snp_fixture_vcek().hwid;
    for (size_t i = 0; i < 2; i++) {
        struct snp_vek *v = NULL;

        if (snp_vek_new(t, snp_fixture_make(&bad[i]), NULL, 0, &v, NULL) == 0)
            fail_msg("Turin %zu", i);
    }
}

/* RFC 5280, 4.1.1.2: the algorithm inside of what is signed is the same. */
static void two_algorithms_in_one_certificate_are_refused(void **state)
{
    static const uint8_t salt[] = {0xa2, 0x03, 0x02, 0x01, 0x30};
    struct snp_fixture_cert c = snp_fixture_vcek();
    struct span der = snp_fixture_make(&c);
    TRUST *t = snp_fixture_trust();
    struct snp_vek *v = NULL;
    uint8_t b[SNP_CERT_MAX], *at;

    (void)state;
    memcpy(b, der.ptr, der.len);
    at = memmem(b, der.len, salt, sizeof(salt)); /* the inner one is first */
    assert_non_null(at);
    at[4] = 0x20;
    assert_int_equal(
            snp_vek_new(t, SPAN(b, der.len), NULL, 0, &v, NULL), ERR_SYNTAX);
    assert_null(v);
}

static void a_vcek_without_hwid_vouches_for_no_chip(void **state)
{
    struct snp_fixture_cert c = snp_fixture_vcek();
    TRUST *t = snp_fixture_trust();

    (void)state;
    c.hwid = SPAN_EMPTY;
    VEK *v = vek_of(t, &c, NULL, 0);
    assert_int_equal(reasons_at(v, SNP_FIXTURE_AT), R(HWID_MISMATCH));
}

static void a_root_vouches_for_its_product_alone(void **state)
{
    struct snp_fixture_cert c = snp_fixture_vcek(), ark = snp_fixture_ark();
    struct snp_fixture_cert ask = snp_fixture_ask();
    TRUST *t = snp_trust_new(), *any = snp_trust_new();

    (void)state;
    ark.subject = ark.issuer = ask.issuer = "ARK-Genoa";
    assert_int_equal(snp_trust_add(t, snp_fixture_make(&ark), NULL), 0);
    assert_int_equal(snp_trust_add(t, snp_fixture_make(&ask), NULL), 0);
    VEK *v = vek_of(t, &c, NULL, 0);
    assert_true(snp_vek_info(v)->chain);
    assert_int_equal(reasons_at(v, SNP_FIXTURE_AT), R(PRODUCT_MISMATCH));
    ark.subject = ark.issuer = ask.issuer = "A test root";
    assert_int_equal(snp_trust_add(any, snp_fixture_make(&ark), NULL), 0);
    assert_int_equal(snp_trust_add(any, snp_fixture_make(&ask), NULL), 0);
    VEK *w = vek_of(any, &c, NULL, 0);
    assert_int_equal(reasons_at(w, SNP_FIXTURE_AT), 0);
}

static void trust_takes_cas_of_the_profile_alone(void **state)
{
    struct snp_fixture_cert bad[6];
    TRUST *t = snp_trust_new();
    uint8_t junk[] = "-----BEGIN CERTIFICATE-----\nAAAA\n";

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        bad[i] = snp_fixture_ark();
    bad[0].signer = SNP_FIXTURE_EVIL; /* its own name, not its own key */
    bad[1].key = bad[1].signer = SNP_FIXTURE_SMALL;
    bad[2].key_usage = 0x02; /* CRLs alone */
    bad[3] = snp_fixture_vcek();
    bad[4].sha256 = true;
    bad[5].key = SNP_FIXTURE_VEK;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (snp_trust_add(t, snp_fixture_make(&bad[i]), NULL) == 0)
            fail_msg("CA %zu", i);
    }
    assert_int_equal(snp_trust_add(t, SPAN_EMPTY, NULL), ERR_SYNTAX);
    assert_int_equal(snp_trust_add(t, span_str("hello"), NULL), ERR_SYNTAX);
    assert_int_not_equal(snp_trust_add(t, SPAN_OF(junk), NULL), 0);
    /* Nothing of these became a root. */
    struct snp_fixture_cert c = snp_fixture_vcek(), ask = snp_fixture_ask();
    assert_int_equal(snp_trust_add(t, snp_fixture_make(&ask), NULL), 0);
    VEK *v = vek_of(t, &c, NULL, 0);
    assert_int_equal(reasons_at(v, SNP_FIXTURE_AT), R(CHAIN));
    /* The root that comes later makes the CA good. */
    struct snp_fixture_cert ark = snp_fixture_ark();
    assert_int_equal(snp_trust_add(t, snp_fixture_make(&ark), NULL), 0);
    VEK *w = vek_of(t, &c, NULL, 0);
    assert_int_equal(reasons_at(w, SNP_FIXTURE_AT), 0);
}

static void trust_is_bounded(void **state)
{
    TRUST *t = snp_trust_new();
    struct snp_fixture_cert c = snp_fixture_ask();
    int rc = 0;

    (void)state;
    for (uint32_t i = 0; rc == 0 && i <= SNP_TRUST_CERTS_MAX; i++) {
        c.serial = i;
        rc = snp_trust_add(t, snp_fixture_make(&c), NULL);
        assert_int_equal(rc, i < SNP_TRUST_CERTS_MAX ? 0 : ERR_LIMIT);
    }
    c.serial = 1; /* known already */
    (void)rc;
}

static void a_path_limit_of_a_root_is_kept(void **state)
{
    struct snp_fixture_cert ark = snp_fixture_ark(), ask = snp_fixture_ask();
    struct snp_fixture_cert c = snp_fixture_vcek();
    TRUST *t = snp_trust_new();

    (void)state;
    ark.path_limit = 0; /* no CA below it */
    assert_int_equal(snp_trust_add(t, snp_fixture_make(&ark), NULL), 0);
    assert_int_equal(snp_trust_add(t, snp_fixture_make(&ask), NULL), 0);
    VEK *v = vek_of(t, &c, NULL, 0);
    assert_int_equal(reasons_at(v, SNP_FIXTURE_AT), R(CHAIN));
}

/* ---- revocation -------------------------------------------------------- */

static struct snp_fixture_crl crl_of(const uint32_t *serials, size_t n)
{
    return (struct snp_fixture_crl){.signer = SNP_FIXTURE_AMD,
            .issuer = "ARK-Milan",
            .this_update = SNP_FIXTURE_FROM + 1000,
            .next_update = SNP_FIXTURE_AT + 1000,
            .serials = serials,
            .n = n};
}

static void revoked_cas_are_refused_and_others_not(void **state)
{
    static const uint32_t ask[] = {77, 2}, asvk[] = {3}, ark[] = {1};
    const struct {
        const uint32_t *serials;
        size_t n;
        uint64_t vcek, vlek;
    } cases[] = {{NULL, 0, 0, 0}, {ask, 2, R(REVOKED), 0},
            {asvk, 1, 0, R(REVOKED)}, {ark, 1, R(REVOKED), R(REVOKED)}};
    struct snp_fixture_cert c = snp_fixture_vcek(), l = snp_fixture_vlek();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct snp_fixture_crl crl = crl_of(cases[i].serials, cases[i].n);
        TRUST *t = snp_fixture_trust();
        struct err err = {0};

        if (snp_trust_add_crl(t, snp_fixture_make_crl(&crl), &err) != 0)
            fail_msg("%s", err.msg);
        VEK *vcek = vek_of(t, &c, NULL, 0);
        VEK *vlek = vek_of(t, &l, NULL, 0);
        assert_int_equal(reasons_at(vcek, SNP_FIXTURE_AT), cases[i].vcek);
        assert_int_equal(reasons_at(vlek, SNP_FIXTURE_AT), cases[i].vlek);
        assert_int_equal(snp_vek_info(vcek)->crl_next_update, crl.next_update);
    }
}

static void a_crl_has_its_time(void **state)
{
    struct snp_fixture_cert c = snp_fixture_vcek();
    struct snp_fixture_crl crl = crl_of(NULL, 0);
    struct snp_policy p = snp_policy_strict();
    TRUST *t = snp_fixture_trust();
    uint8_t b[SNP_REPORT_SIZE];
    struct snp_verdict v;
    const struct {
        uint64_t at, reasons;
    } times[] = {{crl.this_update - 1, R(CRL_STALE)}, {crl.this_update, 0},
            {crl.next_update, 0}, {crl.next_update + 1, R(CRL_STALE)}};

    (void)state;
    p.require_crl = true;
    assert_int_equal(snp_trust_add_crl(t, snp_fixture_make_crl(&crl), NULL), 0);
    VEK *vek = vek_of(t, &c, NULL, 0);
    snp_fixture_report(b);
    snp_fixture_sign(b, SNP_FIXTURE_VEK);
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        snp_verify(SPAN_OF(b), vek, times[i].at, &p, &v);
        assert_int_equal(v.reasons, times[i].reasons);
    }
}

static void crls_of_others_and_older_ones_are_refused(void **state)
{
    struct snp_fixture_crl good = crl_of(NULL, 0), bad[4];
    TRUST *t = snp_fixture_trust(), *empty = snp_trust_new();
    struct span der = snp_fixture_make_crl(&good);
    uint8_t flipped[2048];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        bad[i] = good;
    bad[0].signer = SNP_FIXTURE_EVIL;
    bad[1].issuer = "ARK-Genoa";
    bad[2].critical_extra = true;
    bad[3].this_update--;
    assert_int_equal(snp_trust_add_crl(empty, der, NULL), ERR_MISMATCH);
    assert_int_equal(snp_trust_add_crl(t, der, NULL), 0);
    assert_int_equal(snp_trust_add_crl(t, der, NULL), 0);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (snp_trust_add_crl(t, snp_fixture_make_crl(&bad[i]), NULL) == 0)
            fail_msg("CRL %zu", i);
    }
    assert_true(der.len <= sizeof(flipped));
    memcpy(flipped, der.ptr, der.len);
    for (size_t bit = 0; bit < der.len * 8; bit += 3) {
        flipped[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (snp_trust_add_crl(t, SPAN(flipped, der.len), NULL) == 0)
            fail_msg("bit %zu", bit);
        flipped[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t len = 0; len < der.len; len++)
        assert_int_not_equal(snp_trust_add_crl(t, SPAN(flipped, len), NULL), 0);
}

static void a_crl_needs_a_root_that_may_sign_it(void **state)
{
    struct snp_fixture_cert ark = snp_fixture_ark();
    struct snp_fixture_crl crl = crl_of(NULL, 0);
    TRUST *t = snp_trust_new();

    (void)state;
    ark.key_usage = 0x04; /* certificates alone */
    assert_int_equal(snp_trust_add(t, snp_fixture_make(&ark), NULL), 0);
    assert_int_equal(snp_trust_add_crl(t, snp_fixture_make_crl(&crl), NULL),
            ERR_MISMATCH);
}

/* ---- the host's table --------------------------------------------------- */

static const uint8_t guid_vcek[16] = {0x8d, 0x75, 0xda, 0x63, 0x64, 0xe6, 0x64,
        0x45, 0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac, 0xcd};
static const uint8_t guid_ask[16] = {0x79, 0xb3, 0xb7, 0x4a, 0xac, 0xbb, 0xe4,
        0x4f, 0xa0, 0x2f, 0x05, 0xae, 0xf3, 0x27, 0xc7, 0x82};

static void put_entry(
        uint8_t *p, const uint8_t *guid, uint8_t offset, uint8_t len)
{
    memset(p, 0, 24);
    memcpy(p, guid, 16);
    p[16] = offset;
    p[20] = len;
}

static void the_hosts_table_stays_in_its_bounds(void **state)
{
    static const uint8_t other[16] = {1};
    uint8_t t[128] = {0};
    struct snp_table got;

    (void)state;
    put_entry(t, guid_vcek, 96, 8);
    put_entry(t + 24, guid_ask, 104, 24);
    put_entry(t + 48, other, 96, 4);
    memset(t + 96, 0x5a, 32);
    assert_int_equal(snp_table_parse(SPAN_OF(t), &got, NULL), 0);
    assert_ptr_equal(got.vcek.ptr, t + 96);
    assert_int_equal(got.vcek.len, 8);
    assert_int_equal(got.ask.len, 24);
    assert_int_equal(got.ark.len + got.vlek.len + got.crl.len, 0);
    assert_int_equal(got.unknown, 1);
    /* Each length of the table that cuts it. */
    for (size_t len = 0; len < sizeof(t); len++)
        assert_int_equal(snp_table_parse(SPAN(t, len), &got, NULL), ERR_SYNTAX);
    for (unsigned kind = 0; kind < 6; kind++) {
        uint8_t b[128];
        static const struct {
            uint8_t at, value;
        } bad[] = {
                {20, 33}, {16, 95}, {16, 128}, {20, 0}, {19, 0xff}, {23, 0xff}};

        memcpy(b, t, sizeof(b));
        b[bad[kind].at] = bad[kind].value;
        if (snp_table_parse(SPAN_OF(b), &got, NULL) != ERR_SYNTAX)
            fail_msg("entry %u", kind);
    }
    put_entry(t + 48, guid_vcek, 96, 4); /* a second VCEK */
    assert_int_equal(snp_table_parse(SPAN_OF(t), &got, NULL), ERR_SYNTAX);
}

static void the_hosts_table_is_bounded(void **state)
{
    static const uint8_t other[16] = {1};
    uint8_t t[24 * 19] = {0};
    struct snp_table got;

    (void)state;
    for (size_t i = 0; i < 17; i++)
        put_entry(t + i * 24, other, 255, 1);
    assert_int_equal(snp_table_parse(SPAN_OF(t), &got, NULL), ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(good_chains_hold_in_der_and_pem),
            cmocka_unit_test(hwid_may_be_wrapped),
            cmocka_unit_test(both_ends_of_every_validity_count),
            cmocka_unit_test(broken_chains_are_seen),
            cmocka_unit_test(certificates_with_the_report_are_never_roots),
            cmocka_unit_test(a_vek_signs_no_vek),
            cmocka_unit_test(certificates_out_of_profile_are_refused),
            cmocka_unit_test(two_algorithms_in_one_certificate_are_refused),
            cmocka_unit_test(a_vcek_without_hwid_vouches_for_no_chip),
            cmocka_unit_test(a_root_vouches_for_its_product_alone),
            cmocka_unit_test(trust_takes_cas_of_the_profile_alone),
            cmocka_unit_test(trust_is_bounded),
            cmocka_unit_test(a_path_limit_of_a_root_is_kept),
            cmocka_unit_test(revoked_cas_are_refused_and_others_not),
            cmocka_unit_test(a_crl_has_its_time),
            cmocka_unit_test(crls_of_others_and_older_ones_are_refused),
            cmocka_unit_test(a_crl_needs_a_root_that_may_sign_it),
            cmocka_unit_test(the_hosts_table_stays_in_its_bounds),
            cmocka_unit_test(the_hosts_table_is_bounded),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
