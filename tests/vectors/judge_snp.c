/* SPDX-License-Identifier: Apache-2.0 */
/* SEV-SNP reports: report, certificate, roots and a time. */
#include "snp.h"
#include "vectors.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const known[] = {"parse", "chain", "issuer", "time_valid",
        "signature", "tcb_match", "hwid_match", "cert_tcb", "cert_kind",
        "key_kind_match", "cert_hwid", "cert_csp_id", "verdict_authentic",
        "verdict_strict", "reasons",
        "product", /* of the report alone: null where only a VEK tells */
        NULL};
static const char *const known_fields[] = {"version", "guest_svn", "policy",
        "family_id", "image_id", "vmpl", "sig_algo", "current_tcb",
        "platform_info", "key_info", "signing_key", "mask_chip_key",
        "author_key_en", "report_data", "measurement", "host_data",
        "id_key_digest", "author_key_digest", "report_id", "report_id_ma",
        "reported_tcb", "cpuid", "chip_id", "committed_tcb", "current_fw",
        "committed_fw", "launch_tcb", "launch_mit_vector", "current_mit_vector",
        NULL};
static const char *const known_tcb[] = {
        "fmc", "bl", "tee", "snp", "ucode", NULL};

/* ---- inputs ---------------------------------------------------------- */

static int is_certificate(const struct dirent *e)
{
    const char *dot = strrchr(e->d_name, '.');

    return dot && (strcmp(dot, ".der") == 0 || strcmp(dot, ".pem") == 0 ||
                          strcmp(dot, ".crt") == 0 || strcmp(dot, ".crl") == 0);
}

/* Every certificate of the folder, then the revocation lists. */
static void load_trust(
        struct vectors_case *c, const char *roots, struct snp_trust *t)
{
    struct dirent **entries;
    char path[4096];
    int n;

    vectors_path(c, roots, path);
    n = scandir(path, &entries, is_certificate, alphasort);
    for (int crls = 0; crls < 2; crls++) {
        for (int i = 0; i < n; i++) {
            const char *name = entries[i]->d_name, *dot = strrchr(name, '.');
            bool is_crl = strcmp(dot, ".crl") == 0;
            struct err err = {0};
            struct span bytes;
            int rc;

            if (is_crl != (crls == 1))
                continue;
            (void)snprintf(path, sizeof(path), "%s/%s", roots, name);
            bytes = vectors_load(c, path);
            rc = is_crl ? snp_trust_add_crl(t, bytes, &err)
                        : snp_trust_add(t, bytes, &err);
            if (rc)
                vectors_complain(c, "%s: %s", path, err.msg);
        }
    }
    if (n <= 0)
        vectors_complain(c, "%s: no roots", roots);
}

/* ---- comparison ------------------------------------------------------ */

/* null says that there is nothing to compare. */
static bool says_null(json_t *o, const char *name)
{
    return json_is_null(json_object_get(o, name));
}

static void is_tcb(struct vectors_case *c, json_t *o, const char *name,
        const struct snp_tcb *got)
{
    json_t *t = json_object_get(o, name);

    if (!json_is_object(t))
        return;
    vectors_known(c, t, known_tcb);
    vectors_is_u64(c, t, "fmc", got->fmc);
    vectors_is_u64(c, t, "bl", got->bootloader);
    vectors_is_u64(c, t, "tee", got->tee);
    vectors_is_u64(c, t, "snp", got->snp);
    vectors_is_u64(c, t, "ucode", got->microcode);
    if (got->fmc && !json_object_get(t, "fmc"))
        vectors_complain(c, "%s: an fmc that is not expected", name);
}

static void is_firmware(struct vectors_case *c, json_t *o, const char *name,
        const struct snp_firmware *got)
{
    char text[16];

    (void)snprintf(
            text, sizeof(text), "%u.%u.%u", got->major, got->minor, got->build);
    vectors_is_text(c, o, name, text);
}

static const char *key_name(unsigned kind)
{
    return kind == SNP_KEY_VCEK   ? "VCEK"
           : kind == SNP_KEY_VLEK ? "VLEK"
           : kind == SNP_KEY_NONE ? "NONE"
                                  : "reserved";
}

static void compare_spans(
        struct vectors_case *c, json_t *f, const struct snp_report *r)
{
    vectors_is_hex(c, f, "family_id", r->family_id);
    vectors_is_hex(c, f, "image_id", r->image_id);
    vectors_is_hex(c, f, "report_data", r->report_data);
    vectors_is_hex(c, f, "measurement", r->measurement);
    vectors_is_hex(c, f, "host_data", r->host_data);
    vectors_is_hex(c, f, "id_key_digest", r->id_key_digest);
    vectors_is_hex(c, f, "author_key_digest", r->author_key_digest);
    vectors_is_hex(c, f, "report_id", r->report_id);
    vectors_is_hex(c, f, "report_id_ma", r->report_id_ma);
    vectors_is_hex(c, f, "chip_id", r->chip_id);
}

static void compare_fields(
        struct vectors_case *c, json_t *f, const struct snp_verdict *v)
{
    const struct snp_report *r = &v->report;
    const uint8_t cpuid[] = {r->family, r->model, r->stepping};
    json_t *cpu = json_object_get(f, "cpuid");

    vectors_known(c, f, known_fields);
    vectors_is_u64(c, f, "version", r->version);
    vectors_is_u64(c, f, "guest_svn", r->guest_svn);
    vectors_is_u64(c, f, "policy", r->policy);
    vectors_is_u64(c, f, "vmpl", r->vmpl);
    vectors_is_u64(c, f, "sig_algo", r->sig_algo);
    vectors_is_u64(c, f, "platform_info", r->platform_info);
    vectors_is_u64(c, f, "key_info", r->key_info);
    vectors_is_u64(c, f, "launch_mit_vector", r->launch_mit);
    vectors_is_u64(c, f, "current_mit_vector", r->current_mit);
    vectors_is_bool(c, f, "mask_chip_key", r->mask_chip_key);
    vectors_is_bool(c, f, "author_key_en", r->author_key_en);
    if (r->signing_key == SNP_KEY_VCEK || r->signing_key == SNP_KEY_VLEK)
        vectors_is_text(c, f, "signing_key", key_name(r->signing_key));
    compare_spans(c, f, r);
    is_firmware(c, f, "current_fw", &r->current_fw);
    is_firmware(c, f, "committed_fw", &r->committed_fw);
    for (size_t i = 0; cpu && i < sizeof(cpuid); i++) {
        if (json_integer_value(json_array_get(cpu, i)) != cpuid[i])
            vectors_complain(c, "cpuid[%zu]: got %u", i, cpuid[i]);
    }
    if (!v->has_tcb)
        return;
    is_tcb(c, f, "current_tcb", &v->current);
    is_tcb(c, f, "reported_tcb", &v->reported);
    is_tcb(c, f, "committed_tcb", &v->committed);
    is_tcb(c, f, "launch_tcb", &v->launch);
}

static bool has(const struct snp_verdict *v, enum snp_reason r)
{
    return v->reasons & SNP_REASON(r);
}

static void compare_vek(struct vectors_case *c, const struct snp_vek_info *i)
{
    const char *csp = vectors_text(c->expect, "cert_csp_id");

    is_tcb(c, c->expect, "cert_tcb", &i->tcb);
    vectors_is_text(c, c->expect, "cert_kind", key_name(i->kind));
    vectors_is_hex(c, c->expect, "cert_hwid", i->hwid);
    /* Its DER header may stand before it. */
    if (csp && !span_eq_str(i->csp_id, csp) &&
            (strlen(csp) < 2 || !span_eq_str(i->csp_id, csp + 2)))
        vectors_disagree(c, "cert_csp_id", csp, "another");
    if (i->wrong_ca)
        return;
    if (json_object_get(c->expect, "issuer") &&
            says_null(c->expect, "issuer") != (i->issuer == NULL))
        vectors_disagree(c, "issuer", i->issuer ? "none" : "one",
                i->issuer ? i->issuer : "none");
    vectors_is_text(c, c->expect, "issuer", i->issuer);
}

static unsigned find_reason(const char *word)
{
    unsigned r = 0;

    while (r < SNP_R_COUNT &&
            (r == SNP_R_POLICY || strcmp(word, snp_reason_word(r)) != 0))
        r++;
    return r;
}

/* Which of the reserved bits it was is said in more than one way. */
#define RESERVED                                                               \
    (SNP_REASON(SNP_R_RESERVED) | SNP_REASON(SNP_R_POLICY_RESERVED) |          \
            SNP_REASON(SNP_R_PLATFORM_RESERVED) |                              \
            SNP_REASON(SNP_R_VMPL_UNKNOWN))

/* What of our reasons an expected word stands for; foreign: this verifier has
 * no such word. */
static uint64_t reasons_of(
        const char *word, const struct snp_verdict *v, bool *ret_foreign)
{
    unsigned r = find_reason(word);
    uint64_t bit = r < SNP_R_COUNT ? SNP_REASON(r) : 0;

    *ret_foreign = bit == 0;
    if (v->reasons & bit)
        return bit;
    return bit & RESERVED ? v->reasons & RESERVED : 0;
}

/*
 * As sets.  A word that this verifier never says is another name for one of
 * ours that is not expected: it has to find one, and the verdicts, which are
 * compared apart, have to agree all the same.
 */
static void compare_reasons(struct vectors_case *c, const struct snp_verdict *v)
{
    json_t *want = json_object_get(c->expect, "reasons"), *one;
    uint64_t expected = 0, surplus;
    unsigned n_foreign = 0;
    size_t i;

    if (!json_is_array(want))
        return;
    json_array_foreach (want, i, one) {
        const char *word = json_string_value(one) ? json_string_value(one) : "";
        bool foreign;
        uint64_t ours = reasons_of(word, v, &foreign);

        if (foreign)
            n_foreign++;
        else if (!ours)
            vectors_complain(c, "reasons: %s expected", word);
        expected |= ours;
    }
    surplus = v->reasons & ~expected;
    for (unsigned r = 0; r < SNP_R_COUNT; r++) {
        if (!(surplus & SNP_REASON(r)))
            continue;
        if (n_foreign > 0)
            n_foreign--;
        else
            vectors_complain(c, "reasons: %s not expected", snp_reason_word(r));
    }
    if (n_foreign > 0)
        vectors_complain(c, "reasons: %u that are not seen here", n_foreign);
}

static void compare_verdict(struct vectors_case *c, const struct snp_verdict *v,
        const struct snp_vek_info *vek)
{
    bool parsed = !has(v, SNP_R_LENGTH);

    vectors_is_text(c, c->expect, "parse", parsed ? "ok" : "fail");
    vectors_is_text(c, c->expect, "verdict_authentic",
            v->authentic ? "accept" : "reject");
    vectors_is_text(c, c->expect, "verdict_strict",
            v->acceptable ? "accept" : "reject");
    compare_reasons(c, v);
    if (!parsed)
        return;
    /* Signatures that hold below a CA of the other kind: a matter of words,
     * not of the verdict, which has been compared. */
    if (!vek || !vek->wrong_ca)
        vectors_is_text(c, c->expect, "chain",
                has(v, SNP_R_CHAIN) || has(v, SNP_R_CERTIFICATE) ? "fail"
                                                                 : "ok");
    vectors_is_text(c, c->expect, "signature",
            has(v, SNP_R_SIGNATURE) || has(v, SNP_R_CERTIFICATE) ? "fail"
                                                                 : "ok");
    vectors_is_bool(c, c->expect, "time_valid", !has(v, SNP_R_CERT_TIME));
    vectors_is_bool(c, c->expect, "tcb_match", !has(v, SNP_R_TCB_MISMATCH));
    vectors_is_bool(c, c->expect, "key_kind_match", !has(v, SNP_R_KEY_KIND));
    vectors_is_bool(c, c->expect, "hwid_match", !has(v, SNP_R_HWID_MISMATCH));
    if (says_null(c->expect, "hwid_match") && v->hwid_compared)
        vectors_complain(c, "hwid_match: compared, though not expected");
}

/* ---- Azure's wrappings of the same report ------------------------------ */

static void check_hcl(
        struct vectors_case *c, struct span blob, struct span report)
{
    struct err err = {0};
    struct snp_hcl hcl;

    if (snp_hcl_parse(blob, &hcl, &err) != 0)
        vectors_complain(c, "HCL blob: %s", err.msg);
    else if (!span_eq(hcl.report, report))
        vectors_complain(c, "HCL blob: it holds another report");
}

/* {"report": [bytes of the blob], ...}. */
static void check_evidence(
        struct vectors_case *c, const char *name, struct span report)
{
    struct span text = vectors_load(c, name);
    json_t *o = json_loadb((const char *)text.ptr, text.len, 0, NULL), *one;
    json_t *bytes = json_object_get(o, "report");
    uint8_t *blob = malloc(json_array_size(bytes) + 1);
    size_t i;

    if (!json_is_array(bytes) || !blob) {
        vectors_complain(c, "%s: no report in it", name);
        return;
    }
    json_array_foreach (bytes, i, one)
        blob[i] = (uint8_t)json_integer_value(one);
    check_hcl(c, SPAN(blob, json_array_size(bytes)), report);
}

static void judge(struct vectors_case *c)
{
    const char *roots = vectors_file(c, "roots");
    struct snp_trust *t = snp_trust_new();
    struct span report = vectors_load(c, vectors_file(c, "report"));
    struct snp_vek *vek = NULL;
    struct snp_verdict v;
    struct err err = {0};
    uint64_t at = 0;

    if (!t || !roots ||
            !vectors_time(vectors_text(c->json, "verify_time"), &at)) {
        vectors_complain(c, "no roots or no time");
        return;
    }
    vectors_known(c, c->expect, known);
    load_trust(c, roots, t);
    if (vectors_file(c, "vek") &&
            snp_vek_new(t, vectors_load(c, vectors_file(c, "vek")), NULL, 0,
                    &vek, &err) != 0 &&
            json_object_get(c->expect, "cert_kind"))
        vectors_complain(c, "vek: %s", err.msg);
    snp_verify(report, vek, at, NULL, &v);
    compare_verdict(c, &v, vek ? snp_vek_info(vek) : NULL);
    if (vek)
        compare_vek(c, snp_vek_info(vek));
    if (json_is_object(json_object_get(c->json, "fields")) &&
            !has(&v, SNP_R_LENGTH))
        compare_fields(c, json_object_get(c->json, "fields"), &v);
    if (vectors_file(c, "hcl-report.bin"))
        check_hcl(
                c, vectors_load(c, vectors_file(c, "hcl-report.bin")), report);
    if (vectors_file(c, "evidence.json"))
        check_evidence(c, vectors_file(c, "evidence.json"), report);
}

const struct vectors_kind vectors_snp[] = {
        {.name = "snp-report", .judge = judge},
        {0},
};
