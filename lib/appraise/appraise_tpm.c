/* SPDX-License-Identifier: Apache-2.0 */
/* Claims of the quote, and of what the owner pinned at enrolment. */
#include "appraise_private.h"

#include <stdio.h>

#define SOURCE "TPM quote"
#define PINNED "enrolment, signed in the pack"

static void add_key(struct appraise_work *w, struct claims *c)
{
    const struct pack_zone *z = w->in->zone;
    char scheme[64];

    claims_add_bool(c, "tpm.emulated", z->emulated, PINNED);
    claims_add_bytes(c, "tpm.ek", SPAN_OF(z->ek_sha256), PINNED);
    claims_add_bytes(
            c, "tpm.ak", SPAN(z->ak_name.bytes, z->ak_name.len), PINNED);
    (void)snprintf(scheme, sizeof(scheme), "%s-%s", tcg_alg_name(w->e.sig.alg),
            tcg_alg_name(w->e.sig.hash));
    claims_add_text(c, "tpm.scheme", span_str(scheme), SOURCE);
}

static void add_clock(const struct tcg_attest *q, struct claims *c)
{
    claims_add_number(c, "tpm.firmware", q->firmware, SOURCE);
    claims_add_number(c, "tpm.clock", q->clock.clock, SOURCE);
    claims_add_bool(c, "tpm.clock.safe", q->clock.safe, SOURCE);
    claims_add_number(c, "tpm.resets", q->clock.resets, SOURCE);
    claims_add_number(c, "tpm.restarts", q->clock.restarts, SOURCE);
}

static bool is_all(struct span s, uint8_t byte)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] != byte)
            return false;
    }
    return true;
}

/* 17 to 22 are of a dynamic launch; SHA-384 has names of its own. */
static bool name_pcr(uint16_t alg, unsigned pcr, char *ret, size_t cap)
{
    const char *prefix = alg == TCG_ALG_SHA384      ? "firmware.pcr.sha384"
                         : alg != TCG_ALG_SHA256    ? NULL
                         : (pcr >= 17 && pcr <= 22) ? "drtm.pcr"
                                                    : "firmware.pcr";

    if (prefix)
        (void)snprintf(ret, cap, "%s.%u", prefix, pcr);
    return prefix != NULL;
}

static void add_pcrs(
        const struct evidence *e, const struct tcg_bank *b, struct claims *c)
{
    for (unsigned pcr = 0; pcr < TCG_PCRS; pcr++) {
        char name[CLAIM_NAME_MAX + 1], source[64];
        struct span value;

        if (!tcg_value(&e->quote.selection, &e->values, b->alg, pcr, &value) ||
                !name_pcr(b->alg, pcr, name, sizeof(name)))
            continue;
        (void)snprintf(source, sizeof(source), "PCR %u of %s, quoted", pcr,
                tcg_alg_name(b->alg));
        claims_add_bytes(c, name, value, source);
    }
}

/* TPM 2.0 for PC Client: all ones before a launch, zero when it was reset and
 * nothing was measured: neither is a launch. */
static void add_launch(const struct evidence *e, struct claims *c)
{
    struct span v;

    if (tcg_value(&e->quote.selection, &e->values, TCG_ALG_SHA256, 17, &v))
        claims_add_bool(c, "drtm.launched",
                !is_all(v, 0x00) && !is_all(v, 0xff), "PCR 17, quoted");
}

void appraise_tpm(struct appraise_work *w)
{
    struct claims *c = &w->detail->claims;
    char selection[TCG_SELECTION_TEXT];

    add_key(w, c);
    add_clock(&w->e.quote, c);
    tcg_format_selection(&w->e.quote.selection, selection);
    claims_add_text(c, "tpm.selection", span_str(selection), SOURCE);
    for (size_t i = 0; i < w->e.quote.selection.n; i++)
        add_pcrs(&w->e, &w->e.quote.selection.bank[i], c);
    add_launch(&w->e, c);
}
