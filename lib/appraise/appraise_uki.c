/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Claims of a unified kernel image: PCR 11 as systemd-stub and systemd-pcrphase
 * extend it.  Labels of the log are not looked at: the names of sections and
 * phases are known, and so are their digests.
 */
#include "appraise_private.h"

#include <stdio.h>

#define UKI_PCR 11

/* Measured with their NUL, then the content (systemd-stub(7)). */
static const struct {
    const char *name, *claim;
} sections[] = {
        {".linux", "uki.linux"},
        {".osrel", "uki.osrel"},
        {".cmdline", "uki.cmdline"},
        {".initrd", "uki.initrd"},
        {".ucode", "uki.ucode"},
        {".splash", "uki.splash"},
        {".dtb", "uki.dtb"},
        {".uname", "uki.uname"},
        {".sbat", "uki.sbat"},
        {".pcrpkey", "uki.pcrpkey"},
};

/* Measured by the running system, in this order (systemd-pcrphase(8)); the
 * firmware's log ends before. */
static const char *const phases[] = {"enter-initrd", "leave-initrd", "sysinit",
        "ready", "shutdown", "final"};

static void extend(uint8_t *pcr, struct span digest)
{
    crypto_sha256_two(SPAN(pcr, CRYPTO_SHA256_SIZE), digest, pcr);
}

/* NULL: the log, with whatever phases, does not give the quoted value. */
static const char *phase_of(
        const struct eventlog_bank *bank, struct span quoted)
{
    uint8_t pcr[CRYPTO_SHA256_SIZE], digest[CRYPTO_SHA256_SIZE];
    const char *last = "none";

    memcpy(pcr, bank->value[UKI_PCR], sizeof(pcr));
    for (size_t i = 0; !span_eq(SPAN_OF(pcr), quoted); i++) {
        if (i == ARRAY_LEN(phases))
            return NULL;
        crypto_sha256(span_str(phases[i]), digest);
        extend(pcr, SPAN_OF(digest));
        last = phases[i];
    }
    return last;
}

/* The claim of a section whose name has this digest; NULL: none. */
static const char *section_of(struct span digest)
{
    uint8_t want[CRYPTO_SHA256_SIZE];

    for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
        crypto_sha256(
                SPAN(sections[i].name, strlen(sections[i].name) + 1), want);
        if (span_eq(SPAN_OF(want), digest))
            return sections[i].claim;
    }
    return NULL;
}

/* A digest that is neither a known name nor behind one: not a UKI's PCR. */
static bool add_sections(struct claims *c, struct eventlog log)
{
    const char *section = NULL;
    struct eventlog_event e;

    while (eventlog_next(&log, &e, NULL) == 1) {
        char source[CLAIMS_SOURCE_MAX + 1];
        struct span digest;

        if (e.pcr != UKI_PCR || !eventlog_extends(&e) ||
                !eventlog_digest(&e, TCG_ALG_SHA256, &digest))
            continue;
        if (!section) {
            section = section_of(digest);
            if (!section)
                return false;
            continue;
        }
        (void)snprintf(source, sizeof(source),
                "PCR 11, event %zu of the firmware log", e.index);
        claims_add_bytes(c, section, digest, source);
        section = NULL;
    }
    return section == NULL;
}

static bool is_zero(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i])
            return false;
    }
    return true;
}

static void add_addon(const struct evidence *e, struct claims *c)
{
    struct span a, b;

    if (tcg_value(&e->quote.selection, &e->values, TCG_ALG_SHA256, 12, &a) &&
            tcg_value(&e->quote.selection, &e->values, TCG_ALG_SHA256, 13, &b))
        claims_add_bool(c, "uki.addon", !is_zero(a) || !is_zero(b),
                "PCR 12 and 13, quoted");
}

void appraise_uki(struct appraise_work *w, const struct eventlog *log,
        const struct eventlog_pcrs *pcrs)
{
    const struct eventlog_bank *bank = eventlog_bank(pcrs, TCG_ALG_SHA256);
    struct claims *c = &w->detail->claims;
    size_t first = c->n;
    struct span quoted;
    const char *phase;

    add_addon(&w->e, c);
    if (!bank || !((bank->extended >> UKI_PCR) & 1) ||
            (bank->missing >> UKI_PCR) & 1 ||
            !tcg_value(&w->e.quote.selection, &w->e.values, TCG_ALG_SHA256,
                    UKI_PCR, &quoted))
        return;
    phase = phase_of(bank, quoted);
    if (!phase) {
        appraise_note(w, "firmware event log",
                "with no phase of systemd does it give the quoted PCR 11");
        return;
    }
    first = c->n;
    if (!add_sections(c, *log)) {
        claims_unattested(c, first);
        return;
    }
    claims_add_text(c, "uki.phase", span_str(phase), "PCR 11, quoted");
}
