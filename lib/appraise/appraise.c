/* SPDX-License-Identifier: Apache-2.0 */
/* Is this that machine, now, and in a state that the owner approved? */
#include "appraise_private.h"

#include <stdio.h>

/*
 * Quotes of one boot may overtake each other on two channels; the binder
 * proves freshness, the clock that the TPM's state was not put back.
 */
#define CLOCK_SLACK_MS 10000
/* What firmware and loaders measure into: 0-9, 11-13, 15. */
#define FIRMWARE_PCRS 0x00bbffu

static const char *const reason_names[APPRAISE_REASON_COUNT] = {
        [APPRAISE_MALFORMED] = "malformed evidence",
        [APPRAISE_NOT_QUOTE] = "not a quote",
        [APPRAISE_ZONE] = "zone not trusted",
        [APPRAISE_OTHER_AK] = "other attestation key",
        [APPRAISE_AK_UNFIT] = "unfit attestation key",
        [APPRAISE_SIGNATURE] = "bad signature",
        [APPRAISE_BINDER] = "other binder",
        [APPRAISE_SELECTION] = "wrong PCR selection",
        [APPRAISE_BANK] = "weak PCR bank",
        [APPRAISE_PCR_DIGEST] = "PCR values not quoted",
        [APPRAISE_CLOCK] = "TPM clock went back",
        [APPRAISE_LOG] = "bad event log",
        [APPRAISE_REPLAY] = "event log does not give the PCR",
        [APPRAISE_NO_REFERENCE] = "no approved state",
        [APPRAISE_EXPIRED] = "approval expired",
        [APPRAISE_PCR] = "PCR differs",
        [APPRAISE_FILE_DIFFERS] = "file differs",
        [APPRAISE_FILE_MISSING] = "file missing",
        [APPRAISE_FILE_EXTRA] = "file not approved",
        [APPRAISE_ORDER] = "other order",
        [APPRAISE_RULE] = "rule not met",
        [APPRAISE_UNDECIDED] = "undecided",
        [APPRAISE_PART] = "part of the evidence not verified",
};

const char *appraise_reason_name(enum appraise_reason r)
{
    const char *s = r > 0 && r < APPRAISE_REASON_COUNT ? reason_names[r] : NULL;

    return s ? s : "unknown";
}

void appraise_add(struct appraisal *a, enum appraise_reason reason,
        struct span claim, const char *expected, const char *actual)
{
    struct appraise_finding *f;

    if (a->n_findings == APPRAISE_FINDINGS_MAX) {
        a->n_more++;
        return;
    }
    f = &a->finding[a->n_findings++];
    f->reason = reason;
    text_format_safe(claim, f->claim, sizeof(f->claim));
    text_format_safe(span_str(expected), f->expected, sizeof(f->expected));
    text_format_safe(span_str(actual), f->actual, sizeof(f->actual));
}

void appraise_add_hex(struct appraisal *a, enum appraise_reason reason,
        const char *claim, struct span expected, struct span actual)
{
    char want[TEXT_HEX_SIZE(CRYPTO_HASH_MAX + 2)];
    char got[TEXT_HEX_SIZE(CRYPTO_HASH_MAX + 2)];

    if (expected.len > CRYPTO_HASH_MAX + 2)
        expected.len = CRYPTO_HASH_MAX + 2;
    if (actual.len > CRYPTO_HASH_MAX + 2)
        actual.len = CRYPTO_HASH_MAX + 2;
    text_format_hex(expected, want);
    text_format_hex(actual, got);
    appraise_add(a, reason, span_str(claim), want, got);
}

void appraise_add_all(struct appraisal *a, const struct appraisal *from)
{
    for (size_t i = 0; i < from->n_findings; i++) {
        if (a->n_findings == APPRAISE_FINDINGS_MAX)
            a->n_more++;
        else
            a->finding[a->n_findings++] = from->finding[i];
    }
    a->n_more += from->n_more;
}

void appraise_note(struct appraise_work *w, const char *part, const char *why)
{
    struct appraise_detail *d = w->detail;
    struct appraise_note *n;

    if (d->n_notes == ARRAY_LEN(d->note))
        return;
    n = &d->note[d->n_notes++];
    n->part = part;
    text_format_safe(span_str(why), n->text, sizeof(n->text));
}

/* ---- the checks ------------------------------------------------------ */

static bool refuse(struct appraise_work *w, enum appraise_reason reason,
        const char *expected, const char *actual)
{
    appraise_add(w->out, reason, SPAN_EMPTY, expected, actual);
    return false;
}

static bool check_zone(struct appraise_work *w)
{
    const struct pack_zone *z = w->in->zone;

    if (!z)
        return refuse(w, APPRAISE_ZONE, "a zone of the pack", "none");
    if (!pack_zone_valid(z, w->in->time))
        return refuse(w, APPRAISE_ZONE, "a zone in its time",
                z->revoked ? "revoked" : "outside of it");
    return true;
}

static bool check_form(struct appraise_work *w)
{
    struct err err = {0};
    int r = evidence_parse(w->in->evidence, &w->e, &err);

    if (r == 0)
        return true;
    return refuse(w,
            r == ERR_MISMATCH ? APPRAISE_NOT_QUOTE : APPRAISE_MALFORMED, "",
            err.msg);
}

/* Pinned at enrolment: another genuine TPM is still another machine. */
static bool check_ak(struct appraise_work *w)
{
    const struct pack_zone *z = w->in->zone;
    struct tcg_name name;
    struct err err = {0};

    if (!span_eq(w->e.ak, SPAN(z->ak, z->ak_len))) {
        if (tcg_name(&w->e.ak_public, &name) != 0)
            name.len = 0;
        appraise_add_hex(w->out, APPRAISE_OTHER_AK, "",
                SPAN(z->ak_name.bytes, z->ak_name.len),
                SPAN(name.bytes, name.len));
        return false;
    }
    if (tcg_check_ak(&w->e.ak_public, &err) != 0)
        return refuse(w, APPRAISE_AK_UNFIT, "", err.msg);
    return true;
}

static bool check_signature(struct appraise_work *w)
{
    struct err err = {0};

    if (tcg_verify(&w->e.ak_public, w->e.attest, &w->e.sig, &err) != 0)
        return refuse(w, APPRAISE_SIGNATURE, "", err.msg);
    return true;
}

static bool check_binder(struct appraise_work *w)
{
    struct span want = w->in->binder;

    if (want.len != CRYPTO_SHA256_SIZE || !span_eq_ct(want, w->e.quote.extra)) {
        appraise_add_hex(w->out, APPRAISE_BINDER, "", want, w->e.quote.extra);
        return false;
    }
    return true;
}

static bool check_selection(struct appraise_work *w)
{
    const struct tcg_selection *s = &w->e.quote.selection;
    char text[TCG_SELECTION_TEXT];

    for (size_t i = 0; i < s->n; i++) {
        enum crypto_hash hash;

        if (!tcg_hash(s->bank[i].alg, &hash) || hash == CRYPTO_SHA1)
            return refuse(w, APPRAISE_BANK, "sha256 or better",
                    tcg_alg_name(s->bank[i].alg));
    }
    if (!tcg_selects(s, TCG_ALG_SHA256, EVIDENCE_ZONE_PCR)) {
        tcg_format_selection(s, text);
        return refuse(w, APPRAISE_SELECTION, "sha256:14 among them", text);
    }
    return true;
}

/* Part 3, 18.4: the hash of the signing scheme, whatever the banks are. */
static bool check_pcr_digest(struct appraise_work *w)
{
    uint8_t got[CRYPTO_HASH_MAX];
    enum crypto_hash hash;

    if (!tcg_hash(w->e.sig.hash, &hash) ||
            tcg_pcr_digest(&w->e.values, hash, got) != 0)
        return refuse(w, APPRAISE_PCR_DIGEST, "", "cannot be computed");
    if (!span_eq(SPAN(got, crypto_hash_size(hash)), w->e.quote.pcr_digest)) {
        appraise_add_hex(w->out, APPRAISE_PCR_DIGEST, "", w->e.quote.pcr_digest,
                SPAN(got, crypto_hash_size(hash)));
        return false;
    }
    return true;
}

/* Part 1, 36: resets and restarts only grow, and so does a safe clock. */
static bool check_clock(struct appraise_work *w)
{
    const struct tcg_clock *was = &w->in->previous.clock;
    const struct tcg_clock *is = &w->e.quote.clock;
    char want[64], got[64];
    bool back;
    int boot;

    if (!w->in->previous.known)
        return true;
    boot = tcg_boot_cmp(is, was);
    back = boot < 0 ||
           (boot == 0 && is->safe && was->safe && is->clock < was->clock &&
                   was->clock - is->clock > CLOCK_SLACK_MS);
    if (!back)
        return true;
    (void)snprintf(want, sizeof(want), "reset %u, restart %u, %llu ms or later",
            was->resets, was->restarts, (unsigned long long)was->clock);
    (void)snprintf(got, sizeof(got), "reset %u, restart %u, %llu ms",
            is->resets, is->restarts, (unsigned long long)is->clock);
    return refuse(w, APPRAISE_CLOCK, want, got);
}

static bool check_log(struct appraise_work *w)
{
    struct err err = {0};

    if (w->e.log.len == 0)
        return refuse(w, APPRAISE_LOG, "an event log", "none");
    if (evidence_events_parse(w->e.log, &w->events, &err) != 0)
        return refuse(w, APPRAISE_LOG, "", err.msg);
    return true;
}

static bool check_replay(struct appraise_work *w)
{
    struct span quoted;

    if (!tcg_value(&w->e.quote.selection, &w->e.values, TCG_ALG_SHA256,
                EVIDENCE_ZONE_PCR, &quoted))
        return refuse(w, APPRAISE_REPLAY, "PCR 14", "none");
    if (!span_eq(quoted, SPAN_OF(w->events.pcr))) {
        appraise_add_hex(
                w->out, APPRAISE_REPLAY, "", quoted, SPAN_OF(w->events.pcr));
        return false;
    }
    return true;
}

/* A loader that hands no log over: dom0 of Xen, a kernel behind GRUB. */
static void look_for_log(struct appraise_work *w)
{
    const struct pack_reference *ref = w->in->reference;
    struct span value;
    uint32_t pcrs = 0;

    for (unsigned p = 0; p < TCG_PCRS; p++) {
        if ((FIRMWARE_PCRS >> p & 1) &&
                tcg_value(&w->e.quote.selection, &w->e.values, TCG_ALG_SHA256,
                        p, &value))
            pcrs |= 1u << p;
    }
    w->out->logless = pcrs != 0 && w->e.part[EVIDENCE_FIRMWARE].len == 0;
    if (!w->out->logless || !ref)
        return;
    for (size_t i = 0; i < ref->selection.n; i++) {
        if (ref->selection.bank[i].alg == TCG_ALG_SHA256)
            pcrs &= ref->selection.bank[i].pcrs;
    }
    w->out->computed = pcrs & ref->computed;
    w->out->recorded = pcrs & ~ref->computed;
}

/* In this order; the first that fails ends it. */
static bool (*const checks[])(struct appraise_work *w) = {
        check_zone,
        check_form,
        check_ak,
        check_signature,
        check_binder,
        check_selection,
        check_pcr_digest,
        check_clock,
        check_log,
        check_replay,
};

/* ---- from claims to a state ------------------------------------------ */

static void (*const adapters[])(struct appraise_work *w) = {
        appraise_tpm,
        appraise_zone,
        appraise_firmware,
        appraise_ima,
        appraise_drtm,
        appraise_snp,
        appraise_device,
};

/* A zone without rules: its reference is all that the owner wants. */
static void by_reference(struct appraise_work *w)
{
    appraise_add_all(w->out, &w->files);
    w->out->accept = w->files.n_findings == 0;
    if (w->out->accept)
        (void)snprintf(w->out->state, sizeof(w->out->state), "%s%s",
                w->in->reference->state,
                w->in->zone->emulated ? " (emulated)" : "");
}

/* Not knowing what changed refuses nothing. */
static void look_back(struct appraise_work *w)
{
    struct appraise_detail *d = w->detail;

    if (w->in->last && claims_diff(w->in->last->claims, &d->claims, d->change,
                               APPRAISE_CHANGES_MAX, &d->n_changes, NULL) != 0)
        d->n_changes = 0;
}

static void judge(struct appraise_work *w)
{
    w->out->clock = w->e.quote.clock;
    if (w->brief && !w->in->rules) {
        appraise_zone(w);
        by_reference(w);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(adapters); i++)
        adapters[i](w);
    look_back(w);
    if (w->in->rules)
        appraise_rules(w);
    else
        by_reference(w);
}

static void run(const struct appraise_input *in, bool brief,
        struct appraisal *ret, struct appraise_detail *detail)
{
    struct appraise_work w = {
            .in = in, .out = ret, .detail = detail, .brief = brief};
    size_t passed = 0;

    memset(ret, 0, sizeof(*ret));
    memset(detail, 0, sizeof(*detail));
    (void)snprintf(ret->state, sizeof(ret->state), "%s", APPRAISE_NOT_APPROVED);
    crypto_sha256(in->evidence, ret->evidence);
    while (passed < ARRAY_LEN(checks) && checks[passed](&w))
        passed++;
    ret->genuine = passed == ARRAY_LEN(checks);
    if (ret->genuine) {
        look_for_log(&w);
        judge(&w);
    }
    evidence_events_fini(&w.events);
}

void appraise_in_full(const struct appraise_input *in, struct appraisal *ret,
        struct appraise_detail *detail)
{
    run(in, false, ret, detail);
}

void appraise(const struct appraise_input *in, struct appraisal *ret)
{
    struct appraise_detail detail;

    run(in, true, ret, &detail);
    appraise_detail_fini(&detail);
}

void appraise_detail_fini(struct appraise_detail *d)
{
    claims_fini(&d->claims);
}

void appraise_take_pack(
        struct appraise_input *in, const struct pack *p, struct span zone)
{
    in->zone = pack_zone(p, zone);
    in->reference = pack_reference(p, zone, in->time);
    in->rules = pack_rules(p, zone, in->time);
    in->sets = pack_sets(p);
}
