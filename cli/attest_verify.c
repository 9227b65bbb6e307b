/* SPDX-License-Identifier: Apache-2.0 */
#include "attest_verify.h"

#include "attest_ear.h"
#include "attest_json.h"
#include "attest_load.h"
#include "attest_snp.h"
#include "attest_unwrap.h"
#include "cli_sandbox.h"
#include "foreign.h"
#include "pack_load.h"

#include <stdio.h>
#include <time.h>

/* All that is read before the evidence is looked into. */
struct judging {
    const struct pack_options *o;
    struct crypto_pub *owner;
    struct pack *pack;
    struct attest_loaded now, last;
    struct appraise_input in;
};

static void judging_fini(struct judging *j)
{
    attest_loaded_fini(&j->now);
    attest_loaded_fini(&j->last);
    pack_free(j->pack);
    crypto_pub_free(j->owner);
}

static int judging_init(
        struct judging *j, const struct pack_options *o, struct err *err)
{
    int r = pack_load_owner_for(o->owner, o->pack, &j->owner, err);

    *j = (struct judging){.o = o, .owner = j->owner};
    j->in.time = o->time ? o->time : (uint64_t)time(NULL);
    j->in.binder = SPAN_OF(o->binder);
    if (r == 0)
        r = pack_load_folder(o->pack, j->owner, &j->pack, err);
    if (r == 0)
        r = attest_read(o->arg[0], &j->now, err);
    if (r == 0 && o->last)
        r = attest_read(o->last, &j->last, err);
    return r;
}

/* Out of what carries it; a zone that signed it must be the one it is of. */
static int take(struct judging *j, const char *path, struct attest_loaded *l,
        const struct pack_zone **ret, struct err *err)
{
    const struct pack_zone *signer;
    int r = attest_unwrap(&l->bytes, j->pack, j->in.time, &signer, err);

    r = r == 0 ? attest_parse(path, l, err) : err_prefix(err, r, "%s", path);
    if (r == 0)
        r = attest_find_zone(j->pack, &l->e, ret, err);
    if (r == 0 && signer && signer != *ret)
        r = err_set(err, ERR_MISMATCH, "zone %s signed evidence of zone %s",
                signer->name, (*ret)->name);
    return r;
}

static int take_evidence(struct judging *j, struct err *err)
{
    int r = take(j, j->o->arg[0], &j->now, &j->in.zone, err);

    if (r != 0)
        return r;
    j->in.evidence = buf_span(&j->now.bytes);
    appraise_take_pack(&j->in, j->pack, span_str(j->in.zone->name));
    return 0;
}

/* ---- verify ---------------------------------------------------------- */

static void verdict_text(const struct judging *j, const struct appraisal *a)
{
    char log[APPRAISE_LOG_MAX];

    (void)printf("zone     %s\nstate    %s\n", j->in.zone->name, a->state);
    (void)printf("machine  %s\n",
            !a->genuine        ? "not proved"
            : j->o->has_binder ? "proved, for the binder that was given"
                               : "proved, at an unknown time (no --binder)");
    appraise_format_log(a, log);
    if (*log)
        (void)printf("firmware %s\n", log);
    attest_print_findings(a);
}

static int verify_ear(struct judging *j, struct err *err)
{
    CLEANUP(appraise_detail_fini) struct appraise_detail d = {0};
    static struct appraisal a;
    struct span nonce = j->o->has_binder ? SPAN_OF(j->o->binder) : SPAN_EMPTY;

    appraise_in_full(&j->in, &a, &d);
    if (attest_ear_print(j->o->ear, &j->in, &a, &d, nonce, err) != 0)
        return cli_fail(err);
    return a.accept ? CLI_OK : CLI_NO;
}

static int verify(void *ctx)
{
    struct judging *j = ctx;
    static struct appraisal a;
    struct err err = {0};

    if (take_evidence(j, &err) != 0)
        return cli_fail(&err);
    if (j->o->ear)
        return verify_ear(j, &err);
    appraise(&j->in, &a);
    if (!j->o->json)
        verdict_text(j, &a);
    else if (attest_json_verdict(j->in.zone, &a, &err) != 0)
        return cli_fail(&err);
    return a.accept ? CLI_OK : CLI_NO;
}

/* ---- explain --------------------------------------------------------- */

/*
 * The claims of earlier evidence.  It was made for another binder, which only
 * its own quote knows: what it said then is asked, not whether it is fresh.
 */
static int take_last(struct judging *j, struct appraise_detail *was,
        struct appraise_last *ret, struct err *err)
{
    struct appraise_input in = j->in;
    const struct pack_zone *signer; /* that it is the zone's is asked below */
    struct appraisal a;
    int r = attest_unwrap(&j->last.bytes, j->pack, in.time, &signer, err);

    r = r == 0 ? attest_parse(j->o->last, &j->last, err)
               : err_prefix(err, r, "%s", j->o->last);
    if (r != 0)
        return r;
    in.evidence = buf_span(&j->last.bytes);
    in.binder = j->last.e.quote.extra;
    in.last = NULL;
    appraise_in_full(&in, &a, was);
    if (!a.genuine)
        return err_set(err, ERR_MISMATCH,
                "%s is not genuine evidence of zone %s", j->o->last,
                in.zone->name);
    *ret = (struct appraise_last){.claims = &was->claims};
    return 0;
}

static int explain_text(const struct judging *j, const struct appraisal *a,
        const struct appraise_detail *d, struct err *err)
{
    CLEANUP(buf_fini) struct buf text = BUF_INIT(4u << 20);
    int r;

    appraise_tell(&j->in, a, d, &text);
    r = buf_ok(&text, err);
    if (r == 0)
        (void)printf("%s", (const char *)text.ptr);
    return r;
}

static int explain(void *ctx)
{
    struct judging *j = ctx;
    CLEANUP(appraise_detail_fini) struct appraise_detail was = {0};
    CLEANUP(appraise_detail_fini) struct appraise_detail d = {0};
    struct appraise_last last;
    static struct appraisal a;
    struct err err = {0};
    int r = take_evidence(j, &err);

    if (r == 0 && j->o->last) {
        r = take_last(j, &was, &last, &err);
        j->in.last = &last;
    }
    if (r != 0)
        return cli_fail(&err);
    appraise_in_full(&j->in, &a, &d);
    r = j->o->json ? attest_json_explain(&j->in, &a, &d, &err)
                   : explain_text(j, &a, &d, &err);
    if (r != 0)
        return cli_fail(&err);
    return a.accept ? CLI_OK : CLI_NO;
}

/* ---- both ------------------------------------------------------------ */

static int run(
        struct cli *cli, int argc, char **argv, unsigned may, cli_job *job)
{
    CLEANUP(judging_fini) struct judging j = {0};
    struct pack_options o;
    struct err err = {0};
    int r = pack_options_parse(cli, argc, argv, may, PACK_OPT_PACK, 1, &o);

    if (r != CLI_OK)
        return r;
    if (o.ear && o.json)
        return cli_misuse(cli, "--json or --ear");
    if (o.ear && attest_ear_check(o.ear, &err) != 0)
        return cli_fail(&err);
    if (judging_init(&j, &o, &err) != 0)
        return cli_fail(&err);
    return cli_in_sandbox(job, &j);
}

#define MAY                                                                    \
    (PACK_OPT_PACK | PACK_OPT_OWNER | PACK_OPT_BINDER | PACK_OPT_TIME |        \
            PACK_OPT_JSON)

int attest_verify(struct cli *cli, int argc, char **argv)
{
    if (foreign_has_report(argc, argv))
        return attest_snp(cli, argc, argv);
    if (foreign_takes(argc, argv))
        return foreign_verify(cli, argc, argv);
    return run(cli, argc, argv, MAY | PACK_OPT_EAR, verify);
}

int attest_explain(struct cli *cli, int argc, char **argv)
{
    return run(cli, argc, argv, MAY | PACK_OPT_LAST, explain);
}
