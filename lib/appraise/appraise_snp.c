/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Claims of an SEV-SNP report that came along: a guest, by the word of its
 * processor.  The report is bound to the channel as the quote is, so that an
 * old one or one made for somebody else is refused.  It does not name the
 * zone's TPM: whoever has a guest of his own can have it report for this
 * channel.  Which machine and which launch it may be is for the rules.
 */
#include "appraise_private.h"

#include "snp.h"

#define SOURCE "SNP report"
#define CERTS  "AMD certificates"

/* TCB versions as the rules compare them: by component. */
static void add_tcb(struct claims *c, const char *name, enum snp_product p,
        const struct snp_tcb *t)
{
    const uint64_t part[] = {
            t->fmc, t->bootloader, t->tee, t->snp, t->microcode};
    bool turin = p == SNP_TURIN;

    claims_add_parts(c, name, turin ? part : part + 1,
            turin ? ARRAY_LEN(part) : ARRAY_LEN(part) - 1, SOURCE);
}

static void add_firmware(
        struct claims *c, const char *name, const struct snp_firmware *f)
{
    const uint64_t part[] = {f->major, f->minor, f->build};

    claims_add_parts(c, name, part, ARRAY_LEN(part), SOURCE);
}

static void add_versions(struct claims *c, const struct snp_verdict *v)
{
    const struct snp_report *r = &v->report;

    add_tcb(c, "snp.tcb.reported", v->product, &v->reported);
    add_tcb(c, "snp.tcb.current", v->product, &v->current);
    add_tcb(c, "snp.tcb.committed", v->product, &v->committed);
    add_tcb(c, "snp.tcb.launch", v->product, &v->launch);
    add_firmware(c, "snp.firmware", &r->current_fw);
    add_firmware(c, "snp.firmware.committed", &r->committed_fw);
    claims_add_bool(c, "snp.firmware.provisional",
            !snp_tcb_eq(&v->current, &v->committed), SOURCE);
    if (r->version < 5) /* it does not say */
        return;
    claims_add_number(c, "snp.mit.launch", r->launch_mit, SOURCE);
    claims_add_number(c, "snp.mit.current", r->current_mit, SOURCE);
}

static void add_bits(struct claims *c, const struct snp_report *r)
{
    static const struct {
        const char *name;
        uint64_t bit;
    } policy[] =
            {
                    {"snp.policy.smt", SNP_POLICY_SMT},
                    {"snp.policy.migrate_ma", SNP_POLICY_MIGRATE_MA},
                    {"snp.policy.debug", SNP_POLICY_DEBUG},
                    {"snp.policy.single_socket", SNP_POLICY_SINGLE_SOCKET},
                    {"snp.policy.cxl", SNP_POLICY_CXL_ALLOW},
                    {"snp.policy.aes256_xts", SNP_POLICY_AES_256_XTS},
                    {"snp.policy.rapl_dis", SNP_POLICY_RAPL_DIS},
                    {"snp.policy.ciphertext_hiding",
                            SNP_POLICY_CIPHERTEXT_HIDING},
                    {"snp.policy.page_swap_disable",
                            SNP_POLICY_PAGE_SWAP_DISABLE},
            },
      platform[] = {
              {"snp.platform.smt", SNP_PLATFORM_SMT},
              {"snp.platform.tsme", SNP_PLATFORM_TSME},
              {"snp.platform.ecc", SNP_PLATFORM_ECC},
              {"snp.platform.rapl_dis", SNP_PLATFORM_RAPL_DIS},
              {"snp.platform.ciphertext_hiding",
                      SNP_PLATFORM_CIPHERTEXT_HIDING},
              {"snp.platform.alias_check", SNP_PLATFORM_ALIAS_CHECK},
              {"snp.platform.tio", SNP_PLATFORM_TIO},
      };
    const uint64_t abi[] = {r->policy >> 8 & 0xff, r->policy & 0xff};

    claims_add_number(c, "snp.policy", r->policy, SOURCE);
    claims_add_parts(c, "snp.policy.abi", abi, ARRAY_LEN(abi), SOURCE);
    for (size_t i = 0; i < ARRAY_LEN(policy); i++)
        claims_add_bool(
                c, policy[i].name, (r->policy & policy[i].bit) != 0, SOURCE);
    claims_add_number(c, "snp.platform", r->platform_info, SOURCE);
    for (size_t i = 0; i < ARRAY_LEN(platform); i++)
        claims_add_bool(c, platform[i].name,
                (r->platform_info & platform[i].bit) != 0, SOURCE);
}

static void add_key(struct claims *c, const struct snp_verdict *v,
        const struct snp_vek_info *vek)
{
    uint8_t digest[CRYPTO_SHA256_SIZE];

    crypto_sha256(vek->der, digest);
    claims_add_text(
            c, "snp.product", span_str(snp_product_name(v->product)), CERTS);
    claims_add_text(c, "snp.key",
            span_str(vek->kind == SNP_KEY_VLEK ? "vlek" : "vcek"), CERTS);
    if (vek->csp_id.len > 0)
        claims_add_text(c, "snp.csp", vek->csp_id, CERTS);
    claims_add_bytes(c, "snp.vek", SPAN_OF(digest), CERTS);
    claims_add_bool(c, "snp.chip_id.masked", v->chip_masked, SOURCE);
    if (!v->chip_masked)
        claims_add_bytes(c, "snp.chip_id", v->report.chip_id, SOURCE);
}

static void add_guest(struct claims *c, const struct snp_report *r)
{
    bool host = r->vmpl == SNP_VMPL_HOST;

    claims_add_number(c, "snp.version", r->version, SOURCE);
    claims_add_bool(c, "snp.host", host, SOURCE);
    if (!host)
        claims_add_number(c, "snp.vmpl", r->vmpl, SOURCE);
    claims_add_bytes(c, "snp.measurement", r->measurement, SOURCE);
    claims_add_bytes(c, "snp.host_data", r->host_data, SOURCE);
    claims_add_bytes(c, "snp.family_id", r->family_id, SOURCE);
    claims_add_bytes(c, "snp.image_id", r->image_id, SOURCE);
    claims_add_number(c, "snp.guest_svn", r->guest_svn, SOURCE);
    claims_add_bytes(c, "snp.id_key_digest", r->id_key_digest, SOURCE);
    claims_add_bytes(c, "snp.author_key_digest", r->author_key_digest, SOURCE);
    claims_add_bytes(c, "snp.report_id", r->report_id, SOURCE);
    claims_add_bytes(c, "snp.migration_agent", r->report_id_ma, SOURCE);
}

/* REPORT_DATA: the binder and zeros (docs/proto/evidence.md, 2). */
static bool is_bound(const struct snp_report *r, struct span binder)
{
    static const uint8_t zero[32];

    return span_eq_ct(SPAN(r->report_data.ptr, 32), binder) &&
           span_eq(SPAN(r->report_data.ptr + 32, 32), SPAN_OF(zero));
}

/* The first thing that is wrong: policy's reasons do not count here. */
static const char *first_reason(const struct snp_verdict *v)
{
    unsigned r = 0;

    while (r < SNP_R_POLICY && !(v->reasons & SNP_REASON(r)))
        r++;
    return snp_reason_text((enum snp_reason)r);
}

static void judge(struct appraise_work *w, const struct snp_vek *vek)
{
    struct claims *c = &w->detail->claims;
    struct snp_verdict v;

    snp_verify(w->e.part[EVIDENCE_SNP_REPORT], vek, w->in->time, NULL, &v);
    if (!v.authentic) {
        appraise_note(w, SOURCE, first_reason(&v));
        return;
    }
    if (!is_bound(&v.report, w->in->binder)) {
        appraise_note(w, SOURCE, "it was made for another channel or moment");
        return;
    }
    add_guest(c, &v.report);
    add_key(c, &v, snp_vek_info(vek));
    add_bits(c, &v.report);
    add_versions(c, &v);
}

void appraise_snp(struct appraise_work *w)
{
    CLEANUP(snp_trust_free_ptr) struct snp_trust *amd = NULL;
    CLEANUP(snp_vek_free_ptr) struct snp_vek *vek = NULL;
    const struct snp_trust *trust = w->in->amd;
    struct snp_table table;
    struct snp_report r;
    struct err err = {0};

    if (w->e.part[EVIDENCE_SNP_REPORT].len == 0) {
        if (w->e.part[EVIDENCE_SNP_CERTS].len > 0)
            appraise_note(w, CERTS, "there is no report that they are for");
        return;
    }
    if (!trust)
        trust = amd = snp_trust_new_amd();
    if (!trust) {
        appraise_note(w, CERTS, "no memory");
        return;
    }
    if (snp_report_parse(w->e.part[EVIDENCE_SNP_REPORT], &r, &err) != 0 ||
            snp_table_parse(w->e.part[EVIDENCE_SNP_CERTS], &table, &err) != 0 ||
            snp_vek_of_table(trust, &table, &r, &vek, &err) != 0) {
        appraise_note(w, SOURCE, err.msg);
        return;
    }
    judge(w, vek);
}
