/* SPDX-License-Identifier: Apache-2.0 */
#include "attest_change.h"

#include "gather.h"

#include <fcntl.h>

static gather_want *want_of(const struct evidence_folder *f)
{
    static const struct {
        const char *bundle;
        gather_want *want;
    } wants[] = {{"qubes", gather_conf}, {"policy", gather_policy},
            {"services", gather_any}};

    for (size_t i = 0; i < ARRAY_LEN(wants); i++) {
        if (strcmp(wants[i].bundle, f->bundle) == 0)
            return wants[i].want;
    }
    return NULL;
}

static int add_round(struct buf *log, int dirfd, struct err *err)
{
    struct buf folder[EVIDENCE_FOLDERS];
    struct span bundle[EVIDENCE_FOLDERS];
    int r = 0;

    for (size_t i = 0; i < EVIDENCE_FOLDERS; i++) {
        gather_want *want = want_of(&evidence_folders[i]);

        folder[i] = BUF_INIT(LIMIT_BUNDLE_MAX);
        if (want && r == 0)
            r = gather_folder(
                    dirfd, evidence_folders[i].folder, want, &folder[i], err);
        bundle[i] = buf_span(&folder[i]);
    }
    if (r == 0)
        r = evidence_events_add_round(log, bundle, err);
    for (size_t i = 0; i < EVIDENCE_FOLDERS; i++)
        buf_fini(&folder[i]);
    return r;
}

/* Puts pcr where the evidence has the value of PCR 14. */
static bool set_value(struct evidence *e, struct span pcr)
{
    struct span now;

    if (!tcg_value(&e->quote.selection, &e->values, TCG_ALG_SHA256,
                EVIDENCE_ZONE_PCR, &now))
        return false;
    for (size_t i = 0; i < e->values.n; i++) {
        if (e->values.value[i].ptr == now.ptr)
            e->values.value[i] = pcr;
    }
    return true;
}

int attest_change(struct evidence *e, const char *zone_dir,
        struct attest_change *c, struct err *err)
{
    CLEANUP(evidence_events_fini) struct evidence_events after = {0};
    CLEANUP(buf_close_fd)
    int fd = open(zone_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r;

    if (fd < 0)
        return err_errno(err, "%s", zone_dir);
    c->log = BUF_INIT(LIMIT_EVIDENCE_MAX);
    buf_append(&c->log, e->log);
    r = add_round(&c->log, fd, err);
    if (r == 0)
        r = evidence_events_parse(buf_span(&c->log), &after, err);
    if (r != 0)
        return err_prefix(err, r, "%s", zone_dir);
    memcpy(c->pcr, after.pcr, sizeof(c->pcr));
    e->log = buf_span(&c->log);
    return set_value(e, SPAN_OF(c->pcr))
                   ? 0
                   : err_set(err, ERR_MISMATCH,
                             "the evidence does not quote PCR %d",
                             EVIDENCE_ZONE_PCR);
}

void attest_change_fini(struct attest_change *c)
{
    buf_fini(&c->log);
}
