/* SPDX-License-Identifier: Apache-2.0 */
/* qair attest: evidence, its appraisal, and approving a state. */
#include "appraise.h"
#include "attest_change.h"
#include "attest_corim.h"
#include "attest_load.h"
#include "attest_predict.h"
#include "attest_rules.h"
#include "attest_snp.h"
#include "attest_values.h"
#include "attest_verify.h"
#include "attest_watch.h"
#include "cli.h"
#include "cli_sandbox.h"
#include "pack_load.h"
#include "pack_options.h"
#include "pack_store.h"
#include "statement.h"
#include "zone_enrol.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static void print_files(const struct evidence_events *v)
{
    for (size_t i = 0; i < v->n; i++) {
        const struct evidence_event *f = &v->event[i];
        char hex[TEXT_HEX_SIZE(CRYPTO_SHA256_SIZE)];

        text_format_hex(SPAN_OF(f->sha256), hex);
        (void)printf("%-8.*s %s %8" PRIu64 " %.*s\n", (int)f->kind.len,
                (const char *)f->kind.ptr, hex, f->size, (int)f->name.len,
                (const char *)f->name.ptr);
    }
}

/* ---- show ------------------------------------------------------------ */

/* What lies beside quote and zone's log; not judged, not looked into. */
static bool put_parts(struct json_t *o, const struct evidence *e)
{
    struct json_t *list = statement_put_array(o, "parts");

    for (unsigned k = EVIDENCE_FIRMWARE; list && k < EVIDENCE_KINDS; k++) {
        struct json_t *item;

        if (e->part[k].len == 0)
            continue;
        item = statement_add_object(list);
        if (!item || !statement_put_str(item, "kind", evidence_kind_name(k)) ||
                !statement_put_u64(item, "size", e->part[k].len))
            return false;
    }
    return list != NULL;
}

static void print_parts(const struct evidence *e)
{
    for (unsigned k = EVIDENCE_FIRMWARE; k < EVIDENCE_KINDS; k++) {
        if (e->part[k].len > 0)
            (void)printf("part     %s, %zu bytes\n", evidence_kind_name(k),
                    e->part[k].len);
    }
}

static bool put_event(struct json_t *list, const struct evidence_event *f)
{
    struct json_t *o = statement_add_object(list);

    return o && statement_put_text(o, "kind", f->kind) &&
           statement_put_text(o, "name", f->name) &&
           statement_put_hex(o, "sha256", SPAN_OF(f->sha256)) &&
           statement_put_u64(o, "size", f->size);
}

static bool put_quote(
        struct json_t *o, const struct evidence *e, const struct tcg_name *name)
{
    char selection[TCG_SELECTION_TEXT];

    tcg_format_selection(&e->quote.selection, selection);
    return statement_put_hex(o, "ak_name", SPAN(name->bytes, name->len)) &&
           statement_put_hex(o, "binder", e->quote.extra) &&
           statement_put_str(o, "pcrs", selection) &&
           statement_put_hex(o, "pcr_digest", e->quote.pcr_digest) &&
           statement_put_u64(o, "clock_ms", e->quote.clock.clock) &&
           statement_put_u64(o, "resets", e->quote.clock.resets) &&
           statement_put_u64(o, "restarts", e->quote.clock.restarts) &&
           statement_put_bool(o, "clock_safe", e->quote.clock.safe);
}

static int show_json(const struct evidence *e, const struct tcg_name *name,
        const struct evidence_events *v, struct err *err)
{
    CLEANUP(statement_json_free_ptr) struct json_t *o = statement_json_object();
    CLEANUP(buf_fini) struct buf text = BUF_INIT(1u << 20);
    struct json_t *list = o ? statement_put_array(o, "files") : NULL;
    bool ok = list && put_quote(o, e, name) && put_parts(o, e);
    int r;

    for (size_t i = 0; ok && i < v->n; i++)
        ok = put_event(list, &v->event[i]);
    if (!ok)
        return err_set(err, ERR_MEMORY, "no memory to show it");
    r = statement_json_format(o, &text, err);
    if (r == 0)
        (void)printf("%s\n", (const char *)text.ptr);
    return r;
}

static void show_text(const struct evidence *e, const struct tcg_name *name,
        const struct evidence_events *v)
{
    char selection[TCG_SELECTION_TEXT];
    char hex[TEXT_HEX_SIZE(CRYPTO_HASH_MAX + 2)];

    text_format_hex(SPAN(name->bytes, name->len), hex);
    (void)printf("ak       %s\n", hex);
    text_format_hex(e->quote.extra, hex);
    (void)printf("binder   %s\n", hex);
    tcg_format_selection(&e->quote.selection, selection);
    text_format_hex(e->quote.pcr_digest, hex);
    (void)printf("pcrs     %s %s\n", selection, hex);
    (void)printf("clock    %" PRIu64 " ms, resets %" PRIu32
                 ", restarts %" PRIu32 "%s\n",
            e->quote.clock.clock, e->quote.clock.resets,
            e->quote.clock.restarts, e->quote.clock.safe ? "" : " (not safe)");
    print_parts(e);
    print_files(v);
}

/* A file of evidence that was read, and what is wanted of it. */
struct reading {
    const struct pack_options *o;
    struct attest_loaded l;
};

static int show(struct reading *g, struct err *err)
{
    CLEANUP(evidence_events_fini) struct evidence_events v = {0};
    struct tcg_name name;
    int r = attest_parse(g->o->arg[0], &g->l, err);

    if (r == 0 && g->l.e.log.len)
        r = evidence_events_parse(g->l.e.log, &v, err);
    if (r == 0 && tcg_name(&g->l.e.ak_public, &name) != 0)
        r = err_set(err, ERR_UNSUPPORTED, "attestation key is not usable");
    if (r != 0)
        return r;
    if (g->o->json)
        return show_json(&g->l.e, &name, &v, err);
    show_text(&g->l.e, &name, &v);
    return 0;
}

static int job_show(void *ctx)
{
    struct err err = {0};

    return show(ctx, &err) == 0 ? CLI_OK : cli_fail(&err);
}

/* Whether it can be taken apart at all, before a process does that holds the
 * owner's key. */
static int job_look(void *ctx)
{
    struct reading *g = ctx;
    CLEANUP(evidence_events_fini) struct evidence_events v = {0};
    struct err err = {0};
    int r = attest_parse(g->o->arg[0], &g->l, &err);

    if (r == 0 && g->l.e.log.len)
        r = evidence_events_parse(g->l.e.log, &v, &err);
    /* the appraisal names what is wrong with the log itself */
    return r == 0 || g->l.e.ak.len ? CLI_OK : cli_fail(&err);
}

/* Of the file, or of this zone now. */
static int take(struct cli *cli, struct pack_options *o,
        struct attest_loaded *ret, struct err *err)
{
    if (o->n_args == 1)
        return attest_read(o->arg[0], ret, err);
    o->arg[0] = "this zone";
    ret->bytes = BUF_INIT(LIMIT_EVIDENCE_MAX);
    return zone_evidence_take(cli, NULL, &ret->bytes, err);
}

static int in_sandbox(struct cli *cli, struct pack_options *o, cli_job *job)
{
    struct reading g = {.o = o};
    struct err err = {0};
    int r = take(cli, o, &g.l, &err);
    int code = r == 0 ? cli_in_sandbox(job, &g) : cli_fail(&err);

    attest_loaded_fini(&g.l);
    return code;
}

static int attest_show(struct cli *cli, int argc, char **argv)
{
    struct pack_options o;
    int r = pack_options_parse(
            cli, argc, argv, PACK_OPT_JSON, 0, PACK_ARGS_OPTIONAL, &o);

    return r == CLI_OK ? in_sandbox(cli, &o, job_show) : r;
}

/* ---- reference ------------------------------------------------------- */

/* What is approved now, and what changes against the approval in force. */
static int print_approval(const struct pack *p, const struct pack_zone *z,
        const struct evidence *e, bool ahead, struct appraise_input *in,
        struct err *err)
{
    CLEANUP(evidence_events_fini) struct evidence_events v = {0};
    static struct appraisal a;
    int r = evidence_events_parse(e->log, &v, err);

    if (r != 0)
        return r;
    in->reference = pack_reference(p, span_str(z->name), in->time);
    (void)printf("zone %s%s, %s:\n", z->name, z->emulated ? " (emulated)" : "",
            ahead ? "in the state ahead" : "measured");
    print_files(&v);
    if (ahead || !in->reference)
        return 0;
    appraise(in, &a);
    (void)printf(a.accept ? "no change against the state approved before\n"
                          : "against the state approved before:\n");
    attest_print_findings(&a);
    return 0;
}

/* The approval in force keeps its word for the receipts of its time. */
static int keep_former(const char *dir, const struct pack *p, const char *zone,
        uint64_t *issued, struct err *err)
{
    const struct pack_reference *f =
            pack_reference(p, span_str(zone), UINT64_MAX);
    char from[PACK_STORE_PATH], to[PACK_STORE_PATH];
    int n, m;

    if (!f)
        return 0;
    if (*issued <= f->issued)
        *issued = f->issued + 1;
    n = snprintf(from, sizeof(from), "%s/references/%s.json", dir, zone);
    m = snprintf(to, sizeof(to), "%s/references/%s@%" PRIu64 ".json", dir, zone,
            f->issued);
    if (n < 0 || (size_t)n >= sizeof(from) || m < 0 || (size_t)m >= sizeof(to))
        return err_set(err, ERR_LIMIT, "name of %s is too long", dir);
    /* Absent: the latest stands under its time already. */
    return rename(from, to) == 0 || errno == ENOENT
                   ? 0
                   : err_errno(err, "keep %s", from);
}

static int check_genuine(const struct appraise_input *in, struct err *err)
{
    static struct appraisal a;
    char line[ERR_MSG_MAX];

    appraise(in, &a);
    if (a.genuine)
        return 0;
    appraise_format(&a.finding[0], line, sizeof(line));
    return err_set(err, ERR_DENIED, "evidence of zone %s is not genuine: %s",
            in->zone->name, line);
}

static int write_reference(const struct pack_options *o,
        const struct crypto_key *owner, const struct pack *p,
        const struct pack_zone *z, const struct evidence *e, uint32_t computed,
        uint64_t now, struct err *err)
{
    CLEANUP(pack_reference_fini) struct pack_reference f = {0};
    CLEANUP(buf_fini) struct buf file = BUF_INIT(LIMIT_LOG_ENTRY_MAX);
    uint64_t issued = now;
    int r;

    if (o->expires && o->expires <= now)
        return err_set(err, ERR_USAGE, "--expires is in the past");
    /* All that can fail comes before the former one is moved. */
    r = pack_reference_from(e, z->name, o->state, issued, o->expires, &f, err);
    if (r == 0 && o->pcrs)
        r = pack_reference_select(&f, e, o->pcrs, err);
    f.computed = computed & f.selection.bank[0].pcrs;
    if (r == 0)
        r = pack_reference_sign(&f, owner, &file, err);
    if (r == 0)
        r = keep_former(o->pack, p, z->name, &issued, err);
    if (r != 0)
        return r;
    f.issued = issued;
    buf_reset(&file);
    r = pack_reference_sign(&f, owner, &file, err);
    return r == 0 ? pack_store_put(o->pack, owner, "references", z->name,
                            buf_span(&file), err)
                  : r;
}

static void print_predicted(const struct attest_change *c)
{
    char hex[TEXT_HEX_SIZE(CRYPTO_SHA256_SIZE)];

    for (unsigned pcr = 0; pcr < TCG_PCRS; pcr++) {
        if (!((c->pcrs >> pcr) & 1))
            continue;
        text_format_hex(SPAN_OF(c->predicted[pcr]), hex);
        (void)printf("PCR %-4u %s predicted\n", pcr, hex);
    }
}

static int reference(const struct pack_options *o, struct err *err)
{
    CLEANUP(attest_loaded_fini) struct attest_loaded l = {0};
    CLEANUP(attest_change_fini) struct attest_change change = {.pcr = {0}};
    CLEANUP(crypto_key_free_ptr) struct crypto_key *owner = NULL;
    CLEANUP(pack_free_ptr) struct pack *p = NULL;
    struct appraise_input in = {.time = (uint64_t)time(NULL)};
    int r = pack_store_owner(o->owner_key, &owner, err);

    if (r == 0)
        r = pack_store_load(o->pack, owner, &p, err);
    if (r == 0)
        r = attest_take_input(o, p, &l, &in, err);
    if (r != 0)
        return r;
    r = check_genuine(&in, err);
    if (r == 0 && o->change)
        r = attest_change(&l.e, o->change, &change, err);
    if (r == 0 && o->start)
        r = attest_change_start(&l.e, o->start, o->programs, &change, err);
    if (r == 0 && o->recipe)
        r = attest_change_boot(&l.e, o->recipe, &change, err);
    if (r == 0)
        r = print_approval(
                p, in.zone, &l.e, o->change || o->start || o->recipe, &in, err);
    if (r == 0)
        print_predicted(&change);
    if (r == 0)
        r = write_reference(
                o, owner, p, in.zone, &l.e, change.pcrs, in.time, err);
    if (r == 0)
        (void)printf("approved as '%s'\n", o->state);
    return r;
}

/* A state, or a set of values: 'add', 'list' and 'revoke' are of sets. */
static int attest_reference(struct cli *cli, int argc, char **argv)
{
    unsigned need = PACK_OPT_OWNER_KEY | PACK_OPT_PACK;
    unsigned may = need | PACK_OPT_STATE | PACK_OPT_EXPIRES | PACK_OPT_BINDER |
                   PACK_OPT_CHANGE | PACK_OPT_START | PACK_OPT_PROGRAMS |
                   PACK_OPT_RECIPE | PACK_OPT_PCRS;
    struct pack_options o;
    struct err err = {0};
    int r;

    if (attest_values_is(argc, argv))
        return attest_values(cli, argc, argv);
    r = pack_options_parse(cli, argc, argv, may, need, 1, &o);
    if (r == CLI_OK && o.change && (o.recipe || o.start))
        r = cli_misuse(cli, "--change alone, or --start and --recipe: a reload "
                            "or a restart");
    if (r == CLI_OK && o.programs && !o.start)
        r = cli_misuse(cli, "--programs is for --start");
    if (r == CLI_OK)
        r = in_sandbox(cli, &o, job_look);
    if (r != CLI_OK)
        return r;
    if (!o.programs)
        o.programs = cli->programs;
    return reference(&o, &err) == 0 ? CLI_OK : cli_fail(&err);
}

static const struct cli_verb verbs[] = {
        {"collect", ZONE_EVIDENCE_ARGS, ZONE_EVIDENCE_HELP, zone_evidence},
        {"show", "[EVIDENCE] [--json]",
                "what evidence says, this machine's when none is given, "
                "without judging it",
                attest_show},
        {"verify", ATTEST_VERIFY_ARGS, ATTEST_VERIFY_HELP, attest_verify},
        {"explain", ATTEST_EXPLAIN_ARGS, ATTEST_EXPLAIN_HELP, attest_explain},
        {"reference",
                "EVIDENCE --owner-key FILE --pack DIR [--state NAME] "
                "[--expires TIME] [--binder HEX] [--change ZONEDIR | "
                "[--start ZONEDIR [--programs DIR]] [--recipe FILE]] "
                "[--pcrs LIST]",
                "approve the state that evidence shows, as 'golden'; prints "
                "what was measured.  --change: ahead, the state in which "
                "'zone reload --policy' with the files of ZONEDIR puts it.  "
                "--start: ahead, when the zone starts with these files and "
                "programs.  --recipe: ahead, after a reboot as 'attest "
                "predict' had it.  "
                "--pcrs: what it is bound to; by default all that is quoted "
                "but PCR 10",
                attest_reference},
        {"reference add", ATTEST_ADD_ARGS, ATTEST_ADD_HELP, attest_values},
        {"reference list", ATTEST_LIST_ARGS, ATTEST_LIST_HELP, attest_values},
        {"reference revoke", ATTEST_REVOKE_ARGS, ATTEST_REVOKE_HELP,
                attest_values},
        {"corim", ATTEST_CORIM_ARGS, ATTEST_CORIM_HELP, attest_corim_show},
        {"rules", ATTEST_RULES_ARGS, ATTEST_RULES_HELP, attest_rules},
        {"claims", "[NAME]", "every claim that rules can be about",
                attest_claims},
        {"predict", ATTEST_PREDICT_ARGS, ATTEST_PREDICT_HELP, attest_predict},
        {"snp", ATTEST_SNP_ARGS, ATTEST_SNP_HELP, attest_snp},
        {"launch", ATTEST_LAUNCH_ARGS, ATTEST_LAUNCH_HELP, attest_launch},
        {"watch", "[--json]",
                "tell each change of the zone's own state and of its channels, "
                "until it is interrupted",
                attest_watch},
        {0},
};

const struct cli_noun noun_attest = {
        .name = "attest",
        .help = "evidence of a zone's state, its appraisal and approval",
        .verbs = verbs,
};
