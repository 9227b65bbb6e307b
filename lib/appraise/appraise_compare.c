/* SPDX-License-Identifier: Apache-2.0 */
/* Genuine evidence against a reference: every difference, by name. */
#include "appraise_private.h"

#include <stdio.h>
#include <stdlib.h>

static bool is_same_file(
        const struct pack_event *want, const struct evidence_event *got)
{
    return want->round == got->round && span_eq_str(got->kind, want->kind) &&
           span_eq_str(got->name, want->name);
}

static bool is_same_content(
        const struct pack_event *want, const struct evidence_event *got)
{
    return want->size == got->size &&
           span_eq(SPAN_OF(want->sha256), SPAN_OF(got->sha256));
}

static void compare_content(const struct pack_event *want,
        const struct evidence_event *got, struct appraisal *a)
{
    char sizes[2][48];

    if (is_same_content(want, got))
        return;
    if (!span_eq(SPAN_OF(want->sha256), SPAN_OF(got->sha256))) {
        appraise_add_hex(a, APPRAISE_FILE_DIFFERS, want->name,
                SPAN_OF(want->sha256), SPAN_OF(got->sha256));
        return;
    }
    (void)snprintf(sizes[0], sizeof(sizes[0]), "%llu bytes",
            (unsigned long long)want->size);
    (void)snprintf(sizes[1], sizeof(sizes[1]), "%llu bytes",
            (unsigned long long)got->size);
    appraise_add(
            a, APPRAISE_FILE_DIFFERS, span_str(want->name), sizes[0], sizes[1]);
}

/*
 * Files that both have in the same place are the usual case; only where they
 * part is a file looked for elsewhere.  seen[i]: event i has its counterpart.
 */
static void compare_events(const struct evidence_events *events,
        const struct pack_reference *ref, bool *seen, struct appraisal *a)
{
    bool moved = false;

    for (size_t i = 0; i < ref->n_events; i++) {
        const struct pack_event *want = &ref->event[i];
        size_t at = i;

        if (at >= events->n || !is_same_file(want, &events->event[at])) {
            for (at = 0; at < events->n; at++) {
                if (is_same_file(want, &events->event[at]))
                    break;
            }
        }
        if (at == events->n) {
            appraise_add_hex(a, APPRAISE_FILE_MISSING, want->name,
                    SPAN_OF(want->sha256), SPAN_EMPTY);
            continue;
        }
        moved = moved || at != i;
        seen[at] = true;
        compare_content(want, &events->event[at], a);
    }
    for (size_t i = 0; i < events->n; i++) {
        char hex[TEXT_HEX_SIZE(CRYPTO_SHA256_SIZE)];

        if (seen[i])
            continue;
        text_format_hex(SPAN_OF(events->event[i].sha256), hex);
        appraise_add(a, APPRAISE_FILE_EXTRA, events->event[i].name, "", hex);
    }
    if (moved && a->n_findings == 0)
        appraise_add(a, APPRAISE_ORDER, SPAN_EMPTY,
                "the files in the order of the reference", "another order");
}

static void compare_pcrs(const struct evidence *e,
        const struct pack_reference *ref, bool explained, struct appraisal *a)
{
    size_t at = 0;

    for (size_t i = 0; i < ref->selection.n; i++) {
        const struct tcg_bank *b = &ref->selection.bank[i];

        for (unsigned p = 0; p < TCG_PCRS; p++) {
            struct span got = SPAN_EMPTY, want;
            char claim[32];

            if (!((b->pcrs >> p) & 1))
                continue;
            want = SPAN(ref->value[at].bytes, ref->value[at].len);
            at++;
            if (tcg_value(&e->quote.selection, &e->values, b->alg, p, &got) &&
                    span_eq(got, want))
                continue;
            /* The files have said already why PCR 14 differs. */
            if (p == EVIDENCE_ZONE_PCR && explained)
                continue;
            (void)snprintf(claim, sizeof(claim), "PCR %u of %s", p,
                    tcg_alg_name(b->alg));
            appraise_add_hex(a, APPRAISE_PCR, claim, want, got);
        }
    }
}

void appraise_compare(const struct evidence *e,
        const struct evidence_events *events, const struct pack_reference *ref,
        struct appraisal *a)
{
    CLEANUP(buf_free_ptr) bool *seen = calloc(events->n + 1, sizeof(*seen));
    char want[TCG_SELECTION_TEXT], got[TCG_SELECTION_TEXT];

    if (!seen) {
        appraise_add(a, APPRAISE_LOG, SPAN_EMPTY, "", "no memory to compare");
        return;
    }
    if (!tcg_selection_covers(&e->quote.selection, &ref->selection)) {
        tcg_format_selection(&ref->selection, want);
        tcg_format_selection(&e->quote.selection, got);
        appraise_add(a, APPRAISE_SELECTION, SPAN_EMPTY, want, got);
    }
    compare_events(events, ref, seen, a);
    compare_pcrs(e, ref, a->n_findings > 0, a);
}
