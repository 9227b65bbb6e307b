/* SPDX-License-Identifier: Apache-2.0 */
/* What of a zone is measured: docs/proto/evidence.md, section 3. */
#include "bundle.h"
#include "evidence.h"

#include <stdio.h>

const struct evidence_folder evidence_folders[EVIDENCE_FOLDERS] = {
        {"conf", "", "conf", false},
        {"qubes", "qubes.d", "qube", true},
        {"policy", "policy.d", "policy", true},
        {"services", "services", "service", true},
};

struct tcg_selection evidence_zone_selection(void)
{
    return (struct tcg_selection){
            .n = 1,
            .bank = {{TCG_ALG_SHA256, 1u << EVIDENCE_ZONE_PCR}},
    };
}

int evidence_events_add_file(struct buf *log, const char *kind,
        const char *folder, struct span name,
        const uint8_t sha256[static CRYPTO_SHA256_SIZE], uint64_t size,
        struct err *err)
{
    char full[EVIDENCE_EVENT_NAME_MAX + 1];
    struct evidence_event e = {.kind = span_str(kind), .size = size};
    uint8_t digest[CRYPTO_SHA256_SIZE];
    int n = snprintf(full, sizeof(full), "%s%s%.*s", folder, *folder ? "/" : "",
            (int)name.len, (const char *)name.ptr);

    if (n < 0 || (size_t)n >= sizeof(full))
        return err_set(err, ERR_LIMIT, "%.60s...: name too long", full);
    e.name = SPAN(full, (size_t)n);
    memcpy(e.sha256, sha256, sizeof(e.sha256));
    return evidence_events_add(log, &e, digest, err);
}

int evidence_events_add_bundle(struct buf *log, const struct evidence_folder *f,
        struct span bundle, struct err *err)
{
    struct bundle_iter it = bundle_iter_of(bundle);
    struct bundle_file file;
    uint8_t sha256[CRYPTO_SHA256_SIZE];
    int r = 0;

    while (r == 0 && bundle_next(&it, &file)) {
        crypto_sha256(file.content, sha256);
        r = evidence_events_add_file(log, f->kind, f->folder, file.name, sha256,
                file.content.len, err);
    }
    return r;
}

int evidence_events_add_round(struct buf *log,
        const struct span bundle[static EVIDENCE_FOLDERS], struct err *err)
{
    CLEANUP(evidence_events_fini) struct evidence_events so_far = {0};
    uint8_t digest[CRYPTO_SHA256_SIZE];
    int r = evidence_events_parse(buf_span(log), &so_far, err);
    unsigned rounds = so_far.rounds; /* its events point into the old log */

    if (r == 0)
        r = evidence_events_change(log, rounds + 1, digest, err);
    for (size_t i = 0; i < EVIDENCE_FOLDERS && r == 0; i++) {
        const struct evidence_folder *f = &evidence_folders[i];

        if (f->may_change)
            r = evidence_events_add_bundle(log, f, bundle[i], err);
    }
    return r ? r : evidence_events_end(log, digest, err);
}
