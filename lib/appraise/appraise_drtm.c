/* SPDX-License-Identifier: Apache-2.0 */
/* Claims of a dynamic launch, as far as quoted PCRs 17 to 22 prove its log. */
#include "appraise_private.h"

#include <stdio.h>

#define PART     "event log of the dynamic launch"
#define FIRST    17
#define LAST     22
#define BANK     TCG_ALG_SHA256
#define REQUIRED (1u << 17 | 1u << 18)

static size_t take_values(
        const struct evidence *e, struct eventlog_claim *ret, uint32_t *pcrs)
{
    size_t n = 0;

    *pcrs = 0;
    for (unsigned pcr = FIRST; pcr <= LAST; pcr++) {
        struct span value;

        if (!tcg_value(&e->quote.selection, &e->values, BANK, pcr, &value))
            continue;
        ret[n++] = (struct eventlog_claim){BANK, pcr, value};
        *pcrs |= 1u << pcr;
    }
    return n;
}

/* The first digest of PCR 17 is the processor's own. */
static void add_images(struct claims *c, struct eventlog log)
{
    struct eventlog_event e;
    bool first = true;

    while (eventlog_next(&log, &e, NULL) == 1) {
        char source[CLAIMS_SOURCE_MAX + 1];
        struct span digest;

        if (!eventlog_extends(&e) || (e.pcr != 17 && e.pcr != 18) ||
                !eventlog_digest(&e, BANK, &digest) ||
                digest.len != CRYPTO_SHA256_SIZE)
            continue;
        (void)snprintf(source, sizeof(source),
                "PCR %u, event %zu of the launch's log", e.pcr, e.index);
        if (first && e.pcr == 17)
            claims_add_bytes(c, "drtm.loader", digest, source);
        else
            claims_add_bytes(c, "drtm.image", digest, source);
        first = first && e.pcr != 17;
    }
}

static int explain(struct appraise_work *w, struct span bytes, struct err *err)
{
    struct claims *c = &w->detail->claims;
    struct eventlog_claim claim[LAST - FIRST + 1];
    struct eventlog_agreement agreement;
    struct eventlog_drtm drtm;
    struct eventlog_pcrs pcrs;
    uint32_t quoted;
    size_t n = take_values(&w->e, claim, &quoted);
    int r = eventlog_drtm_open(bytes, &drtm, err);

    if (r == 0 && (quoted & REQUIRED) != REQUIRED)
        r = err_set(err, ERR_MISMATCH, "PCR 17 and 18 are not quoted");
    if (r == 0)
        r = eventlog_drtm_replay(&drtm, &pcrs, err);
    if (r != 0)
        return r;
    r = eventlog_drtm_compare(&pcrs, claim, n, &agreement, err);
    if (r != 0 && r != ERR_MISMATCH)
        return r;
    claims_add_bool(c, "drtm.log", r == 0, "replay of the launch's log");
    c->unattested = true; /* the form of a log is authenticated by nothing */
    claims_add_text(c, "drtm.kind",
            span_str(drtm.form == EVENTLOG_DRTM_SKL ? "skinit" : "txt"),
            "form of the launch's log");
    c->unattested = false;
    if (r == 0)
        add_images(c, drtm.log);
    return r;
}

void appraise_drtm(struct appraise_work *w)
{
    struct span bytes = w->e.part[EVIDENCE_DRTM];
    struct err err = {0};

    if (bytes.len > 0 && explain(w, bytes, &err) != 0)
        appraise_note(w, PART, err.msg);
}
