/* SPDX-License-Identifier: Apache-2.0 */
/* Claims of the zone's own event log: its files, and whether they are those
 * that the owner approved. */
#include "appraise_private.h"

#include <stdio.h>

#define SOURCE "event log of the zone, PCR 14"

static const struct {
    const char *kind, *claim;
} kinds[] = {
        {"program", "zone.programs"},
        {"conf", "zone.conf"},
        {"policy", "zone.policy"},
        {"qube", "zone.qubes"},
        {"service", "zone.services"},
};

static bool may_change(const char *kind)
{
    for (size_t i = 0; i < EVIDENCE_FOLDERS; i++) {
        if (strcmp(evidence_folders[i].kind, kind) == 0)
            return evidence_folders[i].may_change;
    }
    return false;
}

/* As sha256sum prints them, of the round in force. */
static void add_digest(const struct evidence_events *v, const char *kind,
        const char *claim, struct claims *c)
{
    CLEANUP(crypto_hasher_free_ptr)
    struct crypto_hasher *h = crypto_hasher_new(CRYPTO_SHA256);
    unsigned round = may_change(kind) ? v->rounds : 0;
    uint8_t digest[CRYPTO_SHA256_SIZE];

    if (!h) {
        c->error = ERR_MEMORY;
        return;
    }
    for (size_t i = 0; i < v->n; i++) {
        const struct evidence_event *f = &v->event[i];
        char hex[TEXT_HEX_SIZE(CRYPTO_SHA256_SIZE)];

        if (f->round != round || !span_eq_str(f->kind, kind))
            continue;
        text_format_hex(SPAN_OF(f->sha256), hex);
        crypto_hasher_update(h, span_str(hex));
        crypto_hasher_update(h, span_str("  "));
        crypto_hasher_update(h, f->name);
        crypto_hasher_update(h, span_str("\n"));
    }
    crypto_hasher_final(h, digest);
    claims_add_bytes(c, claim, SPAN_OF(digest), SOURCE);
}

static void add_files(struct appraise_work *w)
{
    const struct pack_reference *ref = w->in->reference;
    char expires[TEXT_TIME_SIZE], issued[TEXT_TIME_SIZE];
    char source[CLAIMS_SOURCE_MAX + 1];

    if (!ref || strcmp(ref->zone, w->in->zone->name) != 0) {
        appraise_add(&w->files, APPRAISE_NO_REFERENCE, SPAN_EMPTY,
                "a reference of this zone that the owner signed", "none");
        return;
    }
    if (ref->expires != 0 && w->in->time >= ref->expires) {
        appraise_add(&w->files, APPRAISE_EXPIRED, SPAN_EMPTY,
                text_format_time(ref->expires, expires) ? expires : "?",
                "later");
        return;
    }
    appraise_compare(&w->e, &w->events, ref, &w->files);
    (void)snprintf(source, sizeof(source), SOURCE ", and the reference of %s",
            text_format_time(ref->issued, issued) ? issued : "?");
    claims_add_text(&w->detail->claims, "zone.files",
            span_str(w->files.n_findings ? "changed" : "approved"), source);
}

void appraise_zone(struct appraise_work *w)
{
    struct claims *c = &w->detail->claims;

    claims_add_bytes(c, "zone.pcr", SPAN_OF(w->events.pcr), SOURCE);
    claims_add_number(c, "zone.rounds", w->events.rounds, SOURCE);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        add_digest(&w->events, kinds[i].kind, kinds[i].claim, c);
    add_files(w);
}
