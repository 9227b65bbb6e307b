/* SPDX-License-Identifier: Apache-2.0 */
/* What an owner demands of a report beyond its being authentic. */
#include "snp_private.h"

struct snp_policy snp_policy_strict(void)
{
    return (struct snp_policy){
            .vmpl = {true, false, false, false},
            .policy_clear = SNP_POLICY_DEBUG | SNP_POLICY_MIGRATE_MA,
    };
}

static uint64_t check_vmpl(const struct snp_policy *p, uint32_t vmpl)
{
    static const enum snp_reason reason[] = {
            SNP_R_VMPL0, SNP_R_VMPL1, SNP_R_VMPL2, SNP_R_VMPL3};

    if (vmpl == SNP_VMPL_HOST)
        return p->vmpl_host ? 0 : SNP_REASON(SNP_R_VMPL_HOST);
    if (vmpl > 3) /* has a reason of its own */
        return 0;
    return p->vmpl[vmpl] ? 0 : SNP_REASON(reason[vmpl]);
}

static uint64_t check_bits(
        const struct snp_policy *p, const struct snp_report *r)
{
    uint64_t wrong =
            (r->policy & p->policy_clear) | (~r->policy & p->policy_set);
    uint64_t bad = 0;

    if (wrong & SNP_POLICY_DEBUG)
        bad |= SNP_REASON(SNP_R_DEBUG);
    if (wrong & SNP_POLICY_MIGRATE_MA)
        bad |= SNP_REASON(SNP_R_MIGRATE_MA);
    if (wrong & ~(SNP_POLICY_DEBUG | SNP_POLICY_MIGRATE_MA))
        bad |= SNP_REASON(SNP_R_GUEST_POLICY);
    wrong = (r->platform_info & p->platform_clear) |
            (~r->platform_info & p->platform_set);
    if (wrong & SNP_PLATFORM_ALIAS_CHECK)
        bad |= SNP_REASON(SNP_R_ALIAS_CHECK);
    if (wrong & ~SNP_PLATFORM_ALIAS_CHECK)
        bad |= SNP_REASON(SNP_R_PLATFORM_INFO);
    return bad;
}

/*
 * Firmware never commits or reports more than it runs.  A floor for another
 * product says nothing about this one, and that is a refusal: it is undecided.
 */
static uint64_t check_tcb(
        const struct snp_policy *p, const struct snp_verdict *v)
{
    const struct {
        const struct snp_tcb *tcb;
        enum snp_reason reason;
    } parts[] = {
            {&v->reported, SNP_R_REPORTED_TCB},
            {&v->current, SNP_R_CURRENT_TCB},
            {&v->committed, SNP_R_COMMITTED_TCB},
            {&v->launch, SNP_R_LAUNCH_TCB},
    };
    bool decided = v->has_tcb && p->has_floor[v->product], any = false;
    uint64_t bad = 0;

    /* A reported one that is not the certificate's has its reason already. */
    if (v->has_tcb &&
            (!snp_tcb_at_least(&v->current, &v->committed) ||
                    (!(v->reasons & SNP_REASON(SNP_R_TCB_MISMATCH)) &&
                            !snp_tcb_at_least(&v->current, &v->reported))))
        bad |= SNP_REASON(SNP_R_TCB_ORDER);
    if (v->has_tcb && p->refuse_provisional &&
            !snp_tcb_eq(&v->current, &v->committed))
        bad |= SNP_REASON(SNP_R_PROVISIONAL);
    for (size_t i = 0; i < ARRAY_LEN(p->has_floor); i++)
        any = any || p->has_floor[i];
    for (size_t i = 0; any && i < ARRAY_LEN(parts); i++) {
        if (!decided || !snp_tcb_at_least(parts[i].tcb, &p->floor[v->product]))
            bad |= SNP_REASON(parts[i].reason);
    }
    return bad;
}

static bool is_older(const struct snp_firmware *a, const struct snp_firmware *b)
{
    if (a->major != b->major)
        return a->major < b->major;
    if (a->minor != b->minor)
        return a->minor < b->minor;
    return a->build < b->build;
}

static uint64_t check_versions(
        const struct snp_policy *p, const struct snp_report *r)
{
    uint64_t bad = 0;

    if (is_older(&r->current_fw, &p->min_fw) ||
            is_older(&r->committed_fw, &p->min_fw))
        bad |= SNP_REASON(SNP_R_FIRMWARE);
    if (~(r->launch_mit & r->current_mit) & p->mitigations)
        bad |= SNP_REASON(SNP_R_MITIGATION);
    if (r->guest_svn < p->min_guest_svn)
        bad |= SNP_REASON(SNP_R_GUEST_SVN);
    return bad;
}

static uint64_t check_key(const struct snp_policy *p,
        const struct snp_verdict *v, const struct snp_vek_info *vek,
        uint64_t unix_s)
{
    uint64_t bad = 0;

    if (p->refuse_vlek && v->report.signing_key != SNP_KEY_VCEK)
        bad |= SNP_REASON(SNP_R_VLEK);
    if (p->refuse_masked_chip && v->chip_masked)
        bad |= SNP_REASON(SNP_R_CHIP_MASKED);
    if (p->refuse_product[v->product])
        bad |= SNP_REASON(SNP_R_PRODUCT_REFUSED);
    if (p->require_crl && (!vek || vek->crl_next_update == 0))
        bad |= SNP_REASON(SNP_R_CRL_MISSING);
    else if (p->require_crl &&
             (unix_s < vek->crl_this_update || unix_s > vek->crl_next_update))
        bad |= SNP_REASON(SNP_R_CRL_STALE);
    return bad;
}

/* An empty wish is any; one of another length is never met. */
static uint64_t differs(struct span want, struct span got, enum snp_reason r)
{
    return want.len == 0 || span_eq_ct(want, got) ? 0 : SNP_REASON(r);
}

uint64_t snp_policy_check(const struct snp_policy *p,
        const struct snp_verdict *v, const struct snp_vek_info *vek,
        uint64_t unix_s)
{
    const struct snp_report *r = &v->report;

    return check_vmpl(p, r->vmpl) | check_bits(p, r) | check_tcb(p, v) |
           check_versions(p, r) | check_key(p, v, vek, unix_s) |
           differs(p->report_data, r->report_data, SNP_R_REPORT_DATA) |
           differs(p->measurement, r->measurement, SNP_R_MEASUREMENT) |
           differs(p->host_data, r->host_data, SNP_R_HOST_DATA) |
           differs(p->chip_id, r->chip_id, SNP_R_CHIP_ID) |
           differs(p->id_key_digest, r->id_key_digest, SNP_R_ID_KEY) |
           differs(p->author_key_digest, r->author_key_digest,
                   SNP_R_AUTHOR_KEY);
}
