/* SPDX-License-Identifier: Apache-2.0 */
#include "attest_ear.h"

#include "eat.h"

#include <stdio.h>

#define RESULT_MAX (64u << 10)

static const struct format {
    const char *name;
    enum ear_profile profile;
    int (*write)(const struct ear *e, struct buf *ret, struct err *err);
} formats[] = {
        {"veraison", EAR_PROFILE_VERAISON, ear_json},
        {"ietf", EAR_PROFILE_IETF, ear_json},
        {"veraison-cbor", EAR_PROFILE_VERAISON, ear_cbor},
        {"ietf-cbor", EAR_PROFILE_IETF, ear_cbor},
};

static const struct format *find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        if (strcmp(formats[i].name, name) == 0)
            return &formats[i];
    }
    return NULL;
}

int attest_ear_check(const char *format, struct err *err)
{
    return find(format) ? 0
                        : err_set(err, ERR_USAGE,
                                  "--ear is veraison or ietf, either with "
                                  "-cbor, not '%.20s'",
                                  format);
}

/* ---- lines of the rules ---------------------------------------------- */

static void add_line(struct ear_submod *m, const struct rules_judged *l)
{
    static const enum ear_outcome of[] = {[RULES_PASS] = EAR_PASSED,
            [RULES_FAIL] = EAR_FAILED,
            [RULES_UNDECIDED] = EAR_UNDECIDED};

    ear_add(m, l->line->name, of[l->outcome]);
}

/* Of the state that it is in, else of the one that the owner wants first. */
static void add_rules(struct ear_submod *m, const struct rules *r,
        const struct rules_verdict *v)
{
    const struct rules_state *s = v->state ? v->state : &r->state[0];

    for (size_t i = s->first; i < s->first + s->n && i < v->n; i++)
        add_line(m, &v->line[i]);
}

/* ---- what was found against it --------------------------------------- */

/* Claims of room rules that stand for a reason's subject. */
#define TPM   "tpm.ak"
#define FILES "zone.files"
#define PCRS  "firmware.pcr"

static const struct {
    const char *claim; /* NULL: a line of the rules said so already */
    enum ear_outcome outcome;
} reasons[APPRAISE_REASON_COUNT] = {
        [APPRAISE_MALFORMED] = {TPM, EAR_FORGED},
        [APPRAISE_NOT_QUOTE] = {TPM, EAR_FORGED},
        [APPRAISE_ZONE] = {TPM, EAR_FAILED},
        [APPRAISE_OTHER_AK] = {TPM, EAR_FAILED},
        [APPRAISE_AK_UNFIT] = {TPM, EAR_FAILED},
        [APPRAISE_SIGNATURE] = {TPM, EAR_FORGED},
        [APPRAISE_BINDER] = {TPM, EAR_FAILED},
        [APPRAISE_SELECTION] = {TPM, EAR_FAILED},
        [APPRAISE_BANK] = {TPM, EAR_FAILED},
        [APPRAISE_PCR_DIGEST] = {TPM, EAR_FORGED},
        [APPRAISE_CLOCK] = {TPM, EAR_FAILED},
        [APPRAISE_LOG] = {TPM, EAR_FORGED},
        [APPRAISE_REPLAY] = {TPM, EAR_FORGED},
        [APPRAISE_NO_REFERENCE] = {FILES, EAR_UNDECIDED},
        [APPRAISE_EXPIRED] = {FILES, EAR_UNDECIDED},
        [APPRAISE_PCR] = {PCRS, EAR_FAILED},
        [APPRAISE_FILE_DIFFERS] = {FILES, EAR_FAILED},
        [APPRAISE_FILE_MISSING] = {FILES, EAR_FAILED},
        [APPRAISE_FILE_EXTRA] = {FILES, EAR_FAILED},
        [APPRAISE_ORDER] = {FILES, EAR_FAILED},
        [APPRAISE_PART] = {TPM, EAR_FORGED},
};

static void add_finding(struct ear_submod *m, const struct appraise_finding *f)
{
    if (f->reason < APPRAISE_REASON_COUNT && reasons[f->reason].claim)
        ear_add(m, reasons[f->reason].claim, reasons[f->reason].outcome);
}

/* Without rules the reference alone decides: what it is about has passed. */
static void add_reference(struct ear_submod *m, const struct appraise_input *in)
{
    ear_add(m, FILES, EAR_PASSED);
    if (in->reference && in->reference->n_values > 1)
        ear_add(m, PCRS, EAR_PASSED);
}

/* A software TPM is no hardware: nobody may read it as a good one. */
static void add_emulated(struct ear_submod *m)
{
    m->seen[EAR_HARDWARE] = true;
    if (m->vector[EAR_HARDWARE] < EAR_WARNING)
        m->vector[EAR_HARDWARE] = EAR_WARNING;
}

static struct ear_submod judge(const struct appraise_input *in,
        const struct appraisal *a, const struct appraise_detail *d)
{
    struct ear_submod m = {.name = in->zone->name, .approved = a->accept};

    for (size_t i = 0; i < a->n_findings; i++)
        add_finding(&m, &a->finding[i]);
    if (a->genuine)
        ear_add(&m, TPM, EAR_PASSED);
    if (a->genuine && in->rules)
        add_rules(&m, in->rules->rules, &d->verdict);
    else if (a->accept)
        add_reference(&m, in);
    if (in->zone->emulated)
        add_emulated(&m);
    return m;
}

/* ---- the result ------------------------------------------------------ */

static void format_policy(const struct appraise_input *in,
        const struct appraisal *a, char *ret, size_t cap)
{
    char hex[TEXT_HEX_SIZE(CRYPTO_SHA256_SIZE)];

    if (in->rules)
        text_format_hex(SPAN_OF(in->rules->digest), hex);
    else if (in->reference)
        text_format_hex(SPAN_OF(in->reference->pcr_digest), hex);
    else
        hex[0] = 0;
    (void)snprintf(ret, cap, "%s %s, state %s",
            in->rules ? "qair:rules/v1" : "qair:reference/v1", hex, a->state);
}

static uint64_t until(const struct appraise_input *in)
{
    uint64_t a = in->reference ? in->reference->expires : 0;
    uint64_t b = in->rules ? in->rules->expires : 0;

    return a == 0 || (b != 0 && b < a) ? b : a;
}

int attest_ear_print(const char *format, const struct appraise_input *in,
        const struct appraisal *a, const struct appraise_detail *d,
        struct span nonce, struct err *err)
{
    CLEANUP(buf_fini) struct buf out = BUF_INIT(RESULT_MAX);
    const struct format *f = find(format);
    struct ear_submod m = judge(in, a, d);
    char policy[256];
    struct ear e = {.profile = f->profile,
            .iat = in->time,
            .has_exp = a->accept && until(in) != 0,
            .exp = until(in),
            .developer = "qair",
            .build = QAIR_VERSION,
            .nonce = nonce,
            .n_submods = 1,
            .submod = &m};
    int r;

    format_policy(in, a, policy, sizeof(policy));
    m.policy = policy;
    r = f->write(&e, &out, err);
    if (r != 0)
        return r;
    (void)fwrite(out.ptr, 1, out.len, stdout);
    if (f->write == ear_json)
        (void)putchar('\n');
    return 0;
}
