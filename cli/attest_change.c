/* SPDX-License-Identifier: Apache-2.0 */
#include "attest_change.h"

#include "bundle.h"
#include "gather.h"
#include "measure_programs.h"
#include "predict.h"

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

/* Puts value where the evidence has that of a PCR. */
static bool set_value(struct evidence *e, unsigned pcr, struct span value)
{
    struct span now;

    if (!tcg_value(&e->quote.selection, &e->values, TCG_ALG_SHA256, pcr, &now))
        return false;
    for (size_t i = 0; i < e->values.n; i++) {
        if (e->values.value[i].ptr == now.ptr)
            e->values.value[i] = value;
    }
    return true;
}

/* zone.conf alone, as qaird hands it out. */
static int gather_zone_conf(int dirfd, struct buf *ret, struct err *err)
{
    CLEANUP(buf_fini) struct buf b = BUF_INIT(LIMIT_CONF_FILE_MAX);
    struct bundle_writer w = {.out = ret};
    int r = buf_load(&b, dirfd, "zone.conf", err);

    return r == 0 ? bundle_put(&w,
                            &(struct bundle_file){
                                    span_str("zone.conf"), buf_span(&b)},
                            err)
                  : r;
}

static int add_folder(struct buf *log, int dirfd,
        const struct evidence_folder *f, struct err *err)
{
    CLEANUP(buf_fini) struct buf bundle = BUF_INIT(LIMIT_BUNDLE_MAX);
    gather_want *want = want_of(f);
    int r = want ? gather_folder(dirfd, f->folder, want, &bundle, err)
                 : gather_zone_conf(dirfd, &bundle, err);

    return r == 0 ? evidence_events_add_bundle(log, f, buf_span(&bundle), err)
                  : r;
}

/* As qair-measure does it before any other role. */
static int add_start(
        struct buf *log, int dirfd, const char *programs, struct err *err)
{
    CLEANUP(buf_close_fd)
    int fd = open(programs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    uint8_t digest[CRYPTO_SHA256_SIZE];
    int r = fd < 0 ? err_errno(err, "%s", programs)
                   : evidence_events_begin(log, err);

    for (size_t i = 0; i < EVIDENCE_FOLDERS && r == 0; i++)
        r = add_folder(log, dirfd, &evidence_folders[i], err);
    if (r == 0)
        r = measure_programs(fd, log, err);
    return r == 0 ? evidence_events_end(log, digest, err) : r;
}

static bool has_program(const struct evidence_events *e)
{
    for (size_t i = 0; i < e->n; i++) {
        if (span_eq_str(e->event[i].kind, "program"))
            return true;
    }
    return false;
}

/* programs NULL: a reload. */
static int change(struct evidence *e, const char *zone_dir,
        const char *programs, struct attest_change *c, struct err *err)
{
    CLEANUP(evidence_events_fini) struct evidence_events after = {0};
    CLEANUP(buf_close_fd)
    int fd = open(zone_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r;

    if (fd < 0)
        return err_errno(err, "%s", zone_dir);
    c->log = BUF_INIT(LIMIT_EVIDENCE_MAX);
    if (programs) {
        r = add_start(&c->log, fd, programs, err);
    } else {
        buf_append(&c->log, e->log);
        r = add_round(&c->log, fd, err);
    }
    if (r == 0)
        r = evidence_events_parse(buf_span(&c->log), &after, err);
    if (r == 0 && programs && !has_program(&after))
        r = err_set(
                err, ERR_NOT_FOUND, "no program of a zone is in %s", programs);
    if (r != 0)
        return err_prefix(err, r, "%s", zone_dir);
    memcpy(c->pcr, after.pcr, sizeof(c->pcr));
    e->log = buf_span(&c->log);
    return set_value(e, EVIDENCE_ZONE_PCR, SPAN_OF(c->pcr))
                   ? 0
                   : err_set(err, ERR_MISMATCH,
                             "the evidence does not quote PCR %d",
                             EVIDENCE_ZONE_PCR);
}

int attest_change(struct evidence *e, const char *zone_dir,
        struct attest_change *c, struct err *err)
{
    return change(e, zone_dir, NULL, c, err);
}

int attest_change_start(struct evidence *e, const char *zone_dir,
        const char *programs, struct attest_change *c, struct err *err)
{
    return change(e, zone_dir, programs, c, err);
}

static int check_fresh(const struct evidence *e, struct err *err)
{
    CLEANUP(evidence_events_fini) struct evidence_events v = {0};
    int r = evidence_events_parse(e->log, &v, err);

    if (r == 0 && v.rounds)
        r = err_set(err, ERR_STATE,
                "the zone took new files since it started: take evidence "
                "after a start of it");
    return r;
}

static int load_recipe(const char *path, struct predict *ret, struct err *err)
{
    CLEANUP(buf_fini) struct buf text = BUF_INIT(PREDICT_RECIPE_MAX);
    int r = buf_load(&text, AT_FDCWD, path, err);

    return r == 0 ? predict_parse(buf_span(&text), ret, err) : r;
}

static int take_predicted(struct evidence *e, const struct predict *p,
        struct attest_change *c, struct err *err)
{
    for (unsigned pcr = 0; pcr < TCG_PCRS; pcr++) {
        if (!((p->pcrs >> pcr) & 1))
            continue;
        if (pcr == EVIDENCE_ZONE_PCR ||
                predict_value(p, CRYPTO_SHA256, pcr, c->predicted[pcr]) != 0)
            return err_set(err, ERR_UNSUPPORTED,
                    "PCR %u of the recipe is the zone's own or has no SHA-256 "
                    "value",
                    pcr);
        if (!set_value(e, pcr, SPAN_OF(c->predicted[pcr])))
            return err_set(err, ERR_NOT_FOUND,
                    "the zone does not quote PCR %u of the recipe: predict "
                    "with --pcrs",
                    pcr);
        c->pcrs |= 1u << pcr;
    }
    return 0;
}

int attest_change_boot(struct evidence *e, const char *recipe,
        struct attest_change *c, struct err *err)
{
    struct predict p = predict_of(0);
    int r = check_fresh(e, err);

    if (r == 0)
        r = load_recipe(recipe, &p, err);
    if (r == 0)
        r = take_predicted(e, &p, c, err);
    predict_fini(&p);
    return r == 0 ? 0 : err_prefix(err, r, "%s", recipe);
}

void attest_change_fini(struct attest_change *c)
{
    buf_fini(&c->log);
}
