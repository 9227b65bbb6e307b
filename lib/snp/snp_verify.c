/* SPDX-License-Identifier: Apache-2.0 */
/* One report, one verified key, one time: every check runs and says so. */
#include "snp_private.h"

static bool signature_holds(
        const struct snp_report *r, const struct crypto_pub *vek)
{
    uint8_t rs[96];

    /* Zero, and n or more, are refused by the verification itself. */
    if (!snp_be48(r->r, rs) || !snp_be48(r->s, rs + 48))
        return false;
    return crypto_verify(vek, CRYPTO_SIG_ECDSA, CRYPTO_SHA384,
                   SPAN(r->raw.ptr, SNP_REPORT_SIGNED), SPAN_OF(rs)) == 0;
}

/* The product: by the processor, or in version 2 by the certificate. */
static uint64_t check_product(
        struct snp_verdict *v, const struct snp_vek_info *vek)
{
    enum snp_product told = snp_report_product(&v->report);
    uint64_t bad = 0;

    if (told == SNP_PRODUCT_UNKNOWN && v->report.version >= 3)
        bad |= SNP_REASON(SNP_R_PRODUCT);
    v->product = told;
    if (!vek)
        return bad;
    if (told == SNP_PRODUCT_UNKNOWN && v->report.version < 3)
        v->product = vek->product;
    if ((v->product != SNP_PRODUCT_UNKNOWN && v->product != vek->product) ||
            (vek->chain && vek->root_product != SNP_PRODUCT_UNKNOWN &&
                    vek->root_product != vek->product))
        bad |= SNP_REASON(SNP_R_PRODUCT_MISMATCH);
    return bad;
}

static uint64_t check_tcb(struct snp_verdict *v, const struct snp_vek_info *vek)
{
    const struct snp_report *r = &v->report;

    if (v->product == SNP_PRODUCT_UNKNOWN)
        return 0; /* has its reason, or no certificate to compare with */
    if (!snp_tcb_of(v->product, r->current_tcb, &v->current) ||
            !snp_tcb_of(v->product, r->reported_tcb, &v->reported) ||
            !snp_tcb_of(v->product, r->committed_tcb, &v->committed) ||
            !snp_tcb_of(v->product, r->launch_tcb, &v->launch))
        return SNP_REASON(SNP_R_RESERVED);
    v->has_tcb = true;
    return vek && !snp_tcb_eq(&v->reported, &vek->tcb)
                   ? SNP_REASON(SNP_R_TCB_MISMATCH)
                   : 0;
}

static uint64_t check_chip(
        struct snp_verdict *v, const struct snp_vek_info *vek)
{
    struct span id = v->report.chip_id;
    size_t n = vek->hwid.len;

    v->chip_masked = snp_is_zero(id);
    if (v->chip_masked || vek->kind == SNP_KEY_VLEK)
        return 0;
    v->hwid_compared = true;
    /* A VCEK without an HWID belongs to no chip: id is not zero. */
    return n <= id.len && span_eq(SPAN(id.ptr, n), vek->hwid) &&
                           snp_is_zero(SPAN(id.ptr + n, id.len - n))
                   ? 0
                   : SNP_REASON(SNP_R_HWID_MISMATCH);
}

static uint64_t check_key(
        struct snp_verdict *v, const struct snp_vek *vek, uint64_t unix_s)
{
    const struct snp_vek_info *i = snp_vek_info(vek);
    uint64_t bad = 0;

    if (!i->chain)
        bad |= SNP_REASON(SNP_R_CHAIN);
    if (i->revoked)
        bad |= SNP_REASON(SNP_R_REVOKED);
    if (unix_s < i->chain_not_before || unix_s > i->chain_not_after)
        bad |= SNP_REASON(SNP_R_CERT_TIME);
    if (!signature_holds(&v->report, snp_vek_pub(vek)))
        bad |= SNP_REASON(SNP_R_SIGNATURE);
    if (v->report.signing_key != (uint8_t)i->kind)
        bad |= SNP_REASON(SNP_R_KEY_KIND);
    return bad | check_chip(v, i);
}

void snp_verify(struct span report, const struct snp_vek *vek, uint64_t unix_s,
        const struct snp_policy *policy, struct snp_verdict *ret)
{
    const struct snp_vek_info *info = vek ? snp_vek_info(vek) : NULL;
    const struct snp_policy strict = snp_policy_strict();
    const uint64_t of_policy = ~(SNP_REASON(SNP_R_POLICY) - 1);
    struct snp_verdict v = {0};

    if (snp_report_parse(report, &v.report, NULL) != 0) {
        v.reasons = SNP_REASON(SNP_R_LENGTH);
        *ret = v;
        return;
    }
    v.reasons = snp_report_check(&v.report) | check_product(&v, info) |
                check_tcb(&v, info);
    v.chip_masked = snp_is_zero(v.report.chip_id);
    v.reasons |=
            vek ? check_key(&v, vek, unix_s) : SNP_REASON(SNP_R_CERTIFICATE);
    v.reasons |= snp_policy_check(policy ? policy : &strict, &v, info, unix_s);
    v.authentic = (v.reasons & ~of_policy) == 0;
    v.acceptable = v.reasons == 0;
    *ret = v;
}
