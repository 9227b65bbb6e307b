/* SPDX-License-Identifier: Apache-2.0 */
/* Is this that machine, now, and in a state that the owner approved? */
#include "appraise_private.h"

#include <stdio.h>

/*
 * Quotes of one boot may overtake each other on two channels; the binder
 * proves freshness, the clock that the TPM's state was not put back.
 */
#define CLOCK_SLACK_MS 10000

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

/* ---- the checks ------------------------------------------------------ */

/* What the checks work on and leave behind. */
struct work {
    const struct appraise_input *in;
    struct evidence e;
    struct evidence_events events;
    struct appraisal *out;
};

static bool refuse(struct work *w, enum appraise_reason reason,
        const char *expected, const char *actual)
{
    appraise_add(w->out, reason, SPAN_EMPTY, expected, actual);
    return false;
}

static bool check_zone(struct work *w)
{
    const struct pack_zone *z = w->in->zone;

    if (!z)
        return refuse(w, APPRAISE_ZONE, "a zone of the pack", "none");
    if (!pack_zone_valid(z, w->in->time))
        return refuse(w, APPRAISE_ZONE, "a zone in its time",
                z->revoked ? "revoked" : "outside of it");
    return true;
}

static bool check_form(struct work *w)
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
static bool check_ak(struct work *w)
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

static bool check_signature(struct work *w)
{
    struct err err = {0};

    if (tcg_verify(&w->e.ak_public, w->e.attest, &w->e.sig, &err) != 0)
        return refuse(w, APPRAISE_SIGNATURE, "", err.msg);
    return true;
}

static bool check_binder(struct work *w)
{
    struct span want = w->in->binder;

    if (want.len != CRYPTO_SHA256_SIZE || !span_eq_ct(want, w->e.quote.extra)) {
        appraise_add_hex(w->out, APPRAISE_BINDER, "", want, w->e.quote.extra);
        return false;
    }
    return true;
}

static bool check_selection(struct work *w)
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
static bool check_pcr_digest(struct work *w)
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
static bool check_clock(struct work *w)
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

static bool check_log(struct work *w)
{
    struct err err = {0};

    if (w->e.log.len == 0)
        return refuse(w, APPRAISE_LOG, "an event log", "none");
    if (evidence_events_parse(w->e.log, &w->events, &err) != 0)
        return refuse(w, APPRAISE_LOG, "", err.msg);
    return true;
}

static bool check_replay(struct work *w)
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

/* In this order; the first that fails ends it. */
static bool (*const checks[])(struct work *w) = {
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

static bool check_approval(struct work *w)
{
    const struct pack_reference *ref = w->in->reference;
    char expires[TEXT_TIME_SIZE];

    if (!ref || strcmp(ref->zone, w->in->zone->name) != 0)
        return refuse(w, APPRAISE_NO_REFERENCE,
                "a reference of this zone that the owner signed", "none");
    if (ref->expires != 0 && w->in->time >= ref->expires)
        return refuse(w, APPRAISE_EXPIRED,
                text_format_time(ref->expires, expires) ? expires : "?",
                "later");
    appraise_compare(&w->e, &w->events, ref, w->out);
    return w->out->n_findings == 0;
}

static void set_state(struct work *w)
{
    if (w->out->accept)
        (void)snprintf(w->out->state, sizeof(w->out->state), "%s%s",
                w->in->reference->state,
                w->in->zone->emulated ? " (emulated)" : "");
}

void appraise(const struct appraise_input *in, struct appraisal *ret)
{
    struct work w = {.in = in, .out = ret};
    size_t passed = 0;

    memset(ret, 0, sizeof(*ret));
    (void)snprintf(ret->state, sizeof(ret->state), "%s", APPRAISE_NOT_APPROVED);
    crypto_sha256(in->evidence, ret->evidence);
    while (passed < ARRAY_LEN(checks) && checks[passed](&w))
        passed++;
    ret->genuine = passed == ARRAY_LEN(checks);
    if (ret->genuine) {
        ret->clock = w.e.quote.clock;
        ret->accept = check_approval(&w);
    }
    set_state(&w);
    evidence_events_fini(&w.events);
}

/* ---- for people ------------------------------------------------------ */

void appraise_format(const struct appraise_finding *f, char *ret, size_t cap)
{
    if (f->reason == APPRAISE_FILE_DIFFERS)
        (void)snprintf(ret, cap,
                "%s differs from the reference: expected %s, measured %s",
                f->claim, f->expected, f->actual);
    else if (f->reason == APPRAISE_FILE_MISSING)
        (void)snprintf(
                ret, cap, "%s is missing: expected %s", f->claim, f->expected);
    else if (f->reason == APPRAISE_FILE_EXTRA)
        (void)snprintf(ret, cap, "%s is not in the reference: measured %s",
                f->claim, f->actual);
    else
        (void)snprintf(ret, cap, "%s%s%s%s%s%s%s",
                appraise_reason_name(f->reason), f->claim[0] ? ": " : "",
                f->claim, f->expected[0] ? ": expected " : "", f->expected,
                !f->actual[0]    ? ""
                : f->expected[0] ? ", got "
                                 : ": ",
                f->actual);
}

void appraise_explain(const struct appraisal *a, struct buf *ret)
{
    char line[APPRAISE_CLAIM_MAX + 2 * APPRAISE_VALUE_MAX + 80];

    for (size_t i = 0; i < a->n_findings; i++) {
        appraise_format(&a->finding[i], line, sizeof(line));
        buf_printf(ret, "%s\n", line);
    }
    if (a->n_more)
        buf_printf(ret, "and %zu more\n", a->n_more);
}
